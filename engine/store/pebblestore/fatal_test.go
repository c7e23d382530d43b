package pebblestore

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine/store"
)

// TestFatalInPebblesOwnGoroutine: what Pebble finds fatal in a goroutine of its own trips the fault, and the
// process lives. Here Pebble meets the failing manifest that disk would keep from it.
func TestFatalInPebblesOwnGoroutine(t *testing.T) {
	t.Parallel()
	armed := make(chan struct{})
	failing := errorfs.InjectorFunc(func(op errorfs.Op) error {
		select {
		case <-armed:
		default:
			return nil
		}
		if strings.Contains(op.Path, "MANIFEST") && op.Kind == errorfs.OpFileSync {
			return syscall.EIO
		}
		return nil
	})
	f, stuck := newFault(slog.New(slog.DiscardHandler)), make(chan struct{})
	db, err := pebble.Open("data", &pebble.Options{
		FS: errorfs.Wrap(vfs.NewMem(), failing), Logger: logger{f, func() { close(stuck) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte("key"), nil, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	close(armed)
	if _, err := db.AsyncFlush(); err != nil {
		t.Fatal(err)
	}
	<-f.tripped
	<-stuck
	if err := f.reason(); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "MANIFEST sync failed") {
		t.Errorf("the reason is %v, want ErrUnavailable with what happened", err)
	}
}

// TestFatalInOurGoroutines: a call during which Pebble gives up gets the error, not a panic, and so do all later
// ones. The directory stays locked, because Pebble cannot be closed.
func TestFatalInOurGoroutines(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	o := &Options{FS: disk}
	s, err := Open("data", o)
	if err != nil {
		t.Fatal(err)
	}
	call := func() (err error) {
		if err := s.enter(context.Background()); err != nil {
			return err
		}
		defer s.leave(&err)
		logger{s.fault, s.gotStuck}.Fatalf("broken %s", "assumption")
		return nil
	}
	if err := call(); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "broken assumption") {
		t.Errorf("the call got %v, want ErrUnavailable with what happened", err)
	}
	if err := s.Health(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Health: %v, want ErrUnavailable", err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Close: %v, want ErrUnavailable", err)
	}
	if _, err := Open("data", o); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opening again: %v, want ErrLocked", err)
	}
}

// TestPanicInThePipeline: a panic of Pebble while it applies a group answers all who wait.
func TestPanicInThePipeline(t *testing.T) {
	t.Parallel()
	s, err := Open("data", &Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	applied := s.db.NewBatch()
	if err := errors.Join(applied.Set([]byte("x"), nil, nil), s.db.Apply(applied, pebble.NoSync)); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	go func() { errs <- s.commit(&write{batch: nil, sync: true}) }() // Pebble panics at a nil batch
	go func() { errs <- s.PutSetting(context.Background(), "name", nil) }()
	panicked := 0
	for range 2 {
		if err := <-errs; errors.Is(err, store.ErrUnavailable) {
			panicked++
		}
	}
	if panicked == 0 {
		t.Error("nobody was told")
	}
	if err := s.Health(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Health: %v, want ErrUnavailable", err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Close: %v, want ErrUnavailable", err)
	}
}
