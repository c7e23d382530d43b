package pebblestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// id reads a record that is a payment's id.
func (v *view) id(key []byte) (id string, err error) {
	err = v.get(key, func(record []byte) error { id = string(record); return nil })
	return id, err
}

// state reads a payment without its request and its idempotency key.
func (v *view) state(id string) (*kept, error) {
	k := &kept{Payment: payment.Payment{ID: id}}
	err := v.get(plainKey(kindState, id), func(record []byte) error {
		return decode(record, func(c *codec) { c.state(k) })
	})
	if err == nil && len(k.writes) == 0 {
		err = fmt.Errorf("%w: it has no events", store.ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("payment %s: %w", id, err)
	}
	return k, nil
}

// payment reads a whole payment.
func (v *view) payment(id string) (*payment.Payment, error) {
	p, err := v.state(id)
	if err != nil {
		return nil, err
	}
	first, err := v.chunk(id, p.writes[0], firstEvent)
	if err == nil && (first.first != 1 || first.events[0].Data.Request == nil) {
		err = fmt.Errorf("%w: its first event is no creation", store.ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("payment %s: %w", id, err)
	}
	p.IdempotencyKey, p.Request = first.events[0].Data.IdempotencyKey, *first.events[0].Data.Request
	return &p.Payment, nil
}

// chunk reads the events of one write of a payment.
func (v *view) chunk(id string, at place, read func(record []byte) (chunk, error)) (k chunk, err error) {
	err = v.get(eventsKey(at.last), func(record []byte) error {
		k, err = read(record)
		if err == nil && k.payment != id {
			err = fmt.Errorf("it has events of payment %s", k.payment)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: events that end at position %d of the feed are missing", store.ErrCorrupt, at.last)
	}
	return k, err
}

// allEvents reads a whole chunk.
func allEvents(record []byte) (k chunk, err error) {
	err = decode(record, func(c *codec) { c.chunk(&k) })
	return k, err
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
	p, err := v.state(id)
	if err != nil {
		return nil, err
	}
	last := int64(0) // the number of the last event of a write
	for _, at := range p.writes {
		if last += at.count; last <= after {
			continue
		}
		k, err := v.chunk(id, at, allEvents)
		if err != nil {
			return nil, fmt.Errorf("payment %s: %w", id, err)
		}
		for _, e := range k.events {
			if e.Seq > after && len(events) < limit {
				events = append(events, e)
			}
		}
		if len(events) == limit {
			break
		}
	}
	return events, nil
}

func checkLimit(limit int) error {
	if limit < 1 {
		return fmt.Errorf("store: a limit of %d: it is at least 1", limit)
	}
	return nil
}
