package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// withSecret are rules whose provider acme has that notification_secret; "" = none.
func withSecret(secret string) string {
	if secret == "" {
		return one
	}
	return strings.Replace(one, `provider "acme" {}`, `provider "acme" { notification_secret = "`+secret+`" }`, 1)
}

// relauncher starts the same provider again and again: one process after another, in front of the same books.
type relauncher struct{ *providertest.Provider }

func (l relauncher) Launch(context.Context, provider.Spec) (provider.Provider, error) {
	return l.Provider, nil
}

// A payment's webhooks come to the path that its provider was told of, whatever the rules say since.
func TestAnotherNotificationSecret(t *testing.T) {
	t.Parallel()
	for how, byReload := range map[string]bool{"reload": true, "restart": false} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			l := relauncher{providertest.New("acme")}
			path := writeRules(t, withSecret(""))
			b := setup(t, "")
			b.configure = func(c *engine.Config) { c.Plugins, c.Rules, c.Store = l, path, shortPages{c.Store} }
			b.start(t)
			change := func(secret string) {
				b.clock.Advance(time.Millisecond)
				rewrite(t, path, withSecret(secret))
				if byReload {
					b.reload(t)
				} else {
					b = b.crash(t).start(t)
				}
			}
			takes := func(secret string, want bool) {
				t.Helper()
				err := b.Notify(t.Context(), "acme", secret, provider.Notification{Body: []byte("ref-of-nobody")})
				if want && err != nil || !want && !errors.Is(err, engine.ErrNotFound) {
					t.Errorf("the secret %q: %v, taken: %t", secret, err, want)
				}
			}
			random := b.secret("acme")
			p := b.pay(t, "order-1")
			change("0123456789abcdef-second")
			change("0123456789abcdef-third")
			takes("0123456789abcdef-third", true)
			takes("0123456789abcdef-second", true)
			takes(random, true)
			takes("0123456789abcdef-guess", false)
			takes("", false)

			l.Settle(p.Attempts[0].Key, provider.Succeeded)
			if err := b.Notify(t.Context(), "acme", random, provider.Notification{Body: []byte(p.Attempts[0].Reference)}); err != nil {
				t.Fatal(err)
			}
			b.becomes(t, p.ID, payment.Succeeded)
			takes(random, false)
			takes("0123456789abcdef-third", true)

			b.clock.Advance(time.Millisecond)
			b.pay(t, "order-2")
			takes("0123456789abcdef-second", false)
			change(random)
			takes(random, true)
			takes("0123456789abcdef-third", true)

			for _, name := range []string{"0123456789abcdef-second", "0123456789abcdef-third"} {
				kept, err := b.store.Setting(t.Context(), "notification_secrets/acme")
				if err != nil || strings.Contains(string(kept), name) {
					t.Errorf("the store keeps %s, %v", kept, err)
				}
			}
		})
	}
}

func TestSecretsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.configure = func(c *engine.Config) {
		if err := c.Store.PutSetting(t.Context(), "notification_secrets/acme", []byte("7")); err != nil {
			t.Fatal(err)
		}
	}
	b.start(t)
}
