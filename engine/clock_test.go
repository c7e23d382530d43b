package engine_test

import (
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// moved counts how often a payment's money moved, at all providers.
func (b *bundle) moved(p *payment.Payment) (n int) {
	for _, s := range b.providers {
		n += s.Moved(p.ID)
	}
	return n
}

// That the clock says that the time has passed after which "not found" is proof is none, where somebody has just set it.
func TestClockPutAheadProvesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, AbsentAfter: payment.Duration(10 * time.Minute)}).
		HideFor(1).Script(providertest.Lose(provider.Succeeded))
	b.providers["bravo"].Always(providertest.Approve())
	b.start(t)
	p := b.pay(t, "order-1")
	b.clock.Set(epoch.Add(15 * time.Minute))
	until(t, "it succeeds", func() bool {
		b.clock.Advance(time.Second)
		var err error
		p, err = b.Get(t.Context(), p.ID)
		return err == nil && p.Status == payment.Succeeded
	})
	if n := b.moved(p); n != 1 || p.Provider != "acme" {
		t.Errorf("money moved %d times: %v", n, b.types(t, p.ID))
	}
}

// What was sent before the clock was put back may be older than the provider remembers a key.
func TestClockPutBackEndsResends(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]time.Duration{"not set": 0, "put back": -2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, one)
			acme := b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true}).Always(providertest.LoseBefore())
			b.start(t)
			p := b.pay(t, "order-1")
			look := func() {
				b.lookedAgain(t, p.ID)
				until(t, "no resend is under way", func() bool {
					p, err := b.Get(t.Context(), p.ID)
					return err == nil && p.Attempts[0].Code != "resend"
				})
			}
			for b.clock.Now().Sub(epoch) < 3*time.Minute {
				look()
			}
			b.clock.Set(b.clock.Now().Add(step))
			before, began := len(acme.Submits()), b.clock.Monotonic()
			for b.clock.Monotonic()-began < 5*time.Minute {
				look()
			}
			if again := len(acme.Submits()) > before; again != (step == 0) {
				t.Errorf("it was handed over %d times before, and %d times in all", before, len(acme.Submits()))
			}
		})
	}
}

// A page that a payer holds is followed for as long as it lives, also where the clock was ahead for a moment.
func TestClockAheadForAMomentLosesNoLateSuccess(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	acme := b.providers["acme"]
	step := providertest.Redirect()
	step.Change = func(o *provider.Outcome) { o.ExpiresAt = epoch.Add(time.Hour) }
	acme.Script(step)
	b.start(t)
	p := b.pay(t, "order-1")
	acme.Settle(p.Attempts[0].Key, provider.Rejected)
	b.lookAgain(t, p.ID)
	p = b.becomes(t, p.ID, payment.Rejected)
	b.clock.Set(b.clock.Now().Add(2 * time.Hour))
	b.clock.Advance(time.Minute)
	until(t, "it is looked at while the clock is ahead", func() bool {
		now, err := b.Get(t.Context(), p.ID)
		return err == nil && !now.NextLookupAt.Equal(p.NextLookupAt)
	})
	b.clock.Set(b.clock.Now().Add(-2 * time.Hour))
	acme.Settle(p.Attempts[0].Key, provider.Succeeded)
	until(t, "it is a late success", func() bool {
		b.clock.Advance(time.Minute)
		p, err := b.Get(t.Context(), p.ID)
		return err == nil && p.Status == payment.Succeeded
	})
}

// Steps back that are too small to be heeded do not hide that the clock is put ahead.
func TestClockPutAheadAfterASmallStepBack(t *testing.T) {
	t.Parallel()
	const absent = time.Minute
	b := setup(t, two)
	b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, AbsentAfter: payment.Duration(absent)}).Script(providertest.LoseBefore())
	b.start(t)
	b.clock.Advance(time.Hour)
	b.clock.Set(b.clock.Now().Add(-50 * time.Second))
	p := b.pay(t, "order-1")
	began := b.clock.Monotonic()
	b.clock.Set(b.clock.Now().Add(50 * time.Second))
	until(t, "it goes on", func() bool {
		b.clock.Advance(time.Second)
		var err error
		p, err = b.Get(t.Context(), p.ID)
		return err == nil && p.Status == payment.Pending
	})
	if waited := b.clock.Monotonic() - began; waited < absent {
		t.Errorf("%s after the call, absence is proof; it is declared to be after %s", waited, absent)
	}
}

// That the clock was put back outlives the router: a later one does not send again what began before.
func TestClockPutBackIsNotForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	acme := b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true}).Always(providertest.LoseBefore())
	b.start(t)
	p := b.pay(t, "order-1")
	b.clock.Advance(3 * time.Minute)
	b.clock.Set(b.clock.Now().Add(-2 * time.Minute))
	began := b.clock.Monotonic()
	until(t, "it is noted", func() bool {
		b.clock.Advance(time.Second)
		p, err := b.Get(t.Context(), p.ID)
		return err == nil && p.Attempts[0].NoResend
	})
	if took := b.clock.Monotonic() - began; took > 2*time.Minute {
		t.Errorf("it is noted after %s", took)
	}
	b = b.crash(t).start(t)
	before := len(acme.Submits())
	for b.clock.Monotonic() < 5*time.Minute {
		b.lookedAgain(t, p.ID)
	}
	if after := len(acme.Submits()); after != before {
		t.Errorf("it was sent %d times before, and %d times after the restart", before, after)
	}
}
