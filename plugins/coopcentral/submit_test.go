package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// expired is a context whose time is over in a moment, with the error that it has then.
func expired(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// The request is the document's example to the byte, white space and the amount's quotes apart: the table says
// String where the example has a number (CC-02).
func TestCreateRequestIsTheDocumentsExample(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(strings.Replace(read(t, "create_request.json"), "5211470", `"5211470"`, 1))); err != nil {
		t.Fatal(err)
	}
	d := newDocument(t)
	o, err := at(t, d.URL, "origin_account", originAccount).Submit(t.Context(), exampleAttempt())
	if err != nil || o.Status != provider.Pending || o.Key != exampleKey || o.Amount != payment.Pesos(5211470) || o.Code != "pending" ||
		o.Currency != "" || o.Reference != "" || o.Message != "" {
		t.Errorf("outcome %+v, %v", o, err)
	}
	calls := d.arrived("/transactions/create")
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	c := calls[0]
	if c.body != want.String() {
		t.Errorf("body\n%s\nwant\n%s", c.body, want.String())
	}
	if c.method != "POST" || c.path != "/api/coopcentral/v1/interbanks/transactions/create" || c.query != "" || c.contentType != "application/json" {
		t.Errorf("%s %s?%s with %s", c.method, c.path, c.query, c.contentType)
	}
}

// Every way of asking for a transfer, and what of it goes over the wire.
func TestCreateRequestTranslates(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		unit  string
		ask   func(r *payment.Request)
		field string
		want  any // nil = absent
	}{
		"CC":                   {"peso", func(r *payment.Request) {}, "dest_account_owner_identification_type", "CC"},
		"CE":                   {"peso", func(r *payment.Request) { r.Payee.Document.Type = payment.CE }, "dest_account_owner_identification_type", "CE"},
		"NIT":                  {"peso", func(r *payment.Request) { r.Payee.Document.Type = payment.NIT }, "dest_account_owner_identification_type", "NIT"},
		"passport":             {"peso", func(r *payment.Request) { r.Payee.Document.Type = payment.PP }, "dest_account_owner_identification_type", "PA"},
		"savings":              {"peso", func(r *payment.Request) {}, "dest_account_type", "saving_account"},
		"checking":             {"peso", func(r *payment.Request) { r.Payee.Account.Type = payment.Checking }, "dest_account_type", "checking_account"},
		"deposit":              {"peso", func(r *payment.Request) { r.Payee.Account.Type = payment.ElectronicDeposit }, "dest_account_type", "electronic_deposit"},
		"bank":                 {"peso", func(r *payment.Request) { r.Payee.Bank = "1032" }, "dest_bank", "banco-caja-social"},
		"no description":       {"peso", func(r *payment.Request) { r.Description = "" }, "description", nil},
		"no origin account":    {"peso", func(r *payment.Request) {}, "origin_account", nil},
		"first and last names": {"peso", func(r *payment.Request) { r.Payee.Name, r.Payee.FirstName, r.Payee.LastName = "", "Jo", "Du" }, "dest_account_owner_full_name", "Jo Du"},
		"a text with &":        {"peso", func(r *payment.Request) { r.Description = "a&b <ñ>" }, "description", "a&b <ñ>"},
		"pesos":                {"peso", func(r *payment.Request) { r.Amount = payment.Pesos(1) }, "amount", "1"},
		"a lot of pesos":       {"peso", func(r *payment.Request) { r.Amount = payment.Pesos(999_999_999_999_999) }, "amount", "999999999999999"},
		"pesos in cents":       {"cent", func(r *payment.Request) { r.Amount = payment.Pesos(10000) }, "amount", "1000000"},
		"cents":                {"cent", func(r *payment.Request) { r.Amount = payment.MoneyOfMinor(1) }, "amount", "1"},
		"pesos and cents":      {"cent", func(r *payment.Request) { r.Amount = payment.MoneyOfMinor(1000050) }, "amount", "1000050"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			a := exampleAttempt()
			tc.ask(&a.Payment)
			if _, err := at(t, d.URL, "amount_unit", tc.unit).Submit(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			var body map[string]any
			if err := json.Unmarshal([]byte(d.arrived("/create")[0].body), &body); err != nil || body[tc.field] != tc.want {
				t.Errorf("%s is %v, want %v (%v)", tc.field, body[tc.field], tc.want, err)
			}
		})
	}
}

