package main

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// The bytes on the wire are the document's own.
func TestSubmit(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join(strings.Fields(strings.ReplaceAll(read(t, "payin_request.json"), "Calle 123 #", "Calle_123_#")), "")
	c := d.arrived("POST")[0]
	if got := strings.ReplaceAll(c.body, "Calle 123 #", "Calle_123_#"); got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
	if c.uri != "/v2/transactions/pay-in" || c.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", c)
	}
	expires := time.Date(2026, 6, 9, 14, 13, 5, 143073869, time.UTC)
	if o.Status != provider.Pending || o.Reference != transactionID || o.Action == nil || o.Action.URL != payURL || !o.ExpiresAt.Equal(expires) || o.Code != "201" {
		t.Errorf("outcome %+v", o)
	}
}

func TestSubmitWithWhatIsRequiredOnly(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	a := exampleAttempt()
	r := &a.Payment
	r.Reference, r.FailureURL, r.CancelURL, r.Payer.IP, r.Payer.ID, r.Payer.Kind = "", "", "", "", "", ""
	if _, err := at(t, d.URL).Submit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	body := d.sent(t)
	if body.OrderReference != reference || body.CustomerID != "jonsnow@email.com" || strings.Contains(d.arrived("POST")[0].body, "customer_ip") ||
		body.ReturnURLs != (returnURLs{r.ReturnURL, r.ReturnURL, r.ReturnURL}) {
		t.Errorf("sent %+v", body)
	}
}

