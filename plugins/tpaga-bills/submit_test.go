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
	d := newDocument(t)
	o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
	if codeOf(t, err) != "" {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(read(t, "pay_request.json"))); err != nil {
		t.Fatal(err)
	}
	const root = "/api/gateway_bill_payment/v1"
	wanted := []call{
		{"GET", root + "/utility_providers", "page=1&per_page=500", "Bearer JWT-1", "", ""},
		{"GET", root + "/utility_providers/etb/bills/111100005555", "", "Bearer JWT-1", "", ""},
		{"POST", root + "/pay_bill", "", "Bearer JWT-1", "application/json", want.String()},
	}
	if fmt.Sprint(d.calls) != fmt.Sprint(wanted) {
		t.Errorf("called\n%v\nwant\n%v", d.calls, wanted)
	}
	if want := (provider.Outcome{
		Status: provider.Succeeded, Key: exampleKey, Reference: exampleToken, Amount: payment.Pesos(12300), Code: "AUTHORIZED",
	}); o != want {
		t.Errorf("got %+v, want %+v", o, want)
	}
	t.Run("another payment asks for no list again, and a resend for no bill", func(t *testing.T) {
		p := at(t, d.URL)
		for range 2 {
			a := exampleAttempt()
			if _, err := p.Submit(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			a.Resend = true
			if _, err := p.Submit(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		if pay, bill, lists := d.arrived("/pay_bill"), d.arrived("/bills/"), d.arrived("/utility_providers"); len(pay) != 5 || len(bill) != 3 ||
			len(lists)-len(bill) != 2 || pay[4].body != wanted[2].body {
			t.Errorf("%d payments, %d bills, %d lists", len(pay), len(bill), len(lists)-len(bill))
		}
	})
}

// What Tpaga would refuse is refused before anything is sent.
func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*provider.Attempt)
		field  string
	}{
		{"another operation", func(a *provider.Attempt) { a.Payment.Operation, a.Payment.Method = payment.PayIn, payment.PSE }, "method"},
		{"another currency", func(a *provider.Attempt) { a.Payment.Currency = "USD" }, "currency"},
		{"cents", func(a *provider.Attempt) { a.Payment.Amount = payment.MoneyOfMinor(1230050) }, "amount"},
		{"nothing", func(a *provider.Attempt) { a.Payment.Amount = payment.Money{} }, "amount"},
		{"less than nothing", func(a *provider.Attempt) { a.Payment.Amount = payment.Pesos(-1) }, "amount"},
		{"no biller", func(a *provider.Attempt) { a.Payment.Bill.Biller = "" }, "bill.biller"},
		{"no reference", func(a *provider.Attempt) { a.Payment.Bill.Reference = "" }, "bill.reference"},
		{"a biller of 65", func(a *provider.Attempt) { a.Payment.Bill.Biller = strings.Repeat("é", 65) }, "bill.biller"},
		{"no key", func(a *provider.Attempt) { a.Key = "" }, ""},
		{"a key of 129", func(a *provider.Attempt) { a.Key = strings.Repeat("k", 129) }, ""},
		{"no payment id", func(a *provider.Attempt) { a.PaymentID = "" }, ""},
	}
	d := newDocument(t)
	p := at(t, d.URL)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			a := exampleAttempt()
			tc.change(&a)
			_, err := p.Submit(t.Context(), a)
			if codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != tc.field {
				t.Errorf("got %v (field %q), want invalid at %q", err, provider.AsError(err).Field, tc.field)
			}
		})
	}
	if d.tokens != 0 || len(d.calls) != 0 {
		t.Errorf("%d tokens, calls %v", d.tokens, d.calls)
	}
}

