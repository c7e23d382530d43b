package pebblestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// Create stores a new payment with its first events; see store.Store.
func (s *Store) Create(ctx context.Context, p *payment.Payment, events []payment.Event) (err error) {
	if err := checkNew(p, events); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave(&err)
	for _, name := range []string{string(plainKey(kindKey, p.IdempotencyKey)), string(plainKey(kindState, p.ID))} {
		release, err := s.locks.acquire(ctx, name)
		if err != nil {
			return err
		}
		defer release()
	}
	if err := s.checkFree(p); err != nil {
		return err
	}
	k := kept{Payment: *p}
	w := s.newWrite(&k, events)
	w.set(plainKey(kindKey, p.IdempotencyKey), []byte(p.ID))
	for _, key := range lastingKeys(p) {
		w.set(key, nil)
	}
	index := changingKeys(p)
	w.replace(nil, index)
	return s.store(w, &k, index)
}

// checkNew refuses what does not hang together: what a payment keeps from its creation on is stored once, in
// its first event.
func checkNew(p *payment.Payment, events []payment.Event) error {
	if err := checkEvents(p, events); err != nil {
		return err
	}
	first := &events[0]
	switch d := &first.Data; {
	case p.ID == "" || p.IdempotencyKey == "":
		return errors.New("store: a payment needs an id and an idempotency key")
	case first.Seq != 1 || first.Type != payment.EventCreated || d.Request == nil:
		return fmt.Errorf("store: the first event of payment %s is not its creation", p.ID)
	case d.Payment != p.ID || d.IdempotencyKey != p.IdempotencyKey || !first.At.Equal(p.CreatedAt) ||
		!reflect.DeepEqual(d.Request, &p.Request):
		return fmt.Errorf("store: payment %s is not what its first event says", p.ID)
	}
	return nil
}

func checkEvents(p *payment.Payment, events []payment.Event) error {
	if len(events) == 0 {
		return fmt.Errorf("store: no event to store for payment %s", p.ID)
	}
	for i := range events {
		if events[i].Seq != events[0].Seq+int64(i) {
			return fmt.Errorf("store: events of payment %s are out of sequence", p.ID)
		}
	}
	if last := events[len(events)-1].Seq; last != p.Seq {
		return fmt.Errorf("store: payment %s is at event %d, not at its last event %d", p.ID, p.Seq, last)
	}
	return nil
}

