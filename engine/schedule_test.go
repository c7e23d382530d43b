package engine_test

import (
	"testing"
	"time"

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
