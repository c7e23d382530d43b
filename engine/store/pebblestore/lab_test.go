package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/engine/store/storetest"
	"github.com/cauce-pay/cauce/payment"
)

var (
	background = context.Background()
	start      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// lab is a file system whose operations a test watches, holds up or fails.
type lab struct {
	*errorfs.FS
}

// newLab calls before with every operation on disk; its error becomes the operation's.
func newLab(disk vfs.FS, before func(errorfs.Op) error) lab {
	return lab{errorfs.Wrap(disk, errorfs.InjectorFunc(before))}
}

// ReuseForWrite is done in two operations, because errorfs does not watch the file that its own returns.
func (l lab) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := l.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return l.OpenReadWrite(newname, category)
}

func isLog(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".log") }

// open opens a store with small tables, so that little is needed to have many; options may change that.
func open(t testing.TB, disk vfs.FS, change ...func(*pebblestore.Options)) *pebblestore.Store {
	t.Helper()
	s, err := tryOpen(disk, change...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func tryOpen(disk vfs.FS, change ...func(*pebblestore.Options)) (*pebblestore.Store, error) {
	o := &pebblestore.Options{FS: disk, MemTableBytes: 64 << 10, CacheBytes: 1 << 20}
	for _, c := range change {
		c(o)
	}
	return pebblestore.Open("data", o)
}

func create(s store.Store, n int64) (*payment.Payment, error) {
	p, events := intentOf(n)
	return p, s.Create(background, p, events)
}

func mustCreate(t testing.TB, s store.Store, n int64) *payment.Payment {
	t.Helper()
	p, err := create(s, n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// advance stores the outcome of an intent.
func advance(s store.Store, p *payment.Payment) error {
	next := p.Clone()
	err := s.Append(background, next, storetest.Outcome(next))
	if err == nil {
		*p = *next
	}
	return err
}

// eventually waits until done, and fails the test when that takes too long.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("never happened: " + what)
		}
	}
}

// check compares a store with itself: payments with their events, indices with payments, the feed with both.
// It returns the last event of each payment and the feed.
func check(s store.Store) (last map[string]int64, feed []store.FeedEvent, err error) {
	last = map[string]int64{}
	filter := store.Filter{Limit: 500}
	for {
		page, err := s.List(background, filter)
		if err != nil {
			return nil, nil, fmt.Errorf("list: %w", err)
		}
		for _, p := range page.Payments {
			last[p.ID] = p.Seq
			if err := checkPayment(s, p); err != nil {
				return nil, nil, fmt.Errorf("payment %s: %w", p.ID, err)
			}
		}
		if filter.Cursor = page.Next; filter.Cursor == "" {
			break
		}
	}
	cursor, seen := "", map[string]int64{}
	for {
		page, err := s.Feed(background, cursor, 500)
		if err != nil {
			return nil, nil, fmt.Errorf("feed: %w", err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if seen[e.Payment]++; e.Event.Seq != seen[e.Payment] {
				return nil, nil, fmt.Errorf("feed: event %d of payment %s is its %dth", e.Event.Seq, e.Payment, seen[e.Payment])
			}
		}
		feed = append(feed, page...)
		cursor = page[len(page)-1].Cursor
	}
	for id, seq := range last {
		if seen[id] != seq {
			return nil, nil, fmt.Errorf("feed: it has %d of %d events of payment %s", seen[id], seq, id)
		}
	}
	if len(seen) != len(last) {
		return nil, nil, fmt.Errorf("the feed has %d payments, the list %d", len(seen), len(last))
	}
	return last, feed, nil
}

func checkPayment(s store.Store, p *payment.Payment) error {
	events, err := s.Events(background, p.ID, 0, 1000)
	if err != nil {
		return err
	}
	fold := &payment.Payment{}
	for _, e := range events {
		if err := fold.Apply(e); err != nil {
			return err
		}
	}
	fold.NextLookupAt = p.NextLookupAt
	if !reflect.DeepEqual(p, fold) {
		return fmt.Errorf("it is %+v, its events make it %+v", *p, *fold)
	}
	for call, find := range map[string]func() (*payment.Payment, error){
		"Get":         func() (*payment.Payment, error) { return s.Get(background, p.ID) },
		"ByKey":       func() (*payment.Payment, error) { return s.ByKey(background, p.IdempotencyKey) },
		"ByAttempt":   func() (*payment.Payment, error) { return s.ByAttempt(background, p.Attempts[0].Key) },
		"ByReference": func() (*payment.Payment, error) { return byReference(s, p) },
	} {
		if found, err := find(); err != nil || found.ID != p.ID || found.Seq != p.Seq {
			return fmt.Errorf("%s finds %v (%w)", call, found, err)
		}
	}
	for _, f := range []store.Filter{{Status: p.Status}, {Provider: p.Provider}, {Reference: p.Reference}, {Operation: p.Operation}} {
		f.Limit, f.CreatedAfter, f.CreatedBefore = 1, p.CreatedAt, p.CreatedAt.Add(1)
		page, err := s.List(background, f)
		if err != nil || len(page.Payments) != 1 || page.Payments[0].ID != p.ID {
			return fmt.Errorf("list by %+v has %d payments (%w)", f, len(page.Payments), err)
		}
	}
	return nil
}

func byReference(s store.Store, p *payment.Payment) (*payment.Payment, error) {
	if p.ProviderReference == "" {
		return p, nil
	}
	return s.ByReference(background, p.Provider, p.ProviderReference)
}

// ledger is what a test knows to be acknowledged.
type ledger struct {
	mu    sync.Mutex
	acked map[string]int64 // payment -> last acknowledged event
	inbox map[string]bool  // webhooks that were kept; false: perhaps deleted since
	feed  []string         // the cursors that were handed out, in order

	following sync.Mutex
	cursor    string // the last of feed
}

func newLedger() *ledger {
	return &ledger{acked: map[string]int64{}, inbox: map[string]bool{}}
}

func (l *ledger) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// copy is what was known at a moment.
func (l *ledger) copy() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &ledger{acked: maps.Clone(l.acked), inbox: maps.Clone(l.inbox), feed: slices.Clone(l.feed)}
}

// verify opens what a crash left and checks that nothing acknowledged is lost and nothing is there by halves.
func (l *ledger) verify(disk vfs.FS) (err error) {
	s, err := tryOpen(disk)
	if err != nil {
		return fmt.Errorf("opening again: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	last, feed, err := check(s)
	if err != nil {
		return err
	}
	for id, acked := range l.acked {
		if last[id] < acked {
			return fmt.Errorf("payment %s was acknowledged up to event %d and is at %d", id, acked, last[id])
		}
	}
	for id, seq := range last {
		if seq != 3 && seq != 5 { // what an Intent and an Outcome have
			return fmt.Errorf("payment %s is at event %d, in the middle of a write", id, seq)
		}
	}
	for i, cursor := range l.feed {
		if i >= len(feed) || feed[i].Cursor != cursor {
			return fmt.Errorf("event %d of the feed was handed out and is another or none now", i)
		}
	}
	inbox, err := s.Notifications(background, "", 1_000_000)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, n := range inbox {
		there[n.ID] = true
	}
	for id, kept := range l.inbox {
		if kept && !there[id] {
			return fmt.Errorf("webhook %s was acknowledged and is gone", id)
		}
	}
	if _, err := create(s, 1<<40); err != nil {
		return fmt.Errorf("writing after the crash: %w", err)
	}
	return nil
}

// work writes as an engine does until the store fails or stop is closed, and notes what is acknowledged.
func (l *ledger) work(s store.Store, workers int, stop <-chan struct{}) error {
	var group sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		group.Go(func() {
			for n := int64(w); errs[w] == nil; n += int64(workers) {
				select {
				case <-stop:
					return
				default:
				}
				errs[w] = l.one(s, n)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// one writes payment n and what goes with it, and reads on in the feed.
func (l *ledger) one(s store.Store, n int64) error {
	p, err := create(s, n)
	if err != nil {
		return err
	}
	l.note(func() { l.acked[p.ID] = 3 })
	if n%3 == 0 {
		if err := s.Schedule(background, p.ID, p.Seq, start.Add(time.Duration(n))); err != nil {
			return err
		}
	}
	if n%4 != 0 {
		if err := advance(s, p); err != nil {
			return err
		}
		l.note(func() { l.acked[p.ID] = 5 })
	}
	if n%5 == 0 {
		id := fmt.Sprintf("n%012d", n)
		if err := s.PutNotification(background, store.Notification{ID: id, Body: make([]byte, 3000)}); err != nil {
			return err
		}
		l.note(func() { l.inbox[id] = true })
		if n%2 == 0 {
			l.note(func() { l.inbox[id] = false })
			if err := s.DeleteNotification(background, id); err != nil {
				return err
			}
		}
	}
	return l.follow(s)
}

// follow notes what the feed hands out after what it handed out before.
func (l *ledger) follow(s store.Store) error {
	l.following.Lock()
	defer l.following.Unlock()
	page, err := s.Feed(background, l.cursor, 50)
	for _, e := range page {
		l.cursor = e.Cursor
		l.note(func() { l.feed = append(l.feed, e.Cursor) })
	}
	return err
}

type draft struct {
	p      *payment.Payment
	events []payment.Event
}

func intentOf(n int64) (*payment.Payment, []payment.Event) { return storetest.Intent(n, start) }
