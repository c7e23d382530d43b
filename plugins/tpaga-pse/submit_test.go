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

// sent is the body of the last charge that was asked for.
func (d *document) sent() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.calls) - 1; i >= 0; i-- {
		if strings.HasSuffix(d.calls[i].path, "/charge") {
			return d.calls[i].body
		}
	}
	return ""
}

func TestSubmitSendsTheDocumentsRequest(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
	if codeOf(t, err) != "" {
		t.Fatal(err)
	}
	// The example, but for white space and the second decimal of its amounts.
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(read(t, "charge_request.json"))); err != nil {
		t.Fatal(err)
	}
	wanted := strings.NewReplacer(`"10000.0"`, `"10000.00"`, `"10.0"`, `"10.00"`).Replace(want.String())
	if len(d.calls) != 1 {
		t.Fatalf("%d calls beside the token's", len(d.calls))
	}
	got := d.calls[0]
	if got.method != "POST" || got.path != "/api/pse/v1/public/charge" || got.authorization != "Bearer JWT-1" || got.contentType != "application/json" {
		t.Errorf("called %+v", got)
	}
	if got.body != wanted {
		t.Errorf("sent\n%s\nwant\n%s", got.body, wanted)
	}
	if want := (provider.Outcome{
		Status: provider.Pending, Key: orderID, Reference: chargeToken, Amount: payment.Pesos(10000), Code: "pending",
		Action: o.Action,
	}); o != want || o.Action == nil || *o.Action != *payment.Redirect(bankURL) {
		t.Errorf("got %+v (action %+v), want %+v", o, o.Action, want)
	}
}

func TestSubmitTranslates(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*payment.Request)
		field  string
		want   string
	}{
		{"a legal payer", func(r *payment.Request) { r.Payer.Kind = payment.Legal }, "user_type", "LEGAL"},
		{"a natural payer with a NIT", func(r *payment.Request) { r.Payer.Document.Type = payment.NIT }, "user_type", "NATURAL"},
		{"a payer of no kind with a NIT", func(r *payment.Request) { r.Payer.Kind, r.Payer.Document.Type = "", payment.NIT }, "user_type", "LEGAL"},
		{"a payer of no kind with a TI", func(r *payment.Request) { r.Payer.Kind, r.Payer.Document.Type = "", payment.TI }, "user_type", "NATURAL"},
		{"a NIT", func(r *payment.Request) { r.Payer.Document.Type = payment.NIT }, "document_type", "NIT"},
		{"a TI", func(r *payment.Request) { r.Payer.Document.Type = payment.TI }, "document_type", "TI"},
		{"a CC", func(r *payment.Request) { r.Payer.Document.Type = payment.CC }, "document_type", "CC"},
		{"a passport", func(r *payment.Request) { r.Payer.Document.Type = payment.PP }, "document_type", "PP"},
		{"first and last name", func(r *payment.Request) {
			r.Payer.Name, r.Payer.FirstName, r.Payer.LastName = "", "José Ñ.", "O'Connor & Hijos"
		}, "buyer_full_name", "José Ñ. O'Connor & Hijos"},
		{"no tax", func(r *payment.Request) { r.Tax = payment.Money{} }, "vat_amount", "0.00"},
		{"cents", func(r *payment.Request) { r.Amount = payment.MoneyOfMinor(100005) }, "amount", "1000.05"},
		{"the greatest amount", func(r *payment.Request) { r.Amount = payment.Pesos(40_000_000) }, "amount", "40000000.00"},
		{"a bank of the test network", func(r *payment.Request) { r.Payer.Bank = "10072" }, "bank_code", "10072"},
		{"80 characters that are more bytes", func(r *payment.Request) { r.Description = strings.Repeat("ñ", 80) }, "description", strings.Repeat("ñ", 80)},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			a := exampleAttempt()
			tc.change(&a.Payment)
			if _, err := at(t, d.URL).Submit(t.Context(), a); codeOf(t, err) == provider.CodeInvalid {
				t.Fatal(err)
			}
			var got map[string]string
			if err := json.Unmarshal([]byte(d.sent()), &got); err != nil || len(got) != 12 {
				t.Fatalf("sent %s: %v", d.sent(), err)
			}
			for name, value := range got {
				if value == "" {
					t.Errorf("%s is empty; all twelve are mandatory", name)
				}
			}
			if got[tc.field] != tc.want {
				t.Errorf("%s is %q, want %q", tc.field, got[tc.field], tc.want)
			}
		})
	}
}