// What the list of agreements and the query say before anything is paid; nothing is ever paid after a no.
func TestSubmitChecksTheBillFirst(t *testing.T) {
	t.Parallel()
	billOf := func(amount string) answer {
		return answer{200, changed(t, "bill_answer.json", map[string]any{"amount": amount})}
	}
	for _, tc := range []struct {
		name       string
		agreements answer
		bill       answer
		want       provider.Code
		field      string
	}{
		{"as it is", answer{}, answer{}, "", ""},
		{"another amount", answer{}, billOf("12300.01"), provider.CodeInvalid, "amount"},
		{"no such agreement", agreementsOf("codensa"), answer{}, provider.CodeInvalid, "bill.biller"},
		{"no agreements", agreementsOf(), answer{}, provider.CodeUnavailable, ""},
		{"an agreement without id", agreementsOf(""), answer{}, provider.CodeUnavailable, ""},
		{"no list", answer{503, "<html>"}, answer{}, provider.CodeUnavailable, ""},
		{"no permission for the list", answer{403, ""}, answer{}, provider.CodeUnauthorized, ""},
		{"expired", answer{}, answer{422, read(t, "bill_error.json")}, provider.CodeDeclined, "bill.reference"},
		{"the query fails", answer{}, answer{500, ""}, provider.CodeUnavailable, ""},
		{"a bill without an amount", answer{}, answer{200, changed(t, "bill_answer.json", map[string]any{"amount": nil})}, provider.CodeUnavailable, ""},
		{"a bill of another reference", answer{}, answer{200, changed(t, "bill_answer.json", map[string]any{"short_bill_reference": "1"})}, provider.CodeUnavailable, ""},
		{"a bill of another biller", answer{}, answer{200, changed(t, "bill_answer.json", map[string]any{"utility_provider": "codensa"})}, provider.CodeUnavailable, ""},
		{"a bill without end", answer{}, billOf(strings.Repeat("1", 1<<19)), provider.CodeUnavailable, ""},
		{"half a bill", answer{}, answer{200, `{"amount":"123`}, provider.CodeUnavailable, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			d.agreements, d.bill = func(string) answer { return tc.agreements }, tc.bill
			_, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
			if codeOf(t, err) != tc.want || tc.want != "" && provider.AsError(err).Field != tc.field {
				t.Errorf("got %v (field %q), want %q at %q", err, provider.AsError(err).Field, tc.want, tc.field)
			}
			if n := len(d.arrived("/pay_bill")); (n == 1) != (tc.want == "") {
				t.Errorf("%d payments", n)
			}
		})
	}
}

// Every HTTP status of the document's table, and some that are not in it, with a body that has no payment's status.
func TestSubmitStatuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		status int
		want   provider.Code
	}{
		{401, provider.CodeUnauthorized}, {402, provider.CodeExhausted}, {403, provider.CodeUnauthorized},
		{409, provider.CodeUnknown}, {422, provider.CodeInvalid}, {429, provider.CodeUnavailable},
		{500, provider.CodeUnknown}, {502, provider.CodeUnknown}, {503, provider.CodeUnknown}, {504, provider.CodeUnknown}, {520, provider.CodeUnknown},
		{200, provider.CodeUnknown}, {201, provider.CodeUnknown}, {204, provider.CodeUnknown}, {301, provider.CodeUnknown}, {302, provider.CodeUnknown},
		{400, provider.CodeUnknown}, {404, provider.CodeUnknown}, {408, provider.CodeUnknown}, {412, provider.CodeUnknown}, {418, provider.CodeUnknown},
	}
	bodies := map[string]string{
		"empty": "", "a page": "<html><h1>Miguel</h1>", "a message": `{"error_message":"` + quoted + `"}`, "half": `{"status":"REJECT`,
		"a gateway's JSON": `{"status":503,"error":"` + quoted + `"}`, "null": `null`, "a list": `[]`, "no status": `{"status":null}`,
		"two documents": `{"status":"REJECTED"}{}`,
	}
	for _, tc := range cases {
		for name, body := range bodies {
			t.Run(fmt.Sprintf("%d with %s", tc.status, name), func(t *testing.T) {
				t.Parallel()
				d, p := answering(t, tc.status, body)
				_, err := p.Submit(t.Context(), exampleAttempt())
				if e := provider.AsError(err); codeOf(t, err) != tc.want || e.ProviderCode != fmt.Sprint(tc.status) || e.Field != "" {
					t.Fatalf("got %v (field %q), want %s", err, e.Field, tc.want)
				}
				payments := 1
				if tc.status == 401 {
					payments = 2 // with a new token
				}
				if n := len(d.arrived("/pay_bill")); n != payments {
					t.Errorf("%d payments were asked for", n)
				}
			})
		}
	}
}

