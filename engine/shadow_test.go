package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store"
)

// shadowed are rules with a server block that names those at path as their shadow.
func shadowed(rules, path string) string {
	return fmt.Sprintf("server { shadow = %q }\n%s", path, rules)
}

// inShadow starts an engine with shadow rules at the path that it returns.
func inShadow(t *testing.T, rules, shadow string) (*bundle, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "next.hcl")
	rewrite(t, path, shadow)
	return run(t, shadowed(rules, path)), path
}

// counted waits until that many payments were decided in shadow.
func (b *bundle) counted(t *testing.T, payments int) engine.Shadow {
	t.Helper()
	var s engine.Shadow
	until(t, "the shadow rules decide", func() bool {
		var err error
		if s, err = b.Shadow(); err != nil {
			t.Fatal(err)
		}
		return s.Backtest.Payments >= payments
	})
	if s.Backtest.Payments != payments {
		t.Errorf("%d payments were counted, not %d", s.Backtest.Payments, payments)
	}
	return s
}

func TestShadow(t *testing.T) {
	t.Parallel()
	bravoFirst := strings.ReplaceAll(two, `["acme", "bravo"]`, `["bravo", "acme"]`)

	t.Run("other rules decide every payment too, with no effect", func(t *testing.T) {
		t.Parallel()
		b, path := inShadow(t, two, bravoFirst)
		first := b.pay(t, "order-1")
		b.pay(t, "order-2")
		s := b.counted(t, 2)
		if s.Path != path || s.Fault != "" || s.Rules != b.Rules().Hash() || s.Hash == s.Rules || s.Backtest.Elsewhere != 2 ||
			s.Backtest.Moved[0].Payment != first.ID || s.Backtest.Moved[0].Before != "acme" || s.Backtest.Moved[0].After != "bravo" {
			t.Errorf("%+v", s)
		}
		if first.Provider != "acme" || len(b.providers["bravo"].Submits()) != 0 {
			t.Error("they have an effect")
		}
		if text := b.metrics(t); !strings.Contains(text, "\ncauce_shadow_payments 2\n") || !strings.Contains(text, "\ncauce_shadow_elsewhere 2\n") {
			t.Error(text)
		}
		b = b.crash(t).start(t)
		b.pay(t, "order-3")
		b.counted(t, 3)
		rewrite(t, path, two)
		b.reload(t)
		b.pay(t, "order-4")
		until(t, "a new comparison", func() bool {
			s, _ := b.Shadow()
			return s.Backtest.Payments == 1 && s.Backtest.Elsewhere == 0
		})
	})

	t.Run("faults of theirs stop nothing", func(t *testing.T) {
		t.Parallel()
		b, path := inShadow(t, one, `route "x" {`)
		s, err := b.Shadow()
		if err != nil || !strings.Contains(s.Fault, "next.hcl:1") || b.pay(t, "order-1").Provider != "acme" {
			t.Errorf("%+v, %v", s, err)
		}
		until(t, "order-1 is read", func() bool {
			_, err := b.store.Setting(t.Context(), "shadow")
			return err == nil
		})
		rewrite(t, path, one)
		b.reload(t)
		b.pay(t, "order-2")
		b.counted(t, 1)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		b.reload(t)
		b.pay(t, "order-3")
		if s := b.counted(t, 2); s.Fault == "" {
			t.Error("that they are gone is not told")
		}
	})

	t.Run("none", func(t *testing.T) {
		t.Parallel()
		if _, err := run(t, one).Shadow(); !errors.Is(err, engine.ErrNotFound) {
			t.Error(err)
		}
	})
}

// feedBreaks is a store whose feed cannot be read once.
type feedBreaks struct {
	store.Store
	reads atomic.Int32
}

func (f *feedBreaks) Feed(ctx context.Context, after string, limit int) ([]store.FeedEvent, error) {
	if f.reads.Add(1) == 3 {
		return nil, errors.New("the connection was reset")
	}
	return f.Store.Feed(ctx, after, limit)
}

