package wire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/internal/wire"
	"github.com/cauce-pay/cauce/provider/plugin/plugintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a provider whose Submit is a function of the test.
type scripted struct {
	submit func(ctx context.Context, a provider.Attempt) (provider.Outcome, error)
	config error
}

func (s *scripted) Info() provider.Info {
	return provider.Info{
		Name: "scripted", Version: "1.2.3",
		Capabilities: []payment.Capability{{Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}}},
		Abilities:    []provider.Ability{provider.Banks},
		Config:       provider.Schema{{Name: "token", Type: provider.String, Secret: true}},
	}
}
func (s *scripted) Configure(context.Context, provider.Config) error { return s.config }
func (s *scripted) Check(context.Context) error                      { return nil }
func (s *scripted) Close(context.Context) error                      { return nil }

func (s *scripted) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	return s.submit(ctx, a)
}

func (s *scripted) Lookup(_ context.Context, q provider.Query) (provider.Outcome, error) {
	return provider.Outcome{Status: provider.Absent, Key: q.Key}, nil
}

func (s *scripted) Banks(_ context.Context, m payment.Method) ([]provider.Bank, error) {
	return []provider.Bank{{Code: "1007", Name: string(m) + " \xff"}}, nil
}

// Bills exist, but Info does not declare them.
func (s *scripted) Billers(context.Context, string) (provider.BillerPage, error) {
	return provider.BillerPage{}, nil
}
func (s *scripted) Bill(context.Context, string, string) (provider.BillDetail, error) {
	return provider.BillDetail{}, nil
}

func serve(t *testing.T, s *scripted) provider.Provider {
	t.Helper()
	p := plugintest.Serve(t, s)
	if err := p.Configure(t.Context(), provider.Config{"token": "abc"}); err != nil {
		t.Fatal(err)
	}
	return p
}

func echo(_ context.Context, a provider.Attempt) (provider.Outcome, error) {
	return provider.Outcome{Status: provider.Pending, Key: a.Key, Amount: a.Payment.Amount, Currency: "COP"}, nil
}

func attempt(n int) provider.Attempt {
	return provider.Attempt{Key: fmt.Sprintf("key-%d", n), Number: 1, Payment: payment.Request{Amount: payment.Pesos(int64(n))}}
}

