package webhook_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine/webhook"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

const private = "allow_private = true"

func TestMessage(t *testing.T) {
	t.Parallel()
	r := receive(t, nil)
	w := setup(t, rejectAll).start(t)
	w.pay(t, "before the block was there")
	w.stop(t)
	w.write(t, rejectAll+"\n"+block("shop", r.URL, private))
	w.start(t)
	p := w.pay(t, "order-1")

	d := r.next(t)
	if want := fmt.Sprintf("msg_%s_%d", strings.TrimPrefix(p.ID, "pay_"), d.Seq); d.id != want {
		t.Errorf("the webhook-id is %q, not %q", d.id, want)
	}
	if d.Type != "payment.rejected" || d.Seq != p.Seq || !d.Timestamp.Equal(p.UpdatedAt) {
		t.Errorf("%s\nis not the end of %+v", d.body, p)
	}
	if d.Data.ID != p.ID || d.Data.Status != payment.Rejected || d.Data.Reference != p.Reference || d.Data.Failure == nil {
		t.Errorf("the payment is %+v", d.Data)
	}
	until(t, "delivered is counted", func() bool { return w.metric(t, "cauce_webhook_delivered_total", "shop") == "1" })
}

// A message is tried ten times at the pauses of Standard Webhooks, each the same but for its time, and then given up.
func TestRetries(t *testing.T) {
	t.Parallel()
	r := receive(t, func(w http.ResponseWriter, _ delivery) { w.WriteHeader(http.StatusInternalServerError) })
	w := setup(t, rejectAll+"\n"+block("shop", r.URL, private)).start(t)
	w.pay(t, "order-1")
	first, waited := r.next(t), time.Duration(0)
	for _, pause := range []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	} {
		wait := w.logged(t).due.Sub(w.clock.Now())
		if wait < pause*9/10 || wait > pause*11/10 {
			t.Errorf("the next try is after %s, not about %s", wait, pause)
		}
		w.clock.Advance(wait)
		waited += wait
		if lag := w.metric(t, "cauce_webhook_lag_seconds", "shop"); lag != fmt.Sprint(int64(waited.Seconds())) {
			t.Errorf("the message waits for %s s, not %s", lag, waited)
		}
		if d := r.next(t); d.id != first.id || d.body != first.body {
			t.Errorf("%s %s\nis tried again as\n%s %s", first.id, first.body, d.id, d.body)
		}
	}
	if line := w.logged(t); !strings.Contains(line.message, "given up") || !strings.Contains(line.err, "500") {
		t.Errorf("after ten tries it logs %+v", line)
	}
	until(t, "it is given up", func() bool {
		return w.metric(t, "cauce_webhook_backlog", "shop") == "0" && w.metric(t, "cauce_webhook_given_up_total", "shop") == "1"
	})
	if failed := w.metric(t, "cauce_webhook_failures_total", "shop"); failed != "10" {
		t.Errorf("%s tries failed", failed)
	}
}

