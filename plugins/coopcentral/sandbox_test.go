package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/coopcentral/sandbox"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/plugintest"
	"github.com/cauce-pay/cauce/provider/sandbox/sandboxtest"
)

// simulator is the plugin's own sandbox.
type simulator struct{ *sandboxtest.Simulator }

func newSimulator(t testing.TB) *simulator {
	t.Helper()
	return &simulator{sandboxtest.Start(t, sandbox.New)}
}

// attempt is a hand-over under a key of the engine's form.
func attempt(description string) provider.Attempt {
	a := exampleAttempt()
	a.Key, a.Payment.Description = "0123456789abcdefghij", description
	return a
}

func (s *simulator) mustSubmit(p provider.Provider, a provider.Attempt) provider.Outcome {
	s.Helper()
	o, err := p.Submit(s.Context(), a)
	if err != nil || o.Status != provider.Pending || o.Key != a.Key || o.Amount != a.Payment.Amount {
		s.Fatalf("got %+v, %v", o, err)
	}
	return o
}

func TestLife(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, description, settle string
		want                      provider.Status
		ledger                    string
	}{
		{"magic approval", "transaction-approved", "", provider.Succeeded, "approved"},
		{"magic rejection", "transaction-rejected", "", provider.Rejected, "rejected"},
		{"approved by the bank", "nómina", "approved", provider.Succeeded, "approved"},
		{"rejected by the bank", "nómina", "rejected", provider.Rejected, "rejected"},
		{"forgotten", "", "expired", provider.Rejected, "expired"},
	} {
		for _, unit := range []string{"peso", "cent"} {
			t.Run(tc.name+" in "+unit, func(t *testing.T) {
				t.Parallel()
				s := newSimulator(t)
				s.Mode("unit", unit)
				p := at(t, s.URL, "amount_unit", unit, "origin_account", "deposit")
				banks, err := p.Banks(t.Context(), payment.BankTransfer)
				if err != nil || len(banks) < 20 {
					t.Fatalf("banks %v, %v", banks, err)
				}
				o := s.mustSubmit(p, attempt(tc.description))
				if tc.settle != "" {
					if found, err := p.Lookup(t.Context(), lookupOf(o.Key)); err != nil || found != o {
						t.Fatalf("looked up: %+v, %v; want %+v", found, err, o)
					}
					s.Settle(s.Ledger()[0].ID, tc.settle)
				}
				if told := s.Follow(p); told.Status != tc.want || told.Key != o.Key || told.Amount != o.Amount {
					t.Errorf("the webhook leads to %+v, want %s", told, tc.want)
				}
				if got := s.Ledger(); len(got) != 1 || got[0].Key != o.Key || got[0].Amount != "5211470.00" || got[0].Status != tc.ledger {
					t.Errorf("ledger %v", got)
				}
				page, err := p.Statement(t.Context(), "")
				if err != nil || len(page.Lines) != 1 || page.Next != "" || page.Lines[0].Key != o.Key ||
					page.Lines[0].Status != tc.want || page.Lines[0].Amount != o.Amount || page.Lines[0].CreatedAt.IsZero() {
					t.Errorf("statement %+v, %v", page, err)
				}
			})
		}
	}
}

