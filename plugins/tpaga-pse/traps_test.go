package main

import (
	"encoding/json"
	"fmt"
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
		{"TP-01 408 means that the charge exists, and is never sent again", trap01},
		{"TP-02 502 created a charge", trap02},
		{"TP-03 there is no look-up by order_id", trap03},
		{"TP-04 the webhook's example is not JSON", trap04},
		{"TP-05 authorized comes before settled, or after it", trap05},
		{"TP-06 answers are longer than documented", trap06},
		{"TP-07 amounts are strings or numbers", trap07},
		{"TP-08 some echoes are checked and some are not", trap08},
		{"TP-09 limits are configured, not read from messages", trap09},
		{"TP-10 a tax is less than its amount", trap10},
		{"TP-11 texts are never matched", trap11},
		{"TP-12 the token is asked for with POST at its own path", trap12},
		{"TP-13 a wrong API key is a wrong token", trap13},
		{"TP-14 phones go without the country code", trap14},
		{"TP-15 status words in another spelling", trap15},
		{"TP-16 banks are codes, and each environment has its own", trap16},
		{"TP-17 the example of the bank list is not JSON", trap17},
		{"TP-18 an order_id is never cut", trap18},
		{"TP-19 an unknown token is 404 or 422", trap19},
		{"TP-20 payers are sent back to https only", trap20},
	} {
		t.Run(trap.id, func(t *testing.T) {
			t.Parallel()
			trap.test(t)
		})
	}
}

// existing is a document that answers every charge with that status and body, and a look-up with get.
func existing(t *testing.T, status int, body string, get answer) (*document, *tpaga) {
	d := newDocument(t)
	d.charge = func(int) answer { return answer{status, body} }
	d.get = get
	return d, at(t, d.URL)
}

// existingCharges are the answers to a look-up that 408 and 502 lead to, and what they mean for the hand-over.
func existingCharges(t *testing.T) []struct {
	name      string
	get       answer
	status    provider.Status // "" = unknown
	reference string
} {
	return []struct {
		name      string
		get       answer
		status    provider.Status
		reference string
	}{
		{"pending, with its URL", answer{}, provider.Pending, chargeToken},
		{"failed", answer{200, example(t, map[string]any{"status": "failed"})}, provider.Failed, chargeToken},
		{"rejected", answer{200, example(t, map[string]any{"status": "rejected"})}, provider.Failed, chargeToken},
		{"settled", answer{200, example(t, map[string]any{"status": "settled"})}, provider.Succeeded, chargeToken},
		{"a new word", answer{200, example(t, map[string]any{"status": "new"})}, "", chargeToken},
		{"of another order_id", answer{200, example(t, map[string]any{"order_id": "abc-124"})}, "", ""},
		{"not found", answer{404, ""}, "", chargeToken},
		{"not to be had", answer{500, ""}, "", chargeToken},
		{"forbidden", answer{403, ""}, "", chargeToken},
		{"half an answer", answer{200, `{"token":"`}, "", chargeToken},
	}
}

func followsToken(t *testing.T, status int) {
	for _, tc := range existingCharges(t) {
		t.Run("a token of a charge that is "+tc.name, func(t *testing.T) {
			t.Parallel()
			d, p := existing(t, status, example(t, map[string]any{"status": "failed"}), tc.get)
			o, err := p.Submit(t.Context(), exampleAttempt())
			reference := o.Reference
			if err != nil {
				reference = provider.AsError(err).Reference
			}
			if (tc.status == "") != (codeOf(t, err) == provider.CodeUnknown) || o.Status != tc.status || reference != tc.reference {
				t.Errorf("got %+v, %v (reference %q); want %q with reference %q", o, err, reference, tc.status, tc.reference)
			}
			if d.count("POST", "/charge") != 1 || d.count("GET", "/charge/"+chargeToken) != 1 {
				t.Errorf("calls %v", d.calls)
			}
		})
	}
}

func staysUnknown(t *testing.T, status int, bodies ...string) {
	for _, body := range bodies {
		d, p := existing(t, status, body, answer{})
		_, err := p.Submit(t.Context(), exampleAttempt())
		if e := provider.AsError(err); codeOf(t, err) != provider.CodeUnknown || e.Reference != "" || !e.NoResend {
			t.Errorf("%q: got %v (no resend: %t), want unknown, and no resend", body, err, e.NoResend)
		}
		if len(d.calls) != 1 {
			t.Errorf("%q: calls %v", body, d.calls)
		}
	}
}

func trap01(t *testing.T) {
	followsToken(t, 408)
	staysUnknown(t, 408, "", `{"error_message":"El cobro ya existe."}`, "Request Timeout", "<html>408", `{"token":null}`)
}

func trap02(t *testing.T) {
	followsToken(t, 502)
	staysUnknown(t, 502, "", `{"error_message":"x"}`, "<html>Bad Gateway")
}

