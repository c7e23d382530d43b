package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func TestPay(t *testing.T) {
	t.Parallel()

	t.Run("a redirect is pending with its URL and its whole history", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		p := b.pay(t, "order-1")
		if p.Status != payment.Pending || p.Action == nil || p.Action.Type != "redirect" || p.Provider != "acme" || p.Route != "all" {
			t.Fatalf("got %+v", p)
		}
		if !strings.HasPrefix(p.ID, "pay_") || len(p.ID) != 30 || len(p.Attempts) != 1 || len(p.Attempts[0].Key) != 20 {
			t.Errorf("id %q, attempts %+v", p.ID, p.Attempts)
		}
		wantTypes(t, b.types(t, p.ID), payment.EventCreated, payment.EventDecided, payment.EventAttemptStarted,
			payment.EventAttemptEnded, payment.EventPending)
		if got := b.providers["acme"].Submits()[0]; got.Key != p.Attempts[0].Key || got.PaymentID != p.ID || got.Payment.Currency != "COP" ||
			!strings.HasPrefix(got.NotificationURL, "https://pay.example.com/v1/notifications/acme/") {
			t.Errorf("the provider was handed %+v", got)
		}
	})

	t.Run("the intent is durable before the provider hears of it", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		var survivor *bundle
		step := providertest.Redirect()
		step.Before = func(provider.Attempt) { survivor = b.crash(t) }
		b.providers["acme"].Script(step)
		b.start(t)
		p := b.pay(t, "order-1")
		survivor.start(t)
		after, err := survivor.Get(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if after.Status != payment.Processing || after.Attempts[0].Key != p.Attempts[0].Key || !after.Request.Equal(request()) {
			t.Errorf("after the power loss: %+v", after)
		}
	})

	t.Run("fifty callers with one key execute once", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		var all sync.WaitGroup
		ids := make([]string, 50)
		for i := range ids {
			all.Go(func() {
				p, err := b.Pay(t.Context(), "order-1", request())
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = p.ID
				if p.Status != payment.Pending {
					t.Errorf("a caller got %s", p.Status)
				}
			})
		}
		all.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("different payments: %v", ids)
			}
		}
		if n := len(b.providers["acme"].Submits()); n != 1 {
			t.Errorf("handed over %d times", n)
		}
	})

	t.Run("a known key replays, with another request it is refused", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		p := b.pay(t, "order-1")
		again, replayed, err := b.Begin(t.Context(), "order-1", request())
		if err != nil || !replayed || again.ID != p.ID {
			t.Errorf("replay: %+v, %t, %v", again, replayed, err)
		}
		other := request()
		other.Amount = payment.Pesos(20_001)
		if _, err := b.Pay(t.Context(), "order-1", other); !errors.Is(err, engine.ErrKeyReused) {
			t.Errorf("another request under the same key: %v", err)
		}
		if n := len(b.providers["acme"].Submits()); n != 1 {
			t.Errorf("handed over %d times", n)
		}
	})

	t.Run("bad input is refused and not recorded", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		bad := request()
		bad.Amount, bad.Method, bad.Payer.Email = payment.Money{}, "gold", "nobody"
		var invalid *payment.ValidationError
		if _, err := b.Pay(t.Context(), "order-1", bad); !errors.As(err, &invalid) || len(invalid.Faults) != 4 {
			t.Errorf("got %v", err)
		}
		for _, key := range []string{"", "a\nb", strings.Repeat("k", 256)} {
			if _, err := b.Pay(t.Context(), key, request()); !errors.Is(err, engine.ErrKey) {
				t.Errorf("key %q: %v", key, err)
			}
		}
		if n := len(b.providers["acme"].Submits()); n != 0 {
			t.Errorf("handed over %d times", n)
		}
	})

	t.Run("a caller that goes away stops nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		called, release := make(chan struct{}), make(chan struct{})
		step := providertest.Approve()
		step.After = func(provider.Attempt) { close(called); <-release }
		b.providers["acme"].Script(step)
		b.start(t)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-called; cancel() }()
		p, err := b.Pay(ctx, "order-1", request())
		if !errors.Is(err, context.Canceled) || p == nil || p.Status != payment.Processing {
			t.Errorf("the caller got %+v, %v", p, err)
		}
		close(release)
		b.becomes(t, p.ID, payment.Succeeded)
	})
}

