package payment_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
)

func payIn() payment.Request {
	return payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(20_000), Tax: payment.Pesos(3_193), Currency: "COP", Country: "CO",
		Reference: "ORDER-1001", Description: "Compra de producto ABC",
		Payer: payment.Party{
			Kind: payment.Natural, Name: "Miguel Rodríguez Ñáñez", Document: payment.Document{Type: payment.CE, Number: "987654321"},
			Email: "demo@demo.com", Phone: "+57 305 7788996", Address: "Calle 123 #45-67", IP: "120.29.48.92", ID: "customer-77", Bank: "1022",
		},
		ReturnURL: "https://shop.example/return", Metadata: map[string]string{"shop": "bogota-1"},
	}
}

func payOut() payment.Request {
	return payment.Request{
		Operation: payment.PayOut, Method: payment.BankTransfer, Amount: payment.Pesos(5), Currency: "COP", Country: "CO",
		Payee: payment.Party{
			Name: "Jovita Ducuara Prieto", Document: payment.Document{Type: payment.CC, Number: "11111158"}, Bank: "1013",
			Account: payment.Account{Type: payment.Savings, Number: "68653284571"},
		},
	}
}

func bill() payment.Request {
	return payment.Request{
		Operation: payment.Bill, Method: payment.BillPayment, Amount: payment.Pesos(5), Currency: "COP", Country: "CO",
		Bill: payment.BillTarget{Biller: "etb", Reference: "111100005555"},
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, r := range []payment.Request{payIn(), payOut(), bill()} {
		if err := r.Validate(); err != nil {
			t.Errorf("a good %s: %v", r.Operation, err)
		}
	}
	least := payIn()
	least.Amount, least.Tax, least.Metadata = payment.MoneyOfMinor(1), payment.Money{}, map[string]string{}
	for n := range 50 {
		least.Metadata[strings.Repeat("k", n+15)] = "v"
	}
	least.Payer.Document.Number = strings.Repeat("1", 40)
	if err := least.Validate(); err != nil {
		t.Errorf("at the bounds: %v", err)
	}
	long := func(n int) string { return strings.Repeat("ñ", n) }
	cases := []struct {
		name   string
		base   func() payment.Request
		change func(*payment.Request)
		fields []string
	}{
		{"nothing at all", func() payment.Request { return payment.Request{} }, nil, []string{"operation", "amount", "currency", "country"}},
		{"unknown operation", payIn, func(r *payment.Request) { r.Operation = "refund" }, []string{"operation"}},
		{"no method", payIn, func(r *payment.Request) { r.Method = "" }, []string{"method"}},
		{"method of another operation", payIn, func(r *payment.Request) { r.Method = payment.BankTransfer }, []string{"method"}},
		{"negative amount", payIn, func(r *payment.Request) { r.Amount, r.Tax = payment.Pesos(-1), payment.Money{} }, []string{"amount"}},
		{"tax as large as the amount", payIn, func(r *payment.Request) { r.Tax = r.Amount }, []string{"tax"}},
		{"negative tax", payIn, func(r *payment.Request) { r.Tax = payment.Pesos(-1) }, []string{"tax"}},
		{"currency in lower case", payIn, func(r *payment.Request) { r.Currency = "cop" }, []string{"currency"}},
		{"country of three letters", payIn, func(r *payment.Request) { r.Country = "COL" }, []string{"country"}},
		{"a payee in a bill", bill, func(r *payment.Request) { r.Payee.Name = "x" }, []string{"payee"}},
		{"a payee in a pay-in", payIn, func(r *payment.Request) { r.Payee.Name = "x" }, []string{"payee"}},
		{"a bill in a pay-in", payIn, func(r *payment.Request) { r.Bill.Biller = "etb" }, []string{"bill"}},
		{"an account of a payer", payIn, func(r *payment.Request) { r.Payer.Account.Number = "1" }, []string{"payer.account"}},
		{"unknown kind", payIn, func(r *payment.Request) { r.Payer.Kind = "NATURAL" }, []string{"payer.kind"}},
		{"unknown document type", payIn, func(r *payment.Request) { r.Payer.Document.Type = "cc" }, []string{"payer.document.type"}},
		{"document without number", payIn, func(r *payment.Request) { r.Payer.Document.Number = "" }, []string{"payer.document.number"}},
		{"document without type", payIn, func(r *payment.Request) { r.Payer.Document.Type = "" }, []string{"payer.document.type"}},
		{"odd document number", payIn, func(r *payment.Request) { r.Payer.Document.Number = "12 3" }, []string{"payer.document.number"}},
		{"document number too long", payIn, func(r *payment.Request) { r.Payer.Document.Number = strings.Repeat("1", 41) }, []string{"payer.document.number"}},
		{"odd account number", payOut, func(r *payment.Request) { r.Payee.Account.Number = "12.3" }, []string{"payee.account.number"}},
		{"last name alone", payIn, func(r *payment.Request) { r.Payer.LastName = "Rodríguez" }, []string{"payer.first_name"}},
		{"first name alone", payIn, func(r *payment.Request) { r.Payer.FirstName = "Miguel" }, []string{"payer.first_name"}},
		{"bank of three digits", payIn, func(r *payment.Request) { r.Payer.Bank = "007" }, []string{"payer.bank"}},
		{"bank of seven digits", payIn, func(r *payment.Request) { r.Payer.Bank = "1000007" }, []string{"payer.bank"}},
		{"bank that is no number", payIn, func(r *payment.Request) { r.Payer.Bank = "XXXX" }, []string{"payer.bank"}},
		{"e-mail with a name", payIn, func(r *payment.Request) { r.Payer.Email = "Demo <demo@demo.com>" }, []string{"payer.email"}},
		{"no IP", payIn, func(r *payment.Request) { r.Payer.IP = "120.29.48" }, []string{"payer.ip"}},
		{"IP with a zone", payIn, func(r *payment.Request) { r.Payer.IP = "fe80::1%\x00<b>" }, []string{"payer.ip"}},
		{"NUL in a text", payIn, func(r *payment.Request) { r.Description = "a\x00b" }, []string{"description"}},
		{"new line in a text", payIn, func(r *payment.Request) { r.Payer.Name = "a\nb" }, []string{"payer.name"}},
		{"bad UTF-8", payIn, func(r *payment.Request) { r.Reference = "\xff" }, []string{"reference"}},
		{"too long", payIn, func(r *payment.Request) { r.Description = long(256) }, []string{"description"}},
		{"card number", payIn, func(r *payment.Request) { r.Description = "card 4111 1111-1111 1111" }, []string{"description"}},
		{"card number of 15 digits as printed", payIn, func(r *payment.Request) { r.Payer.Address = "3782 822463 10005 123" }, []string{"payer.address"}},
		{"card number in metadata", payIn, func(r *payment.Request) { r.Metadata["n"] = "5500005555555559" }, []string{"metadata.n"}},
		{"relative URL", payIn, func(r *payment.Request) { r.ReturnURL = "/return" }, []string{"return_url"}},
		{"URL without a host", payIn, func(r *payment.Request) { r.ReturnURL = "https://:443/return" }, []string{"return_url"}},
		{"URL too long", payIn, func(r *payment.Request) { r.ReturnURL = "https://shop.example/" + strings.Repeat("a", 1980) }, []string{"return_url"}},
		{"other scheme", payIn, func(r *payment.Request) { r.CancelURL = "javascript://x/" }, []string{"cancel_url"}},
		{"password in a URL", payIn, func(r *payment.Request) { r.FailureURL = "https://a:b@shop.example" }, []string{"failure_url"}},
		{"too many metadata entries", payIn, func(r *payment.Request) {
			for n := range 50 {
				r.Metadata[strings.Repeat("k", n+1)] = "v"
			}
		}, []string{"metadata"}},
		{"long metadata key", payIn, func(r *payment.Request) { r.Metadata[strings.Repeat("k", 65)] = "v" }, []string{"metadata"}},
		{"control character in a metadata key", payIn, func(r *payment.Request) { r.Metadata["a\tb"] = "v" }, []string{"metadata"}},
		{"empty metadata key", payIn, func(r *payment.Request) { r.Metadata[""] = "x" }, []string{"metadata"}},
		{"a payout without its account", payOut, func(r *payment.Request) { r.Payee = payment.Party{} },
			[]string{"payee.bank", "payee.account.type", "payee.account.number"}},
		{"unknown account type", payOut, func(r *payment.Request) { r.Payee.Account.Type = "saving" }, []string{"payee.account.type"}},
		{"a bill without target", bill, func(r *payment.Request) { r.Bill = payment.BillTarget{} }, []string{"bill.biller", "bill.reference"}},
		{"many faults at once", payIn, func(r *payment.Request) {
			r.Amount, r.Tax, r.Payer.Email, r.Payer.Bank, r.ReturnURL = payment.Money{}, payment.Money{}, "x", "y", "z"
		}, []string{"amount", "payer.bank", "payer.email", "return_url"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := c.base()
			if c.change != nil {
				c.change(&r)
			}
			var invalid *payment.ValidationError
			if err := r.Validate(); !errors.As(err, &invalid) {
				t.Fatalf("got %v", err)
			}
			var fields []string
			for _, f := range invalid.Faults {
				fields = append(fields, f.Field)
			}
			if !slices.Equal(fields, c.fields) {
				t.Errorf("faults of %v, want %v: %v", fields, c.fields, invalid)
			}
		})
	}
	t.Run("texts that only look odd are fine", func(t *testing.T) {
		t.Parallel()
		r := payIn()
		r.Description, r.Reference = long(255), "4111111111111112"
		r.Payer.FirstName, r.Payer.LastName = "Miguel", "Rodríguez"
		r.Payer.Document.Number = "4111111111111111" // a document may happen to pass the card test
		r.Payer.IP = "2001:db8::1"
		r.ReturnURL = "https://shop.example/" + strings.Repeat("a", 1979)
		r.Metadata = map[string]string{"greeting": "¡Hola 👋 mundo!", "rtl": "שלום"}
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		b := bill()
		b.Bill.Reference = "4111111111111111" // nor is a bill's number chosen by who pays it
		if err := b.Validate(); err != nil {
			t.Error(err)
		}
	})
}

func TestCardNumbers(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{
		"4111111111111111": true, "4222222222222": true, "6304000000000000000": true, "6011111111111117": true, "378282246310005": true,
		"pay with 5500-0055 55555559 please": true, "41 11 11 11 11 11 11 11": true, "4111 1111 1111 1111 12/27": true,
		"4111111111111112": false, "2222222222222224": false, "7000000000000005": false, "411111111117": false, "41111111111111111115": false,
		"4111 1111 111": false, "4111.1111.1111.1111": false, "305 778 8996, 310 123 4567": false, "": false, "--": false,
	}
	for text, want := range cases {
		r := payIn()
		r.Description = text
		if got := r.Validate() != nil; got != want {
			t.Errorf("%q is refused: %t", text, got)
		}
	}
}

// A fault tells what is wrong and what is right.
func TestFaultMessages(t *testing.T) {
	t.Parallel()
	r := payIn()
	r.Operation, r.Payer.Document.Type, r.Payer.Account.Type = "refund", "DNI", "gold"
	want := `payment: invalid request: operation: "refund" is none of payin, payout, bill; payer.document.type: "DNI" is none of CC, CE, NIT, TI, PP or TE; ` +
		`payer.account.type: "gold" is none of savings, checking or electronic_deposit; payer.account: accounts belong to the payee; a payer has a bank only`
	if err := r.Validate(); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for change, want := range map[*payment.Request]string{
		{}: "operation: is required: payin, payout or bill", {Operation: payment.PayIn}: "method: is required: pse, efecty, card, breb or any",
	} {
		if err := change.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// Every text is bounded, and refused where it holds what no text should.
func TestTexts(t *testing.T) {
	t.Parallel()
	texts := []struct {
		field string
		base  func() payment.Request
		max   int
		set   func(r *payment.Request, s string)
	}{
		{"reference", payIn, 255, func(r *payment.Request, s string) { r.Reference = s }},
		{"description", payIn, 255, func(r *payment.Request, s string) { r.Description = s }},
		{"payer.name", payIn, 255, func(r *payment.Request, s string) { r.Payer.Name = s }},
		{"payer.first_name", payIn, 255, func(r *payment.Request, s string) { r.Payer.FirstName, r.Payer.LastName = s, "Gil" }},
		{"payer.last_name", payIn, 255, func(r *payment.Request, s string) { r.Payer.FirstName, r.Payer.LastName = "Ana", s }},
		{"payer.phone", payIn, 255, func(r *payment.Request, s string) { r.Payer.Phone = s }},
		{"payer.address", payIn, 255, func(r *payment.Request, s string) { r.Payer.Address = s }},
		{"payer.id", payIn, 255, func(r *payment.Request, s string) { r.Payer.ID = s }},
		{"payee.name", payOut, 255, func(r *payment.Request, s string) { r.Payee.Name = s }},
		{"bill.biller", bill, 64, func(r *payment.Request, s string) { r.Bill.Biller = s }},
		{"bill.reference", bill, 64, func(r *payment.Request, s string) { r.Bill.Reference = s }},
		{"metadata.k", payIn, 500, func(r *payment.Request, s string) { r.Metadata["k"] = s }},
	}
	for _, c := range texts {
		good := map[string]string{
			"as long as it may be": strings.Repeat("ñ", c.max), "right to left": "שלום", "an emoji of several characters": "👨‍👩‍👧",
		}
		bad := map[string]string{
			"too long": strings.Repeat("ñ", c.max+1), "NUL": "a\x00b", "escape": "\x1b[31m", "a new line": "a\nb", "a C1 control": "a\u0085b",
			"half a character": "\xc3", "a surrogate": "\xed\xa0\x80",
		}
		if c.field != "bill.reference" {
			bad["a card number"] = "4111-1111-1111-1111"
		}
		check := func(values map[string]string, want string) {
			for name, value := range values {
				r := c.base()
				c.set(&r, value)
				got := ""
				var invalid *payment.ValidationError
				if err := r.Validate(); errors.As(err, &invalid) {
					for _, f := range invalid.Faults {
						got += f.Field
					}
				}
				if got != want {
					t.Errorf("%s with %s: fault %q, want %q", c.field, name, got, want)
				}
			}
		}
		check(good, "")
		check(bad, c.field)
	}
}

// Two requests are the same when they are equal after parsing.
func TestEqual(t *testing.T) {
	t.Parallel()
	base := `{"operation":"payin","method":"pse","amount":"10000.00","payer":{"bank":"1022"}}`
	same := []string{
		`{ "payer": {"bank": "1022"}, "method": "pse", "operation": "payin", "amount": 10000 }`,
		`{"operation":"payin","method":"pse","amount":"10000.0","currency":"COP","country":"CO","payer":{"bank":"1022"}}`,
		`{"operation":"payin","method":"pse","amount":10000.0,"tax":"0","payer":{"bank":"1022","name":"","document":{}},"payee":{},"metadata":{},"description":""}`,
	}
	other := []string{
		`{"operation":"payin","method":"pse","amount":"10000.01","payer":{"bank":"1022"}}`,
		`{"operation":"payin","method":"pse","amount":"10000.00","payer":{"bank":"1007"}}`,
		`{"operation":"payin","method":"pse","amount":"10000.00","payer":{"bank":"1022"},"metadata":{"a":""}}`,
		`{"operation":"payin","method":"pse","amount":"10000.00","currency":"USD","payer":{"bank":"1022"}}`,
	}
	parse := func(s string) (r payment.Request) {
		t.Helper()
		if err := json.Unmarshal([]byte(s), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, s := range same {
		if !parse(base).Equal(parse(s)) {
			t.Errorf("not the same as the base: %s", s)
		}
	}
	for _, s := range other {
		if parse(base).Equal(parse(s)) {
			t.Errorf("the same as the base: %s", s)
		}
	}
	r := payIn()
	r.Country, r.Currency = "PE", "PEN"
	kept := r.WithDefaults()
	if kept.Country != "PE" || kept.Currency != "PEN" {
		t.Error("a default replaces what was given")
	}
	r.Metadata["shop"] = "changed"
	if kept.Metadata["shop"] != "bogota-1" {
		t.Error("the caller's metadata is shared")
	}
}

func TestValidKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"order-1": true, strings.Repeat("k", 255): true, "with blank": true, "": false, strings.Repeat("k", 256): false, "~": true, "a\n": false, "ñ": false, "\x7f": false,
	} {
		if payment.ValidKey(key) != want {
			t.Errorf("ValidKey(%q) is not %t", key, want)
		}
	}
}

// Every field of a request, under its name in JSON, has a getter that finds it and nothing else.
func TestFields(t *testing.T) {
	t.Parallel()
	var r payment.Request
	want := map[string]string{}
	fill(reflect.ValueOf(&r).Elem(), "", want)
	for _, f := range payment.Fields() {
		if got := r.TextOf(f.Path); got != want[f.Path] || got == "" {
			t.Errorf("%s is %q, want %q", f.Path, got, want[f.Path])
		}
		if empty := (payment.Request{}); empty.TextOf(f.Path) != "" {
			t.Errorf("%s of an empty request is %q", f.Path, empty.TextOf(f.Path))
		}
		if _, ok := payment.FieldByPath(f.Path); !ok || f.Doc == "" {
			t.Errorf("%s is not found by its path, or not documented", f.Path)
		}
		delete(want, f.Path)
	}
	delete(want, "payer.account.type") // a payer has none
	delete(want, "payer.account.number")
	if len(want) > 0 {
		t.Errorf("fields without a getter: %v", want)
	}
	r.Metadata = map[string]string{"shop": "bogota-1"}
	if r.TextOf("metadata.shop") != "bogota-1" || r.TextOf("metadata.none") != "" || r.TextOf("nonsense") != "" {
		t.Error("metadata or an unknown path is misread")
	}
	r.Payer.Name = ""
	if r.TextOf("payer.name") != r.Payer.FirstName+" "+r.Payer.LastName {
		t.Errorf("first and last name make %q", r.TextOf("payer.name"))
	}
}

// fill gives every field a value of its own, and tells it by the field's path in JSON.
func fill(v reflect.Value, prefix string, want map[string]string) {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		switch f := v.Field(i); {
		case f.Type() == reflect.TypeFor[payment.Money]():
			m := payment.MoneyOfMinor(int64(1000 + len(want)))
			f.Set(reflect.ValueOf(m))
			want[prefix+name] = m.String()
		case f.Kind() == reflect.Struct:
			fill(f, prefix+name+".", want)
		case f.Kind() == reflect.String:
			f.SetString("value of " + prefix + name)
			want[prefix+name] = f.String()
		}
	}
}

// A caller who left the amount out is told so.
func TestMissingAmount(t *testing.T) {
	t.Parallel()
	var invalid *payment.ValidationError
	r := payment.Request{}.WithDefaults()
	if err := r.Validate(); !errors.As(err, &invalid) || !slices.Contains(invalid.Faults, payment.FieldError{Field: "amount", Message: "is required, and must be greater than 0"}) {
		t.Errorf("got %v", err)
	}
}
