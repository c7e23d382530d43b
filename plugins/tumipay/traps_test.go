package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// The column "client" of the provider's contradictions and traps.

func TestTM01AmountsInTheConfiguredUnit(t *testing.T) {
	t.Parallel()
	if f, _ := schema.Field("amount_unit"); !f.Required || f.Default != "" {
		t.Errorf("the unit must be chosen by a person: %+v", f)
	}
	for unit, want := range map[string]int64{"cent": 1_000_000, "peso": 10_000} {
		d := newDocument(t)
		a := exampleAttempt()
		a.Payment.Amount = payment.Pesos(10_000)
		if _, err := at(t, d.URL, "amount_unit", unit).Submit(t.Context(), a); err != nil || d.sent(t).Amount != want {
			t.Errorf("%s: sent %d, %v", unit, d.sent(t).Amount, err)
		}
	}
	for _, tc := range []struct {
		unit, echo string // as JSON
		want       string // "" = unclear
	}{
		{"cent", `5000`, "50.00"}, {"cent", `"5000"`, "50.00"}, {"cent", `5000.00`, "50.00"}, {"cent", `5e3`, "50.00"}, {"cent", `5001`, "50.01"},
		{"cent", `5000.5`, ""}, {"cent", `-5000`, ""}, {"cent", `5000.` + strings.Repeat("0", 40), ""}, {"cent", `0`, ""}, {"cent", `1e999999999`, ""}, {"cent", `"5,000"`, ""}, {"cent", `true`, ""},
		{"cent", `12345678901234567`, "123456789012345.67"}, // a float64 would not hold it exactly
		{"peso", `5000`, "5000.00"}, {"peso", `"5000.50"`, "5000.50"}, {"peso", `99999999999999999999`, ""},
	} {
		d := newDocument(t)
		d.get = answer{200, strings.Replace(read(t, "transaction_answer.json"), "5000", tc.echo, 1)}
		o, err := at(t, d.URL, "amount_unit", tc.unit).Lookup(t.Context(), provider.Query{Key: reference})
		if tc.want == "" && codeOf(t, err) != provider.CodeUnknown || tc.want != "" && (err != nil || o.Amount.String() != tc.want) {
			t.Errorf("%s %s: %s, %v; want %q", tc.echo, tc.unit, o.Amount, err, tc.want)
		}
	}
}

func TestTM02TheVersionIsASetting(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"": "/api/v1/payin", "v1": "/api/v1/payin", "v2": "/api/v2/payin"} {
		d := newDocument(t)
		p := at(t, d.URL, "api_version", given)
		p.Submit(t.Context(), exampleAttempt())
		p.Lookup(t.Context(), provider.Query{Key: reference})
		if calls := d.arrived("/api/"); len(calls) != 2 || calls[0].path != want || calls[1].path != "/api/v1/transaction/"+reference {
			t.Errorf("%q: %+v", given, calls)
		}
	}
}

func TestTM03TheBaseEndsWithOneAPI(t *testing.T) {
	t.Parallel()
	var paths []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		fmt.Fprint(w, `{"code":"01"}`)
	}))
	t.Cleanup(s.Close)
	for base, want := range map[string]string{
		"": "/api", "/": "/api", "/api": "/api", "/api/": "/api", "/production": "/production/api", "/production/": "/production/api",
		"/production/api": "/production/api", "/production/api/": "/production/api", "/myapi": "/myapi/api",
	} {
		paths = nil
		if err := at(t, s.URL+base).Check(t.Context()); err != nil || !slices.Equal(paths, []string{want + "/v1/merchant/me"}) {
			t.Errorf("base %q: %q, %v; want %s", base, paths, err, want)
		}
	}
	d := newDocument(t)
	d.merchant = answer{404, "<html>"}
	if err := at(t, d.URL).Check(t.Context()); codeOf(t, err) != provider.CodeUnavailable || !strings.Contains(err.Error(), "base_url") {
		t.Errorf("a wrong base: %v", err)
	}
}

