package engine_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// status returns what the engine tells of acme.
func (b *bundle) status(t *testing.T) engine.ProviderStatus {
	t.Helper()
	for _, p := range b.Providers(t.Context()) {
		if p.Name == "acme" {
			return p
		}
	}
	t.Fatal("there is no acme")
	return engine.ProviderStatus{}
}

// took lets each hand-over to acme take that long.
func (b *bundle) took(p *providertest.Provider, s providertest.Step, each ...time.Duration) {
	n := 0
	p.Each(func(provider.Attempt) providertest.Step {
		b.clock.Advance(each[n%len(each)])
		n++
		return s
	})
}

func TestProviderStatistics(t *testing.T) {
	t.Parallel()
	b := setup(t, one).start(t)
	if p := b.status(t); p.SuccessRate != nil || p.Latency != nil || len(p.Counts) > 0 || time.Duration(p.Window) != 30*time.Minute {
		t.Errorf("before any attempt: %+v", p)
	}
	acme := b.providers["acme"]
	pay := func(n int, s providertest.Step, each ...time.Duration) {
		t.Helper()
		b.took(acme, s, each...)
		for range n {
			b.pay(t, fmt.Sprint("order-", b.clock.Now().UnixNano()))
		}
	}
	pay(97, providertest.Approve(), 100*time.Millisecond)
	pay(2, providertest.Refuse(provider.CodeUnavailable), time.Second)
	pay(1, providertest.Refuse(provider.CodeDeclined), 4*time.Second)

	check := func(when string) {
		t.Helper()
		p := b.status(t)
		if want := map[string]int64{"succeeded": 97, "unavailable": 2, "declined": 1}; !maps.Equal(p.Counts, want) {
			t.Errorf("%s: counts %v, want %v", when, p.Counts, want)
		}
		if p.SuccessRate == nil || *p.SuccessRate != 0.9798 {
			t.Errorf("%s: success rate %v, want 97 of 99: a decline is the payer's", when, p.SuccessRate)
		}
		l := p.Latency
		if l == nil {
			t.Fatalf("%s: no latency", when)
		}
		within := func(got, want float64) bool { return got >= want && got <= 1.1*want }
		if l.Calls != 100 || !within(l.P50, 100) || !within(l.P95, 100) || !within(l.P99, 1000) {
			t.Errorf("%s: %+v", when, *l)
		}
	}
	check("live")
	text := b.metrics(t)
	for _, line := range []string{
		`cauce_attempts_total{provider="acme",outcome="succeeded"} 97`, `cauce_provider_success_rate{provider="acme"} 0.9798`,
		`cauce_handover_seconds_count{provider="acme"} 100`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}

	b.clock.Advance(time.Second)
	b = b.crash(t).start(t)
	until(t, "the stored attempts are counted", func() bool { return b.status(t).Counts["succeeded"] == 97 && b.status(t).Counts["declined"] == 1 })
	check("after a restart")

	b.clock.Advance(time.Hour)
	if p := b.status(t); p.SuccessRate != nil || p.Latency != nil || len(p.Counts) > 0 {
		t.Errorf("after the window: %+v", p)
	}
	b = b.crash(t).start(t)
	acme.Always(providertest.Approve())
	b.pay(t, "order-last")
	if p := b.status(t); *p.SuccessRate != 1 || p.Counts["unavailable"] != 0 {
		t.Errorf("what is older than the window counts after a restart: %+v", p)
	}
}

// A route that goes by success rates knows after a restart, and when a reload asks for other ones, who failed before.
func TestSuccessRateOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	const bySuccess = `
provider "acme" {}
provider "bravo" {}
route "all" {
  providers    = ["acme", "bravo"]
  strategy     = "success_rate"
  success_rate = { window = "30m", explore = 0, by = ["payer.bank"] }
}
`
	first := func(t *testing.T, b *bundle) string {
		t.Helper()
		d, err := b.Decide(t.Context(), request())
		if err != nil {
			t.Fatal(err)
		}
		return d.Providers[0]
	}
	for how, byReload := range map[string]bool{"restart": false, "reload": true} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			rules := bySuccess
			if byReload {
				rules = two
			}
			path := writeRules(t, rules)
			b := setup(t, two)
			b.configure = func(c *engine.Config) { c.Rules = path }
			b.providers["acme"].Always(providertest.Refuse(provider.CodeUnavailable))
			b.providers["bravo"].Always(providertest.Approve())
			b.start(t)
			for i := range 3 {
				if p := b.pay(t, fmt.Sprint("order-", i)); p.Status != payment.Succeeded {
					t.Fatal(p.Status)
				}
			}
			b.clock.Advance(time.Minute)
			if byReload {
				rewrite(t, path, bySuccess)
				b.reload(t)
			} else {
				b = b.crash(t).start(t)
			}
			until(t, "acme's failures are known", func() bool { return first(t, b) == "bravo" })
		})
	}
}

