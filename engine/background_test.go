package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// byReference is a route for each of two providers.
const byReference = `
provider "acme" {}
provider "bravo" {}
route "some" {
  when      = "reference == 'BRAVO'"
  providers = ["bravo"]
}
route "all" { providers = ["acme"] }
`

// deletions counts which webhooks were deleted how often.
type deletions struct {
	store.Store
	mu sync.Mutex
	of map[string]int
}

func (d *deletions) DeleteNotification(ctx context.Context, id string) error {
	d.mu.Lock()
	d.of[id]++
	d.mu.Unlock()
	return d.Store.DeleteNotification(ctx, id)
}

// However many webhooks or looks wait for a provider that hangs, those of another one are worked through meanwhile; and
// none is lost once the first one answers again.
func TestProviderThatHangsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		workers, hang int
		webhooks      bool
	}{
		"one webhook":                           {16, 1, true},
		"more webhooks than slots":              {4, 8, true},
		"more webhooks than are kept in memory": {4, 250, true},
		"more looks than slots":                 {4, 8, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, byReference)
			deleted := &deletions{of: map[string]int{}}
			b.configure = func(config *engine.Config) {
				deleted.Store = config.Store
				config.Store, config.Workers = deleted, c.workers
			}
			b.start(t)
			held := make([]*payment.Payment, c.hang)
			for i := range held {
				held[i] = b.pay(t, fmt.Sprint("order-", i))
			}
			b.clock.Advance(time.Second) // the other one's look is due after all of these
			req := request()
			req.Reference = "BRAVO"
			other, err := b.Pay(t.Context(), "order", req)
			if err != nil {
				t.Fatal(err)
			}

			hang, hung := make(chan struct{}), make(chan struct{}, c.hang*10)
			release := sync.OnceFunc(func() { close(hang) })
			t.Cleanup(release)
			b.providers["acme"].AfterLookup(func(provider.Query) { hung <- struct{}{}; <-hang })
			b.providers["bravo"].Settle(other.Attempts[0].Key, provider.Succeeded)
			if c.webhooks {
				for _, p := range held {
					b.notify(t, "acme", p.Attempts[0].Reference)
				}
				for range min(c.hang, c.workers*3/4) {
					<-hung
				}
				b.notify(t, "bravo", other.Attempts[0].Reference)
			} else {
				b.lookAgain(t, other.ID)
			}
			b.becomes(t, other.ID, payment.Succeeded)

			for _, p := range held {
				b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
			}
			b.providers["acme"].AfterLookup(nil)
			release()
			b.inboxEmpty(t)
			for _, p := range held {
				b.lookedAgainUntil(t, p.ID, payment.Succeeded)
			}
			deleted.mu.Lock()
			defer deleted.mu.Unlock()
			for id, n := range deleted.of {
				if n != 1 {
					t.Errorf("webhook %s was deleted %d times", id, n)
				}
			}
			if want := c.hang + 1; c.webhooks && len(deleted.of) != want {
				t.Errorf("%d webhooks were deleted, want %d", len(deleted.of), want)
			}
		})
	}
}

// lookedAgainUntil moves the clock on until the payment has that status.
func (b *bundle) lookedAgainUntil(t *testing.T, id string, status payment.Status) {
	t.Helper()
	until(t, "payment is "+string(status), func() bool {
		p, err := b.Get(t.Context(), id)
		if err == nil && p.Status != status {
			b.clock.Advance(time.Second)
		}
		return err == nil && p.Status == status
	})
}

// However many providers hang, another one has its turn.
func TestProvidersThatHangHoldUpNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t, byReference)
	b.rules = strings.Replace(b.rules, `route "all"`, `provider "third" {}
route "third" {
  when      = "reference == 'THIRD'"
  providers = ["third"]
}
route "all"`, 1)
	b.providers["third"] = providertest.New("third")
	b.configure = func(config *engine.Config) { config.Workers = 4 }
	b.start(t)
	made := map[string][]*payment.Payment{}
	for name, reference := range map[string]string{"acme": "ACME", "bravo": "BRAVO", "third": "THIRD"} {
		for i := range 8 {
			req := request()
			req.Reference = reference
			p, err := b.Pay(t.Context(), fmt.Sprint(name, i), req)
			if err != nil {
				t.Fatal(err)
			}
			b.providers[name].Settle(p.Attempts[0].Key, provider.Succeeded)
			made[name] = append(made[name], p)
		}
	}
	hang, hung := make(chan struct{}), make(chan struct{}, 100)
	release := sync.OnceFunc(func() { close(hang) })
	t.Cleanup(release)
	told := func(name string) {
		for _, p := range made[name] {
			b.notify(t, name, p.Attempts[0].Reference)
		}
	}
	for _, name := range []string{"acme", "bravo"} {
		b.providers[name].AfterLookup(func(provider.Query) { hung <- struct{}{}; <-hang })
		told(name)
	}
	for range 4 { // as many as there are slots
		<-hung
	}
	told("third")
	for _, p := range made["third"] {
		b.becomes(t, p.ID, payment.Succeeded)
	}
	release()
	b.inboxEmpty(t)
}
