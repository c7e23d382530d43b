package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// id reads a record that is a payment's id.
func (v *view) id(key []byte) (id string, err error) {
	err = v.get(key, func(record []byte) error { id = string(record); return nil })
	return id, err
}

// state reads what changes of a payment, its id and its creation.
func (v *view) state(id string) (*payment.Payment, error) {
	p := &payment.Payment{ID: id}
	err := v.get(plainKey(kindState, id), func(record []byte) error {
		return decode(record, func(c *codec) { c.state(p) })
	})
	if err != nil {
		return nil, fmt.Errorf("payment %s: %w", id, err)
	}
	return p, nil
}

// payment reads a whole payment.
func (v *view) payment(id string) (*payment.Payment, error) {
	p, err := v.state(id)
	if err != nil {
		return nil, err
	}
	err = v.get(eventsKey(id, 1), func(record []byte) error {
		first, err := firstEvent(record)
		if err == nil && first.Data.Request == nil {
			err = errors.New("it is no creation")
		}
		if err != nil {
			return err
		}
		p.IdempotencyKey, p.Request = first.Data.IdempotencyKey, *first.Data.Request
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: its first event is missing", store.ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("payment %s: %w", id, err)
	}
	return p, nil
}

// Get returns a payment, or store.ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (*payment.Payment, error) {
	return s.find(ctx, func(*view) (string, error) { return id, nil })
}

// ByKey finds a payment by its idempotency key.
func (s *Store) ByKey(ctx context.Context, idempotencyKey string) (*payment.Payment, error) {
	return s.find(ctx, func(v *view) (string, error) { return v.id(plainKey(kindKey, idempotencyKey)) })
}

// ByAttempt finds a payment by the key of any of its attempts.
func (s *Store) ByAttempt(ctx context.Context, attemptKey string) (*payment.Payment, error) {
	return s.find(ctx, func(v *view) (string, error) { return v.id(plainKey(kindAttempt, attemptKey)) })
}

// ByReference finds a payment by the provider's own reference of any of its attempts; of several, the newest.
func (s *Store) ByReference(ctx context.Context, provider, reference string) (*payment.Payment, error) {
	return s.find(ctx, func(v *view) (id string, err error) {
		prefix := referencePrefix(provider, reference)
		err = v.scan(prefix, next(prefix), func(key, _ []byte) (bool, error) {
			id = string(key[len(prefix):])
			return true, nil
		})
		if err == nil && id == "" {
			err = store.ErrNotFound
		}
		return id, err
	})
}

// find returns the payment whose id locate finds.
func (s *Store) find(ctx context.Context, locate func(*view) (string, error)) (p *payment.Payment, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave(&err)
	v := s.shown.acquire()
	defer closing(closer(v.release), &err)
	id, err := locate(v)
	if err != nil {
		return nil, err
	}
	return v.payment(id)
}

// Events returns a payment's events with Seq > after, in order, at most limit.
func (s *Store) Events(ctx context.Context, id string, after int64, limit int) (events []payment.Event, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave(&err)
	v := s.shown.acquire()
	defer closing(closer(v.release), &err)
	if err := v.get(plainKey(kindState, id), func([]byte) error { return nil }); err != nil {
		return nil, fmt.Errorf("payment %s: %w", id, err)
	}
	prefix := textPrefix(kindEvents, id)
	after = max(after, 0)
	holding := func(iter *pebble.Iterator) bool { // the write that holds event after+1
		return iter.SeekLT(eventsKey(id, after+2)) || iter.First()
	}
	err = v.scanFrom(prefix, next(prefix), holding, func(key, record []byte) (bool, error) {
		chunk, err := readChunk(key, record)
		for _, e := range chunk {
			if e.Seq > after && len(events) < limit {
				events = append(events, e)
			}
		}
		return len(events) < limit, err
	})
	return events, err
}

// readChunk reads the events of one write; its key ends with the number of the first.
func readChunk(key, record []byte) (events []payment.Event, err error) {
	if err := decode(record, func(c *codec) { c.chunk(&events) }); err != nil {
		return nil, fmt.Errorf("%w: record %q: %w", store.ErrCorrupt, key, err)
	}
	first := int64(binary.BigEndian.Uint64(key[len(key)-8:]))
	for i := range events {
		events[i].Seq = first + int64(i)
	}
	return events, nil
}

func checkLimit(limit int) error {
	if limit < 1 {
		return fmt.Errorf("store: a limit of %d: it is at least 1", limit)
	}
	return nil
}
