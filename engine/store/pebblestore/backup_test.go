package pebblestore_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
)

// A backup that is taken while payments are stored has those that were acknowledged before, whole, also after a power
// loss; restored, it is a store that goes on.
func TestBackup(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s := open(t, disk)
	before := map[string]bool{}
	for n := range int64(300) { // several tables, and a log
		before[mustCreate(t, s, n).ID] = true
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := int64(300); ; n++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if _, err := create(s, n); err != nil {
				stopped <- err
				return
			}
		}
	}()
	if err := s.Backup(background, "backup"); err != nil {
		t.Fatal(err)
	}
	lost := disk.CrashClone(vfs.CrashCloneCfg{})
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(background, "backup"); err == nil || !strings.Contains(err.Error(), "backup to backup: ") {
		t.Errorf("a second one in the same place: %v", err)
	}
	if err := pebblestore.Restore("backup", "deep/restored", &pebblestore.Options{FS: lost}); err != nil {
		t.Fatal(err)
	}
	restored, err := pebblestore.Open("deep/restored", &pebblestore.Options{FS: lost.CrashClone(vfs.CrashCloneCfg{})})
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	last, _, err := check(restored)
	if err != nil {
		t.Error(err)
	}
	for id := range before {
		if last[id] == 0 {
			t.Errorf("payment %s is missing", id)
		}
	}
	mustCreate(t, restored, 1<<20)
}

// Whatever fails in a backup's directory fails the backup, leaves nothing behind, and does the store no harm.
func TestFailingBackup(t *testing.T) {
	t.Parallel()
	fault := errors.New("the backup's disk is broken")
	var left atomic.Int64 // operations on the backup until one fails
	broken := newLab(vfs.NewMem(), func(op errorfs.Op) error {
		writes := op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpRemoveAll
		if writes && strings.HasPrefix(op.Path, "backup") && left.Add(-1) == 0 {
			return fault
		}
		return nil
	})
	s := open(t, broken)
	for n := range int64(300) {
		mustCreate(t, s, n)
	}
	failures := 0
	for n := int64(1); ; n++ {
		left.Store(n)
		err := s.Backup(background, "backup")
		if left.Load() > 0 {
			break // it was done before anything could fail
		}
		if err != nil {
			failures++
			if _, gone := broken.Stat("backup"); gone == nil {
				t.Errorf("operation %d: half a backup stays after %v", n, err)
			}
		}
		if err := s.Health(); err != nil {
			t.Fatalf("operation %d ended the store: %v", n, err)
		}
		_ = broken.RemoveAll("backup")
	}
	mustCreate(t, s, 1000)
	if failures < 10 {
		t.Errorf("only %d operations made it fail", failures)
	}
}

// TestBackupCutShort kills the process before each operation of a backup: there is no backup then, or a whole one.
func TestBackupCutShort(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	var left []*vfs.MemFS
	s := open(t, newLab(disk, func(op errorfs.Op) error {
		if isWrite(op) && strings.HasPrefix(op.Path, "backup") {
			left = append(left, disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}))
		}
		return nil
	}))
	const payments = 100
	for n := range int64(payments) {
		mustCreate(t, s, n)
	}
	if err := s.Backup(background, "backup"); err != nil {
		t.Fatal(err)
	}
	if len(left) < 10 {
		t.Fatalf("a backup is only %d operations", len(left))
	}
	for n, disk := range append(left, disk) {
		if err := pebblestore.Restore("backup", "restored", &pebblestore.Options{FS: disk}); err != nil {
			continue // there is none
		}
		restored, err := pebblestore.Open("restored", &pebblestore.Options{FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		if last, _, err := check(restored); err != nil || len(last) != payments {
			t.Errorf("killed before operation %d, it has %d of %d payments (%v)", n, len(last), payments, err)
		}
		if err := restored.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A backup on another disk, to which no table can be linked, is not held back by that.
func TestBackupToAnotherDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, newLab(vfs.NewMem(), func(op errorfs.Op) error {
			if op.Kind == errorfs.OpLink {
				return syscall.EXDEV
			}
			return nil
		}))
		for n := range int64(300) {
			mustCreate(t, s, n)
		}
		began := time.Now()
		if err := s.Backup(background, "backup"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("it waited for %s", waited)
		}
	})
}

