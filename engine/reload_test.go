package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// launcher starts a new scripted provider at every Launch.
type launcher struct {
	mu      sync.Mutex
	started map[string][]*providertest.Provider
	script  func(*providertest.Provider)
}

func (l *launcher) Launch(_ context.Context, spec provider.Spec) (provider.Provider, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := providertest.New(spec.Name)
	if l.script != nil {
		l.script(p)
	}
	l.started[spec.Name] = append(l.started[spec.Name], p)
	return p, nil
}

func (l *launcher) of(name string) []*providertest.Provider {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.started[name]
}

// launched starts an engine whose providers are launched, and returns the path of its rules.
func launched(t *testing.T, rules string) (*bundle, *launcher, string) {
	t.Helper()
	l := &launcher{started: map[string][]*providertest.Provider{}}
	path := writeRules(t, rules)
	b := setup(t, "")
	b.configure = func(c *engine.Config) { c.Plugins, c.Rules = l, path }
	return b.start(t), l, path
}

func rewrite(t *testing.T, path, rules string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) reload(t *testing.T) {
	t.Helper()
	if err := b.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()

	t.Run("new payments go by the new rules, and name them; unchanged providers stay", func(t *testing.T) {
		t.Parallel()
		b, l, path := launched(t, one)
		before := b.pay(t, "order-1")
		b.clock.Advance(1)
		rewrite(t, path, strings.ReplaceAll(two, `["acme", "bravo"]`, `["bravo", "acme"]`))
		b.reload(t)
		after := b.pay(t, "order-2")
		if after.Provider != "bravo" || after.Rules != b.Rules().Hash() || after.Rules == before.Rules || !b.RulesLoadedAt().Equal(b.clock.Now()) {
			t.Errorf("paid by %s under %s; before %s", after.Provider, after.Rules, before.Rules)
		}
		if n := len(l.of("acme")); n != 1 || l.of("acme")[0].Closed() {
			t.Errorf("acme was started %d times", n)
		}
	})

	t.Run("faulty rules change nothing", func(t *testing.T) {
		t.Parallel()
		b, l, path := launched(t, one)
		hash := b.Rules().Hash()
		rewrite(t, path, strings.ReplaceAll(two, `provider "bravo" {}`, "provider \"bravo\" {\n  config {\n    colour = \"red\"\n  }\n}"))
		err := b.Reload(t.Context())
		var found routing.Diagnostics
		if !errors.As(err, &found) || found[0].Line != 5 {
			t.Errorf("got %v", err)
		}
		if got := l.of("bravo"); len(got) != 1 || !got[0].Closed() {
			t.Error("the provider that was started in vain runs on")
		}
		if b.Rules().Hash() != hash || b.pay(t, "order-1").Status != payment.Pending || l.of("acme")[0].Closed() {
			t.Error("the rules in force did not stay")
		}
		if text := b.metrics(t); !strings.Contains(text, "\ncauce_rules_last_reload_successful 0\n") {
			t.Errorf("the metrics do not tell it:\n%s", text)
		}
		rewrite(t, path, two)
		b.reload(t)
		if text := b.metrics(t); !strings.Contains(text, "\ncauce_rules_last_reload_successful 1\n") {
			t.Errorf("the metrics do not tell that all is well:\n%s", text)
		}
	})

	t.Run("only from the rules that the caller knows", func(t *testing.T) {
		t.Parallel()
		b, _, path := launched(t, one)
		hash := b.Rules().Hash()
		rewrite(t, path, two)
		if err := b.ReloadFrom(t.Context(), "0123456789abcdef"); !errors.Is(err, engine.ErrRulesChanged) || b.Rules().Hash() != hash {
			t.Errorf("got %v", err)
		}
		if err := b.ReloadFrom(t.Context(), hash); err != nil || b.Rules().Hash() == hash {
			t.Errorf("got %v", err)
		}
	})

	t.Run("a changed provider is started anew and the old one closed", func(t *testing.T) {
		t.Parallel()
		b, l, path := launched(t, one)
		rewrite(t, path, strings.Replace(one, `provider "acme" {}`, `provider "acme" { timeout = "7s" }`, 1))
		b.reload(t)
		until(t, "the old one is closed", func() bool { return l.of("acme")[0].Closed() })
		b.pay(t, "order-1")
		if len(l.of("acme")) != 2 || len(l.of("acme")[1].Submits()) != 1 {
			t.Error("the new one does not get the payments")
		}
	})

	t.Run("a payment under way ends under its own rules, failover to a provider that they alone name included", func(t *testing.T) {
		t.Parallel()
		b, l, path := launched(t, two)
		reached, goOn := make(chan struct{}), make(chan struct{})
		refuse := providertest.Refuse(provider.CodeUnavailable)
		refuse.Before = func(provider.Attempt) { close(reached); <-goOn }
		l.of("acme")[0].Script(refuse)
		began, _, err := b.Begin(t.Context(), "order-1", request())
		if err != nil {
			t.Fatal(err)
		}
		<-reached
		rewrite(t, path, `
provider "charlie" {}
route "all" { providers = ["charlie"] }
`)
		b.reload(t)
		if p := b.pay(t, "order-2"); p.Provider != "charlie" {
			t.Errorf("a new payment went to %s", p.Provider)
		}
		if l.of("acme")[0].Closed() || l.of("bravo")[0].Closed() {
			t.Error("a provider was closed under a payment")
		}
		close(goOn)
		p := b.becomes(t, began.ID, payment.Pending)
		if p.Provider != "bravo" || p.Rules == b.Rules().Hash() {
			t.Errorf("it went to %s under %s", p.Provider, p.Rules)
		}
		until(t, "the one that nothing needs is closed", func() bool { return l.of("acme")[0].Closed() })
		if l.of("bravo")[0].Closed() {
			t.Error("the provider of a pending payment was closed")
		}
	})

	t.Run("under load nothing is lost or paid twice", func(t *testing.T) {
		t.Parallel()
		b, l, path := launched(t, two)
		l.script = func(p *providertest.Provider) { p.Always(providertest.Approve()) }
		var payers, reloads sync.WaitGroup
		stop := make(chan struct{})
		reloads.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				rewrite(t, path, []string{one, two, strings.ReplaceAll(two, "{}", `{ timeout = "9s" }`)}[i%3])
				b.reload(t)
			}
		})
		const each = 50
		ids := make([][]string, 4)
		for n := range ids {
			payers.Go(func() {
				for i := range each {
					p, err := b.Pay(t.Context(), "order-"+string(rune('a'+n))+"-"+strings.Repeat("x", i), request())
					if err != nil || p.Status != payment.Succeeded && p.Status != payment.Pending {
						t.Errorf("%v %+v", err, p)
						return
					}
					ids[n] = append(ids[n], p.ID)
				}
			})
		}
		payers.Wait()
		close(stop)
		reloads.Wait()
		executed := map[string]int{}
		for _, name := range []string{"acme", "bravo"} {
			for _, p := range l.of(name) {
				for _, e := range p.Ledger() {
					executed[e.Attempt.PaymentID] += e.Times
				}
			}
		}
		for _, list := range ids {
			for _, id := range list {
				if executed[id] != 1 {
					t.Errorf("payment %s was executed %d times", id, executed[id])
				}
			}
		}
		if len(executed) != len(ids)*each {
			t.Errorf("%d payments were executed", len(executed))
		}
	})
}