func TestTM04EveryWordOfEveryPlace(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]provider.Status{
		"CREATED": provider.Pending, "PENDING": provider.Pending, "APPROVED": provider.Succeeded, "COMPLETED": provider.Succeeded,
		"REJECTED": provider.Rejected, "DECLINED": provider.Rejected, "CANCELLED": provider.Rejected, "FAILED": provider.Failed,
		"EXPIRED": provider.Expired, "approved": provider.Succeeded,
		"ERROR": "", "SUCCESS": "", "SETTLED": "", "APPROVED ": "", "RECAUDO": "",
	} {
		d := newDocument(t)
		d.get = record(t, map[string]any{"status": word})
		o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Key: reference})
		if o.Status != want || want == "" && codeOf(t, err) != provider.CodeUnknown || want != "" && (err != nil || o.Code != strings.ToUpper(word)) {
			t.Errorf("%s: %+v, %v; want %q", word, o, err, want)
		}
		if want == "" && (provider.AsError(err).ProviderCode != word || provider.AsError(err).Reference != ticket) {
			t.Errorf("%s: %#v", word, provider.AsError(err))
		}
	}
}

func TestTM05TheEnvelopesStatusIsNotThePayments(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"SUCCESS", "APPROVED", "REJECTED", "ERROR", ""} {
		d := newDocument(t)
		with := func(file string) answer {
			return answer{200, strings.Replace(read(t, file), `"SUCCESS"`, `"`+status+`"`, 1)}
		}
		d.create, d.get = with("payin_answer.json"), with("transaction_answer.json")
		p := at(t, d.URL)
		if o, err := p.Submit(t.Context(), exampleAttempt()); err != nil || o.Status != provider.Pending {
			t.Errorf("%s: handed over as %+v, %v", status, o, err)
		}
		if o, err := p.Lookup(t.Context(), provider.Query{Key: reference}); err != nil || o.Status != provider.Pending {
			t.Errorf("%s: looked up as %+v, %v", status, o, err)
		}
	}
}

func TestTM06TextsOutNumbersIn(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	if _, err := p.Submit(t.Context(), exampleAttempt()); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Customer map[string]string `json:"customer_data"` // texts, all of them
	}
	if err := json.Unmarshal([]byte(d.calls[0].body), &sent); err != nil || sent.Customer["legal_doc"] != "1234567890" || sent.Customer["phone_number"] != "3121234567" {
		t.Errorf("sent %s: %v", d.calls[0].body, err)
	}
	for _, change := range []map[string]any{
		nil,
		{"customer": map[string]any{"legal_doc": "1234567890", "phone_number": "3121234567"}},
		{"customer": []any{}}, {"customer": nil},
		{"metadata": []any{}}, {"metadata": map[string]any{"a": 1}}, {"metadata": nil},
		{"cus": 3416207}, {"cus": "3416207"},
	} {
		d.answers(func(d *document) { d.get = record(t, change) })
		if o, err := p.Lookup(t.Context(), provider.Query{Key: reference}); err != nil || o.Status != provider.Pending {
			t.Errorf("%v: %+v, %v", change, o, err)
		}
	}
}

// A webhook's signature covers neither status nor amount, and can be replayed: what it says is never believed.
func TestTM07AWebhookIsAHint(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	signature := string(digest(signatureText(tokenTop, ticket, reference)))
	for _, claim := range []string{"APPROVED", "REJECTED", "PENDING", ""} {
		body := fmt.Sprintf(`{"top_status":%q,"top_ticket":%q,"top_reference":%q,"top_amount":1}`, claim, ticket, reference)
		queries, err := p.ParseNotification(t.Context(), provider.Notification{Body: []byte(body), Header: map[string][]string{"X-Trx-Signature": {signature}}})
		if err != nil || len(queries) != 1 || queries[0] != (provider.Query{Key: reference, Operation: payment.PayIn}) {
			t.Fatalf("%s: %+v, %v", claim, queries, err)
		}
		if o, err := p.Lookup(t.Context(), queries[0]); err != nil || o.Status != provider.Pending || o.Amount != payment.Pesos(50) {
			t.Errorf("%s: it leads to %+v, %v", claim, o, err)
		}
	}
}

