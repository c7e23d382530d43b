package payment

import (
	"fmt"
	"maps"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Operation is what a payment does.
type Operation string

// The operations.
const (
	PayIn  Operation = "payin"  // collect from a payer
	PayOut Operation = "payout" // send to an account
	Bill   Operation = "bill"   // pay a bill at a biller
)

// Method is how the money moves.
type Method string

// The methods. Each belongs to one operation, see Operation.Methods.
const (
	PSE          Method = "pse"
	Efecty       Method = "efecty"
	Card         Method = "card"
	BreB         Method = "breb"
	Any          Method = "any" // the payer chooses on the provider's page
	BankTransfer Method = "bank_transfer"
	BillPayment  Method = "bill"
)

// Operations lists every operation.
func Operations() []Operation { return []Operation{PayIn, PayOut, Bill} }

// Methods lists the methods of an operation; nil for an unknown one.
func (o Operation) Methods() []Method {
	switch o {
	case PayIn:
		return []Method{PSE, Efecty, Card, BreB, Any}
	case PayOut:
		return []Method{BankTransfer}
	case Bill:
		return []Method{BillPayment}
	}
	return nil
}

// DocumentType is a kind of identity document.
type DocumentType string

// The document types. TE and CE are different documents.
const (
	CC  DocumentType = "CC"  // cédula de ciudadanía
	CE  DocumentType = "CE"  // cédula de extranjería
	NIT DocumentType = "NIT" // tax number of a legal person
	TI  DocumentType = "TI"  // tarjeta de identidad
	PP  DocumentType = "PP"  // passport
	TE  DocumentType = "TE"  // tarjeta de extranjería
)

// DocumentTypes lists every document type.
func DocumentTypes() []DocumentType { return []DocumentType{CC, CE, NIT, TI, PP, TE} }

// PersonKind tells a natural from a legal person.
type PersonKind string

// The person kinds.
const (
	Natural PersonKind = "natural"
	Legal   PersonKind = "legal"
)

// IsBankCode reports whether code can be a bank's in the PSE network. Production codes have four digits; its test
// network has some of five and six.
func IsBankCode(code string) bool { return len(code) >= 4 && len(code) <= 6 && allDigits(code) }

// AccountType is a kind of bank account.
type AccountType string

// The account types.
const (
	Savings           AccountType = "savings"
	Checking          AccountType = "checking"
	ElectronicDeposit AccountType = "electronic_deposit"
)

// Document identifies a person.
type Document struct {
	Type   DocumentType `json:"type,omitzero"`
	Number string       `json:"number,omitzero"`
}

// Account is a bank account.
type Account struct {
	Type   AccountType `json:"type,omitzero"`
	Number string      `json:"number,omitzero"`
}

// Party is one side of a payment: the payer of a pay-in or the payee of a payout. Which fields must be filled
// depends on the operation (Request.Validate) and on the provider (Capability.Refusals).
type Party struct {
	Kind      PersonKind `json:"kind,omitzero"`
	Name      string     `json:"name,omitzero"` // the full name; or FirstName and LastName, or all three
	FirstName string     `json:"first_name,omitzero"`
	LastName  string     `json:"last_name,omitzero"`
	Document  Document   `json:"document,omitzero"`
	Email     string     `json:"email,omitzero"`
	Phone     string     `json:"phone,omitzero"`
	Address   string     `json:"address,omitzero"`
	IP        string     `json:"ip,omitzero"`
	ID        string     `json:"id,omitzero"`      // the caller's own id of this person
	Bank      string     `json:"bank,omitzero"`    // four-digit PSE code
	Account   Account    `json:"account,omitzero"` // payees only
}

// FullName returns Name, or first and last name joined.
func (p Party) FullName() string {
	if p.Name != "" {
		return p.Name
	}
	return strings.TrimSpace(p.FirstName + " " + p.LastName)
}

// BillTarget names a bill at a biller.
type BillTarget struct {
	Biller    string `json:"biller,omitzero"`
	Reference string `json:"reference,omitzero"`
}

// Request is what a caller asks for: one payment. Its JSON form is the body of POST /v1/payments.
type Request struct {
	Operation   Operation         `json:"operation"`
	Method      Method            `json:"method"`
	Amount      Money             `json:"amount"`
	Currency    string            `json:"currency,omitzero"` // ISO 4217, default COP
	Country     string            `json:"country,omitzero"`  // ISO 3166 alpha-2, default CO
	Tax         Money             `json:"tax,omitzero"`      // the part of Amount that is sales tax; less than Amount
	Reference   string            `json:"reference,omitzero"`
	Description string            `json:"description,omitzero"`
	Payer       Party             `json:"payer,omitzero"`
	Payee       Party             `json:"payee,omitzero"`
	Bill        BillTarget        `json:"bill,omitzero"`
	ReturnURL   string            `json:"return_url,omitzero"`
	FailureURL  string            `json:"failure_url,omitzero"`
	CancelURL   string            `json:"cancel_url,omitzero"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// WithDefaults returns r with currency COP and country CO filled in where they were empty, and an empty
// metadata object made the same as an absent one. The metadata is copied, so that the caller may go on using
// its own.
func (r Request) WithDefaults() Request {
	if r.Currency == "" {
		r.Currency = "COP"
	}
	if r.Country == "" {
		r.Country = "CO"
	}
	if len(r.Metadata) == 0 {
		r.Metadata = nil
	} else {
		r.Metadata = maps.Clone(r.Metadata)
	}
	return r
}

// Equal reports whether two requests ask for the same payment: equal after WithDefaults.
func (r Request) Equal(other Request) bool {
	return reflect.DeepEqual(r.WithDefaults(), other.WithDefaults())
}

// FieldError says what is wrong with one field of a request. Field is its path in the API: "payer.document.type".
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// ValidationError lists every fault of a request at once.
type ValidationError struct {
	Faults []FieldError
}

func (e *ValidationError) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = f.Field + ": " + f.Message
	}
	return "payment: invalid request: " + strings.Join(parts, "; ")
}

// Bounds of a request's texts, in characters. What a provider takes may be less: see Capability.
const (
	maxShortText = 255
	maxURL       = 2000
	maxMetadata  = 50 // entries
)

// Validate checks the request against its own rules (not any provider's) and reports every fault at once, as
// a *ValidationError, or nil. Call it on the result of WithDefaults.
func (r Request) Validate() error {
	v := &validator{}
	r.validateCore(v)
	r.validateParties(v)
	for _, f := range []struct{ name, value string }{
		{"return_url", r.ReturnURL}, {"failure_url", r.FailureURL}, {"cancel_url", r.CancelURL},
	} {
		v.url(f.name, f.value)
	}
	r.validateMetadata(v)
	if len(v.faults) == 0 {
		return nil
	}
	return &ValidationError{v.faults}
}

func (r Request) validateCore(v *validator) {
	methods := r.Operation.Methods()
	switch {
	case r.Operation == "":
		v.fault("operation", "is required: payin, payout or bill")
	case methods == nil:
		v.fault("operation", "%.60q is none of payin, payout, bill", r.Operation)
	case r.Method == "":
		v.fault("method", "is required: %s", orList(methods))
	case !slices.Contains(methods, r.Method):
		v.fault("method", "%.60q is no method of %s: use %s", r.Method, r.Operation, orList(methods))
	}
	switch {
	case r.Amount.IsZero():
		v.fault("amount", "is required, and must be greater than 0")
	case r.Amount.minor < 0:
		v.fault("amount", "must be greater than 0")
	}
	switch {
	case r.Tax.minor < 0:
		v.fault("tax", "must not be negative")
	case !r.Tax.IsZero() && r.Tax.minor >= r.Amount.minor:
		v.fault("tax", "must be less than the amount")
	}
	if !isUpper(r.Currency, 3) {
		v.fault("currency", "%.60q is no ISO 4217 code, like COP", r.Currency)
	}
	if !isUpper(r.Country, 2) {
		v.fault("country", "%.60q is no ISO 3166 code, like CO", r.Country)
	}
	v.text("reference", r.Reference, maxShortText)
	v.text("description", r.Description, maxShortText)
	v.text("bill.biller", r.Bill.Biller, 64)
	v.clean("bill.reference", r.Bill.Reference, 64) // the biller's number, which may happen to pass the card test
	if r.Operation == Bill {
		v.required("bill.biller", r.Bill.Biller)
		v.required("bill.reference", r.Bill.Reference)
	} else if r.Bill != (BillTarget{}) {
		v.fault("bill", "only belongs to operation bill")
	}
}

func (r Request) validateParties(v *validator) {
	v.party("payer", r.Payer)
	v.party("payee", r.Payee)
	if r.Payer.Account != (Account{}) {
		v.fault("payer.account", "accounts belong to the payee; a payer has a bank only")
	}
	switch r.Operation {
	case PayIn:
		if r.Payee != (Party{}) {
			v.fault("payee", "only belongs to operation payout")
		}
	case PayOut:
		v.required("payee.bank", r.Payee.Bank)
		v.required("payee.account.type", string(r.Payee.Account.Type))
		v.required("payee.account.number", r.Payee.Account.Number)
	case Bill:
		if r.Payee != (Party{}) {
			v.fault("payee", "only belongs to operation payout")
		}
	}
}

func (r Request) validateMetadata(v *validator) {
	if len(r.Metadata) > maxMetadata {
		v.fault("metadata", "has %d entries, at most %d are kept", len(r.Metadata), maxMetadata)
		return
	}
	for _, k := range slices.Sorted(maps.Keys(r.Metadata)) {
		if k == "" || utf8.RuneCountInString(k) > 64 || !isClean(k) {
			v.fault("metadata", "key %.80q: keys are 1 to 64 characters without control characters", k)
			continue
		}
		v.text("metadata."+k, r.Metadata[k], 500)
	}
}

// validator gathers faults; each check is silent about an empty value unless it says required.
type validator struct {
	faults []FieldError
}

func (v *validator) fault(field, format string, args ...any) {
	v.faults = append(v.faults, FieldError{field, fmt.Sprintf(format, args...)})
}

func (v *validator) required(field, value string) {
	if value == "" {
		v.fault(field, "is required")
	}
}

func (v *validator) clean(field, value string, max int) bool {
	switch {
	case !isClean(value):
		v.fault(field, "has control characters or is not UTF-8")
	case utf8.RuneCountInString(value) > max:
		v.fault(field, "is longer than %d characters", max)
	default:
		return true
	}
	return false
}

func (v *validator) text(field, value string, max int) {
	// Keeps every embedder out of PCI DSS scope: a card number is neither stored nor sent on.
	if v.clean(field, value, max) && hasCardNumber(value) {
		v.fault(field, "looks like it holds a card number; card numbers are never accepted here")
	}
}

func (v *validator) party(prefix string, p Party) {
	if p.Kind != "" && p.Kind != Natural && p.Kind != Legal {
		v.fault(prefix+".kind", "%.60q is neither natural nor legal", p.Kind)
	}
	if d := p.Document.Type; d != "" && !slices.Contains(DocumentTypes(), d) {
		v.fault(prefix+".document.type", "%.60q is none of %s", d, orList(DocumentTypes()))
	}
	if p.Document.Type != "" && p.Document.Number == "" {
		v.fault(prefix+".document.number", "is required with document.type")
	}
	if p.Document.Type == "" && p.Document.Number != "" {
		v.fault(prefix+".document.type", "is required with document.number")
	}
	if (p.FirstName == "") != (p.LastName == "") {
		v.fault(prefix+".first_name", "first_name and last_name come together")
	}
	accounts := []AccountType{Savings, Checking, ElectronicDeposit}
	if t := p.Account.Type; t != "" && !slices.Contains(accounts, t) {
		v.fault(prefix+".account.type", "%.60q is none of %s", t, orList(accounts))
	}
	if p.Bank != "" && !IsBankCode(p.Bank) {
		v.fault(prefix+".bank", "%.60q is no four-digit PSE bank code; GET /v1/banks lists them", p.Bank)
	}
	if p.Email != "" {
		if a, err := mail.ParseAddress(p.Email); err != nil || a.Address != p.Email {
			v.fault(prefix+".email", "is no e-mail address")
		}
	}
	if p.IP != "" {
		if a, err := netip.ParseAddr(p.IP); err != nil || a.Zone() != "" { // a zone may hold anything
			v.fault(prefix+".ip", "is no IP address")
		}
	}
	for _, f := range []struct{ name, value string }{
		{"name", p.Name}, {"first_name", p.FirstName}, {"last_name", p.LastName}, {"email", p.Email},
		{"phone", p.Phone}, {"address", p.Address}, {"id", p.ID},
	} {
		if f.value != "" {
			v.text(prefix+"."+f.name, f.value, maxShortText)
		}
	}
	// Numbers of documents and accounts may happen to pass the card test, so only their form is checked.
	for _, f := range []struct{ name, value string }{
		{"document.number", p.Document.Number}, {"account.number", p.Account.Number},
	} {
		if utf8.RuneCountInString(f.value) > 40 || !isIdentifier(f.value) {
			v.fault(prefix+"."+f.name, "must be at most 40 letters, digits or hyphens")
		}
	}
}

func (v *validator) url(field, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		v.fault(field, "is no absolute http or https URL")
	case u.User != nil:
		v.fault(field, "must not carry a user name or password")
	case len(value) > maxURL || !isClean(value):
		v.fault(field, "is longer than %d characters or has control characters", maxURL)
	}
}

func isUpper(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

func isClean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-') {
			return false
		}
	}
	return true
}

func orList[T ~string](items []T) string {
	out := ""
	for i, item := range items {
		switch {
		case i > 0 && i == len(items)-1:
			out += " or "
		case i > 0:
			out += ", "
		}
		out += string(item)
	}
	return out
}

// ValidKey reports whether s can be an idempotency key: 1 to 255 printable ASCII characters.
func ValidKey(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
