package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
)

func TestDecodeRequest(t *testing.T) {
	t.Parallel()
	r, err := DecodeRequest([]byte(` { "operation" : "payout", "method": "bank_transfer", "amount": 1500.5, "tax": "0.10",
		"payee": {"document": {"type": "NIT", "number": "9"}, "account": {"type": "savings", "number": "1"}, "bank": null},
		"bill": null, "metadata": {"shop": "bogotá \u00f1 \ud83d\ude00", "Shop": "2", "empty": "", "none": null}, "description": "a\\u0041\"" } `))
	want := payment.Request{
		Operation: payment.PayOut, Method: payment.BankTransfer, Amount: payment.MoneyOfMinor(150050), Tax: payment.MoneyOfMinor(10),
		Payee: payment.Party{
			Document: payment.Document{Type: payment.NIT, Number: "9"}, Account: payment.Account{Type: payment.Savings, Number: "1"},
		},
		Metadata: map[string]string{"shop": "bogotá ñ 😀", "Shop": "2"}, Description: `a\u0041"`,
	}
	if err != nil || !r.Equal(want) {
		t.Errorf("%+v, %v, want %+v", r, err, want)
	}
}

// Each of these is read over, or wrongly read, by encoding/json.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		want       string // fields and the beginning of their messages, or the beginning of what makes it unreadable
	}{
		{"nothing", "", "unreadable: the body is empty"},
		{"white space", " \n", "unreadable: the body is empty"},
		{"half", `{"amount":"1"`, "unreadable: the body is not one JSON document: line 1, column 13: unexpected end"},
		{"two documents", `{"amount":"1"}{"amount":"2"}`, "unreadable: the body is not one JSON document: line 1, column 15: invalid character '{' after"},
		{"a comma too many", "{\n  \"amount\": \"1\",\n}", "unreadable: the body is not one JSON document: line 3, column 1: invalid character '}'"},
		{"a comment", `{"amount":"1"} // one`, "unreadable: the body is not one JSON document: line 1, column 16: invalid character '/'"},
		{"a list", `[{"amount":"1"}]`, "unreadable: the body must be a JSON object"},
		{"null", `null`, "unreadable: the body must be a JSON object"},
		{"not UTF-8", "{\"reference\":\"\xff\"}", "unreadable: the body is not UTF-8"},
		{"overlong UTF-8", "{\"reference\":\"\xc0\xaf\"}", "unreadable: the body is not UTF-8"},
		{"half a surrogate pair", `{"reference":"\ud800"}`, "reference: holds half a surrogate pair"},
		{"half a surrogate pair in a key", `{"metadata":{"\udc00":"x"}}`, "metadata.\"\uFFFD\": holds half a surrogate pair"},
		{"a byte order mark", "\uFEFF{}", "unreadable: the body is not one JSON document: line 1, column 1: invalid character"},
		{"a key twice", `{"amount":"1","amount":"2"}`, "amount: is given twice"},
		{"a key twice, deep", `{"payer":{"document":{"type":"CC","type":"CE"}}}`, "payer.document.type: is given twice"},
		{"a key twice, escaped", `{"amount":"1","\u0061mount":"2"}`, "amount: is given twice"},
		{"a metadata key twice", `{"metadata":{"a":"1","a":"2"}}`, "metadata.a: is given twice"},
		{"a key twice in what is unknown", `{"extra":{"a":1,"a":2}}`, "extra: is not known; there are operation, extra.a: is given twice"},
		{"another case", `{"Amount":"1"}`, `Amount: is not known; did you mean "amount"?`},
		{"another case, beside", `{"amount":"1","AMOUNT":"2"}`, `AMOUNT: is not known; did you mean "amount"?`},
		{"a slip", `{"payer":{"documnet":{"type":"CC"}}}`, `payer.documnet: is not known; did you mean "document"?`},
		{"camel case", `{"returnUrl":"x"}`, `returnUrl: is not known; did you mean "return_url"?`},
		{"unknown", `{"colour":"red"}`, "colour: is not known; there are operation, method, amount"},
		{"another's field", `{"id":"pay_1","status":"succeeded"}`, "id: is not known, status: is not known"},
		{"a name that could be misread", `{"a.b\n":1}`, `"a.b\n": is not known`},
		{"text for an object", `{"payer":"Miguel"}`, "payer: must be an object, not text"},
		{"a list for an object", `{"payer":[1,{"a":[]}]}`, "payer: must be an object, not a list"},
		{"an object for text", `{"reference":{"a":1}}`, "reference: must be text, not an object"},
		{"a number for text", `{"reference":1}`, "reference: must be text, not a number"},
		{"true for text", `{"reference":true}`, "reference: must be text, not true"},
		{"a number in metadata", `{"metadata":{"a":1}}`, "metadata.a: must be text, not a number"},
		{"a list of metadata", `{"metadata":["a"]}`, "metadata: must be an object, not a list"},
		{"every fault at once", `{"amount":"1.234","tax":true,"payer":{"x":1}}`,
			`amount: is not an amount: "1.234" has 3 decimals, tax: must be an amount, like "10000.00", not true, payer.x: is not known`},
		{"32 deep is read", `{"payer":` + strings.Repeat(`{"x":`, 31) + `1` + strings.Repeat(`}`, 32), "payer.x: is not known"},
		{"33 deep", `{"payer":` + strings.Repeat(`{"x":`, 32) + `1` + strings.Repeat(`}`, 33), "unreadable: payer" + strings.Repeat(".x", 31) + ": is nested more than 32 deep"},
		{"lists 33 deep", `{"payer":` + strings.Repeat(`[`, 32) + strings.Repeat(`]`, 32) + `}`, "unreadable: payer" + strings.Repeat("[0]", 31) + ": is nested"},
		{"10,001 deep", strings.Repeat(`{"a":`, 10_001), "unreadable: the body is not one JSON document"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := DecodeRequest([]byte(test.body))
			if got := describe(err); !matchesInTurn(got, test.want) {
				t.Errorf("%.300s\n got %s\nwant %s", test.body, got, test.want)
			}
		})
	}
}

