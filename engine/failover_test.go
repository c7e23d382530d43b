package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	b := setup(t, strings.Replace(two, `provider "acme" {}`, `provider "acme" {
  breaker = { failures = 2, within = "1m", cool_off = "30s" }
}`, 1))
	down := providertest.Step{Err: &provider.Error{Code: provider.CodeUnavailable, Message: "no answer about Miguel Rodriguez", ProviderCode: "503"}}
	unasked := providertest.Step{Err: provider.Errorf(provider.CodeInvalid, "the plugin cannot take it")} // by itself
	b.providers["acme"].Script(
		providertest.Refuse(provider.CodeInvalid), providertest.Refuse(provider.CodeInvalid), // the payer's faults
		down, unasked, down, // opens it
		unasked,                 // says nothing
		down,                    // the trial
		providertest.Redirect()) // the next one
	b.start(t)
	tried := func(key string, names ...string) {
		t.Helper()
		p := b.pay(t, key)
		var got []string
		for _, a := range p.Attempts {
			got = append(got, a.Provider)
		}
		if strings.Join(got, " ") != strings.Join(names, " ") {
			t.Errorf("%s was tried at %v, want %v", key, got, names)
		}
	}
	breaker := func(want string) {
		t.Helper()
		if got := b.Providers(t.Context())[0].Breaker; got != want {
			t.Errorf("the breaker is %s, want %s", got, want)
		}
	}
	for _, key := range []string{"order-1", "order-2", "order-3", "order-3a"} {
		tried(key, "acme", "bravo")
		breaker("closed")
	}
	tried("order-4", "acme", "bravo")
	breaker("open")
	if reason := b.Providers(t.Context())[0].Reason; reason != "unavailable (503)" {
		t.Errorf("one payment's failure is told to all as %q", reason)
	}
	tried("order-5", "bravo")
	b.clock.Advance(30 * time.Second)
	breaker("half_open")
	tried("order-5a", "acme", "bravo")
	breaker("half_open")
	tried("order-6", "acme", "bravo")
	breaker("open")
	tried("order-7", "bravo")
	b.clock.Advance(30 * time.Second)
	tried("order-8", "acme")
	breaker("closed")
	tried("order-9", "acme")
}

func TestLimit(t *testing.T) {
	t.Parallel()

	t.Run("in flight", func(t *testing.T) {
		t.Parallel()
		b := setup(t, strings.Replace(two, `provider "acme" {}`, `provider "acme" { limit = { in_flight = 1 } }`, 1))
		reached, goOn := make(chan struct{}), make(chan struct{})
		slow := providertest.Redirect()
		slow.Before = func(provider.Attempt) { close(reached); <-goOn }
		b.providers["acme"].Script(slow)
		b.start(t)
		first, _, err := b.Begin(t.Context(), "order-1", request())
		if err != nil {
			t.Fatal(err)
		}
		<-reached
		if p := b.pay(t, "order-2"); p.Provider != "bravo" {
			t.Errorf("over the limit it went to %s", p.Provider)
		}
		close(goOn)
		b.becomes(t, first.ID, payment.Pending)
		if p := b.pay(t, "order-3"); p.Provider != "acme" {
			t.Errorf("below the limit it went to %s", p.Provider)
		}
	})

	t.Run("per second", func(t *testing.T) {
		t.Parallel()
		b := run(t, strings.Replace(two, `provider "acme" {}`, `provider "acme" { limit = { per_second = 2 } }`, 1))
		for i, want := range []string{"acme", "acme", "bravo"} {
			if p := b.pay(t, "first-"+string(rune('a'+i))); p.Provider != want {
				t.Errorf("payment %d went to %s", i, p.Provider)
			}
		}
		b.clock.Advance(time.Second)
		if p := b.pay(t, "order-4"); p.Provider != "acme" {
			t.Errorf("in the next second it went to %s", p.Provider)
		}
	})
}

