package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func TestFollow(t *testing.T) {
	t.Parallel()

	ends := []struct {
		at   provider.Status
		want payment.Status
	}{
		{provider.Succeeded, payment.Succeeded}, {provider.Rejected, payment.Rejected},
		{provider.Expired, payment.Expired}, {provider.Failed, payment.Failed},
	}
	for _, c := range ends {
		t.Run("a pending payment is looked up until it is "+string(c.want), func(t *testing.T) {
			t.Parallel()
			b := run(t, one)
			p := b.pay(t, "order-1")
			for range 3 {
				asked := len(b.providers["acme"].Lookups())
				b.lookAgain(t, p.ID)
				until(t, "a look-up", func() bool { return len(b.providers["acme"].Lookups()) == asked+1 })
				until(t, "the next look is set", func() bool {
					p, _ = b.Get(t.Context(), p.ID)
					return p.NextLookupAt.After(b.clock.Now())
				})
			}
			b.providers["acme"].Settle(p.Attempts[0].Key, c.at)
			b.lookAgain(t, p.ID)
			p = b.becomes(t, p.ID, c.want)
			if p.Action != nil || c.want != payment.Succeeded && p.Failure == nil {
				t.Errorf("the end: action %+v, failure %+v", p.Action, p.Failure)
			}
			wantTypes(t, b.types(t, p.ID), payment.EventCreated, payment.EventDecided, payment.EventAttemptStarted,
				payment.EventAttemptEnded, payment.EventPending, payment.EventLookup, payment.EventFor(c.want))
		})
	}

	t.Run("the pauses grow from seconds to minutes to hours and never end", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		p := b.pay(t, "order-1")
		var last time.Duration
		for b.clock.Now().Before(epoch.Add(30 * 24 * time.Hour)) {
			asked := len(b.providers["acme"].Lookups())
			last = p.NextLookupAt.Sub(b.clock.Now())
			b.lookAgain(t, p.ID)
			until(t, "a look-up", func() bool { return len(b.providers["acme"].Lookups()) > asked })
			until(t, "the next look is set", func() bool {
				p, _ = b.Get(t.Context(), p.ID)
				return p.NextLookupAt.After(b.clock.Now())
			})
		}
		if n := len(b.providers["acme"].Lookups()); n > 500 || last < 5*time.Hour || last > 7*time.Hour {
			t.Errorf("%d look-ups in 30 days, the last pause %s", n, last)
		}
		if len(b.types(t, p.ID)) != 5 {
			t.Errorf("look-ups that told nothing new are events: %v", b.types(t, p.ID))
		}
	})
}

