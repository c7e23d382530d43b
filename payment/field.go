package payment

import "strings"

// Field is one field of a request under its path in the API ("payer.document.type"). Rules, required fields
// and field errors all use these names.
type Field struct {
	Path string
	Doc  string // one line
	// Text returns the field's value as text; "" when it is absent.
	Text func(*Request) string
}

// Fields lists every field of a request that has one value, in the order of the API's documentation
// (metadata, whose keys are the caller's own, is not among them).
func Fields() []Field { return fields }

// FieldByPath returns the field with that path.
func FieldByPath(path string) (Field, bool) {
	f, ok := fieldByPath[path]
	return f, ok
}

var fieldByPath = func() map[string]Field {
	m := make(map[string]Field, len(fields))
	for _, f := range fields {
		m[f.Path] = f
	}
	return m
}()

var fields = func() []Field {
	list := []Field{
		{"operation", "what the payment does: payin, payout or bill", func(r *Request) string { return string(r.Operation) }},
		{"method", "how the money moves: pse, efecty, card, breb, any, bank_transfer or bill", func(r *Request) string { return string(r.Method) }},
		{"amount", "the amount", func(r *Request) string { return moneyText(r.Amount) }},
		{"currency", "ISO 4217 code, COP by default", func(r *Request) string { return r.Currency }},
		{"country", "ISO 3166 code, CO by default", func(r *Request) string { return r.Country }},
		{"tax", "the part of the amount that is sales tax", func(r *Request) string { return moneyText(r.Tax) }},
		{"reference", "the caller's own reference", func(r *Request) string { return r.Reference }},
		{"description", "what the payer reads", func(r *Request) string { return r.Description }},
	}
	list = append(list, partyFields("payer", func(r *Request) *Party { return &r.Payer })...)
	list = append(list, partyFields("payee", func(r *Request) *Party { return &r.Payee })...)
	return append(list,
		Field{"payee.account.type", "savings, checking or electronic_deposit", func(r *Request) string { return string(r.Payee.Account.Type) }},
		Field{"payee.account.number", "number of the account", func(r *Request) string { return r.Payee.Account.Number }},
		Field{"bill.biller", "id of the biller", func(r *Request) string { return r.Bill.Biller }},
		Field{"bill.reference", "reference of the bill", func(r *Request) string { return r.Bill.Reference }},
		Field{"return_url", "where the payer is sent back to", func(r *Request) string { return r.ReturnURL }},
		Field{"failure_url", "where the payer is sent back to after a failure", func(r *Request) string { return r.FailureURL }},
		Field{"cancel_url", "where the payer is sent back to after giving up", func(r *Request) string { return r.CancelURL }},
	)
}()

func partyFields(prefix string, of func(*Request) *Party) []Field {
	f := func(name, doc string, text func(*Party) string) Field {
		return Field{prefix + "." + name, doc, func(r *Request) string { return text(of(r)) }}
	}
	return []Field{
		f("kind", "natural or legal person", func(p *Party) string { return string(p.Kind) }),
		f("name", "full name; first and last name joined where only those are given", func(p *Party) string { return p.FullName() }),
		f("first_name", "first names", func(p *Party) string { return p.FirstName }),
		f("last_name", "last names", func(p *Party) string { return p.LastName }),
		f("document.type", "CC, CE, NIT, TI, PP or TE", func(p *Party) string { return string(p.Document.Type) }),
		f("document.number", "number of the document", func(p *Party) string { return p.Document.Number }),
		f("email", "e-mail address", func(p *Party) string { return p.Email }),
		f("phone", "phone number", func(p *Party) string { return p.Phone }),
		f("address", "postal address", func(p *Party) string { return p.Address }),
		f("ip", "IP address", func(p *Party) string { return p.IP }),
		f("id", "the caller's own id of the person", func(p *Party) string { return p.ID }),
		f("bank", "four-digit PSE bank code", func(p *Party) string { return p.Bank }),
	}
}

func moneyText(m Money) string {
	if m.IsZero() {
		return ""
	}
	return m.String()
}

// Metadata keys are addressed as "metadata.KEY".
const metadataPrefix = "metadata."

// TextOf returns the text of the field with that path, metadata included; "" when it is absent or unknown.
func (r *Request) TextOf(path string) string {
	if key, ok := strings.CutPrefix(path, metadataPrefix); ok {
		return r.Metadata[key]
	}
	if f, ok := fieldByPath[path]; ok {
		return f.Text(r)
	}
	return ""
}
