package pebblestore

import (
	"context"
	"encoding/binary"
	"math"
	"time"
)

// Claim leases the payments that are due; see store.Store.
func (s *Store) Claim(ctx context.Context, now time.Time, lease time.Duration, limit int) (ids []string, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	err = s.scanDue(ctx, now, stamp(now), func(id string, _ time.Time) bool {
		ids = append(ids, id)
		return len(ids) < limit
	}, func(d *dues) {
		kept := ids[:0]
		for _, id := range ids {
			if !d.moved[id] { // else its due time was read before the change
				d.leases[id] = now.Add(lease)
				kept = append(kept, id)
			}
		}
		ids = kept
	})
	return ids, err
}

// NextDue returns the earliest NextLookupAt of all payments that are not leased; zero when there is none.
func (s *Store) NextDue(ctx context.Context, now time.Time) (next time.Time, err error) {
	err = s.scanDue(ctx, now, math.MaxUint64-1, func(_ string, due time.Time) bool {
		next = due
		return false
	}, func(*dues) {})
	return next, err
}

// scanDue visits the payments that are due until a stamp and not leased, the longest due first, until visit
// returns false; conclude then runs in the same moment as the scan ends.
func (s *Store) scanDue(ctx context.Context, now time.Time, until uint64, visit func(id string, due time.Time) bool, conclude func(*dues)) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave(&err)
	s.scans.Lock()
	defer s.scans.Unlock()

	s.shown.mu.Lock()
	v, d := s.shown.view, &s.shown.dues
	v.refs.Add(1)
	d.begin()
	first, seen := d.first, until+1
	s.shown.mu.Unlock()
	defer closing(closer(v.release), &err)

	lower := binary.BigEndian.AppendUint64([]byte{kindDue}, first)
	upper := binary.BigEndian.AppendUint64([]byte{kindDue}, until+1)
	if first <= until {
		err = v.scan(lower, upper, func(key, _ []byte) (bool, error) {
			due := binary.BigEndian.Uint64(key[1:])
			seen = min(seen, due)
			id := string(key[1+stampSize:])
			return s.shown.leased(id, now) || visit(id, timeOfStamp(due)), nil
		})
	}

	s.shown.mu.Lock()
	defer s.shown.mu.Unlock()
	if err != nil {
		seen = first
	} else {
		seen = max(seen, first)
		conclude(d)
	}
	d.finish(seen)
	return err
}

func (s *shown) leased(id string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.dues.leases[id])
}