func TestPayWithoutHandingOver(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, rules, code string
		status            payment.Status
		change            func(*payment.Request)
	}{
		{"no route", "provider \"acme\" {}\nroute \"big\" {\n  when = \"amount > 50000\"\n  providers = [\"acme\"]\n}\n", payment.CodeNoRoute, payment.Failed, nil},
		{"a rule rejects", "provider \"acme\" {}\nroute \"no\" { reject = \"not today\" }\n", payment.CodeRule, payment.Rejected, nil},
		{"every candidate is screened out", one, payment.CodeNoCandidate, payment.Failed, func(r *payment.Request) { r.Payer.Email = "" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := run(t, c.rules)
			req := request()
			if c.change != nil {
				c.change(&req)
			}
			p, err := b.Pay(t.Context(), "order-1", req)
			if err != nil || p.Status != c.status || p.Failure == nil || p.Failure.Code != c.code || len(p.Attempts) != 0 {
				t.Errorf("got %+v, %+v, %v", p, p.Failure, err)
			}
			if n := len(b.providers["acme"].Submits()); n != 0 {
				t.Errorf("handed over %d times", n)
			}
			if !p.NextLookupAt.IsZero() {
				t.Errorf("it would be looked up at %s", p.NextLookupAt)
			}
		})
	}
}

// What the engine does after each answer of the first of two candidates, whose provider makes no promises.
func TestPayFailover(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		first providertest.Step
		want  payment.Status
		code  string // of the first attempt
		goes  bool   // on to the second candidate
	}{
		{"invalid", providertest.Refuse(provider.CodeInvalid), payment.Pending, "invalid", true},
		{"unauthorized", providertest.Refuse(provider.CodeUnauthorized), payment.Pending, "unauthorized", true},
		{"exhausted", providertest.Refuse(provider.CodeExhausted), payment.Pending, "exhausted", true},
		{"unavailable", providertest.Refuse(provider.CodeUnavailable), payment.Pending, "unavailable", true},
		{"declined", providertest.Refuse(provider.CodeDeclined), payment.Rejected, "declined", false},
		{"rejected at once", providertest.Decline(), payment.Rejected, "rejected", false},
		{"failed for certain", providertest.Step{Execute: true, Status: provider.Failed}, payment.Pending, "failed", true},
		{"answer lost", providertest.Lose(provider.Succeeded), payment.InDoubt, "unknown", false},
		{"request lost", providertest.LoseBefore(), payment.InDoubt, "unknown", false},
		{"an error of no known code", providertest.Refuse("surprise"), payment.InDoubt, "unknown", false},
		{"the plugin died", providertest.Die(provider.Pending), payment.InDoubt, "unknown", false},
		{"an unknown status", providertest.Step{Execute: true, Status: "fine"}, payment.InDoubt, "unknown", false},
		{"absent", providertest.Step{Execute: true, Status: provider.Absent}, payment.InDoubt, "unknown", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, two)
			b.providers["acme"].SetRecovery(payment.Recovery{}).Script(c.first)
			b.start(t)
			p := b.pay(t, "order-1")
			if p.Status != c.want || p.Attempts[0].Code != c.code {
				t.Errorf("payment is %s, its first attempt %+v", p.Status, p.Attempts[0])
			}
			if went := len(b.providers["bravo"].Submits()) == 1; went != c.goes {
				t.Errorf("went on to the second candidate: %t", went)
			}
			if p.Status == payment.InDoubt && (p.NextLookupAt.IsZero() || p.Failure.Code != payment.CodeUnknown) {
				t.Errorf("in doubt without a next look or a reason: %+v", p)
			}
		})
	}
}

