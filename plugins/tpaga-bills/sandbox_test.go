package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/tpaga-bills/sandbox"
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

// attempt pays a reference under a key of the engine's form.
func attempt(reference string) provider.Attempt {
	a := exampleAttempt()
	a.Key, a.Payment.Bill.Reference = "0123456789abcdefghij", reference
	return a
}

// Every row of the document's "Test data to query bills", at each agreement that can be queried.
func TestQueryTestData(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := at(t, s.URL)
	billers, err := p.Billers(t.Context(), "")
	if err != nil || len(billers.Billers) != 6 || billers.Next != "" {
		t.Fatalf("%+v, %v", billers, err)
	}
	for _, tc := range []struct {
		reference string
		code      provider.Code
		theirs    string
	}{
		{"111100005555", "", ""},
		{"000000", "", ""},
		{"dummy412", provider.CodeInvalid, "412"},
		{"dummy422-does-not-exist", provider.CodeInvalid, "422 bill_does_not_exist"},
		{"dummy422-expired-bill", provider.CodeDeclined, "422 expired_bill"},
		{"dummy422-already-paid-bill", provider.CodeDeclined, "422 already_paid_bill"},
		{"dummy422-try-again", provider.CodeUnavailable, "422 try_again_later"},
		{"dummy422-cannot-be-paid", provider.CodeUnavailable, "422 bill_cannot_be_paid"},
		{"a-reference-of-21-char", provider.CodeInvalid, "422 invalid_field_length short_bill_reference"},
	} {
		for _, biller := range billers.Billers {
			if !biller.Queryable {
				continue
			}
			b, err := p.Bill(t.Context(), biller.ID, tc.reference)
			if codeOf(t, err) != tc.code || err != nil && provider.AsError(err).ProviderCode != tc.theirs {
				t.Errorf("%s of %s: %+v, %v", tc.reference, biller.ID, b, err)
			}
			want := provider.BillDetail{
				Biller: biller.ID, Reference: tc.reference, Amount: payment.Pesos(12300), AmountEditable: biller.AmountEditable || tc.reference == "000000",
			}
			if err == nil && b != want {
				t.Errorf("%+v, want %+v", b, want)
			}
		}
		// Nor is paid what cannot be queried.
		if _, err := p.Submit(t.Context(), attempt(tc.reference)); tc.code != "" && codeOf(t, err) != tc.code {
			t.Errorf("%s is paid: %v", tc.reference, err)
		}
	}
}

