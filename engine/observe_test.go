package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func (b *bundle) metrics(t *testing.T) string {
	t.Helper()
	var text bytes.Buffer
	if err := b.WriteMetrics(context.Background(), &text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestAlarms(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	var log bytes.Buffer
	b.configure = func(c *engine.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	b.providers["acme"].Script(
		providertest.Misstate(func(o *provider.Outcome) { o.Amount = payment.Pesos(1) }), providertest.Redirect(), providertest.LoseBefore(),
	)
	b.start(t)
	b.pay(t, "order-1")
	p := b.pay(t, "order-2")
	b.providers["acme"].Settle(p.Attempts[0].Key, provider.Expired)
	for _, status := range []provider.Status{provider.Expired, provider.Succeeded} {
		b.providers["acme"].Settle(p.Attempts[0].Key, status)
		if _, err := b.Refresh(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
	}
	b.pay(t, "order-3")
	b.clock.Advance(time.Second)
	text := b.metrics(t)
	for _, line := range []string{
		`cauce_alarms_total{provider="acme",type="mismatch"} 1`, `cauce_alarms_total{provider="acme",type="late_success"} 1`,
		"cauce_payments_in_doubt 2", "cauce_in_doubt_oldest_seconds 1", `cauce_attempts_total{provider="acme",outcome="unknown"} 1`,
		`cauce_payments_total{status="succeeded"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	for _, alarm := range []string{"mismatch", "late_success"} {
		if !strings.Contains(log.String(), `msg="a payment needs a person: `+alarm+`"`) {
			t.Errorf("%s is not in the log: %s", alarm, log.String())
		}
	}
}

// The engine's counts of outcomes order the candidates of a route with strategy = "success_rate".
func TestSuccessRate(t *testing.T) {
	t.Parallel()
	b := setup(t, strings.Replace(two, `route "all" { providers = ["acme", "bravo"] }`, `route "all" {
  providers    = ["acme", "bravo"]
  strategy     = "success_rate"
  success_rate = { window = "1h", explore = 0, by = ["payer.bank"] }
}`, 1))
	b.providers["acme"].Always(providertest.Refuse(provider.CodeUnavailable))
	b.providers["bravo"].Always(providertest.Approve())
	b.start(t)
	first := func(key string) string { return b.pay(t, key).Attempts[0].Provider }
	first("order-0")
	if got := first("order-1"); got != "bravo" {
		t.Errorf("after its failure it still comes first: %s", got)
	}
	req := request()
	req.Payer.Bank = "1007"
	other, err := b.Decide(t.Context(), req)
	if err != nil || other.Providers[0] != "acme" {
		t.Errorf("another bank's payments are compared with it: %v %v", err, other.Providers)
	}
	decision, err := b.Decide(t.Context(), request())
	if err != nil || decision.Snapshot["acme"].Failures != 1 || decision.Snapshot["bravo"].Successes != 2 {
		t.Errorf("%v, the snapshot is %+v", err, decision.Snapshot)
	}
	b.clock.Advance(time.Hour)
	if decision, err = b.Decide(t.Context(), request()); err != nil || fmt.Sprint(decision.Providers) != "[acme bravo]" {
		t.Errorf("%v, what is older than the window counts: %v", err, decision.Providers)
	}
}