func TestShadowOutlivesTheStoresFaults(t *testing.T) {
	t.Parallel()
	path := writeRules(t, two)
	b := setup(t, shadowed(two, path))
	b.configure = func(c *engine.Config) {
		if err := c.Store.PutSetting(t.Context(), "shadow", []byte(`{"hash":7}`)); err != nil {
			t.Fatal(err)
		}
		c.Store = &feedBreaks{Store: c.Store}
	}
	b.start(t)
	for n, key := range []string{"order-1", "order-2", "order-3"} {
		b.pay(t, key)
		until(t, "they decide", func() bool {
			b.clock.Advance(time.Second)
			s, err := b.Shadow()
			return err == nil && s.Backtest.Payments == n+1
		})
	}
}

// A reload takes up a shadow that the server block names anew, another one, and that it names none any more.
func TestShadowIsSetByAReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	next, later := filepath.Join(dir, "next.hcl"), filepath.Join(dir, "later.hcl")
	rewrite(t, next, strings.ReplaceAll(two, `["acme", "bravo"]`, `["bravo", "acme"]`))
	rewrite(t, later, `route "x" {`)
	b := setup(t, two)
	var rules string
	b.configure = func(c *engine.Config) { rules = c.Rules }
	b.start(t)
	orders := 0
	pay := func() {
		t.Helper()
		orders++
		if p := b.pay(t, fmt.Sprint("order-", orders)); p.Provider != "acme" {
			t.Errorf("%s goes to %s", p.IdempotencyKey, p.Provider)
		}
	}
	load := func(text string) {
		t.Helper()
		rewrite(t, rules, text)
		b.reload(t)
	}
	take := func(text string) {
		t.Helper()
		load(text)
		pay()
	}
	pay()

	take(shadowed(two, next))
	if s := b.counted(t, 1); s.Path != next || s.Fault != "" || s.Rules != b.Rules().Hash() || s.Backtest.Elsewhere != 1 {
		t.Errorf("added: %+v", s)
	}
	pay()
	b.counted(t, 2)

	load(shadowed(two, later)) // a payment might be counted by the next ones
	if s := b.counted(t, 0); s.Path != later || s.Hash != "" || !strings.Contains(s.Fault, "later.hcl:1") {
		t.Errorf("another, which is faulty: %+v", s)
	}
	rewrite(t, later, two)
	take(shadowed(two, later))
	if s := b.counted(t, 1); s.Path != later || s.Fault != "" || s.Backtest.Elsewhere != 0 {
		t.Errorf("another: %+v", s)
	}

	take(two)
	if s, err := b.Shadow(); !errors.Is(err, engine.ErrNotFound) || strings.Contains(b.metrics(t), "cauce_shadow") {
		t.Errorf("none any more: %+v, %v", s, err)
	}

	take(shadowed(two, next))
	if s := b.counted(t, 1); s.Path != next || s.Backtest.Elsewhere != 1 {
		t.Errorf("added again: %+v", s)
	}
}

// Reloads may set and take away the shadow while payments run and the comparison is asked for.
func TestShadowIsSetWhilePaymentsRun(t *testing.T) {
	t.Parallel()
	b, path := inShadow(t, two, two)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 20 {
			if _, err := b.Pay(t.Context(), fmt.Sprint("order-", n), request()); err != nil {
				t.Error(err)
			}
			if _, err := b.Shadow(); err != nil && !errors.Is(err, engine.ErrNotFound) {
				t.Error(err)
			}
		}
	}()
	for n := range 10 {
		rewrite(t, b.Rules().Files()[0], []string{two, shadowed(two, path)}[n%2])
		b.reload(t)
	}
	<-done
	b.pay(t, "order-last")
	until(t, "the last shadow decides", func() bool {
		s, err := b.Shadow()
		return err == nil && s.Rules == b.Rules().Hash() && s.Backtest.Payments > 0
	})
}