func TestDecodeBoundsFaults(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	for i := range 2 * maxFaults {
		fmt.Fprintf(&body, `,"x%d":1`, i)
	}
	_, err := DecodeRequest([]byte("{" + body.String()[1:] + "}"))
	var invalid *payment.ValidationError
	if !errors.As(err, &invalid) || len(invalid.Faults) != maxFaults {
		t.Errorf("%.200v", err)
	}
}

func describe(err error) string {
	var unreadable *UnreadableError
	var invalid *payment.ValidationError
	switch {
	case errors.As(err, &unreadable):
		return "unreadable: " + err.Error()
	case errors.As(err, &invalid):
		var parts []string
		for _, f := range invalid.Faults {
			parts = append(parts, f.Field+": "+f.Message)
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(err)
}

// matchesInTurn reports whether got holds the parts of want in turn, and begins with the first.
func matchesInTurn(got, want string) bool {
	parts := strings.Split(want, ", ")
	if !strings.HasPrefix(got, parts[0]) {
		return false
	}
	for _, part := range parts {
		_, rest, found := strings.Cut(got, part)
		if !found {
			return false
		}
		got = rest
	}
	return true
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ written, want string }{
		{`"20000.00"`, "20000.00"},
		{`20000.0`, "20000.00"},
		{`20000`, "20000.00"},
		{`0.1`, "0.10"},
		{`999999999999999.99`, "999999999999999.99"},
		{`90071992547409.93`, "90071992547409.93"}, // not a float64
		{`-0`, "0.00"},
		{`1e2`, ""}, {`1E400`, ""}, {`1e-2`, ""}, {`"1e2"`, ""}, {`-1e400`, ""},
		{`9223372036854775808`, ""}, {`1000.001`, ""}, {`"1,000"`, ""}, {`"1.000.000"`, ""}, {`" 1"`, ""}, {`"+1"`, ""}, {`""`, ""},
		{`"0x10"`, ""}, {`"１００"`, ""}, {`"NaN"`, ""}, {`"Infinity"`, ""}, {`true`, ""}, {`{}`, ""}, {`[1]`, ""}, {`"` + strings.Repeat("9", 60_000) + `"`, ""},
	} {
		r, err := DecodeRequest([]byte(`{"amount":` + test.written + `}`))
		var invalid *payment.ValidationError
		switch {
		case test.want != "" && (err != nil || r.Amount.String() != test.want):
			t.Errorf("%s: %s, %v, want %s", test.written, r.Amount, err, test.want)
		case test.want == "" && (!errors.As(err, &invalid) || len(invalid.Faults) != 1 || invalid.Faults[0].Field != "amount"):
			t.Errorf("%.40s: %s, %v, want a fault of the field amount", test.written, r.Amount, err)
		}
	}
}

// What cannot be read and what breaks the request's own rules are told together, once each.
func TestFaultsTogether(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	for _, test := range []struct {
		body string
		want []string
	}{
		{`{"operation":"payin","method":"pse","amount":"10.001","tax":"5","currency":"peso","payer":{"bank":"12","colour":"red","document":7}}`,
			[]string{"amount", "payer.colour", "payer.document", "currency", "payer.bank"}},
		{`{}`, []string{"operation", "amount"}},
		{`{"operation":"payout","method":"bank_transfer","amount":"1000","payee":{"bank":1,"acount":{}}}`,
			[]string{"payee.bank", "payee.acount", "payee.account.type", "payee.account.number"}},
		{`{"operation":"bill","method":"bill","amount":-1,"bill":[]}`, []string{"bill", "amount"}},
		{`{"operation":"payin","method":"pse","amount":"10000","payer":{"name":"Ana\u0000","email":"ana"},"reference":"\u202eabc"}`,
			[]string{"payer.email", "payer.name"}},
	} {
		a := w.do("POST", "/v1/payments", test.body, "Idempotency-Key", "order-1")
		p := a.problem(t)
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Field)
		}
		if a.Status != http.StatusUnprocessableEntity || p.Code != "invalid_request" || !equalSets(got, test.want) {
			t.Errorf("%s\n got %d %v\nwant %v", test.body, a.Status, p.Errors, test.want)
		}
	}
	if n := len(w.acme.Submits()); n != 0 {
		t.Errorf("%d payments were handed over", n)
	}
}

func equalSets(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"amount":1e2,"payer":{"x":[[[]]]},"metadata":{"a":null,"\ud800":"b"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := DecodeRequest(body)
		if err != nil {
			return
		}
		// What was read says the same when it is written and read again.
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeRequest(text)
		if err != nil || !again.Equal(r) {
			t.Errorf("%s became %s: %v", body, text, err)
		}
	})
}
