package payment_test

import (
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := payment.Capability{
		Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, DocumentTypes: []payment.DocumentType{payment.CC, payment.CE},
		AmountMin: payment.Pesos(1000), AmountMax: payment.Pesos(40_000), Required: []string{"payer.name", "payer.bank"},
		Limits: []payment.FieldLimit{{Field: "payer.name", MinLength: 2, MaxLength: 25}, {Field: "payer.phone", Pattern: `\d{8,10}`}},
	}
	cases := []struct {
		name   string
		change func(*payment.Request)
		field  string // of the only refusal; "" = it is taken
	}{
		{"as it is", func(*payment.Request) {}, ""},
		{"at the minimum", func(r *payment.Request) { r.Amount = payment.Pesos(1000) }, ""},
		{"at the maximum", func(r *payment.Request) { r.Amount = payment.Pesos(40_000) }, ""},
		{"below the minimum", func(r *payment.Request) { r.Amount = payment.Pesos(999) }, "amount"},
		{"above the maximum", func(r *payment.Request) { r.Amount = payment.Pesos(40_001) }, "amount"},
		{"cents", func(r *payment.Request) { r.Amount = payment.MoneyOfMinor(200_050) }, "amount"},
		{"another currency", func(r *payment.Request) { r.Currency = "USD" }, "currency"},
		{"another method", func(r *payment.Request) { r.Method = payment.Efecty }, "method"},
		{"another document", func(r *payment.Request) { r.Payer.Document.Type = payment.NIT }, "payer.document.type"},
		{"no document", func(r *payment.Request) { r.Payer.Document = payment.Document{} }, ""},
		{"no bank", func(r *payment.Request) { r.Payer.Bank = "" }, "payer.bank"},
		{"first and last name will do", func(r *payment.Request) { r.Payer.Name, r.Payer.FirstName, r.Payer.LastName = "", "Ana", "Gil" }, ""},
		{"a name as long as it may be", func(r *payment.Request) { r.Payer.Name = strings.Repeat("ñ", 25) }, ""},
		{"a name as short as it may be", func(r *payment.Request) { r.Payer.Name = "Ña" }, ""},
		{"a name too long", func(r *payment.Request) { r.Payer.Name = "Maximiliano de la Concepción" }, "payer.name"},
		{"a name too short", func(r *payment.Request) { r.Payer.Name = "Ñ" }, "payer.name"},
		{"a phone that is only partly digits", func(r *payment.Request) { r.Payer.Phone = "3057788996x" }, "payer.phone"},
		{"no phone", func(r *payment.Request) { r.Payer.Phone = "" }, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := payIn()
			r.Payer.Phone = "3057788996"
			tc.change(&r)
			got := c.Refusals(&r)
			if tc.field == "" && len(got) != 0 || tc.field != "" && (len(got) != 1 || got[0].Field != tc.field || got[0].Reason == "") {
				t.Errorf("got %+v, want one about %q", got, tc.field)
			}
		})
	}
	out := payment.Capability{Operation: payment.PayOut, Method: payment.BankTransfer, Currencies: []string{"COP"}, DocumentTypes: []payment.DocumentType{payment.NIT}}
	r := payOut()
	if got := out.Refusals(&r); len(got) != 1 || got[0].Field != "payee.document.type" {
		t.Errorf("the document of a payout is its payee's: got %+v", got)
	}
	out.DocumentTypes = nil
	if got := out.Refusals(&r); len(got) != 0 {
		t.Errorf("no document is asked for, and yet: %+v", got)
	}
	list := []payment.Capability{c, out}
	if payment.CapabilityFor(list, payment.PayOut, payment.BankTransfer) != &list[1] || payment.CapabilityFor(list, payment.Bill, payment.BillPayment) != nil {
		t.Error("the wrong capability was found")
	}
}
