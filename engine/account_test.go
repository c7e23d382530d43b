package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// atURL are rules whose provider acme is configured for an account.
func atURL(rules, url string) string {
	return strings.Replace(rules, `provider "acme" {}`, "provider \"acme\" {\n  config {\n    base_url = \""+url+"\"\n  }\n}", 1)
}

// moveAccount starts an engine, makes a payment, and has acme's label stand for another account from then on: by a
// reload or by a restart, later by the clock, which may have been put back.
func moveAccount(t *testing.T, rules string, byReload bool, later time.Duration, script func(p *providertest.Provider, first bool)) (*bundle, *launcher, *payment.Payment) {
	t.Helper()
	l := &launcher{started: map[string][]*providertest.Provider{}}
	l.script = func(p *providertest.Provider) {
		p.SetInfo(func(i *provider.Info) {
			i.Config = provider.Schema{{Name: "base_url", Type: provider.String, Doc: "the account"}}
		})
		script(p, len(l.started["acme"]) == 0)
	}
	path := writeRules(t, atURL(rules, "https://a.example"))
	b := setup(t, "")
	b.configure = func(c *engine.Config) { c.Plugins, c.Rules = l, path }
	b.start(t)
	p := b.pay(t, "order-1")
	b.clock.Advance(later)
	rewrite(t, path, atURL(rules, "https://b.example"))
	if byReload {
		b.reload(t)
	} else {
		b = b.crash(t).start(t)
	}
	return b, l, p
}

// What another account does not know proves nothing about an attempt, and the attempt is never sent to it.
func TestAnotherAccountUnderTheSameLabel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rules string
		recovery    payment.Recovery
	}{
		{"is sent nothing again", one, payment.Recovery{LookupByKey: true, ResendSameKey: true}},
		{"proves no absence", two, payment.Recovery{LookupByKey: true, AbsentAfter: payment.Duration(time.Minute)}},
		{"fails no payment", one, payment.Recovery{LookupByKey: true, AbsentAfter: payment.Duration(time.Minute)}},
	} {
		for how, later := range map[string]time.Duration{
			"reload": time.Millisecond, "restart": time.Millisecond, "reload with the clock put back": -time.Minute, "restart with the clock put back": -time.Minute,
		} {
			t.Run(c.name+" after a "+how, func(t *testing.T) {
				t.Parallel()
				b, l, p := moveAccount(t, c.rules, strings.HasPrefix(how, "reload"), later, func(p *providertest.Provider, first bool) {
					p.SetRecovery(c.recovery)
					if p.Always(providertest.Approve()); first && p.Info().Name == "acme" {
						p.Always(providertest.Lose(provider.Succeeded))
					}
				})
				for range 12 {
					b.lookAgain(t, p.ID)
					until(t, "the look has ended", func() bool {
						now, err := b.Get(t.Context(), p.ID)
						return err == nil && (now.Status.Final() || now.NextLookupAt.After(b.clock.Now()))
					})
					if now, err := b.Get(t.Context(), p.ID); err != nil || now.Status.Final() {
						break
					}
				}
				p, err := b.Get(t.Context(), p.ID)
				moved := 0
				for _, started := range l.started {
					for _, s := range started {
						moved += s.Moved(p.ID)
					}
				}
				if err != nil || moved != 1 || p.Status != payment.InDoubt || p.NextLookupAt.IsZero() {
					t.Errorf("it was executed %d times and is %s, next look %s, %v; %v", moved, p.Status, p.NextLookupAt, b.types(t, p.ID), err)
				}
			})
		}
	}
}

