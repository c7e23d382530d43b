package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// Things that happen to one payment at once: whoever else looks at it, each attempt is handed over once, and no
// answer is dropped.
func TestAtOnce(t *testing.T) {
	t.Parallel()

	t.Run("many look-ups that all prove it not executed begin one next attempt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true}).Script(providertest.Lose(provider.Failed))
		b.start(t)
		p := b.pay(t, "order-1")
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := b.Refresh(t.Context(), p.ID); err != nil {
					t.Error(err)
				}
			})
			b.notify(t, "acme", "key:"+p.Attempts[0].Key)
		}
		all.Wait()
		b.becomes(t, p.ID, payment.Pending)
		if n := len(b.providers["bravo"].Submits()); n != 1 {
			t.Errorf("the next candidate was handed the payment %d times", n)
		}
	})

	t.Run("a person resolves only when the resend's answer is stored", func(t *testing.T) {
		t.Parallel()
		b := setup(t, one)
		called, release := make(chan struct{}), make(chan struct{})
		again := providertest.Approve()
		again.After = func(provider.Attempt) { close(called); <-release }
		b.providers["acme"].SetRecovery(payment.Recovery{ResendSameKey: true}).Script(providertest.LoseBefore(), again)
		b.start(t)
		p := b.pay(t, "order-1")
		b.lookAgain(t, p.ID)
		<-called
		resolved := make(chan error, 1)
		go func() {
			_, err := b.Resolve(context.Background(), p.ID, payment.Failed, "the customer says so")
			resolved <- err
		}()
		looked := make(chan error, 1)
		go func() {
			_, err := b.Refresh(context.Background(), p.ID)
			looked <- err
		}()
		close(release)
		if err := <-looked; err != nil {
			t.Error(err)
		}
		if err := <-resolved; err == nil {
			t.Error("it was resolved to failed although the resend succeeded")
		}
		if got := b.becomes(t, p.ID, payment.Succeeded); b.providers["acme"].Moved(p.ID) != 1 || got.Failure != nil {
			t.Errorf("got %+v", got)
		}
	})

	t.Run("a webhook during a hand-over that is refused is looked at all the same", func(t *testing.T) {
		t.Parallel()
		b := setup(t, two)
		b.providers["acme"].SetRecovery(payment.Recovery{AbandonIfUnanswered: true, ExpiresAfter: payment.Duration(time.Hour)}).
			Script(providertest.Lose(provider.Pending))
		step := providertest.Refuse(provider.CodeDeclined)
		step.Before = func(provider.Attempt) {
			key := b.providers["acme"].Ledger()[0].Attempt.Key
			b.providers["acme"].Settle(key, provider.Succeeded)
			b.notify(t, "acme", "ref-"+key)
		}
		b.providers["bravo"].Script(step)
		b.start(t)
		p := b.pay(t, "order-1")
		b.becomes(t, p.ID, payment.Succeeded)
	})
}

// lateStore lets the clock run on after the intent was stored, as a machine that sleeps does.
type lateStore struct {
	store.Store
	late func()
}

func (s *lateStore) Create(ctx context.Context, p *payment.Payment, events []payment.Event) error {
	defer s.late()
	return s.Store.Create(ctx, p, events)
}

func TestSubmitNeverBeginsAfterItsDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: b.fs})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	eng := newEngine(t, b, &lateStore{st, func() { b.clock.Advance(time.Minute) }})
	defer eng.Close()
	p, err := eng.Pay(t.Context(), "order-1", request())
	if err != nil || p.Status != payment.InDoubt || len(b.providers["acme"].Submits()) != 0 {
		t.Errorf("handed over %d times: %+v, %v", len(b.providers["acme"].Submits()), p, err)
	}
}

// The disk fails while the provider works: the answer is lost, the process is not.
func TestStoreFailsDuringTheCall(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	broken := errorfs.Toggle{Injector: errorfs.ErrInjected.If(errorfs.Writes)}
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: errorfs.Wrap(b.fs, &broken)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	step := providertest.Approve()
	step.After = func(provider.Attempt) { broken.On() }
	b.providers["acme"].Script(step)
	eng := newEngine(t, b, st)
	defer eng.Close()
	if p, err := eng.Pay(t.Context(), "order-1", request()); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("got %+v, %v", p, err)
	}
	after := b.crash(t)
	after.start(t)
	page, err := after.List(t.Context(), store.Filter{Limit: 10})
	if err != nil || len(page.Payments) != 1 {
		t.Fatalf("after the restart: %+v, %v", page, err)
	}
	after.lookAgain(t, page.Payments[0].ID)
	after.becomes(t, page.Payments[0].ID, payment.Succeeded)
}

func TestProviderThatPanicsOrIgnoresItsDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	panics, deaf := providertest.Redirect(), providertest.Approve()
	panics.Before = func(provider.Attempt) { panic("a bug") }
	release := make(chan struct{})
	defer close(release)
	called := make(chan struct{})
	deaf.After = func(provider.Attempt) { close(called); <-release }
	b.providers["acme"].Script(panics, deaf)
	b.start(t)
	if p := b.pay(t, "order-1"); p.Status != payment.InDoubt {
		t.Errorf("after a panic it is %s", p.Status)
	}
	go func() { <-called; b.clock.Advance(20 * time.Second) }()
	if p := b.pay(t, "order-2"); p.Status != payment.InDoubt {
		t.Errorf("after a call that ignores its deadline it is %s", p.Status)
	}
}

