package pebblestore_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// TestMoreUnfinishedThanMemoryHolds: what is not in memory any more is written further just the same, and what a
// look-up's schedule changed meanwhile is known.
func TestMoreUnfinishedThanMemoryHolds(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.NewMem())
	payments := make([]*payment.Payment, 4096+500)
	for n := range payments {
		payments[n] = mustCreate(t, s, int64(n))
	}
	for n, p := range payments {
		if n%100 == 0 {
			if err := s.Schedule(background, p.ID, p.Seq, p.NextLookupAt.Add(-1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := advance(s, p); err != nil {
			t.Fatalf("payment %d: %v", n, err)
		}
	}
	page, err := s.List(background, store.Filter{Status: payment.Processing, Limit: 1})
	if err != nil || len(page.Payments) > 0 {
		t.Errorf("still listed as processing: %+v, %v", page.Payments, err)
	}
	due, err := s.Claim(background, payments[0].NextLookupAt.AddDate(1, 0, 0), 1, len(payments)+1)
	if err != nil || len(due) != len(payments) {
		t.Errorf("%d payments are due, want each of %d once: %v", len(due), len(payments), err)
	}
}