// Writers of JSON differ over slashes; over references that the plugin takes, they do not.
func TestTM08BothFormsOfTheSignedText(t *testing.T) {
	t.Parallel()
	p := at(t, stagingURL, "token_top", "tok/test+123==")
	body := fmt.Sprintf(`{"top_ticket":%q,"top_reference":%q}`, ticket, reference)
	for text, want := range map[string]provider.Code{
		`{"token":"tok/test+123==","ticket":"8BNsCFva1NKPqy2","reference":"3cNPNGbX7meiMppXzVz7g781ysektqq5X"}`:        "",
		`{"token":"tok\/test+123==","ticket":"8BNsCFva1NKPqy2","reference":"3cNPNGbX7meiMppXzVz7g781ysektqq5X"}`:       "",
		`{"token": "tok/test+123==","ticket":"8BNsCFva1NKPqy2","reference":"3cNPNGbX7meiMppXzVz7g781ysektqq5X"}`:       provider.CodeInvalid,
		`{"ticket":"8BNsCFva1NKPqy2","token":"tok/test+123==","reference":"3cNPNGbX7meiMppXzVz7g781ysektqq5X"}`:        provider.CodeInvalid,
		`{"token":"tok/test+123==","ticket":"8BNsCFva1NKPqy2","reference":"3cNPNGbX7meiMppXzVz7g781ysektqq5X"}` + "\n": provider.CodeInvalid,
	} {
		header := map[string][]string{"X-Trx-Signature": {string(digest(text))}}
		if _, err := p.ParseNotification(t.Context(), provider.Notification{Body: []byte(body), Header: header}); codeOf(t, err) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The slips of public integrators: header names in one case only, and another endpoint after a failure.
func TestTM09SlipsOfIntegrators(t *testing.T) {
	t.Parallel()
	p := at(t, stagingURL)
	body := fmt.Sprintf(`{"top_ticket":%q,"top_reference":%q}`, ticket, reference)
	signature := string(digest(signatureText(tokenTop, ticket, reference)))
	for _, name := range []string{"x-trx-signature", "X-Trx-Signature", "X-TRX-SIGNATURE"} {
		header := map[string][]string{"Content-Type": {"application/json"}, name: {signature}}
		if _, err := p.ParseNotification(t.Context(), provider.Notification{Body: []byte(body), Header: header}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, status := range []int{400, 404, 500} {
		d := newDocument(t)
		d.create, d.get = answer{status, ""}, notFoundAnswer
		at(t, d.URL).Submit(t.Context(), exampleAttempt())
		if n := len(d.arrived("/payin")); n != 1 {
			t.Errorf("%d: %d pay-ins were asked for", status, n)
		}
	}
}

func TestTM10ExpirationInMinutesAlways(t *testing.T) {
	t.Parallel()
	for minutes, want := range map[string]int64{"": 30, "1": 1, "720": 720} {
		for method := range words {
			d := newDocument(t)
			a := exampleAttempt()
			a.Payment.Method, a.Payment.Amount = method, payment.Pesos(10_000)
			at(t, d.URL, "expiration_minutes", minutes).Submit(t.Context(), a)
			if got := d.sent(t).ExpirationTime; got != want {
				t.Errorf("%q by %s: %d", minutes, method, got)
			}
		}
	}
}

// What it echoes is handed on as it came, for the engine to compare: nothing is tolerated, nothing is filled in.
func TestTM11TheEchoIsHandedOn(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.create = answer{200, example(t, "payin_answer.json", map[string]any{"transaction": map[string]any{
		"reference": "1" + reference, "amount": 5001, "currency": "PEN",
	}})}
	d.get = record(t, map[string]any{"reference": "1" + reference, "currency": "PEN"})
	p := at(t, d.URL)
	o, err := p.Submit(t.Context(), exampleAttempt())
	if err != nil || o.Key != "1"+reference || o.Currency != "PEN" || o.Amount != payment.MoneyOfMinor(5001) {
		t.Errorf("handed over: %+v, %v", o, err)
	}
	if o, err := p.Lookup(t.Context(), provider.Query{Key: reference, Reference: ticket}); err != nil || o.Key != "1"+reference || o.Currency != "PEN" {
		t.Errorf("looked up: %+v, %v", o, err)
	}
}

func TestTM12DatesAreNotRead(t *testing.T) {
	t.Parallel()
	for _, date := range []any{"2025-10-15 17:58:36", "15/10/2025", 0, nil} {
		d := newDocument(t)
		d.create, d.get = answer{200, example(t, "payin_answer.json", map[string]any{"date": date})}, record(t, map[string]any{"date": date})
		p := at(t, d.URL)
		if o, err := p.Submit(t.Context(), exampleAttempt()); err != nil || !o.ExpiresAt.IsZero() {
			t.Errorf("%v: %+v, %v", date, o, err)
		}
		if _, err := p.Lookup(t.Context(), provider.Query{Key: reference}); err != nil {
			t.Errorf("%v: %v", date, err)
		}
	}
}

func TestTM13ATicketIsOpaque(t *testing.T) {
	t.Parallel()
	for _, ticket := range []string{"8BNsCFva1NKPqy2", "49e3c70f-49d2-11ef-a534-02530a7dec0f", "1", strings.Repeat("x", 255)} {
		d := newDocument(t)
		d.create = answer{200, example(t, "payin_answer.json", map[string]any{"ticket": ticket})}
		p := at(t, d.URL)
		o, err := p.Submit(t.Context(), exampleAttempt())
		if err != nil || o.Reference != ticket {
			t.Errorf("%+v, %v", o, err)
		}
		p.Lookup(t.Context(), provider.Query{Reference: o.Reference})
		if len(d.arrived("/transaction/"+ticket)) != 1 {
			t.Errorf("%s was not asked for", ticket)
		}
	}
}

func TestTM14NoNITNoLegalPayer(t *testing.T) {
	t.Parallel()
	for _, c := range New().Info().Capabilities {
		if want := []payment.DocumentType{payment.CC, payment.CE, payment.PP}; !slices.Equal(c.DocumentTypes, want) {
			t.Errorf("%s takes %v", c.Method, c.DocumentTypes)
		}
		r := exampleAttempt().Payment
		r.Method, r.Amount, r.Payer.Kind = c.Method, payment.Pesos(10_000), payment.Legal
		if refused := c.Refusals(&r); len(refused) != 1 || refused[0].Field != "payer.kind" {
			t.Errorf("%s: a legal payer is refused with %+v", c.Method, refused)
		}
	}
}

func TestTM15ALookupHasNoBody(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	if _, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Key: reference}); err != nil {
		t.Fatal(err)
	}
	if c := d.calls[0]; c.method != "GET" || c.body != "" || c.header.Get("Content-Length") != "" {
		t.Errorf("%+v", c)
	}
}

func TestTM16AWebhooksMethodIsNotRead(t *testing.T) {
	t.Parallel()
	p := at(t, stagingURL)
	for _, method := range []string{"RECAUDO", "PSE", ""} {
		body := fmt.Sprintf(`{"top_payment_method":%q,"top_ticket":%q,"top_reference":%q}`, method, ticket, reference)
		header := map[string][]string{"X-Trx-Signature": {string(digest(signatureText(tokenTop, ticket, reference)))}}
		queries, err := p.ParseNotification(t.Context(), provider.Notification{Body: []byte(body), Header: header})
		if err != nil || len(queries) != 1 || queries[0].Method != "" {
			t.Errorf("%s: %+v, %v", method, queries, err)
		}
	}
}

// A Bre-B payer can pay another amount: the paid one is told, for the engine to compare.
func TestTM17TheAmountThatWasPaid(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.get = record(t, map[string]any{"status": "APPROVED", "amount": 4900})
	o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Key: reference})
	if err != nil || o.Status != provider.Succeeded || o.Amount != payment.Pesos(49) {
		t.Errorf("%+v, %v", o, err)
	}
}

