package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// lineOf is what the provider's books say about an attempt that was executed.
func lineOf(p *payment.Payment, number int, status provider.Status) provider.StatementLine {
	a := p.Attempt(number)
	return provider.StatementLine{
		Key: a.Key, Reference: a.Reference, Amount: p.Amount, Currency: p.Currency, Status: status, CreatedAt: a.StartedAt,
	}
}

func (b *bundle) reconcile(t *testing.T, lines ...provider.StatementLine) engine.Reconciliation {
	t.Helper()
	got, err := b.Reconcile(t.Context(), "acme", lines)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A payment, what its provider did with it, and what the provider's statement says about it.
func TestReconcile(t *testing.T) {
	t.Parallel()
	succeed := providertest.Approve()
	for _, c := range []struct {
		name    string
		step    providertest.Step
		settle  provider.Status // what becomes of it before the statement; "" = nothing
		lines   []provider.Status
		change  func(*provider.StatementLine) // of the first line
		want    []engine.DifferenceClass
		status  payment.Status
		last    payment.EventType
		message string
	}{
		{name: "both say succeeded", step: succeed, lines: []provider.Status{provider.Succeeded}, status: payment.Succeeded, last: payment.EventSucceeded},
		{name: "the statement is behind", step: succeed, lines: []provider.Status{provider.Pending}, status: payment.Succeeded, last: payment.EventSucceeded},
		{name: "we are behind", step: providertest.Redirect(), lines: []provider.Status{provider.Rejected}, status: payment.Pending, last: payment.EventPending},
		{
			name: "we are behind a success: the provider is asked", step: providertest.Redirect(), settle: provider.Succeeded,
			lines: []provider.Status{provider.Succeeded}, status: payment.Succeeded, last: payment.EventSucceeded,
		},
		{
			name: "a success that the provider itself does not confirm changes nothing", step: providertest.Redirect(),
			lines: []provider.Status{provider.Succeeded}, want: []engine.DifferenceClass{engine.TheirsOnly},
			status: payment.Pending, last: payment.EventPending, message: `they say "succeeded", we say "pending"`,
		},
		{
			name: "a success that the provider itself denies sends the payment nowhere else", step: providertest.Lose(provider.Pending), settle: provider.Failed,
			lines: []provider.Status{provider.Succeeded}, want: []engine.DifferenceClass{engine.TheirsOnly},
			status: payment.InDoubt, last: payment.EventInDoubt, message: `they say "succeeded", we say "in_doubt"`,
		},
		{
			name: "a success found late", step: providertest.Decline(), settle: provider.Succeeded,
			lines: []provider.Status{provider.Succeeded}, status: payment.Succeeded, last: payment.EventLateSuccess,
		},
		{
			name: "another amount, still open", step: providertest.Redirect(), lines: []provider.Status{provider.Pending},
			change: func(l *provider.StatementLine) { l.Amount = payment.MoneyOfMinor(2_000_001) },
			want:   []engine.DifferenceClass{engine.AmountDiffers}, status: payment.InDoubt, last: payment.EventInDoubt,
			message: "amount: ours 20000.00, theirs 20000.01",
		},
		{
			name: "another currency of a success", step: succeed, lines: []provider.Status{provider.Succeeded},
			change: func(l *provider.StatementLine) { l.Currency = "USD" },
			want:   []engine.DifferenceClass{engine.AmountDiffers}, status: payment.Succeeded, last: payment.EventMismatch,
			message: "currency: ours COP, theirs USD",
		},
		{
			name: "our reference under another key", step: providertest.Redirect(), lines: []provider.Status{provider.Pending},
			change: func(l *provider.StatementLine) { l.Key = "00000000000000000000" },
			want:   []engine.DifferenceClass{engine.AmountDiffers}, status: payment.InDoubt, last: payment.EventInDoubt,
			message: "key: ours ",
		},
		{
			name: "they took it back", step: succeed, lines: []provider.Status{provider.Rejected},
			want: []engine.DifferenceClass{engine.OursOnly}, status: payment.Succeeded, last: payment.EventSucceeded,
		},
		{
			name: "a word that nobody knows", step: succeed, lines: []provider.Status{""},
			change: func(l *provider.StatementLine) { l.Code = "on hold" },
			want:   []engine.DifferenceClass{engine.OursOnly}, status: payment.Succeeded, last: payment.EventSucceeded, message: `they say "on hold"`,
		},
		{
			name: "one attempt executed twice", step: succeed, lines: []provider.Status{provider.Succeeded, provider.Succeeded},
			want: []engine.DifferenceClass{engine.PaidTwice, engine.PaidTwice}, status: payment.Succeeded, last: payment.EventDoublePayment,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, one)
			b.providers["acme"].Script(c.step)
			b.start(t)
			p := b.pay(t, "order-1")
			if c.settle != "" {
				b.providers["acme"].Settle(p.Attempts[0].Key, c.settle)
			}
			var lines []provider.StatementLine
			for _, status := range c.lines {
				lines = append(lines, lineOf(p, 1, status))
			}
			if c.change != nil {
				c.change(&lines[0])
			}
			got := b.reconcile(t, lines...)
			b.wantClasses(t, got, c.want...)
			if len(c.want) > 0 && !strings.Contains(got.Differences[0].Message, c.message) {
				t.Errorf("message %q, want %q", got.Differences[0].Message, c.message)
			}
			if got.Matched != len(lines)-len(c.want) || got.Lines != len(lines) || !got.From.Equal(epoch) || !got.To.Equal(epoch) {
				t.Errorf("got %+v", got)
			}
			types := b.types(t, p.ID)
			if p = b.becomes(t, p.ID, c.status); types[len(types)-1] != c.last && !slices.Contains(types[len(types)-2:], c.last) {
				t.Errorf("events %v, want %s at their end", types, c.last)
			}
			b.reconcile(t, lines...)
			wantTypes(t, b.types(t, p.ID), types...) // the same statement again tells nothing new
			if n := len(b.providers["acme"].Submits()); n != 1 {
				t.Errorf("it was handed over %d times", n)
			}
		})
	}
}

