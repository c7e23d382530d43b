package pebblestore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
)

// failing fails the nth operation that is one of them, and with forever all that follow.
type failing struct {
	of      func(errorfs.Op) bool
	nth     int64
	forever bool
	seen    atomic.Int64
	failed  atomic.Int64
}

func (f *failing) before(op errorfs.Op) error {
	if !f.of(op) {
		return nil
	}
	if n := f.seen.Add(1); n == f.nth || f.forever && n > f.nth {
		f.failed.Add(1)
		return fmt.Errorf("injected: %w", syscall.EIO)
	}
	return nil
}

// TestFailingLog fails the nth write or sync of the log: nothing is acknowledged that is not durable, the
// process lives, every call says that the store is unavailable, and it can be opened again.
func TestFailingLog(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]errorfs.OpKind{"write": errorfs.OpFileWrite, "sync": errorfs.OpFileSyncData} {
		for n := int64(1); n <= 30; n += slowness {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				t.Parallel()
				f := &failing{of: func(op errorfs.Op) bool { return isLog(op) && op.Kind == kind }, nth: n}
				workUntilUnavailable(t, f)
			})
		}
	}
}

// TestFailingFiles fails making, renaming and syncing the files that the store cannot do without.
func TestFailingFiles(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(errorfs.Op) bool{
		"making or reusing a log": func(op errorfs.Op) bool {
			return isLog(op) && (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpRename)
		},
		"size of a log":       func(op errorfs.Op) bool { return isLog(op) && op.Kind == errorfs.OpFileStat },
		"directory sync":      isDirSync,
		"writing a manifest":  func(op errorfs.Op) bool { return isManifest(op) && op.Kind == errorfs.OpFileWrite },
		"syncing a manifest":  func(op errorfs.Op) bool { return isManifest(op) && op.Kind == errorfs.OpFileSync },
		"first and all later": isWrite,
	} {
		for n := int64(1); n <= 3; n++ {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				t.Parallel()
				workUntilUnavailable(t, &failing{of: of, nth: n, forever: strings.HasPrefix(name, "first")})
			})
		}
	}
}

func isTable(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".sst") }

func isManifest(op errorfs.Op) bool { return strings.Contains(op.Path, "MANIFEST-") }

func workUntilUnavailable(t *testing.T, f *failing) {
	t.Helper()
	var armed atomic.Bool
	known, disk := newLedger(), vfs.NewCrashableMem()
	s := open(t, newLab(disk, func(op errorfs.Op) error {
		if !armed.Load() {
			return nil
		}
		return f.before(op)
	}))
	armed.Store(true)
	if err := known.work(s, 4, nil); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("the work ended with %v, want ErrUnavailable", err)
	}
	demandUnavailable(t, s)
	random := rand.New(rand.NewPCG(uint64(f.nth), 0))
	for _, kept := range []int{0, 50, 100} {
		lost := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: random})
		if err := known.verify(lost); err != nil {
			t.Errorf("power lost after the fault, %d %% of the unsynced kept: %v", kept, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := known.verify(disk); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

func demandUnavailable(t *testing.T, s *pebblestore.Store) {
	t.Helper()
	p, events := intentOf(1 << 30)
	_, get := s.Get(background, p.ID)
	_, list := s.List(background, store.Filter{Limit: 1})
	_, feed := s.Feed(background, "", 1)
	_, claim := s.Claim(background, start, time.Minute, 1)
	for call, err := range map[string]error{
		"Create":             s.Create(background, p, events),
		"Schedule":           s.Schedule(background, p.ID, 1, start),
		"PutSetting":         s.PutSetting(background, "a", nil),
		"DeleteNotification": s.DeleteNotification(background, "a"),
		"Get":                get,
		"List":               list,
		"Feed":               feed,
		"Claim":              claim,
		"Health":             s.Health(),
	} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", call, err)
		}
	}
}

