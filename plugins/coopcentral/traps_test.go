package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// The column "client" of the provider's contradictions and traps.

func TestCC01EveryCallHasTheScheme(t *testing.T) {
	t.Parallel()
	for scheme, want := range map[string]string{"": "Token " + accessToken, "Bearer": "Bearer " + accessToken, "none": accessToken} {
		d := newDocument(t)
		p := at(t, d.URL, "auth_scheme", scheme)
		p.Submit(t.Context(), exampleAttempt())
		p.Lookup(t.Context(), lookupOf(exampleKey))
		p.Statement(t.Context(), "")
		calls := d.arrived("")
		if len(calls) != 4 {
			t.Fatalf("%d calls, want banks, create, look-up and history", len(calls))
		}
		for _, c := range calls {
			if c.authorization != want {
				t.Errorf("scheme %q: %s %s with %q", scheme, c.method, c.path, c.authorization)
			}
		}
	}
}

func TestCC02AmountsInTheConfiguredUnit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		unit, echo string // as JSON
		want       string // "" = unclear
	}{
		{"peso", `5211470`, "5211470.00"}, {"peso", `"5211470"`, "5211470.00"}, {"peso", `"5211470.00"`, "5211470.00"},
		{"peso", `5211470.5`, "5211470.50"}, {"peso", `5.21147e6`, "5211470.00"}, {"peso", `99999999999999999999`, ""},
		{"peso", `"5211470.005"`, ""}, {"peso", `1e999999999`, ""}, {"peso", `"5,211,470"`, ""}, {"peso", `true`, ""},
		{"cent", `521147000`, "5211470.00"}, {"cent", `"521147050"`, "5211470.50"}, {"cent", `521147000.5`, ""},
		{"peso", `123456789012.34`, "123456789012.34"}, // a float64 would not hold it exactly at 15 digits
		{"peso", `999999999999999.99`, "999999999999999.99"},
	} {
		d := newDocument(t)
		d.get = answer{200, strings.Replace(read(t, "transfer_answer.json"), "5211470", tc.echo, 1)}
		o, err := at(t, d.URL, "amount_unit", tc.unit).Lookup(t.Context(), lookupOf(exampleKey))
		if tc.want == "" && codeOf(t, err) != provider.CodeUnknown || tc.want != "" && (err != nil || o.Amount.String() != tc.want) {
			t.Errorf("%s %s: %s, %v; want %q", tc.echo, tc.unit, o.Amount, err, tc.want)
		}
	}
	if f, _ := schema.Field("amount_unit"); !f.Required || f.Default != "" {
		t.Errorf("the unit must be chosen by a person: %+v", f)
	}
}

func TestCC03FeeAsNumberOrText(t *testing.T) {
	t.Parallel()
	for _, fee := range []any{0, "0", "1200.50", 1200.5, json.RawMessage("null"), nil} {
		d := newDocument(t)
		d.create = answer{201, example(t, map[string]any{"fee_amount": fee})}
		if o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt()); err != nil || o.Status != provider.Pending {
			t.Errorf("fee %v: %+v, %v", fee, o, err)
		}
	}
}

// 208 is the original's record. Another amount is handed on for the engine to compare; another payee never passes
// for ours, and not for something that a look-up could clear up either.
func TestCC04KnownTokenIsTheOriginal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		change map[string]any
		ours   bool // the payee
		amount payment.Money
	}{
		{nil, true, payment.Pesos(5211470)},
		{map[string]any{"status": "approved"}, true, payment.Pesos(5211470)},
		{map[string]any{"status": "approved", "amount": 1}, true, payment.Pesos(1)},
		{map[string]any{"status": "approved", "dest_bank": "nequi"}, false, payment.Money{}},
		{map[string]any{"status": "approved", "dest_account_number": "1"}, false, payment.Money{}},
		{map[string]any{"status": "approved", "dest_account_number": nil}, false, payment.Money{}},
		{map[string]any{"status": "rejected", "dest_account_type": "checking_account"}, false, payment.Money{}},
		{map[string]any{"status": "another", "dest_bank": "nequi"}, false, payment.Money{}},
		{map[string]any{"amount": 1e30, "dest_bank": "nequi"}, false, payment.Money{}},
	} {
		d := newDocument(t)
		d.create = answer{208, example(t, tc.change)}
		a := exampleAttempt()
		a.Resend = true
		o, err := at(t, d.URL).Submit(t.Context(), a)
		if err != nil {
			t.Errorf("%v: %v", tc.change, err)
			continue
		}
		if (o.Key == exampleKey) != tc.ours || o.Amount != tc.amount || !tc.ours && o.Status != provider.Pending {
			t.Errorf("%v: %+v", tc.change, o)
		}
		quotesNothing(t, fmt.Sprintf("%+v", o))
	}
}

