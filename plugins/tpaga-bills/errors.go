package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"

	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// verdict is what one of Tpaga's codes means.
type verdict struct {
	code  provider.Code
	field string // ours
	why   string
}

// refusals says what the HTTP statuses mean by which nothing was executed, for a body without a payment's status.
// Every other one is unknown when a bill was to be paid, 5XX among them: the document says that the same request
// can safely be sent again, not that it was not executed (TB-01).
var refusals = map[int]verdict{
	http.StatusUnauthorized:        {provider.CodeUnauthorized, "", badCredentials},
	http.StatusPaymentRequired:     {provider.CodeExhausted, "", "the account has no funds left; it has to be topped up"}, // to a query, too (TB-12)
	http.StatusForbidden:           {provider.CodeUnauthorized, "", noPermission},
	http.StatusUnprocessableEntity: {provider.CodeInvalid, "", "it refuses the request's data"},
	http.StatusTooManyRequests:     {provider.CodeUnavailable, "", "it takes no more requests for now"},
}

const (
	badCredentials = "it refuses the credentials, fresh ones too; check auth, or Tpaga has to look at them"
	noPermission   = "this client may not do this; Tpaga has to permit it"
)

// billCodes are the values of billcheck_error_code.
var billCodes = map[string]verdict{
	"expired_bill":         {provider.CodeDeclined, "bill.reference", "the bill has expired"},
	"already_paid_bill":    {provider.CodeDeclined, "bill.reference", "the bill has already been paid"},
	"bill_does_not_exist":  {provider.CodeInvalid, "bill.reference", "it has no such bill"},
	"invalid_field_length": {provider.CodeInvalid, "bill.reference", "the bill's reference is too long"},
	"bill_cannot_be_paid":  {provider.CodeUnavailable, "", "it has trouble with the payment of this biller's bills"},
	"try_again_later":      {provider.CodeUnavailable, "", "the bill cannot be had now, only later"},
}

const succeeded json.Number = "0"

// results are the values of result_code that say more than "rejected".
var results = map[json.Number]verdict{
	"13":   {provider.CodeInvalid, "amount", "the amount is invalid"},
	"82":   {provider.CodeInvalid, "bill.reference", "it has no such bill"},
	"84":   {provider.CodeDeclined, "bill.reference", "the bill has already been paid"},
	"8000": {provider.CodeInvalid, "amount", "the amount is not the bill's; query the bill again"},
}

// fields names our field for each of Tpaga's, which has two names for some of them (TB-11).
var fields = map[string]string{
	"amount":               "amount",
	"utility_provider":     "bill.biller",
	"service_provider_id":  "bill.biller",
	"short_bill_reference": "bill.reference",
	"bill_reference":       "bill.reference",
}

// paymentError says what an answer to POST /pay_bill means whose body has no payment's status, or that of a
// rejected one.
func paymentError(resp *rest.Response, r reply) error {
	e := unclear("it answered %d, which does not say whether the bill was paid", resp.Status)
	e.ProviderCode = strconv.Itoa(resp.Status)
	if refused, ok := refusals[resp.Status]; ok {
		refused.tell(e)
	}
	if resp.Status == http.StatusUnprocessableEntity {
		blame(e, r)
	}
	return e
}

// billError says what an answer to the query of a bill that is no success means.
func billError(resp *rest.Response) error {
	e := unavailable("it answered %d when asked for a bill", resp.Status)
	e.ProviderCode = strconv.Itoa(resp.Status)
	if refused, ok := refusals[resp.Status]; ok {
		refused.tell(e)
	}
	switch resp.Status {
	case http.StatusPreconditionFailed:
		verdict{provider.CodeInvalid, "bill.biller", "it has no way to pay this bill for now"}.tell(e)
	case http.StatusUnprocessableEntity:
		blame(e, readReply(resp))
	}
	return e
}

func (v verdict) tell(e *provider.Error) {
	e.Code, e.Field, e.Message = v.code, v.field, "Tpaga: "+v.why
}

// word bounds what is repeated of Tpaga's codes, so that it can be no personal data.
var word = regexp.MustCompile(`^[a-z_]{1,64}$`)

// blame adds what a 422 names: by its codes, else by its field. Its texts are neither matched nor shown.
func blame(e *provider.Error, r reply) {
	ours, known := fields[r.Field]
	if known {
		verdict{provider.CodeInvalid, ours, "it refuses " + ours + " (its " + r.Field + ")"}.tell(e)
	}
	if result, known := results[r.ResultCode]; known {
		result.tell(e)
		e.ProviderCode += " " + r.ResultCode.String()
	}
	if v, known := billCodes[r.BillCode]; known {
		v.tell(e)
	}
	if r.Field == "idempotency_token" {
		// It is always well-formed, so what is wrong with it can only be that it exists.
		e.Code, e.Message = provider.CodeUnknown, "Tpaga: it refuses the idempotency token: a payment may exist under it"
	}
	for _, code := range []string{r.BillCode, r.Field} {
		if word.MatchString(code) {
			e.ProviderCode += " " + code
		}
	}
}

// readError says what an answer that is no success means when nothing but reading was asked for.
func readError(resp *rest.Response, what string) error {
	e := unavailable("it answered %d when asked for %s", resp.Status, what)
	e.ProviderCode = strconv.Itoa(resp.Status)
	if resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden {
		refusals[resp.Status].tell(e)
	}
	return e
}

// notSent is the error of reading something when nothing is handed over: whatever became of the reading, no bill
// was paid.
func notSent(err error) error {
	e := *provider.AsError(err)
	if e.Code == provider.CodeUnknown {
		e.Code = provider.CodeUnavailable
	}
	return &e
}

// asUnknown takes from an error of a look-up any claim about the payment that it was for. That our credentials were
// refused stays: it is about us.
func asUnknown(err error) error {
	e := *provider.AsError(err)
	if e.Code != provider.CodeUnauthorized {
		e.Code = provider.CodeUnknown
	}
	return &e
}

func invalid(field, why string) error {
	return &provider.Error{Code: provider.CodeInvalid, Message: "Tpaga bills " + why, Field: field}
}

func unavailable(format string, args ...any) *provider.Error {
	return provider.Errorf(provider.CodeUnavailable, "Tpaga: "+format, args...)
}

// unclear is the error for an answer that does not say what became of a payment.
func unclear(format string, args ...any) *provider.Error {
	return provider.Errorf(provider.CodeUnknown, "Tpaga: "+format, args...)
}
