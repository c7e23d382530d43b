package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func TestInfo(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		p        *tumipay
		decimals int
		expires  time.Duration
	}{
		{New().(*tumipay), 0, time.Hour},
		{at(t, stagingURL, "amount_unit", "peso"), 0, time.Hour},
		{at(t, stagingURL, "amount_unit", "cent", "expiration_minutes", "720"), 2, 12*time.Hour + 30*time.Minute},
	} {
		info := tc.p.Info()
		if err := info.Validate(); err != nil {
			t.Error(err)
		}
		least := map[payment.Method]payment.Money{payment.PSE: payment.Pesos(2000), payment.Efecty: payment.Pesos(10000)}
		if len(info.Capabilities) != len(payment.PayIn.Methods()) {
			t.Errorf("%d capabilities", len(info.Capabilities))
		}
		for _, m := range payment.PayIn.Methods() {
			c := payment.CapabilityFor(info.Capabilities, payment.PayIn, m)
			if c == nil {
				t.Errorf("it does not take %s", m)
				continue
			}
			if c.Decimals != tc.decimals || c.AmountMin != least[m] || c.AmountMax != payment.Pesos(2_000_000) {
				t.Errorf("%s: %+v", m, c)
			}
			want := payment.Recovery{
				LookupByKey: true, AbandonIfUnanswered: true, AbsentAfter: payment.Duration(time.Minute), ExpiresAfter: payment.Duration(tc.expires),
			}
			if c.Recovery != want {
				t.Errorf("%s: recovery %+v, want %+v", m, c.Recovery, want)
			}
		}
	}
	secrets := New().Info().Config.Secrets(configAt(stagingURL))
	if !slices.Equal(secrets, []string{password, tokenTop}) {
		t.Errorf("secrets %q", secrets)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		config provider.Config
		faults []string
	}{
		{configAt(stagingURL), nil},
		{configAt(stagingURL, "api_version", "v2", "amount_unit", "peso", "expiration_minutes", "43200", "pse_min_amount", "0",
			"efecty_min_amount", "1.50", "max_amount", "5000000"), nil},
		{provider.Config{}, []string{"base_url", "username", "password", "token_top", "amount_unit"}},
		{configAt("api.tumipay.co", "amount_unit", "centavo", "api_version", "v3"), []string{"base_url", "amount_unit", "api_version"}},
		{configAt(stagingURL + "/v1"), []string{"base_url"}},
		{configAt(stagingURL + "/v1/payin"), []string{"base_url"}},
		{configAt(stagingURL + "/api"), []string{"base_url"}},
		{configAt(stagingURL + "?a=b"), []string{"base_url"}},
		{configAt("https://user:pass@api.tumipay.co"), []string{"base_url"}},
		{configAt(stagingURL, "username", "a:b", "token_top", tokenTop+"\n"), []string{"username", "token_top"}},
		{configAt(stagingURL, "expiration_minutes", "0"), []string{"expiration_minutes"}},
		{configAt(stagingURL, "expiration_minutes", "43201"), []string{"expiration_minutes"}},
		{configAt(stagingURL, "expiration_minutes", "30m"), []string{"expiration_minutes"}},
		{configAt(stagingURL, "pse_min_amount", "-1"), []string{"pse_min_amount"}},
		{configAt(stagingURL, "max_amount", "9999"), []string{"max_amount"}},
		{configAt(stagingURL, "client_id", "x"), []string{"client_id"}},
	} {
		p := New().(*tumipay)
		err := p.Configure(t.Context(), tc.config)
		var faulty *provider.ConfigError
		var names []string
		if errors.As(err, &faulty) {
			for _, f := range faulty.Faults {
				names = append(names, f.Name)
			}
			quotesNothing(t, err.Error())
		}
		if !slices.Equal(names, tc.faults) || (err == nil) != (tc.faults == nil) {
			t.Errorf("%v: %v, want faults of %q", tc.config, err, tc.faults)
		}
		if err != nil && p.api != nil {
			t.Errorf("%v: a client was made of a faulty configuration", tc.config)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	for _, tc := range []struct {
		answer
		want provider.Code
	}{
		{answer{}, ""},
		{answer{200, `{"name":"Shop","nit":"900123456","currency":"COP","wallet":0}`}, ""},
		{answer{200, `{"code":"02","status":"ERROR"}`}, provider.CodeUnavailable},
		{answer{200, "<html>"}, provider.CodeUnavailable},
		{answer{200, ""}, provider.CodeUnavailable},
		{answer{401, `{"code":"02","message":"` + tokenTop + `"}`}, provider.CodeUnauthorized},
		{answer{403, ""}, provider.CodeUnauthorized},
		{answer{404, "<html>"}, provider.CodeUnavailable},
		{answer{500, ""}, provider.CodeUnavailable},
	} {
		d.answers(func(d *document) { d.merchant = tc.answer })
		if got := codeOf(t, p.Check(t.Context())); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.answer, got, tc.want)
		}
	}
	if n := len(d.arrived("/api/v1/merchant/me")); n != 9 {
		t.Errorf("%d requests", n)
	}
	d.Close()
	if got := codeOf(t, p.Check(t.Context())); got != provider.CodeUnavailable {
		t.Errorf("nobody there: %q", got)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	envelope := func(status int, message string) answer {
		return answer{status, `{"code":"02","status":"ERROR","message":"` + message + `","data":[]}`}
	}
	for _, tc := range []struct {
		answer
		status provider.Status
		code   provider.Code
	}{
		{answer{}, provider.Pending, ""},
		{record(t, map[string]any{"status": nil}), "", provider.CodeUnknown},
		{record(t, map[string]any{"amount": nil}), "", provider.CodeUnknown},
		{record(t, map[string]any{"amount": "much"}), "", provider.CodeUnknown},
		{record(t, map[string]any{"amount": 0}), "", provider.CodeUnknown},
		{record(t, map[string]any{"reference": nil}), "", provider.CodeUnknown},
		{answer{200, `{"code":"01"}`}, "", provider.CodeUnknown},
		{answer{200, `{"code":"01","data":[]}`}, "", provider.CodeUnknown},
		{answer{200, `{}`}, "", provider.CodeUnknown},
		{answer{200, ``}, "", provider.CodeUnknown},
		{answer{200, `<html>John`}, "", provider.CodeUnknown},
		{answer{200, read(t, "transaction_answer.json")[:300]}, "", provider.CodeUnknown},
		{answer{201, read(t, "transaction_answer.json")}, "", provider.CodeUnknown},
		{notFoundAnswer, provider.Absent, ""},
		{answer{404, ""}, provider.Absent, ""},
		{answer{404, "\n<html>Not Found</html>"}, "", provider.CodeUnknown},
		{envelope(200, "Transacción no encontrada"), provider.Absent, ""},
		{envelope(200, "TRANSACTION_NOT_FOUND"), provider.Absent, ""},
		{envelope(400, "No existe la transacción de John Doe"), provider.Absent, ""},
		{envelope(422, "Transaction not found"), provider.Absent, ""},
		{envelope(200, "No se pudo procesar"), "", provider.CodeUnknown},
		{answer{200, strings.Replace(read(t, "transaction_answer.json"), `"01"`, `"02"`, 1)}, "", provider.CodeUnknown},
		{envelope(400, "Datos inválidos"), "", provider.CodeUnknown},
		{envelope(401, ""), "", provider.CodeUnauthorized},
		{envelope(403, ""), "", provider.CodeUnauthorized},
		{envelope(401, "Comercio no encontrado"), "", provider.CodeUnauthorized},
		{envelope(403, "Token not found"), "", provider.CodeUnauthorized},
		{envelope(502, "Host not found"), "", provider.CodeUnknown},
		{answer{422, ""}, "", provider.CodeUnknown},
		{answer{429, ""}, "", provider.CodeUnknown},
		{answer{500, ""}, "", provider.CodeUnknown},
		{answer{503, read(t, "transaction_answer.json")}, "", provider.CodeUnknown},
	} {
		d.answers(func(d *document) { d.get = tc.answer })
		o, err := p.Lookup(t.Context(), provider.Query{Key: reference})
		if o.Status != tc.status || codeOf(t, err) != tc.code {
			t.Errorf("%.200v: %+v, %v; want %q %q", tc.answer, o, err, tc.status, tc.code)
		}
		quotesNothing(t, fmt.Sprintf("%+v", o))
		if o.Status == provider.Pending && (o.Key != reference || o.Reference != ticket || o.Amount != payment.Pesos(50) || o.Currency != "COP") {
			t.Errorf("the echoes are not what was echoed: %+v", o)
		}
	}
	d.Close()
	if _, err := p.Lookup(t.Context(), provider.Query{Key: reference}); codeOf(t, err) != provider.CodeUnknown {
		t.Errorf("nobody there: %v", err)
	}
}

