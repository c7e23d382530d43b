package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func TestSubmitSendsTheDocumentsRequest(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(read(t, "payin_request.json"))); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v1", "v2"} {
		d := newDocument(t)
		o, err := at(t, d.URL, "expiration_minutes", "720", "api_version", version).Submit(t.Context(), exampleAttempt())
		if codeOf(t, err) != "" {
			t.Fatal(err)
		}
		if len(d.calls) != 1 {
			t.Fatalf("%d calls", len(d.calls))
		}
		got := d.calls[0]
		if got.method != "POST" || got.path != "/api/"+version+"/payin" || got.body != want.String() {
			t.Errorf("%s %s\n%s\nwant\n%s", got.method, got.path, got.body, want.String())
		}
		for name, value := range map[string]string{
			"Authorization": "Basic c2hvcDpwNHNzLW9mLXRoZS1tZXJjaGFudA==", "Token-Top": tokenTop, "Content-Type": "application/json",
		} {
			if values := got.header.Values(name); len(values) != 1 || values[0] != value {
				t.Errorf("%s: %q, want %q", name, values, value)
			}
		}
		want := provider.Outcome{
			Status: provider.Pending, Key: reference, Reference: ticket, Amount: payment.Pesos(50), Currency: "COP", Code: "01", Action: o.Action,
		}
		if o != want || o.Action == nil || *o.Action != *payment.Redirect(paymentURL) {
			t.Errorf("got %+v (action %+v), want %+v", o, o.Action, want)
		}
	}
}

func TestSubmitTranslates(t *testing.T) {
	t.Parallel()
	document := func(kind payment.DocumentType) func(*provider.Attempt) {
		return func(a *provider.Attempt) { a.Payment.Payer.Document.Type = kind }
	}
	phone := func(number string) func(*provider.Attempt) {
		return func(a *provider.Attempt) { a.Payment.Payer.Phone = number }
	}
	by := func(m payment.Method) func(*provider.Attempt) {
		return func(a *provider.Attempt) { a.Payment.Method, a.Payment.Amount = m, payment.Pesos(10000) }
	}
	for _, tc := range []struct {
		name   string
		config []string
		change func(*provider.Attempt)
		got    func(payinRequest) any
		want   any
	}{
		{"pse", nil, by(payment.PSE), func(b payinRequest) any { return b.PaymentMethod }, "PSE"},
		{"efecty", nil, by(payment.Efecty), func(b payinRequest) any { return b.PaymentMethod }, "EFECTY"},
		{"card", nil, by(payment.Card), func(b payinRequest) any { return b.PaymentMethod }, "CARD"},
		{"breb", nil, by(payment.BreB), func(b payinRequest) any { return b.PaymentMethod }, "BREB"},
		{"any", nil, by(payment.Any), func(b payinRequest) any { return b.PaymentMethod }, "ALL_METHODS"},
		{"a CE", nil, document(payment.CE), func(b payinRequest) any { return b.Customer.LegalDocType }, "CE"},
		{"a passport", nil, document(payment.PP), func(b payinRequest) any { return b.Customer.LegalDocType }, "PPN"},
		{"a phone with its country", nil, phone("+57 (312) 123-4567"), func(b payinRequest) any { return b.Customer.PhoneCode + " " + b.Customer.PhoneNumber }, "57 3121234567"},
		{"a landline with its country", nil, phone("+57 60 12345"), func(b payinRequest) any { return b.Customer.PhoneNumber }, "6012345"},
		{"and without a plus", nil, phone("573121234567"), func(b payinRequest) any { return b.Customer.PhoneNumber }, "3121234567"},
		{"a phone that only begins like it", nil, phone("5712345678"), func(b payinRequest) any { return b.Customer.PhoneNumber }, "5712345678"},
		{"first and last name", nil, func(a *provider.Attempt) {
			a.Payment.Payer.Name, a.Payment.Payer.FirstName, a.Payment.Payer.LastName = "", "José Ñ.", "O'Connor & Hijos"
		}, func(b payinRequest) any { return b.Customer.FullName }, "José Ñ. O'Connor & Hijos"},
		{"cents", nil, func(a *provider.Attempt) { a.Payment.Amount = payment.MoneyOfMinor(200005) }, func(b payinRequest) any { return b.Amount }, int64(200005)},
		{"pesos", []string{"amount_unit", "peso"}, by(payment.PSE), func(b payinRequest) any { return b.Amount }, int64(10000)},
		{"no expiration configured", nil, by(payment.PSE), func(b payinRequest) any { return b.ExpirationTime }, int64(30)},
		{"the same for breb", nil, by(payment.BreB), func(b payinRequest) any { return b.ExpirationTime }, int64(30)},
		{"a router that cannot be reached", nil, func(a *provider.Attempt) { a.NotificationURL = "" }, func(b payinRequest) any { return b.IPNURL }, "https://no-webhooks.invalid/"},
		{"a bank in v1, where the page asks for it", nil, func(a *provider.Attempt) {
			by(payment.PSE)(a)
			a.Payment.Payer.Bank = "1007"
		}, func(b payinRequest) any { return b.Customer.Bank + b.Customer.PersonType }, ""},
		{"a bank in v2", []string{"api_version", "v2"}, func(a *provider.Attempt) {
			by(payment.PSE)(a)
			a.Payment.Payer.Bank, a.Payment.Payer.Kind = "1007", payment.Natural
		}, func(b payinRequest) any { return b.Customer.Bank + b.Customer.PersonType }, "1007NATURAL"},
		{"a bank in v2 by another method", []string{"api_version", "v2"}, func(a *provider.Attempt) {
			a.Payment.Payer.Bank = "1007"
		}, func(b payinRequest) any { return b.Customer.Bank + b.Customer.PersonType }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			a := exampleAttempt()
			tc.change(&a)
			if _, err := at(t, d.URL, tc.config...).Submit(t.Context(), a); codeOf(t, err) != "" {
				t.Fatal(err)
			}
			if got := tc.got(d.sent(t)); got != tc.want {
				t.Errorf("sent %v, want %v", got, tc.want)
			}
		})
	}
	t.Run("no description", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		a := exampleAttempt()
		a.Payment.Description = ""
		if _, err := at(t, d.URL).Submit(t.Context(), a); err != nil || strings.Contains(d.calls[0].body, "description") {
			t.Errorf("%v, sent %s", err, d.calls[0].body)
		}
	})
}

