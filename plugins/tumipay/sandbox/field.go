package sandbox

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// reader reads the fields of a pay-in in the document's order and stops at the first fault.
type reader struct {
	fields map[string]json.RawMessage
	prefix string // of the fields' names in messages: "customer_data."
	fault  *string
}

func (r *reader) refuse(field, format string, args ...any) {
	if *r.fault == "" {
		*r.fault = fmt.Sprintf("El campo %s%s %s", r.prefix, field, fmt.Sprintf(format, args...))
	}
}

// text reads a required text that is not empty. Numbers are refused where the document says string.
func (r *reader) text(field string) string {
	value := r.optional(field)
	if value == "" {
		r.refuse(field, "es requerido")
	}
	return value
}

// optional reads a text; "" where it is absent or null.
func (r *reader) optional(field string) (value string) {
	if raw, given := r.fields[field]; given && json.Unmarshal(raw, &value) != nil {
		r.refuse(field, "debe ser una cadena")
	}
	return value
}

// choice reads one of a few words, case as written.
func (r *reader) choice(field string, words ...string) string {
	value := r.text(field)
	if !slices.Contains(words, value) {
		r.refuse(field, "es inválido: %s", strings.Join(words, ", "))
	}
	return value
}

func (r *reader) url(field string) string {
	value := r.text(field)
	if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		r.refuse(field, "debe ser una URL")
	}
	return value
}

// whole reads a positive whole number: no text, no decimals.
func (r *reader) whole(field string, max int64) int64 {
	n, err := strconv.ParseInt(string(r.fields[field]), 10, 64)
	if err != nil || n < 1 || n > max {
		r.refuse(field, "debe ser un entero mayor que 0")
		return 1
	}
	return n
}

const (
	// maxUnits bounds an amount so that its pesos have at most 15 digits.
	maxUnits = 999_999_999_999_999
	// maxMinutes bounds expiration_time: a year.
	maxMinutes = 366 * 24 * 60
)

// The lives of a pay-in whose request names none, in minutes.
const (
	lifetime     = 720
	lifetimeBreB = 15
)

// readPayin reads the body of POST /payin by every documented rule, and returns the pay-in, its amount in pesos and
// what is wrong with it.
func readPayin(c *call) (in payin, sum payment.Money, fault string) {
	r := &reader{fault: &fault}
	if err := json.Unmarshal(c.Body, &r.fields); err != nil || r.fields == nil {
		return in, sum, "El cuerpo debe ser un objeto JSON"
	}
	in.Reference = r.text("reference")
	in.Units = r.whole("amount", maxUnits)
	in.Currency = r.choice("currency", "COP")
	r.choice("country", "CO")
	// The lists of methods differ page by page (TM-20): these are all of them.
	in.Method = r.choice("payment_method", "PSE", "EFECTY", "CARD", "BREB", "ALL_METHODS", "TRANSFIYA", "CASH")
	in.Description = r.optional("description")
	readCustomer(r, &in)
	minutes := int64(lifetime)
	if in.Method == "BREB" {
		minutes = lifetimeBreB
	}
	if _, given := r.fields["expiration_time"]; given {
		minutes = r.whole("expiration_time", maxMinutes) // minutes (TM-10)
	}
	in.Life = time.Duration(minutes) * time.Minute
	in.IPNURL, in.RedirectURL = r.url("ipn_url"), r.url("redirect_url")
	in.Token = c.Request.Header.Get("Token-Top")
	in.Cents = c.Mode("unit") == "cent"
	sum = payment.Pesos(in.Units)
	if in.Cents {
		sum = payment.MoneyOfMinor(in.Units)
	}
	judgeAmount(c, r, in.Method, sum)
	return in, sum, fault
}

// readCustomer reads customer_data. bank and person_type ask for the bank's own page, in v2 only.
func readCustomer(r *reader, in *payin) {
	of := &reader{prefix: "customer_data.", fault: r.fault}
	if err := json.Unmarshal(r.fields["customer_data"], &of.fields); err != nil {
		r.refuse("customer_data", "debe ser un objeto")
	}
	in.Customer = customer{
		LegalDoc:     of.text("legal_doc"),
		LegalDocType: of.choice("legal_doc_type", "CC", "CE", "PPN"), // no NIT (TM-14)
		PhoneCode:    of.text("phone_code"),
		PhoneNumber:  of.text("phone_number"),
		Email:        of.text("email"),
		FullName:     of.text("full_name"),
	}
	if a, err := mail.ParseAddress(in.Customer.Email); err != nil || a.Address != in.Customer.Email {
		of.refuse("email", "debe ser un correo")
	}
	if bank := of.optional("bank"); bank != "" {
		if _, listed := bankNames[bank]; !listed || bank == "0" {
			of.refuse("bank", "no existe")
		}
		of.choice("person_type", "NATURAL", "JURIDICA")
		in.Bank = bank
	}
}

// judgeAmount applies the limits, so that an amount in the wrong unit is refused (TM-01). The document's example, by
// ALL_METHODS, is below the one for PSE.
func judgeAmount(c *call, r *reader, method string, sum payment.Money) {
	var least payment.Money
	switch method {
	case "PSE":
		least, _ = payment.ParseMoney(c.Mode("pse_min"))
	case "EFECTY":
		least, _ = payment.ParseMoney(c.Mode("efecty_min"))
	}
	most, _ := payment.ParseMoney(c.Mode("max_amount"))
	if sum.Cmp(least) < 0 || sum.Cmp(most) > 0 {
		r.refuse("amount", "debe estar entre %s y %s pesos", least, most)
	}
}

func refused(c *call, message string) sandbox.Answer {
	status, _ := strconv.Atoi(c.Mode("refusal")) // its values are numbers
	return failed(status, message)
}
