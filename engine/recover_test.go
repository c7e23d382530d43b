package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// A power loss at each step of a payment: the next engine goes on with it by itself, and money moves once.
func TestRecovery(t *testing.T) {
	t.Parallel()

	t.Run("before the provider heard of it", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		var after *bundle
		step := providertest.Refuse(provider.CodeUnavailable)
		step.Before = func(provider.Attempt) { after = b.crash(t) }
		b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, ResendSameKey: true}).Script(step)
		b.start(t)
		p := b.pay(t, "order-1")
		if err := b.Close(); err != nil { // only the survivor goes on
			t.Fatal(err)
		}
		after.start(t)
		if got := after.becomes(t, p.ID, payment.Processing); len(got.Attempts) != 1 {
			t.Fatalf("got %+v", got)
		}
		// Whether it was sent is not known: nothing is asked while the call may still be running.
		if n := len(b.providers["acme"].Lookups()); n != 0 {
			t.Fatalf("asked %d times before the call's deadline", n)
		}
		after.lookAgain(t, p.ID)
		got := after.becomes(t, p.ID, payment.Pending)
		if len(got.Attempts) != 1 || got.Attempts[0].Key != b.providers["acme"].Ledger()[0].Attempt.Key {
			t.Errorf("sent again under another key: %+v", got.Attempts)
		}
		if n := len(b.providers["bravo"].Submits()); n != 1 { // the first life's failover
			t.Errorf("the other provider was handed the payment %d times", n)
		}
	})

	t.Run("after the provider executed it", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		var after *bundle
		step := providertest.Approve()
		step.After = func(provider.Attempt) { after = b.crash(t) }
		b.providers["acme"].Script(step)
		b.start(t)
		p := b.pay(t, "order-1")
		after.start(t)
		after.lookAgain(t, p.ID)
		after.becomes(t, p.ID, payment.Succeeded)
		if n := b.providers["acme"].Moved(p.ID) + b.providers["bravo"].Moved(p.ID); n != 1 {
			t.Errorf("money moved %d times", n)
		}
	})

	t.Run("while it is pending, in doubt or notified", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		b.providers["acme"].Script(providertest.Redirect(), providertest.Lose(provider.Succeeded))
		b.start(t)
		pending, doubt := b.pay(t, "order-1"), b.pay(t, "order-2")
		b.providers["acme"].Settle(pending.Attempts[0].Key, provider.Succeeded)
		after := b.crash(t)
		after.start(t)
		after.lookAgain(t, doubt.ID)
		after.becomes(t, doubt.ID, payment.Succeeded)
		after.lookAgain(t, pending.ID)
		after.becomes(t, pending.ID, payment.Succeeded)
		same, err := after.Pay(t.Context(), "order-1", request())
		if err != nil || same.ID != pending.ID {
			t.Errorf("the key is another payment after the crash: %+v, %v", same, err)
		}
	})
}

// A store that cannot write never makes a false acknowledgement, and the process lives.
func TestStoreFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	broken := errorfs.Toggle{Injector: errorfs.ErrInjected.If(errorfs.Writes)}
	fs := errorfs.Wrap(b.fs, &broken)
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	eng := newEngine(t, b, st)
	defer eng.Close()
	if _, err := eng.Pay(t.Context(), "order-1", request()); err != nil {
		t.Fatal(err)
	}
	broken.On()
	for n := range 3 {
		if p, err := eng.Pay(t.Context(), "order-2", request()); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("payment %d: %+v, %v", n, p, err)
		}
	}
	if err := eng.Ready(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
	<-eng.Failed()
	if n := len(b.providers["acme"].Submits()); n != 1 {
		t.Errorf("handed over %d times", n)
	}
}

func newEngine(t *testing.T, b *bundle, st store.Store) *engine.Engine {
	t.Helper()
	values := map[string]provider.Provider{}
	for name, p := range b.providers {
		values[name] = p
	}
	eng, err := engine.New(t.Context(), engine.Config{Rules: writeRules(t, b.rules), Store: st, Providers: values, Clock: b.clock})
	if err != nil {
		t.Fatal(err)
	}
	return eng
}