// Every fault of a hand-over: what the plugin says of it, and what really happened.
func TestFaultsOfAHandOver(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		fault    map[string]any
		want     provider.Code // "" = the outcome failed
		executed int
	}{
		{"drop_before", map[string]any{"do": "drop_before"}, provider.CodeUnknown, 0},
		{"drop_after", map[string]any{"do": "drop_after"}, provider.CodeUnknown, 1},
		{"delay", map[string]any{"do": "delay", "delay_ms": 300}, provider.CodeUnknown, 1},
		{"delay_after", map[string]any{"do": "delay_after", "delay_ms": 60_000}, provider.CodeUnknown, 1},
		{"garble", map[string]any{"do": "garble"}, provider.CodeUnknown, 1},
		{"answer 401", map[string]any{"do": "answer", "status": 401}, provider.CodeUnauthorized, 0},
		{"answer 403", map[string]any{"do": "answer", "status": 403}, provider.CodeUnauthorized, 0},
		{"answer 409", map[string]any{"do": "answer", "status": 409}, "", 0},
		{"answer 422", map[string]any{"do": "answer", "status": 422, "body": `{"field":"dest_bank"}`}, provider.CodeInvalid, 0},
		{"answer 429", map[string]any{"do": "answer", "status": 429}, provider.CodeUnavailable, 0},
		{"answer 500", map[string]any{"do": "answer", "status": 500}, provider.CodeUnknown, 0},
		{"an empty 201", map[string]any{"do": "answer", "status": 201}, provider.CodeUnknown, 0},
		{"answer_after 500", map[string]any{"do": "answer_after", "status": 500}, provider.CodeUnknown, 1},
		{"answer_after 502 with a page", map[string]any{"do": "answer_after", "status": 502, "body": "<html>"}, provider.CodeUnknown, 1},
		{"answer_after 200 with nothing", map[string]any{"do": "answer_after", "status": 200}, provider.CodeUnknown, 1},
		{"answer_after 404", map[string]any{"do": "answer_after", "status": 404}, provider.CodeUnknown, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			if _, err := p.Banks(t.Context(), payment.BankTransfer); err != nil {
				t.Fatal(err)
			}
			tc.fault["on"] = "create"
			s.Fault(tc.fault)
			ctx := t.Context()
			if strings.HasPrefix(tc.name, "delay") {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
			}
			o, err := p.Submit(ctx, attempt("nómina"))
			if codeOf(t, err) != tc.want || tc.want == "" && o.Status != provider.Failed {
				t.Fatalf("got %+v, %v, want %s", o, err, tc.want)
			}
			s.AwaitLedger(tc.executed)
			found, err := p.Lookup(t.Context(), lookupOf(attempt("").Key))
			if want := []provider.Status{provider.Absent, provider.Pending}[tc.executed]; err != nil || found.Status != want {
				t.Errorf("looked up: %+v, %v; want %s", found, err, want)
			}
			// The same attempt again, as the provider allows: it is never executed twice.
			again := attempt("nómina")
			again.Resend = true
			s.mustSubmit(p, again)
			s.AwaitLedger(1)
		})
	}
}

// Whatever happens to the list of banks, the transfer was not asked for.
func TestFaultsOfTheBanks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault map[string]any
		want  provider.Code
	}{
		"drop_before": {map[string]any{"do": "drop_before"}, provider.CodeUnavailable},
		"drop_after":  {map[string]any{"do": "drop_after"}, provider.CodeUnavailable},
		"delay":       {map[string]any{"do": "delay", "delay_ms": 60_000}, provider.CodeUnavailable},
		"delay_after": {map[string]any{"do": "delay_after", "delay_ms": 60_000}, provider.CodeUnavailable},
		"garble":      {map[string]any{"do": "garble"}, provider.CodeUnavailable},
		"answer 503":  {map[string]any{"do": "answer", "status": 503}, provider.CodeUnavailable},
		"answer 401":  {map[string]any{"do": "answer", "status": 401}, provider.CodeUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			tc.fault["on"] = "banks"
			s.Fault(tc.fault)
			ctx := t.Context()
			if strings.HasPrefix(name, "delay") {
				ctx = expired(t)
			}
			if _, err := p.Submit(ctx, attempt("")); codeOf(t, err) != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			s.AwaitLedger(0)
			if strings.HasPrefix(name, "delay") {
				return // the one request is still under way
			}
			s.mustSubmit(p, attempt(""))
		})
	}
}

