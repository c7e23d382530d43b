// Package sandbox simulates Tpaga's bill payments API (https://api-bill-payments.docs.tpaga.co) on the kit of
// provider/sandbox, whose control protocol drives it. It answers as the document says, contradictions included.
//
// OAuth takes any client id and secret but the secret "wrong"; tokens live 3,600 s. The document's test references
// do at every agreement what its two tables say. Every other reference of 1 to 20 characters is a bill that can be
// paid. A bill's amount can be paid only, unless its agreement is editable or its reference is 000000. What is in
// progress is authorized after a minute on the sandbox's clock, or as POST /_sandbox/settle says.
//
// Where the document is silent or contradicts itself, POST /_sandbox/mode {"name","value"} chooses; GET lists:
//
//	auth           oauth2, or api_key: "Basic" and any api-key but "wrong" in base64
//	permission     granted, or denied: 403
//	balance        what bills can be paid with, in whole pesos; each payment that is not rejected lowers it
//	max_loan       how far below zero the balance may go
//	agreements     how many there are; the first 6 are always the same, page by page of at most 500
//	bill_amount    of every bill: 12300.00
//	payable_until  date, null or absent
//	paid           again: a bill can be paid more than once, and the ledger tells; once: then it is already_paid_bill
//	mismatch       another amount than the bill's: rejected (503 REJECTED) or invalid (422), with result code 8000
//	progress       ends: what is in progress is authorized after a minute; or stays
//	result_code    of a success: null or 0
//	known_token    original: 409 with the first payment, whatever else the call says; or strict: 422 where payment_token or
//	               payment_origin differ
//	unknown_token  404 or 422 for a look-up of a payment that does not exist
//	gateway        json, or html: a gateway's page in place of the bodies of 502 and 503
//	slash          both: paths are good with and without a slash at the end; redirect: without one they get a 301
package sandbox

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

const (
	basePath = "/api/gateway_bill_payment/v1"
	// tokenLifetime is the document's expires_in.
	tokenLifetime = 3600 * time.Second
)

type (
	call        = sandbox.Call[billPayment]
	books       = sandbox.Books[billPayment]
	transaction = sandbox.Transaction[billPayment]
)

// New returns the sandbox as a handler that is also an io.Closer. state is the file that keeps its payments over a
// restart; "" = memory only.
func New(state string) (http.Handler, error) { return open(state, nil) }

func open(state string, now func() time.Time) (*sandbox.Sandbox[billPayment], error) {
	endpoints := sandbox.OAuthEndpoints[billPayment](sandbox.OAuth{
		TokenPath: "/o/token/{$}", RevokePath: "/o/revoke_token/{$}", Lifetime: tokenLifetime, Scope: "read write",
	})
	for _, e := range []sandbox.Endpoint[billPayment]{
		{Kind: sandbox.Balance, Method: http.MethodGet, Path: "/merchant/balance", Handle: showBalance},
		{Kind: sandbox.Billers, Method: http.MethodGet, Path: "/utility_providers", Handle: listAgreements},
		{Kind: sandbox.Bill, Method: http.MethodGet, Path: "/utility_providers/{biller}/bills/{reference}", Handle: showBill},
		{Kind: sandbox.Create, Method: http.MethodPost, Path: "/pay_bill", Handle: pay},
		{Kind: sandbox.Lookup, Method: http.MethodGet, Path: "/bill_payment_transactions/{token}", Handle: lookUp},
	} {
		e.Path, e.Handle = basePath+e.Path, guarded(e.Handle)
		slashed := e
		slashed.Path += "/{$}"
		e.Handle = redirecting(e.Handle)
		endpoints = append(endpoints, e, slashed)
	}
	return sandbox.New(sandbox.Options[billPayment]{
		Name: "tpaga-bills", Endpoints: endpoints, Settle: settle, Modes: modes, State: state, Now: now,
	})
}