// What Tpaga would refuse is refused before anything is sent.
func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*provider.Attempt)
		field  string
	}{
		{"another method", func(a *provider.Attempt) { a.Payment.Method = payment.Efecty }, "method"},
		{"another operation", func(a *provider.Attempt) {
			a.Payment.Operation, a.Payment.Method = payment.PayOut, payment.BankTransfer
		}, "method"},
		{"another currency", func(a *provider.Attempt) { a.Payment.Currency = "USD" }, "currency"},
		{"999.99", func(a *provider.Attempt) { a.Payment.Amount = payment.MoneyOfMinor(99999) }, "amount"},
		{"40000000.01", func(a *provider.Attempt) { a.Payment.Amount = payment.MoneyOfMinor(4_000_000_001) }, "amount"},
		{"a TE", func(a *provider.Attempt) { a.Payment.Payer.Document.Type = payment.TE }, "payer.document.type"},
		{"no bank", func(a *provider.Attempt) { a.Payment.Payer.Bank = "" }, "payer.bank"},
		{"no name", func(a *provider.Attempt) { a.Payment.Payer.Name = "" }, "payer.name"},
		{"no e-mail", func(a *provider.Attempt) { a.Payment.Payer.Email = "" }, "payer.email"},
		{"no document type", func(a *provider.Attempt) { a.Payment.Payer.Document.Type = "" }, "payer.document.type"},
		{"no document number", func(a *provider.Attempt) { a.Payment.Payer.Document.Number = "" }, "payer.document.number"},
		{"no phone", func(a *provider.Attempt) { a.Payment.Payer.Phone = "" }, "payer.phone"},
		{"no description", func(a *provider.Attempt) { a.Payment.Description = "" }, "description"},
		{"no return URL", func(a *provider.Attempt) { a.Payment.ReturnURL = "" }, "return_url"},
		{"a description of 81", func(a *provider.Attempt) { a.Payment.Description = strings.Repeat("é", 81) }, "description"},
		{"a name of 256", func(a *provider.Attempt) { a.Payment.Payer.Name = strings.Repeat("é", 256) }, "payer.name"},
		{"an e-mail of 256", func(a *provider.Attempt) { a.Payment.Payer.Email = strings.Repeat("a", 250) + "@a.co" + "m" }, "payer.email"},
		{"a document number of 21", func(a *provider.Attempt) { a.Payment.Payer.Document.Number = strings.Repeat("1", 21) }, "payer.document.number"},
		{"a phone of 21 digits", func(a *provider.Attempt) { a.Payment.Payer.Phone = strings.Repeat("3", 21) }, "payer.phone"},
		{"a phone without a digit", func(a *provider.Attempt) { a.Payment.Payer.Phone = "Miguel" }, "payer.phone"},
		{"a return URL of 501", func(a *provider.Attempt) { a.Payment.ReturnURL = "https://a.co/" + strings.Repeat("a", 488) }, "return_url"},
		{"a negative tax", func(a *provider.Attempt) { a.Payment.Tax = payment.Pesos(-1) }, "tax"},
		{"no key", func(a *provider.Attempt) { a.Key = "" }, ""},
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

// Every HTTP status of the document's two tables, and some that are in neither.
func TestSubmitStatuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		status int
		want   provider.Code
	}{
		{400, provider.CodeInvalid}, {401, provider.CodeUnauthorized}, {403, provider.CodeUnauthorized},
		{404, provider.CodeUnavailable}, {405, provider.CodeUnavailable}, {406, provider.CodeUnavailable},
		{408, provider.CodeUnknown}, {409, provider.CodeUnavailable}, {410, provider.CodeUnavailable},
		{418, provider.CodeUnknown}, {422, provider.CodeInvalid}, {429, provider.CodeUnavailable},
		{500, provider.CodeUnknown}, {501, provider.CodeUnknown}, {502, provider.CodeUnknown},
		{503, provider.CodeUnknown}, {504, provider.CodeUnknown}, {520, provider.CodeUnknown},
		{200, provider.CodeUnknown}, {202, provider.CodeUnknown}, {204, provider.CodeUnknown}, {302, provider.CodeUnknown},
		{425, provider.CodeUnknown}, {499, provider.CodeUnknown},
	}
	bodies := map[string]string{
		"empty": "", "a page": "<html><h1>Miguel</h1>", "a message": `{"error_message":"demo@demo.com"}`, "half": `{"error_mess`,
	}
	for _, tc := range cases {
		for name, body := range bodies {
			t.Run(fmt.Sprintf("%d with %s", tc.status, name), func(t *testing.T) {
				t.Parallel()
				d := newDocument(t)
				d.charge = func(int) answer { return answer{tc.status, body} }
				_, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
				if codeOf(t, err) != tc.want {
					t.Fatalf("got %v, want %s", err, tc.want)
				}
				e := provider.AsError(err)
				if want := fmt.Sprint(tc.status); tc.status >= 300 && e.ProviderCode != want || e.Reference != "" || e.NoResend != (tc.status == 408 || tc.status == 502) {
					t.Errorf("provider code %q, reference %q, no resend %t", e.ProviderCode, e.Reference, e.NoResend)
				}
				charges := 1
				if tc.status == 401 {
					charges = 2 // with a new token
				}
				if n := d.count("POST", "/charge"); n != charges || d.count("GET", "") != 0 {
					t.Errorf("%d charges were asked for, calls %v", n, d.calls)
				}
			})
		}
	}
}

