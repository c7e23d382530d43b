package pebblestore

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cauce-pay/cauce/engine/store"
)

// maxSteps bounds how many index entries one List looks at.
const maxSteps = 10_000

// List returns payments, newest first; see store.Store, and Store for what is this store's own.
func (s *Store) List(ctx context.Context, f store.Filter) (page store.Page, err error) {
	if err := checkLimit(f.Limit); err != nil {
		return page, err
	}
	if err := s.enter(ctx); err != nil {
		return page, err
	}
	defer s.leave(&err)
	var before []byte
	if f.Cursor != "" {
		if before, err = s.seal.open(kindCreated, f.Cursor); err != nil {
			return page, err
		}
	}
	v := s.shown.acquire()
	defer closing(closer(v.release), &err)
	m, err := newMeet(v, f, before)
	if err != nil {
		return page, err
	}
	defer closing(m, &err)
	var last []byte // the place of the last payment that was looked at
	for m.next() {
		if len(page.Payments) == f.Limit {
			page.Next = s.seal.cursor(kindCreated, last)
			return page, nil
		}
		last = bytes.Clone(m.place)
		p, err := v.payment(string(last[stampSize:]))
		if err != nil {
			return store.Page{}, err
		}
		page.Payments = append(page.Payments, p)
	}
	if m.gaveUp {
		page.Next = s.seal.cursor(kindCreated, m.place)
	}
	return page, m.err()
}

// meet finds the places (stamp of creation and id) that several indices have in common, from the last to the
// first. Each index is sorted by place, so whichever is behind jumps to where the others are.
type meet struct {
	indices []index
	place   []byte // found by next; when it gave up, the last that was looked at
	steps   int
	gaveUp  bool
}

type index struct {
	*pebble.Iterator
	prefix []byte
}

// newMeet begins at the last place before that one (nil = at the end).
func newMeet(v *view, f store.Filter, before []byte) (m *meet, err error) {
	m = &meet{}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	for _, prefix := range prefixes(f) {
		lower, upper := prefix, next(prefix)
		if !f.CreatedAfter.IsZero() {
			lower = appendStamp(bytes.Clone(prefix), f.CreatedAfter)
		}
		if !f.CreatedBefore.IsZero() {
			upper = appendStamp(bytes.Clone(prefix), f.CreatedBefore)
		}
		if from := append(bytes.Clone(prefix), before...); before != nil && bytes.Compare(from, upper) < 0 {
			upper = from
		}
		if bytes.Compare(lower, upper) > 0 {
			upper = lower
		}
		iter, err := v.snapshot.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return m, readError(prefix, err)
		}
		m.indices = append(m.indices, index{iter, prefix})
	}
	return m, nil
}

// prefixes returns the indices that a filter needs.
func prefixes(f store.Filter) [][]byte {
	var out [][]byte
	if f.Reference != "" {
		out = append(out, textPrefix(kindOwnReference, f.Reference))
	}
	if f.Status != "" {
		out = append(out, textPrefix(kindStatus, f.Status))
	}
	if f.Provider != "" {
		out = append(out, textPrefix(kindProvider, f.Provider))
	}
	if f.Operation != "" {
		out = append(out, textPrefix(kindOperation, f.Operation))
	}
	if out == nil {
		out = append(out, []byte{kindCreated})
	}
	return out
}

// next moves to the next place that all indices have. It gives up after maxSteps.
func (m *meet) next() bool {
	lead := m.indices[0]
	found := m.place == nil && lead.Last() || m.place != nil && lead.Prev()
	for ; found && m.steps < maxSteps; m.steps++ {
		m.place = append(m.place[:0], lead.place()...)
		behind, more := m.align()
		switch {
		case !more:
			return false
		case behind == nil:
			return true
		}
		found = lead.seek(behind)
	}
	m.gaveUp = found
	return false
}

// align moves the other indices to m.place. It returns the place of the first that does not have it, and false
// when one has nothing left.
func (m *meet) align() (behind []byte, more bool) {
	for _, other := range m.indices[1:] {
		if !other.seek(m.place) {
			return nil, false
		}
		if place := other.place(); !bytes.Equal(place, m.place) {
			return place, true
		}
	}
	return nil, true
}

// seek moves to that place, or to the last before it.
func (i index) seek(place []byte) bool {
	key := make([]byte, 0, len(i.prefix)+len(place)+1)
	return i.SeekLT(append(append(append(key, i.prefix...), place...), 0))
}

func (i index) place() []byte { return i.Key()[len(i.prefix):] }

func (m *meet) err() error {
	for _, i := range m.indices {
		if err := i.Error(); err != nil {
			return readError(i.prefix, err)
		}
	}
	return nil
}

// Close ends the iterators.
func (m *meet) Close() error {
	for _, i := range m.indices {
		if err := i.Iterator.Close(); err != nil {
			return fmt.Errorf("store: reading: %w", err)
		}
	}
	return nil
}