var modes = []sandbox.Mode{
	{Name: "auth", Default: "oauth2", OneOf: []string{"oauth2", "api_key"}, Doc: "bearer tokens, or an api-key in a Basic header"},
	{Name: "permission", Default: "granted", OneOf: []string{"granted", "denied"}, Doc: "denied answers 403"},
	{Name: "balance", Default: "10000000000", Check: checkPesos, Doc: "what bills can be paid with, less what they were paid with"},
	{Name: "max_loan", Default: "0", Check: checkPesos, Doc: "how far below zero the balance may go"},
	{Name: "agreements", Default: "6", Check: checkAgreements, Doc: "how many agreements there are"},
	{Name: "bill_amount", Default: "12300.00", Check: checkAmount, Doc: "the amount of every bill"},
	{Name: "payable_until", Default: "date", OneOf: []string{"date", "null", "absent"}, Doc: "the deprecated field of a bill"},
	{Name: "paid", Default: "again", OneOf: []string{"again", "once"}, Doc: "how often a bill can be paid, test references apart"},
	{Name: "mismatch", Default: "rejected", OneOf: []string{"rejected", "invalid"}, Doc: "another amount than the bill's: 503 REJECTED or 422"},
	{Name: "progress", Default: "ends", OneOf: []string{"ends", "stays"}, Doc: "what becomes of a payment in progress by itself"},
	{Name: "result_code", Default: "null", OneOf: []string{"null", "0"}, Doc: "the result code of a success"},
	{Name: "known_token", Default: "original", OneOf: []string{"original", "strict"}, Doc: "a known token with another payment_token or payment_origin: 409 or 422"},
	{Name: "unknown_token", Default: "404", OneOf: []string{"404", "422"}, Doc: "the answer to a look-up of an unknown token"},
	{Name: "gateway", Default: "json", OneOf: []string{"json", "html"}, Doc: "html puts a page in place of the bodies of 502 and 503"},
	{Name: "slash", Default: "both", OneOf: []string{"both", "redirect"}, Doc: "redirect answers paths without a slash at the end with 301"},
}

func checkPesos(value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err == nil && (n < 0 || n > maxPesos) {
		err = fmt.Errorf("it is 0 to %d", int64(maxPesos))
	}
	return err
}

func checkAgreements(value string) error {
	n, err := strconv.Atoi(value)
	if err == nil && (n < 0 || n > 100_000) {
		err = errors.New("it is 0 to 100000")
	}
	return err
}

func checkAmount(value string) error {
	m, err := payment.ParseMoney(value)
	if err == nil && m.Minor() <= 0 {
		err = errors.New("it is not greater than 0")
	}
	return err
}

// guarded asks for good credentials and the permission.
func guarded(handle func(*call) sandbox.Answer) func(*call) sandbox.Answer {
	return func(c *call) sandbox.Answer {
		if !authorizedCall(c) {
			return failure{Message: "Invalid authorization token provided"}.answer(http.StatusUnauthorized)
		}
		if c.Mode("permission") == "denied" {
			return failure{Message: "You do not have enough permissions to perform this action, please contact the support team"}.answer(http.StatusForbidden)
		}
		return handle(c)
	}
}

func authorizedCall(c *call) bool {
	if c.Mode("auth") == "oauth2" {
		return c.Authorized()
	}
	encoded, basic := strings.CutPrefix(c.Request.Header.Get("Authorization"), "Basic ")
	key, err := base64.StdEncoding.DecodeString(encoded)
	return basic && err == nil && len(key) > 0 && string(key) != sandbox.WrongSecret
}

// redirecting sends callers to the path with a slash at the end, where the mode says so (TB-06).
func redirecting(handle func(*call) sandbox.Answer) func(*call) sandbox.Answer {
	return func(c *call) sandbox.Answer {
		if c.Mode("slash") == "both" {
			return handle(c)
		}
		target := c.Request.URL.EscapedPath() + "/"
		if query := c.Request.URL.RawQuery; query != "" {
			target += "?" + query
		}
		return sandbox.Answer{Status: http.StatusMovedPermanently, Header: http.Header{"Location": {target}}}
	}
}

// failure is the body of an answer that is no success.
type failure struct {
	Message    string `json:"error_message"`
	BillCode   string `json:"billcheck_error_code,omitzero"`
	Field      string `json:"field,omitzero"`
	ResultCode int    `json:"result_code,omitzero"`
}

func (f failure) answer(status int) sandbox.Answer { return sandbox.JSON(status, f) }