// checkFree finds out whether the new payment's key or id is taken, and then whether there is space for it.
func (s *Store) checkFree(p *payment.Payment) error {
	v := s.shown.acquire()
	defer v.release()
	holder, err := v.id(plainKey(kindKey, p.IdempotencyKey))
	switch {
	case err == nil:
		return fmt.Errorf("%w: by payment %s", store.ErrKeyTaken, holder)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if !s.mustBeNew(p.ID) {
		switch err := v.get(plainKey(kindState, p.ID), func([]byte) error { return nil }); {
		case err == nil:
			return fmt.Errorf("%w: payment %s exists already", store.ErrConflict, p.ID)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return s.space.room(v)
}

// mustBeNew reports whether no payment can have that id, because none has one as great. Ids that sort by time,
// as the engine's do, need no look into the store, where finding nothing costs most.
func (s *Store) mustBeNew(id string) bool {
	s.idsMu.Lock()
	defer s.idsMu.Unlock()
	if id <= s.newest {
		return false
	}
	s.newest = id
	return true
}

// Append stores further events of a payment; see store.Store.
func (s *Store) Append(ctx context.Context, p *payment.Payment, events []payment.Event) error {
	if err := checkEvents(p, events); err != nil {
		return err
	}
	return s.update(ctx, p.ID, func() error {
		old, err := s.latest(p.ID)
		if err != nil {
			return err
		}
		if err := checkSeq(p.ID, old.seq, events[0].Seq-1); err != nil {
			return err
		}
		k := kept{Payment: *p, writes: slices.Clip(old.writes)}
		k.CreatedAt = old.createdAt
		w := s.newWrite(&k, events)
		index := changingKeys(&k.Payment)
		w.replace(old.index, index)
		return s.store(w, &k, index)
	})
}

// Schedule changes when a payment is looked up next; see store.Store.
func (s *Store) Schedule(ctx context.Context, id string, seq int64, next time.Time) error {
	return s.update(ctx, id, func() error {
		k, err := s.state(id)
		if err != nil {
			return err
		}
		if err := checkSeq(id, k.Seq, seq); err != nil {
			return err
		}
		before := changingKeys(&k.Payment)
		k.NextLookupAt = next
		w := s.newWrite(k, nil)
		index := changingKeys(&k.Payment)
		w.replace(before, index)
		return s.store(w, k, index)
	})
}

// update runs a change of one payment, which nobody else changes meanwhile.
func (s *Store) update(ctx context.Context, id string, change func() error) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave(&err)
	release, err := s.locks.acquire(ctx, string(plainKey(kindState, id)))
	if err != nil {
		return err
	}
	defer release()
	return change()
}

func checkSeq(id string, stored, want int64) error {
	if stored != want {
		return fmt.Errorf("%w: payment %s is at event %d, not at %d", store.ErrConflict, id, stored, want)
	}
	return nil
}

// state reads a payment as it is kept. The caller holds the payment's lock.
func (s *Store) state(id string) (*kept, error) {
	v := s.shown.acquire()
	k, err := v.state(id)
	return k, errors.Join(err, v.release())
}

// latest is what a further write has to know of a payment. The caller holds the payment's lock.
func (s *Store) latest(id string) (latest, error) {
	if l, ok := s.recent.get(id); ok {
		return l, nil
	}
	k, err := s.state(id)
	if err != nil {
		return latest{}, err
	}
	return k.latest(changingKeys(&k.Payment)), nil
}

// store commits the write that makes k of a payment. The caller holds the payment's lock.
func (s *Store) store(w *write, k *kept, index [][]byte) error {
	if err := s.commit(w); err != nil {
		return err
	}
	if w.last.count > 0 {
		k.writes[len(k.writes)-1] = w.last
	}
	if k.Status.Final() {
		s.recent.drop(k.ID)
	} else {
		s.recent.put(k.ID, k.latest(index))
	}
	return nil
}

// newWrite begins a write of a payment and, where there are some, of further events, for which k gets a place; they
// are durable before the write is acknowledged.
func (s *Store) newWrite(k *kept, events []payment.Event) *write {
	w := &write{batch: s.db.NewBatch(), sync: len(events) > 0, payment: k.ID, due: k.NextLookupAt}
	if w.sync {
		w.last.count = int64(len(events))
		k.writes = append(k.writes, w.last)
	}
	w.buffer = buffers.Get().(*[]byte)
	*w.buffer = encode((*w.buffer)[:0], func(c *codec) { c.state(k) })
	size := len(*w.buffer)
	if w.sync {
		*w.buffer = encode(*w.buffer, func(c *codec) { c.chunk(&chunk{k.ID, events[0].Seq, events}) })
	}
	w.state, w.events = (*w.buffer)[:size], (*w.buffer)[size:]
	return w
}

// buffers are where the records of a write are until they are in a batch.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// set puts a record into the write; filling a batch cannot fail.
func (w *write) set(key, record []byte) { _ = w.batch.Set(key, record, nil) }

// delete drops an index key. Those that every payment changes are always set just once before they are deleted, so
// that Pebble may forget both as soon as they meet, instead of carrying the deletion to the lowest level.
func (w *write) delete(key []byte) {
	switch key[0] {
	case kindStatus, kindDue:
		_ = w.batch.SingleDelete(key, nil)
	default:
		_ = w.batch.Delete(key, nil)
	}
}

// replace makes the index keys before those after, of which some lead to the payment's id.
func (w *write) replace(before, after [][]byte) {
	missing := func(from [][]byte, key []byte) bool {
		return !slices.ContainsFunc(from, func(other []byte) bool { return bytes.Equal(key, other) })
	}
	for _, key := range before {
		if missing(after, key) {
			w.delete(key)
		}
	}
	for _, key := range after {
		if !missing(before, key) {
			continue
		}
		var value []byte
		if key[0] == kindAttempt {
			value = []byte(w.payment)
		}
		w.set(key, value)
	}
}

// commit returns nil once the write is durable (where it asks for that) and shown to readers.
func (s *Store) commit(w *write) error {
	if err := s.pipeline.commit(w); err != nil {
		return err // the pipeline may still use the batch and the buffer
	}
	if w.buffer != nil {
		buffers.Put(w.buffer)
	}
	return w.batch.Close()
}