func (b *bundle) wantClasses(t *testing.T, got engine.Reconciliation, want ...engine.DifferenceClass) {
	t.Helper()
	var classes []engine.DifferenceClass
	for _, d := range got.Differences {
		classes = append(classes, d.Class)
	}
	if !slices.Equal(classes, want) {
		t.Errorf("differences %+v, want %v", got.Differences, want)
	}
}

// Only attempts of the statement's own time are missed in it, and only where they moved money or may have.
func TestReconcileWhatOneSideAloneHas(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	refused := providertest.Refuse(provider.CodeUnavailable)
	done := providertest.Approve()
	b.providers["acme"].Script(done, done, done, refused, providertest.Lose(provider.Pending), done, done)
	b.start(t)
	var paid []*payment.Payment
	for i := range 7 {
		paid = append(paid, b.pay(t, "order-"+string(rune('a'+i))))
		b.clock.Advance(time.Hour)
	}
	foreign := lineOf(paid[1], 1, provider.Succeeded)
	foreign.Key, foreign.Reference = "0123456789abcdefghij", "ref-of-somebody-else"
	got := b.reconcile(t, lineOf(paid[5], 1, provider.Succeeded), lineOf(paid[1], 1, provider.Succeeded), foreign)
	b.wantClasses(t, got, engine.TheirsOnly, engine.OursOnly, engine.OursOnly)
	if len(got.Differences) == 3 && (got.Differences[0].Key != foreign.Key || got.Differences[1].Payment != paid[4].ID || got.Differences[2].Payment != paid[2].ID) {
		t.Errorf("got %+v", got.Differences)
	}
	if got.Matched != 2 || !got.From.Equal(paid[1].CreatedAt) || !got.To.Equal(paid[5].CreatedAt) {
		t.Errorf("got %+v", got)
	}
}

