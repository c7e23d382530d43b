package conformance

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// exampleReference is the bill of the API's own example.
const exampleReference = "111100005555"

// request is a payment that fits capability c of provider p: everything that a caller could know is filled in.
func (s *scene) request(p provider.Provider, c *payment.Capability) payment.Request {
	document := payment.CC
	if len(c.DocumentTypes) > 0 {
		document = c.DocumentTypes[0]
	}
	who := person(document)
	r := payment.Request{
		Operation: c.Operation, Method: c.Method, Amount: amountWithin(c), Currency: c.Currencies[0], Country: "CO",
		Reference: "ORDER-1001", Description: "Compra de prueba",
	}
	switch c.Operation {
	case payment.PayIn:
		who.Bank = s.bank(p, c.Method)
		r.Payer = who
		r.ReturnURL = "https://shop.example/return"
	case payment.PayOut:
		who.Bank, who.Account = s.bank(p, c.Method), payment.Account{Type: payment.Savings, Number: "68653284571"}
		r.Payee = who
	case payment.Bill:
		r.Bill, r.Amount = s.bill(p, r.Amount)
	}
	for _, refusal := range c.Refusals(&r) {
		s.errorf("no payment fits %s by %s: %s", c.Operation, c.Method, refusal.Reason)
	}
	return r
}

func person(document payment.DocumentType) payment.Party {
	kind := payment.Natural
	if document == payment.NIT {
		kind = payment.Legal
	}
	return payment.Party{
		Kind: kind, Name: "Jovita Ducuara Prieto", FirstName: "Jovita", LastName: "Ducuara Prieto",
		Document: payment.Document{Type: document, Number: "987654321"}, Email: "jovita.ducuara@example.com",
		Phone: "3057788996", Address: "Calle 123 #45-67", IP: "120.29.48.92", ID: "customer-77",
	}
}

// amountWithin is 20,000 or the nearest bound.
func amountWithin(c *payment.Capability) payment.Money {
	amount := payment.Pesos(20_000)
	if amount.Cmp(c.AmountMin) < 0 {
		amount = c.AmountMin
	}
	if !c.AmountMax.IsZero() && amount.Cmp(c.AmountMax) > 0 {
		amount = c.AmountMax
	}
	return amount
}

// bank is a bank that the provider reaches by method.
func (s *scene) bank(p provider.Provider, method payment.Method) string {
	const bancolombia = "1007"
	with, ok := provider.WithBanks(p)
	if !ok {
		return bancolombia
	}
	list, err := with.Banks(s.ctx, method)
	if err != nil || len(list) == 0 || slices.ContainsFunc(list, func(b provider.Bank) bool { return b.Code == bancolombia }) {
		return bancolombia
	}
	return list[0].Code
}

// bill is a bill that can be paid, and its amount; otherwise where the provider does not know it.
func (s *scene) bill(p provider.Provider, otherwise payment.Money) (payment.BillTarget, payment.Money) {
	ref := payment.BillTarget{Biller: "etb", Reference: exampleReference}
	if s.config.BillReference != "" {
		ref.Reference = s.config.BillReference
	}
	with, ok := provider.WithBills(p)
	if !ok {
		return ref, otherwise
	}
	ref.Biller = s.fixedBiller(with)
	detail, err := with.Bill(s.ctx, ref.Biller, ref.Reference)
	s.must(err)
	return ref, detail.Amount
}

// fixedBiller is the first biller whose bills can be asked for and have a fixed amount.
func (s *scene) fixedBiller(p provider.ProviderWithBills) string {
	page := ""
	for range maxPages {
		got, err := p.Billers(s.ctx, page)
		s.must(err)
		for _, b := range got.Billers {
			if b.Queryable && !b.AmountEditable {
				return b.ID
			}
		}
		if page = got.Next; page == "" {
			break
		}
	}
	s.fatalf("there is no biller whose bills can be asked for and have a fixed amount")
	return ""
}

// set returns r with the field of that path changed, or without it where value is "".
func set(r payment.Request, path, value string) payment.Request {
	content, err := json.Marshal(r) // its JSON form has the names of the paths
	if err != nil {
		panic(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(content, &fields); err != nil {
		panic(err)
	}
	at := fields
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		inner, ok := at[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			at[name] = inner
		}
		at = inner
	}
	last := names[len(names)-1]
	at[last] = value
	if last == "name" && value == "" { // the other two would stand for it
		delete(at, "first_name")
		delete(at, "last_name")
	}
	content, err = json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	var out payment.Request
	if err := json.Unmarshal(content, &out); err != nil {
		panic(err)
	}
	return out
}
