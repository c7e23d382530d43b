package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

const order = `{"operation": "payin", "method": "pse", "amount": "20000.00", "tax": "3193.00",
	"reference": "ORDER-1001", "description": "Compra de producto ABC",
	"payer": {"kind": "natural", "name": "Miguel Rodriguez", "document": {"type": "CC", "number": "1020304050"},
	          "email": "miguel@example.com", "phone": "3057788996", "bank": "1022"},
	"return_url": "https://shop.example/return"}`

// A payment from its request to its end, with the router killed between any two steps.
func TestPaymentSurvivesKills(t *testing.T) {
	t.Parallel()
	for _, decision := range []struct {
		button string
		status payment.Status
		ledger string
	}{{"approve", payment.Succeeded, "approved"}, {"decline", payment.Rejected, "rejected"}} {
		t.Run(decision.button, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "20s")
			w.startRouter(t)
			w.restartRouter(t)
			p, status := w.pay(t, "order-1001", order)
			if status != http.StatusCreated || p.Status != payment.Pending {
				t.Fatalf("%d %+v", status, p)
			}
			w.restartRouter(t)
			if replay, status := w.pay(t, "order-1001", order); status != http.StatusOK || replay.ID != p.ID || replay.Action.URL != p.Action.URL {
				t.Fatalf("%d %+v", status, replay)
			}
			w.restartRouter(t)
			if to := w.decide(t, p.Action.URL, decision.button); !strings.HasPrefix(to, "https://shop.example/return") {
				t.Errorf("the bank sends the payer to %s", to)
			}
			w.restartRouter(t)
			w.refresh(t, p.ID) // the kill may have met the webhook
			if now := w.get(t.Context(), t, p.ID); now.Status != decision.status {
				t.Errorf("it is %s", now.Status)
			}
			w.restartRouter(t)
			checkHistory(t, w, p.ID, decision.status)
			ledger := w.ledger(t.Context(), t)
			if len(ledger) != 1 || ledger[0].Status != decision.ledger || ledger[0].Key != p.Attempts[0].Key || ledger[0].Amount != p.Amount {
				t.Errorf("the bank executed %+v", ledger)
			}
		})
	}
}

// checkHistory demands the events of a payment that went the straight way to its end, and returns all it has.
func checkHistory(t *testing.T, w *world, id string, end payment.Status) []payment.Event {
	t.Helper()
	var whole struct {
		payment.Payment
		Events []payment.Event
	}
	if _, err := w.call(t.Context(), http.MethodGet, w.url+"/v1/payments/"+id+"?events=true", "", "", &whole); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range whole.Events {
		if e.Type != payment.EventNotification && e.Type != payment.EventLookup {
			types = append(types, string(e.Type))
		}
	}
	want := []string{"created", "decided", "attempt_started", "attempt_ended", "pending", string(end)}
	if !slices.Equal(types, want) || whole.Status != end {
		t.Errorf("it is %s, its events are %v, want %v", whole.Status, types, want)
	}
	return whole.Events
}

// A webhook is followed, and one that comes while the router is down is not needed.
func TestPaymentIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "20s")
	w.startRouter(t)
	heard, _ := w.pay(t, "heard", order)
	w.decide(t, heard.Action.URL, "approve")
	waitUntil(t.Context(), t, func() bool { return w.get(t.Context(), t, heard.ID).Status == payment.Succeeded })

	unheard, _ := w.pay(t, "unheard", order)
	w.router.kill()
	w.decide(t, unheard.Action.URL, "approve")
	w.startRouter(t)
	w.refresh(t, unheard.ID)
	if p := w.get(t.Context(), t, unheard.ID); p.Status != payment.Succeeded {
		t.Errorf("it is %s", p.Status)
	}
	if strings.Contains(w.router.output(), hookSecret) {
		t.Error("the log has the webhook's secret")
	}
}

// An interrupt or SIGTERM ends the router and whatever it started, after the answers under way.
func TestServeStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "20s")
	w.startRouter(t)
	w.tell(t, "faults", `{"on":"create","do":"delay","times":1,"delay_ms":500}`)
	answered := make(chan int, 1)
	go func() {
		status, _ := w.call(t.Context(), http.MethodPost, w.url+"/v1/payments", "order-1", order, nil)
		answered <- status
	}()
	waitUntil(t.Context(), t, func() bool { return w.counts(t, "create") == 1 })
	children := w.router.children(t)
	if len(children) != 1 {
		t.Fatalf("its children are %v", children)
	}
	if code := w.router.end(os.Interrupt); code != exitOK || alive(children) {
		t.Errorf("exit code %d, its plugin is alive: %t", code, alive(children))
	}
	if status := <-answered; status != http.StatusCreated {
		t.Errorf("who waited was answered %d", status)
	}

	w.startRouter(t)
	children = w.router.children(t)
	if code := w.router.end(syscall.SIGTERM); code != exitOK || alive(children) {
		t.Errorf("SIGTERM: exit code %d, its plugin is alive: %t", code, alive(children))
	}

	w.startRouter(t)
	children = w.router.children(t)
	w.router.kill()
	waitUntil(t.Context(), t, func() bool { return !alive(children) })
}

// A second signal does not wait for anything.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "60s")
	w.startRouter(t)
	w.tell(t, "faults", `{"on":"create","do":"delay","times":1,"delay_ms":60000}`)
	go func() { _, _ = w.call(t.Context(), http.MethodPost, w.url+"/v1/payments", "order-1", order, nil) }()
	waitUntil(t.Context(), t, func() bool { return w.counts(t, "create") == 1 })
	_ = w.router.Process.Signal(os.Interrupt)
	waitUntil(t.Context(), t, func() bool { return strings.Contains(w.router.output(), "msg=\"stopping") })
	began := time.Now()
	w.router.end(os.Interrupt)
	if took := time.Since(began); took > stopTimeout/2 {
		t.Errorf("it took %s", took)
	}
}