// Whatever happens to a look-up, it claims nothing about the transfer.
func TestFaultsOfALookup(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault map[string]any
		want  provider.Code
	}{
		"drop_before":             {map[string]any{"do": "drop_before"}, provider.CodeUnknown},
		"drop_after":              {map[string]any{"do": "drop_after"}, provider.CodeUnknown},
		"delay":                   {map[string]any{"do": "delay", "delay_ms": 60_000}, provider.CodeUnknown},
		"delay_after":             {map[string]any{"do": "delay_after", "delay_ms": 60_000}, provider.CodeUnknown},
		"garble":                  {map[string]any{"do": "garble"}, provider.CodeUnknown},
		"answer 503":              {map[string]any{"do": "answer"}, provider.CodeUnknown},
		"answer 401":              {map[string]any{"do": "answer", "status": 401}, provider.CodeUnauthorized},
		"answer_after 500":        {map[string]any{"do": "answer_after", "status": 500}, provider.CodeUnknown},
		"answer 200 with nothing": {map[string]any{"do": "answer", "status": 200}, provider.CodeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			o := s.mustSubmit(p, attempt(""))
			// Twice: a GET on a connection that breaks is made once more by itself.
			tc.fault["on"], tc.fault["times"] = "lookup", 2
			s.Fault(tc.fault)
			ctx := t.Context()
			if strings.HasPrefix(name, "delay") {
				ctx = expired(t)
			}
			if found, err := p.Lookup(ctx, lookupOf(o.Key)); codeOf(t, err) != tc.want {
				t.Errorf("got %+v, %v; want %s", found, err, tc.want)
			}
		})
	}
}

// A webhook is a hint: a forged, early or repeated one leads to a look-up that tells the truth.
func TestFaultsOfTheWebhook(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		do, description string
		want            []provider.Status
	}{
		{"webhook_forged", "nómina", []provider.Status{provider.Pending}},
		{"webhook_first", "nómina", []provider.Status{provider.Pending}},
		{"webhook_twice", "transaction-approved", []provider.Status{provider.Succeeded, provider.Succeeded}},
		{"webhook_never", "transaction-approved", nil},
	} {
		t.Run(tc.do, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			s.Fault(map[string]any{"on": "create", "do": tc.do})
			o := s.mustSubmit(p, attempt(tc.description))
			for _, want := range tc.want {
				if told := s.Follow(p); told.Status != want || told.Key != o.Key {
					t.Errorf("it leads to %+v, want %s", told, want)
				}
			}
			var deliveries []struct{}
			s.Get("webhooks", &deliveries)
			if len(deliveries) != len(tc.want) {
				t.Errorf("%d webhooks, want %d", len(deliveries), len(tc.want))
			}
		})
	}
}

// What the sandbox answers by itself, in each of its modes.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode, value string
		config      []string
		status      provider.Status
		code        provider.Code
		executed    int
	}{
		{"creation", "failed", nil, provider.Failed, "", 0},
		{"permission", "denied", nil, "", provider.CodeUnauthorized, 0},
		{"auth", "strict", []string{"auth_scheme", "none"}, "", provider.CodeUnauthorized, 0},
		{"auth", "lenient", []string{"auth_scheme", "none"}, provider.Pending, "", 1},
		{"auth", "lenient", nil, provider.Pending, "", 1},
		{"auth", "strict", []string{"token", "wrong"}, "", provider.CodeUnauthorized, 0},
		{"magic", "before", nil, provider.Succeeded, "", 1},
		{"environment", "production", nil, provider.Pending, "", 1},
		{"numbers", "string", nil, provider.Pending, "", 1},
		{"webhooks", "changes", nil, provider.Pending, "", 1},
	} {
		t.Run(tc.mode+" "+tc.value, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			s.Mode(tc.mode, tc.value)
			a := attempt("transaction-approved")
			o, err := at(t, s.URL, tc.config...).Submit(t.Context(), a)
			if codeOf(t, err) != tc.code || o.Status != tc.status {
				t.Errorf("got %+v, %v; want %q, %q", o, err, tc.status, tc.code)
			}
			if tc.executed == 1 && (o.Key != a.Key || o.Amount != a.Payment.Amount) {
				t.Errorf("echoes %+v", o)
			}
			s.AwaitLedger(tc.executed)
		})
	}
	for _, value := range []string{"404", "422"} {
		s := newSimulator(t)
		s.Mode("unknown_token", value)
		if o, err := at(t, s.URL).Lookup(t.Context(), lookupOf("nobody")); err != nil || o.Status != provider.Absent || o.Code != value {
			t.Errorf("unknown token, %s: %+v, %v", value, o, err)
		}
	}
}

