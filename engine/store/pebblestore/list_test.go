package pebblestore

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// TestFiltersThatSeldomMeet: two indices with many entries and few in common give short pages, not a long scan,
// and nothing is left out.
func TestFiltersThatSeldomMeet(t *testing.T) {
	t.Parallel()
	s, err := Open("data", &Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const entries, every = 60_000, 50_000
	batch := s.db.NewBatch()
	w := &write{batch: batch, sync: true}
	common := 0
	for n := range entries {
		p := &payment.Payment{ID: "pay", CreatedAt: start.Add(time.Duration(n)), Status: payment.Pending, Provider: "a"}
		even := n%2 == 0
		if n%every == 0 {
			common++
		}
		if even || n%every == 0 {
			w.set(listKey(textPrefix(kindStatus, p.Status), p), nil)
		}
		if !even || n%every == 0 {
			w.set(listKey(textPrefix(kindProvider, p.Provider), p), nil)
		}
	}
	first := payment.Event{Seq: 1, Type: payment.EventCreated, At: start, Data: payment.EventData{Request: &payment.Request{}}}
	w.set(plainKey(kindState, "pay"), encode(nil, func(c *codec) { c.state(&kept{writes: []place{{1, 1}}}) }))
	w.set(eventsKey(1), encode(nil, func(c *codec) { c.chunk(&chunk{"pay", 1, []payment.Event{first}}) }))
	if err := s.commit(w); err != nil {
		t.Fatal(err)
	}

	found, pages, short := 0, 0, 0
	f := store.Filter{Status: payment.Pending, Provider: "a", Limit: 3}
	for {
		page, err := s.List(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		found, pages = found+len(page.Payments), pages+1
		if page.Next == "" {
			break
		}
		if len(page.Payments) < f.Limit {
			short++
		}
		f.Cursor = page.Next
	}
	if found != common {
		t.Errorf("%d payments were listed, want %d", found, common)
	}
	if want := entries / 2 / maxSteps; short < want-1 || pages > want+common {
		t.Errorf("%d of %d pages were short; want about %d of them", short, pages, want)
	}
}

// TestClaimPassesOverWhatWasDue: what is not due any more is not scanned again and again.
func TestClaimPassesOverWhatWasDue(t *testing.T) {
	t.Parallel()
	var d dues
	d.leases = map[string]time.Time{}
	at := func(n int64) time.Time { return time.Unix(n, 0) }
	if d.begin(); !d.scanning {
		t.Error("no scan is under way")
	}
	d.finish(stamp(at(100)))
	if d.first != stamp(at(100)) {
		t.Error("a scan that saw nothing before 100 does not move the beginning there")
	}
	d.changed("a", at(50))
	if d.first != stamp(at(50)) {
		t.Error("a payment due at 50 does not move the beginning back")
	}
	d.begin()
	d.changed("b", at(60))
	d.finish(stamp(at(200)))
	if d.first != stamp(at(60)) {
		t.Error("a payment that became due at 60 during the scan was passed over")
	}
	d.changed("c", time.Time{})
	if d.first != stamp(at(60)) {
		t.Error("a payment that is never due moved the beginning")
	}
}