// A backup in the store's own directory, by whatever name, would make it one that Open refuses.
func TestBackupInside(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir, link := filepath.Join(root, "data"), filepath.Join(root, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s, err := pebblestore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, inside := range []string{dir, filepath.Join(dir, "backup"), filepath.Join(link, "new", "backup"), filepath.Join(root, "x", "..", "data", "b")} {
		if err := s.Backup(background, inside); err == nil || !strings.Contains(err.Error(), "inside the store's own directory") {
			t.Errorf("%s: %v", inside, err)
		}
	}
	if err := s.Backup(background, filepath.Join(root, "data-1", "backup")); err != nil {
		t.Errorf("beside it: %v", err)
	}
	for _, name := range []string{dir, link} {
		if err := pebblestore.Restore(name, filepath.Join(root, "new"), nil); !errors.Is(err, store.ErrLocked) {
			t.Errorf("the open store %s as a backup: %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = pebblestore.Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := pebblestore.Restore(dir, filepath.Join(root, "new"), nil); err != nil {
		t.Errorf("the store, stopped: %v", err)
	}
}

// The directory may be written with a slash at its end, and may be a link to an empty one, which stays.
func TestRestoreByOtherNames(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	s, err := pebblestore.Open(at("data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := mustCreate(t, s, 1)
	if err := errors.Join(s.Backup(background, at("backup")), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(at("volume/empty"), 0o700), os.Symlink(at("volume/empty"), at("link"))); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{at("slash") + "/", at("link")} {
		if err := pebblestore.Restore(at("backup"), dir, nil); err != nil {
			t.Errorf("to %s: %v", dir, err)
			continue
		}
		restored, err := pebblestore.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = restored.Get(background, p.ID)
		if err := errors.Join(err, restored.Close()); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if target, err := os.Readlink(at("link")); target != at("volume/empty") {
		t.Errorf("the link leads to %q now (%v)", target, err)
	}
}

// TestRestoreToVolume restores to a directory that cannot be replaced, because something is mounted there. Wherever the
// power is lost, Open finds nothing, refuses what it finds, or has all payments.
func TestRestoreToVolume(t *testing.T) {
	t.Parallel()
	disk, random := vfs.NewCrashableMem(), rand.New(rand.NewPCG(1, 1))
	var mu sync.Mutex // Pebble removes files in a goroutine of its own
	var left []*vfs.MemFS
	cut := func() {
		mu.Lock()
		defer mu.Unlock()
		for _, kept := range []int{0, 20, 50, 50, 80, 80, 100} {
			left = append(left, disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: random}))
		}
	}
	s := open(t, disk)
	const payments = 100
	for n := range int64(payments) {
		mustCreate(t, s, n)
	}
	if err := errors.Join(s.Backup(background, "backup"), disk.MkdirAll("volume/lost+found", 0o700), syncRoot(disk)); err != nil {
		t.Fatal(err)
	}
	mounted := newLab(disk, func(op errorfs.Op) error {
		switch {
		case op.Path == "volume" && (op.Kind == errorfs.OpRemoveAll || op.Kind == errorfs.OpRename):
			return syscall.EBUSY
		case isWrite(op):
			cut()
		}
		return nil
	})
	if err := pebblestore.Restore("backup", "volume", &pebblestore.Options{FS: mounted}); err != nil {
		t.Fatal(err)
	}
	interrupted := len(left)
	cut()
	for n, disk := range left {
		names, err := disk.List("volume")
		if err != nil {
			t.Fatal(err)
		}
		restored, err := pebblestore.Open("volume", &pebblestore.Options{FS: disk})
		if err != nil {
			if n >= interrupted || !strings.Contains(err.Error(), ".restoring") {
				t.Errorf("power lost at %d of %d: %v", n, interrupted, err)
			}
			continue
		}
		last, _, err := check(restored)
		if nothing := n < interrupted && slices.Equal(names, []string{"lost+found"}); err != nil || len(last) != payments && !nothing {
			t.Errorf("power lost at %d of %d: %d of %d payments (%v)", n, interrupted, len(last), payments, err)
		}
		if err := restored.Close(); err != nil {
			t.Error(err)
		}
	}
}

// syncRoot makes what is in the working directory durable.
func syncRoot(disk vfs.FS) error {
	for _, name := range []string{"", "volume"} {
		dir, err := disk.OpenDir(name)
		if err != nil {
			return err
		}
		if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
			return err
		}
	}
	return nil
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	s := open(t, disk)
	mustCreate(t, s, 1)
	if err := s.Backup(background, "backup"); err != nil {
		t.Fatal(err)
	}
	_ = disk.MkdirAll("empty", 0o700)
	o := &pebblestore.Options{FS: disk}
	for name, c := range map[string]struct{ backup, dir, want string }{
		"over a store":       {"backup", "data", "there is something already: move it away first"},
		"nothing":            {"nowhere", "new", "not exist"},
		"an empty directory": {"empty", "new", "it is no backup of a store"},
	} {
		if err := pebblestore.Restore(c.backup, c.dir, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := pebblestore.Restore("backup", "empty", o); err != nil {
		t.Errorf("to an empty directory: %v", err)
	}
}