// Every row of the document's "Test data to pay bills", at every agreement, with what a look-up says afterwards.
func TestPaymentTestData(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := at(t, s.URL, "allow_unqueried", "true")
	billers, err := p.Billers(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, tc := range []struct {
		reference string
		amount    int64
		status    provider.Status
		err       provider.Code
		code      string
		ledger    string
	}{
		{"111100005555", 12300, provider.Succeeded, "", "AUTHORIZED", "approved"},
		{"000000", 12300, provider.Succeeded, "", "AUTHORIZED", "approved"},
		{"000000", 50000, provider.Succeeded, "", "AUTHORIZED", "approved"},
		{"111100001111", 12300, provider.Pending, "", "IN_PROGRESS", "pending"},
		{"111100003333", 12300, provider.Failed, "", "REJECTED 90", ""},
		{"111100004444", 12300, "", provider.CodeUnknown, "UNKNOWN 16", "unknown"},
	} {
		for _, biller := range billers.Billers {
			n++
			a := attempt(tc.reference)
			a.Key = fmt.Sprintf("%020d", n)
			a.Payment.Bill.Biller, a.Payment.Amount = biller.ID, payment.Pesos(tc.amount)
			before := len(s.Ledger())
			o, err := p.Submit(t.Context(), a)
			said := func(what string, o provider.Outcome, err error) {
				t.Helper()
				if codeOf(t, err) != tc.err || o.Status != tc.status {
					t.Errorf("%s of %s, %s: %+v, %v", tc.reference, biller.ID, what, o, err)
				}
				if err == nil && (o.Key != a.Key || o.Amount != a.Payment.Amount || o.Code != tc.code || o.Reference == "") {
					t.Errorf("%s of %s, %s: %+v", tc.reference, biller.ID, what, o)
				}
				if e := provider.AsError(err); err != nil && (e.ProviderCode != tc.code || e.Reference == "") {
					t.Errorf("%s of %s, %s: %#v", tc.reference, biller.ID, what, e)
				}
			}
			said("paid", o, err)
			o, err = p.Lookup(t.Context(), lookupOf(a.Key))
			said("looked up", o, err)
			a.Resend = true
			o, err = p.Submit(t.Context(), a)
			said("sent again", o, err)
			got := s.Ledger()[before:]
			if tc.ledger == "" && len(got) != 0 || tc.ledger != "" && (len(got) != 1 || got[0].Status != tc.ledger || got[0].Key != a.Key ||
				got[0].Operation != "bill" || got[0].Amount != a.Payment.Amount.String()) {
				t.Errorf("%s of %s: ledger %+v", tc.reference, biller.ID, got)
			}
		}
	}
}

func TestWhatIsNotKnownYet(t *testing.T) {
	t.Parallel()
	lookup := func(t *testing.T, p *bills) provider.Outcome {
		t.Helper()
		o, err := p.Lookup(t.Context(), lookupOf(attempt("").Key))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	t.Run("is authorized after a while", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		p := at(t, s.URL)
		if o, err := p.Submit(t.Context(), attempt("111100001111")); err != nil || o.Status != provider.Pending {
			t.Fatalf("%+v, %v", o, err)
		}
		s.Post("clock", map[string]any{"advance_s": 59})
		if o := lookup(t, p); o.Status != provider.Pending {
			t.Errorf("too early: %+v", o)
		}
		s.Post("clock", map[string]any{"advance_s": 1})
		if o := lookup(t, p); o.Status != provider.Succeeded || s.Ledger()[0].Status != "approved" {
			t.Errorf("%+v, ledger %+v", o, s.Ledger())
		}
	})
	for _, reference := range []string{"111100001111", "111100004444"} {
		for decision, want := range map[string]provider.Status{"approved": provider.Succeeded, "rejected": provider.Failed} {
			t.Run(reference+" is "+decision, func(t *testing.T) {
				t.Parallel()
				s := newSimulator(t)
				p := at(t, s.URL)
				p.Submit(t.Context(), attempt(reference))
				s.Settle(s.Ledger()[0].ID, decision)
				if o := lookup(t, p); o.Status != want || s.Ledger()[0].Status != decision {
					t.Errorf("%+v, ledger %+v", o, s.Ledger())
				}
			})
		}
	}
	t.Run("over the life of a token", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		p := at(t, s.URL)
		if _, err := p.Submit(t.Context(), attempt("111100005555")); err != nil {
			t.Fatal(err)
		}
		s.Post("clock", map[string]any{"advance_s": 3601}) // the plugin's own clock stands still
		if o := lookup(t, p); o.Status != provider.Succeeded {
			t.Errorf("%+v", o)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if counts := s.Counts(); counts["token"] != 2 || counts["create"] != 1 || counts["bill"] != 1 || counts["billers"] != 1 {
			t.Errorf("counts %v, want one token more after the first one's end", counts)
		}
	})
}

// What the sandbox answers by itself, in each of its modes.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode, value, reference string
		pesos                  int64
		status                 provider.Status
		code                   provider.Code
		field                  string
	}{
		{"permission", "denied", "1", 12300, "", provider.CodeUnauthorized, ""},
		{"auth", "api_key", "1", 12300, "", provider.CodeUnauthorized, ""},
		{"balance", "12299", "1", 12300, "", provider.CodeExhausted, ""},
		{"balance", "12299", "111100001111", 12300, "", provider.CodeExhausted, ""}, // which is not queried
		{"balance", "12300", "1", 12300, provider.Succeeded, "", ""},
		{"bill_amount", "12300.50", "1", 12300, "", provider.CodeInvalid, "amount"},
		{"bill_amount", "12300.50", "111100001111", 12300, "", provider.CodeInvalid, "amount"},
		{"mismatch", "invalid", "111100001111", 12301, "", provider.CodeInvalid, "amount"},
		{"mismatch", "rejected", "111100001111", 12301, "", provider.CodeInvalid, "amount"},
		{"gateway", "html", "111100003333", 12300, "", provider.CodeUnknown, ""},
		{"gateway", "html", "111100004444", 12300, "", provider.CodeUnknown, ""},
		{"result_code", "0", "1", 12300, provider.Succeeded, "", ""},
		{"payable_until", "null", "1", 12300, provider.Succeeded, "", ""},
		{"payable_until", "absent", "1", 12300, provider.Succeeded, "", ""},
		{"known_token", "strict", "1", 12300, provider.Succeeded, "", ""},
		{"agreements", "1", "1", 12300, "", provider.CodeInvalid, "bill.biller"},
		{"agreements", "0", "1", 12300, "", provider.CodeUnavailable, ""},
		{"slash", "redirect", "1", 12300, "", provider.CodeUnknown, ""}, // queried all right, and never paid
	} {
		t.Run(tc.mode+" "+tc.value+" "+tc.reference, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			s.Mode(tc.mode, tc.value)
			a := attempt(tc.reference)
			a.Payment.Amount = payment.Pesos(tc.pesos)
			o, err := at(t, s.URL).Submit(t.Context(), a)
			if codeOf(t, err) != tc.code || o.Status != tc.status || err != nil && provider.AsError(err).Field != tc.field {
				t.Errorf("got %+v, %v; want %q, %q", o, err, tc.status, tc.code)
			}
			if n := len(s.Ledger()); (n == 1) != (tc.status == provider.Succeeded || tc.reference == "111100004444") {
				t.Errorf("ledger %v", s.Ledger())
			}
			if tc.mode == "slash" {
				if got := s.Counts(); got["bill"] != 2 || got["create"] != 1 {
					t.Errorf("counts %v: a GET goes on, a POST does not", got)
				}
			}
		})
	}
	t.Run("an api-key", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		s.Mode("auth", "api_key")
		if o, err := at(t, s.URL, "auth", "api_key").Submit(t.Context(), attempt("1")); err != nil || o.Status != provider.Succeeded {
			t.Errorf("%+v, %v", o, err)
		}
		if err := at(t, s.URL, "auth", "api_key", "client_secret", "wrong").Check(t.Context()); codeOf(t, err) != provider.CodeUnauthorized {
			t.Errorf("a wrong one: %v", err)
		}
	})
	t.Run("a bill that is paid once", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		s.Mode("paid", "once")
		p := at(t, s.URL)
		a := attempt("1")
		if _, err := p.Submit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		again := attempt("1")
		again.Key = "another"
		if _, err := p.Submit(t.Context(), again); codeOf(t, err) != provider.CodeDeclined {
			t.Errorf("another payment: %v", err)
		}
		a.Resend = true // which must not be told that the bill is paid
		if o, err := p.Submit(t.Context(), a); err != nil || o.Status != provider.Succeeded {
			t.Errorf("the same sent again: %+v, %v", o, err)
		}
		again.Resend = true
		if o, err := p.Submit(t.Context(), again); err != nil || o.Status != provider.Rejected || o.Code != "REJECTED 84" {
			t.Errorf("another one without a query: %+v, %v", o, err)
		}
		s.AwaitLedger(1)
	})
	t.Run("an unknown token", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		for _, status := range []string{"404", "422"} {
			s.Mode("unknown_token", status)
			if o, err := at(t, s.URL).Lookup(t.Context(), lookupOf("nobody")); err != nil || o.Status != provider.Absent || o.Code != status {
				t.Errorf("%s: %+v, %v", status, o, err)
			}
		}
	})
	t.Run("1,001 agreements", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		s.Mode("agreements", "1001")
		p := at(t, s.URL)
		a := attempt("1")
		a.Payment.Bill.Biller = "biller_1001"
		if o, err := p.Submit(t.Context(), a); err != nil || o.Status != provider.Succeeded || s.Counts()["billers"] != 3 {
			t.Errorf("%+v, %v after %d pages", o, err, s.Counts()["billers"])
		}
	})
	t.Run("the balance goes down", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		s.Mode("balance", "24600")
		s.Mode("max_loan", "100")
		p := at(t, s.URL)
		for i, reference := range []string{"1", "111100003333", "111100005555", "1"} {
			a := attempt(reference)
			a.Key = fmt.Sprint(i)
			_, err := p.Submit(t.Context(), a)
			b, balanceErr := p.Balance(t.Context())
			want := []int64{12300, 12300, 0, 0}[i]
			if b != (provider.Balance{Available: payment.Pesos(want), Overdraft: payment.Pesos(100), Currency: "COP"}) || balanceErr != nil {
				t.Errorf("after %d: %+v, %v", i+1, b, balanceErr)
			}
			if (i == 3) != (codeOf(t, err) == provider.CodeExhausted) {
				t.Errorf("payment %d: %v", i+1, err)
			}
		}
	})
}

