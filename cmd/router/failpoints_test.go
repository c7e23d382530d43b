package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/internal/failpoint"
	"github.com/cauce-pay/cauce/payment"
)

// frailRouter builds the router that fails at named points, once.
var frailRouter = sync.OnceValue(func() error {
	build := exec.Command("go", "build", "-trimpath", "-tags", "failpoints", "-o", binary("frail-router"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

// frail is a router that fails at named points, with a lane for each of some plugins.
type frail struct {
	*matrix
	points  string // the file that says where it fails
	callers sync.WaitGroup

	mu    sync.Mutex
	asked []*asked
}

// asked is a payment that somebody wants, whatever happens to the router.
type asked struct {
	key, body string
	lane      *lane
	answered  chan struct{} // closed when it is acknowledged
	payment   payment.Payment
}

// newFrail does not start the router yet.
func newFrail(t *testing.T, rules string, plugins ...string) *frail {
	t.Helper()
	if err := frailRouter(); err != nil {
		t.Fatal(err)
	}
	f := &frail{matrix: newMatrix(t, ourSimulators, rules, plugins...)}
	f.points = filepath.Join(f.api.dir, "failpoints")
	return f
}

// start starts the router, which must be ready within 5 seconds.
func (f *frail) start(t *testing.T) {
	t.Helper()
	began := time.Now()
	f.api.router, _ = startProcess(t, "msg=serving", f.env(), "frail-router", f.serve()...)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it is ready after %s", took)
	}
}

func (f *frail) env() []string { return []string{"CAUCE_FAILPOINTS=" + f.points} }

func (f *frail) serve() []string {
	return []string{"serve", "-c", filepath.Join(f.api.dir, "routing.hcl")}
}

// startDying starts a router that does not become ready.
func (f *frail) startDying(t *testing.T) {
	t.Helper()
	f.api.router = &process{Cmd: exec.Command(binary("frail-router"), f.serve()...), gone: make(chan struct{})}
	f.api.router.Env = f.env()
	t.Cleanup(f.api.router.kill)
	if _, err := f.api.router.launch(regexp.MustCompile("msg=serving")); err == nil {
		t.Fatal("it serves")
	}
}

// failing says where the router fails from now on; "" = nowhere.
func (f *frail) failing(t *testing.T, entries string) {
	t.Helper()
	err := os.Remove(f.points)
	if entries != "" {
		if err = os.WriteFile(f.points+".new", []byte(entries), 0o600); err == nil {
			err = os.Rename(f.points+".new", f.points)
		}
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// died waits until the router has died at a point.
func (f *frail) died(t *testing.T, point failpoint.Point) {
	t.Helper()
	select {
	case <-f.api.router.gone:
	case <-time.After(patience):
		t.Fatalf("it does not pass %s", point)
	}
	if !strings.Contains(f.api.router.output(), fmt.Sprintf("failpoint %s: ", point)) {
		t.Fatalf("it did not die at %s:\n%s", point, f.api.router.output())
	}
}

// passed waits until the router, which lives on, has failed at a point.
func (f *frail) passed(t *testing.T, point failpoint.Point) {
	t.Helper()
	waitUntil(t.Context(), t, func() bool { return strings.Contains(f.api.router.output(), fmt.Sprintf("failpoint %s: ", point)) })
}

// ask has a caller ask for a payment until it is acknowledged.
func (f *frail) ask(t *testing.T, l *lane) *asked {
	t.Helper()
	f.mu.Lock()
	n := len(f.asked) + 1
	form := l.form
	form.request = strings.Replace(form.request, "transaction-approved", "Nomina", 1) // which the bank decides on
	a := &asked{
		key: fmt.Sprintf("order-%d", n), lane: l, answered: make(chan struct{}),
		body: form.body(wireCase{written: fmt.Sprint(10_000 + n), document: "CC", kind: "natural"}),
	}
	f.asked = append(f.asked, a)
	f.mu.Unlock()
	f.callers.Go(func() {
		defer close(a.answered)
		var err error
		if a.payment, err = f.api.payUntilAcknowledged(t.Context(), a.key, a.body); err != nil {
			t.Errorf("%s: %v", a.key, err)
		}
	})
	return a
}

// wait waits for a payment to be acknowledged.
func (a *asked) wait(t *testing.T) payment.Payment {
	t.Helper()
	select {
	case <-a.answered:
	case <-time.After(patience):
		t.Fatalf("%s is not acknowledged", a.key)
	}
	return a.payment
}

// judge demands that every payment that was asked for is the one that was acknowledged, reaches its end by itself once
// its payer or bank has decided, and was executed once, by the sandboxes' ledgers.
func (f *frail) judge(t *testing.T) {
	t.Helper()
	for _, a := range f.asked {
		acknowledged := a.wait(t)
		again, err := f.api.payUntilAcknowledged(t.Context(), a.key, a.body)
		if err != nil || again.ID != acknowledged.ID || !again.Request.Equal(acknowledged.Request) {
			t.Errorf("%s was acknowledged as %+v; the same request again is %+v, %v", a.key, acknowledged, again, err)
		}
		p := acknowledged
		for began := time.Now(); !p.Status.Final() && time.Since(began) < patience; pause(t.Context(), 50*time.Millisecond) {
			p = f.api.get(t.Context(), t, acknowledged.ID)
			if p.Status == payment.InDoubt {
				a.lane.approve(t, p.Current().Key) // its webhook names what some providers cannot be asked about by key
			}
			p = a.lane.settle(t, p, "approved")
		}
		a.lane.judge(t, a.key, p)
		if p.Status != payment.Succeeded {
			t.Errorf("%s is %s: %+v, %+v", a.key, p.Status, p.Failure, p.Attempts)
		}
		for _, key := range keys(p) {
			a.lane.known[key] = true
		}
	}
	f.callers.Wait()
	for _, l := range f.lanes {
		l.checkNothingElse(t)
	}
}

// approve has the payer or the bank approve what is pending under an attempt's key.
func (l *lane) approve(t *testing.T, key string) {
	t.Helper()
	for _, w := range []*world{l.world, l.spare} {
		if w == nil {
			continue
		}
		for _, e := range w.ledger(t.Context(), t) {
			if e.Key == key && e.Status == "pending" {
				w.tell(t, "settle", fmt.Sprintf(`{"id":%q,"status":"approved"}`, e.ID))
			}
		}
	}
}

// post makes a call of the API that may find the router dead.
func (f *frail) post(ctx context.Context, path, body string) (int, error) {
	return f.api.call(ctx, http.MethodPost, f.api.url+path, "", body, nil)
}