// A signal ends a command that only reads rules, also while it reads them.
func TestSignalWhileReading(t *testing.T) {
	t.Parallel()
	const rules = "/dev/stdin"
	for _, args := range [][]string{
		{"validate", rules}, {"fmt", "-check", rules}, {"explain", "-c", rules, "-f", "payment.json"}, {"test", "-c", rules},
		{"simulate", "-rules", rules, "-f", os.DevNull}, {"diff", rules, rules},
	} {
		for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			t.Run(fmt.Sprint(args[0], " ", s), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				c := exec.CommandContext(ctx, filepath.Join(binaries, "router"), args...)
				in, err := c.StdinPipe()
				if err == nil {
					err = c.Start()
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := in.Write(bytes.Repeat([]byte("\n"), 256<<10)); err != nil { // more than a pipe holds: it is being read
					t.Error(err)
				}
				if err := c.Process.Signal(s); err != nil {
					t.Error(err)
				}
				_ = c.Wait()
				if ctx.Err() != nil {
					t.Error("it went on")
				}
				if code := c.ProcessState.ExitCode(); code == exitOK {
					t.Error("it did not say that it was interrupted")
				}
			})
		}
	}
}

// Wrong credentials are told, and the router goes on serving.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "20s")
	w.startRouter(t, "CLIENT_SECRET=wrong") // the one that the sandbox refuses
	waitUntil(t.Context(), t, func() bool {
		var list struct {
			Providers []struct {
				Healthy bool
				Reason  string
			}
		}
		if _, err := w.call(t.Context(), http.MethodGet, w.url+"/v1/providers", "", "", &list); err != nil {
			t.Fatal(err)
		}
		return !list.Providers[0].Healthy && strings.Contains(list.Providers[0].Reason, "credentials")
	})
	if !strings.Contains(w.router.output(), "a provider refuses our credentials") {
		t.Error("the log does not tell")
	}
	if status, err := w.call(t.Context(), http.MethodGet, w.url+"/readyz", "", "", nil); err != nil || status != http.StatusOK {
		t.Errorf("readyz: %d, %v", status, err)
	}
}

// startDev starts `router dev` and waits until it has said all.
func startDev(t *testing.T, address, data string) *process {
	t.Helper()
	p, _ := startProcess(t, "Ctrl-C stops it", nil, "router", "dev", "-listen", address, "-data", data)
	return p
}

// What dev prints is enough to make a payment. It leaves no process behind, and goes on where it was.
func TestDev(t *testing.T) {
	t.Parallel()
	address, data := unusedAddress(t), filepath.Join(t.TempDir(), "data")
	w := &world{url: "http://" + address, client: newClient(t)}
	w.router = startDev(t, address, data)
	banner := w.router.output()
	bodies := regexp.MustCompile(`(?s)-d '(\{.*?\})'`).FindAllStringSubmatch(banner, -1)
	if !strings.Contains(banner, "NOT FOR PRODUCTION") || !strings.Contains(banner, data) || len(bodies) != 3 {
		t.Fatalf("it prints\n%s", banner)
	}
	p, _ := w.pay(t, "order-1001", bodies[0][1])
	children := w.router.children(t)
	if len(children) != 10 {
		t.Errorf("its children are %v, want five plugins and their simulators", children)
	}
	for i, body := range bodies[1:] {
		var other payment.Payment
		status, err := w.call(t.Context(), http.MethodPost, w.url+"/v1/payments", fmt.Sprint("other-", i), body[1], &other)
		if err != nil || status != http.StatusCreated {
			t.Fatalf("%s: %d, %v", body[1], status, err)
		}
		waitUntil(t.Context(), t, func() bool { return w.get(t.Context(), t, other.ID).Status == payment.Succeeded })
	}
	w.router.kill()
	waitUntil(t.Context(), t, func() bool { return !alive(children) })

	w.router = startDev(t, address, data)
	if to := w.decide(t, p.Action.URL, "approve"); to != w.url+"/v1/payments?reference=ORDER-1001" {
		t.Errorf("the bank sends the payer to %s", to)
	}
	waitUntil(t.Context(), t, func() bool { return w.get(t.Context(), t, p.ID).Status == payment.Succeeded })
	events := checkHistory(t, w, p.ID, payment.Succeeded)
	if !slices.ContainsFunc(events, func(e payment.Event) bool { return e.Type == payment.EventNotification }) {
		t.Errorf("the simulator's webhook did not come: %v", events)
	}
	children = w.router.children(t)
	if code := w.router.end(os.Interrupt); code != exitOK || alive(children) {
		t.Errorf("exit code %d, children are alive: %t", code, alive(children))
	}
}

// A simulator whose port somebody else has taken meanwhile gets another.
func TestDevPortTaken(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	l, err := listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	if err := os.WriteFile(filepath.Join(data, "ports.json"), []byte(`{"tpaga-pse":`+port+`}`), 0o600); err != nil {
		t.Fatal(err)
	}
	banner := startDev(t, "127.0.0.1:0", data).output()
	if m := regexp.MustCompile(`simulated at http://127.0.0.1:(\d+)`).FindStringSubmatch(banner); m == nil || m[1] == port {
		t.Errorf("it prints\n%s", banner)
	}
}