// Every field and code that a 422 can name.
func TestSubmitNamesTheFieldOfA422(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		body  string
		want  provider.Code
		field string
		code  string
	}{
		{`{"field":"amount"}`, provider.CodeInvalid, "amount", "422 amount"},
		{`{"field":"utility_provider"}`, provider.CodeInvalid, "bill.biller", "422 utility_provider"},
		{`{"field":"short_bill_reference"}`, provider.CodeInvalid, "bill.reference", "422 short_bill_reference"},
		{`{"field":"payment_origin"}`, provider.CodeInvalid, "", "422 payment_origin"},
		{`{"field":"payment_token"}`, provider.CodeInvalid, "", "422 payment_token"},
		{`{"field":"Miguel 3057788996"}`, provider.CodeInvalid, "", "422"},
		{`{"field":"idempotency_token"}`, provider.CodeUnknown, "", "422 idempotency_token"}, // it may be taken, so the bill may be paid
		{`{"billcheck_error_code":"expired_bill"}`, provider.CodeDeclined, "bill.reference", "422 expired_bill"},
		{`{"billcheck_error_code":"already_paid_bill"}`, provider.CodeDeclined, "bill.reference", "422 already_paid_bill"},
		{`{"billcheck_error_code":"bill_does_not_exist"}`, provider.CodeInvalid, "bill.reference", "422 bill_does_not_exist"},
		{`{"billcheck_error_code":"bill_cannot_be_paid"}`, provider.CodeUnavailable, "", "422 bill_cannot_be_paid"},
		{`{"billcheck_error_code":"try_again_later"}`, provider.CodeUnavailable, "", "422 try_again_later"},
		{`{"billcheck_error_code":"invalid_field_length","field":"short_bill_reference"}`, provider.CodeInvalid, "bill.reference", "422 invalid_field_length short_bill_reference"},
		{`{"billcheck_error_code":"new_code"}`, provider.CodeInvalid, "", "422 new_code"},
		{`{"result_code":8000}`, provider.CodeInvalid, "amount", "422 8000"},
		{`{"result_code":13}`, provider.CodeInvalid, "amount", "422 13"},
		{`{"result_code":82}`, provider.CodeInvalid, "bill.reference", "422 82"},
		{`{"result_code":84}`, provider.CodeDeclined, "bill.reference", "422 84"},
		{`{"result_code":99}`, provider.CodeInvalid, "", "422"},
	} {
		t.Run(tc.body, func(t *testing.T) {
			t.Parallel()
			_, p := answering(t, 422, strings.Replace(tc.body, "{", `{"error_message":"`+quoted+`",`, 1))
			_, err := p.Submit(t.Context(), exampleAttempt())
			if e := provider.AsError(err); codeOf(t, err) != tc.want || e.Field != tc.field || e.ProviderCode != tc.code {
				t.Errorf("got %v (field %q), want %s at %q (%s)", err, e.Field, tc.want, tc.field, tc.code)
			}
		})
	}
}

