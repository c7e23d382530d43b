package pebblestore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestPowerLoss cuts the power before a file system operation, again and again while payments are written, with
// any share of what was not synced lost. What was acknowledged is there afterwards and nothing is there by
// halves. CAUCE_CRASHES sets how many crashes there are, CAUCE_SEED repeats a run's choices.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	seed := envInt(t, "CAUCE_SEED", time.Now().UnixNano())
	crashes := envInt(t, "CAUCE_CRASHES", 300/slowness)
	t.Logf("CAUCE_SEED=%d", seed)
	for run := int64(0); crashes > 0; run++ {
		n := min(crashes, 20)
		crashes -= n
		powerLoss(t, rand.New(rand.NewPCG(uint64(seed), uint64(run))), int(n))
	}
}

func envInt(t *testing.T, name string, byDefault int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return byDefault
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

type crash struct {
	at    string // the operation that did not happen any more
	disk  *vfs.MemFS
	known *ledger
}

// powerLoss writes on one disk until it has crashed that often.
func powerLoss(t *testing.T, random *rand.Rand, crashes int) {
	t.Helper()
	known, disk := newLedger(), vfs.NewCrashableMem()
	cutter := &cutter{of: isWrite, random: random, disk: disk, known: known, left: crashes, crashes: make(chan crash, crashes)}
	s := open(t, newLab(disk, cutter.before))
	stop, stopped := make(chan struct{}), make(chan error)
	go func() { stopped <- known.work(s, 4, stop) }()
	for range crashes {
		c := <-cutter.crashes
		if err := c.known.verify(c.disk); err != nil {
			t.Errorf("power lost at %s: %v", c.at, err)
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// cutter takes copies of a disk as a power loss would leave it.
type cutter struct {
	of      func(errorfs.Op) bool
	mu      sync.Mutex
	random  *rand.Rand
	disk    *vfs.MemFS
	known   *ledger
	left    int
	wait    int // operations until the next
	crashes chan crash
}

func (c *cutter) before(op errorfs.Op) error {
	if !c.of(op) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait--; c.wait >= 0 || c.left == 0 {
		return nil
	}
	c.left--
	c.wait = c.random.IntN(12)
	known := c.known.copy() // before the disk: what it has now was synced before
	kept := []int{0, 10, 50, 90, 100}[c.random.IntN(5)]
	lost := c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: c.random})
	c.crashes <- crash{fmt.Sprintf("operation %d on %s, %d %% of the unsynced kept", op.Kind, op.Path, kept), lost, known}
	return nil
}

// TestPowerLossWhileOpening cuts the power at every operation of making a store, and of opening one that crashed.
func TestPowerLossWhileOpening(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(uint64(envInt(t, "CAUCE_SEED", 1)), 0))
	known, disk := newLedger(), vfs.NewCrashableMem()
	s := open(t, disk)
	for n := range int64(100) {
		if err := known.one(s, n); err != nil {
			t.Fatal(err)
		}
	}
	crashed := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: random})
	cutOpening(t, random, isWrite, vfs.NewCrashableMem(), newLedger())
	cutOpening(t, random, isWrite, crashed, known)
	for range 30 / slowness { // which names the directory keeps is all that matters here
		cutOpening(t, random, isDirSync, vfs.NewCrashableMem(), newLedger())
	}
}

func isWrite(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite }

func isDirSync(op errorfs.Op) bool { return op.Path == "data" && op.Kind == errorfs.OpFileSync }

func cutOpening(t *testing.T, random *rand.Rand, of func(errorfs.Op) bool, before *vfs.MemFS, known *ledger) {
	t.Helper()
	for at, done := 0, false; !done; at += slowness {
		disk := before.CrashClone(vfs.CrashCloneCfg{}) // all of it is synced
		c := &cutter{of: of, random: random, disk: disk, known: known, left: 1, wait: at, crashes: make(chan crash, 1)}
		s, err := tryOpen(newLab(disk, c.before))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case lost := <-c.crashes:
			if err := known.verify(lost.disk); err != nil {
				t.Errorf("power lost before operation %d, %s: %v", at, lost.at, err)
			}
		default:
			done = true
		}
	}
}