func TestFailover(t *testing.T) {
	t.Parallel()

	t.Run("a candidate that was paused since the decision is left out, with the reason", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		refuse := providertest.Refuse(provider.CodeUnavailable)
		refuse.Before = func(provider.Attempt) {
			if err := b.Pause(t.Context(), "bravo", "ticket 1234"); err != nil {
				t.Error(err)
			}
		}
		b.providers["acme"].Script(refuse)
		b.start(t)
		p := b.pay(t, "order-1")
		if p.Status != payment.Failed || len(p.Attempts) != 1 || !strings.Contains(p.Failure.Message, "bravo: paused: ticket 1234") {
			t.Errorf("%s after %d attempts: %s", p.Status, len(p.Attempts), p.Failure.Message)
		}
	})

	t.Run("each hop says why", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		b.providers["acme"].Script(providertest.Refuse(provider.CodeUnavailable))
		b.start(t)
		p := b.pay(t, "order-1")
		events, err := b.History(t.Context(), p.ID, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		if got := events[4]; got.Type != payment.EventAttemptStarted || got.Data.Message != "after acme: unavailable" {
			t.Errorf("got %+v", got)
		}
		if _, err := b.Refresh(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
		text := b.metrics(t)
		for _, line := range []string{
			`cauce_failovers_total{provider="acme",reason="unavailable"} 1`, `cauce_lookups_total{provider="bravo",outcome="pending"} 1`,
		} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("no line %s in\n%s", line, text)
			}
		}
	})

	t.Run("declined goes on only where the route lists it", func(t *testing.T) {
		t.Parallel()
		for on, want := range map[string]payment.Status{`"unavailable"`: payment.Rejected, `"declined"`: payment.Pending} {
			b := setup(t, strings.Replace(two, `"bravo"] }`, `"bravo"]
  failover = { on = [`+on+`] }
}`, 1))
			b.rules = strings.Replace(b.rules, `route "all" { providers`, "route \"all\" {\n  providers", 1)
			b.providers["acme"].Script(providertest.Refuse(provider.CodeDeclined))
			b.start(t)
			if p := b.pay(t, "order-1"); p.Status != want {
				t.Errorf("with on = [%s] it is %s, want %s", on, p.Status, want)
			}
		}
	})

	t.Run("a bank that is down at PSE is down at every provider", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		down := providertest.Refuse(provider.CodeUnavailable)
		down.Err = &provider.Error{Code: provider.CodeUnavailable, Message: "the bank does not answer", Field: "payer.bank"}
		b.providers["acme"].Always(down)
		b.start(t)
		for _, key := range []string{"order-1", "order-2", "order-3", "order-4", "order-5", "order-6"} {
			p := b.pay(t, key)
			if p.Status != payment.Failed || len(p.Attempts) != 1 || !strings.Contains(p.Failure.Message, "through one network") {
				t.Fatalf("%s after %d attempts: %+v", p.Status, len(p.Attempts), p.Failure)
			}
		}
		if got := b.Providers(t.Context())[0].Breaker; got != "closed" {
			t.Errorf("the bank's outage left the provider's breaker %s", got)
		}
	})

	t.Run("two URLs never live at once", func(t *testing.T) {
		t.Parallel()
		b := run(t, two) // both would give a URL
		p := b.pay(t, "order-1")
		first := p.Action.URL
		b.providers["acme"].FailLookups(provider.Errorf(provider.CodeUnavailable, "it is down"))
		for range 20 {
			b.lookAgain(t, p.ID)
			if _, err := b.Refresh(t.Context(), p.ID); err != nil {
				t.Fatal(err)
			}
		}
		p, err := b.Get(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.providers["bravo"].Submits()) != 0 || p.Action == nil || p.Action.URL != first {
			t.Errorf("a second URL was made while the first lives: %+v", p)
		}
	})
}