// An abandoned attempt that was paid all the same, beside the one that followed it.
func TestReconcileTwoAttemptsPaid(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, AbandonIfUnanswered: true}).Script(providertest.Lose(provider.Pending))
	b.providers["bravo"].Script(providertest.Approve())
	b.start(t)
	p := b.pay(t, "order-1")
	if p.Status != payment.Succeeded || len(p.Attempts) != 2 {
		t.Fatalf("got %+v", p)
	}
	b.providers["acme"].Settle(p.Attempts[0].Key, provider.Succeeded)
	b.wantClasses(t, b.reconcile(t, lineOf(p, 1, provider.Succeeded)), engine.PaidTwice)
	if types := b.types(t, p.ID); types[len(types)-1] != payment.EventDoublePayment {
		t.Errorf("events %v", types)
	}
}

// A statement read from the provider: a line that moved to the next page meanwhile is one, as it was last.
func TestReconcileWithTheProvidersStatement(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.providers["acme"].SetStatement()
	b.providers["acme"].Always(providertest.Approve())
	b.start(t)
	if got := b.reconcile(t); got.Lines != 0 || len(got.Differences) != 0 || !got.From.Equal(epoch.Add(-24*time.Hour)) || !got.To.Equal(epoch) {
		t.Errorf("neither side has anything: %+v", got)
	}
	old := b.pay(t, "order-0")
	b.clock.Advance(24*time.Hour + 1)
	first, second := b.pay(t, "order-1"), b.pay(t, "order-2")
	got := b.reconcile(t)
	b.wantClasses(t, got, engine.OursOnly, engine.OursOnly)
	for _, d := range got.Differences {
		if d.Payment == old.ID {
			t.Errorf("an attempt of before the time that is compared: %+v", d)
		}
	}
	b.providers["acme"].SetStatement(
		[]provider.StatementLine{lineOf(second, 1, provider.Succeeded), lineOf(first, 1, provider.Pending)},
		[]provider.StatementLine{lineOf(first, 1, provider.Succeeded)},
	)
	if got := b.reconcile(t); got.Lines != 2 || got.Matched != 2 || len(got.Differences) != 0 {
		t.Errorf("got %+v", got)
	}
	b.providers["acme"].FailReads(provider.Errorf(provider.CodeUnavailable, "down"))
	if _, err := b.Reconcile(t.Context(), "acme", nil); provider.CodeOf(err) != provider.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	if _, err := b.Reconcile(t.Context(), "nobody", nil); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// circling is a provider whose statement names each page but the first as the one after it.
type circling struct{ *providertest.Provider }

func (circling) Statement(context.Context, string) (provider.StatementPage, error) {
	return provider.StatementPage{Next: "2"}, nil
}

func TestReconcileStatementWithoutEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.configure = func(c *engine.Config) { c.Providers["acme"] = circling{b.providers["acme"].SetStatement()} }
	b.start(t)
	if _, err := b.Reconcile(t.Context(), "acme", nil); !errors.Is(err, engine.ErrStatement) || !strings.Contains(err.Error(), `page "2" as the page after itself`) {
		t.Errorf("got %v", err)
	}
}

