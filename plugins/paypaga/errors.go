package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// refusal is what an answer to a create that is no success means.
type refusal struct {
	code provider.Code
	why  string
	// ask tells that the answer can also leave a pay-in behind: it holds once a search finds nothing.
	ask bool
}

// refusals says by which statuses nothing was executed (PP-14). Every other one is unknown: of 5XX PayPaga promises
// nothing, and 409 says that there is a pay-in under the reference.
var refusals = map[int]refusal{
	http.StatusBadRequest:          {provider.CodeInvalid, "it refuses the request's data", false},
	http.StatusUnauthorized:        {provider.CodeUnauthorized, "it refuses a token that it has just issued; PayPaga has to look at this client's credentials", false},
	http.StatusPaymentRequired:     {provider.CodeUnavailable, "it could not process the request", true},
	http.StatusForbidden:           {provider.CodeUnauthorized, "this client may not make pay-ins; PayPaga has to permit it", false},
	http.StatusNotFound:            {provider.CodeUnavailable, "it has no such endpoint; is base_url right?", false},
	http.StatusUnprocessableEntity: {provider.CodeInvalid, "it refuses the request's data", true},
	http.StatusTooManyRequests:     {provider.CodeUnavailable, "it takes no more requests for now", true},
}

// Codes of PayPaga's errors that mean more than their HTTP status.
const (
	referenceExists = "MERCHANT_REFERENCE_ALREADY_EXISTS"
	notFound        = "NOT_FOUND"
	notConfigured   = "CONFIGURATION_NOT_AVAILABLE"
	validationError = "VALIDATION_ERROR"
)

// failure is the error that PayPaga answers with. What details holds is documented nowhere, and message can quote
// the payer: it is not shown.
type failure struct {
	Code    string `json:"code"`
	Details any    `json:"details"`
}

// errorIn reads the error of an answer; zero where there is none that can be read.
func errorIn(resp *rest.Response) failure {
	var body struct {
		Error failure `json:"error"`
	}
	if resp.Decode(&body) != nil || !word.MatchString(body.Error.Code) {
		return failure{}
	}
	return body.Error
}

// codeAfter is the provider's code of an answer: its HTTP status and the error's code.
func (f failure) codeAfter(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + f.Code)
}

// word is what can be a code, and no personal data.
var word = regexp.MustCompile(`^[A-Z][A-Z_]{0,63}$`)

// payInError says what an answer to a create that is no success means, and whether that holds only once a search by
// the reference finds nothing.
func payInError(resp *rest.Response) (e *provider.Error, ask bool) {
	e = unclear("", "it answered %d, which does not say whether the pay-in exists", resp.Status)
	r, known := refusals[resp.Status]
	if known {
		e.Code, e.Message = r.code, "PayPaga: "+r.why
	}
	f := errorIn(resp)
	e.ProviderCode = f.codeAfter(resp.Status)
	switch {
	case resp.Status == http.StatusBadRequest && f.Code == notConfigured:
		e.Code, e.Message = provider.CodeUnavailable, "PayPaga: pay-ins by pse are not enabled for this merchant; PayPaga has to enable them"
	case e.Code == provider.CodeInvalid && f.Code == validationError:
		blame(e, f.Details)
	}
	return e, r.ask
}

// ourFields names our field for each of PayPaga's, in the order in which they are looked for.
var ourFields = []struct{ theirs, ours string }{
	{"first_name", "payer.first_name"}, {"last_name", "payer.last_name"},
	{"document_type", "payer.document.type"}, {"document_number", "payer.document.number"},
	{"bank_code", "payer.bank"}, {"email", "payer.email"}, {"phone", "payer.phone"}, {"address", "payer.address"},
	{"amount", "amount"}, {"country", "country"}, {"currency", "currency"}, {"payment_method", "method"},
	{"merchant_order_reference", "reference"}, {"merchant_customer_id", "payer.id"}, {"customer_ip", "payer.ip"},
	{"success_url", "return_url"}, {"failure_url", "failure_url"}, {"cancel_url", "cancel_url"},
}

// blame adds the field that a validation error names: as a member, or as a text that is its name or ends with it.
func blame(e *provider.Error, details any) {
	named := map[string]bool{}
	collect(details, named)
	for _, f := range ourFields {
		if named[f.theirs] {
			e.Field, e.Message = f.ours, fmt.Sprintf("PayPaga refuses %s (its %s)", f.ours, f.theirs)
			e.ProviderCode += " " + f.theirs
			return
		}
	}
}

// collect gathers the last parts of every member's name and every text in v.
func collect(v any, named map[string]bool) {
	last := func(path string) string { return path[strings.LastIndexAny(path, "./")+1:] }
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			named[last(name)] = true
			collect(member, named)
		}
	case []any:
		for _, element := range v {
			collect(element, named)
		}
	case string:
		named[last(v)] = true
	}
}

// readError says what an answer that is no success means when nothing but reading was asked for.
func readError(resp *rest.Response, what string) error {
	e := provider.Errorf(provider.CodeUnavailable, "PayPaga: it answered %d when asked for %s", resp.Status, what)
	if resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden {
		e.Code = provider.CodeUnauthorized
		e.Message += "; PayPaga has to look at this client's credentials and permissions"
	}
	e.ProviderCode = errorIn(resp).codeAfter(resp.Status)
	return e
}

// asUnknown takes from an error of a look-up any claim about the pay-in that it was for. That our credentials were
// refused stays: it is about us.
func asUnknown(err error) error {
	e := *provider.AsError(err)
	if e.Code != provider.CodeUnauthorized {
		e.Code = provider.CodeUnknown
	}
	return &e
}

func invalid(field, why string) error {
	return &provider.Error{Code: provider.CodeInvalid, Message: "PayPaga " + why, Field: field}
}

// unclear is the error for an answer that does not say what became of a pay-in. reference is its transaction_id, ""
// where it is not known.
func unclear(reference, format string, args ...any) *provider.Error {
	e := provider.Errorf(provider.CodeUnknown, "PayPaga: "+format, args...)
	e.Reference = reference
	return e
}
