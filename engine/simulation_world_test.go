package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/provider"
)

// universe is a simulated world.
type universe struct {
	t                   *testing.T
	seed                uint64
	rules               string // path
	random              io.Reader
	diskFaults, reloads atomic.Int64 // that happened
	skew                atomic.Int64 // of the machine's clock against the true time
	banks               map[string]*bank
	far                 bool          // the machine's clock goes far ahead at times; no bank's pages expire unasked then
	files               chan struct{} // has room for whoever reads or changes the rules
	calm                chan struct{} // closed when the faults stop
	over                chan struct{} // closed when the world ends
	all                 sync.WaitGroup

	mu      sync.Mutex
	disk    *vfs.MemFS
	life    *life // the last router process
	crashes int
	webhook int
	asked   []*order
	log     bytes.Buffer
}

// life is one router process: from its start to its power loss.
type life struct {
	store  *pebblestore.Store
	engine *engine.Engine // nil while it starts
	dead   chan struct{}
	failed atomic.Bool // its disk has failed
}

func (l *life) isDead() bool { return closed(l.dead) }

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func newUniverse(t *testing.T, seed uint64) *universe {
	t.Helper()
	var key [32]byte
	copy(key[:], fmt.Sprint("ids of ", seed))
	w := &universe{
		t: t, seed: seed, random: &lockedReader{source: rand.NewChaCha8(key)}, banks: map[string]*bank{},
		calm: make(chan struct{}), over: make(chan struct{}), disk: vfs.NewCrashableMem(),
	}
	w.far, w.files = chance(w.dice("far"), 25), make(chan struct{}, 1)
	w.rules = writeRules(t, w.makeRules())
	return w
}

// dice returns a source of choices that depends on the seed and on what it is for, not on who comes first.
func (w *universe) dice(about ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintln(h, about...)
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// between returns a duration of at least low and less than high.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)))
}

type lockedReader struct {
	mu     sync.Mutex
	source io.Reader
}

func (l *lockedReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.source.Read(b)
}

// makeRules writes the rules of this world and makes its banks.
func (w *universe) makeRules() string {
	var b strings.Builder
	r := w.dice("rules")
	names := []string{"alpha", "bravo", "carib"}[:1+r.IntN(3)]
	for _, name := range names {
		w.banks[name] = newBank(w, name)
		fmt.Fprintf(&b, "provider %q {\n timeout = \"%ds\"\n notification_secret = %q\n", name, 2+r.IntN(18), hookOf(name))
		if chance(r, 30) {
			fmt.Fprintf(&b, " limit = { in_flight = %d }\n", 1+r.IntN(8))
		}
		if chance(r, 30) {
			fmt.Fprintf(&b, " breaker = { failures = %d, within = \"1m\", cool_off = \"%ds\" }\n", 1+r.IntN(5), 1+r.IntN(60))
		}
		b.WriteString("}\n")
	}
	for _, operation := range []string{"payin", "payout"} {
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		fmt.Fprintf(&b, "route %q {\n when = \"operation == '%s'\"\n providers = [\"%s\"]\n", operation, operation, strings.Join(names, `", "`))
		if chance(r, 50) {
			fmt.Fprintf(&b, " failover = { on = [\"unavailable\", \"unauthorized\", \"exhausted\", \"invalid\"%s], max_attempts = %d, within = \"%ds\" }\n",
				[]string{"", `, "declined"`}[r.IntN(2)], 1+r.IntN(3), 5+r.IntN(600))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func hookOf(name string) string { return "the-secret-path-of-" + name }

// run starts a part of the world that ends with it.
func (w *universe) run(f func()) { w.all.Go(f) }

// pause waits, and reports false when the world ends first.
func (w *universe) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-w.over:
		return false
	}
}

func (c machineClock) Monotonic() time.Duration { return time.Since(time.Unix(0, 0)) }

// machineClock is the clock of the machine that the router runs on.
type machineClock struct{ w *universe }

func (c machineClock) Now() time.Time { return time.Now().Add(time.Duration(c.w.skew.Load())) }

func (c machineClock) AfterFunc(d time.Duration, f func()) func() {
	timer := time.AfterFunc(d, f)
	return func() { timer.Stop() }
}

// jumpClock sets the machine's clock: by seconds to and fro, and once far back. Where no URL expires unasked it goes days
// ahead and back.
func (w *universe) jumpClock() {
	r, back := w.dice("clock"), time.Duration(0)
	for !closed(w.calm) && w.pause(between(r, time.Second, 3*time.Minute)) {
		if back == 0 && chance(r, 30) {
			back = between(r, time.Minute, 20*time.Minute)
		}
		ahead := time.Duration(0)
		if w.far && chance(r, 50) {
			ahead = between(r, 30*time.Minute, 6*24*time.Hour) // what seems to be a week old is looked at every 6 hours
		}
		w.skew.Store(int64(between(r, 0, 20*time.Second) - back + ahead))
	}
}

// keepAlive starts a router, and the next one some time after it lost its power.
func (w *universe) keepAlive() {
	r := w.dice("restarts")
	for {
		l := w.begin()
		var failed <-chan struct{}
		if l.engine != nil {
			failed = l.engine.Failed()
		}
		select {
		case <-failed: // its disk has, and it stops
			w.crash(l)
			w.end(l)
		case <-l.dead:
			w.end(l)
		case <-w.over:
			return // judge looks at it
		}
		if !w.pause(between(r, time.Millisecond, 15*time.Second)) {
			return
		}
	}
}

// begin starts a router on the disk as it is; it may lose its power while it starts.
func (w *universe) begin() *life {
	l := &life{dead: make(chan struct{})}
	w.mu.Lock()
	disk := w.disk
	w.life = l
	w.mu.Unlock()
	r := w.dice("operations", w.crashes)
	left := atomic.Int64{}
	left.Store(-1)
	if chance(r, 40) {
		left.Store(int64(r.IntN(300)))
	}
	failing := w.failingDisk()
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || closed(w.calm) {
			return nil
		}
		if left.Add(-1) == 0 {
			w.crash(l)
		}
		err := failing()
		if err != nil {
			l.failed.Store(true)
		}
		return err
	}))
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: fs, MemTableBytes: 256 << 10, CacheBytes: 1 << 20})
	if err != nil {
		if !l.isDead() && !l.failed.Load() {
			w.t.Errorf("the store does not open: %v", err)
		}
		w.crash(l)
		return l
	}
	values := map[string]provider.Provider{}
	for name, b := range w.banks {
		values[name] = &line{b, l}
	}
	w.files <- struct{}{}
	eng, err := engine.New(context.Background(), engine.Config{
		Rules: w.rules, Store: st, Providers: values, Clock: machineClock{w}, Random: w.random,
		PublicURL: "https://pay.example.com", Logger: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	<-w.files
	w.mu.Lock()
	l.store, l.engine = st, eng
	w.mu.Unlock()
	if err != nil {
		if !l.isDead() && !l.failed.Load() {
			w.t.Errorf("the engine does not start: %v", err)
		}
		w.crash(l)
	}
	return l
}

// failingDisk returns what changes of a router's disk meet: for some routers, a number of errors in a row.
func (w *universe) failingDisk() func() error {
	r := w.dice("disk", w.crashes)
	if !chance(r, 25) {
		return func() error { return nil }
	}
	first := int64(1 + r.IntN(400))
	end := first + int64(1+r.IntN(30))
	fault := []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS}[r.IntN(3)]
	var changes atomic.Int64
	return func() error {
		if n := changes.Add(1); n < first || n >= end {
			return nil
		}
		w.diskFaults.Add(1)
		return fault
	}
}

