package providertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// Everything that Info can declare here has its method.
var (
	_ provider.ProviderWithNotifications = (*providertest.Provider)(nil)
	_ provider.ProviderWithBanks         = (*providertest.Provider)(nil)
	_ provider.ProviderWithBills         = (*providertest.Provider)(nil)
)

func attempt(key string) provider.Attempt {
	return provider.Attempt{Key: key, PaymentID: "pay_1", Number: 1, Payment: payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(20_000), Currency: "COP",
	}}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	const none = provider.Status("")
	cases := []struct {
		name   string
		step   providertest.Step
		status provider.Status // of the answer
		code   provider.Code   // of the error
		ledger provider.Status // what is on record afterwards
	}{
		{"approve", providertest.Approve(), provider.Succeeded, "", provider.Succeeded},
		{"redirect", providertest.Redirect(), provider.Pending, "", provider.Pending},
		{"decline", providertest.Decline(), provider.Rejected, "", provider.Rejected},
		{"refuse", providertest.Refuse(provider.CodeExhausted), none, provider.CodeExhausted, none},
		{"lose", providertest.Lose(provider.Succeeded), none, provider.CodeUnknown, provider.Succeeded},
		{"lose before", providertest.LoseBefore(), none, provider.CodeUnknown, none},
		{"die", providertest.Die(provider.Pending), none, provider.CodeUnknown, provider.Pending},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := providertest.New("acme").Script(c.step)
			o, err := p.Submit(t.Context(), attempt("k"))
			if o.Status != c.status || provider.CodeOf(err) != c.code {
				t.Errorf("answered %+v, %v", o, err)
			}
			if (o.Action != nil) != (c.status == provider.Pending) {
				t.Errorf("status %q with action %v", o.Status, o.Action)
			}
			found, err := p.Lookup(t.Context(), provider.Query{Key: "k"})
			want := c.ledger
			if want == none {
				want = provider.Absent
			}
			if found.Status != want || err != nil {
				t.Errorf("looked up as %+v, %v, want %q", found, err, want)
			}
			if n := len(p.Ledger()); n != 0 && c.ledger == none || n != 1 && c.ledger != none {
				t.Errorf("%d lines in the ledger", n)
			}
		})
	}

	t.Run("an error that is no provider.Error is what a crash looks like", func(t *testing.T) {
		t.Parallel()
		_, err := providertest.New("acme").Script(providertest.Die(provider.Pending)).Submit(t.Context(), attempt("k"))
		if e := new(provider.Error); err == nil || errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("a misstated answer leaves the ledger as it is", func(t *testing.T) {
		t.Parallel()
		p := providertest.New("acme").Script(providertest.Misstate(func(o *provider.Outcome) { o.Amount = payment.Pesos(1) }))
		o, err := p.Submit(t.Context(), attempt("k"))
		found, _ := p.Lookup(t.Context(), provider.Query{Key: "k"})
		if err != nil || o.Amount != payment.Pesos(1) || found.Amount != payment.Pesos(20_000) {
			t.Errorf("answered %+v, %v; looked up as %+v", o, err, found)
		}
	})

	t.Run("hanging ends with the context, after it executed", func(t *testing.T) {
		t.Parallel()
		p := providertest.New("acme")
		ctx, cancel := context.WithCancel(t.Context())
		step := providertest.Hang(provider.Succeeded)
		step.After = func(provider.Attempt) { cancel() }
		_, err := p.Script(step).Submit(ctx, attempt("k"))
		if !errors.Is(err, context.Canceled) || p.Moved("pay_1") != 1 {
			t.Errorf("got %v; moved %d times", err, p.Moved("pay_1"))
		}
	})

	t.Run("the script is followed in order, then what always holds", func(t *testing.T) {
		t.Parallel()
		p := providertest.New("acme").Script(providertest.Refuse(provider.CodeUnavailable), providertest.Decline()).Always(providertest.Approve())
		got := ""
		for i := range 4 {
			o, err := p.Submit(t.Context(), attempt(fmt.Sprint("k", i)))
			got += string(o.Status) + string(provider.CodeOf(err)) + " "
		}
		if got != "unavailable rejected succeeded succeeded " {
			t.Errorf("answered %s", got)
		}
	})
}

// A call stands still between any two of its steps for as long as a test wants.
func TestHooks(t *testing.T) {
	t.Parallel()
	reached, release := make(chan string), make(chan struct{})
	hold := func(where string) func(provider.Attempt) {
		return func(provider.Attempt) { reached <- where; <-release }
	}
	step := providertest.Approve()
	step.Before, step.After = hold("before"), hold("after")
	p := providertest.New("acme").Script(step)
	answered := make(chan provider.Outcome)
	go func() {
		o, _ := p.Submit(context.Background(), attempt("k"))
		answered <- o
	}()
	for _, want := range []struct {
		where    string
		executed int
	}{{"before", 0}, {"after", 1}} {
		if where := <-reached; where != want.where || len(p.Ledger()) != want.executed {
			t.Errorf("%s: executed %d times", where, len(p.Ledger()))
		}
		release <- struct{}{}
	}
	if o := <-answered; o.Status != provider.Succeeded {
		t.Errorf("got %+v", o)
	}

	// A look-up whose answer is held back tells what was true when it was asked.
	p = providertest.New("acme")
	_, _ = p.Submit(t.Context(), attempt("k"))
	p.AfterLookup(func(provider.Query) { reached <- "looked up"; <-release })
	go func() {
		o, _ := p.Lookup(context.Background(), provider.Query{Key: "k"})
		answered <- o
	}()
	<-reached
	p.Settle("k", provider.Succeeded)
	release <- struct{}{}
	if o := <-answered; o.Status != provider.Pending {
		t.Errorf("the old answer is %q", o.Status)
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()

	t.Run("a key is executed once however often it is sent", func(t *testing.T) {
		t.Parallel()
		p := providertest.New("acme").Always(providertest.Approve())
		for range 3 {
			if o, err := p.Submit(t.Context(), attempt("k")); err != nil || o.Status != provider.Succeeded {
				t.Errorf("got %+v, %v", o, err)
			}
		}
		if p.Moved("pay_1") != 1 || p.Moved("pay_2") != 0 || len(p.Submits()) != 3 {
			t.Errorf("ledger %+v", p.Ledger())
		}
	})

	t.Run("a provider that breaks that promise is counted", func(t *testing.T) {
		t.Parallel()
		p := providertest.New("acme").Always(providertest.Approve()).ExecuteResends()
		for range 3 {
			_, _ = p.Submit(t.Context(), attempt("k"))
		}
		if p.Moved("pay_1") != 3 {
			t.Errorf("ledger %+v", p.Ledger())
		}
	})

	t.Run("money has moved only for what succeeded", func(t *testing.T) {
		t.Parallel()
		p := providertest.New("acme")
		for _, key := range []string{"a", "b"} {
			_, _ = p.Submit(t.Context(), attempt(key))
		}
		if p.Moved("pay_1") != 0 {
			t.Error("a pending payment moved money")
		}
		p.Settle("a", provider.Succeeded)
		p.Settle("b", provider.Rejected)
		if p.Moved("pay_1") != 1 {
			t.Errorf("ledger %+v", p.Ledger())
		}
	})

	t.Run("many callers at once", func(t *testing.T) {
		t.Parallel()
		p := providertest.New("acme").Always(providertest.Approve())
		var callers sync.WaitGroup
		for i := range 50 {
			callers.Go(func() {
				_, _ = p.Submit(context.Background(), attempt(fmt.Sprint("k", i%10)))
				_, _ = p.Lookup(context.Background(), provider.Query{Key: "k0"})
				_ = p.Info().Has(provider.Banks)
				p.SetBanks(provider.Bank{Code: "1022"}).SetRecovery(payment.Recovery{})
			})
		}
		callers.Wait()
		if len(p.Submits()) != 50 || len(p.Lookups()) != 50 || p.Moved("pay_1") != 10 {
			t.Errorf("%d hand-overs, %d look-ups, moved %d times", len(p.Submits()), len(p.Lookups()), p.Moved("pay_1"))
		}
	})
}

func TestLookup(t *testing.T) {
	t.Parallel()
	p := providertest.New("acme").HideFor(2)
	o, _ := p.Submit(t.Context(), attempt("k"))
	look := func(q provider.Query) provider.Status {
		t.Helper()
		found, err := p.Lookup(t.Context(), q)
		if err != nil {
			t.Error(err)
		}
		return found.Status
	}
	for n, want := range []provider.Status{provider.Absent, provider.Absent, provider.Pending, provider.Pending} {
		if got := look(provider.Query{Key: "k"}); got != want {
			t.Errorf("look-up %d found %q, want %q", n+1, got, want)
		}
	}
	for q, want := range map[provider.Query]provider.Status{
		{Reference: o.Reference}: provider.Pending, {Key: "unknown"}: provider.Absent, {Reference: "unknown"}: provider.Absent, {}: provider.Absent,
	} {
		if got := look(q); got != want {
			t.Errorf("%+v found %q, want %q", q, got, want)
		}
	}
	p.FailLookups(provider.Errorf(provider.CodeUnavailable, "down"))
	if _, err := p.Lookup(t.Context(), provider.Query{Key: "k"}); provider.CodeOf(err) != provider.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	p.FailLookups(nil)
	if got := look(provider.Query{Key: "k"}); got != provider.Pending {
		t.Errorf("after the failure it found %q", got)
	}
}

func TestAbilities(t *testing.T) {
	t.Parallel()
	p := providertest.New("acme")
	if err := p.Info().Validate(); err != nil {
		t.Error(err)
	}

	n, ok := provider.WithNotifications(p)
	if !ok {
		t.Fatal("no notifications")
	}
	for body, want := range map[string]provider.Query{"key:k": {Key: "k"}, "ref-k": {Reference: "ref-k"}} {
		if got, err := n.ParseNotification(t.Context(), provider.Notification{Body: []byte(body)}); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s names %v, %v", body, got, err)
		}
	}
	if _, err := n.ParseNotification(t.Context(), provider.Notification{Body: []byte("{}")}); provider.CodeOf(err) != provider.CodeInvalid {
		t.Errorf("got %v", err)
	}

	if _, ok := provider.WithBills(p); ok {
		t.Error("it has bills although nobody gave it any")
	}
	p.SetBills([]provider.Biller{{ID: "etb", Name: "ETB"}}, provider.BillDetail{Biller: "etb", Reference: "1", Amount: payment.Pesos(5)})
	b, ok := provider.WithBills(p)
	if !ok {
		t.Fatal("no bills")
	}
	if page, err := b.Billers(t.Context(), ""); err != nil || len(page.Billers) != 1 || page.Next != "" {
		t.Errorf("got %+v, %v", page, err)
	}
	if bill, err := b.Bill(t.Context(), "etb", "1"); err != nil || bill.Amount != payment.Pesos(5) {
		t.Errorf("got %+v, %v", bill, err)
	}
	if _, err := b.Bill(t.Context(), "etb", "2"); provider.CodeOf(err) != provider.CodeInvalid {
		t.Errorf("got %v", err)
	}

	down := errors.New("down")
	p.FailChecks(down)
	if err := p.Check(t.Context()); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
	if p.Closed() || p.Close(t.Context()) != nil || !p.Closed() {
		t.Error("it does not tell whether it was closed")
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
		c := providertest.NewClock(start)
		var rang []string
		ring := func(name string) func() { return func() { rang = append(rang, name) } }
		c.AfterFunc(time.Minute, ring("minute"))
		stop := c.AfterFunc(time.Minute, ring("stopped"))
		c.AfterFunc(time.Hour, ring("hour"))
		c.AfterFunc(0, ring("at once"))
		stop()
		for _, step := range []struct {
			by   time.Duration
			want []string
		}{
			{0, []string{"at once"}}, {time.Minute - 1, []string{"at once"}}, {1, []string{"at once", "minute"}},
			{time.Minute, []string{"at once", "minute"}}, {time.Hour, []string{"at once", "minute", "hour"}},
		} {
			c.Advance(step.by)
			synctest.Wait()
			if !slices.Equal(rang, step.want) {
				t.Errorf("at %s there rang %v, want %v", c.Now().Sub(start), rang, step.want)
			}
		}
	})
}

func ExampleProvider() {
	ctx := context.Background()
	p := providertest.New("acme").Script(providertest.Refuse(provider.CodeUnavailable), providertest.Lose(provider.Succeeded))

	_, err := p.Submit(ctx, provider.Attempt{Key: "first", PaymentID: "pay_1"})
	fmt.Println(err)
	_, err = p.Submit(ctx, provider.Attempt{Key: "second", PaymentID: "pay_1"})
	fmt.Println(err)
	found, _ := p.Lookup(ctx, provider.Query{Key: "second"})
	fmt.Println(found.Status, p.Moved("pay_1"))
	// Output:
	// provider: unavailable: refused by the script (TEST)
	// provider: unknown: the answer was lost
	// succeeded 1
}