// The reference is asked for where it is known; what cannot stand in a path never does.
func TestLookupAsksFor(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		query provider.Query
		want  string // "" = nothing is sent
	}{
		{provider.Query{Key: reference}, reference},
		{provider.Query{Reference: ticket}, ticket},
		{provider.Query{Key: reference, Reference: ticket}, reference},
		{provider.Query{Reference: "../merchant/me"}, ""},
		{provider.Query{Reference: ".."}, ""},
		{provider.Query{Reference: "a/b"}, ""},
		{provider.Query{Key: ".."}, ""},
		{provider.Query{}, ""},
	} {
		d := newDocument(t)
		_, err := at(t, d.URL).Lookup(t.Context(), tc.query)
		switch calls := d.arrived("/"); {
		case tc.want == "" && (codeOf(t, err) != provider.CodeUnknown || len(calls) != 0):
			t.Errorf("%+v: %v, sent %+v", tc.query, err, calls)
		case tc.want != "" && (err != nil || len(calls) != 1 || calls[0].path != "/api/v1/transaction/"+tc.want):
			t.Errorf("%+v: %v, sent %+v", tc.query, err, calls)
		}
	}
}

func TestResponseMessageIsMasked(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.get = record(t, map[string]any{
		"status": "REJECTED", "response_message": "John Doe (CC 1234567890, john.doe@example.com, 3121234567): fondos insuficientes",
	})
	o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Key: reference})
	if err != nil || o.Code != "REJECTED" || o.Message != "*** (CC ***, ***, ***): fondos insuficientes" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestParseNotification(t *testing.T) {
	t.Parallel()
	p := at(t, stagingURL)
	parse := func(body, signature string) ([]provider.Query, error) {
		return p.ParseNotification(t.Context(), provider.Notification{Method: "POST", Body: []byte(body), Header: map[string][]string{"X-Trx-Signature": {signature}}})
	}
	// The vector of the facts: token tok_test_123 and the document's ticket and reference.
	const vector = "8a488801ac02fd68beffbf039178a67d17bfea86e2591f3348e32c923cb3d488"
	const theirs = "ef3bc5cc-1a08-41c8-9e3b-449b95ac5eb6"
	body := read(t, "webhook.json")
	want := []provider.Query{{Key: theirs, Operation: payment.PayIn}}
	for _, signature := range []string{vector, strings.ToUpper(vector)} {
		if got, err := parse(body, signature); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	for _, tc := range []struct{ name, body, signature string }{
		{"no signature", body, ""},
		{"another one", body, strings.Replace(vector, "8", "9", 1)},
		{"a part of it", body, vector[:63]},
		{"of another reference", strings.Replace(body, theirs, reference, 1), vector},
		{"of another ticket", strings.Replace(body, "49e3c70f", "49e3c70e", 1), vector},
		{"no ticket", `{"top_reference":"` + theirs + `"}`, vector},
		{"no reference", `{"top_ticket":"x"}`, vector},
		{"a reference that is none of ours", `{"top_ticket":"x","top_reference":"a/b"}`, string(digest(signatureText(tokenTop, "x", "a/b")))},
		{"a reference that is a number", `{"top_ticket":"x","top_reference":1234567890}`, vector},
		{"no JSON", "John Doe", vector},
		{"nothing", "", vector},
	} {
		if got, err := parse(tc.body, tc.signature); codeOf(t, err) != provider.CodeInvalid {
			t.Errorf("%s: %+v, %v", tc.name, got, err)
		}
	}
	unconfigured := New().(*tumipay)
	if _, err := unconfigured.ParseNotification(t.Context(), provider.Notification{Body: []byte(body), Header: map[string][]string{
		signatureHeader: {string(digest(signatureText("", "49e3c70f-49d2-11ef-a534-02530a7dec0f", theirs)))},
	}}); codeOf(t, err) != provider.CodeInvalid {
		t.Errorf("signed with no token: %v", err)
	}
}

func TestBanks(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	got, err := p.Banks(t.Context(), payment.PSE)
	if want := []provider.Bank{{Code: "1077", Name: "BANKA"}, {Code: "1007", Name: "BANCOLOMBIA"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, tc := range []struct {
		answer
		want provider.Code
	}{
		{answer{401, ""}, provider.CodeUnauthorized},
		{answer{403, ""}, provider.CodeUnauthorized},
		{answer{500, ""}, provider.CodeUnavailable},
		{answer{200, "<html>"}, provider.CodeUnavailable},
		{answer{200, `{"code":"02","status":"ERROR","data":[]}`}, provider.CodeUnavailable},
		{answer{200, `{"code":"01","data":{}}`}, provider.CodeUnavailable},
	} {
		d.answers(func(d *document) { d.banks = tc.answer })
		if got, err := p.Banks(t.Context(), payment.PSE); codeOf(t, err) != tc.want {
			t.Errorf("%+v: %v, %v", tc.answer, got, err)
		}
	}
	if _, err := p.Banks(t.Context(), payment.Card); codeOf(t, err) != provider.CodeInvalid {
		t.Errorf("banks for cards: %v", err)
	}
}