// However many payments find a breaker half open, one tries whether the provider works again.
func TestOneTrial(t *testing.T) {
	t.Parallel()
	b := setup(t, strings.Replace(two, `provider "acme" {}`, `provider "acme" {
  breaker = { failures = 1, within = "1m", cool_off = "30s" }
}`, 1))
	const payments = 32
	others := make(chan struct{}, payments)
	trial := providertest.Redirect()
	trial.Before = func(provider.Attempt) {
		for range payments - 1 {
			select {
			case <-others:
			case <-time.After(5 * time.Second):
				t.Error("not all others went elsewhere")
				return
			}
		}
	}
	b.providers["acme"].Script(providertest.Refuse(provider.CodeUnavailable), trial)
	b.providers["bravo"].Each(func(provider.Attempt) providertest.Step {
		step := providertest.Redirect()
		step.After = func(provider.Attempt) { others <- struct{}{} }
		return step
	})
	b.start(t)
	b.pay(t, "order-0")
	<-others
	b.clock.Advance(30 * time.Second)
	var calls sync.WaitGroup
	for n := range payments {
		calls.Go(func() {
			if p := b.pay(t, fmt.Sprint("order-", n+1)); p.Status != payment.Pending {
				t.Errorf("it is %s: %+v", p.Status, p.Attempts)
			}
		})
	}
	calls.Wait()
	if counts := b.Providers(t.Context())[0].Counts; counts["unavailable"] != 1 || counts["pending"] != 1 || len(counts) > 3 || len(counts) == 3 && counts["held"] == 0 {
		t.Errorf("what was never asked counts against the provider: %v", counts)
	}
	if n := len(b.providers["acme"].Submits()); n != 2 {
		t.Errorf("%d payments tried at once whether it works again", n-1)
	}
	if breaker := b.Providers(t.Context())[0].Breaker; breaker != "closed" {
		t.Errorf("after the trial the breaker is %s", breaker)
	}
}

// While a provider's process is started again its payments wait, unless another candidate may be tried.
func TestNotRunning(t *testing.T) {
	t.Parallel()
	away := providertest.Step{Err: &provider.Error{Code: provider.CodeUnavailable, Message: "it is being started again", Err: provider.ErrNotRunning}}
	strict := strings.Replace(two, `{ providers = ["acme", "bravo"] }`, "{\n providers = [\"acme\", \"bravo\"]\n failover = { on = [\"invalid\"] }\n}", 1)
	redirect, declined := providertest.Redirect(), providertest.Refuse(provider.CodeDeclined)
	for name, c := range map[string]struct {
		rules    string
		script   []providertest.Step
		status   payment.Status
		provider string // of the last attempt
	}{
		"the only candidate is waited for":   {one, []providertest.Step{away, away, redirect}, payment.Pending, "acme"},
		"another one is tried at once":       {two, []providertest.Step{away, redirect}, payment.Pending, "bravo"},
		"not one that the route forbids":     {strict, []providertest.Step{away, redirect}, payment.Pending, "acme"},
		"until shortly before the deadline":  {one, nil, payment.Failed, "acme"},
		"what it says then is what it means": {one, []providertest.Step{away, declined}, payment.Rejected, "acme"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.rules)
			b.providers["acme"].Always(away).Script(c.script...)
			b.start(t)
			p, _, err := b.Begin(t.Context(), "order-1", request())
			if err != nil {
				t.Fatal(err)
			}
			until(t, "it leaves processing", func() bool {
				if p, err = b.Get(t.Context(), p.ID); err != nil {
					t.Fatal(err)
				}
				if p.Status == payment.Processing && c.provider == "acme" {
					b.clock.Advance(50 * time.Millisecond)
				}
				return p.Status != payment.Processing
			})
			took := b.clock.Now().Sub(epoch)
			if p.Status != c.status || p.Current().Provider != c.provider || c.status == payment.Failed && (took < 19*time.Second || took > 20*time.Second) {
				t.Errorf("after %s it is %s: %+v", took, p.Status, p.Attempts)
			}
			for _, a := range b.providers["acme"].Submits() {
				if a.Key != p.Attempts[0].Key || a.Number != 1 {
					t.Errorf("it was tried as another attempt: %+v", a)
				}
			}
		})
	}
}