// Pay-outs are not made here, so neither path that resolves a Bre-B key (TM-18) nor a pay-out's magic description
// (TM-19) is used; and the methods are those that Info declares (TM-20).
func TestTM18TM19TM20PayInsByFiveMethodsOnly(t *testing.T) {
	t.Parallel()
	var got []payment.Method
	for _, c := range New().Info().Capabilities {
		got = append(got, c.Method)
		if c.Operation != payment.PayIn || words[c.Method] == "" || slices.Contains(c.Required, "description") {
			t.Errorf("%+v", c)
		}
	}
	if !slices.Equal(got, payment.PayIn.Methods()) || len(words) != len(got) {
		t.Errorf("methods %v, words %v", got, words)
	}
	for _, description := range []string{"APPROVED", "REJECT"} {
		d := newDocument(t)
		a := exampleAttempt()
		a.Payment.Description = description
		if o, err := at(t, d.URL).Submit(t.Context(), a); err != nil || o.Status != provider.Pending || d.sent(t).Description != description {
			t.Errorf("%s: %+v, %v", description, o, err)
		}
	}
}

// 1077 is an entry of PSE's test network: banks are listed as they come, and none is known here.
func TestTM21BanksAreThoseOfTheEnvironment(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.banks = answer{200, `{"code":"01","data":[{"code":"1007","name":"BANCOLOMBIA"}]}`}
	p := at(t, d.URL, "api_version", "v2")
	if got, err := p.Banks(t.Context(), payment.PSE); err != nil || len(got) != 1 || got[0].Code != "1007" {
		t.Errorf("%+v, %v", got, err)
	}
	a := exampleAttempt()
	a.Payment.Method, a.Payment.Amount, a.Payment.Payer.Bank = payment.PSE, payment.Pesos(10_000), "1077"
	if _, err := p.Submit(t.Context(), a); err != nil || d.sent(t).Customer.Bank != "1077" {
		t.Errorf("%v", err)
	}
}