func writeRules(t *testing.T, rules string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "routing.hcl")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClose(t *testing.T) {
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	before := goleak.IgnoreCurrent()
	b := setup(t, one)
	called, release := make(chan struct{}), make(chan struct{})
	step := providertest.Approve()
	step.After = func(provider.Attempt) { close(called); <-release }
	b.providers["acme"].Script(step)
	eng := newEngine(t, b, st)
	p, _, err := eng.Begin(t.Context(), "order-1", request())
	if err != nil {
		t.Fatal(err)
	}
	<-called
	closed := make(chan error, 1)
	go func() { closed <- eng.Close() }()
	until(t, "the engine closes", func() bool { return errors.Is(eng.Ready(), engine.ErrClosed) })
	if _, err := eng.Pay(t.Context(), "order-2", request()); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a payment while closing: %v", err)
	}
	select {
	case <-closed:
		t.Error("closed with a hand-over under way")
	default:
	}
	close(release)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if got, err := st.Get(t.Context(), p.ID); err != nil || got.Status != payment.Succeeded {
		t.Errorf("the answer of the hand-over under way: %+v, %v", got, err)
	}
	if !b.providers["acme"].Closed() {
		t.Error("the provider was not closed")
	}
	if err := eng.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	goleak.VerifyNone(t, before)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	secretive := providertest.New("acme").SetInfo(func(i *provider.Info) {
		i.Config = provider.Schema{
			{Name: "base_url", Type: provider.URL, Required: true, Doc: "where it is"},
			{Name: "token", Type: provider.String, Required: true, Secret: true, OneOf: []string{"right"}, Doc: "what it takes"},
		}
	})
	cases := []struct {
		name, rules string
		want        []string // parts of the error
	}{
		{"broken HCL", `provider "acme" {`, []string{"routing.hcl:1"}},
		{"unknown provider", "provider \"acme\" {}\nroute \"all\" { providers = [\"acmee\"] }\n", []string{"acmee", `Did you mean "acme"`}},
		{"config that does not fit the plugin's schema", `
provider "acme" {
  config {
    base_url = "nowhere"
    token    = "s3cret"
    colour   = "red"
  }
}
route "all" { providers = ["acme"] }
`, []string{"routing.hcl:4", "base_url", "routing.hcl:5", "token", "routing.hcl:6", "colour"}},
		{"a provider that nobody can start", "provider \"acme\" {}\nprovider \"other\" {}\nroute \"all\" { providers = [\"acme\", \"other\"] }\n",
			[]string{`provider "other"`, "routing.hcl"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			st, err := pebblestore.Open("data", &pebblestore.Options{FS: vfs.NewMem()})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			eng, err := engine.New(t.Context(), engine.Config{
				Rules: writeRules(t, c.rules), Store: st, Providers: map[string]provider.Provider{"acme": secretive},
			})
			if err == nil {
				eng.Close()
				t.Fatal("it was accepted")
			}
			text := err.Error()
			var diagnostics routing.Diagnostics
			if errors.As(err, &diagnostics) {
				var b strings.Builder
				if err := diagnostics.Write(&b); err != nil {
					t.Fatal(err)
				}
				text += b.String()
			}
			for _, part := range c.want {
				if !strings.Contains(text, part) {
					t.Errorf("the error does not say %q:\n%s", part, text)
				}
			}
			if strings.Contains(text, "s3cret") {
				t.Errorf("the error tells a secret:\n%s", text)
			}
		})
	}
	t.Run("an empty config says all that is missing", func(t *testing.T) {
		t.Parallel()
		if _, err := engine.New(t.Context(), engine.Config{Workers: -1}); err == nil ||
			!strings.Contains(err.Error(), "Rules") || !strings.Contains(err.Error(), "Store") || !strings.Contains(err.Error(), "Workers") {
			t.Errorf("got %v", err)
		}
	})
}

func TestHealth(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	b.providers["acme"].SetBanks(provider.Bank{Code: "1022", Name: "Banco Union"}).Script(providertest.Refuse(provider.CodeUnauthorized))
	b.start(t)
	until(t, "its first check has ended: the banks come after it", func() bool {
		_, err := b.store.Setting(t.Context(), "banks/acme/pse")
		return err == nil
	})
	first := b.pay(t, "order-1")
	if first.Provider != "bravo" {
		t.Fatalf("got %+v", first)
	}
	b.providers["acme"].FailChecks(provider.Errorf(provider.CodeUnauthorized, "wrong secret"))
	second := b.pay(t, "order-2")
	decision, err := b.Decision(t.Context(), second.ID)
	if err != nil || second.Provider != "bravo" || len(second.Attempts) != 1 || !decision.Snapshot["acme"].Unhealthy ||
		strings.Contains(decision.Snapshot["acme"].Reason, "by the script") { // what was said about another payment
		t.Errorf("an unhealthy provider was tried first: %+v, decision %+v, %v", second, decision, err)
	}
	b.providers["acme"].FailChecks(nil)
	until(t, "it is healthy again", func() bool {
		b.clock.Advance(time.Minute)
		return b.Providers(t.Context())[0].Healthy
	})
	if third := b.pay(t, "order-3"); third.Provider != "acme" {
		t.Errorf("got %s", third.Provider)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	b := run(t, one)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, second := b.pay(t, "order-1"), b.pay(t, "order-2")
	var cursor string
	var seen []string
	for ev, err := range b.Events(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, ev.Payment+" "+string(ev.Event.Type))
		if len(seen) == 5 {
			cursor = ev.Cursor
			break
		}
	}
	if seen[0] != first.ID+" created" || seen[4] != first.ID+" pending" {
		t.Errorf("first %v", seen)
	}
	seen = nil
	b.providers["acme"].Settle(second.Attempts[0].Key, provider.Succeeded)
	go func() { _, _ = b.Refresh(ctx, second.ID) }()
	for ev, err := range b.Events(ctx, cursor) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, ev.Payment+" "+string(ev.Event.Type))
		if ev.Event.Type == payment.EventSucceeded {
			break
		}
	}
	if len(seen) != 7 || seen[0] != second.ID+" created" || seen[6] != second.ID+" succeeded" {
		t.Errorf("after the cursor: %v", seen)
	}
}
