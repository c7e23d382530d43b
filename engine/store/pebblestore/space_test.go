package pebblestore_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
)

// TestFreeFloor: below the floor nothing new is taken, what is under way goes on, and above it all is well again.
func TestFreeFloor(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	s := open(t, disk, func(o *pebblestore.Options) { o.FreeFloor = 100 << 20 })
	p := mustCreate(t, s, 1)
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 100<<20 - 1, TotalBytes: 1 << 30})

	_, created := create(s, 2)
	put := s.PutNotification(background, store.Notification{ID: "n1"})
	for call, err := range map[string]error{"Create": created, "PutNotification": put, "Health": s.Health()} {
		if !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "99 MiB") || !strings.Contains(err.Error(), "100 MiB") {
			t.Errorf("%s below the floor: %v, want ErrFull with both sizes", call, err)
		}
	}
	if _, err := create(s, 1); !errors.Is(err, store.ErrKeyTaken) {
		t.Errorf("Create of a known key below the floor: %v, want ErrKeyTaken", err)
	}
	schedule := s.Schedule(background, p.ID, p.Seq, start)
	for call, err := range map[string]error{
		"Append":             advance(s, p),
		"Schedule":           schedule,
		"DeleteNotification": s.DeleteNotification(background, "n1"),
		"PutSetting":         s.PutSetting(background, "name", nil),
	} {
		if err != nil {
			t.Errorf("%s below the floor: %v", call, err)
		}
	}

	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 100 << 20, TotalBytes: 1 << 30})
	if err := s.Health(); err != nil {
		t.Errorf("Health at the floor: %v", err)
	}
	if space, err := s.Space(); err != nil || space.Free != 100<<20 || space.Capacity != 1<<30 || space.Used == 0 {
		t.Errorf("Space: %+v, %v", space, err)
	}
	mustCreate(t, s, 2)
}

func TestNoFloor(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 0, TotalBytes: 1 << 30})
	s := open(t, disk, func(o *pebblestore.Options) { o.FreeFloor = -1 })
	mustCreate(t, s, 1)
}

// TestBallast fills the disk under the store: the ballast goes, payments under way are written, new ones are
// refused until the ballast can be held again.
func TestBallast(t *testing.T) {
	t.Parallel()
	const ballast = "data/BALLAST"
	disk := vfs.NewMem()
	there := func() bool { _, err := disk.Stat(ballast); return err == nil }
	var full atomic.Bool
	s := open(t, newLab(disk, func(op errorfs.Op) error {
		full := full.Load()
		if op.Path == ballast && op.Kind == errorfs.OpFilePreallocate && full || isLog(op) && full && there() {
			return syscall.ENOSPC
		}
		return nil
	}))
	if !there() {
		t.Fatal("there is no ballast file")
	}
	p := mustCreate(t, s, 1)
	full.Store(true)
	if err := advance(s, p); err != nil {
		t.Fatalf("Append on a full disk with ballast: %v", err)
	}
	if there() {
		t.Error("the ballast is still there")
	}
	if _, err := create(s, 2); !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "ballast") {
		t.Errorf("Create without ballast: %v, want ErrFull that names it", err)
	}
	if err := s.Schedule(background, p.ID, p.Seq, start.Add(time.Hour)); err != nil {
		t.Errorf("Schedule without ballast: %v", err)
	}
	if there() {
		t.Error("half a ballast was left behind")
	}
	full.Store(false)
	mustCreate(t, s, 2)
	if !there() {
		t.Error("the ballast was not made again")
	}
}

// TestNoBallast: where a file system cannot reserve space there is none, and that is no reason to refuse.
func TestNoBallast(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	s := open(t, newLab(disk, func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFilePreallocate && strings.HasSuffix(op.Path, "BALLAST") {
			return syscall.EOPNOTSUPP
		}
		return nil
	}))
	mustCreate(t, s, 1)
	if _, err := disk.Stat("data/BALLAST"); err == nil {
		t.Error("an empty ballast file was left behind")
	}
}

// TestFullForGood: with neither space nor ballast left the store becomes unavailable, and loses nothing.
func TestFullForGood(t *testing.T) {
	t.Parallel()
	disk, known := vfs.NewCrashableMem(), newLedger()
	var full atomic.Bool
	s := open(t, newLab(disk, func(op errorfs.Op) error {
		if full.Load() && isWrite(op) && op.Kind != errorfs.OpRemove {
			return syscall.ENOSPC
		}
		return nil
	}))
	for n := range int64(20) {
		if err := known.one(s, n); err != nil {
			t.Fatal(err)
		}
	}
	p := mustCreate(t, s, 20)
	full.Store(true)
	if err := advance(s, p); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Append: %v, want ErrUnavailable", err)
	}
	demandUnavailable(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := known.verify(disk.CrashClone(vfs.CrashCloneCfg{})); err != nil {
		t.Error(err)
	}
}