// reload puts other rules into force at times, and at others tries to with faulty ones, which must be refused.
func (w *universe) reload() {
	r := w.dice("reloads")
	original, err := os.ReadFile(w.rules)
	if err != nil {
		w.t.Error(err)
		return
	}
	write := func(text string) {
		if err := os.WriteFile(w.rules, []byte(text), 0o600); err != nil {
			w.t.Error(err)
		}
	}
	good := string(original)
	for n := 0; !closed(w.calm) && w.pause(between(r, time.Second, 2*time.Minute)); n++ {
		w.files <- struct{}{}
		faulty := chance(r, 40)
		next := fmt.Sprintf("%s\nlocals { turn = %d }\n", original, n)
		if chance(r, 50) {
			next = regexp.MustCompile(` failover = .*\n`).ReplaceAllString(next, "")
		}
		if faulty {
			write(next + "route \"half\" {")
		} else {
			write(next)
		}
		_ = w.ask(func(e *engine.Engine) error {
			before := e.Rules().Hash()
			err := e.Reload(context.Background())
			if after := e.Rules().Hash(); faulty && (err == nil || after != before) {
				w.t.Errorf("faulty rules were put into force: %v", err)
			}
			if err == nil {
				w.reloads.Add(1)
			}
			return err
		})
		if faulty {
			write(good)
		} else {
			good = next
		}
		<-w.files
	}
}

// Write keeps what the routers log.
func (w *universe) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// end releases what a dead router holds. Nothing that it does any more reaches the world.
func (w *universe) end(l *life) {
	if l.engine != nil {
		_ = l.engine.Close()
	}
	if l.store != nil {
		_ = l.store.Close()
	}
}

// crash cuts the power of a router: a share of what its disk has not synced is lost.
func (w *universe) crash(l *life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.isDead() || l != w.life {
		return
	}
	close(l.dead) // first: what is answered from now on nobody hears
	r := w.dice("crash", w.crashes)
	w.crashes++
	kept := []int{0, 0, 10, 50, 90, 100}[r.IntN(6)]
	w.disk = w.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: r})
}

// cutPower crashes routers at any time.
func (w *universe) cutPower() {
	r := w.dice("power")
	for w.pause(between(r, time.Second, 4*time.Minute)) && !closed(w.calm) {
		if _, l := w.router(); l != nil {
			w.crash(l)
		}
	}
}

// router returns the router that runs; nil while there is none.
func (w *universe) router() (*engine.Engine, *life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.life == nil || w.life.engine == nil || w.life.isDead() {
		return nil, nil
	}
	return w.life.engine, w.life
}

var errNoAnswer = errors.New("the router did not answer")

// ask calls the router. What it answers after its power loss is not heard.
func (w *universe) ask(call func(*engine.Engine) error) error {
	e, l := w.router()
	if e == nil {
		return errNoAnswer
	}
	err := call(e)
	if l.isDead() {
		return errNoAnswer
	}
	return err
}