func TestPause(t *testing.T) {
	t.Parallel()
	b := run(t, two)
	pending := b.pay(t, "order-1")
	if err := b.Pause(t.Context(), "acme", "ticket 1234"); err != nil {
		t.Fatal(err)
	}
	check := func(b *bundle, key string) {
		t.Helper()
		p := b.pay(t, key)
		decision, err := b.Decision(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if p.Provider != "bravo" || decision.Candidates[0].Reason != "paused: ticket 1234" {
			t.Errorf("paid by %s: %+v", p.Provider, decision.Candidates)
		}
	}
	check(b, "order-2")
	b.providers["acme"].Settle(pending.Attempts[0].Key, provider.Succeeded)
	if p, err := b.Refresh(t.Context(), pending.ID); err != nil || p.Status != payment.Succeeded {
		t.Errorf("what is under way does not go on: %v %+v", err, p)
	}
	after := b.crash(t).start(t)
	check(after, "order-3")
	if err := after.Resume(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if p := after.pay(t, "order-4"); p.Provider != "acme" {
		t.Errorf("resumed, but paid by %s", p.Provider)
	}
	if err := b.Pause(t.Context(), "nobody", ""); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestRulesWarnings expects what a start and a reload warn of to depend on the providers that run, and to be logged with
// its place.
func TestRulesWarnings(t *testing.T) {
	t.Parallel()
	const cards = "provider \"acme\" {}\nroute \"cards\" {\n  when = \"method == 'card'\"\n  providers = [\"acme\"]\n}\n"
	var log bytes.Buffer
	b := setup(t, one)
	path := writeRules(t, cards)
	b.configure = func(c *engine.Config) {
		c.Rules, c.Logger = path, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	expect := func(lines ...int) {
		t.Helper()
		var got []int
		for _, d := range b.RulesWarnings() {
			got = append(got, d.Line)
			if line := fmt.Sprintf("file=%s line=%d column=%d", path, d.Line, d.Column); !strings.Contains(log.String(), line) {
				t.Errorf("%s: no %s in the log:\n%s", d.Summary, line, log.String())
			}
		}
		if !slices.Equal(got, lines) {
			t.Errorf("warnings at lines %v, want %v: %+v", got, lines, b.RulesWarnings())
		}
	}
	b.start(t)
	expect(1, 4) // no route covers its PSE pay-ins, and the route's candidate takes no cards
	rewrite(t, path, one)
	b.reload(t)
	expect()
	rewrite(t, path, cards+"provider \"bravo\" {}\n")
	if err := b.Reload(t.Context()); err == nil {
		t.Error("bravo cannot be started")
	}
	expect()
	rewrite(t, path, "locals { unused = 1 }\n"+cards)
	b.reload(t)
	expect(1, 2, 5)
}
