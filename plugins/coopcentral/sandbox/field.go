package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// invalid answers that a field is at fault. The document has no texts or codes of its own.
func invalid(field, format string, args ...any) sandbox.Answer {
	return failure{"invalid_data", fmt.Sprintf(format, args...), &field}.answer(http.StatusUnprocessableEntity)
}

// reader reads the fields of a transfer in the document's order and stops at the first fault.
type reader struct {
	fields  map[string]json.RawMessage
	refusal *sandbox.Answer
}

func (r *reader) refuse(field, format string, args ...any) {
	if r.refusal == nil {
		a := invalid(field, format, args...)
		r.refusal = &a
	}
}

// text reads a required text that is not empty.
func (r *reader) text(field string) string {
	value := r.optional(field)
	if value == "" {
		r.refuse(field, "This field is required.")
	}
	return value
}

// optional reads a text; "" where it is absent or null.
func (r *reader) optional(field string) (value string) {
	if raw, given := r.fields[field]; given && json.Unmarshal(raw, &value) != nil {
		r.refuse(field, "Not a valid string.")
	}
	return value
}

// choice reads one of a few words, case as written.
func (r *reader) choice(field string, words ...string) string {
	value := r.text(field)
	if !slices.Contains(words, value) {
		r.refuse(field, "%q is not a valid choice.", value)
	}
	return value
}

// money reads an amount, written as a string or as a number (CC-02), and returns it with what was written.
func (r *reader) money(field, unit string) (sum payment.Money, written string) {
	var value json.Number
	if raw, given := r.fields[field]; given && json.Unmarshal(raw, &value) != nil {
		r.refuse(field, "A valid number is required.")
	}
	written = value.String()
	if written == "" {
		r.refuse(field, "This field is required.")
	}
	var err error
	if unit == "cent" {
		var n int64
		if n, err = strconv.ParseInt(written, 10, 64); n > 0 && n <= maxCents {
			sum = payment.MoneyOfMinor(n)
		}
	} else {
		sum, err = payment.ParseMoney(written)
	}
	if err != nil || sum.Minor() <= 0 {
		r.refuse(field, "A valid number greater than 0 is required.")
	}
	return sum, written
}

// maxCents bounds an amount in cents: 15 digits before the point.
const maxCents = 99_999_999_999_999_999

// order is what a transfer is asked for with.
type order struct {
	sum    payment.Money
	detail transfer
}

// readOrder reads the body of POST /transactions/create by every documented rule.
func readOrder(c *call) (order, *sandbox.Answer) {
	r := &reader{}
	if err := json.Unmarshal(c.Body, &r.fields); err != nil || r.fields == nil {
		a := failure{Code: "invalid_data", Message: "The request body must be a JSON object."}.answer(http.StatusUnprocessableEntity)
		return order{}, &a
	}
	var o order
	d := &o.detail
	d.OwnerName = r.text("dest_account_owner_full_name")
	d.DocumentType = r.choice("dest_account_owner_identification_type", "CC", "CE", "PA", "NIT") // CC-12, CC-15
	d.DocumentNumber = r.text("dest_account_owner_identification_number")
	d.AccountType = r.choice("dest_account_type", "saving_account", "checking_account", "electronic_deposit") // CC-10
	d.AccountNumber = r.text("dest_account_number")
	o.sum, d.Amount = r.money("amount", c.Mode("unit"))
	d.Bank = r.text("dest_bank")
	if _, listed := bankNames[d.Bank]; !listed {
		r.refuse("dest_bank", "The bank is not available.")
	}
	d.Token = r.text("idempotency_token")
	d.Description = r.optional("description")
	d.OriginAccount = r.optional("origin_account")
	if _, given := r.fields["origin_account_token"]; given { // the name that it has in the history's query (CC-08)
		r.refuse("origin_account_token", "This field is not known.")
	}
	return o, r.refusal
}