// What TumiPay would refuse is refused before anything is sent.
func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*provider.Attempt)
		field  string
	}{
		{"another operation", func(a *provider.Attempt) {
			a.Payment.Operation, a.Payment.Method = payment.PayOut, payment.BankTransfer
		}, "method"},
		{"another currency", func(a *provider.Attempt) { a.Payment.Currency = "USD" }, "currency"},
		{"another country", func(a *provider.Attempt) { a.Payment.Country = "PE" }, "country"},
		{"1999.99 by pse", func(a *provider.Attempt) {
			a.Payment.Method, a.Payment.Amount = payment.PSE, payment.MoneyOfMinor(199999)
		}, "amount"},
		{"9999.99 by efecty", func(a *provider.Attempt) {
			a.Payment.Method, a.Payment.Amount = payment.Efecty, payment.MoneyOfMinor(999999)
		}, "amount"},
		{"2000000.01", func(a *provider.Attempt) { a.Payment.Amount = payment.MoneyOfMinor(200000001) }, "amount"},
		{"a NIT", func(a *provider.Attempt) { a.Payment.Payer.Document.Type = payment.NIT }, "payer.document.type"},
		{"a TI", func(a *provider.Attempt) { a.Payment.Payer.Document.Type = payment.TI }, "payer.document.type"},
		{"a TE", func(a *provider.Attempt) { a.Payment.Payer.Document.Type = payment.TE }, "payer.document.type"},
		{"a legal payer", func(a *provider.Attempt) { a.Payment.Payer.Kind = payment.Legal }, "payer.kind"},
		{"no name", func(a *provider.Attempt) { a.Payment.Payer.Name = "" }, "payer.name"},
		{"no e-mail", func(a *provider.Attempt) { a.Payment.Payer.Email = "" }, "payer.email"},
		{"no document", func(a *provider.Attempt) { a.Payment.Payer.Document = payment.Document{} }, "payer.document.type"},
		{"no phone", func(a *provider.Attempt) { a.Payment.Payer.Phone = "" }, "payer.phone"},
		{"a phone without a digit", func(a *provider.Attempt) { a.Payment.Payer.Phone = "none" }, "payer.phone"},
		{"a phone of another country", func(a *provider.Attempt) { a.Payment.Payer.Phone = "+1 305 555 0100" }, "payer.phone"},
		{"no return URL", func(a *provider.Attempt) { a.Payment.ReturnURL = "" }, "return_url"},
		{"no key", func(a *provider.Attempt) { a.Key = "" }, ""},
		{"a key with a slash", func(a *provider.Attempt) { a.Key = "a/b" }, ""},
		{"a key of 65", func(a *provider.Attempt) { a.Key = strings.Repeat("a", 65) }, ""},
	} {
		d := newDocument(t)
		a := exampleAttempt()
		tc.change(&a)
		_, err := at(t, d.URL).Submit(t.Context(), a)
		if codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != tc.field {
			t.Errorf("%s: %v, want invalid %q", tc.name, err, tc.field)
		}
		if len(d.calls) != 0 {
			t.Errorf("%s: sent %+v", tc.name, d.calls)
		}
	}
	d := newDocument(t)
	a := exampleAttempt()
	a.Payment.Amount = payment.MoneyOfMinor(200050)
	if _, err := at(t, d.URL, "amount_unit", "peso").Submit(t.Context(), a); codeOf(t, err) != provider.CodeInvalid || len(d.calls) != 0 {
		t.Errorf("cents where the unit is a peso: %v", err)
	}
	a.Payment.Amount = payment.Pesos(4999)
	if _, err := at(t, d.URL, "max_amount", "4998", "pse_min_amount", "1", "efecty_min_amount", "1").Submit(t.Context(), a); codeOf(t, err) != provider.CodeInvalid {
		t.Errorf("more than the contract allows: %v", err)
	}
}