// Every row of the document's "Example Errors", and the fields that it has no example for.
func TestSubmitNamesTheFieldOfA422(t *testing.T) {
	t.Parallel()
	cases := []struct{ field, value, message, ours string }{
		{"user_type", "INVALID", `\"INVALID\" no es una elección válida.`, "payer.kind"},
		{"buyer_email", "invalidemail.co", "Introduzca una dirección de correo electrónico válida.", "payer.email"},
		{"amount", "12c", "Se requiere un número válido.", "amount"},
		{"bank_code", "XXXX", "Objeto con code=XXXX no existe.", "payer.bank"},
		{"non_field_errors", "N/A", "vat_amount no puede ser mayor a amount.", ""},
		{"amount", "40000001.0", "El valor de la transacción debe estar entre 0.00 y 40000000.00.", "amount"},
		{"amount", "999", "El valor de la transacción debe estar entre 1000.00 y 40000000.00.", "amount"},
		{"vat_amount", "x", "", "tax"},
		{"description", "x", "", "description"},
		{"buyer_full_name", "Miguel Rodriguez", "Miguel Rodriguez?", "payer.name"},
		{"document_type", "x", "", "payer.document.type"},
		{"document_number", "987654321", "987654321?", "payer.document.number"},
		{"redirect_url", "x", "", "return_url"},
		{"buyer_phone_number", "3057788996", "3057788996?", "payer.phone"},
		{"demo@demo.com", "x", "a field that nobody knows", "-"},
	}
	for _, tc := range cases {
		t.Run(tc.field+" "+tc.value, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			d.charge = func(int) answer {
				return answer{422, `{"error_message":"` + tc.message + `","field":"` + tc.field + `","value":"` + tc.value + `"}`}
			}
			_, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
			e := provider.AsError(err)
			field, code := tc.ours, "422 "+tc.field
			if field == "-" {
				field, code = "", "422" // what is not documented is not repeated
			}
			if codeOf(t, err) != provider.CodeInvalid || e.Field != field || e.ProviderCode != code || !strings.Contains(e.Message, field) {
				t.Fatalf("got %v (field %q, code %q), want invalid at %q (%q)", err, e.Field, e.ProviderCode, field, code)
			}
		})
	}
	t.Run("order_id may be taken, so the charge may exist", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		d.charge = func(int) answer { return answer{422, `{"error_message":"","field":"order_id","value":"abc-123"}`} }
		if _, err := at(t, d.URL).Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeUnknown {
			t.Errorf("got %v, want unknown", err)
		}
	})
}