// What cannot be sent is refused before anything is.
func TestRefusedBeforeTheCall(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	for field, asks := range map[string][]func(a *provider.Attempt){
		"method":                {func(a *provider.Attempt) { a.Payment.Operation, a.Payment.Method = payment.PayIn, payment.PSE }},
		"currency":              {func(a *provider.Attempt) { a.Payment.Currency = "USD" }},
		"amount":                {func(a *provider.Attempt) { a.Payment.Amount = payment.MoneyOfMinor(521147050) }},
		"payee.name":            {func(a *provider.Attempt) { a.Payment.Payee.Name = "" }},
		"payee.document.number": {func(a *provider.Attempt) { a.Payment.Payee.Document.Number = "" }},
		"payee.document.type": { // CC-15
			func(a *provider.Attempt) { a.Payment.Payee.Document.Type = payment.TI },
			func(a *provider.Attempt) { a.Payment.Payee.Document.Type = payment.TE },
			func(a *provider.Attempt) { a.Payment.Payee.Document.Type = "" },
		},
		"payee.account.number": {func(a *provider.Attempt) { a.Payment.Payee.Account.Number = "" }},
		"payee.account.type": {
			func(a *provider.Attempt) { a.Payment.Payee.Account.Type = "" },
			func(a *provider.Attempt) { a.Payment.Payee.Account.Type = "salary" },
		},
		"payee.bank": {
			func(a *provider.Attempt) { a.Payment.Payee.Bank = "" },
			func(a *provider.Attempt) { a.Payment.Payee.Bank = "1022" }, // PSE's test bank
			func(a *provider.Attempt) { a.Payment.Payee.Bank = "1007" }, // known, but not in the live list
		},
		"": {func(a *provider.Attempt) { a.Key = "" }},
	} {
		for i, ask := range asks {
			a := exampleAttempt()
			ask(&a)
			_, err := p.Submit(t.Context(), a)
			if codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != field {
				t.Errorf("%s %d: %v", field, i, err)
			}
		}
	}
	if calls := d.arrived("/create"); len(calls) != 0 {
		t.Errorf("%d transfers were asked for", len(calls))
	}
}

// Without a list of banks nothing is sent, and the error says so, whatever became of the list.
func TestNoListOfBanksIsNoDoubt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		answer
		want provider.Code
	}{
		{answer{401, ""}, provider.CodeUnauthorized},
		{answer{403, ""}, provider.CodeUnauthorized},
		{answer{500, ""}, provider.CodeUnavailable},
		{answer{200, "{"}, provider.CodeUnavailable},
	} {
		d := newDocument(t)
		d.banks = tc.answer
		if _, err := at(t, d.URL).Submit(t.Context(), exampleAttempt()); codeOf(t, err) != tc.want || len(d.arrived("/create")) != 0 {
			t.Errorf("%+v: %v", tc.answer, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1))
			conn.Close()
		}
	}()
	if _, err := at(t, "http://"+l.Addr().String()).Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeUnavailable {
		t.Errorf("the list's connection breaks: %v", err)
	}
}