// TestFailingTables fails writing tables once: they are tried again, and no call notices.
func TestFailingTables(t *testing.T) {
	t.Parallel()
	for _, kind := range []errorfs.OpKind{errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSyncData} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			f := &failing{of: func(op errorfs.Op) bool { return armed.Load() && isTable(op) && op.Kind == kind }, nth: 1}
			known, disk := newLedger(), vfs.NewMem()
			s := open(t, newLab(disk, f.before))
			armed.Store(true)
			for n := int64(0); n < 100 || f.failed.Load() == 0 && n < 2000; n++ {
				if err := known.one(s, n); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(s.Health(), s.Close()); err != nil {
				t.Error(err)
			}
			if f.failed.Load() == 0 {
				t.Error("nothing failed")
			}
			if err := known.verify(disk); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTablesNeverWritten fails writing tables for ever: writes wait for them at last, but no call waits for ever.
func TestTablesNeverWritten(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	f := &failing{of: func(op errorfs.Op) bool { return armed.Load() && isTable(op) && isWrite(op) }, forever: true}
	known, disk := newLedger(), vfs.NewMem()
	lab := newLab(disk, f.before)
	s := open(t, lab, func(o *pebblestore.Options) { o.Patience = 500 * time.Millisecond })
	armed.Store(true)
	if err := known.work(s, 4, nil); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("the work ended with %v, want ErrUnavailable", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := tryOpen(lab); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("opening while no table can be written: %v, want ErrUnavailable", err)
	}
	if err := known.verify(disk); err != nil {
		t.Error(err)
	}
}

// TestFailingWhileOpening fails every operation of opening in turn: Open succeeds or says why not, and the next
// one on a sound disk finds everything.
func TestFailingWhileOpening(t *testing.T) {
	t.Parallel()
	known, disk := newLedger(), vfs.NewCrashableMem()
	s := open(t, disk)
	for n := range int64(30) {
		if err := known.one(s, n); err != nil {
			t.Fatal(err)
		}
	}
	crashed := disk.CrashClone(vfs.CrashCloneCfg{})
	for n := int64(1); ; n += slowness {
		again := crashed.CrashClone(vfs.CrashCloneCfg{})
		f := &failing{of: func(op errorfs.Op) bool { return true }, nth: n, forever: n%2 == 0}
		s, opened := tryOpen(newLab(again, f.before))
		if opened == nil {
			s.Close()
		}
		if f.failed.Load() == 0 {
			break
		}
		if err := known.verify(again); err != nil {
			t.Errorf("after operation %d failed and Open said %v: %v", n, opened, err)
		}
	}
}

// TestFrozen looks at what is done to the directory after a fault: nothing.
func TestFrozen(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	var changes atomic.Int64
	s := open(t, newLab(vfs.NewMem(), func(op errorfs.Op) error {
		switch {
		case !armed.Load() || op.Kind.ReadOrWrite() == errorfs.OpIsRead:
			return nil
		case changes.Add(1) == 1:
			return syscall.EIO
		}
		return nil
	}), func(o *pebblestore.Options) { o.MemTableBytes = 1 << 20 })
	for n := range int64(20) {
		mustCreate(t, s, n)
	}
	armed.Store(true)
	if _, err := create(s, 100); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Create: %v, want ErrUnavailable", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := changes.Load(); n != 1 {
		t.Errorf("after the first failure, %d more changes were made", n-1)
	}
}

// held is a disk whose log cannot be synced until it is let go.
type held struct {
	on      atomic.Bool
	waiting chan struct{} // gets a value when a sync has begun to wait
	free    chan struct{}
	once    sync.Once
}

func newHeld() *held { return &held{waiting: make(chan struct{}, 1000), free: make(chan struct{})} }

func (h *held) before(op errorfs.Op) error {
	if h.on.Load() && isLog(op) && op.Kind == errorfs.OpFileSyncData {
		h.waiting <- struct{}{}
		<-h.free
	}
	return nil
}

func (h *held) letGo() { h.once.Do(func() { close(h.free) }) }

// TestDiskHangs: a disk that does not answer makes the store unavailable instead of holding callers for ever.
func TestDiskHangs(t *testing.T) {
	t.Parallel()
	h, known, disk := newHeld(), newLedger(), vfs.NewCrashableMem()
	s := open(t, newLab(disk, h.before), func(o *pebblestore.Options) { o.Patience = 20 * time.Millisecond })
	t.Cleanup(h.letGo)
	h.on.Store(true)
	if _, err := create(s, 1); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Create: %v, want ErrUnavailable", err)
	}
	demandUnavailable(t, s)
	h.letGo()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := known.verify(disk.CrashClone(vfs.CrashCloneCfg{})); err != nil {
		t.Error(err)
	}
}