// Every HTTP class of facts, with what a look-up by the reference then finds.
func TestSubmitAnswers(t *testing.T) {
	t.Parallel()
	const refusal = `{"code":"05","status":"ERROR","message":"John Doe 1234567890","data":[]}`
	none, pending := notFoundAnswer, answer{}
	for _, tc := range []struct {
		create, get answer
		status      provider.Status
		code        provider.Code
		provider    string // code
		asked       bool
	}{
		{answer{201, read(t, "payin_answer.json")}, none, provider.Pending, "", "", false},
		{answer{200, refusal}, none, "", provider.CodeUnavailable, "200 05", true},
		{answer{200, refusal}, pending, "", provider.CodeUnknown, "", true},
		{answer{200, refusal}, answer{500, ""}, "", provider.CodeUnknown, "200 05", true},
		{answer{200, refusal}, answer{401, ""}, "", provider.CodeUnknown, "200 05", true},
		{answer{200, refusal}, record(t, map[string]any{"status": "REJECTED"}), provider.Rejected, "", "", true},
		{answer{200, refusal}, record(t, map[string]any{"status": "DECLINED"}), provider.Failed, "", "", true},
		{answer{200, refusal}, record(t, map[string]any{"status": "APPROVED"}), provider.Succeeded, "", "", true},
		{answer{200, refusal}, record(t, map[string]any{"payment_url": paymentURL}), provider.Pending, "", "", true},
		{answer{200, strings.Replace(refusal, `"05"`, `"John Doe"`, 1)}, none, "", provider.CodeUnavailable, "200", true},
		{answer{400, refusal}, none, "", provider.CodeInvalid, "400 05", true},
		{answer{400, "<html>John"}, none, "", provider.CodeInvalid, "400", true},
		{answer{400, refusal}, pending, "", provider.CodeUnknown, "", true},
		{answer{422, refusal}, none, "", provider.CodeInvalid, "422 05", true},
		{answer{422, refusal}, pending, "", provider.CodeUnknown, "", true},
		{answer{429, ""}, none, "", provider.CodeUnavailable, "429", true},
		{answer{429, ""}, answer{429, ""}, "", provider.CodeUnknown, "429", true},
		{answer{401, refusal}, none, "", provider.CodeUnauthorized, "401 05", false},
		{answer{403, ""}, none, "", provider.CodeUnauthorized, "403", false},
		{answer{404, "<html>"}, none, "", provider.CodeUnavailable, "404", false},
		{answer{408, ""}, none, "", provider.CodeUnknown, "408", false},
		{answer{409, refusal}, none, "", provider.CodeUnknown, "409 05", false},
		{answer{302, ""}, none, "", provider.CodeUnknown, "302", false},
		{answer{418, ""}, none, "", provider.CodeUnknown, "418", false},
		{answer{500, refusal}, none, "", provider.CodeUnknown, "500 05", false},
		{answer{502, "<html>"}, none, "", provider.CodeUnknown, "502", false},
		{answer{503, ""}, none, "", provider.CodeUnknown, "503", false},
		{answer{504, ""}, none, "", provider.CodeUnknown, "504", false},
		{answer{200, ""}, none, "", provider.CodeUnknown, "", false},
		{answer{200, "<html>John"}, none, "", provider.CodeUnknown, "", false},
		{answer{200, read(t, "payin_answer.json")[:200]}, none, "", provider.CodeUnknown, "", false},
		{answer{200, `{}`}, none, "", provider.CodeUnknown, "", false},
		{answer{200, `{"code":"01","status":"SUCCESS"}`}, none, "", provider.CodeUnknown, "", false},
		{answer{200, `{"code":"01","data":[]}`}, none, "", provider.CodeUnknown, "", false},
	} {
		t.Run(fmt.Sprint(tc.create.status, " ", tc.get.status), func(t *testing.T) {
			d := newDocument(t)
			d.create, d.get = tc.create, tc.get
			o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
			if codeOf(t, err) != tc.code || o.Status != tc.status {
				t.Errorf("%+v, %v; want %q %q", o, err, tc.status, tc.code)
			}
			quotesNothing(t, fmt.Sprintf("%+v", o))
			if err != nil && provider.AsError(err).ProviderCode != tc.provider {
				t.Errorf("provider's code %q, want %q", provider.AsError(err).ProviderCode, tc.provider)
			}
			if asked := d.arrived("/transaction/"); len(asked) > 0 != tc.asked || tc.asked && asked[0].path != "/api/v1/transaction/"+reference {
				t.Errorf("look-ups %+v", asked)
			}
			if n := len(d.arrived("/payin")); n != 1 {
				t.Errorf("%d pay-ins were asked for", n)
			}
			if tc.code == provider.CodeUnknown && tc.asked && tc.get == pending && provider.AsError(err).Reference != ticket {
				t.Errorf("the ticket that the look-up told is lost: %v", err)
			}
		})
	}
}

