package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// The column "client" of the provider's contradictions and traps.

// named is the example with a payer of that name, split by the plugin where first is "".
func named(full, first, last string) provider.Attempt {
	a := exampleAttempt()
	a.Payment.Payer.Name, a.Payment.Payer.FirstName, a.Payment.Payer.LastName = full, first, last
	return a
}

func TestPP01TheTruePatternOfNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ full, first, last string }{
		{"Jon Snow", "Jon", "Snow"},
		{"José Pérez Gómez", "José", "Pérez Gómez"},
		{"José Luis Pérez Gómez", "José Luis", "Pérez Gómez"},
		{"María del Pilar Rodríguez Peña", "María del Pilar", "Rodríguez Peña"},
		{"Ana de la Cruz", "Ana", "de la Cruz"},
		{"Ana Sofía Van Der Meer", "Ana Sofía", "Van Der Meer"},
		{"Ana María Luisa O'Neill Díaz-Granados", "Ana María Luisa", "O'Neill Díaz-Granados"},
	} {
		body, err := newPayInRequest(named(tc.full, "", ""))
		if err != nil || body.Fields.FirstName != tc.first || body.Fields.LastName != tc.last {
			t.Errorf("%q: %q, %q, %v; want %q, %q", tc.full, body.Fields.FirstName, body.Fields.LastName, err, tc.first, tc.last)
		}
	}
}

func TestPP02NamesAreNormalised(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"Jose\u0301":      "José",
		"  Jon \t Luis ":  "Jon Luis",
		"D\u2019Angelo":   "D'Angelo",
		"N\u0303un\u0303": "Ñuñ",
	} {
		body, err := newPayInRequest(named("", given, "Snow"))
		if err != nil || body.Fields.FirstName != want {
			t.Errorf("%q: %q, %v; want %q", given, body.Fields.FirstName, err, want)
		}
	}
	for _, refused := range []string{"Jon.", "Jon 2", "Jon, Jr", "J0n"} { // never dropped in silence
		if body, err := newPayInRequest(named("", refused, "Snow")); codeOf(t, err) != provider.CodeInvalid {
			t.Errorf("%q: %q, %v", refused, body.Fields.FirstName, err)
		}
	}
	a := exampleAttempt()
	a.Payment.Payer.Address = " Cra\u0301  7\u2019 "
	if body, err := newPayInRequest(a); err != nil || body.Fields.Address != "Crá 7'" {
		t.Errorf("address %q, %v", body.Fields.Address, err)
	}
}

func TestPP03LongNamesAreRefusedNeverCut(t *testing.T) {
	t.Parallel()
	const surnames = "Fernández de Soto Echeverri" // 27 letters
	capability := New().Info().Capabilities[0]
	for _, tc := range []struct {
		attempt  provider.Attempt
		field    string
		screened bool // by Info alone
	}{
		{named("", "Ana", surnames), "payer.last_name", true},
		{named("", strings.Repeat("ñ", 26), "Snow"), "payer.first_name", true},
		{named("Ana Constantinopolitano Montealegre", "", ""), "payer.name", false},
		{named(strings.Repeat("a", 26)+" "+strings.Repeat("b", 26), "", ""), "payer.name", true},
	} {
		_, err := newPayInRequest(tc.attempt)
		if codeOf(t, err) != provider.CodeInvalid || !strings.HasPrefix(provider.AsError(err).Field, "payer.") {
			t.Errorf("%+v: %v", tc.attempt.Payment.Payer, err)
		}
		var fields []string
		for _, r := range capability.Refusals(&tc.attempt.Payment) {
			fields = append(fields, r.Field)
		}
		if slices.Contains(fields, tc.field) != tc.screened {
			t.Errorf("Info refuses %q of %q", fields, tc.attempt.Payment.Payer.FullName())
		}
	}
	if body, err := newPayInRequest(named("", strings.Repeat("ñ", 25), "Snow")); err != nil || body.Fields.FirstName != strings.Repeat("ñ", 25) {
		t.Errorf("25 letters: %v", err)
	}
}

func TestPP04TheDotOfAnEmailIsADot(t *testing.T) {
	t.Parallel()
	for email, good := range map[string]bool{
		"a@b.co": true, "a.b+c@d-e.com": true, "a@bxco": false, "a@b.c": false, "ñ@b.co": false, "a b@c.co": false,
	} {
		a := exampleAttempt()
		a.Payment.Payer.Email = email
		if _, err := newPayInRequest(a); (err == nil) != good {
			t.Errorf("%s: %v", email, err)
		}
	}
}