// A doubt is resolved by what the provider says later, never by handing the payment to somebody else.
func TestDoubt(t *testing.T) {
	t.Parallel()

	t.Run("a look-up by key finds it executed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true}).Script(providertest.Lose(provider.Succeeded))
		b.start(t)
		p := b.pay(t, "order-1")
		b.lookAgain(t, p.ID)
		p = b.becomes(t, p.ID, payment.Succeeded)
		if p.Failure != nil || len(b.providers["bravo"].Submits()) != 0 || b.providers["acme"].Moved(p.ID) != 1 {
			t.Errorf("got %+v", p)
		}
	})

	t.Run("absence is lag until absent_after has passed, then proof", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		after := 10 * time.Minute
		b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, AbsentAfter: payment.Duration(after)}).
			Script(providertest.LoseBefore())
		b.start(t)
		p := b.pay(t, "order-1")
		proof := p.Attempts[0].DeadlineAt.Add(after)
		for p.Status == payment.InDoubt {
			if len(b.providers["bravo"].Submits()) != 0 {
				t.Fatal("handed to another provider while in doubt")
			}
			b.lookAgain(t, p.ID)
			until(t, "the look-up is stored", func() bool {
				p, _ = b.Get(t.Context(), p.ID)
				return p.Status == payment.Pending || p.Status == payment.InDoubt && p.NextLookupAt.After(b.clock.Now())
			})
		}
		if p.Provider != "bravo" || b.clock.Now().Before(proof) {
			t.Errorf("went on to %s at %s, absence is proof from %s", p.Provider, b.clock.Now(), proof)
		}
	})

	t.Run("absence without absent_after proves nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true}).Script(providertest.LoseBefore())
		b.start(t)
		p := b.pay(t, "order-1")
		for range 40 {
			asked := len(b.providers["acme"].Lookups())
			b.lookAgain(t, p.ID)
			until(t, "a look-up", func() bool { return len(b.providers["acme"].Lookups()) > asked })
			until(t, "the next look is set", func() bool {
				p, _ = b.Get(t.Context(), p.ID)
				return p.NextLookupAt.After(b.clock.Now())
			})
		}
		if p.Status != payment.InDoubt || len(b.providers["bravo"].Submits()) != 0 {
			t.Errorf("after %s it is %s", b.clock.Now().Sub(epoch), p.Status)
		}
	})

	t.Run("it is sent again under the same key where that is promised to be harmless", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true}).Script(providertest.Lose(provider.Pending))
		b.start(t)
		p := b.pay(t, "order-1")
		b.lookAgain(t, p.ID)
		p = b.becomes(t, p.ID, payment.Pending)
		submits := b.providers["acme"].Submits()
		if len(submits) != 2 || submits[0].Key != submits[1].Key || !submits[1].Resend || len(p.Attempts) != 1 || p.Action == nil {
			t.Errorf("submits %+v, payment %+v", submits, p)
		}
		if ledger := b.providers["acme"].Ledger(); len(ledger) != 1 {
			t.Errorf("executed %d times", len(ledger))
		}
	})

	t.Run("whoever refreshes it all the time does not keep it from being sent again", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true}).Script(providertest.Lose(provider.Pending))
		b.start(t)
		p := b.pay(t, "order-1")
		due := p.NextLookupAt
		for b.clock.Now().Before(due) {
			if _, err := b.Refresh(t.Context(), p.ID); err != nil {
				t.Fatal(err)
			}
			b.clock.Advance(time.Second)
		}
		b.becomes(t, p.ID, payment.Pending)
	})

	hasKey := providertest.Step{Err: &provider.Error{Code: provider.CodeUnknown, Message: "it has this key", NoResend: true}}
	lost := providertest.Lose(provider.Succeeded)
	for _, tc := range []struct {
		name  string
		steps []providertest.Step
	}{
		{"it is not sent again where the provider has its key", []providertest.Step{hasKey}},
		{"nor where the provider tells so when it is sent again", []providertest.Step{lost, lost, hasKey}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, one)
			b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true}).Script(tc.steps...)
			b.start(t)
			p := b.pay(t, "order-1")
			for b.clock.Now().Sub(epoch) < 9*time.Minute {
				b.lookedAgain(t, p.ID)
			}
			p, err := b.Get(t.Context(), p.ID)
			if n := len(b.providers["acme"].Submits()); err != nil || n != len(tc.steps) || p.Status != payment.InDoubt || !p.Attempts[0].NoResend {
				t.Errorf("it was sent %d times: %+v, %v", n, p, err)
			}
		})
	}

	t.Run("a refused resend says nothing about the first hand-over", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true}).
			Script(providertest.Lose(provider.Succeeded), providertest.Refuse(provider.CodeUnavailable), providertest.Refuse(provider.CodeInvalid))
		b.start(t)
		p := b.pay(t, "order-1")
		for n := 2; n <= 3; n++ {
			b.lookAgain(t, p.ID)
			until(t, "a resend", func() bool { return len(b.providers["acme"].Submits()) == n })
			until(t, "the next look is set", func() bool {
				p, _ = b.Get(t.Context(), p.ID)
				return p.NextLookupAt.After(b.clock.Now()) && p.Attempts[0].Code != "resend"
			})
			if p.Status != payment.InDoubt || len(b.providers["bravo"].Submits()) != 0 {
				t.Fatalf("after resend %d it is %s", n, p.Status)
			}
		}
		b.lookAgain(t, p.ID)
		b.becomes(t, p.ID, payment.Succeeded)
	})

	t.Run("an unanswered pay-in whose URL nobody has ends as expired, and a later success wins", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		b.providers["acme"].SetRecovery(payment.Recovery{ExpiresAfter: payment.Duration(45 * time.Minute)}).
			Script(providertest.Lose(provider.Pending))
		b.start(t)
		p := b.pay(t, "order-1")
		for p.Status == payment.InDoubt {
			b.lookAgain(t, p.ID)
			until(t, "the look is stored", func() bool {
				p, _ = b.Get(t.Context(), p.ID)
				return p.Status != payment.InDoubt || p.NextLookupAt.After(b.clock.Now())
			})
		}
		if p.Status != payment.Expired || b.clock.Now().Before(p.Attempts[0].DeadlineAt.Add(45*time.Minute)) {
			t.Fatalf("it is %s at %s", p.Status, b.clock.Now())
		}
		b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
		b.notify(t, "acme", "ref-"+p.Attempts[0].Key)
		b.becomes(t, p.ID, payment.Succeeded)
		if types := b.types(t, p.ID); types[len(types)-1] != payment.EventLateSuccess {
			t.Errorf("events %v", types)
		}
	})

	t.Run("a call that hangs ends at its deadline, in doubt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		step, called := providertest.Hang(provider.Succeeded), make(chan struct{})
		step.After = func(provider.Attempt) { close(called) }
		b.providers["acme"].Script(step)
		b.start(t)
		go func() { <-called; b.clock.Advance(20 * time.Second) }()
		p := b.pay(t, "order-1")
		if p.Status != payment.InDoubt || p.Attempts[0].Message != "no answer within 20s" {
			t.Fatalf("got %s, %+v", p.Status, p.Attempts[0])
		}
		b.lookAgain(t, p.ID)
		b.becomes(t, p.ID, payment.Succeeded)
	})

	t.Run("what an error tells at the deadline is kept", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		step, called := providertest.Hang(provider.Pending), make(chan struct{})
		step.After = func(provider.Attempt) { close(called) }
		b.providers["acme"].Script(step)
		b.configure = func(c *engine.Config) {
			c.Providers["acme"] = brokenOff{b.providers["acme"], &provider.Error{Code: provider.CodeUnknown, Reference: "ref-1", NoResend: true}}
		}
		b.start(t)
		go func() { <-called; b.clock.Advance(20 * time.Second) }()
		if a := b.pay(t, "order-1").Attempts[0]; a.Message != "no answer within 20s" || a.Reference != "ref-1" || !a.NoResend {
			t.Errorf("got %+v", a)
		}
	})
}

