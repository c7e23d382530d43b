package main

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// refusals says what the statuses of POST /transactions/create mean by which nothing was executed; 409 is a
// failed transfer. Every other one is unknown, 5XX among them: the document says that the same request can
// safely be sent again, not that it was not executed.
var refusals = map[int]struct {
	code provider.Code
	why  string
}{
	http.StatusUnauthorized:        {provider.CodeUnauthorized, badToken},
	http.StatusForbidden:           {provider.CodeUnauthorized, noPermission},
	http.StatusUnprocessableEntity: {provider.CodeInvalid, "it refuses the request's data"},
	http.StatusTooManyRequests:     {provider.CodeUnavailable, "it takes no more requests for now"},
}

// The token neither expires nor can it be had anew by a program (CC-18): a person has to act.
const (
	badToken     = "it refuses the token; check token, auth_scheme and base_url, or ask Tpaga's operations team for another token"
	noPermission = "the token may not do this; Tpaga's support team has to permit it"
)

// fields names our field for each of the API's.
var fields = map[string]string{
	"dest_account_owner_full_name":             "payee.name",
	"dest_account_owner_identification_type":   "payee.document.type",
	"dest_account_owner_identification_number": "payee.document.number",
	"dest_account_type":                        "payee.account.type",
	"dest_account_number":                      "payee.account.number",
	"amount":                                   "amount",
	"dest_bank":                                "payee.bank",
	"description":                              "description",
}

// transferError says what an answer to POST /transactions/create that is no success means.
func transferError(resp *rest.Response) error {
	e := unclear("it answered %d, which does not say whether the transfer was made", resp.Status)
	if r, ok := refusals[resp.Status]; ok {
		e.Code, e.Message = r.code, "Coopcentral: "+r.why
	}
	e.ProviderCode = strconv.Itoa(resp.Status)
	if resp.Status == http.StatusUnprocessableEntity {
		blame(e, errorBody(resp))
	}
	return e
}

// blame adds the field and the code that a 422 names. Its text can quote the value: it is not shown.
func blame(e *provider.Error, f failure) {
	if f.Code != "" {
		e.ProviderCode += " " + f.Code
	}
	ours, known := fields[f.Field]
	switch {
	case known:
		e.Field, e.Message = ours, fmt.Sprintf("Coopcentral refuses %s (its %s)", ours, f.Field)
	case f.Field == "origin_account":
		e.Message = "Coopcentral refuses the account that the provider's origin_account names"
	case f.Field == "idempotency_token":
		// It is always well-formed, so what is wrong with it can only be that it exists.
		e.Code, e.Message = provider.CodeUnknown, "Coopcentral refuses the idempotency token: a transfer may exist under it"
	}
}

// errorBody is the body of an answer that is no success, as far as it can be read. What is not of the form of a
// code or a field's name is left out.
func errorBody(resp *rest.Response) failure {
	var f failure
	if resp.Decode(&f) != nil || !isWord(f.Code) || !isWord(f.Field) {
		return failure{}
	}
	return f
}

// isWord reports whether s can be a code or a field's name, and not personal data.
func isWord(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return false
		}
	}
	return len(s) <= 64 && !digits.MatchString(s)
}

// readError says what an answer that is no success means when nothing but reading was asked for.
func readError(resp *rest.Response, what string) error {
	e := provider.Errorf(provider.CodeUnavailable, "Coopcentral: it answered %d when asked for %s", resp.Status, what)
	switch resp.Status {
	case http.StatusUnauthorized:
		e.Code, e.Message = provider.CodeUnauthorized, "Coopcentral: "+badToken
	case http.StatusForbidden:
		e.Code, e.Message = provider.CodeUnauthorized, "Coopcentral: "+noPermission
	}
	e.ProviderCode = strconv.Itoa(resp.Status)
	return e
}

// notSent is the error of reading something before a transfer is handed over: whatever became of the reading,
// there is no transfer.
func notSent(err error) error {
	e := *provider.AsError(err)
	if e.Code == provider.CodeUnknown {
		e.Code = provider.CodeUnavailable
	}
	return &e
}

// asUnknown takes from an error of a look-up any claim about the transfer that it was for. That our credentials
// were refused stays: it is about us.
func asUnknown(err error) error {
	e := *provider.AsError(err)
	if e.Code != provider.CodeUnauthorized {
		e.Code = provider.CodeUnknown
	}
	return &e
}

func invalid(field, why string) error {
	return &provider.Error{Code: provider.CodeInvalid, Message: "Coopcentral " + why, Field: field}
}

// unclear is the error for an answer that does not say what became of a transfer.
func unclear(format string, args ...any) *provider.Error {
	return provider.Errorf(provider.CodeUnknown, "Coopcentral: "+format, args...)
}