// A burnt token stays burnt, and a known one with another payee or amount never passes for ours.
func TestResends(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := at(t, s.URL)
	s.Mode("creation", "failed")
	burnt := attempt("")
	for range 2 {
		if o, err := p.Submit(t.Context(), burnt); err != nil || o.Status != provider.Failed {
			t.Errorf("%+v, %v", o, err)
		}
		s.Mode("creation", "accepted")
	}
	if o, err := p.Lookup(t.Context(), lookupOf(burnt.Key)); err != nil || o.Status != provider.Rejected {
		t.Errorf("looked up: %+v, %v", o, err)
	}
	first := attempt("transaction-approved")
	first.Key = "first"
	s.mustSubmit(p, first)
	dearer, elsewhere := first, first
	dearer.Payment.Amount = payment.Pesos(1)
	elsewhere.Payment.Payee.Account.Number = "1"
	if o, err := p.Submit(t.Context(), first); err != nil || o.Status != provider.Succeeded || o.Key != first.Key {
		t.Errorf("the same: %+v, %v", o, err)
	}
	if o, err := p.Submit(t.Context(), dearer); err != nil || o.Amount != first.Payment.Amount {
		t.Errorf("another amount: %+v, %v", o, err)
	}
	if o, err := p.Submit(t.Context(), elsewhere); err != nil || o.Status != provider.Pending || o.Key == first.Key {
		t.Errorf("another payee: %+v, %v", o, err)
	}
	s.AwaitLedger(1)
}

// Over the wire a host gets what the plugin says, word for word.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := plugintest.Serve(t, New())
	if err := p.Configure(t.Context(), configAt(s.URL, "amount_unit", "cent")); err != nil {
		t.Fatal(err)
	}
	s.Mode("unit", "cent")
	if err := p.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.Info().Capabilities[0]; got.Decimals != 2 || !got.Recovery.ResendSameKey || got.Recovery.AbsentAfter != 0 {
		t.Errorf("capability %+v", got)
	}
	a := attempt("transaction-approved")
	a.Payment.Amount = payment.MoneyOfMinor(1000050)
	s.mustSubmit(p, a)
	hooks, _ := provider.WithNotifications(p)
	if told := s.Follow(hooks); told.Status != provider.Succeeded || told.Amount != a.Payment.Amount {
		t.Errorf("the webhook leads to %+v", told)
	}
	other := a
	other.Payment.Payee.Bank = "1507"
	if o, err := p.Submit(t.Context(), other); err != nil || o.Key == a.Key || !strings.Contains(o.Key, "dest_bank") {
		t.Errorf("another payee: %+v, %v", o, err)
	}
	a.Payment.Payee.Bank = "1066" // not in the sandbox's list
	if _, err := p.Submit(t.Context(), a); codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "payee.bank" {
		t.Errorf("an unlisted bank: %v", err)
	}
	books, _ := provider.WithStatement(p)
	if page, err := books.Statement(t.Context(), ""); err != nil || len(page.Lines) != 1 || page.Lines[0].Status != provider.Succeeded {
		t.Errorf("statement %+v, %v", page, err)
	}
	s.AwaitLedger(1)
}