func trap03(t *testing.T) {
	d := newDocument(t)
	p := at(t, d.URL)
	_, err := p.Lookup(t.Context(), provider.Query{Key: orderID})
	if codeOf(t, err) != provider.CodeUnknown || !strings.Contains(err.Error(), "order_id") || len(d.calls) != 0 {
		t.Errorf("by order_id: %v, calls %v", err, d.calls)
	}
	// What finds the payment again is the token of a webhook: the charge names its order_id.
	queries, err := p.ParseNotification(t.Context(), provider.Notification{Body: []byte(`{"charge_token":"` + chargeToken + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := p.Lookup(t.Context(), queries[0]); err != nil || o.Key != orderID {
		t.Errorf("by token: %+v, %v", o, err)
	}
	if New().Info().Capabilities[0].Recovery.LookupByKey {
		t.Error("it declares a look-up by key")
	}
}

func trap04(t *testing.T) {
	body := read(t, "webhook_example.txt")
	if json.Valid([]byte(body)) {
		t.Fatal("the example is JSON after all")
	}
	queries, err := New().(*tpaga).ParseNotification(t.Context(), provider.Notification{Body: []byte(body)})
	if err != nil || len(queries) != 1 || queries[0].Reference != chargeToken {
		t.Errorf("got %v, %v", queries, err)
	}
}

func trap05(t *testing.T) {
	d := newDocument(t)
	p := at(t, d.URL)
	for _, word := range []string{"authorized", "settled", "authorized"} {
		d.mu.Lock()
		d.get = answer{200, example(t, map[string]any{"status": word})}
		d.mu.Unlock()
		o, err := p.Lookup(t.Context(), provider.Query{Reference: chargeToken})
		want := map[string]provider.Status{"authorized": provider.Authorized, "settled": provider.Succeeded}[word]
		if err != nil || o.Status != want || o.Code != word || o.Action != nil {
			t.Errorf("%s: got %+v, %v; want %s and nothing for the payer to do", word, o, err, want)
		}
	}
}

func trap06(t *testing.T) {
	long := "https://bank.example/?enc=" + strings.Repeat("x", 2000)
	token := strings.Repeat("t", 255)
	d, p := existing(t, 201, example(t, map[string]any{
		"bank_url": long, "token": token, "transaction_state": strings.Repeat("S", 500), "rejected_reason": strings.Repeat("r", 500),
	}), answer{})
	o, err := p.Submit(t.Context(), exampleAttempt())
	if err != nil || o.Action == nil || o.Action.URL != long || o.Reference != token {
		t.Errorf("got %+v, %v", o, err)
	}
	if _, err := p.Lookup(t.Context(), provider.Query{Reference: token}); err != nil || d.count("GET", token) != 1 {
		t.Errorf("the long token: %v", err)
	}
}

func trap07(t *testing.T) {
	for _, amount := range []string{`"10000.00"`, `"10000.0"`, `"10000"`, `10000`, `10000.00`, `"10000.000"`, `1e4`, `"10000.01"`, `9999`} {
		body := strings.Replace(example(t, nil), `"10000.00"`, amount, 1)
		_, p := existing(t, 201, body, answer{})
		o, err := p.Submit(t.Context(), exampleAttempt())
		want := map[string]payment.Money{`"10000.01"`: payment.MoneyOfMinor(1000001), `9999`: payment.Pesos(9999)}[amount]
		if want.IsZero() {
			want = payment.Pesos(10000)
		}
		if err != nil || o.Amount != want {
			t.Errorf("%s: got %s, %v; want %s", amount, o.Amount, err, want)
		}
	}
	d := newDocument(t)
	a := exampleAttempt()
	a.Payment.Amount = payment.MoneyOfMinor(1000050)
	_, err := at(t, d.URL).Submit(t.Context(), a)
	if err != nil || !strings.Contains(d.sent(), `"amount":"10000.50"`) {
		t.Errorf("sent %s, %v; want a string of two decimals", d.sent(), err)
	}
}

func trap08(t *testing.T) {
	submit := func(changes map[string]any) (provider.Outcome, error) {
		_, p := existing(t, 201, example(t, changes), answer{})
		return p.Submit(t.Context(), exampleAttempt())
	}
	// The document's own example echoes another description.
	if o, err := submit(map[string]any{"buyer_email": "x@y.z", "document_number": nil}); err != nil || o.Status != provider.Pending {
		t.Errorf("other texts: %+v, %v", o, err)
	}
	if o, err := submit(map[string]any{"order_id": "abc-124"}); err != nil || o.Key != "abc-124" {
		t.Errorf("another order_id is shown to the engine: %+v, %v", o, err)
	}
	if o, err := submit(map[string]any{"order_id": "abc-124", "bank_code": "1007"}); err != nil || o.Key != "abc-124" {
		t.Errorf("another charge altogether is shown to the engine: %+v, %v", o, err)
	}
	if o, err := submit(map[string]any{"amount": "10.00"}); err != nil || o.Amount != payment.Pesos(10) {
		t.Errorf("another amount is shown to the engine: %+v, %v", o, err)
	}
	o, err := submit(map[string]any{"bank_code": "1007"})
	if codeOf(t, err) != provider.CodeUnknown || provider.AsError(err).Reference != "" || o.Action != nil {
		t.Errorf("another bank: %+v, %v; want unknown, without a reference that leads to its URL", o, err)
	}
	if o, err := submit(map[string]any{"bank_code": nil}); err != nil || o.Status != provider.Pending {
		t.Errorf("no bank named: %+v, %v", o, err)
	}
}

func trap09(t *testing.T) {
	for _, text := range []string{"entre 0.00 y 40000000.00", "entre 1000.00 y 40000000.00", "entre 5.00 y 10.00"} {
		_, p := existing(t, 422, `{"error_message":"El valor de la transacción debe estar `+text+`.","field":"amount","value":"10000.00"}`, answer{})
		before := p.Info().Capabilities[0]
		_, err := p.Submit(t.Context(), exampleAttempt())
		if codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "amount" {
			t.Errorf("%s: got %v", text, err)
		}
		if after := p.Info().Capabilities[0]; after.AmountMin != before.AmountMin || after.AmountMax != before.AmountMax {
			t.Errorf("%s: the limits are now %s to %s", text, after.AmountMin, after.AmountMax)
		}
	}
	d := newDocument(t)
	p := New()
	c := configAt(d.URL)
	c["max_amount"] = "9999.99"
	if err := p.Configure(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeInvalid || len(d.calls) != 0 {
		t.Errorf("more than max_amount: %v, calls %v", err, d.calls)
	}
}

func trap10(t *testing.T) {
	for _, tc := range []struct {
		tax  payment.Money
		want string // "" = refused
	}{
		{payment.Money{}, "0.00"}, {payment.MoneyOfMinor(999999), "9999.99"}, {payment.Pesos(10000), ""}, {payment.Pesos(10001), ""},
	} {
		d := newDocument(t)
		a := exampleAttempt()
		a.Payment.Tax = tc.tax
		_, err := at(t, d.URL).Submit(t.Context(), a)
		if tc.want == "" {
			if codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "tax" || len(d.calls) != 0 {
				t.Errorf("tax %s: got %v, calls %v", tc.tax, err, d.calls)
			}
		} else if err != nil || !strings.Contains(d.sent(), `"vat_amount":"`+tc.want+`"`) {
			t.Errorf("tax %s: sent %s, %v", tc.tax, d.sent(), err)
		}
	}
}

func trap11(t *testing.T) {
	var errs []string
	for _, text := range []string{"Objeto con code=XXXX no existe.", "The bank is unknown", "settled", ""} {
		_, p := existing(t, 422, `{"error_message":"`+text+`","field":"bank_code","value":"XXXX"}`, answer{})
		_, err := p.Submit(t.Context(), exampleAttempt())
		if codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "payer.bank" {
			t.Errorf("%q: got %v", text, err)
		}
		errs = append(errs, err.Error())
	}
	if slices.Sort(errs); errs[0] != errs[len(errs)-1] {
		t.Errorf("the text makes a difference: %q", errs)
	}
}

func trap12(t *testing.T) {
	d := newDocument(t) // which knows no other path, and takes the credentials from the Basic header only
	if err := at(t, d.URL+"/").Check(t.Context()); err != nil || d.tokens != 1 {
		t.Errorf("%d tokens: %v", d.tokens, err)
	}
}

func trap13(t *testing.T) {
	d, p := existing(t, 401, "Unauthorized -- Your API key is wrong.", answer{})
	_, err := p.Submit(t.Context(), exampleAttempt())
	if codeOf(t, err) != provider.CodeUnauthorized || d.tokens != 2 || d.count("POST", "/charge") != 2 {
		t.Errorf("got %v after %d tokens and calls %v", err, d.tokens, d.calls)
	}
}

func trap14(t *testing.T) {
	for phone, want := range map[string]string{
		"3057788996":             "3057788996",
		"573057788996":           "3057788996",
		"+573057788996":          "3057788996",
		"+57 305 778 8996":       "3057788996",
		"(+57) 305-778-8996":     "3057788996",
		"57 (305) 778 8996":      "3057788996",
		"+57 1 234 5678":         "12345678",
		"5712345":                "5712345", // not a country code: too short to follow one
		"+1 305 778 8996":        "13057788996",
		"12345678901234567890":   "12345678901234567890",
		" 3 0 5 7 7 8 8 9 9 6 .": "3057788996",
	} {
		d := newDocument(t)
		a := exampleAttempt()
		a.Payment.Payer.Phone = phone
		_, err := at(t, d.URL).Submit(t.Context(), a)
		if err != nil || !strings.Contains(d.sent(), `"buyer_phone_number":"`+want+`"`) {
			t.Errorf("%q: sent %s, %v; want %q", phone, d.sent(), err, want)
		}
	}
}

func trap15(t *testing.T) {
	for word, want := range map[string]provider.Status{
		"PENDING": provider.Pending, "Settled": provider.Succeeded, "CHARGE_REJECTED": provider.Rejected,
		"charge_rejected": provider.Rejected, "Charge-Rejected": provider.Rejected, "FAILED": provider.Failed,
		"charge rejected": "", "chargerejected": "", "approved": "", "OK": "", "": "", " settled": "", "settled_": "",
	} {
		d := newDocument(t)
		d.get = answer{200, example(t, map[string]any{"status": word})}
		o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Reference: chargeToken})
		if want == "" && codeOf(t, err) != provider.CodeUnknown || o.Status != want {
			t.Errorf("%q: got %+v, %v; want %q", word, o, err, want)
		}
		if want == "" && provider.AsError(err).ProviderCode != normal(word) {
			t.Errorf("%q: the unmapped word is not told: %q", word, provider.AsError(err).ProviderCode)
		}
	}
}

func trap16(t *testing.T) {
	lists := map[string]string{
		"staging":    `[{"code":"0","name":"A continuación seleccione su banco"},{"code":"1007","name":"BANCOLOMBIA QA"},{"code":"10072","name":"BANCOLOMBIA"},{"code":"5016","name":"ALIANZA FIDUCIARIA S A"}]`,
		"production": `[{"code":"1007","name":"BANCOLOMBIA"},{"code":"1815","name":"ALIANZA FIDUCIARIA"}]`,
	}
	want := map[string]string{
		"staging":    "[{1007 BANCOLOMBIA QA} {10072 BANCOLOMBIA} {5016 ALIANZA FIDUCIARIA S A}]",
		"production": "[{1007 BANCOLOMBIA} {1815 ALIANZA FIDUCIARIA}]",
	}
	for environment, list := range lists {
		d := newDocument(t)
		d.banks = answer{200, list}
		got, err := at(t, d.URL).Banks(t.Context(), payment.PSE)
		if err != nil || fmt.Sprint(got) != want[environment] {
			t.Errorf("%s: got %v, %v", environment, got, err)
		}
	}
}

func trap17(t *testing.T) {
	d := newDocument(t)
	d.banks = answer{200, read(t, "banks_example.txt")}
	got, err := at(t, d.URL).Banks(t.Context(), payment.PSE)
	if codeOf(t, err) != provider.CodeUnavailable || got != nil {
		t.Errorf("got %v, %v; want no half of a list", got, err)
	}
}

func trap18(t *testing.T) {
	d := newDocument(t)
	p := at(t, d.URL)
	a := exampleAttempt()
	a.Key = "0123456789abcdefghijk"
	if _, err := p.Submit(t.Context(), a); codeOf(t, err) != provider.CodeInvalid || len(d.calls) != 0 {
		t.Errorf("21 characters: %v, calls %v", err, d.calls)
	}
	a.Key = "0123456789abcdefghij"
	if _, err := p.Submit(t.Context(), a); err != nil || !strings.Contains(d.sent(), `"order_id":"`+a.Key+`"`) {
		t.Errorf("20 characters: sent %s, %v", d.sent(), err)
	}
}

func trap19(t *testing.T) {
	for _, get := range []answer{{404, ""}, {422, `{"error_message":"","field":"token","value":""}`}} {
		d := newDocument(t)
		d.get = get
		o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Reference: chargeToken})
		if err != nil || o.Status != provider.Absent || o.Key != "" {
			t.Errorf("%+v: got %+v, %v", get, o, err)
		}
	}
	if after := New().Info().Capabilities[0].Recovery.AbsentAfter; after != 0 {
		t.Errorf("absence is taken for proof after %s", after)
	}
}

func trap20(t *testing.T) {
	for _, tc := range []struct{ base, returnURL, want string }{
		{"https://staging.apiv2.tpaga.co", "https://shop.example/return", ""},
		{"https://staging.apiv2.tpaga.co", "http://shop.example/return", "return_url"},
		{"http://127.0.0.1:8081", "http://shop.example/return", ""}, // a simulator
	} {
		a := exampleAttempt()
		a.Payment.ReturnURL = tc.returnURL
		_, err := at(t, tc.base).chargeRequest(a)
		refused := ""
		if codeOf(t, err) == provider.CodeInvalid {
			refused = provider.AsError(err).Field
		}
		if refused != tc.want {
			t.Errorf("%+v: got %v", tc, err)
		}
	}
}