func TestCC05WebhookNamesTheKey(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	queries, err := p.ParseNotification(t.Context(), provider.Notification{Body: []byte(read(t, "webhook.json"))})
	if err != nil || len(queries) != 1 || queries[0].Key != exampleKey || queries[0].Reference != "" {
		t.Fatalf("%+v, %v", queries, err)
	}
	if o, err := p.Lookup(t.Context(), queries[0]); err != nil || o.Key != exampleKey {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestCC06StagingTakesMagicDescriptionsOnly(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		description, allow string
		want               provider.Code
	}{
		{"Some descriptive text", "false", provider.CodeInvalid},
		{"", "false", provider.CodeInvalid},
		{"my transaction-approved", "false", provider.CodeInvalid},
		{"Transaction-Approved", "false", provider.CodeInvalid},
		{"transaction-approved", "false", ""},
		{"transaction-rejected", "false", ""},
		{"Some descriptive text", "true", ""},
		{"", "true", ""},
		{"transaction-approved", "true", ""},
	} {
		for _, base := range []string{stagingURL, "https://api.STAGING.example"} {
			d := newDocument(t)
			p := redirected(t, d, base, "allow_staging_transfers", tc.allow)
			a := exampleAttempt()
			a.Payment.Description = tc.description
			_, err := p.Submit(t.Context(), a)
			if codeOf(t, err) != tc.want || tc.want != "" && (provider.AsError(err).Field != "description" || len(d.arrived("")) != 0) {
				t.Errorf("%q at %s, allowed %s: %v after %d calls", tc.description, base, tc.allow, err, len(d.arrived("")))
			}
			if screened := len(p.Info().Capabilities[0].Refusals(&a.Payment)) > 0; screened != (tc.want != "") {
				t.Errorf("%q at %s, allowed %s: screened %t", tc.description, base, tc.allow, screened)
			}
		}
	}
}

func TestCC07ProductionTakesNoMagicDescriptions(t *testing.T) {
	t.Parallel()
	for description, want := range map[string]provider.Code{
		"transaction-approved": provider.CodeInvalid, "transaction-rejected": provider.CodeInvalid,
		"my transaction-approved": provider.CodeInvalid, "Some descriptive text": "", "": "",
	} {
		for base, production := range map[string]bool{
			productionURL: true, "https://10.0.0.7": true, "http://localhost:4020": false, "http://127.0.0.1:4020": false, "http://[::1]:4020": false,
		} {
			d := newDocument(t)
			p := redirected(t, d, base)
			a := exampleAttempt()
			a.Payment.Description = description
			_, err := p.Submit(t.Context(), a)
			if !production && err != nil {
				t.Errorf("%q at %s, a simulator: %v", description, base, err)
			}
			if production && (codeOf(t, err) != want || want != "" && (provider.AsError(err).Field != "description" || len(d.arrived("")) != 0)) {
				t.Errorf("%q at %s: %v after %d calls", description, base, err, len(d.arrived("")))
			}
		}
	}
}

func TestCC08OriginAccountHasTwoNames(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.history = func(string) answer { return historyOf(t, 0, 20) }
	p := at(t, d.URL, "origin_account", originAccount)
	p.Submit(t.Context(), exampleAttempt())
	p.Statement(t.Context(), "")
	p.Statement(t.Context(), "2")
	if body := d.arrived("/create")[0].body; !strings.Contains(body, `"origin_account":"`+originAccount+`"`) || strings.Contains(body, "origin_account_token") {
		t.Errorf("a transfer: %s", body)
	}
	for i, want := range []url.Values{
		{"origin_account_token": {originAccount}},
		{"origin_account_token": {originAccount}, "page": {"2"}},
	} {
		if c := d.arrived("/transactions")[i]; c.query != want.Encode() {
			t.Errorf("the history: %q, want %q", c.query, want.Encode())
		}
	}
}

func TestCC09OtherEchoesAreNotCompared(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 208} {
		d := newDocument(t)
		d.create = answer{status, example(t, map[string]any{
			"description": "another-transaction-description", "origin_account_owner_identification_number": "34568987",
		})}
		if o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt()); err != nil || o.Key != exampleKey {
			t.Errorf("%d: %+v, %v", status, o, err)
		}
	}
}

func TestCC10CC12ExactWords(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	a := exampleAttempt()
	a.Payment.Payee.Document.Type = payment.PP
	if _, err := at(t, d.URL).Submit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	body := d.arrived("/create")[0].body
	if !strings.Contains(body, `"dest_account_type":"saving_account"`) || !strings.Contains(body, `"dest_account_owner_identification_type":"PA"`) {
		t.Error(body)
	}
}

func TestCC11TheSingleTransferIsAskedFor(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	if _, err := at(t, d.URL).Lookup(t.Context(), lookupOf(exampleKey)); err != nil {
		t.Fatal(err)
	}
	calls := d.arrived("")
	if len(calls) != 1 || calls[0].method != "GET" || calls[0].path != basePath+"/transactions/"+exampleKey {
		t.Errorf("%+v", calls)
	}
}

func TestCC13KeysAreEscaped(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	for key, want := range map[string]string{"create": "create", "a/b?c#d": "a%2Fb%3Fc%23d", "../banks": "..%2Fbanks"} {
		p.Lookup(t.Context(), lookupOf(key))
		calls := d.arrived("")
		if c := calls[len(calls)-1]; c.path != basePath+"/transactions/"+want || c.query != "" {
			t.Errorf("%s: %s?%s", key, c.path, c.query)
		}
	}
}