// What a success holds, and what it leaves out.
func TestSubmitReadsTheAnswer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		change  map[string]any
		code    provider.Code
		key     string
		ref     string
		amount  payment.Money
		url     string
		message string
	}{
		{"direct, without an echo", map[string]any{"transaction": nil, "type": "pse_payment"}, "", "", ticket, payment.Money{}, paymentURL, ""},
		{"Bre-B", map[string]any{"account_number": "@TUMI123"}, "", reference, ticket, payment.Pesos(50), paymentURL, "the payer pays to the Bre-B key @TUMI123"},
		{"Bre-B without a URL", map[string]any{"account_number": "@TUMI123", "payment_url": nil}, "", reference, ticket, payment.Pesos(50), "", "the payer pays to the Bre-B key @TUMI123"},
		{"a key that is a number", map[string]any{"account_number": json.Number("3001112233"), "payment_url": nil}, "", reference, ticket, payment.Pesos(50), "", "the payer pays to the Bre-B key 3001112233"},
		{"no URL", map[string]any{"payment_url": nil}, provider.CodeUnknown, "", ticket, payment.Money{}, "", ""},
		{"a URL that is none", map[string]any{"payment_url": "javascript:alert(1)"}, provider.CodeUnknown, "", ticket, payment.Money{}, "", ""},
		{"an amount that is none", map[string]any{"transaction": map[string]any{"reference": reference, "amount": true}}, provider.CodeUnknown, "", "", payment.Money{}, "", ""},
		{"an amount of a fraction", map[string]any{"transaction": map[string]any{"reference": reference, "amount": 0.5}}, provider.CodeUnknown, "", ticket, payment.Money{}, "", ""},
		{"an amount of nothing", map[string]any{"transaction": map[string]any{"reference": reference, "amount": 0}}, provider.CodeUnknown, "", ticket, payment.Money{}, "", ""},
		{"no ticket", map[string]any{"ticket": nil}, "", reference, "", payment.Pesos(50), paymentURL, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			d.create = answer{200, example(t, "payin_answer.json", tc.change)}
			o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
			if codeOf(t, err) != tc.code {
				t.Fatalf("%+v, %v", o, err)
			}
			if err != nil {
				if got := provider.AsError(err).Reference; got != tc.ref {
					t.Errorf("reference %q, want %q", got, tc.ref)
				}
				return
			}
			url := ""
			if o.Action != nil {
				url = o.Action.URL
			}
			if o.Status != provider.Pending || o.Key != tc.key || o.Reference != tc.ref || o.Amount != tc.amount || url != tc.url || o.Message != tc.message {
				t.Errorf("%+v, action %q", o, url)
			}
		})
	}
}

func TestSubmitWhereNobodyIs(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	d.Close()
	if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeUnavailable {
		t.Errorf("%v", err)
	}
}