func TestScreenAgain(t *testing.T) {
	t.Parallel()
	const maintained = `provider "bravo" { maintenance = { from = "00:00", to = "24:00" } }`
	unwell := strings.Replace(two, `["acme", "bravo"]`, `["acme", "bravo", "charlie"]`, 1) + `provider "charlie" {}`
	for name, c := range map[string]struct {
		before, after string
		meanwhile     func(*testing.T, *bundle, *launcher)
		provider      string // that takes the payment at last; "" = none
		why           string
	}{
		"maintenance of rules that were reloaded": {
			before: two, after: strings.Replace(two, `provider "bravo" {}`, maintained, 1),
			why: "bravo: in maintenance from 00:00 to 24:00",
		},
		"refused credentials under rules that were reloaded": {
			before: unwell, after: unwell + "# changed\n",
			meanwhile: func(t *testing.T, b *bundle, l *launcher) {
				bravo := l.of("bravo")[0]
				bravo.FailChecks(provider.Errorf(provider.CodeUnauthorized, "refused")) // the one at the start may still come
				bravo.Script(providertest.Refuse(provider.CodeUnauthorized))
				req := request()
				req.Metadata = map[string]string{"to": "bravo"}
				if _, err := b.Pay(t.Context(), "order-2", req); err != nil {
					t.Error(err)
				}
			},
			provider: "charlie", why: "bravo: ok, but unhealthy and so behind the others: it refuses our credentials",
		},
		"maintenance that began after the route's time was over": {
			before: strings.NewReplacer(
				`provider "acme" {}`, `provider "acme" { timeout = "2m" }`, // the call outlives the minute
				`provider "bravo" {}`, `provider "bravo" { maintenance = { from = "10:01", to = "11:00" } }`,
				`route "all" { providers = ["acme", "bravo"] }`, "route \"all\" {\n  when = \"now.Minute() == 0\"\n  providers = [\"acme\", \"bravo\"]\n}",
			).Replace(two),
			meanwhile: func(_ *testing.T, b *bundle, _ *launcher) { b.clock.Advance(time.Minute) },
			why:       "bravo: in maintenance from 10:01 to 11:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			toBravo := "route \"bravo\" {\n  when = \"metadata.to == 'bravo'\"\n  providers = [\"bravo\"]\n}\n"
			b, l, path := launched(t, toBravo+c.before)
			reached, goOn := make(chan struct{}), make(chan struct{})
			refuse := providertest.Refuse(provider.CodeUnavailable)
			refuse.Before = func(provider.Attempt) { close(reached); <-goOn }
			l.of("acme")[0].Script(refuse)
			began, _, err := b.Begin(t.Context(), "order-1", request())
			if err != nil {
				t.Fatal(err)
			}
			<-reached
			if c.meanwhile != nil {
				c.meanwhile(t, b, l)
			}
			if c.after != "" {
				rewrite(t, path, toBravo+c.after)
				b.reload(t)
			}
			close(goOn)
			p, err := b.Wait(t.Context(), began.ID)
			if err != nil {
				t.Fatal(err)
			}
			why := ""
			if c.provider != "" {
				events, err := b.History(t.Context(), p.ID, 0, 100)
				if err != nil {
					t.Fatal(err)
				}
				why = events[4].Data.Message
			} else if p.Failure != nil {
				why = p.Failure.Message
			}
			if last := p.Current().Provider; c.provider != "" && last != c.provider || c.provider == "" && len(p.Attempts) != 1 {
				t.Errorf("it went to %s in %d attempts", last, len(p.Attempts))
			}
			if !strings.Contains(why, c.why) {
				t.Errorf("why: %q, want %q in it", why, c.why)
			}
		})
	}
}
