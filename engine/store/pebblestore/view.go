package pebblestore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cauce-pay/cauce/engine/store"
)

// view is a durable state of the store. Pebble itself shows a write as soon as it is in memory; a reader that
// acted on it could see it taken back by a power loss. So every read goes through the last view whose writes
// are synced.
type view struct {
	snapshot *pebble.Snapshot
	end      uint64 // position of the last event in the feed
	refs     atomic.Int32
}

func newView(snapshot *pebble.Snapshot, end uint64) *view {
	v := &view{snapshot: snapshot, end: end}
	v.refs.Store(1)
	return v
}

// release gives the view back; the last one closes it.
func (v *view) release() error {
	if v.refs.Add(-1) == 0 {
		return v.snapshot.Close()
	}
	return nil
}

// shown holds the current view, and what must change in the same moment as it does.
type shown struct {
	mu   sync.Mutex
	view *view
	dues dues
}

// acquire returns the current view; the caller releases it.
func (s *shown) acquire() *view {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.refs.Add(1)
	return s.view
}

// get reads one record. What is missing is store.ErrNotFound.
func (v *view) get(key []byte, read func(record []byte) error) error {
	record, closer, err := v.snapshot.Get(key)
	if err != nil {
		return readError(key, err)
	}
	err = read(record)
	if closeErr := closer.Close(); closeErr != nil {
		return readError(key, closeErr)
	}
	if err != nil {
		return fmt.Errorf("%w: record %q: %w", store.ErrCorrupt, key, err)
	}
	return nil
}

// last returns the last key of a kind; nil when there is none.
func (v *view) last(kind byte) (key []byte, err error) {
	lower := []byte{kind}
	iter, err := v.snapshot.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: next(lower)})
	if err != nil {
		return nil, readError(lower, err)
	}
	defer closing(iter, &err)
	if iter.Last() {
		key = bytes.Clone(iter.Key())
	}
	if err := iter.Error(); err != nil {
		return nil, readError(lower, err)
	}
	return key, nil
}

// readError tells a damaged record from a missing one and from a disk that does not answer.
func readError(key []byte, err error) error {
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return store.ErrNotFound
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: record %q: %w", store.ErrCorrupt, key, err)
	}
	return fmt.Errorf("store: reading record %q: %w", key, err)
}

// scan visits the keys from lower (inclusive) to upper (exclusive) until visit returns false.
func (v *view) scan(lower, upper []byte, visit func(key, value []byte) (more bool, err error)) (err error) {
	iter, err := v.snapshot.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return readError(lower, err)
	}
	defer closing(iter, &err)
	for ok := iter.First(); ok; ok = iter.Next() {
		value, err := iter.ValueAndErr()
		if err != nil {
			return readError(iter.Key(), err)
		}
		if more, err := visit(iter.Key(), value); err != nil || !more {
			return err
		}
	}
	if err := iter.Error(); err != nil {
		return readError(lower, err)
	}
	return nil
}

func closing(c io.Closer, err *error) {
	if closeErr := c.Close(); *err == nil && closeErr != nil {
		*err = fmt.Errorf("store: reading: %w", closeErr)
	}
}
