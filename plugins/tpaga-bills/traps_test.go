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

// TestTraps has one test for each contradiction and trap of the provider's document, by its id.
func TestTraps(t *testing.T) {
	t.Parallel()
	for _, trap := range []struct {
		id   string
		test func(*testing.T)
	}{
		{"TB-01 the body decides, then the HTTP status", trap01},
		{"TB-02 AUTHORIZED is a success here", trap02},
		{"TB-03 bills have texts with cents, payments whole numbers", trap03},
		{"TB-04 the amount is the bill's, unless it is editable", trap04},
		{"TB-05 references have 20 characters in production only", trap05},
		{"TB-06 a GET follows a redirect on its host, a POST none", trap06},
		{"TB-07 the example of the agreements is not JSON", trap07},
		{"TB-08 payable_until is nothing to us", trap08},
		{"TB-09 no result code is no failure", trap09},
		{"TB-10 409 is an answer like any other", trap10},
		{"TB-11 fields have two names", trap11},
		{"TB-12 402 comes from a query, too", trap12},
		{"TB-13 older accounts have an api-key", trap13},
		{"TB-14 amounts are whole and greater than nothing", trap14},
		{"TB-15 references are escaped", trap15},
		{"TB-16 the example of a look-up has another amount", trap16},
		{"TB-17 no test reference in production", trap17},
		{"TB-18 our names for a payment stay the same", trap18},
		{"TB-19 agreements that cannot be queried", trap19},
		{"TB-20 409 of a first call may be in progress", trap20},
	} {
		t.Run(trap.id, func(t *testing.T) {
			t.Parallel()
			trap.test(t)
		})
	}
}

func trap01(t *testing.T) {
	statuses := map[string]struct {
		status provider.Status
		code   provider.Code
	}{
		"AUTHORIZED": {provider.Succeeded, ""}, "IN_PROGRESS": {provider.Pending, ""}, "REJECTED": {provider.Failed, ""},
		"UNKNOWN": {"", provider.CodeUnknown}, "SETTLED": {"", provider.CodeUnknown},
	}
	for _, status := range []int{200, 201, 409, 500, 502, 503, 504} {
		for word, want := range statuses {
			d, p := answering(t, status, record(t, map[string]any{"status": word, "error_message": quoted}))
			o, err := p.Submit(t.Context(), exampleAttempt())
			if codeOf(t, err) != want.code || o.Status != want.status {
				t.Errorf("%d %s: %+v, %v; want %q %q", status, word, o, err, want.status, want.code)
			}
			if e := provider.AsError(err); err != nil && (e.Reference != exampleToken || e.ProviderCode != word) {
				t.Errorf("%d %s: reference %q, code %q", status, word, e.Reference, e.ProviderCode)
			}
			if n := len(d.arrived("/pay_bill")); n != 1 {
				t.Errorf("%d %s: %d payments", status, word, n)
			}
		}
	}
	// The status alone is enough for a no, and not for a success.
	for body, want := range map[string]provider.Status{
		`{"status":"REJECTED"}`: provider.Failed, `{"status":"REJECTED","amount":null}`: provider.Failed, `{"status":"IN_PROGRESS"}`: provider.Pending, `{"status":"AUTHORIZED"}`: "",
	} {
		_, p := answering(t, 503, body)
		if o, err := p.Submit(t.Context(), exampleAttempt()); o.Status != want || (codeOf(t, err) == "") != (want != "") {
			t.Errorf("%s: %+v, %v", body, o, err)
		}
	}
	// A rejection with a status that says why says that, too.
	for status, want := range map[int]provider.Code{
		402: provider.CodeExhausted, 403: provider.CodeUnauthorized, 422: provider.CodeInvalid, 429: provider.CodeUnavailable,
	} {
		_, p := answering(t, status, record(t, map[string]any{"status": "REJECTED"}))
		if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != want {
			t.Errorf("REJECTED with %d: %v", status, err)
		}
	}
	// What a gateway says by itself says nothing.
	for _, status := range []int{500, 502, 503, 504} {
		for _, body := range []string{"", "<html>REJECTED</html>", `{"message":"REJECTED"}`} {
			_, p := answering(t, status, body)
			if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeUnknown {
				t.Errorf("%d %q: %v", status, body, err)
			}
		}
	}
}