func TestOddClocks(t *testing.T) {
	t.Parallel()
	for _, now := range []time.Time{time.Unix(30, 0), time.Unix(-1_000_000, 0), time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)} {
		b := setup(t, one)
		b.clock = providertest.NewClock(now)
		b.start(t)
		b.pay(t, "order-1")
	}
}

// What a clock counted that was days ahead does not hide what comes after.
func TestStatisticsAfterAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	b := run(t, one)
	b.providers["acme"].Always(providertest.Approve())
	pay := func(prefix string) {
		for n := range 12 {
			b.clock.Advance(150 * time.Second)
			b.pay(t, fmt.Sprint(prefix, n))
		}
	}
	b.clock.Advance(48 * time.Hour)
	pay("ahead-")
	b.clock.Advance(-48 * time.Hour)
	pay("right-")
	if s := b.Providers(t.Context())[0]; s.SuccessRate == nil || *s.SuccessRate != 1 || s.Counts["succeeded"] != 12 {
		t.Errorf("%+v", s)
	}
}

// What recovery makes of an attempt that the router left is not the provider's doing, now and after another restart.
func TestStatisticsOfARouterThatStopped(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	var after *bundle
	step := providertest.Approve()
	step.Before = func(provider.Attempt) { after = b.crash(t) }
	b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, ResendSameKey: true}).Script(step)
	b.start(t)
	p := b.pay(t, "order-1")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = after.start(t)
	b.lookedAgain(t, p.ID)
	b.becomes(t, p.ID, payment.Succeeded)
	check := func(when string) {
		t.Helper()
		if s := b.status(t); s.SuccessRate == nil || *s.SuccessRate != 1 || s.Counts["unknown"] != 0 {
			t.Errorf("%s: %+v", when, s)
		}
	}
	check("live")
	b.clock.Advance(time.Second)
	b = b.crash(t).start(t)
	until(t, "the stored payment is counted", func() bool { return b.status(t).SuccessRate != nil })
	check("after a restart")
}

// How long a hand-over took does not depend on whether the clock was set meanwhile.
func TestHandOverTimeWhileTheClockIsSet(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{-time.Hour, time.Hour} {
		b := setup(t, one)
		s := providertest.Approve()
		s.Before = func(provider.Attempt) {
			b.clock.Advance(time.Second)
			b.clock.Set(b.clock.Now().Add(step))
		}
		b.providers["acme"].Script(s)
		b.start(t)
		b.pay(t, "order-1")
		if text := b.metrics(t); !strings.Contains(text, "\ncauce_handover_seconds_sum{provider=\"acme\"} 1\n") {
			t.Errorf("the clock was set by %s: %s", step, text[strings.Index(text, "cauce_handover_seconds_sum"):])
		}
		if l := b.status(t).Latency; l == nil || l.P50 < 1000 || l.P50 > 1100 {
			t.Errorf("the clock was set by %s: %+v", step, l)
		}
	}
}

// A pay-in that its provider had taken and then closed as failed, as a look-up tells, is the provider's failure; one that
// the payer was refused or did not pay in time is not.
func TestSuccessRateOfWhatFailsLater(t *testing.T) {
	t.Parallel()
	b := run(t, one)
	acme := b.providers["acme"]
	for i, status := range []provider.Status{provider.Failed, provider.Rejected, provider.Expired, provider.Succeeded} {
		p := b.pay(t, fmt.Sprint("order-", i))
		acme.Settle(p.Attempts[0].Key, status)
		if p, err := b.Refresh(t.Context(), p.ID); err != nil || !p.Status.Final() {
			t.Fatal(p, err)
		}
	}
	b.clock.Advance(time.Second)
	for _, when := range []string{"live", "after a restart"} {
		until(t, when+" one of two attempts has succeeded", func() bool { rate := b.status(t).SuccessRate; return rate != nil && *rate == 0.5 })
		b = b.crash(t).start(t)
	}
}
