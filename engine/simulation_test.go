package engine_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestSimulation runs whole worlds: an engine over the real store on a disk that can lose its power, providers with
// ledgers of their own, callers, payers and webhooks. A world's seed picks its rules, its providers' traits and every
// fault. When the faults have stopped and time has passed, the invariants are checked against the ledgers.
//
// CAUCE_SEEDS sets how many worlds there are, CAUCE_SEED the first one's seed: with CAUCE_SEEDS=1 it repeats one
// world. The time in a world is its own (testing/synctest), and so are all its choices; only what happens at the
// very same instant in several goroutines may come in another order.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, worlds := envUint(t, "CAUCE_SEED", uint64(time.Now().UnixNano()%1e9)), envUint(t, "CAUCE_SEEDS", 24/slowness)
	t.Logf("CAUCE_SEED=%d", first)
	var total tally
	for seed := first; seed < first+worlds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { total.add(simulate(t, seed)) })
		})
	}
	t.Logf("%d worlds: %+v", worlds, total)
}

func envUint(t *testing.T, name string, byDefault uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return byDefault
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// tally counts what worlds did, so that a run tells whether it tried anything.
type tally struct {
	Payments, Attempts, Crashes, DiskFaults, Reloads, Resends, Lookups, Webhooks, Moved, LateSuccesses, InDoubt int
}

func (t *tally) add(o tally) {
	t.Payments += o.Payments
	t.Attempts += o.Attempts
	t.Crashes += o.Crashes
	t.DiskFaults += o.DiskFaults
	t.Reloads += o.Reloads
	t.Resends += o.Resends
	t.Lookups += o.Lookups
	t.Webhooks += o.Webhooks
	t.Moved += o.Moved
	t.LateSuccesses += o.LateSuccesses
	t.InDoubt += o.InDoubt
}

const (
	faultsLast = 10 * time.Minute // of a world's time, in which payments are made and everything goes wrong
	// calmLasts is enough for every URL to die, every look-up to come and every webhook to be sent.
	calmLasts = 3 * time.Hour
)

// simulate runs the world of a seed.
func simulate(t *testing.T, seed uint64) tally {
	w := newUniverse(t, seed)
	w.run(w.keepAlive)
	w.run(w.cutPower)
	w.run(w.jumpClock)
	w.run(w.reload)
	w.run(w.forgeWebhooks)
	for n := range w.dice("payments").IntN(30) + 30 {
		w.run(func() { w.customer(n) })
	}
	<-time.After(faultsLast)
	close(w.calm)
	<-time.After(calmLasts)
	close(w.over)
	w.all.Wait()
	total := w.judge()
	<-time.After(time.Second) // for the look-ups that the last router left behind
	return total
}