// A slug is taken from the table and from the live list together, never made of a name or matched by one.
func TestCC14SlugsAreCheckedAgainstTheLiveList(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.banks = answer{200, `{"banks":[{"name":"NEQUI","slug":"nequi-7"},{"name":"DAVIBANK","slug":"scotiabank-colpatria"}]}`}
	p := at(t, d.URL)
	for code, want := range map[string]string{"1019": "scotiabank-colpatria", "1507": "", "1013": "", "9999": ""} {
		a := exampleAttempt()
		a.Payment.Payee.Bank = code
		_, err := p.Submit(t.Context(), a)
		switch {
		case want == "" && (codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "payee.bank"):
			t.Errorf("%s: %v", code, err)
		case want != "" && err != nil:
			t.Errorf("%s: %v", code, err)
		}
	}
	calls := d.arrived("/create")
	if len(calls) != 1 || !strings.Contains(calls[0].body, `"dest_bank":"scotiabank-colpatria"`) {
		t.Errorf("%+v", calls)
	}
}

func TestCC14SlugsCanBeSet(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.banks = answer{200, `{"banks":[{"name":"NEQUI","slug":"nequi-7"},{"name":"NEW","slug":"new"},{"name":"BBVA","slug":"bbva"}]}`}
	p := at(t, d.URL, "bank_slugs", "1507=nequi-7, 1999 = new")
	for _, code := range []string{"1507", "1999", "1013"} {
		a := exampleAttempt()
		a.Payment.Payee.Bank = code
		if _, err := p.Submit(t.Context(), a); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	calls := d.arrived("/create")
	for i, slug := range []string{"nequi-7", "new", "bbva"} {
		if len(calls) != 3 || !strings.Contains(calls[i].body, `"dest_bank":"`+slug+`"`) {
			t.Errorf("%s: %+v", slug, calls)
		}
	}
	banks, err := p.Banks(t.Context(), payment.BankTransfer)
	want := []provider.Bank{{Code: "1013", Name: "BBVA"}, {Code: "1507", Name: "NEQUI"}, {Code: "1999", Name: "NEW"}}
	if err != nil || !slices.Equal(banks, want) {
		t.Errorf("got %v, %v", banks, err)
	}
}

func TestCC15DocumentsThatItDoesNotTake(t *testing.T) {
	t.Parallel()
	types := New().Info().Capabilities[0].DocumentTypes
	for _, d := range payment.DocumentTypes() {
		if takes := slices.Contains(types, d); takes == (d == payment.TI || d == payment.TE) || takes != (documentTypes[d] != "") {
			t.Errorf("%s: declared %t, sent as %q", d, takes, documentTypes[d])
		}
	}
}

// A webhook only names a transfer: one that comes early, or again, leads to the same question.
func TestCC16WebhooksOfAnyKind(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	for _, tc := range []struct {
		word string
		want provider.Status
	}{{"pending", provider.Pending}, {"approved", provider.Succeeded}, {"approved", provider.Succeeded}} {
		d.answers(func(d *document) { d.get = answer{200, example(t, map[string]any{"status": tc.word})} })
		queries, err := p.ParseNotification(t.Context(), provider.Notification{Body: []byte(read(t, "webhook.json"))})
		if err != nil {
			t.Fatal(err)
		}
		if o, err := p.Lookup(t.Context(), queries[0]); err != nil || o.Status != tc.want {
			t.Errorf("%s: %+v, %v", tc.word, o, err)
		}
	}
}

// Both rows of the document's example are of the same instant: the lines stay in the API's own order.
func TestCC17HistoryIsNotSorted(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.history = func(string) answer {
		rows := make([]string, 3)
		for i, at := range []string{"2024-03-13T18:37:52.000000Z", "2026-01-01T00:00:00.000000Z", "2025-01-01T00:00:00.000000Z"} {
			rows[i] = example(t, map[string]any{"idempotency_token": fmt.Sprint(i), "created_at": at})
		}
		return answer{200, `{"transactions":[` + strings.Join(rows, ",") + `]}`}
	}
	got, err := at(t, d.URL).Statement(t.Context(), "")
	if err != nil || len(got.Lines) != 3 || got.Lines[0].Key+got.Lines[1].Key+got.Lines[2].Key != "012" {
		t.Errorf("%+v, %v", got, err)
	}
}

// The token is static: a refused one is never had anew, and the call is never made again.
func TestCC18NoTokenIsRefreshed(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.create, d.get = answer{401, ""}, answer{401, ""}
	p := at(t, d.URL)
	_, err := p.Submit(t.Context(), exampleAttempt())
	if codeOf(t, err) != provider.CodeUnauthorized || !strings.Contains(err.Error(), "operations team") {
		t.Errorf("%v", err)
	}
	if _, err := p.Lookup(t.Context(), lookupOf(exampleKey)); codeOf(t, err) != provider.CodeUnauthorized {
		t.Errorf("%v", err)
	}
	if n := len(d.arrived("")); n != 3 {
		t.Errorf("%d calls, want banks, create and look-up", n)
	}
}
