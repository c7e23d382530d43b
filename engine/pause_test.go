package engine_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// slowPauses is a store whose next answer about a pause waits until it is let go.
type slowPauses struct {
	store.Store
	armed       atomic.Bool
	reads       atomic.Int64
	read, letGo chan struct{}
}

func (s *slowPauses) Setting(ctx context.Context, name string) ([]byte, error) {
	value, err := s.Store.Setting(ctx, name)
	if strings.HasPrefix(name, "paused/") {
		s.reads.Add(1)
		if s.armed.CompareAndSwap(true, false) {
			close(s.read)
			<-s.letGo
		}
	}
	return value, err
}

// pauseDuring pauses acme while something else has just read that it is not paused, and wants it paused afterwards.
func pauseDuring(t *testing.T, b *bundle, slow *slowPauses, act func()) {
	t.Helper()
	until(t, "the providers are tended once", func() bool { return slow.reads.Load() >= 4 })
	slow.armed.Store(true)
	acted := make(chan struct{})
	go func() { defer close(acted); act() }()
	<-slow.read
	paused := make(chan error, 1)
	go func() { paused <- b.Pause(t.Context(), "acme", "ticket 1234") }()
	var err error
	select {
	case err = <-paused:
		close(slow.letGo)
	case <-time.After(50 * time.Millisecond): // it waits for the other to end
		close(slow.letGo)
		err = <-paused
	}
	<-acted
	if err != nil {
		t.Fatal(err)
	}
}

// A pause that was acknowledged is not undone by whoever read before it that there is none.
func TestPauseIsNotUndone(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"tending", "reload"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "")
			l := &launcher{started: map[string][]*providertest.Provider{}, script: func(p *providertest.Provider) {
				p.SetInfo(func(i *provider.Info) {
					i.Config = provider.Schema{{Name: "base_url", Type: provider.String, Doc: "the account"}}
				})
			}}
			path := writeRules(t, atURL(two, "https://a.example"))
			slow := &slowPauses{read: make(chan struct{}), letGo: make(chan struct{})}
			b.configure = func(c *engine.Config) { slow.Store, c.Store, c.Plugins, c.Rules = c.Store, slow, l, path }
			b.start(t)
			pauseDuring(t, b, slow, func() {
				before := slow.reads.Load()
				if what == "tending" {
					b.clock.Advance(31 * time.Second)
					until(t, "both providers are tended", func() bool { return slow.reads.Load() >= before+2 })
					return
				}
				rewrite(t, path, atURL(two, "https://b.example"))
				b.reload(t)
			})
			if p := b.pay(t, "order-1"); p.Provider != "bravo" {
				t.Errorf("paid by %s after an acknowledged pause", p.Provider)
			}
		})
	}
}

func TestProvidersTellOfMaintenance(t *testing.T) {
	t.Parallel()
	b := run(t, strings.Replace(one, `provider "acme" {}`, `provider "acme" { maintenance = { from = "10:00", to = "11:00" } }`, 1))
	for _, want := range []string{"in maintenance from 10:00 to 11:00", ""} {
		if got := b.Providers(t.Context())[0].Reason; got != want {
			t.Errorf("at %s: reason %q, want %q", b.clock.Now(), got, want)
		}
		b.clock.Advance(time.Hour)
	}
}

// hangingCheck is a provider that never says whether it takes our credentials.
type hangingCheck struct {
	*providertest.Provider
	asked chan struct{}
}

func (p hangingCheck) Check(ctx context.Context) error {
	p.asked <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// What another router has paused is paused here within half a minute, whatever another provider does.
func TestPauseByAnotherRouterWhileAProviderHangs(t *testing.T) {
	t.Parallel()
	b := setup(t, strings.Replace(two, `provider "acme" {}`, `provider "acme" { timeout = "5m" }`, 1))
	acme := hangingCheck{b.providers["acme"], make(chan struct{}, 1)}
	counting := &slowPauses{}
	b.configure = func(c *engine.Config) { counting.Store, c.Store, c.Providers["acme"] = c.Store, counting, acme }
	b.start(t)
	<-acme.asked
	until(t, "the pauses are read once", func() bool { return counting.reads.Load() >= 4 })
	if err := b.store.PutSetting(t.Context(), "paused/bravo", []byte(`{"reason":"ticket 1234","since":"2026-11-21T15:00:00Z"}`)); err != nil {
		t.Fatal(err)
	}
	until(t, "time passes", func() bool {
		b.clock.Advance(time.Second)
		return b.Providers(t.Context())[1].Paused || b.clock.Now().After(epoch.Add(4*time.Minute))
	})
	if !b.Providers(t.Context())[1].Paused {
		t.Error("the pause is not known while the check of another provider hangs")
	}
	b.clock.Advance(5 * time.Minute) // ends the check
}