// Every row of the document's table of result codes, beside each status.
func TestResultCodes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code   any
		status provider.Status // of a rejected payment
		err    provider.Code   // in its place
		field  string
	}{
		{json.RawMessage("null"), provider.Failed, "", ""},
		{0, "", provider.CodeUnknown, ""},
		{10, provider.Failed, "", ""},
		{13, "", provider.CodeInvalid, "amount"},
		{15, provider.Failed, "", ""},
		{16, provider.Failed, "", ""},
		{82, "", provider.CodeInvalid, "bill.reference"},
		{84, provider.Rejected, "", ""},
		{90, provider.Failed, "", ""},
		{8000, "", provider.CodeInvalid, "amount"},
		{"8000", "", provider.CodeInvalid, "amount"}, // as a text
		{7777, provider.Failed, "", ""},
	} {
		t.Run(fmt.Sprintf("%s", tc.code), func(t *testing.T) {
			t.Parallel()
			d, p := answering(t, 503, record(t, map[string]any{"status": "REJECTED", "result_code": tc.code, "error_message": quoted}))
			o, err := p.Submit(t.Context(), exampleAttempt())
			if codeOf(t, err) != tc.err || o.Status != tc.status || err != nil && provider.AsError(err).Field != tc.field {
				t.Errorf("rejected: %+v, %v; want %q %q at %q", o, err, tc.status, tc.err, tc.field)
			}
			quotesNothing(t, fmt.Sprintf("%+v", o))
			// To a look-up no code is an error, but a contradiction: an error would leave the payment in doubt.
			d.get = answer{200, record(t, map[string]any{"status": "REJECTED", "result_code": tc.code})}
			o, err = p.Lookup(t.Context(), lookupOf(exampleKey))
			if want := (tc.err == provider.CodeUnknown); (codeOf(t, err) == provider.CodeUnknown) != want || !want && o.Status != provider.Failed && o.Status != tc.status {
				t.Errorf("looked up: %+v, %v", o, err)
			}
			for word, want := range map[string]provider.Status{"AUTHORIZED": provider.Succeeded, "IN_PROGRESS": provider.Pending, "UNKNOWN": ""} {
				d.get = answer{200, record(t, map[string]any{"status": word, "result_code": tc.code})}
				if o, err := p.Lookup(t.Context(), lookupOf(exampleKey)); o.Status != want || (codeOf(t, err) == "") != (want != "") {
					t.Errorf("%s: %+v, %v", word, o, err)
				}
			}
		})
	}
}

// Answers that do not say clearly what became of the payment, to a hand-over and to a look-up.
func TestUnclearAnswers(t *testing.T) {
	t.Parallel()
	whole := read(t, "pay_answer.json")
	for name, body := range map[string]string{
		"empty":                   "",
		"null":                    "null",
		"a page":                  "<html>",
		"half a payment":          whole[:len(whole)-20],
		"more than a payment":     whole + "{}",
		"1 MiB and more":          whole + strings.Repeat(" ", 1<<20),
		"no status":               record(t, map[string]any{"status": nil}),
		"an empty status":         record(t, map[string]any{"status": ""}),
		"a status of a number":    record(t, map[string]any{"status": 1}),
		"a new word":              record(t, map[string]any{"status": "REVERSED"}),
		"the word of PSE":         record(t, map[string]any{"status": "authorized"}),
		"a word too long":         record(t, map[string]any{"status": strings.Repeat("é", 500)}),
		"unknown":                 record(t, map[string]any{"status": "UNKNOWN"}),
		"a success without a key": record(t, map[string]any{"idempotency_token": nil}),
		"without an amount":       record(t, map[string]any{"amount": nil}),
		"of an amount in words":   record(t, map[string]any{"amount": "doce mil"}),
		"of too many decimals":    record(t, map[string]any{"amount": "12300.001"}),
		"of an amount without end": strings.Replace(whole, `"amount": 12300`,
			`"amount": `+strings.Repeat("1", 1<<19), 1),
		"of an astronomic amount": strings.Replace(whole, `"amount": 12300`, `"amount": 1e999999999`, 1),
		"nothing but a success":   `{"status":"AUTHORIZED"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, status := range []int{200, 409, 502, 503} {
				d, p := answering(t, status, body)
				d.get = answer{status, body}
				if o, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeUnknown || len(provider.AsError(err).ProviderCode) > 80 {
					t.Errorf("a hand-over answered with %d: %+v, %v", status, o, err)
				}
				if o, err := p.Lookup(t.Context(), lookupOf(exampleKey)); codeOf(t, err) != provider.CodeUnknown {
					t.Errorf("a look-up answered with %d: %+v, %v", status, o, err)
				}
			}
		})
	}
}
