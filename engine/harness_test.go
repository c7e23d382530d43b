package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// bundle is an engine over scripted providers, a store in memory and a clock that stands still.
type bundle struct {
	*engine.Engine
	store     store.Store
	fs        *vfs.MemFS
	clock     *providertest.Clock
	providers map[string]*providertest.Provider
	rules     string
	configure func(*engine.Config) // changes the engine's configuration; nil = nothing to change
}

// one is a route with one provider, two are candidates with every failover code but declined.
const (
	one = `
provider "acme" {}
route "all" { providers = ["acme"] }
`
	two = `
provider "acme" {}
provider "bravo" {}
route "all" { providers = ["acme", "bravo"] }
`
)

var epoch = time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)

// setup starts an engine with a scripted provider for every provider that the rules name.
func setup(t *testing.T, rules string) *bundle {
	t.Helper()
	b := &bundle{
		fs: vfs.NewCrashableMem(), clock: providertest.NewClock(epoch),
		providers: map[string]*providertest.Provider{}, rules: rules,
	}
	for _, name := range []string{"acme", "bravo"} {
		if strings.Contains(rules, `provider "`+name+`"`) {
			b.providers[name] = providertest.New(name)
		}
	}
	return b
}

// start opens the store and makes the engine.
func (b *bundle) start(t *testing.T) *bundle {
	t.Helper()
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: b.fs})
	if err != nil {
		t.Fatal(err)
	}
	b.store = st
	values := map[string]provider.Provider{}
	for name, p := range b.providers {
		values[name] = p
	}
	config := engine.Config{Rules: writeRules(t, b.rules), Store: st, Providers: values, Clock: b.clock, PublicURL: "https://pay.example.com"}
	if b.configure != nil {
		b.configure(&config)
	}
	eng, err := engine.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	b.Engine = eng
	t.Cleanup(func() {
		if err := eng.Close(); err != nil {
			t.Error(err)
		}
		if !errors.Is(st.Health(), store.ErrUnavailable) {
			checkFolds(t, st)
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return b
}

func run(t *testing.T, rules string) *bundle {
	t.Helper()
	return setup(t, rules).start(t)
}

// crash returns the same world after a power loss: what was not synced is gone.
func (b *bundle) crash(t *testing.T) *bundle {
	t.Helper()
	return &bundle{
		fs: b.fs.CrashClone(vfs.CrashCloneCfg{}), clock: providertest.NewClock(b.clock.Now()),
		providers: b.providers, rules: b.rules, configure: b.configure,
	}
}

// checkFolds demands that every payment is the fold of its events.
func checkFolds(t *testing.T, st store.Store) {
	t.Helper()
	ctx := context.Background()
	page, err := st.List(ctx, store.Filter{Limit: 500})
	if err != nil {
		t.Error(err)
		return
	}
	for _, p := range page.Payments {
		events, err := st.Events(ctx, p.ID, 0, 10_000)
		if err != nil {
			t.Error(err)
			continue
		}
		folded := &payment.Payment{}
		for _, ev := range events {
			if err := folded.Apply(ev); err != nil {
				t.Error(err)
			}
		}
		folded.NextLookupAt = p.NextLookupAt
		if got, want := asJSON(t, p), asJSON(t, folded); got != want {
			t.Errorf("payment %s is not the fold of its events\nstored %s\nfolded %s", p.ID, got, want)
		}
	}
}

func request() payment.Request {
	return payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(20_000), Tax: payment.Pesos(3_193),
		Reference: "ORDER-1001", Description: "Compra de producto ABC",
		Payer: payment.Party{
			Name: "Miguel Rodriguez", Document: payment.Document{Type: payment.CC, Number: "1020304050"},
			Email: "miguel@example.com", Phone: "3057788996", Bank: "1022",
		},
		ReturnURL: "https://shop.example/return",
	}
}

func (b *bundle) pay(t *testing.T, key string) *payment.Payment {
	t.Helper()
	p, err := b.Pay(t.Context(), key, request())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// until polls for something that happens in the background.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it never happened: " + what)
		}
	}
}

// becomes waits until the payment has that status.
func (b *bundle) becomes(t *testing.T, id string, status payment.Status) *payment.Payment {
	t.Helper()
	var p *payment.Payment
	until(t, "payment is "+string(status), func() bool {
		var err error
		if p, err = b.Get(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return p.Status == status
	})
	return p
}

// lookAgain moves the clock to the payment's next look.
func (b *bundle) lookAgain(t *testing.T, id string) {
	t.Helper()
	p, err := b.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if p.NextLookupAt.IsZero() {
		t.Fatalf("payment %s is never looked at again: %s", id, p.Status)
	}
	b.clock.Advance(p.NextLookupAt.Sub(b.clock.Now()))
}

// lookedAgain is lookAgain that waits until the look has ended, and what it sends again is answered.
func (b *bundle) lookedAgain(t *testing.T, id string) {
	t.Helper()
	b.lookAgain(t, id)
	until(t, "the look has begun to tell", func() bool {
		p, err := b.Get(t.Context(), id)
		return err == nil && (p.Status.Final() || p.NextLookupAt.After(b.clock.Now()))
	})
	if err := b.AwaitTurn(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// types returns the types of a payment's events.
func (b *bundle) types(t *testing.T, id string) []payment.EventType {
	t.Helper()
	events, err := b.History(t.Context(), id, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	types := make([]payment.EventType, len(events))
	for i, ev := range events {
		types[i] = ev.Type
	}
	return types
}

func wantTypes(t *testing.T, got []payment.EventType, want ...payment.EventType) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("events\n got %v\nwant %v", got, want)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shortPages is a store whose lists begin with a page that has nothing, as those of several filters may.
type shortPages struct{ store.Store }

func (s shortPages) List(ctx context.Context, f store.Filter) (store.Page, error) {
	switch f.Cursor {
	case "":
		return store.Page{Next: "more"}, nil
	case "more":
		f.Cursor = ""
	}
	return s.Store.List(ctx, f)
}

// refusing is a store that cannot write some settings.
type refusing struct {
	store.Store
	refuses func(setting string) bool
}

func (r *refusing) PutSetting(ctx context.Context, name string, value []byte) error {
	if r.refuses(name) {
		return errors.New("the connection was reset")
	}
	return r.Store.PutSetting(ctx, name, value)
}
