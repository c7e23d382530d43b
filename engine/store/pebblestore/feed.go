package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cauce-pay/cauce/engine/store"
)

// Feed returns the events of all payments after a cursor, at most limit; see store.Store.
func (s *Store) Feed(ctx context.Context, after string, limit int) (events []store.FeedEvent, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave(&err)
	position := uint64(0)
	if after != "" {
		place, err := s.seal.open(kindFeed, after)
		if err != nil {
			return nil, err
		}
		position = binary.BigEndian.Uint64(place)
	}
	v := s.shown.acquire()
	defer closing(closer(v.release), &err)
	err = v.scan(feedKey(position+1), next([]byte{kindFeed}), func(key, record []byte) (bool, error) {
		written, err := s.feedEvents(v, key, record)
		for _, e := range written {
			if e.position > position && len(events) < limit {
				e.Cursor = s.feedCursor(e.position)
				events = append(events, e.FeedEvent)
			}
		}
		return len(events) < limit, err
	})
	return events, err
}

// FeedEnd returns the cursor after which only later events come.
func (s *Store) FeedEnd(ctx context.Context) (cursor string, err error) {
	if err := s.enter(ctx); err != nil {
		return "", err
	}
	defer s.leave(&err)
	v := s.shown.acquire()
	defer closing(closer(v.release), &err)
	return s.feedCursor(v.end), nil
}

func (s *Store) feedCursor(position uint64) string {
	return s.seal.cursor(kindFeed, binary.BigEndian.AppendUint64(nil, position))
}

type placedEvent struct {
	store.FeedEvent
	position uint64
}

// feedEvents reads the events of one write by its record in the feed.
func (s *Store) feedEvents(v *view, key, record []byte) (out []placedEvent, err error) {
	var at place
	if err := decode(record, func(c *codec) { c.place(&at) }); err != nil {
		return nil, fmt.Errorf("%w: record %q: %w", store.ErrCorrupt, key, err)
	}
	eventsAt := eventsKey(at.payment, at.first)
	err = v.get(eventsAt, func(record []byte) error {
		chunk, err := readChunk(eventsAt, record)
		if err == nil && int64(len(chunk)) != at.count {
			err = fmt.Errorf("it has %d events, not %d", len(chunk), at.count)
		}
		for i, e := range chunk {
			position := positionOf(key) - uint64(len(chunk)-1-i)
			out = append(out, placedEvent{store.FeedEvent{Payment: at.payment, Event: e}, position})
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: record %q: the events it names are missing", store.ErrCorrupt, key)
	}
	return out, err
}
