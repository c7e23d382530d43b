package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
)

// TestDamagedTable alters a byte of the events in every table: what it held is answered with ErrCorrupt, never
// with something else, and the rest of the store works.
func TestDamagedTable(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	var written []*payment.Payment
	s := open(t, disk)
	for n := range int64(100) {
		written = append(written, mustCreate(t, s, n))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if alter(t, disk, ".sst") == 0 {
		t.Fatal("there are no tables yet")
	}
	s = open(t, disk)
	damaged := 0
	for _, p := range written {
		found, err := s.Get(background, p.ID)
		switch {
		case err == nil:
			if !reflect.DeepEqual(found, p) {
				t.Fatalf("payment %s was read as %+v", p.ID, found)
			}
		case errors.Is(err, store.ErrCorrupt) && strings.Contains(err.Error(), p.ID):
			damaged++
		default:
			t.Fatalf("payment %s: %v, want ErrCorrupt with its id", p.ID, err)
		}
	}
	if damaged == 0 {
		t.Error("no payment was found damaged")
	}
	mustCreate(t, s, 1000)
}

// TestDamageIsNotReadForEver: Pebble tries to merge a damaged table again and again; neither the processor nor the log
// is filled with that.
func TestDamageIsNotReadForEver(t *testing.T) {
	t.Parallel()
	disk, n := vfs.NewMem(), int64(0)
	s := open(t, disk)
	for ; len(named(t, disk, ".sst")) < 3; n++ {
		mustCreate(t, s, n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, disk, ".sst")
	var told counter
	s = open(t, disk, func(o *pebblestore.Options) { o.Logger = slog.New(&told) })
	began := time.Now()
	for last := n + 600; n < last; n++ {
		mustCreate(t, s, n)
	}
	<-time.After(300 * time.Millisecond) // what goes on in the background shows only in time
	passed := time.Since(began)
	if n, most := told.Load(), 20+int64(passed.Seconds()*20); n == 0 || n > most {
		t.Errorf("%d errors were logged in %s, want 1 to %d", n, passed, most)
	}
}

// counter counts the errors that are logged.
type counter struct{ atomic.Int64 }

func (c *counter) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (c *counter) Handle(context.Context, slog.Record) error    { c.Add(1); return nil }
func (c *counter) WithAttrs([]slog.Attr) slog.Handler           { return c }
func (c *counter) WithGroup(string) slog.Handler                { return c }

// alter changes a byte in each file of that kind, small ones apart, and returns how many there are. A third into a
// table lie events.
func alter(t *testing.T, disk *vfs.MemFS, suffix string) (files int) {
	t.Helper()
	for _, name := range named(t, disk, suffix) {
		content, err := disk.UnsafeGetFileDataBuffer("data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) > 10_000 {
			content[len(content)/3] ^= 1
			files++
		}
	}
	return files
}

// named lists the files of that kind.
func named(t *testing.T, disk *vfs.MemFS, suffix string) []string {
	t.Helper()
	names, err := disk.List("data")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, suffix) })
}

// TestDamagedLog alters a byte amid the log that a crash left: opening says so, instead of going on
// without what came after it.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s := open(t, disk, func(o *pebblestore.Options) { o.MemTableBytes = 1 << 20 })
	for n := range int64(50) {
		mustCreate(t, s, n)
	}
	crashed := disk.CrashClone(vfs.CrashCloneCfg{})
	if n := alter(t, crashed, ".log"); n != 1 {
		t.Fatalf("there are %d logs, want 1", n)
	}
	if _, err := tryOpen(crashed); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("opening with a damaged log: %v, want ErrCorrupt", err)
	}
}

// TestDamagedRecords replaces records by what cannot be read, or takes them away.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind byte
		name string
		read func(s store.Store, p *payment.Payment) error
	}{
		{'p', "Get", func(s store.Store, p *payment.Payment) error { _, err := s.Get(background, p.ID); return err }},
		{'e', "Get", func(s store.Store, p *payment.Payment) error { _, err := s.Get(background, p.ID); return err }},
		{'e', "Events", func(s store.Store, p *payment.Payment) error { _, err := s.Events(background, p.ID, 0, 9); return err }},
		{'e', "Feed", func(s store.Store, _ *payment.Payment) error { _, err := s.Feed(background, "", 9); return err }},
		{'n', "Notifications", func(s store.Store, _ *payment.Payment) error {
			_, err := s.Notifications(background, "", 9)
			return err
		}},
	} {
		t.Run(string(c.kind)+" by "+c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, vfs.NewMem())
			p := mustCreate(t, s, 1)
			if err := s.PutNotification(background, store.Notification{ID: "n1"}); err != nil {
				t.Fatal(err)
			}
			if err := pebblestore.Damage(s, c.kind, []byte("rubbish")); err != nil {
				t.Fatal(err)
			}
			err := c.read(s, p)
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), fmt.Sprintf("%q", string(c.kind))[1:2]) {
				t.Errorf("reading a damaged record: %v, want ErrCorrupt with its key", err)
			}
		})
	}
	t.Run("first event is missing", func(t *testing.T) {
		t.Parallel()
		s := open(t, vfs.NewMem())
		p := mustCreate(t, s, 1)
		if err := pebblestore.Damage(s, 'e', nil); err != nil {
			t.Fatal(err)
		}
		_, get := s.Get(background, p.ID)
		_, events := s.Events(background, p.ID, 0, 9)
		if !errors.Is(get, store.ErrCorrupt) || !errors.Is(events, store.ErrCorrupt) {
			t.Errorf("Get: %v, Events: %v; want ErrCorrupt", get, events)
		}
	})
}