func TestPP05AmountsAreIntegersOnTheWire(t *testing.T) {
	t.Parallel()
	for pesos, want := range map[int64]string{3724: "3724", 193457345: "193457345", 999_999_999_999_999: "999999999999999"} {
		d := newDocument(t)
		a := exampleAttempt()
		a.Payment.Amount = payment.Pesos(pesos)
		if _, err := at(t, d.URL).Submit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if got := d.arrived("POST")[0].body; !strings.HasPrefix(got, `{"amount":`+want+`,`) {
			t.Errorf("%d: sent %s", pesos, got)
		}
	}
	for wire, want := range map[string]string{ // and read exactly
		`3724`: "3724.00", `"3724"`: "3724.00", `3724.00`: "3724.00", `3724.5`: "3724.50", `123456789012345.67`: "123456789012345.67",
		`0`: "", `-5`: "", `1e99999999`: "", `"3,724"`: "", `1.001`: "", `1` + strings.Repeat("0", 40): "",
	} {
		d := newDocument(t)
		d.get = answer{200, strings.Replace(read(t, "transaction.json"), `"transaction_amount": 1000`, `"transaction_amount":`+wire, 1)}
		o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Reference: transactionID})
		if want == "" && codeOf(t, err) != provider.CodeUnknown || want != "" && (err != nil || o.Amount.String() != want) {
			t.Errorf("%s: %s, %v; want %q", wire, o.Amount, err, want)
		}
	}
}

func TestPP06BankTable(t *testing.T) {
	t.Parallel()
	list, err := New().(*paypaga).Banks(t.Context(), payment.PSE)
	if err != nil || len(list) != 47 || len(bankCodes) != 47 {
		t.Fatalf("%d banks, %d codes, %v", len(list), len(bankCodes), err)
	}
	for code, name := range map[string]string{
		"1814": "GLOBAL66", "1558": "BAN100", "1809": "NU", "1812": "COINK SA", "1804": "UALÁ", "1062": "BANCO FALABELLA", "1802": "DING",
	} {
		if !slices.Contains(list, provider.Bank{Code: code, Name: name}) {
			t.Errorf("%s %s is not listed", code, name)
		}
	}
	for _, b := range list {
		if len(b.Code) != 4 {
			t.Errorf("code %q", b.Code)
		}
	}
	if _, err := New().(*paypaga).Banks(t.Context(), payment.Efecty); codeOf(t, err) != provider.CodeInvalid {
		t.Errorf("efecty: %v", err)
	}
}

func TestPP07ExpiresAtOrSixtyHours(t *testing.T) {
	t.Parallel()
	sixtyHours := noon.Add(60 * time.Hour)
	for given, want := range map[string]time.Time{
		`"2026-06-09T14:13:05.143073869Z"`: time.Date(2026, 6, 9, 14, 13, 5, 143073869, time.UTC),
		`"2026-11-22T07:00:00-05:00"`:      noon.Add(24 * time.Hour),
		`null`:                             sixtyHours, `"soon"`: sixtyHours, `1700000000`: sixtyHours, `""`: sixtyHours,
	} {
		d := newDocument(t)
		d.create = answer{201, strings.Replace(read(t, "payin_answer.json"), `"2026-06-09T14:13:05.143073869Z"`, given, 1)}
		if o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt()); err != nil || !o.ExpiresAt.Equal(want) {
			t.Errorf("%s: %v, %v; want %v", given, o.ExpiresAt, err, want)
		}
	}
}

func TestPP08ReferenceOfEitherType(t *testing.T) {
	t.Parallel()
	for _, given := range []string{`129930`, `"129930"`, `null`, `99999999999999999999`} {
		d := newDocument(t)
		d.create = answer{201, strings.Replace(read(t, "payin_answer.json"), `129930`, given, 1)}
		if o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt()); err != nil || o.Reference != transactionID {
			t.Errorf("%s: %+v, %v", given, o, err)
		}
	}
}

func TestPP09IDsAreOpaque(t *testing.T) {
	t.Parallel()
	for id, good := range map[string]bool{
		transactionID: true, "1": true, strings.Repeat("a", 64): true, "A_b-9": true, strings.Repeat("a", 65): false, "a/b": false, "..": false, "a b": false,
	} {
		d := newDocument(t)
		d.create = answer{201, strings.Replace(read(t, "payin_answer.json"), transactionID, id, 1)}
		o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
		if good && (err != nil || o.Reference != id) || !good && codeOf(t, err) != provider.CodeUnknown {
			t.Errorf("%q: %+v, %v", id, o, err)
		}
	}
}

func TestPP10EveryCallHasAToken(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	p.Check(t.Context())
	p.Submit(t.Context(), exampleAttempt())
	p.Lookup(t.Context(), provider.Query{Key: reference})
	p.Lookup(t.Context(), provider.Query{Reference: transactionID})
	if len(d.calls) != 4 || d.tokens != 1 {
		t.Fatalf("%d calls, %d tokens", len(d.calls), d.tokens)
	}
	for _, c := range d.calls {
		if c.authorization != "Bearer JWT-1" {
			t.Errorf("%s: %q", c.uri, c.authorization)
		}
	}
}

func TestPP11CancelURLAndNoOther(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	at(t, d.URL).Submit(t.Context(), exampleAttempt())
	body := d.arrived("POST")[0].body
	if !strings.Contains(body, `"cancel_url":"https://merchant.com/payment-cancelled"`) || strings.Contains(body, "pending_url") {
		t.Errorf("sent %s", body)
	}
}