func trap02(t *testing.T) {
	for word, want := range map[string]provider.Status{"AUTHORIZED": provider.Succeeded, "authorized": "", "settled": "", "APPROVED": ""} {
		d := newDocument(t)
		d.get = answer{200, record(t, map[string]any{"status": word})}
		if o, err := at(t, d.URL).Lookup(t.Context(), lookupOf(exampleKey)); o.Status != want || (codeOf(t, err) == "") != (want != "") {
			t.Errorf("%s: %+v, %v", word, o, err)
		}
	}
}

// billed is the document with a bill of that amount.
func billed(t *testing.T, biller, reference, amount string) *document {
	d := newDocument(t)
	d.bill = answer{200, changed(t, "bill_answer.json", map[string]any{
		"utility_provider": biller, "short_bill_reference": reference, "amount": json.RawMessage(amount),
	})}
	return d
}

func trap03(t *testing.T) {
	for amount, want := range map[string]payment.Money{
		`"12300.00"`: payment.Pesos(12300), `"12300.0"`: payment.Pesos(12300), `"12300"`: payment.Pesos(12300), `12300`: payment.Pesos(12300),
		`12300.00`: payment.Pesos(12300), `"12300.50"`: payment.MoneyOfMinor(1230050), `"12300.500"`: payment.MoneyOfMinor(1230050),
	} {
		d := billed(t, "etb", "111100005555", amount)
		p := at(t, d.URL)
		if b, err := p.Bill(t.Context(), "etb", "111100005555"); err != nil || b.Amount != want {
			t.Errorf("%s: %+v, %v", amount, b, err)
		}
		_, err := p.Submit(t.Context(), exampleAttempt())
		switch pay := d.arrived("/pay_bill"); {
		case want.IsWhole() && (err != nil || !strings.Contains(pay[0].body, `"amount":12300,`)):
			t.Errorf("%s: %v", amount, err)
		case !want.IsWhole() && (codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "amount" || len(pay) != 0):
			t.Errorf("%s: %v after %d payments; it cannot be paid whole", amount, err, len(pay))
		}
	}
	for _, amount := range []string{`"12300.001"`, `"12,300"`, `"1.` + strings.Repeat("0", 40) + `"`, `""`, `true`, `null`} {
		if _, err := at(t, billed(t, "etb", "1", amount).URL).Bill(t.Context(), "etb", "1"); codeOf(t, err) != provider.CodeUnavailable {
			t.Errorf("%s: %v", amount, err)
		}
	}
	for _, amount := range []any{12300, "12300", "12300.00", json.RawMessage("12300.00"), 12299} {
		_, p := answering(t, 200, record(t, map[string]any{"amount": amount}))
		want := payment.Pesos(12300)
		if amount == 12299 {
			want = payment.Pesos(12299) // for the engine to compare
		}
		if o, err := p.Submit(t.Context(), exampleAttempt()); err != nil || o.Amount != want {
			t.Errorf("echoed %v: %+v, %v", amount, o, err)
		}
	}
}