// Every row of the document's table of HTTP answers to a new transfer, and what is in no row.
func TestCreateAnswers(t *testing.T) {
	t.Parallel()
	record := func(changes map[string]any) string { return example(t, changes) }
	status := func(word string) string { return record(map[string]any{"status": word}) }
	const unclear = provider.Status("")
	for _, tc := range []struct {
		answer
		status       provider.Status
		code         provider.Code
		providerCode string // of the error, or Outcome.Code
	}{
		{answer{201, status("pending")}, provider.Pending, "", "pending"},
		{answer{201, status("approved")}, provider.Succeeded, "", "approved"},
		{answer{201, status("rejected")}, provider.Rejected, "", "rejected"},
		{answer{201, status("created")}, unclear, provider.CodeUnknown, "created"},
		{answer{201, status("")}, unclear, provider.CodeUnknown, ""},
		{answer{201, record(map[string]any{"status": nil})}, unclear, provider.CodeUnknown, ""},
		{answer{201, record(map[string]any{"amount": nil})}, unclear, provider.CodeUnknown, ""},
		{answer{201, record(map[string]any{"amount": 1e30})}, unclear, provider.CodeUnknown, ""},
		{answer{201, record(map[string]any{"amount": map[string]any{}})}, unclear, provider.CodeUnknown, ""},
		{answer{201, record(map[string]any{"idempotency_token": nil})}, unclear, provider.CodeUnknown, ""},
		{answer{201, ""}, unclear, provider.CodeUnknown, ""},
		{answer{201, "{}"}, unclear, provider.CodeUnknown, ""},
		{answer{201, "[]"}, unclear, provider.CodeUnknown, ""},
		{answer{201, "<html>Jovita Ducuara</html>"}, unclear, provider.CodeUnknown, ""},
		{answer{201, record(nil)[:300]}, unclear, provider.CodeUnknown, ""},
		{answer{201, record(nil) + "{}"}, unclear, provider.CodeUnknown, ""},
		{answer{208, status("pending")}, provider.Pending, "", "pending"},
		{answer{208, status("approved")}, provider.Succeeded, "", "approved"},
		{answer{208, status("rejected")}, provider.Rejected, "", "rejected"},
		{answer{208, status("other")}, unclear, provider.CodeUnknown, "other"},
		{answer{208, ""}, unclear, provider.CodeUnknown, ""},
		{answer{401, `{"error_message":"` + accessToken + `"}`}, unclear, provider.CodeUnauthorized, "401"},
		{answer{403, ""}, unclear, provider.CodeUnauthorized, "403"},
		{answer{409, ""}, provider.Failed, "", "409"},
		{answer{409, "<html>"}, provider.Failed, "", "409"},
		{answer{409, `{"error_code":"FUNDS","error_message":"Jovita"}`}, provider.Failed, "", "409 FUNDS"},
		{answer{409, `{"error_code":"68653284571"}`}, provider.Failed, "", "409"},
		{answer{409, status("rejected")}, provider.Failed, "", "409"},
		{answer{409, status("failed")}, provider.Failed, "", "409"},
		{answer{409, status("pending")}, unclear, provider.CodeUnknown, ""},
		{answer{409, status("approved")}, unclear, provider.CodeUnknown, ""},
		{answer{422, ""}, unclear, provider.CodeInvalid, "422"},
		{answer{422, `{"error_code":"limit","error_message":"Jovita 68653284571"}`}, unclear, provider.CodeInvalid, "422 limit"},
		{answer{429, ""}, unclear, provider.CodeUnavailable, "429"},
		{answer{500, ""}, unclear, provider.CodeUnknown, "500"},
		{answer{502, "<html>"}, unclear, provider.CodeUnknown, "502"},
		{answer{503, status("rejected")}, unclear, provider.CodeUnknown, "503"},
		{answer{504, ""}, unclear, provider.CodeUnknown, "504"},
		{answer{200, status("pending")}, provider.Pending, "", "pending"},
		{answer{200, ""}, unclear, provider.CodeUnknown, ""},
		{answer{202, status("pending")}, unclear, provider.CodeUnknown, "202"},
		{answer{204, ""}, unclear, provider.CodeUnknown, "204"},
		{answer{302, ""}, unclear, provider.CodeUnknown, "302"},
		{answer{400, ""}, unclear, provider.CodeUnknown, "400"},
		{answer{404, ""}, unclear, provider.CodeUnknown, "404"},
		{answer{408, ""}, unclear, provider.CodeUnknown, "408"},
	} {
		d := newDocument(t)
		d.create = tc.answer
		o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
		got := o.Code
		if err != nil {
			got = provider.AsError(err).ProviderCode
		}
		if o.Status != tc.status || codeOf(t, err) != tc.code || got != tc.providerCode {
			t.Errorf("%.300v: %+v, %v (%q); want %q %q %q", tc.answer, o, err, got, tc.status, tc.code, tc.providerCode)
		}
		quotesNothing(t, o.Message+o.Code)
		if n := len(d.arrived("/create")); n != 1 {
			t.Errorf("%.60v: %d calls", tc.answer, n)
		}
	}
}

// What a 422 says is wrong is named as our caller knows it.
func TestFieldsOf422(t *testing.T) {
	t.Parallel()
	for theirs, want := range map[string]struct {
		field string
		code  provider.Code
	}{
		"dest_account_owner_full_name":             {"payee.name", provider.CodeInvalid},
		"dest_account_owner_identification_type":   {"payee.document.type", provider.CodeInvalid},
		"dest_account_owner_identification_number": {"payee.document.number", provider.CodeInvalid},
		"dest_account_type":                        {"payee.account.type", provider.CodeInvalid},
		"dest_account_number":                      {"payee.account.number", provider.CodeInvalid},
		"amount":                                   {"amount", provider.CodeInvalid},
		"dest_bank":                                {"payee.bank", provider.CodeInvalid},
		"description":                              {"description", provider.CodeInvalid},
		"origin_account":                           {"", provider.CodeInvalid},
		"something_else":                           {"", provider.CodeInvalid},
		"68653284571":                              {"", provider.CodeInvalid},
		"idempotency_token":                        {"", provider.CodeUnknown}, // ours is well-formed, so it must be known
	} {
		d := newDocument(t)
		d.create = answer{422, `{"error_code":"invalid","error_message":"Jovita Ducuara 68653284571","field":"` + theirs + `"}`}
		_, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
		if e := provider.AsError(err); codeOf(t, err) != want.code || e.Field != want.field {
			t.Errorf("%s: %+v, want %+v", theirs, e, want)
		}
	}
}

func TestCreateWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	if _, err := p.Banks(t.Context(), payment.BankTransfer); err != nil {
		t.Fatal(err)
	}
	d.Close()
	p.api.rest.CloseIdle() // what is written to a connection that was open is in doubt
	if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeUnavailable {
		t.Errorf("connection refused: %v", err)
	}
	if _, err := p.Lookup(t.Context(), lookupOf(exampleKey)); codeOf(t, err) != provider.CodeUnknown {
		t.Errorf("a look-up says nothing about the transfer: %v", err)
	}
}
