package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// A look that was set while the clock was ahead is not hours late once it is right again.
func TestClockThatWasAhead(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.providers["acme"].Script(providertest.Lose(provider.Pending))
	b.start(t)
	b.providers["acme"].FailLookups(provider.Errorf(provider.CodeUnavailable, "it is down")) // which is recorded
	p := b.pay(t, "order-1")
	b.clock.Advance(9 * time.Hour)
	until(t, "it is looked up and set for later", func() bool {
		var err error
		if p, err = b.Get(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
		return p.NextLookupAt.After(b.clock.Now())
	})
	b.providers["acme"].FailLookups(nil)
	b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
	right := b.crash(t)
	right.clock = providertest.NewClock(epoch.Add(time.Minute))
	right.start(t)
	right.becomes(t, p.ID, "succeeded")
	if at := right.clock.Now(); at.Sub(epoch) != time.Minute {
		t.Errorf("the clock shows %s", at)
	}
}

// aheadBy starts a router whose clock is days ahead.
func aheadBy(t *testing.T, days time.Duration, steps ...providertest.Step) *bundle {
	t.Helper()
	b := setup(t, one)
	b.providers["acme"].Script(steps...)
	b.clock.Advance(days * 24 * time.Hour)
	return b
}

// corrected is the next router, whose clock is right.
func (b *bundle) corrected(t *testing.T) *bundle {
	t.Helper()
	right := b.crash(t)
	right.clock = providertest.NewClock(epoch)
	return right
}

// A hand-over whose router died while the clock was ahead is taken up once its call cannot be running any more.
func TestHandOverWhileClockWasAhead(t *testing.T) {
	t.Parallel()
	var right *bundle
	step := providertest.Approve()
	b := aheadBy(t, 10, step)
	step.After = func(provider.Attempt) { right = b.corrected(t) }
	b.providers["acme"] = providertest.New("acme").Script(step)
	b.start(t)
	p := b.pay(t, "order-1")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	right.start(t)
	until(t, "it is taken up", func() bool {
		right.clock.Advance(time.Second)
		p, err := right.Get(t.Context(), p.ID)
		return err == nil && p.Status == payment.Succeeded
	})
	if waited := right.clock.Now().Sub(epoch); waited < routing.MaxTimeout || waited > 2*routing.MaxTimeout {
		t.Errorf("after %s", waited)
	}
}

// How old an attempt is that began while the clock was ahead nobody knows: its provider may have forgotten its key.
func TestNoResendOfWhatBeganWhileClockWasAhead(t *testing.T) {
	t.Parallel()
	b := aheadBy(t, 3, providertest.LoseBefore())
	b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true})
	b.providers["acme"].FailLookups(provider.Errorf(provider.CodeUnavailable, "it is down"))
	b.start(t)
	p := b.pay(t, "order-1")
	right := b.corrected(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	right.start(t)
	until(t, "its next look is brought forward", func() bool {
		p, err := right.Get(t.Context(), p.ID)
		return err == nil && p.NextLookupAt.Before(epoch.Add(time.Hour))
	})
	for range 20 {
		right.lookedAgain(t, p.ID)
	}
	if sent := len(b.providers["acme"].Submits()); sent != 1 {
		t.Errorf("it is sent %d times", sent)
	}
}

// Refresh, or a webhook, may take the turn of the look that would have set the attempt right.
func TestNoResendByRefreshOfWhatBeganWhileClockWasAhead(t *testing.T) {
	t.Parallel()
	b := aheadBy(t, 3, providertest.LoseBefore())
	b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true})
	b.start(t)
	p := b.pay(t, "order-1")
	right := b.corrected(t)
	right.configure = func(c *engine.Config) { c.Store = unclaimed{c.Store} }
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	right.start(t)
	until(t, "its next look is brought forward", func() bool {
		p, err := right.Get(t.Context(), p.ID)
		return err == nil && p.NextLookupAt.Before(epoch.Add(time.Hour))
	})
	if _, err := right.Refresh(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if sent := len(b.providers["acme"].Submits()); sent != 1 {
		t.Errorf("it is sent %d times", sent)
	}
}

// unclaimed is a store whose due payments another router has claimed.
type unclaimed struct{ store.Store }

func (unclaimed) Claim(context.Context, time.Time, time.Duration, int) ([]string, error) {
	return nil, nil
}

// Webhooks that cannot be worked through are tried again at growing pauses.
func TestInboxRetries(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.start(t)
	b.providers["acme"].FailLookups(provider.Errorf(provider.CodeUnavailable, "it is down"))
	b.notify(t, "acme", "ref-of-nobody-we-know")
	until(t, "it is tried", func() bool { return len(b.providers["acme"].Lookups()) == 1 })
	until(t, "an hour passes", func() bool {
		b.clock.Advance(5 * time.Second)
		return b.clock.Now().Sub(epoch) > time.Hour
	})
	if tried := len(b.providers["acme"].Lookups()); tried > 30 {
		t.Errorf("it was tried %d times in an hour", tried)
	}
	b.providers["acme"].FailLookups(nil)
	until(t, "it is worked through", func() bool {
		b.clock.Advance(time.Minute)
		left, err := b.store.Notifications(t.Context(), "", 1)
		return err == nil && len(left) == 0
	})
}