// Webhooks and resends of one payment: neither makes the other repeat itself.
func TestNoHotLoop(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, ResendSameKey: true}).Always(providertest.LoseBefore())
	b.start(t)
	p := b.pay(t, "order-1")
	for range 5 {
		b.notify(t, "acme", "key:"+p.Attempts[0].Key)
		b.inboxEmpty(t)
		asked := len(b.providers["acme"].Lookups())
		b.lookAgain(t, p.ID)
		until(t, "a look-up", func() bool { return len(b.providers["acme"].Lookups()) > asked })
		until(t, "the next look is set", func() bool {
			p, _ = b.Get(t.Context(), p.ID)
			return p.NextLookupAt.After(b.clock.Now()) && p.Attempts[0].Code != "resend"
		})
	}
	if n := len(b.providers["acme"].Submits()); n > 6 {
		t.Errorf("sent %d times in %s", n, b.clock.Now().Sub(epoch))
	}
}

func TestLookUpsThatTellNothingNewAreNoEvents(t *testing.T) {
	t.Parallel()
	b := run(t, one)
	p := b.pay(t, "order-1")
	b.providers["acme"].Speechless()
	before := len(b.types(t, p.ID))
	for range 20 {
		if _, err := b.Refresh(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
	}
	if after := len(b.types(t, p.ID)); after != before {
		t.Errorf("%d events became %d", before, after)
	}
}

// A finished payment whose payer may still hold a URL is looked at when the URL dies; an error then is not the end.
func TestLastLookIsRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, ExpiresAfter: payment.Duration(45 * time.Minute)})
	b.start(t)
	p := b.pay(t, "order-1")
	b.providers["acme"].Settle(p.Attempts[0].Key, provider.Rejected)
	if p, _ = b.Refresh(t.Context(), p.ID); p.Status != payment.Rejected || p.NextLookupAt.IsZero() {
		t.Fatalf("got %s, looked at next %s", p.Status, p.NextLookupAt)
	}
	b.providers["acme"].FailLookups(provider.Errorf(provider.CodeUnavailable, "down"))
	b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
	for range 3 {
		asked := len(b.providers["acme"].Lookups())
		b.lookAgain(t, p.ID)
		until(t, "a look-up", func() bool { return len(b.providers["acme"].Lookups()) > asked })
		until(t, "the next look is set", func() bool {
			p, _ = b.Get(t.Context(), p.ID)
			return p.NextLookupAt.After(b.clock.Now())
		})
	}
	b.providers["acme"].FailLookups(nil)
	b.lookAgain(t, p.ID)
	b.becomes(t, p.ID, payment.Succeeded)
	if !slices.Contains(b.types(t, p.ID), payment.EventLateSuccess) {
		t.Errorf("events %v", b.types(t, p.ID))
	}
}

// An unanswered pay-in is not closed while its provider could be asked, but does not answer.
func TestOrphanIsClosedOnlyAfterAnAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, ExpiresAfter: payment.Duration(45 * time.Minute)}).
		Script(providertest.LoseBefore())
	b.start(t)
	p := b.pay(t, "order-1")
	b.providers["acme"].FailLookups(provider.Errorf(provider.CodeUnavailable, "down"))
	look := func() {
		t.Helper()
		asked := len(b.providers["acme"].Lookups())
		b.lookAgain(t, p.ID)
		until(t, "a look-up", func() bool { return len(b.providers["acme"].Lookups()) > asked })
		until(t, "it is stored", func() bool {
			p, _ = b.Get(t.Context(), p.ID)
			return p.Status != payment.InDoubt || p.NextLookupAt.After(b.clock.Now())
		})
	}
	for b.clock.Now().Before(epoch.Add(2 * time.Hour)) {
		look()
	}
	if p.Status != payment.InDoubt {
		t.Fatalf("closed as %s by looks that had no answer", p.Status)
	}
	b.providers["acme"].FailLookups(nil)
	look()
	if p.Status != payment.Expired {
		t.Errorf("it is %s", p.Status)
	}
}

// While an attempt's record differs from ours, nothing that another attempt says closes the payment.
func TestMismatchOfAnAbandonedAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	lost := providertest.Lose(provider.Pending)
	b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, AbandonIfUnanswered: true, ExpiresAfter: payment.Duration(time.Hour)}).Script(lost)
	b.start(t)
	p := b.pay(t, "order-1")
	b.providers["acme"].Restate(p.Attempts[0].Key, payment.Pesos(1))
	for n := range 3 {
		if n == 1 {
			b.providers["bravo"].Settle(p.Attempts[1].Key, provider.Succeeded)
		}
		var err error
		if p, err = b.Refresh(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
	}
	if p.Status != payment.InDoubt || p.Failure == nil || p.Failure.Code != payment.CodeMismatch || !p.NextLookupAt.IsZero() {
		t.Fatalf("got %s, %+v", p.Status, p.Failure)
	}
	p, err := b.Resolve(t.Context(), p.ID, payment.Succeeded, "paid at bravo, refunded at acme, says their panels")
	if err != nil || p.Status != payment.Succeeded || p.Attempts[1].Status != payment.AttemptSucceeded {
		t.Errorf("resolved: %+v, %v", p, err)
	}
}
