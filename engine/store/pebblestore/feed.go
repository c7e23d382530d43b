package pebblestore

import (
	"context"
	"encoding/binary"
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
		place, err := s.seal.open(kindEvents, after)
		if err != nil {
			return nil, err
		}
		position = binary.BigEndian.Uint64(place)
	}
	v := s.shown.acquire()
	defer closing(closer(v.release), &err)
	err = v.scan(eventsKey(position+1), next([]byte{kindEvents}), func(key, record []byte) (bool, error) {
		k, err := allEvents(record)
		if err != nil {
			return false, fmt.Errorf("%w: record %q: %w", store.ErrCorrupt, key, err)
		}
		at := positionOf(key) - uint64(len(k.events))
		for _, e := range k.events {
			if at++; at > position && len(events) < limit {
				events = append(events, store.FeedEvent{Cursor: s.feedCursor(at), Payment: k.payment, Event: e})
			}
		}
		return len(events) < limit, nil
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
	return s.seal.cursor(kindEvents, binary.BigEndian.AppendUint64(nil, position))
}
