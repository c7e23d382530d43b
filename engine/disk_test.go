package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// TestDiskFaults fails the nth change of the disk while four callers pay, once or from then on. Every call ends, nothing
// is acknowledged that a sound disk does not have afterwards, and the next engine makes every payment, once.
//
// CAUCE_DISK_FAULTS sets how far n goes.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	for n := uint64(1); n <= envUint(t, "CAUCE_DISK_FAULTS", 50); n += slowness {
		for i, fault := range []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS} {
			forever := (n+uint64(i))%2 == 0
			t.Run(fmt.Sprintf("%d %v forever %t", n, fault, forever), func(t *testing.T) {
				t.Parallel()
				failNth(t, int64(n), fault, forever)
			})
		}
	}
}

func failNth(t *testing.T, n int64, fault error, forever bool) {
	b := setup(t, one)
	b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, ResendSameKey: true}).Always(providertest.Approve())
	var armed atomic.Bool
	var changes, failed atomic.Int64
	fs := errorfs.Wrap(b.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !armed.Load() || op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		if nth := changes.Add(1); nth != n && (nth < n || !forever) {
			return nil
		}
		failed.Add(1)
		return fault
	}))
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: fs, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	eng := newEngine(t, b, st)
	armed.Store(true)
	const callers, each = 4, 15
	var acknowledged sync.Map // key -> payment
	var calls sync.WaitGroup
	for caller := range callers {
		calls.Go(func() {
			for i := range each {
				key := fmt.Sprintf("order-%d-%d", caller, i)
				p, err := eng.Pay(context.Background(), key, request())
				switch {
				case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFull):
					return
				case err != nil:
					t.Errorf("%s: %v", key, err)
				default:
					acknowledged.Store(key, p)
				}
			}
		})
	}
	calls.Wait()
	if err := errors.Join(eng.Close(), st.Close()); err != nil {
		t.Error(err)
	}
	if failed.Load() == 0 && errors.Is(st.Health(), store.ErrUnavailable) {
		t.Error("the store became unavailable although nothing had failed")
	}

	b.crash(t).start(t).payAgain(t, &acknowledged, callers, each) // a power loss besides: what was not synced is gone
}

// payAgain demands what was acknowledged, pays all again under the same keys, and waits for their ends.
func (b *bundle) payAgain(t *testing.T, acknowledged *sync.Map, callers, each int) {
	t.Helper()
	var again []*payment.Payment
	for caller := range callers {
		for i := range each {
			key := fmt.Sprintf("order-%d-%d", caller, i)
			before, acked := acknowledged.Load(key)
			if acked {
				p, err := b.Get(t.Context(), before.(*payment.Payment).ID)
				if err != nil || p.Seq < before.(*payment.Payment).Seq || p.IdempotencyKey != key {
					t.Errorf("%s was acknowledged as %+v; on a sound disk it is %+v, %v", key, before, p, err)
				}
			}
			p, _, err := b.Begin(t.Context(), key, request())
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, p)
		}
	}
	for _, p := range again {
		until(t, "the payment succeeds", func() bool {
			now, err := b.Get(t.Context(), p.ID)
			if err != nil {
				t.Fatal(err)
			}
			if now.Status == payment.InDoubt || now.Status == payment.Processing && len(now.Attempts) > 0 {
				b.clock.Advance(time.Second)
			}
			return now.Status == payment.Succeeded
		})
		if n := b.providers["acme"].Moved(p.ID); n != 1 {
			t.Errorf("the money of %s moved %d times", p.IdempotencyKey, n)
		}
	}
	for _, e := range b.providers["acme"].Ledger() {
		if _, err := b.store.ByAttempt(t.Context(), e.Attempt.Key); err != nil || e.Status != provider.Succeeded {
			t.Errorf("the provider executed what nobody knows: %+v, %v", e, err)
		}
	}
}

// A full disk refuses new payments, answers known keys, and takes new payments as soon as there is space.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	disk := &smallDisk{FS: b.fs}
	disk.free.Store(1 << 30)
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: disk, FreeFloor: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	eng := newEngine(t, b, st)
	defer eng.Close()
	pending, err := eng.Pay(t.Context(), "order-1", request())
	if err != nil {
		t.Fatal(err)
	}
	disk.free.Store(1 << 19)
	if p, err := eng.Pay(t.Context(), "order-2", request()); !errors.Is(err, store.ErrFull) {
		t.Errorf("a new payment: %+v, %v", p, err)
	}
	if same, err := eng.Pay(t.Context(), "order-1", request()); err != nil || same.ID != pending.ID {
		t.Errorf("a known key: %+v, %v", same, err)
	}
	b.providers["acme"].Settle(pending.Attempts[0].Key, provider.Succeeded)
	if p, err := eng.Refresh(t.Context(), pending.ID); err != nil || p.Status != payment.Succeeded {
		t.Errorf("an old payment: %+v, %v", p, err)
	}
	disk.free.Store(1 << 30)
	if _, err := eng.Pay(t.Context(), "order-2", request()); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// smallDisk says how much of it is free.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load(), TotalBytes: 1 << 31}, nil
}
