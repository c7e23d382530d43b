package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// refusal is what an answer to POST /payin that is no success means.
type refusal struct {
	code provider.Code
	why  string
	// ask tells that the answer can also mean "this reference exists": it holds once a look-up finds nothing.
	ask bool
}

// refusals says by which statuses nothing was executed; TumiPay documents none of them. Every other one is unknown:
// 408 and 5XX because the call may still be under way, 409 because a pay-in exists under the reference.
var refusals = map[int]refusal{
	http.StatusBadRequest:          {provider.CodeInvalid, "it refuses the request's data", true},
	http.StatusUnauthorized:        {provider.CodeUnauthorized, badCredentials, false},
	http.StatusForbidden:           {provider.CodeUnauthorized, noPermission, false},
	http.StatusNotFound:            {provider.CodeUnavailable, "it has no such endpoint; are base_url and api_version right?", false},
	http.StatusUnprocessableEntity: {provider.CodeInvalid, "it refuses the request's data", true},
	http.StatusTooManyRequests:     {provider.CodeUnavailable, "it takes no more requests for now", true},
}

const (
	badCredentials = "it refuses the credentials; check username, password, token_top and base_url"
	noPermission   = "the credentials may not do this; TumiPay's support has to permit it"
)

// payinError says what an answer to POST /payin that is no success means, and whether that holds only once a look-up
// by the reference finds nothing.
func payinError(resp *rest.Response) (e *provider.Error, ask bool) {
	e = unclear("", "it answered %d, which does not say whether the pay-in exists", resp.Status)
	r, known := refusals[resp.Status]
	if known {
		e.Code, e.Message = r.code, "TumiPay: "+r.why
	}
	e.ProviderCode = strconv.Itoa(resp.Status)
	if body, err := readEnvelope(resp); err == nil {
		e.ProviderCode = body.codeAfter(resp.Status)
	}
	return e, r.ask
}

// codeAfter is the provider's code of an answer: its HTTP status and the envelope's code. Messages can quote the
// payer: they are not shown.
func (e envelope) codeAfter(status int) string {
	if !word.MatchString(e.Code) {
		return strconv.Itoa(status)
	}
	return fmt.Sprintf("%d %s", status, e.Code)
}

// notFound finds in a message that there is no such transaction. What TumiPay answers then is documented nowhere.
var notFound = regexp.MustCompile(`(?i)not[ _]?(found|exist)|\bno (fue |se |ha sido )?(encontr|exist)|\binexistente`)

// readError says what an answer that is no success means when nothing but reading was asked for.
func readError(resp *rest.Response, what string) error {
	e := provider.Errorf(provider.CodeUnavailable, "TumiPay: it answered %d when asked for %s", resp.Status, what)
	switch resp.Status {
	case http.StatusUnauthorized:
		e.Code, e.Message = provider.CodeUnauthorized, "TumiPay: "+badCredentials
	case http.StatusForbidden:
		e.Code, e.Message = provider.CodeUnauthorized, "TumiPay: "+noPermission
	case http.StatusNotFound:
		e.Message += "; is base_url right?"
	}
	e.ProviderCode = strconv.Itoa(resp.Status)
	if body, err := readEnvelope(resp); err == nil {
		e.ProviderCode = body.codeAfter(resp.Status)
	}
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
	return &provider.Error{Code: provider.CodeInvalid, Message: "TumiPay " + why, Field: field}
}

// unclear is the error for an answer that does not say what became of a pay-in. reference is its ticket, "" where it
// is not known.
func unclear(reference, format string, args ...any) *provider.Error {
	e := provider.Errorf(provider.CodeUnknown, "TumiPay: "+format, args...)
	e.Reference = reference
	return e
}

var (
	// word is what can be a code, and no personal data.
	word = regexp.MustCompile(`^([0-9]{1,4}|[A-Z][A-Z_]{0,63})$`)
	// ticketForm bounds what is put into a path; a ticket is opaque (TM-13).
	ticketForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,255}$`)
	// keyForm is that of a reference which every JSON writer writes alike (TM-08).
	keyForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
)

// ticketOf returns a ticket that can be asked for, else "": then the pay-in is asked for by our reference.
func ticketOf(s string) string {
	if !ticketForm.MatchString(s) {
		return ""
	}
	return s
}

func isKey(s string) bool { return keyForm.MatchString(s) }
