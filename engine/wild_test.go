package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// wild is a provider whose calls, Submit and Lookup apart, do whatever they like.
type wild struct {
	*providertest.Provider
	called atomic.Int64
	do     func()
}

func (w *wild) run() {
	w.called.Add(1)
	w.do()
}

func (w *wild) Check(context.Context) error { w.run(); return nil }

func (w *wild) Banks(context.Context, payment.Method) ([]provider.Bank, error) {
	w.run()
	return nil, nil
}

func (w *wild) Billers(context.Context, string) (provider.BillerPage, error) {
	w.run()
	return provider.BillerPage{}, nil
}

func (w *wild) Bill(context.Context, string, string) (provider.BillDetail, error) {
	w.run()
	return provider.BillDetail{}, nil
}

func (w *wild) Balance(context.Context) (provider.Balance, error) {
	w.run()
	return provider.Balance{}, nil
}

func (w *wild) Statement(context.Context, string) (provider.StatementPage, error) {
	w.run()
	return provider.StatementPage{}, nil
}

func (w *wild) ParseNotification(context.Context, provider.Notification) ([]provider.Query, error) {
	w.run()
	return nil, nil
}

// startWild starts an engine over one wild provider with every ability.
func startWild(t *testing.T, do func()) (*bundle, *wild) {
	t.Helper()
	b := setup(t, one)
	p := b.providers["acme"]
	p.SetBanks(provider.Bank{Code: "1022", Name: "UNO"})
	p.SetBills([]provider.Biller{{ID: "1", Name: "Agua"}})
	p.SetBalance(provider.Balance{Available: payment.Pesos(1), Currency: "COP"}).SetStatement()
	w := &wild{Provider: p, do: do}
	b.configure = func(c *engine.Config) { c.Providers = map[string]provider.Provider{"acme": w} }
	return b.start(t), w
}

// A provider that panics fails that one call: the process lives, payments go on, and the webhook is kept.
func TestPanics(t *testing.T) {
	t.Parallel()
	b, w := startWild(t, func() { panic("boom") })
	until(t, "the provider was checked and its lists asked for", func() bool { return w.called.Load() >= 3 })
	for name, call := range map[string]func() error{
		"Banks":   func() error { _, err := b.Banks(t.Context(), ""); return err },
		"Billers": func() error { _, err := b.Billers(t.Context(), "", 0); return err },
		"Bill": func() error {
			if _, err := b.Bill(t.Context(), "1", "2"); provider.CodeOf(err) != provider.CodeUnknown {
				return errors.Join(errors.New("no panic was told"), err)
			}
			return nil
		},
		"Balance": func() error { b.Providers(t.Context()); return nil },
		"Statement": func() error {
			var told *provider.Error
			if _, err := b.Reconcile(t.Context(), "acme", nil); !errors.As(err, &told) || told.Code != provider.CodeUnknown {
				return errors.Join(errors.New("no panic was told"), err)
			}
			return nil
		},
	} {
		before := w.called.Load()
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if w.called.Load() == before {
			t.Errorf("%s did not call the provider", name)
		}
	}
	before := w.called.Load()
	b.notify(t, "acme", "x")
	until(t, "the webhook was read", func() bool { return w.called.Load() > before })
	if p := b.pay(t, "order-1"); p.Status != payment.Pending {
		t.Errorf("the payment is %s", p.Status)
	}
	if left, err := b.store.Notifications(t.Context(), "", 1); err != nil || len(left) != 1 {
		t.Errorf("the webhook is gone: %v, %v", left, err)
	}
}

// A provider that ignores that its time is over does not hold Close.
func TestCloseLeavesHangingCalls(t *testing.T) {
	t.Parallel()
	for _, notified := range []bool{false, true} {
		hang := make(chan struct{})
		defer close(hang)
		b, w := startWild(t, func() { <-hang })
		if notified {
			b.notify(t, "acme", "x")
			until(t, "it is checked and the webhook read", func() bool { return w.called.Load() == 2 })
		}
		until(t, "a call hangs", func() bool { return w.called.Load() > 0 })
		closed := make(chan error, 1)
		go func() { closed <- b.Close() }()
		select {
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("Close waits for a provider that hangs")
		}
	}
}

// A provider that ignores that its time is over does not hold Reconcile, and so Close, for ever.
func TestStatementThatHangs(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	b := setup(t, one)
	w := &wild{Provider: b.providers["acme"].SetStatement(), do: func() { <-hang }}
	b.configure = func(c *engine.Config) { c.Providers = map[string]provider.Provider{"acme": w} }
	b.start(t)
	until(t, "its check hangs", func() bool { return w.called.Load() == 1 })
	ended := make(chan error, 1)
	go func() {
		_, err := b.Reconcile(t.Context(), "acme", nil)
		ended <- err
	}()
	until(t, "its statement hangs", func() bool { return w.called.Load() == 2 })
	b.clock.Advance(20 * time.Second)
	select {
	case err := <-ended:
		if provider.CodeOf(err) != provider.CodeUnknown {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Reconcile waits for a provider that hangs")
	}
}

// brittle panics when it is closed.
type brittle struct{ *providertest.Provider }

func (brittle) Close(context.Context) error { panic("boom") }

func TestPanicOfClose(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.configure = func(c *engine.Config) { c.Providers["acme"] = brittle{b.providers["acme"]} }
	b.start(t)
	if err := b.Close(); err == nil || !strings.Contains(err.Error(), "the provider panicked: boom") {
		t.Errorf("got %v", err)
	}
}
