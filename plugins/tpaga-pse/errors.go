package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// refusals says what the statuses of POST /public/charge mean by which nothing was executed. Every other one is
// unknown: 408 and 502 because the charge can exist (TP-01, TP-02), and the other 5XX, of which Tpaga says that
// the same request can safely be sent again.
var refusals = map[int]struct {
	code provider.Code
	why  string
}{
	http.StatusBadRequest:          {provider.CodeInvalid, "it cannot read the request"},
	http.StatusUnauthorized:        {provider.CodeUnauthorized, "it refuses a token that it has just issued; Tpaga has to look at this client's credentials"},
	http.StatusForbidden:           {provider.CodeUnauthorized, "this client may not make charges; Tpaga has to permit it"},
	http.StatusNotFound:            {provider.CodeUnavailable, "it has no such endpoint; is base_url right?"},
	http.StatusMethodNotAllowed:    {provider.CodeUnavailable, "it has no such endpoint; is base_url right?"},
	http.StatusNotAcceptable:       {provider.CodeUnavailable, "it refuses to answer in JSON"},
	http.StatusConflict:            {provider.CodeUnavailable, "it could not register the charge at PSE and has closed it as failed"},
	http.StatusGone:                {provider.CodeUnavailable, "its endpoint has been removed; is base_url right?"},
	http.StatusUnprocessableEntity: {provider.CodeInvalid, "it refuses the request's data"},
	http.StatusTooManyRequests:     {provider.CodeUnavailable, "it takes no more requests for now"},
}

// fields names our field for each of Tpaga's.
var fields = map[string]string{
	"bank_code":          "payer.bank",
	"amount":             "amount",
	"vat_amount":         "tax",
	"description":        "description",
	"user_type":          "payer.kind",
	"buyer_email":        "payer.email",
	"buyer_full_name":    "payer.name",
	"document_type":      "payer.document.type",
	"document_number":    "payer.document.number",
	"redirect_url":       "return_url",
	"buyer_phone_number": "payer.phone",
}

// chargeError says what an answer to POST /public/charge that is no success means.
func chargeError(resp *rest.Response) error {
	e := unclear(tokenIn(resp.Body, "token"), "it answered %d, which does not say whether the charge exists", resp.Status)
	if r, ok := refusals[resp.Status]; ok {
		e.Code, e.Message = r.code, "Tpaga: "+r.why
	}
	e.ProviderCode = strconv.Itoa(resp.Status)
	switch resp.Status {
	case http.StatusUnprocessableEntity:
		blame(e, resp)
	case http.StatusRequestTimeout, http.StatusBadGateway:
		return known(e)
	}
	return e
}

// known adds to an unclear error that Tpaga has the order_id: sent again it answers 408, so it is not
// (document, "POST /public/charge", its answers 408 and 502; TP-01, TP-02).
func known(err error) error {
	if err == nil {
		return nil
	}
	e := *provider.AsError(err)
	e.NoResend = e.Code == provider.CodeUnknown
	return &e
}

// blame adds the field that a 422 names. Its texts are in Spanish and quote the value: they are neither matched
// (TP-11) nor shown.
func blame(e *provider.Error, resp *rest.Response) {
	var body struct {
		Field string `json:"field"`
	}
	if resp.Decode(&body) != nil {
		return
	}
	ours, known := fields[body.Field]
	switch {
	case known:
		e.Field, e.Message = ours, fmt.Sprintf("Tpaga refuses %s (its %s)", ours, body.Field)
		e.ProviderCode += " " + body.Field
	case body.Field == "order_id":
		// It is always well-formed, so what is wrong with it can only be that it exists.
		*e = *unclear(e.Reference, "it refuses the order_id: a charge may exist under it")
		e.ProviderCode = "422 order_id"
	case body.Field == "non_field_errors":
		e.Message, e.ProviderCode = "Tpaga refuses the request's fields taken together", "422 non_field_errors"
	}
}

// readError says what an answer that is no success means when nothing but reading was asked for.
func readError(resp *rest.Response, what string) error {
	e := provider.Errorf(provider.CodeUnavailable, "Tpaga: it answered %d when asked for %s", resp.Status, what)
	if resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden {
		e.Code = provider.CodeUnauthorized
		e.Message += "; Tpaga has to look at this client's credentials and permissions"
	}
	e.ProviderCode = strconv.Itoa(resp.Status)
	return e
}

// unclear is the error for an answer that does not say what became of a charge. reference is the charge's token,
// "" where it is not known.
func unclear(reference, format string, args ...any) *provider.Error {
	e := provider.Errorf(provider.CodeUnknown, "Tpaga: "+format, args...)
	e.Reference = reference
	return e
}

// asUnknown takes from an error of reading any claim about the charge that it was for.
func asUnknown(err error, reference string) error {
	e := *provider.AsError(err)
	e.Code, e.Reference = provider.CodeUnknown, reference
	return &e
}

// lookupError is asUnknown for Lookup, where that our credentials were refused stays: it is about us.
func lookupError(err error) error {
	if provider.CodeOf(err) == provider.CodeUnauthorized {
		return err
	}
	return asUnknown(err, "")
}

var (
	// tokenForm bounds what is put into a path; the document says no more than "max 255 characters".
	tokenForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,255}$`)
	// tokenText finds a token in text that is not the JSON that it should be.
	tokenText = regexp.MustCompile(`\bpse-[0-9a-f]{32}\b`)
)

func isToken(s string) bool { return tokenForm.MatchString(s) }

// tokenIn returns the charge token under key of a JSON object, or else the first text that has the form of one;
// "" where there is none.
func tokenIn(body []byte, key string) string {
	var object map[string]json.RawMessage
	var token string
	if json.Unmarshal(body, &object) == nil && json.Unmarshal(object[key], &token) == nil && isToken(token) {
		return token
	}
	return string(tokenText.Find(body))
}