// What a payment's receiver did not take holds back that payment's later messages, and nothing else.
func TestOrder(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	r := receive(t, func(w http.ResponseWriter, d delivery) {
		if broken.Load() && d.Type == "payment.pending" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	w := setup(t, `
provider "acme" {}
route "all" { providers = ["acme"] }
`+block("shop", r.URL, private+"\n  events = [\"payment.pending\", \"payment.succeeded\"]")).start(t)
	w.acme.Script(providertest.Redirect(), providertest.Approve())
	p := w.pay(t, "order-1")
	if d := r.next(t); d.Type != "payment.pending" {
		t.Errorf("first comes %s", d.body)
	}
	due := w.logged(t).due
	w.acme.Settle(p.Attempts[0].Key, provider.Succeeded)
	if _, err := w.Refresh(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	other := w.pay(t, "order-2")
	if d := r.next(t); d.Data.ID != other.ID || d.Type != "payment.succeeded" {
		t.Errorf("while one payment waits, this comes: %s", d.body)
	}
	w.clock.Advance(due.Sub(w.clock.Now()))
	if d := r.next(t); d.Type != "payment.pending" {
		t.Errorf("what is tried again is %s", d.body)
	}
	due = w.logged(t).due
	broken.Store(false)
	w.clock.Advance(due.Sub(w.clock.Now()))
	for _, want := range []string{"payment.pending", "payment.succeeded"} {
		d := r.next(t)
		if d.Type != want || d.Data.ID != p.ID || d.Data.Status != payment.Status(strings.TrimPrefix(want, "payment.")) {
			t.Errorf("%s is due, not %s", want, d.body)
		}
	}
}

// Whatever a crash interrupts is sent after it, under the same id and with the same text.
func TestCrash(t *testing.T) {
	t.Parallel()
	var w, after *world
	var down atomic.Bool
	down.Store(true)
	crashing := make(chan func(), 1)
	r := receive(t, func(rw http.ResponseWriter, d delivery) {
		switch {
		case down.Load() && strings.HasSuffix(d.Data.IdempotencyKey, "3"):
			rw.WriteHeader(http.StatusBadGateway) // it waits for another try
		case d.Data.IdempotencyKey == "order-25":
			select {
			case crash := <-crashing:
				crash()
			default:
			}
		}
	})
	w = setup(t, rejectAll+"\n"+block("shop", r.URL, private)).start(t)
	crashed := make(chan struct{})
	crashing <- func() { after = w.crash(); close(crashed) }
	want := map[string]string{} // by payment, the key
	for n := range 26 {
		key := fmt.Sprintf("order-%d", n)
		want[w.pay(t, key).ID] = key
	}
	<-crashed
	w.stop(t)
	bodies := map[string]string{}
	for len(r.got) > 0 {
		d := <-r.got
		bodies[d.id] = d.body
		if key := want[d.Data.ID]; key != "order-25" && !strings.HasSuffix(key, "3") {
			delete(want, d.Data.ID) // accepted before the crash
		}
	}

	down.Store(false)
	after.start(t)
	after.clock.Advance(10 * time.Second)
	for len(want) > 0 {
		d := r.next(t)
		if before, sent := bodies[d.id]; sent && before != d.body {
			t.Errorf("message %s was\n%s\nand is after the crash\n%s", d.id, before, d.body)
		}
		delete(want, d.Data.ID)
	}
}

// A receiver that never answers holds up neither the payments nor the others, and its tries end after 15 s.
func TestDeadReceiver(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	dead := receive(t, func(http.ResponseWriter, delivery) { <-release })
	defer close(release)
	alive := receive(t, nil)
	w := setup(t, rejectAll+"\n"+block("dead", dead.URL, private)+block("alive", alive.URL, private)).start(t)
	for n := range 20 {
		p := w.pay(t, fmt.Sprintf("order-%d", n))
		if d := alive.next(t); d.Data.ID != p.ID {
			t.Errorf("payment %s is told of, not %s", d.Data.ID, p.ID)
		}
	}
	dead.next(t)
	w.clock.Advance(15 * time.Second)
	if line := w.logged(t); !strings.Contains(line.err, "no answer within 15s") {
		t.Errorf("it logs %+v", line)
	}
}

// However long a receiver is down, what waits for it is bounded, and none is lost.
func TestBacklog(t *testing.T) {
	t.Parallel()
	const payments = 700
	var up atomic.Bool
	r := receive(t, func(w http.ResponseWriter, _ delivery) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	alive := receive(t, nil)
	w := setup(t, rejectAll+"\n"+block("shop", r.URL, private)+block("alive", alive.URL, private)).start(t)
	want := map[string]bool{}
	for n := range payments {
		want[w.pay(t, fmt.Sprintf("order-%d", n)).ID] = true
	}
	for range payments {
		alive.next(t)
	}
	backlog := 0
	until(t, "the backlog is full", func() bool {
		_, err := fmt.Sscan(w.metric(t, "cauce_webhook_backlog", "shop"), &backlog)
		return err == nil && backlog >= 500
	})
	if backlog >= 500+64 {
		t.Errorf("%d messages wait", backlog)
	}
	w.stop(t)
	for len(r.got) > 0 {
		<-r.got
	}
	up.Store(true)
	w.start(t)
	w.clock.Advance(10 * time.Minute)
	for len(want) > 0 {
		delete(want, r.next(t).Data.ID)
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	gone := receive(t, func(w http.ResponseWriter, _ delivery) { w.WriteHeader(http.StatusGone) })
	r := receive(t, nil)
	w := setup(t, rejectAll+"\n"+block("shop", gone.URL, private)+block("other", r.URL, private)).start(t)
	first := w.pay(t, "order-1")
	gone.next(t)
	until(t, "the block is off", func() bool { return w.metric(t, "cauce_webhook_gone", "shop") == "1" })
	w.stop(t)
	w.start(t)
	second := w.pay(t, "order-2")
	r.next(t)
	r.next(t)
	if len(gone.got) > 0 {
		t.Error("what is gone is told of payments after a restart")
	}

	moved := receive(t, nil)
	w.write(t, rejectAll+"\n"+block("shop", moved.URL, private))
	if err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the reload is noticed", func() bool { w.clock.Advance(time.Second); return len(moved.got) == 2 })
	told := map[string]bool{moved.next(t).Data.ID: true, moved.next(t).Data.ID: true}
	if !told[first.ID] || !told[second.ID] {
		t.Errorf("told of %v, not of %s and %s", told, first.ID, second.ID)
	}
	if w.metric(t, "cauce_webhook_backlog", "other") != "" {
		t.Error("a block that was taken away is still served")
	}
}

// What is no 2xx is not accepted, and a redirect is not followed.
func TestRefused(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	redirect := receive(t, func(w http.ResponseWriter, _ delivery) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	closed := httptest.NewServer(nil)
	closed.Close()
	local := receive(t, func(http.ResponseWriter, delivery) { t.Error("a private address was reached") })
	for name, test := range map[string]struct{ url, more, want string }{
		"redirect":        {redirect.URL, private, "it answered 307"},
		"nobody listens":  {closed.URL, private, "connection refused"},
		"private address": {local.URL, "", "127.0.0.1 is no public address"},
		"private name":    {strings.Replace(local.URL, "127.0.0.1", "localhost", 1), "", "is no public address"},
		"mapped address":  {strings.Replace(local.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1), "", "is no public address"},
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, rejectAll+"\n"+block("shop", test.url, test.more)).start(t)
			w.pay(t, "order-1")
			if line := w.logged(t); !strings.Contains(line.err, test.want) || line.due.IsZero() {
				t.Errorf("it logs %+v", line)
			}
		})
	}
}

// An answer without an end is accepted by its status; no more than a part of it is read.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	r := receive(t, func(w http.ResponseWriter, _ delivery) {
		defer close(stopped)
		for {
			if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
				return
			}
		}
	})
	w := setup(t, rejectAll+"\n"+block("shop", r.URL, private)).start(t)
	w.pay(t, "order-1")
	<-stopped
	until(t, "it is accepted", func() bool { return w.metric(t, "cauce_webhook_delivered_total", "shop") == "1" })
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if _, err := webhook.New(t.Context(), webhook.Config{}); err == nil {
		t.Error("a sender without an engine was made")
	}
}