// Every fault of a hand-over: what the plugin says of it, and what really happened.
func TestFaultsOfAHandOver(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		fault    map[string]any
		want     provider.Code
		executed int
	}{
		{"drop_before", map[string]any{"do": "drop_before"}, provider.CodeUnknown, 0},
		{"drop_after", map[string]any{"do": "drop_after"}, provider.CodeUnknown, 1},
		{"delay", map[string]any{"do": "delay", "delay_ms": 1000}, provider.CodeUnknown, 1},
		{"delay_after", map[string]any{"do": "delay_after", "delay_ms": 60_000}, provider.CodeUnknown, 1},
		{"garble", map[string]any{"do": "garble"}, provider.CodeUnknown, 1},
		{"answer 429", map[string]any{"do": "answer", "status": 429}, provider.CodeUnavailable, 0},
		{"answer 422", map[string]any{"do": "answer", "status": 422, "body": `{"field":"amount"}`}, provider.CodeInvalid, 0},
		{"answer 409", map[string]any{"do": "answer", "status": 409}, provider.CodeUnknown, 0},
		{"answer 502 with a page", map[string]any{"do": "answer", "status": 502, "body": "<html>"}, provider.CodeUnknown, 0},
		{"an empty 200", map[string]any{"do": "answer", "status": 200}, provider.CodeUnknown, 0},
		{"answer_after 500", map[string]any{"do": "answer_after", "status": 500}, provider.CodeUnknown, 1},
		{"answer_after 503 with a page", map[string]any{"do": "answer_after", "status": 503, "body": "<html>"}, provider.CodeUnknown, 1},
		{"answer_after 502 with a page", map[string]any{"do": "answer_after", "status": 502, "body": "<html>"}, provider.CodeUnknown, 1},
		{"answer_after 200 with nothing", map[string]any{"do": "answer_after", "status": 200}, provider.CodeUnknown, 1},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			s.Mode("paid", "once")
			p := at(t, s.URL)
			if _, err := p.Bill(t.Context(), "etb", "1"); err != nil {
				t.Fatal(err)
			}
			tc.fault["on"] = "create"
			s.Fault(tc.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if strings.HasPrefix(tc.name, "delay") {
				go func() {
					s.Await("the request", func() bool { return s.Counts()["create"] == 1 })
					cancel()
				}()
			}
			_, err := p.Submit(ctx, attempt("1"))
			if codeOf(t, err) != tc.want {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			s.AwaitLedger(tc.executed)
			o, err := p.Lookup(t.Context(), lookupOf(attempt("").Key))
			if want := []provider.Status{provider.Absent, provider.Succeeded}[tc.executed]; err != nil || o.Status != want {
				t.Errorf("looked up: %+v, %v", o, err)
			}
			// The same attempt again, as the provider allows: it is never executed twice.
			again := attempt("1")
			again.Resend = true
			if o, err := p.Submit(t.Context(), again); err != nil || o.Status != provider.Succeeded {
				t.Errorf("sent again: %+v, %v", o, err)
			}
			s.AwaitLedger(1)
		})
	}
}

