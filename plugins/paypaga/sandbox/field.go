package sandbox

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/cauce-pay/cauce/payment"
)

// rule bounds a text.
type rule struct {
	min, max int // characters
	form     *regexp.Regexp
}

// The rules of the document's page "Colombia PSE", with the patterns as PayPaga's other pages print them: this one
// lost two asterisks and a backslash (PP-01, PP-04).
var (
	names     = rule{2, 25, regexp.MustCompile(`^\p{L}*(?:[ '-]\p{L}+)*$`)}
	emails    = rule{5, 50, regexp.MustCompile(`^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$`)}
	phones    = rule{8, 10, regexp.MustCompile(`^\d+$`)}
	addresses = rule{2, 64, regexp.MustCompile(`^[\p{L}0-9][\p{L}0-9\s,'#/.°-]+$`)}
	documents = map[string]rule{
		"CC": {6, 10, regexp.MustCompile(`^\d+$`)},
		"CE": {6, 10, regexp.MustCompile(`^[a-zA-Z0-9]+$`)},
		"PP": {7, 12, regexp.MustCompile(`^[a-zA-Z0-9]+$`)},
		"TE": {6, 15, regexp.MustCompile(`^[a-zA-Z0-9]+$`)},
	}
	// references is V1's rule for merchant_transaction_reference.
	references = rule{1, 45, regexp.MustCompile(`^[A-Za-z0-9_-]+$`)}
	texts      = rule{1, 255, regexp.MustCompile(``)}
)

var documentNames = map[string]string{
	"CC": "Cédula de Ciudadanía", "CE": "Cédula de Extranjería", "PP": "Pasaporte", "TE": "Tarjeta de Extranjería",
}

// fault is one entry of a validation error's details.
type fault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// reader reads the members of a pay-in and gathers every fault.
type reader struct {
	members map[string]json.RawMessage
	prefix  string // of the members' names in faults: "fields."
	faults  *[]fault
}

func (r *reader) refuse(name, format string, args ...any) {
	*r.faults = append(*r.faults, fault{r.prefix + name, fmt.Sprintf(format, args...)})
}

// text reads a required text within a rule.
func (r *reader) text(name string, is rule) (value string) {
	raw, given := r.members[name]
	switch {
	case !given || string(raw) == "null":
		r.refuse(name, "The field is required.")
	case json.Unmarshal(raw, &value) != nil:
		r.refuse(name, "The field must be a string.")
	case utf8.RuneCountInString(value) < is.min || utf8.RuneCountInString(value) > is.max:
		r.refuse(name, "The length must be between %d and %d.", is.min, is.max)
	case !is.form.MatchString(value):
		r.refuse(name, "The format is invalid.")
	}
	return value
}

// optional reads a text that may be absent, unless the mode top_level wants it.
func (r *reader) optional(name string, needed bool) string {
	if _, given := r.members[name]; !given && !needed {
		return ""
	}
	return r.text(name, texts)
}

func (r *reader) url(name string) string {
	value := r.text(name, rule{1, 2048, texts.form})
	if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		r.refuse(name, "The field must be a URL.")
	}
	return value
}

// object reads the members of a required object.
func (r *reader) object(name string) *reader {
	of := &reader{prefix: name + ".", faults: r.faults}
	if json.Unmarshal(r.members[name], &of.members) != nil || of.members == nil {
		r.refuse(name, "The field must be an object.")
	}
	return of
}

// maxPesos bounds an amount: 15 digits.
const maxPesos = 999_999_999_999_999

// pesos reads a positive integer as it is written: no text, no decimal point, no exponent (PP-05).
func (r *reader) pesos(name string) payment.Money {
	n, err := strconv.ParseInt(string(r.members[name]), 10, 64)
	if err != nil || n < 1 || n > maxPesos {
		r.refuse(name, "The field must be a positive integer amount with no decimal places.")
		return payment.Money{}
	}
	return payment.Pesos(n)
}

// readPayIn reads the body of a create by every documented rule. It is nil where the body is no JSON object.
func readPayIn(c *call) (in *payIn, sum payment.Money, faults []fault) {
	r := &reader{faults: &faults}
	if json.Unmarshal(c.Body, &r.members) != nil || r.members == nil {
		return nil, sum, nil
	}
	all := c.Mode("top_level") == "all"
	in = &payIn{Country: r.text("country", texts), Currency: r.text("currency", texts), Method: r.text("payment_method", texts)}
	sum = r.pesos("amount")
	in.OrderReference = r.text("merchant_order_reference", texts)
	in.Reference = r.text("merchant_transaction_reference", references)
	in.CustomerID = r.optional("merchant_customer_id", all)
	if ip := r.optional("customer_ip", all); ip != "" {
		if _, err := netip.ParseAddr(ip); err != nil {
			r.refuse("customer_ip", "The field must be an IP address.")
		}
	}
	of := r.object("fields")
	in.Fields = fields{
		FirstName: of.text("first_name", names), LastName: of.text("last_name", names), DocumentType: of.text("document_type", texts),
	}
	if is, listed := documents[in.Fields.DocumentType]; listed {
		in.Fields.DocumentNumber = of.text("document_number", is)
	} else {
		of.refuse("document_type", "The selected value is invalid.")
	}
	in.Fields.BankCode = of.text("bank_code", texts)
	if bankNames[in.Fields.BankCode] == "" {
		of.refuse("bank_code", "The selected value is invalid.")
	}
	in.Fields.Email, in.Fields.Phone, in.Fields.Address = of.text("email", emails), of.text("phone", phones), of.text("address", addresses)
	to := r.object("return_urls")
	in.SuccessURL, in.FailureURL = to.url("success_url"), to.url("failure_url")
	to.url("cancel_url") // of PayPaga's own page, which this has none of
	return in, sum, faults
}