func trap04(t *testing.T) {
	for _, tc := range []struct {
		biller, reference, bill string
		editable                bool
	}{
		{"etb", "5500", `"12299.00"`, false}, {"card", "5500", `"12299.00"`, true}, {"card", "5500", `"0.00"`, true}, {"card", "5500", `"12300.50"`, true},
		{"etb", "000000", `"99.00"`, true}, // Tpaga's own test of it
		{"etb", "5500", `"12300.00"`, false},
	} {
		d := billed(t, tc.biller, tc.reference, tc.bill)
		p := at(t, d.URL)
		if b, err := p.Bill(t.Context(), tc.biller, tc.reference); err != nil || b.AmountEditable != tc.editable {
			t.Errorf("%+v: %+v, %v", tc, b, err)
		}
		a := exampleAttempt()
		a.Payment.Bill = payment.BillTarget{Biller: tc.biller, Reference: tc.reference}
		d.pay = func(int) answer {
			return answer{200, record(t, map[string]any{"utility_provider": tc.biller, "short_bill_reference": tc.reference})}
		}
		_, err := p.Submit(t.Context(), a)
		fine := tc.editable || tc.bill == `"12300.00"`
		if (err == nil) != fine || !fine && (codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "amount" || len(d.arrived("/pay_bill")) != 0) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
	// Tpaga's own word for it, in either of the answers that can carry it.
	for _, a := range []answer{{503, record(t, map[string]any{"status": "REJECTED", "result_code": 8000})}, {422, `{"result_code":8000}`}} {
		_, p := answering(t, a.status, a.body)
		if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "amount" {
			t.Errorf("8000 by %d: %v", a.status, err)
		}
	}
}

func trap05(t *testing.T) {
	for base, limited := range map[string]bool{
		productionURL: true, "https://10.0.0.7": true, "https://apiv2.tpaga.co": true,
		stagingURL: false, "https://STAGING.apiv2.tpaga.co": false, "http://localhost:4022": false, "http://127.0.0.1:4022": false, "http://[::1]:4022": false,
	} {
		d := newDocument(t)
		p := redirected(t, d, base)
		for length, ok := range map[int]bool{20: true, 21: !limited} {
			a := exampleAttempt()
			a.Payment.Bill.Reference = strings.Repeat("1", length)
			d.pay = func(int) answer {
				return answer{200, record(t, map[string]any{"short_bill_reference": a.Payment.Bill.Reference})}
			}
			before := len(d.arrived(""))
			_, err := p.Submit(t.Context(), a)
			if (err == nil) != ok || !ok && (codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "bill.reference" || len(d.arrived("")) != before) {
				t.Errorf("%d characters at %s: %v", length, base, err)
			}
		}
	}
}

func trap06(t *testing.T) {
	var paths []string
	abroad := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s went to another host", r.URL) }))
	t.Cleanup(abroad.Close)
	d := newDocument(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/o/") {
			d.Config.Handler.ServeHTTP(w, r)
			return
		}
		paths = append(paths, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		switch {
		case r.URL.Path == basePath+"/merchant/balance":
			http.Redirect(w, r, abroad.URL+r.URL.Path, http.StatusMovedPermanently)
		case !strings.HasSuffix(r.URL.Path, "/"):
			http.Redirect(w, r, r.URL.Path+"/?"+r.URL.RawQuery, http.StatusMovedPermanently)
		default:
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
			d.Config.Handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	p := at(t, s.URL)
	if b, err := p.Bill(t.Context(), "etb", "1"); err != nil || b.Amount != payment.Pesos(12300) {
		t.Errorf("a bill: %+v, %v", b, err)
	}
	bill := "GET " + basePath + "/utility_providers/etb/bills/1"
	if want := []string{bill + " Bearer JWT-1", bill + "/ Bearer JWT-1"}; !slices.Equal(paths[len(paths)-2:], want) {
		t.Errorf("asked %q, want %q", paths, want)
	}
	if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeUnknown || len(d.arrived("/pay_bill")) != 0 {
		t.Errorf("a payment: %v", err)
	}
	if last := paths[len(paths)-1]; last != "POST "+basePath+"/pay_bill Bearer JWT-1" {
		t.Errorf("after the redirect of a payment: %s", last)
	}
	if _, err := p.Balance(t.Context()); codeOf(t, err) != provider.CodeUnavailable {
		t.Errorf("the balance of another host: %v", err)
	}
}

func trap07(t *testing.T) {
	example := read(t, "agreements_example.txt")
	if json.Valid([]byte(example)) {
		t.Fatal("the example is JSON after all")
	}
	d := newDocument(t)
	d.agreements = func(string) answer { return answer{200, example} }
	if got, err := at(t, d.URL).Billers(t.Context(), ""); codeOf(t, err) != provider.CodeUnavailable || got.Billers != nil {
		t.Errorf("%+v, %v; want no half of a list", got, err)
	}
	corrected := strings.NewReplacer("\"movistar_fijo\",\n      ]", "\"movistar_fijo\"\n      ]", "},\n  ]\n}", "}\n  ]\n}").Replace(example)
	d.agreements = func(string) answer { return answer{200, corrected} }
	got, err := at(t, d.URL).Billers(t.Context(), "")
	want := []provider.Biller{
		{ID: "movistar_fijo", Name: "Movistar - Fijo", Queryable: true}, {ID: "etb", Name: "ETB", Queryable: true},
		{ID: "codensa", Name: "Codensa", Queryable: true}, {ID: "claro_movil", Name: "Claro", Queryable: true},
	}
	if err != nil || !slices.Equal(got.Billers, want) {
		t.Errorf("corrected: %+v, %v", got, err)
	}
}

func trap08(t *testing.T) {
	for _, until := range []any{"2022-08-09", json.RawMessage("null"), nil, 20220809, []int{1}, "None"} {
		d := newDocument(t)
		d.bill = answer{200, changed(t, "bill_answer.json", map[string]any{"payable_until": until})}
		if b, err := at(t, d.URL).Bill(t.Context(), "etb", "111100005555"); err != nil || b.Amount != payment.Pesos(12300) {
			t.Errorf("%v: %+v, %v", until, b, err)
		}
	}
}

func trap09(t *testing.T) {
	for _, code := range []any{json.RawMessage("null"), 0, "0", nil} {
		_, p := answering(t, 200, record(t, map[string]any{"result_code": code}))
		if o, err := p.Submit(t.Context(), exampleAttempt()); err != nil || o.Status != provider.Succeeded || o.Code != "AUTHORIZED" {
			t.Errorf("%v: %+v, %v", code, o, err)
		}
	}
}

func trap10(t *testing.T) {
	for _, resend := range []bool{false, true} {
		_, p := answering(t, 409, read(t, "pay_answer.json"))
		a := exampleAttempt()
		a.Resend = resend
		o, err := p.Submit(t.Context(), a)
		if err != nil || o.Status != provider.Succeeded || o.Key != exampleKey || o.Amount != payment.Pesos(12300) {
			t.Errorf("%+v, %v", o, err)
		}
	}
	// The token can belong to the payment of something else: that never passes for ours.
	for _, status := range []string{"AUTHORIZED", "IN_PROGRESS", "REJECTED", "UNKNOWN"} {
		for field, value := range map[string]string{"utility_provider": "codensa", "short_bill_reference": "111100005556", "payment_token": "another"} {
			_, p := answering(t, 409, record(t, map[string]any{"status": status, field: value}))
			o, err := p.Submit(t.Context(), exampleAttempt())
			if err != nil || o.Status != provider.Pending || o.Key != exampleKey+" with another "+field {
				t.Errorf("%s of another %s: %+v, %v", status, field, o, err)
			}
		}
		_, p := answering(t, 409, record(t, map[string]any{"status": status, "idempotency_token": "another", "amount": 1}))
		if o, err := p.Submit(t.Context(), exampleAttempt()); err == nil && (o.Key != "another" || o.Amount != payment.Pesos(1)) {
			t.Errorf("%s: another key and amount are the engine's to compare: %+v", status, o)
		}
	}
}

func trap11(t *testing.T) {
	for theirs, ours := range map[string]string{
		"bill_reference": "bill.reference", "short_bill_reference": "bill.reference",
		"service_provider_id": "bill.biller", "utility_provider": "bill.biller",
	} {
		d, p := answering(t, 422, `{"field":"`+theirs+`"}`)
		if _, err := p.Submit(t.Context(), exampleAttempt()); provider.AsError(err).Field != ours {
			t.Errorf("%s: %v", theirs, err)
		}
		d.bill = answer{422, `{"field":"` + theirs + `"}`}
		if _, err := p.Bill(t.Context(), "etb", "1"); provider.AsError(err).Field != ours {
			t.Errorf("%s in a query: %v", theirs, err)
		}
	}
}

func trap12(t *testing.T) {
	d := newDocument(t)
	d.bill = answer{402, `{"error_message":"Insufficient funds. Please top up your account and contact support to continue operating."}`}
	p := at(t, d.URL)
	if _, err := p.Bill(t.Context(), "etb", "1"); codeOf(t, err) != provider.CodeExhausted {
		t.Errorf("a query: %v", err)
	}
	if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeExhausted || len(d.arrived("/pay_bill")) != 0 {
		t.Errorf("a payment: %v", err)
	}
}

func trap13(t *testing.T) {
	d := newDocument(t)
	p := at(t, d.URL, "auth", "api_key", "client_secret", "key:1")
	if _, err := p.Submit(t.Context(), exampleAttempt()); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, c := range d.arrived("") {
		if c.authorization != "Basic a2V5OjE=" {
			t.Errorf("%s %s: %q", c.method, c.path, c.authorization)
		}
	}
	if len(d.arrived("")) != 3 || d.tokens != 0 {
		t.Errorf("%d tokens, calls %v", d.tokens, d.calls)
	}
	d.balance = answer{401, ""}
	if err := p.Check(t.Context()); codeOf(t, err) != provider.CodeUnauthorized || len(d.arrived("/merchant/balance")) != 1 {
		t.Errorf("a wrong key: %v", err)
	}
}

func trap14(t *testing.T) {
	for amount, want := range map[payment.Money]string{
		payment.Money{}: "", payment.Pesos(-1): "", payment.MoneyOfMinor(50): "", payment.MoneyOfMinor(1230001): "", payment.Pesos(1): "1",
		payment.Pesos(999_999_999_999_999): "999999999999999",
	} {
		d := billed(t, "etb", "111100005555", `"`+amount.String()+`"`)
		a := exampleAttempt()
		a.Payment.Amount = amount
		_, err := at(t, d.URL).Submit(t.Context(), a)
		switch pay := d.arrived("/pay_bill"); {
		case want == "" && (codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "amount" || len(pay) != 0):
			t.Errorf("%s: %v", amount, err)
		case want != "" && (err != nil || !strings.Contains(pay[0].body, `"amount":`+want+`,`)):
			t.Errorf("%s: %v", amount, err)
		}
	}
}

func trap15(t *testing.T) {
	d := newDocument(t)
	p := at(t, d.URL)
	for reference, want := range map[string]string{
		"50%": "50%25", "a/b": "a%2Fb", "a?b#c": "a%3Fb%23c", "á ñ": "%C3%A1%20%C3%B1", "../1": "..%2F1", "%2F": "%252F",
	} {
		if b, err := p.Bill(t.Context(), "a/b?c", reference); err != nil || b.Reference != reference {
			t.Errorf("%s: %+v, %v", reference, b, err)
		}
		calls := d.arrived("/bills/")
		if c := calls[len(calls)-1]; c.path != basePath+"/utility_providers/a%2Fb%3Fc/bills/"+want || c.query != "" {
			t.Errorf("%s: %s?%s", reference, c.path, c.query)
		}
		p.Lookup(t.Context(), lookupOf(reference))
		calls = d.arrived("/bill_payment_transactions/")
		if c := calls[len(calls)-1]; c.path != basePath+"/bill_payment_transactions/"+want || c.query != "" {
			t.Errorf("%s: %s?%s", reference, c.path, c.query)
		}
	}
}

func trap16(t *testing.T) {
	d := newDocument(t)
	d.get = answer{200, read(t, "status_answer.json")}
	o, err := at(t, d.URL).Lookup(t.Context(), lookupOf("some-random-and-unique-token-944"))
	if want := (provider.Outcome{
		Status: provider.Succeeded, Key: "some-random-and-unique-token-944", Reference: "bpm-0cj5j7d1blbygel2x97ez9hagtzw", Amount: payment.Pesos(1300), Code: "AUTHORIZED",
	}); err != nil || o != want {
		t.Errorf("%+v, %v; want what it says", o, err)
	}
}

func trap17(t *testing.T) {
	all := []string{
		"111100005555", "000000", "dummy412", "dummy422-does-not-exist", "dummy422-expired-bill", "dummy422-already-paid-bill",
		"dummy422-try-again", "dummy422-cannot-be-paid", "111100001111", "111100003333", "111100004444",
	}
	if len(all) != len(billTests)+len(paymentTests) {
		t.Errorf("%d references are tested of %d", len(all), len(billTests)+len(paymentTests))
	}
	for _, reference := range all {
		for base, refused := range map[string]bool{productionURL: true, stagingURL: false, "http://localhost:4022": false} {
			d := newDocument(t)
			p := redirected(t, d, base)
			a := exampleAttempt()
			a.Payment.Bill.Reference = reference
			_, paid := p.Submit(t.Context(), a)
			_, queried := p.Bill(t.Context(), "etb", reference)
			for what, err := range map[string]error{"a payment": paid, "a query": queried} {
				if refused && (codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "bill.reference" || len(d.calls) != 0 || d.tokens != 0) {
					t.Errorf("%s of %s at %s: %v", what, reference, base, err)
				}
			}
			if !refused && len(d.arrived("/pay_bill")) != 1 {
				t.Errorf("%s at %s: %v, %v", reference, base, paid, queried)
			}
		}
	}
}

// The references that are documented for payments only are not queried before.
func TestPaymentTestsAreNotQueried(t *testing.T) {
	t.Parallel()
	for reference, queries := range map[string]int{"111100001111": 0, "111100003333": 0, "111100004444": 0, "111100005555": 1} {
		d, p := answering(t, 409, record(t, map[string]any{"short_bill_reference": reference}))
		a := exampleAttempt()
		a.Payment.Bill.Reference = reference
		if _, err := p.Submit(t.Context(), a); err != nil || len(d.arrived("/bills/")) != queries || len(d.arrived("/pay_bill")) != 1 {
			t.Errorf("%s: %v after %d queries", reference, err, len(d.arrived("/bills/")))
		}
	}
}

func trap18(t *testing.T) {
	d := newDocument(t)
	d.pay = func(int) answer { return answer{500, ""} }
	p := at(t, d.URL)
	a := exampleAttempt()
	for range 2 {
		if _, err := p.Submit(t.Context(), a); codeOf(t, err) != provider.CodeUnknown {
			t.Fatal(err)
		}
		a.Resend = true
	}
	a.Key, a.Number, a.Resend = "0123456789abcdefghij", 2, false // another attempt of the same payment
	if _, err := p.Submit(t.Context(), a); codeOf(t, err) != provider.CodeUnknown {
		t.Fatal(err)
	}
	pay := d.arrived("/pay_bill")
	ours := fmt.Sprintf(`"payment_token":%q,"payment_origin":%q`, a.PaymentID, exampleOrigin)
	if pay[0].body != pay[1].body || !strings.Contains(pay[0].body, ours) || !strings.Contains(pay[2].body, ours) || !strings.Contains(pay[2].body, a.Key) {
		t.Errorf("sent\n%s\n%s\n%s", pay[0].body, pay[1].body, pay[2].body)
	}
}

func trap19(t *testing.T) {
	for allow, want := range map[string]provider.Code{"false": provider.CodeInvalid, "true": ""} {
		d := newDocument(t)
		d.pay = func(int) answer {
			return answer{200, record(t, map[string]any{"utility_provider": "toll", "short_bill_reference": "PLT123"})}
		}
		p := at(t, d.URL, "allow_unqueried", allow)
		a := exampleAttempt()
		a.Payment.Bill = payment.BillTarget{Biller: "toll", Reference: "PLT123"}
		_, err := p.Submit(t.Context(), a)
		if codeOf(t, err) != want || want != "" && provider.AsError(err).Field != "bill.biller" || (len(d.arrived("/pay_bill")) == 1) != (want == "") {
			t.Errorf("allowed %s: %v after %d payments", allow, err, len(d.arrived("/pay_bill")))
		}
		if len(d.arrived("/bills/")) != 0 {
			t.Errorf("allowed %s: it was queried", allow)
		}
		// The others are queried all the same.
		d.bill = answer{200, changed(t, "bill_answer.json", map[string]any{"amount": "1.00"})}
		if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "amount" {
			t.Errorf("allowed %s: another amount: %v", allow, err)
		}
	}
}

func trap20(t *testing.T) {
	a := exampleAttempt()
	a.Payment.Bill.Reference = "111100001111"
	d, p := answering(t, 409, record(t, map[string]any{"status": "IN_PROGRESS", "short_bill_reference": "111100001111"}))
	for _, resend := range []bool{false, true} {
		a.Resend = resend
		if o, err := p.Submit(t.Context(), a); err != nil || o.Status != provider.Pending || o.Key != exampleKey || o.Code != "IN_PROGRESS" {
			t.Errorf("%+v, %v", o, err)
		}
	}
	for word, want := range map[string]provider.Status{"IN_PROGRESS": provider.Pending, "AUTHORIZED": provider.Succeeded} {
		d.answers(func(d *document) { d.get = answer{200, record(t, map[string]any{"status": word})} })
		if o, err := p.Lookup(t.Context(), lookupOf(exampleKey)); err != nil || o.Status != want {
			t.Errorf("%s: %+v, %v", word, o, err)
		}
	}
}