// Whatever happens before the payment is asked for, nothing is paid, and it is said so.
func TestFaultsBeforeThePayment(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]map[string]any{
		"drop_before": {"do": "drop_before"}, "drop_after": {"do": "drop_after"}, "garble": {"do": "garble"},
		"delay": {"do": "delay", "delay_ms": 60_000}, "delay_after": {"do": "delay_after", "delay_ms": 60_000},
		"answer 503": {"do": "answer", "status": 503}, "answer 401": {"do": "answer", "status": 401},
	} {
		for _, kind := range []string{"token", "billers", "bill"} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newSimulator(t)
				p := at(t, s.URL)
				laid := map[string]any{"on": kind, "times": 2} // after a 401, and after a GET on a broken connection, the same is asked once more
				for k, v := range fault {
					laid[k] = v
				}
				s.Fault(laid)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if strings.HasPrefix(name, "delay") {
					go func() {
						s.Await("the request", func() bool { return s.Counts()[kind] == 1 })
						cancel()
					}()
				}
				want := provider.CodeUnavailable
				if name == "answer 401" {
					want = provider.CodeUnauthorized
				}
				if _, err := p.Submit(ctx, attempt("1")); codeOf(t, err) != want {
					t.Errorf("got %v, want %s", err, want)
				}
				s.AwaitLedger(0)
			})
		}
	}
}

