package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// secret is the last part of the provider's webhook path.
func (b *bundle) secret(name string) string {
	url := b.NotificationURL(name)
	return url[strings.LastIndex(url, "/")+1:]
}

func (b *bundle) notify(t *testing.T, name, body string) {
	t.Helper()
	if err := b.Notify(t.Context(), name, b.secret(name), provider.Notification{Method: "POST", Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

// inboxEmpty waits until every webhook has been worked through.
func (b *bundle) inboxEmpty(t *testing.T) {
	t.Helper()
	until(t, "the inbox is empty", func() bool {
		left, err := b.store.Notifications(t.Context(), "", 1)
		return err == nil && len(left) == 0
	})
}

func TestNotify(t *testing.T) {
	t.Parallel()

	t.Run("a webhook makes the engine ask", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		p := b.pay(t, "order-1")
		b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
		b.notify(t, "acme", p.Attempts[0].Reference)
		b.becomes(t, p.ID, payment.Succeeded)
	})

	t.Run("a forged one changes nothing, and a storm of them is one event", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		p := b.pay(t, "order-1")
		before := len(b.types(t, p.ID))
		for range 50 {
			b.notify(t, "acme", p.Attempts[0].Reference)
		}
		b.inboxEmpty(t)
		p, _ = b.Get(t.Context(), p.ID)
		if p.Status != payment.Pending || len(b.types(t, p.ID)) != before+1 {
			t.Errorf("it is %s with events %v", p.Status, b.types(t, p.ID))
		}
	})

	t.Run("one that overtakes the answer is looked at once the answer is stored", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		step := providertest.Redirect()
		step.After = func(a provider.Attempt) {
			b.providers["acme"].Settle(a.Key, provider.Succeeded)
			b.notify(t, "acme", "ref-"+a.Key)
		}
		b.providers["acme"].Script(step)
		b.start(t)
		// The answer was made before the payer paid: it still says pending.
		b.becomes(t, b.pay(t, "order-1").ID, payment.Succeeded)
		b.inboxEmpty(t)
	})

	t.Run("one about an attempt whose answer is lost finds it through the provider", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		b.providers["acme"].SetRecovery(payment.Recovery{}).Script(providertest.Lose(provider.Succeeded))
		b.start(t)
		p := b.pay(t, "order-1")
		if p.Status != payment.InDoubt {
			t.Fatalf("got %s", p.Status)
		}
		b.notify(t, "acme", "ref-"+p.Attempts[0].Key)
		p = b.becomes(t, p.ID, payment.Succeeded)
		if p.ProviderReference != "ref-"+p.Attempts[0].Key {
			t.Errorf("reference %q", p.ProviderReference)
		}
	})

	t.Run("one that the clock, jumping ahead, ages before the provider knows what it is about is kept", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		b.providers["acme"].SetRecovery(payment.Recovery{}).Script(providertest.Lose(provider.Succeeded)).HideFor(3)
		b.start(t)
		p := b.pay(t, "order-1")
		b.notify(t, "acme", "ref-"+p.Attempts[0].Key)
		until(t, "the provider is asked", func() bool { return len(b.providers["acme"].Lookups()) == 1 })
		b.clock.Advance(time.Hour)
		until(t, "it is asked until it knows", func() bool {
			b.clock.Advance(time.Minute)
			p, err := b.Get(t.Context(), p.ID)
			return err == nil && p.Status == payment.Succeeded
		})
	})

	t.Run("one whose look-up is under way when a resend is due does not put it off", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		acme := b.providers["acme"]
		acme.Script(providertest.LoseBefore()).Always(providertest.Approve())
		b.start(t)
		p := b.pay(t, "order-1")
		b.clock.Advance(time.Second)
		reached, hold := make(chan struct{}), make(chan struct{})
		acme.AfterLookup(func(provider.Query) { reached <- struct{}{}; <-hold })
		b.notify(t, "acme", "key:"+p.Attempts[0].Key)
		<-reached
		b.clock.Advance(p.NextLookupAt.Sub(b.clock.Now()))
		acme.AfterLookup(func(provider.Query) {})
		close(hold)
		b.becomes(t, p.ID, payment.Succeeded)
	})

	t.Run("unreadable and foreign ones are dropped", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		b.notify(t, "acme", "<html>")
		b.inboxEmpty(t)
		b.notify(t, "acme", "ref-of-somebody-else")
		until(t, "it is dropped after the provider had time to learn of it", func() bool {
			b.clock.Advance(time.Second)
			left, err := b.store.Notifications(t.Context(), "", 1)
			return err == nil && len(left) == 0
		})
		if asked := len(b.providers["acme"].Lookups()); asked < 2 || !b.clock.Now().After(epoch.Add(2*time.Minute)) {
			t.Errorf("the provider was asked %d times until %s", asked, b.clock.Now())
		}
	})

	t.Run("a wrong secret and an unknown provider are not found", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		for _, c := range [][2]string{{"acme", "guess"}, {"acme", ""}, {"nobody", b.secret("acme")}} {
			if err := b.Notify(t.Context(), c[0], c[1], provider.Notification{Body: []byte("ref-1")}); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("%v: %v", c, err)
			}
		}
	})

	t.Run("an acknowledged one survives a power loss", func(t *testing.T) {
		t.Parallel()
		b := run(t, one)
		p := b.pay(t, "order-1")
		b.providers["acme"].FailLookups(provider.Errorf(provider.CodeUnavailable, "down"))
		b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
		b.notify(t, "acme", p.Attempts[0].Reference)
		after := b.crash(t)
		after.providers["acme"].FailLookups(nil)
		after.start(t)
		after.becomes(t, p.ID, payment.Succeeded)
	})
}

// A webhook that names an attempt by a key, at a provider that cannot be asked by it: anybody who has seen the key can
// send it, and that the provider "does not find" the key is no proof that it did not execute the attempt.
func TestKeyThatItsProviderCannotBeAskedBy(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	b.providers["acme"].SetRecovery(payment.Recovery{AbsentAfter: payment.Duration(time.Minute)}).
		Script(providertest.Lose(provider.Succeeded)).HideFor(10)
	b.start(t)
	p := b.pay(t, "order-1")
	b.clock.Advance(2 * time.Minute)
	b.notify(t, "acme", "key:"+p.Attempts[0].Key)
	b.inboxEmpty(t)
	if p = b.becomes(t, p.ID, payment.InDoubt); len(p.Attempts) != 1 || len(b.providers["acme"].Lookups()) != 0 {
		t.Errorf("asked %d times; attempts %+v", len(b.providers["acme"].Lookups()), p.Attempts)
	}
}
