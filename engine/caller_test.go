package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// goneStore is a store whose caller goes away in a call.
type goneStore struct {
	store.Store
	leave func()
}

func (s *goneStore) Create(ctx context.Context, p *payment.Payment, events []payment.Event) error {
	s.leave()
	return s.Store.Create(ctx, p, events)
}

func (s *goneStore) ByKey(ctx context.Context, key string) (*payment.Payment, error) {
	p, err := s.Store.ByKey(ctx, key)
	s.leave()
	return p, err
}

func (s *goneStore) Get(ctx context.Context, id string) (*payment.Payment, error) {
	s.leave()
	return s.Store.Get(ctx, id)
}

// A caller that goes away gets the payment as it stands, in whichever moment that is.
func TestCallerGoesAwayDuringACall(t *testing.T) {
	t.Parallel()
	for at, name := range []string{"before its key is found", "after its key was found", "before the payment is read", "at a later look"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, one)
			var left *bundle
			step := providertest.Redirect()
			step.Before = func(provider.Attempt) { left = b.crash(t) }
			b.providers["acme"].Script(step)
			b.start(t)
			p := b.pay(t, "order-1")

			st, err := pebblestore.Open("data", &pebblestore.Options{FS: left.fs})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			ctx, cancel := context.WithCancel(t.Context())
			calls := 0
			gone := &goneStore{Store: st, leave: func() {
				if calls == at {
					cancel()
				}
				calls++
			}}
			eng := newEngine(t, left, gone)
			defer eng.Close()
			type result struct {
				p   *payment.Payment
				err error
			}
			answered := make(chan result, 1)
			go func() {
				p, err := eng.Pay(ctx, "order-1", request())
				answered <- result{p, err}
			}()
			var got result
			until(t, "it is answered", func() bool {
				left.clock.Advance(10 * time.Millisecond)
				select {
				case got = <-answered:
					return true
				default:
					return false
				}
			})
			if !errors.Is(got.err, context.Canceled) || got.p == nil || got.p.ID != p.ID || got.p.Status != payment.Processing {
				t.Errorf("got %+v, %v", got.p, got.err)
			}
		})
	}
}

// What a caller does with the payment that it got changes nothing that the provider is handed.
func TestPaymentIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	called, release := make(chan struct{}), make(chan struct{})
	step := providertest.Redirect()
	step.Before = func(provider.Attempt) { close(called); <-release }
	b.providers["acme"].Script(step)
	b.start(t)
	r := request()
	r.Metadata = map[string]string{"shop": "bogota-1"}
	p, _, err := b.Begin(t.Context(), "order-1", r)
	if err != nil {
		t.Fatal(err)
	}
	<-called
	p.Metadata["shop"] = "cali-2"
	close(release)
	b.becomes(t, p.ID, payment.Pending)
	if got := b.providers["acme"].Submits()[0].Payment.Metadata["shop"]; got != "bogota-1" {
		t.Errorf("the provider was handed %s", got)
	}
}