// What PayPaga would refuse is refused before any call.
func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 26)
	for name, tc := range map[string]struct {
		change func(*payment.Request)
		field  string
	}{
		"cents":            {func(r *payment.Request) { r.Amount = payment.MoneyOfMinor(100050) }, "amount"},
		"dollars":          {func(r *payment.Request) { r.Currency = "USD" }, "currency"},
		"another country":  {func(r *payment.Request) { r.Country = "PE" }, "country"},
		"another method":   {func(r *payment.Request) { r.Method = payment.Efecty }, "method"},
		"a legal person":   {func(r *payment.Request) { r.Payer.Kind = payment.Legal }, "payer.kind"},
		"NIT":              {func(r *payment.Request) { r.Payer.Document.Type = payment.NIT }, "payer.document.type"},
		"TI":               {func(r *payment.Request) { r.Payer.Document.Type = payment.TI }, "payer.document.type"},
		"a long name":      {func(r *payment.Request) { r.Payer.FirstName = long }, "payer.first_name"},
		"a short surname":  {func(r *payment.Request) { r.Payer.LastName = "S" }, "payer.last_name"},
		"digits in a name": {func(r *payment.Request) { r.Payer.FirstName = "Jon 2" }, "payer.name"},
		"a hyphen at the end": {func(r *payment.Request) {
			r.Payer.FirstName, r.Payer.LastName, r.Payer.Name = "", "", "Cher Horowitz-"
		}, "payer.name"},
		"no surname":        {func(r *payment.Request) { r.Payer.FirstName, r.Payer.LastName, r.Payer.Name = "", "", "Madonna" }, "payer.name"},
		"a long CC":         {func(r *payment.Request) { r.Payer.Document.Number = "12345678901" }, "payer.document.number"},
		"a CC with letters": {func(r *payment.Request) { r.Payer.Document.Number = "1234567A" }, "payer.document.number"},
		"a short PP":        {func(r *payment.Request) { r.Payer.Document = payment.Document{Type: payment.PP, Number: "123456"} }, "payer.document.number"},
		"a long CE":         {func(r *payment.Request) { r.Payer.Document = payment.Document{Type: payment.CE, Number: "1234567890A"} }, "payer.document.number"},
		"a long TE": {func(r *payment.Request) {
			r.Payer.Document = payment.Document{Type: payment.TE, Number: strings.Repeat("1", 16)}
		}, "payer.document.number"},
		"an unknown bank":     {func(r *payment.Request) { r.Payer.Bank = "1022" }, "payer.bank"},
		"a long e-mail":       {func(r *payment.Request) { r.Payer.Email = strings.Repeat("a", 45) + "@a.com" }, "payer.email"},
		"a short phone":       {func(r *payment.Request) { r.Payer.Phone = "1234567" }, "payer.phone"},
		"a foreign phone":     {func(r *payment.Request) { r.Payer.Phone = "+1 305 778 8996" }, "payer.phone"},
		"an eleven-digit one": {func(r *payment.Request) { r.Payer.Phone = "57123456789" }, "payer.phone"},
		"a long address":      {func(r *payment.Request) { r.Payer.Address = strings.Repeat("a", 65) }, "payer.address"},
		"parentheses":         {func(r *payment.Request) { r.Payer.Address = "Calle 1 (bis)" }, "payer.address"},
		"no address":          {func(r *payment.Request) { r.Payer.Address = "" }, "payer.address"},
		"no return URL":       {func(r *payment.Request) { r.ReturnURL = "" }, "return_url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			a := exampleAttempt()
			tc.change(&a.Payment)
			_, err := at(t, d.URL).Submit(t.Context(), a)
			if codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != tc.field {
				t.Errorf("%v at %q, want invalid at %q", err, provider.AsError(err).Field, tc.field)
			}
			if d.tokens+len(d.calls) != 0 {
				t.Error("a call was made")
			}
		})
	}
	for _, key := range []string{"", strings.Repeat("k", 46), "a b"} {
		a := exampleAttempt()
		a.Key = key
		if _, err := New().Submit(t.Context(), a); codeOf(t, err) != provider.CodeInvalid {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

// Every answer to a create: what it means, and what a search has to say first.
func TestAnswersToACreate(t *testing.T) {
	t.Parallel()
	none := answer{200, `{"data":[]}`}
	broken := answer{500, ""}
	approved := answer{200, `{"data":[` + record(t, map[string]any{"status": "approved"}) + `]}`}
	for name, tc := range map[string]struct {
		create, search answer
		status         provider.Status
		code           provider.Code
		field          string
		reference      string // of the error
	}{
		"nothing":                    {answer{201, ""}, none, "", provider.CodeUnknown, "", ""},
		"no id":                      {answer{201, `{"instructions":{"reference_url":"https://pay.com/1"}}`}, none, "", provider.CodeUnknown, "", ""},
		"no URL":                     {answer{201, `{"transaction_id":"1"}`}, none, "", provider.CodeUnknown, "", "1"},
		"a URL that is none":         {answer{201, `{"transaction_id":"1","instructions":{"reference_url":"javascript:x"}}`}, none, "", provider.CodeUnknown, "", "1"},
		"an unreadable time":         {answer{201, `{"transaction_id":"1","expires_at":"soon","instructions":{"reference_url":"https://pay.com/1"}}`}, none, provider.Pending, "", "", ""},
		"bad request":                {refusalOf(400, "BAD_REQUEST", `{}`), broken, "", provider.CodeInvalid, "", ""},
		"a proxy's 400":              {answer{400, "<html>"}, broken, "", provider.CodeInvalid, "", ""},
		"a field, as a list":         {refusalOf(400, "VALIDATION_ERROR", `{"errors":[{"field":"fields.bank_code","message":"no"}]}`), broken, "", provider.CodeInvalid, "payer.bank", ""},
		"a field, as a member":       {refusalOf(400, "VALIDATION_ERROR", `{"address":["too long"]}`), broken, "", provider.CodeInvalid, "payer.address", ""},
		"a field that is not known":  {refusalOf(400, "VALIDATION_ERROR", `{"x":1}`), broken, "", provider.CodeInvalid, "", ""},
		"not enabled":                {refusalOf(400, "CONFIGURATION_NOT_AVAILABLE", `{}`), broken, "", provider.CodeUnavailable, "", ""},
		"our credentials":            {refusalOf(401, "UNAUTHORIZED", `{}`), broken, "", provider.CodeUnauthorized, "", ""},
		"our permissions":            {refusalOf(403, "FORBIDDEN", `{}`), broken, "", provider.CodeUnauthorized, "", ""},
		"no such endpoint":           {refusalOf(404, "NOT_FOUND", `{}`), broken, "", provider.CodeUnavailable, "", ""},
		"402, and nothing there":     {refusalOf(402, "FAILED", `{}`), none, "", provider.CodeUnavailable, "", ""},
		"402, and it is there":       {refusalOf(402, "FAILED", `{}`), answer{}, "", provider.CodeUnknown, "", transactionID},
		"402, and nobody knows":      {refusalOf(402, "FAILED", `{}`), broken, "", provider.CodeUnknown, "", ""},
		"422, and nothing there":     {refusalOf(422, "VALIDATION_ERROR", `{"phone":"no"}`), none, "", provider.CodeInvalid, "payer.phone", ""},
		"429, and nothing there":     {answer{429, ""}, none, "", provider.CodeUnavailable, "", ""},
		"409, and it is there":       {refusalOf(409, "MERCHANT_REFERENCE_ALREADY_EXISTS", `{}`), answer{}, "", provider.CodeUnknown, "", transactionID},
		"400 with 409's code":        {refusalOf(400, "MERCHANT_REFERENCE_ALREADY_EXISTS", `{}`), answer{}, "", provider.CodeUnknown, "", transactionID},
		"409, and it is paid":        {refusalOf(409, "MERCHANT_REFERENCE_ALREADY_EXISTS", `{}`), approved, provider.Succeeded, "", "", ""},
		"409, and nothing there yet": {refusalOf(409, "MERCHANT_REFERENCE_ALREADY_EXISTS", `{}`), none, "", provider.CodeUnknown, "", ""},
		"409, and nobody knows":      {refusalOf(409, "MERCHANT_REFERENCE_ALREADY_EXISTS", `{}`), broken, "", provider.CodeUnknown, "", ""},
		"408":                        {answer{408, ""}, none, "", provider.CodeUnknown, "", ""},
		"500":                        {refusalOf(500, "INTERNAL_ERROR", `{}`), none, "", provider.CodeUnknown, "", ""},
		"502":                        {answer{502, "<html>"}, none, "", provider.CodeUnknown, "", ""},
		"503":                        {answer{503, ""}, none, "", provider.CodeUnknown, "", ""},
		"504":                        {answer{504, ""}, none, "", provider.CodeUnknown, "", ""},
		"a redirect":                 {answer{307, ""}, none, "", provider.CodeUnknown, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			d.create, d.search = tc.create, tc.search
			o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
			if codeOf(t, err) != tc.code || o.Status != tc.status {
				t.Fatalf("%+v, %v; want %q %q", o, err, tc.status, tc.code)
			}
			if err != nil {
				if e := provider.AsError(err); e.Field != tc.field || e.Reference != tc.reference {
					t.Errorf("field %q, reference %q; want %q, %q", e.Field, e.Reference, tc.field, tc.reference)
				}
			}
			want := 1
			if tc.create.status == 401 {
				want = 2 // once more, with a new token
			}
			if n := len(d.arrived("POST")); n != want {
				t.Errorf("%d creates, want %d", n, want)
			}
		})
	}
}

// A burst of pay-ins shares one token.
func TestOneTokenForABurst(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if _, err := p.Submit(t.Context(), exampleAttempt()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(d.arrived("POST")); d.tokens != 1 || n != 200 {
		t.Errorf("%d token requests for %d pay-ins", d.tokens, n)
	}
}