func TestReadStatement(t *testing.T) {
	t.Parallel()
	if lines, err := engine.ReadStatement(strings.NewReader("key,amount,currency,status,created_at\n")); lines == nil || len(lines) > 0 || err != nil {
		t.Errorf("a header alone: %#v, %v", lines, err)
	}
	const header = "key,reference,amount,currency,status,created_at\n"
	const line = "k,r,10000.50,COP,succeeded,2026-11-21T15:04:05-05:00\n"
	want := provider.StatementLine{
		Key: "k", Reference: "r", Amount: payment.MoneyOfMinor(1_000_050), Currency: "COP", Status: provider.Succeeded,
		CreatedAt: time.Date(2026, 11, 21, 20, 4, 5, 0, time.UTC),
	}
	for _, c := range []struct{ name, file, err string }{
		{name: "the columns in order", file: header + line},
		{name: "by name, with others between", file: "\ufeffstatus,note,created_at,reference,key,currency,amount\n" +
			"succeeded,\"a, b\",2026-11-21T20:04:05Z,r,k,COP,10000.5\n"},
		{"nothing", "", "it is empty: its first line names the columns"},
		{"a column is missing", "key,amount,currency,status\n", "line 1: the column created_at is missing"},
		{"a column twice", "key,key,amount,currency,status,created_at\n", "line 1: the column key is given twice"},
		{"a cell is missing", header + line + "k,r,1\n", "line 3, column 1: wrong number of fields"},
		{"half a quote", header + "k,\"r,1\n", "line 2, column 8: extraneous or missing"},
		{"a thousands separator", header + line + "k,r,\"1,000\",COP,succeeded,2026-11-21T15:04:05Z\n", `line 3, column 5 (amount): payment: not an amount: "1,000"`},
		{"an amount of nothing", header + "k,r,0.00,COP,succeeded,2026-11-21T15:04:05Z\n", "line 2, column 5 (amount): it is zero"},
		{"no name", header + ",,1,COP,succeeded,2026-11-21T15:04:05Z\n", "line 2, column 2 (reference): it has neither key nor reference"},
		{"no currency", header + "k,r,1,,succeeded,2026-11-21T15:04:05Z\n", "line 2, column 7 (currency): it is empty"},
		{"an unknown word", header + "k,r,1,COP,paid,2026-11-21T15:04:05Z\n", `line 2, column 11 (status): "paid" is none of [pending`},
		{"a time without zone", header + "k,r,1,COP,pending,2026-11-21 15:04:05\n", `line 2, column 19 (created_at): "2026-11-21 15:04:05" is no time like`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lines, err := engine.ReadStatement(strings.NewReader(c.file))
			if c.err != "" {
				if !errors.Is(err, engine.ErrStatement) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			if err != nil || len(lines) != 1 {
				t.Fatalf("got %v, %v", lines, err)
			}
			lines[0].CreatedAt = lines[0].CreatedAt.UTC()
			if lines[0] != want {
				t.Errorf("got %+v, want %+v", lines[0], want)
			}
		})
	}
}

// Two accounts may give the same reference to different transfers: only our key tells that a line is about an attempt
// that another account was handed.
func TestReconcileAnotherAccount(t *testing.T) {
	t.Parallel()
	b, _, p := moveAccount(t, one, true, time.Millisecond, func(*providertest.Provider, bool) {})
	line := lineOf(p, 1, provider.Pending)
	line.Key, line.Amount = "", payment.Pesos(1)
	b.wantClasses(t, b.reconcile(t, line), engine.TheirsOnly)
	if p = b.becomes(t, p.ID, payment.Pending); p.Attempts[0].Code == payment.CodeMismatch {
		t.Errorf("got %+v", p.Attempts)
	}
	b.wantClasses(t, b.reconcile(t, lineOf(p, 1, provider.Pending)))
}

// busyBank is a provider that gets a payment while it tells its statement, which does not have that one yet.
type busyBank struct {
	*providertest.Provider
	lines     []provider.StatementLine
	meanwhile func()
}

func (p *busyBank) Statement(context.Context, string) (provider.StatementPage, error) {
	p.meanwhile()
	return provider.StatementPage{Lines: p.lines}, nil
}

func TestReconcileWhatWasPaidMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	bank := &busyBank{Provider: b.providers["acme"].SetStatement()}
	n := 0
	bank.meanwhile = func() {
		n++
		b.clock.Advance(time.Second)
		b.pay(t, fmt.Sprint("order-", n))
	}
	b.configure = func(c *engine.Config) { c.Providers["acme"] = bank }
	b.start(t)
	b.wantClasses(t, b.reconcile(t)) // without lines
	line := lineOf(b.pay(t, "order-1"), 1, provider.Pending)
	later := line
	later.Key, later.Reference, later.CreatedAt = "0123456789abcdefghij", "ref-of-somebody-else", b.clock.Now().Add(time.Minute) // by their clock
	bank.lines = []provider.StatementLine{line, later}
	b.wantClasses(t, b.reconcile(t), engine.TheirsOnly)
}