// brokenOff is a provider whose hand-overs end with that error.
type brokenOff struct {
	*providertest.Provider
	err error
}

func (p brokenOff) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	_, _ = p.Provider.Submit(ctx, a)
	return provider.Outcome{}, p.err
}

// A difference between the provider's record and ours is never a success and never settled by itself.
func TestMismatch(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*provider.Outcome){
		"amount":   func(o *provider.Outcome) { o.Amount = payment.Pesos(200) },
		"key":      func(o *provider.Outcome) { o.Key = "somebody-elses-00000" },
		"currency": func(o *provider.Outcome) { o.Currency = "PEN" },
	}
	for field, change := range changes {
		t.Run(field+" in the answer", func(t *testing.T) {
			t.Parallel()
			b := setup(t, two)
			b.providers["acme"].Script(providertest.Misstate(change))
			b.start(t)
			p := b.pay(t, "order-1")
			if p.Status != payment.InDoubt || p.Failure.Code != payment.CodeMismatch || p.Action != nil || !p.NextLookupAt.IsZero() {
				t.Fatalf("got %s, %+v, %+v", p.Status, p.Failure, p.Action)
			}
			if !slices.Contains(b.types(t, p.ID), payment.EventMismatch) || len(b.providers["bravo"].Submits()) != 0 {
				t.Errorf("events %v", b.types(t, p.ID))
			}
			b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
			if p, _ = b.Refresh(t.Context(), p.ID); p.Status != payment.InDoubt {
				t.Errorf("a later clean answer made it %s", p.Status)
			}
			p, err := b.Resolve(t.Context(), p.ID, payment.Rejected, "cancelled at the provider by phone")
			if err != nil || p.Status != payment.Rejected {
				t.Errorf("resolved: %+v, %v", p, err)
			}
		})
	}
}