// A reload that gives the label to another account between a payment's decision and its hand-over: it goes to the account
// that it was decided for.
func TestAccountChangesBeforeTheHandOver(t *testing.T) {
	t.Parallel()
	l := &launcher{started: map[string][]*providertest.Provider{}}
	l.script = func(p *providertest.Provider) {
		p.SetInfo(func(i *provider.Info) {
			i.Config = provider.Schema{{Name: "base_url", Type: provider.String, Doc: "the account"}}
		})
		p.Always(providertest.Approve())
	}
	path := writeRules(t, atURL(one, "https://a.example"))
	b := setup(t, "")
	var once sync.Once
	b.configure = func(c *engine.Config) {
		c.Plugins, c.Rules = l, path
		c.Store = &lateStore{c.Store, func() {
			once.Do(func() {
				rewrite(t, path, atURL(one, "https://b.example"))
				if err := b.Reload(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}}
	}
	b.start(t)
	for n, order := range []string{"order-1", "order-2"} {
		if p := b.pay(t, order); p.Status != payment.Succeeded || l.of("acme")[n].Moved(p.ID) != 1 {
			t.Errorf("%s is %s: %+v", order, p.Status, p.Attempts)
		}
	}
}

// The list of banks of the account before says nothing about the new one's.
func TestBanksOfAnotherAccount(t *testing.T) {
	t.Parallel()
	b, _, p := moveAccount(t, one, false, time.Millisecond, func(p *providertest.Provider, first bool) {
		p.Always(providertest.Approve())
		if first {
			p.SetBanks(provider.Bank{Code: request().Payer.Bank, Name: "A"}, provider.Bank{Code: "1099", Name: "B"})
		} else {
			p.SetBanks(provider.Bank{Code: request().Payer.Bank, Name: "A"}, provider.Bank{Code: "1098", Name: "C"})
		}
	})
	if p.Status != payment.Succeeded {
		t.Fatal(p.Status)
	}
	until(t, "the new list is read", func() bool {
		banks, err := b.Banks(t.Context(), payment.PSE)
		return err == nil && len(banks) == 2 && banks[1].Code == "1098"
	})
}

// A webhook about a late success is kept until its look-up was answered.
func TestLateWebhookSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	acme := b.providers["acme"]
	rejected := providertest.Redirect()
	rejected.Status = provider.Rejected
	acme.Script(rejected)
	b.start(t)
	p := b.pay(t, "order-1")
	key := p.Attempts[0].Key
	acme.Settle(key, provider.Succeeded)
	acme.FailLookups(provider.Errorf(provider.CodeUnavailable, "503"))
	b.notify(t, "acme", "ref-"+key)
	until(t, "the webhook is worked on", func() bool { p, err := b.Get(t.Context(), p.ID); return err == nil && !p.NotifiedAt.IsZero() })
	acme.FailLookups(nil)
	until(t, "the late success is seen", func() bool {
		b.clock.Advance(time.Minute)
		p, err := b.Get(t.Context(), p.ID)
		return err == nil && p.Status == payment.Succeeded
	})
}

// A provider that is taken out of the rules stays until its payments are finished.
func TestProviderTakenOutOfTheRules(t *testing.T) {
	t.Parallel()
	l := &launcher{started: map[string][]*providertest.Provider{}}
	l.script = func(p *providertest.Provider) {
		p.Always(providertest.Approve())
		if p.Info().Name == "acme" {
			p.Always(providertest.Redirect())
		}
	}
	path := writeRules(t, two)
	b := setup(t, "")
	b.configure = func(c *engine.Config) { c.Plugins, c.Rules = l, path }
	b.start(t)
	p := b.pay(t, "order-1")
	if p.Status != payment.Pending || p.Provider != "acme" {
		t.Fatalf("%s at %s", p.Status, p.Provider)
	}
	rewrite(t, path, "provider \"bravo\" {}\nroute \"all\" { providers = [\"bravo\"] }\n")
	b.reload(t)
	l.of("acme")[0].Settle(p.Attempts[0].Key, provider.Succeeded)
	b.lookAgain(t, p.ID)
	b.becomes(t, p.ID, payment.Succeeded)
	rewrite(t, path, strings.Replace("provider \"bravo\" {}\nroute \"all\" { providers = [\"bravo\"] }\n", "all", "every", 1))
	b.reload(t)
	until(t, "it is closed once nothing needs it", func() bool { return l.of("acme")[0].Closed() })
}

// A provider becomes another account, which cannot be written down, and is the first one again: what that one does not
// know proves nothing about the payments of meanwhile.
func TestAccountThatWasNotKept(t *testing.T) {
	t.Parallel()
	for written := range 2 { // of what is to be written about it
		l := &launcher{started: map[string][]*providertest.Provider{}}
		l.script = func(p *providertest.Provider) {
			p.SetInfo(func(i *provider.Info) {
				i.Config = provider.Schema{{Name: "base_url", Type: provider.String, Doc: "the account"}}
			})
			p.SetRecovery(payment.Recovery{LookupByKey: true, AbsentAfter: payment.Duration(time.Minute)})
			if len(l.started["acme"]) == 1 {
				p.Always(providertest.Lose(provider.Succeeded))
			}
		}
		path := writeRules(t, atURL(one, "https://a.example"))
		b := setup(t, "")
		comes, writes := false, 0
		b.configure = func(c *engine.Config) {
			c.Plugins, c.Rules = l, path
			c.Store = &refusing{c.Store, func(setting string) bool {
				if !comes || !strings.HasPrefix(setting, "account/") {
					return false
				}
				writes++
				return writes > written
			}}
		}
		b.start(t)
		b.clock.Advance(time.Second)
		comes = true
		rewrite(t, path, atURL(one, "https://b.example"))
		if b.Reload(t.Context()) != nil {
			continue // it is not used
		}
		comes = false
		b.clock.Advance(time.Second)
		p := b.pay(t, "order-1")
		b.clock.Advance(time.Second)
		rewrite(t, path, atURL(one, "https://a.example"))
		b.reload(t)
		for range 10 {
			if p, _ := b.Get(t.Context(), p.ID); p.Status == payment.InDoubt {
				b.lookedAgain(t, p.ID)
			}
		}
		if p, err := b.Get(t.Context(), p.ID); err != nil || p.Status != payment.InDoubt {
			t.Errorf("%s, though the second account executed it: %v", asJSON(t, p), err)
		}
	}
}

// What another account does not know of a pending payment is for a person once the payment's page cannot be paid any more.
func TestPendingPaymentOfAnotherAccount(t *testing.T) {
	t.Parallel()
	b, _, p := moveAccount(t, two, true, time.Millisecond, func(p *providertest.Provider, _ bool) {
		p.SetRecovery(payment.Recovery{LookupByKey: true, AbsentAfter: payment.Duration(time.Minute), ExpiresAfter: payment.Duration(time.Hour)})
	})
	for b.clock.Now().Before(epoch.Add(2 * time.Hour)) {
		b.lookedAgain(t, p.ID)
	}
	p, err := b.Get(t.Context(), p.ID)
	if err != nil || p.Status != payment.InDoubt || len(p.Attempts) != 1 || p.NextLookupAt.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err = b.Resolve(t.Context(), p.ID, payment.Failed, "the old account's panel says so"); err != nil || p.Status != payment.Failed {
		t.Errorf("%+v, %v", p, err)
	}
}