func TestPayFailoverPolicy(t *testing.T) {
	t.Parallel()

	t.Run("nobody took it", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		b.providers["acme"].Always(providertest.Refuse(provider.CodeInvalid))
		b.providers["bravo"].Always(providertest.Refuse(provider.CodeExhausted))
		b.start(t)
		p := b.pay(t, "order-1")
		if p.Status != payment.Failed || p.Failure.Code != payment.CodeAttemptsFailed ||
			!strings.Contains(p.Failure.Message, "acme: invalid") || !strings.Contains(p.Failure.Message, "bravo: exhausted") {
			t.Errorf("got %s, %+v", p.Status, p.Failure)
		}
		if p.Attempts[0].Key == p.Attempts[1].Key {
			t.Error("two attempts have one key")
		}
	})

	t.Run("a code that the route does not list stops", func(t *testing.T) {
		t.Parallel()
		b := setup(t, strings.Replace(two, `{ providers = ["acme", "bravo"] }`, `{
  providers = ["acme", "bravo"]
  failover  = { on = ["exhausted"] }
}`, 1))
		b.providers["acme"].Always(providertest.Refuse(provider.CodeInvalid))
		b.start(t)
		if p := b.pay(t, "order-1"); p.Status != payment.Failed || len(p.Attempts) != 1 {
			t.Errorf("got %s after %d attempts", p.Status, len(p.Attempts))
		}
	})

	t.Run("declined goes on where the route says so", func(t *testing.T) {
		t.Parallel()
		b := setup(t, strings.Replace(two, `{ providers = ["acme", "bravo"] }`, `{
  providers = ["acme", "bravo"]
  failover  = { on = ["declined"] }
}`, 1))
		b.providers["acme"].Always(providertest.Refuse(provider.CodeDeclined))
		b.start(t)
		if p := b.pay(t, "order-1"); p.Status != payment.Pending || len(p.Attempts) != 2 {
			t.Errorf("got %s after %d attempts", p.Status, len(p.Attempts))
		}
	})

	t.Run("not after the time within which it may", func(t *testing.T) {
		t.Parallel()
		b := setup(t, strings.Replace(two, `{ providers = ["acme", "bravo"] }`, `{
  providers = ["acme", "bravo"]
  failover  = { within = "5s" }
}`, 1))
		slow := providertest.Refuse(provider.CodeUnavailable)
		slow.Before = func(provider.Attempt) { b.clock.Advance(6 * time.Second) }
		b.providers["acme"].Script(slow)
		b.start(t)
		if p := b.pay(t, "order-1"); p.Status != payment.Failed || len(p.Attempts) != 1 {
			t.Errorf("got %s after %d attempts", p.Status, len(p.Attempts))
		}
	})
}

// An unanswered redirect pay-in whose URL nobody was given may be abandoned for the next candidate, where the
// provider declares so; a success of it that shows later is not dropped.
func TestAbandon(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	b.providers["acme"].SetRecovery(payment.Recovery{AbandonIfUnanswered: true, ExpiresAfter: payment.Duration(45 * time.Minute)}).
		Script(providertest.Lose(provider.Pending))
	b.start(t)
	p := b.pay(t, "order-1")
	if p.Status != payment.Pending || p.Provider != "bravo" || p.Attempts[0].Status != payment.AttemptAbandoned {
		t.Fatalf("got %s at %s, first attempt %s", p.Status, p.Provider, p.Attempts[0].Status)
	}
	wantTypes(t, b.types(t, p.ID), payment.EventCreated, payment.EventDecided, payment.EventAttemptStarted, payment.EventAttemptEnded,
		payment.EventAbandoned, payment.EventAttemptStarted, payment.EventAttemptEnded, payment.EventPending)

	b.providers["bravo"].Settle(p.Attempts[1].Key, provider.Succeeded)
	if p, _ = b.Refresh(t.Context(), p.ID); p.Status != payment.Succeeded {
		t.Fatalf("got %s", p.Status)
	}
	b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
	b.notify(t, "acme", "ref-"+p.Attempts[0].Key)
	until(t, "the double payment is noticed", func() bool {
		types := b.types(t, p.ID)
		return types[len(types)-1] == payment.EventDoublePayment
	})
}