func TestLateSuccess(t *testing.T) {
	t.Parallel()
	b := run(t, one)
	p := b.pay(t, "order-1")
	b.providers["acme"].Settle(p.Attempts[0].Key, provider.Rejected)
	if p, _ = b.Refresh(t.Context(), p.ID); p.Status != payment.Rejected {
		t.Fatalf("got %s", p.Status)
	}
	b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
	b.notify(t, "acme", "key:"+p.Attempts[0].Key)
	p = b.becomes(t, p.ID, payment.Succeeded)
	if types := b.types(t, p.ID); types[len(types)-1] != payment.EventLateSuccess {
		t.Errorf("events %v", types)
	}
	b.providers["acme"].Settle(p.Attempts[0].Key, provider.Rejected)
	if p, _ = b.Refresh(t.Context(), p.ID); p.Status != payment.Succeeded {
		t.Errorf("a success became %s", p.Status)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.providers["acme"].SetRecovery(payment.Recovery{}).Script(providertest.Lose(provider.Succeeded))
	b.start(t)
	doubt, pending := b.pay(t, "order-1"), b.pay(t, "order-2")
	for _, c := range []struct {
		id     string
		status payment.Status
		note   string
	}{
		{doubt.ID, payment.Pending, "why not"}, {doubt.ID, payment.Succeeded, " "}, {pending.ID, payment.Succeeded, "I say so"},
	} {
		if _, err := b.Resolve(t.Context(), c.id, c.status, c.note); !errors.Is(err, engine.ErrNotResolvable) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	p, err := b.Resolve(t.Context(), doubt.ID, payment.Succeeded, "seen in the provider's panel")
	if err != nil || p.Status != payment.Succeeded || p.Attempts[0].Status != payment.AttemptSucceeded {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := b.Resolve(t.Context(), "pay_none", payment.Succeeded, "x"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("unknown payment: %v", err)
	}
}

// Resends come at growing pauses, not at every deadline.
func TestPausesOfResends(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true}).Always(providertest.LoseBefore())
	b.start(t)
	p := b.pay(t, "order-1")
	for b.clock.Now().Sub(epoch) < 9*time.Minute {
		b.lookedAgain(t, p.ID)
	}
	if n := len(b.providers["acme"].Submits()); n < 6 || n > 16 {
		t.Errorf("it was sent %d times in nine minutes", n)
	}
}

// captures answers an attempt that it has executed with an error that mentions a process which is not running.
type captures struct {
	*providertest.Provider
	calls atomic.Int32
}

func (c *captures) Submit(context.Context, provider.Attempt) (provider.Outcome, error) {
	c.calls.Add(1)
	return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "captured, then the second step failed: %w", provider.ErrNotRunning)
}

func TestOnlyWhatNeverReachedAProviderIsTriedAgain(t *testing.T) {
	t.Parallel()
	acme := &captures{Provider: providertest.New("acme").SetRecovery(payment.Recovery{})}
	b := setup(t, one)
	b.configure = func(c *engine.Config) { c.Providers = map[string]provider.Provider{"acme": acme} }
	b.start(t)
	if p := b.pay(t, "order-1"); p.Status != payment.InDoubt || acme.calls.Load() != 1 {
		t.Errorf("it is %s, and was sent %d times", p.Status, acme.calls.Load())
	}
}

// A success is never dropped, also where a person has decided otherwise about a mismatch that the provider then corrects.
func TestSuccessAfterResolvedMismatch(t *testing.T) {
	t.Parallel()
	b := run(t, one)
	acme := b.providers["acme"]
	p := b.pay(t, "order-1")
	key := p.Attempts[0].Key
	acme.Restate(key, payment.Pesos(1))
	if p, _ = b.Refresh(t.Context(), p.ID); p.Status != payment.InDoubt {
		t.Fatal(p.Status)
	}
	if _, err := b.Resolve(t.Context(), p.ID, payment.Failed, "not paid"); err != nil {
		t.Fatal(err)
	}
	if p, err := b.Refresh(t.Context(), p.ID); err != nil || p.Status != payment.Failed { // it still differs
		t.Fatalf("it is %s, %v", p.Status, err)
	}
	acme.Restate(key, payment.Pesos(20_000))
	acme.Settle(key, provider.Succeeded)
	b.notify(t, "acme", p.Attempts[0].Reference)
	b.inboxEmpty(t)
	p, err := b.Get(t.Context(), p.ID)
	if types := b.types(t, p.ID); err != nil || p.Status != payment.Succeeded || !slices.Contains(types, payment.EventLateSuccess) {
		t.Errorf("it is %s: %v, %v", p.Status, types, err)
	}
}

// restating is a provider that answers look-ups with another reference and without our key.
type restating struct{ *providertest.Provider }

func (r restating) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	o, err := r.Provider.Lookup(ctx, q)
	o.Key, o.Reference, o.Status = "", "ref-of-another-payment", provider.Succeeded
	return o, err
}

// An answer about another reference than the one that was asked for is about another payment.
func TestAnswerAboutAnotherReference(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.configure = func(c *engine.Config) { c.Providers["acme"] = restating{b.providers["acme"]} }
	b.start(t)
	p := b.pay(t, "order-1")
	p, err := b.Refresh(t.Context(), p.ID)
	if err != nil || p.Status != payment.InDoubt || p.Failure.Code != payment.CodeMismatch {
		t.Errorf("it is %s: %+v, %v", p.Status, p.Failure, err)
	}
}