func wantCode(t *testing.T, err error, want provider.Code) {
	t.Helper()
	if got := provider.CodeOf(err); got != want {
		t.Errorf("code %q (%v), want %q", got, err, want)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()

	t.Run("64 callers get each their own answer", func(t *testing.T) {
		t.Parallel()
		p := serve(t, &scripted{submit: echo})
		var wg sync.WaitGroup
		for caller := range 64 {
			wg.Go(func() {
				for i := range 20 {
					n := caller*100 + i + 1
					o, err := p.Submit(t.Context(), attempt(n))
					if err != nil || o.Key != fmt.Sprintf("key-%d", n) || o.Amount != payment.Pesos(int64(n)) {
						t.Errorf("call %d: %+v, %v", n, o, err)
					}
				}
			})
		}
		wg.Wait()
	})

	t.Run("a stuck call blocks no other", func(t *testing.T) {
		t.Parallel()
		stuck := make(chan struct{})
		p := serve(t, &scripted{submit: func(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
			if a.Key == "key-1" {
				close(stuck)
				<-ctx.Done()
			}
			return echo(ctx, a)
		}})
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := p.Submit(ctx, attempt(1))
			first <- err
		}()
		<-stuck
		if _, err := p.Submit(t.Context(), attempt(2)); err != nil {
			t.Error(err)
		}
		cancel() // reaches the handler, whose own answer comes back
		if err := <-first; err != nil {
			t.Error(err)
		}
	})

	t.Run("a call that ignores its deadline ends with unknown", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		p := serve(t, &scripted{submit: func(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
			<-release
			return echo(ctx, a)
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := p.Submit(ctx, attempt(1))
		wantCode(t, err, provider.CodeUnknown)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		close(release) // its answer comes too late and must disturb nobody
		if _, err := p.Submit(t.Context(), attempt(2)); err != nil {
			t.Error(err)
		}
	})

	t.Run("the plugin sees the closer of deadline and timeout", func(t *testing.T) {
		t.Parallel()
		left := make(chan time.Duration, 1)
		p := serve(t, &scripted{submit: func(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
			deadline, _ := ctx.Deadline()
			left <- time.Until(deadline)
			return echo(ctx, a)
		}})
		for callers, want := range map[time.Duration]time.Duration{time.Minute: wire.DefaultTimeout, 5 * time.Second: 5 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), callers)
			if _, err := p.Submit(ctx, attempt(1)); err != nil {
				t.Error(err)
			}
			if got := <-left; got > want || got < want-4*time.Second {
				t.Errorf("with a deadline in %s the plugin had %s", callers, got)
			}
			cancel()
		}
	})

	t.Run("a context that has ended sends nothing", func(t *testing.T) {
		t.Parallel()
		p := serve(t, &scripted{submit: func(context.Context, provider.Attempt) (provider.Outcome, error) {
			t.Error("the plugin was asked")
			return provider.Outcome{}, nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := p.Submit(ctx, attempt(1))
		wantCode(t, err, provider.CodeUnavailable)
	})

	t.Run("a panic ends its call alone", func(t *testing.T) {
		t.Parallel()
		p := serve(t, &scripted{submit: func(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
			if a.Key == "key-1" {
				panic("secret of the panic")
			}
			return echo(ctx, a)
		}})
		_, err := p.Submit(t.Context(), attempt(1))
		wantCode(t, err, provider.CodeUnknown)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the panic's value crossed: %v", err)
		}
		if _, err := p.Submit(t.Context(), attempt(2)); err != nil {
			t.Error(err)
		}
	})

	t.Run("calls beyond the limit are refused, not queued", func(t *testing.T) {
		t.Parallel()
		var begun sync.WaitGroup
		begun.Add(wire.MaxCalls)
		release := make(chan struct{})
		p := serve(t, &scripted{submit: func(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
			begun.Done()
			<-release
			return echo(ctx, a)
		}})
		var wg sync.WaitGroup
		for n := range wire.MaxCalls {
			wg.Go(func() {
				if _, err := p.Submit(t.Context(), attempt(n+1)); err != nil {
					t.Error(err)
				}
			})
		}
		begun.Wait()
		_, err := p.Submit(t.Context(), attempt(wire.MaxCalls+1))
		wantCode(t, err, provider.CodeUnavailable)
		close(release)
		wg.Wait()
		if _, err := p.Lookup(t.Context(), provider.Query{Key: "k"}); err != nil {
			t.Errorf("after the crowd: %v", err)
		}
	})
}

func TestMessages(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", wire.MaxMessage)

	t.Run("an answer beyond the cap is unknown and hurts no other call", func(t *testing.T) {
		t.Parallel()
		p := serve(t, &scripted{submit: func(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
			o, err := echo(ctx, a)
			if a.Key == "key-1" {
				o.Message = big
			}
			return o, err
		}})
		_, err := p.Submit(t.Context(), attempt(1))
		wantCode(t, err, provider.CodeUnknown)
		if _, err := p.Submit(t.Context(), attempt(2)); err != nil {
			t.Error(err)
		}
	})

	t.Run("a request beyond the cap is refused before it is sent", func(t *testing.T) {
		t.Parallel()
		p := serve(t, &scripted{submit: echo})
		a := attempt(1)
		a.Payment.Description = big
		_, err := p.Submit(t.Context(), a)
		wantCode(t, err, provider.CodeInvalid)
		if _, err := p.Submit(t.Context(), attempt(2)); err != nil {
			t.Error(err)
		}
	})

	t.Run("text that is not UTF-8", func(t *testing.T) {
		t.Parallel()
		p := serve(t, &scripted{submit: func(_ context.Context, a provider.Attempt) (provider.Outcome, error) {
			if a.Key == "key-1" {
				return provider.Outcome{Status: provider.Pending, Reference: "\xff"}, nil
			}
			return provider.Outcome{}, provider.Errorf(provider.CodeDeclined, "Jos\xe9")
		}})
		banks, _ := provider.WithBanks(p)
		list, err := banks.Banks(t.Context(), payment.PSE)
		if err != nil || len(list) != 1 || list[0].Name != "pse \uFFFD" {
			t.Errorf("a name is mended: %+v, %v", list, err)
		}
		_, err = p.Submit(t.Context(), attempt(1))
		wantCode(t, err, provider.CodeUnknown) // a reference is not
		_, err = p.Submit(t.Context(), attempt(2))
		wantCode(t, err, provider.CodeDeclined)
		_, err = p.Lookup(t.Context(), provider.Query{Key: "\xff"})
		wantCode(t, err, provider.CodeInvalid)
	})
}

func TestContract(t *testing.T) {
	t.Parallel()

	t.Run("errors cross as data", func(t *testing.T) {
		t.Parallel()
		want := provider.Error{
			Code: provider.CodeInvalid, Message: "no such bank", Field: "payer.bank", ProviderCode: "422 bank_code", Reference: "r1", NoResend: true,
		}
		p := serve(t, &scripted{submit: func(context.Context, provider.Attempt) (provider.Outcome, error) { return provider.Outcome{}, &want }})
		_, err := p.Submit(t.Context(), attempt(1))
		var got *provider.Error
		if !errors.As(err, &got) || *got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})

	t.Run("faults of a configuration cross one by one", func(t *testing.T) {
		t.Parallel()
		p := plugintest.Serve(t, &scripted{config: &provider.ConfigError{Faults: []provider.ConfigFault{{Name: "token", Message: "is required"}}}})
		var got *provider.ConfigError
		if err := p.Configure(t.Context(), nil); !errors.As(err, &got) || got.Faults[0].Name != "token" {
			t.Errorf("err = %v", err)
		}
	})

	t.Run("nothing is asked of a plugin that is not configured", func(t *testing.T) {
		t.Parallel()
		p := plugintest.Serve(t, &scripted{submit: echo})
		_, err := p.Submit(t.Context(), attempt(1))
		wantCode(t, err, provider.CodeUnavailable)
		if p.Info().Name != "scripted" {
			t.Errorf("info: %+v", p.Info())
		}
	})

	t.Run("Info decides which abilities there are", func(t *testing.T) {
		t.Parallel()
		p := serve(t, &scripted{submit: echo})
		if _, ok := provider.WithBills(p); ok {
			t.Error("bills are not declared")
		}
		_, err := p.(provider.ProviderWithBills).Billers(t.Context(), "")
		wantCode(t, err, provider.CodeInvalid)
		if _, ok := provider.WithBanks(p); !ok {
			t.Error("banks are declared")
		}
	})
}