func TestPP12DocumentsOfPayIns(t *testing.T) {
	t.Parallel()
	taken := map[payment.DocumentType]string{payment.CC: "1234567", payment.CE: "12345a", payment.PP: "AB12345", payment.TE: "12345678901234z"}
	for _, dt := range payment.DocumentTypes() {
		a := exampleAttempt()
		number, good := taken[dt]
		if !good {
			number = "900123456"
		}
		a.Payment.Payer.Document = payment.Document{Type: dt, Number: number}
		body, err := newPayInRequest(a)
		if (err == nil) != good || good && body.Fields.DocumentType != string(dt) {
			t.Errorf("%s: %q, %v", dt, body.Fields.DocumentType, err)
		}
	}
}

func TestPP13NoPayOuts(t *testing.T) {
	t.Parallel()
	a := exampleAttempt()
	a.Payment.Operation, a.Payment.Method = payment.PayOut, payment.BankTransfer
	if _, err := newPayInRequest(a); codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "method" {
		t.Errorf("%v", err)
	}
}

func TestPP14StatusesThatTheTableLacks(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]provider.Code{402: provider.CodeUnavailable, 409: provider.CodeUnknown, 422: provider.CodeInvalid, 429: provider.CodeUnavailable, 500: provider.CodeUnknown} {
		d := newDocument(t)
		d.create, d.search = answer{status, ""}, answer{200, `[]`}
		_, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
		if codeOf(t, err) != want {
			t.Errorf("%d: %v, want %s", status, err, want)
		}
		if searched := len(d.arrived("GET")) == 1; searched != (status != 500) {
			t.Errorf("%d: searched %t", status, searched)
		}
	}
}

func TestPP15NoHeaderThatNobodyExplains(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	at(t, d.URL).Submit(t.Context(), exampleAttempt())
	for name := range d.arrived("POST")[0].header {
		if !slices.Contains([]string{"Authorization", "Content-Type", "Content-Length", "Accept", "Accept-Encoding", "User-Agent"}, http.CanonicalHeaderKey(name)) {
			t.Errorf("header %s", name)
		}
	}
}

func TestPP16StatusesInAnyCase(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	for word, want := range map[string]provider.Status{
		"initiated": provider.Pending, "authorizing": provider.Pending, "pending": provider.Pending, "approved": provider.Succeeded,
		"reject": provider.Rejected, "rejected": provider.Rejected, "declined": provider.Rejected, "canceled": provider.Rejected,
		"cancelled": provider.Rejected, "failed": provider.Failed, "error": provider.Failed, "expired": provider.Expired,
		"refund": provider.Succeeded, "refunded": provider.Succeeded, "cmpleted": "", "completed": "", "": "", "paid": "",
	} {
		for _, spelt := range []string{word, strings.ToUpper(word), capital(word)} {
			d.mu.Lock()
			d.get = answer{200, record(t, map[string]any{"status": spelt})}
			d.mu.Unlock()
			o, err := p.Lookup(t.Context(), provider.Query{Reference: transactionID})
			if want == "" && (codeOf(t, err) != provider.CodeUnknown || provider.AsError(err).Reference != transactionID) || o.Status != want {
				t.Errorf("%q: %q, %v; want %q", spelt, o.Status, err, want)
			}
		}
	}
}

func TestPP17PhonesOfEightToTenDigits(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"669548354": "669548354", "3057788996": "3057788996", "+57 305 778 8996": "3057788996", "573057788996": "3057788996",
		"(601) 345-6789": "6013456789", "60134567": "60134567",
	} {
		a := exampleAttempt()
		a.Payment.Payer.Phone = given
		if body, err := newPayInRequest(a); err != nil || body.Fields.Phone != want {
			t.Errorf("%q: %q, %v; want %q", given, body.Fields.Phone, err, want)
		}
	}
}

func TestPP18NumbersForTexts(t *testing.T) {
	t.Parallel()
	for _, fields := range []string{`{"document":12345678909,"bank_code":1}`, `{"document":"12345678909"}`, `[]`, `null`, `7`} {
		d := newDocument(t)
		d.get = answer{200, strings.Replace(record(t, map[string]any{"fields": "FIELDS"}), `"FIELDS"`, fields, 1)}
		if o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Reference: transactionID}); err != nil || o.Status != provider.Pending {
			t.Errorf("%s: %+v, %v", fields, o, err)
		}
	}
}

func TestPP19TheHostIsASetting(t *testing.T) {
	t.Parallel()
	if f, _ := schema.Field("base_url"); !f.Required || f.Default != "" {
		t.Errorf("base_url %+v", f)
	}
	if all := fmt.Sprint(New().Info().Assumptions); !strings.Contains(all, "https://api.v2.stg.paypaga.com") {
		t.Error("the sandbox's host is not listed as an assumption")
	}
}

// capital writes a word as V1 does.
func capital(word string) string {
	return strings.ToUpper(word[:min(1, len(word))]) + word[min(1, len(word)):]
}
