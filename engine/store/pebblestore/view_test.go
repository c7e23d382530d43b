package pebblestore_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/engine/store/storetest"
)

// TestReadsShowDurableStates holds the sync of several writes up: until it is done, every read answers as before.
func TestReadsShowDurableStates(t *testing.T) {
	t.Parallel()
	h := newHeld()
	s := open(t, newLab(vfs.NewMem(), h.before))
	t.Cleanup(h.letGo)
	old := mustCreate(t, s, 1)
	if err := s.Schedule(background, old.ID, old.Seq, time.Time{}); err != nil {
		t.Fatal(err)
	}
	end, err := s.FeedEnd(background)
	if err != nil {
		t.Fatal(err)
	}

	h.on.Store(true)
	fresh, events := intentOf(2)
	moved := old.Clone()
	outcome := storetest.Outcome(moved)
	var writing sync.WaitGroup
	for _, write := range []func() error{
		func() error { return s.Create(background, fresh, events) },
		func() error { return s.Append(background, moved, outcome) },
		func() error { return s.PutNotification(background, store.Notification{ID: "n1"}) },
		func() error { return s.PutSetting(background, "name", []byte("value")) },
	} {
		before := pebblestore.Applied(s)
		writing.Go(func() {
			if err := write(); err != nil {
				t.Error(err)
			}
		})
		eventually(t, "a write that Pebble shows already", func() bool { return pebblestore.Applied(s) > before })
	}

	// answers tells how many of the reads see something of the four writes.
	answers := func() (seen []string) {
		note := func(what string, is bool) {
			if is {
				seen = append(seen, what)
			}
		}
		p, err := s.Get(background, old.ID)
		note("Append in Get", err == nil && p.Seq == moved.Seq)
		_, err = s.Get(background, fresh.ID)
		note("Create in Get", err == nil)
		_, err = s.ByKey(background, fresh.IdempotencyKey)
		note("Create in ByKey", err == nil)
		_, err = s.ByReference(background, "tpaga-pse", moved.ProviderReference)
		note("Append in ByReference", err == nil)
		page, err := s.List(background, store.Filter{Limit: 10})
		note("Create in List", err == nil && len(page.Payments) == 2)
		page, err = s.List(background, store.Filter{Limit: 10, Status: moved.Status})
		note("Append in List", err == nil && len(page.Payments) == 1)
		feed, err := s.Feed(background, end, 10)
		note("both in Feed", err == nil && len(feed) == 5)
		now, err := s.FeedEnd(background)
		note("both in FeedEnd", err == nil && now != end)
		next, err := s.NextDue(background, start)
		note("both in NextDue", err == nil && !next.IsZero())
		inbox, err := s.Notifications(background, "", 10)
		note("webhook", err == nil && len(inbox) == 1)
		_, err = s.Setting(background, "name")
		note("setting", err == nil)
		return seen
	}
	if seen := answers(); len(seen) != 0 {
		t.Errorf("before the sync, reads show %v", seen)
	}
	h.letGo()
	writing.Wait()
	if seen := answers(); len(seen) != 11 {
		t.Errorf("after the sync, reads show only %v", seen)
	}
}

// TestSecondOfAKeyWaits: who comes second with a key is not told that it is taken before the first is durable.
func TestSecondOfAKeyWaits(t *testing.T) {
	t.Parallel()
	h := newHeld()
	s := open(t, newLab(vfs.NewMem(), h.before))
	t.Cleanup(h.letGo)
	h.on.Store(true)
	first := make(chan error, 1)
	go func() { _, err := create(s, 1); first <- err }()
	<-h.waiting

	second := make(chan error, 1)
	go func() { _, err := create(s, 1); second <- err }()
	ctx, cancel := context.WithCancel(background)
	third := make(chan error, 1)
	p, events := intentOf(1)
	go func() { third <- s.Create(ctx, p, events) }()
	cancel()
	if err := <-third; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up waiting got %v, want context.Canceled", err)
	}
	select {
	case err := <-second:
		t.Errorf("the second was answered before the first was durable: %v", err)
	default:
	}
	h.letGo()
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
	if err := <-second; !errors.Is(err, store.ErrKeyTaken) {
		t.Errorf("the second: %v, want ErrKeyTaken", err)
	}
}

// TestSyncsAreShared: each sync waits until enough callers are under way, and then serves more than one.
func TestSyncsAreShared(t *testing.T) {
	t.Parallel()
	const callers, each = 16, 20
	var measuring atomic.Bool
	var inside, active, syncs atomic.Int64
	s := open(t, newLab(vfs.NewMem(), func(op errorfs.Op) error {
		if measuring.Load() && isLog(op) && op.Kind == errorfs.OpFileSyncData {
			syncs.Add(1)
			eventually(t, "all callers under way", func() bool { return inside.Load() >= active.Load() })
		}
		return nil
	}))
	active.Store(callers)
	measuring.Store(true)
	var group sync.WaitGroup
	for c := range int64(callers) {
		group.Go(func() {
			defer active.Add(-1)
			for n := range int64(each) {
				inside.Add(1)
				if _, err := create(s, c*each+n); err != nil {
					t.Error(err)
				}
				inside.Add(-1)
			}
		})
	}
	group.Wait()
	if n := syncs.Load(); n > callers*each/2 {
		t.Errorf("%d payments took %d syncs", callers*each, n)
	}
}