// Whatever happens to a look-up, it claims nothing.
func TestFaultsOfALookup(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]map[string]any{
		"drop_before": {"do": "drop_before"}, "drop_after": {"do": "drop_after"}, "garble": {"do": "garble"},
		"delay": {"do": "delay", "delay_ms": 60_000}, "delay_after": {"do": "delay_after", "delay_ms": 60_000},
		"answer 503": {"do": "answer"}, "answer_after 500": {"do": "answer_after", "status": 500}, "answer 200 with nothing": {"do": "answer", "status": 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			if _, err := p.Submit(t.Context(), attempt("1")); err != nil {
				t.Fatal(err)
			}
			fault["on"], fault["times"] = "lookup", 2
			s.Fault(fault)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if strings.HasPrefix(name, "delay") {
				go func() {
					s.Await("the request", func() bool { return s.Counts()["lookup"] == 1 })
					cancel()
				}()
			}
			if o, err := p.Lookup(ctx, lookupOf(attempt("").Key)); codeOf(t, err) != provider.CodeUnknown {
				t.Errorf("got %+v, %v; want unknown", o, err)
			}
		})
	}
}

// Over the wire a host gets what the plugin says, word for word.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.Mode("agreements", "501")
	p := plugintest.Serve(t, New())
	if err := p.Configure(t.Context(), configAt(s.URL)); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(t.Context()); err != nil {
		t.Error(err)
	}
	lister, ok := provider.WithBills(p)
	if !ok {
		t.Fatal("it has no bills")
	}
	page, err := lister.Billers(t.Context(), "")
	if err != nil || len(page.Billers) != 500 || page.Next != "2" {
		t.Fatalf("%d agreements, next %q, %v", len(page.Billers), page.Next, err)
	}
	if page, err = lister.Billers(t.Context(), page.Next); err != nil || len(page.Billers) != 1 || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
	if b, err := lister.Bill(t.Context(), "editable_card", "1"); err != nil || !b.AmountEditable || b.Amount != payment.Pesos(12300) {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := lister.Bill(t.Context(), "etb", "dummy422-expired-bill"); codeOf(t, err) != provider.CodeDeclined || provider.AsError(err).Field != "bill.reference" {
		t.Errorf("an expired bill: %v", err)
	}
	if o, err := p.Submit(t.Context(), attempt("1")); err != nil || o.Status != provider.Succeeded || o.Key != attempt("").Key {
		t.Errorf("%+v, %v", o, err)
	}
	purse, ok := provider.WithBalance(p)
	if !ok {
		t.Fatal("it has no balance")
	}
	if b, err := purse.Balance(t.Context()); err != nil || b.Available != payment.Pesos(10_000_000_000-12300) {
		t.Errorf("%+v, %v", b, err)
	}
	s.AwaitLedger(1)
}