// Every status word of a charge, as the answer to a hand-over and to a look-up.
func TestStatuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		word           string
		submit, lookup provider.Status
	}{
		{"pending", provider.Pending, provider.Pending},
		{"rejected", provider.Failed, provider.Rejected},
		{"failed", provider.Failed, provider.Failed},
		{"authorized", provider.Authorized, provider.Authorized},
		{"charge-rejected", provider.Rejected, provider.Rejected},
		{"settled", provider.Succeeded, provider.Succeeded},
	}
	if len(cases) != len(statuses) {
		t.Errorf("%d words are tested of %d", len(cases), len(statuses))
	}
	for _, tc := range cases {
		t.Run(tc.word, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			body := example(t, map[string]any{"status": tc.word, "rejected_reason": "Transacción no concluída en el banco"})
			d.charge = func(int) answer { return answer{201, body} }
			d.get = answer{200, body}
			p := at(t, d.URL)
			check := func(o provider.Outcome, err error, want provider.Status) {
				t.Helper()
				if codeOf(t, err) != "" || o.Status != want || o.Code != tc.word || o.Reference != chargeToken ||
					o.Key != orderID || o.Amount != payment.Pesos(10000) || o.Currency != "" {
					t.Fatalf("got %+v, %v; want %s", o, err, want)
				}
				if (o.Action != nil) != (tc.word == "pending") {
					t.Errorf("action %v: only a pending charge is to be paid", o.Action)
				}
				if tc.word == "charge-rejected" && o.Message != "Transacción no concluída en el banco" {
					t.Errorf("message %q", o.Message)
				}
			}
			o, err := p.Submit(t.Context(), exampleAttempt())
			check(o, err, tc.submit)
			o, err = p.Lookup(t.Context(), provider.Query{Reference: chargeToken})
			check(o, err, tc.lookup)
		})
	}
}

// Answers that do not say clearly what became of the charge, with what they still tell about it.
func TestUnclearAnswers(t *testing.T) {
	t.Parallel()
	whole := read(t, "charge_answer.json")
	cases := []struct {
		name, body string
		reference  string
		lookupToo  bool // unclear to a look-up as well
	}{
		{"empty", "", "", true},
		{"null", "null", "", true},
		{"a page", "<html>", "", true},
		{"half a charge", whole[:len(whole)/2], chargeToken, true},
		{"half a token", whole[:30], "", true},
		{"more than a charge", whole + "{}", chargeToken, true},
		{"1 MiB and more", whole + strings.Repeat(" ", 1<<20), chargeToken, true},
		{"no token", example(t, map[string]any{"token": nil}), "", true},
		{"a token that is a path", example(t, map[string]any{"token": "../banks"}), "", true},
		{"no status", example(t, map[string]any{"status": nil}), chargeToken, true},
		{"an unknown status", example(t, map[string]any{"status": "reversed"}), chargeToken, true},
		{"no order_id", example(t, map[string]any{"order_id": nil}), chargeToken, true},
		{"no amount", example(t, map[string]any{"amount": nil}), chargeToken, true},
		{"an amount in words", example(t, map[string]any{"amount": "diez mil"}), chargeToken, true},
		{"an amount of three decimals", example(t, map[string]any{"amount": "10000.001"}), chargeToken, true},
		{"an amount without end", example(t, map[string]any{"amount": strings.Repeat("1", 1<<19)}), chargeToken, true},
		{"an astronomic amount", example(t, map[string]any{"amount": "1e999999999"}), chargeToken, true},
		{"another type", example(t, map[string]any{"status": 1}), chargeToken, true},
		{"no URL", example(t, map[string]any{"bank_url": nil}), chargeToken, false},
		{"a URL that is none", example(t, map[string]any{"bank_url": "javascript:alert(1)"}), chargeToken, false},
		{"a URL of another scheme", example(t, map[string]any{"bank_url": "javascript://a/%0aalert(1)"}), chargeToken, false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			d.charge = func(int) answer { return answer{201, tc.body} }
			d.get = answer{200, tc.body}
			p := at(t, d.URL)
			_, err := p.Submit(t.Context(), exampleAttempt())
			if codeOf(t, err) != provider.CodeUnknown || provider.AsError(err).Reference != tc.reference {
				t.Errorf("a hand-over: got %v (reference %q), want unknown with %q", err, provider.AsError(err).Reference, tc.reference)
			}
			o, err := p.Lookup(t.Context(), provider.Query{Reference: chargeToken})
			switch {
			case tc.lookupToo && codeOf(t, err) != provider.CodeUnknown:
				t.Errorf("a look-up: got %+v, %v; want unknown", o, err)
			case !tc.lookupToo && (err != nil || o.Status != provider.Pending || o.Action != nil):
				t.Errorf("a look-up: got %+v, %v; want pending without a URL", o, err)
			}
		})
	}
}
