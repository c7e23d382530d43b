// Package sandbox simulates TumiPay's pay-ins for Colombia (https://docs.tumipay.co) on the kit of provider/sandbox,
// whose control protocol drives it. It answers as the document says, contradictions included.
//
// Its paths begin with /api, or as on staging with /production/api. Every call needs a Basic authentication, a
// Token-Top and Content-Type: application/json; any values are good but an empty one and "wrong".
//
// A pay-in's payment_url opens a page where a person approves or declines. The e-mails approved@tumipay.co and
// tumipay@tumipay.co approve it at once, after the answer. One that nobody decides on expires after expiration_time
// minutes on the sandbox's clock (720; with BREB 15). Webhooks go to the request's ipn_url.
//
// Where the document is silent or contradicts itself, POST /_sandbox/mode {"name","value"} chooses; GET lists:
//
//	unit              what one unit of an amount is: cent or peso. The ledger has pesos
//	pse_min           2000.00, efecty_min 10000.00, max_amount 2000000.00: the limits, in pesos
//	refusal           400, 422, or 200: the HTTP status of a refused request; its code is "02"
//	duplicate         refused, 409, or second: another pay-in under the same reference
//	unknown           404, or 200 with the code "02": a look-up of a transaction that does not exist
//	permission        granted, or denied: 403
//	emails            page: other e-mails than the magic ones wait for the page; strict: they are rejected at once
//	ticket            short: 15 characters; uuid
//	echo              exact, reference (a leading "1"), or currency (PEN): what the answer to a create repeats
//	breb              url: BREB is answered with account_number and payment_url; key: without payment_url
//	payer_amount      asked, or changed: who approves pays 1,000 pesos more, as a Bre-B payer can
//	pending_word      PENDING or CREATED
//	approved_word     APPROVED or COMPLETED
//	rejected_word     REJECTED, DECLINED, FAILED, CANCELLED or ERROR
//	webhooks          final, or changes: one when the pay-in is made, too
//	signature         valid, wrong or missing
//
// What needs no mode: the fault webhook_forged claims APPROVED with a signature that is valid, because it does not
// cover the status.
package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

type (
	call        = sandbox.Call[payin]
	books       = sandbox.Books[payin]
	transaction = sandbox.Transaction[payin]
)

// New returns the sandbox as a handler that is also an io.Closer. state is the file that keeps its pay-ins over a
// restart; "" = memory only.
func New(state string) (http.Handler, error) { return open(state, nil) }

func open(state string, now func() time.Time) (*sandbox.Sandbox[payin], error) {
	var endpoints []sandbox.Endpoint[payin]
	for _, base := range []string{"/api", "/production/api"} { // TM-03
		for _, e := range []sandbox.Endpoint[payin]{
			{Kind: sandbox.Create, Method: http.MethodPost, Path: "/v1/payin", Handle: create},
			{Kind: sandbox.Create, Method: http.MethodPost, Path: "/v2/payin", Handle: create}, // TM-02
			{Kind: sandbox.Lookup, Method: http.MethodGet, Path: "/v1/transaction/{id}", Handle: lookUp},
			{Kind: sandbox.Banks, Method: http.MethodGet, Path: "/v1/pse/banks", Handle: listBanks},
			{Kind: sandbox.Balance, Method: http.MethodGet, Path: "/v1/merchant/me", Handle: merchant},
		} {
			e.Path, e.Handle = base+e.Path, guarded(e.Handle)
			endpoints = append(endpoints, e)
		}
	}
	return sandbox.New(sandbox.Options[payin]{
		Name: "tumipay", Endpoints: endpoints,
		Settle: settle, Webhook: webhook, Page: page, Modes: modes, State: state, Now: now,
	})
}

var modes = []sandbox.Mode{
	{Name: "unit", Default: "cent", OneOf: []string{"cent", "peso"}, Doc: "what one unit of an amount is"},
	{Name: "pse_min", Default: "2000.00", Check: checkAmount, Doc: "the least amount by PSE, inclusive"},
	{Name: "efecty_min", Default: "10000.00", Check: checkAmount, Doc: "the least amount by EFECTY, inclusive"},
	{Name: "max_amount", Default: "2000000.00", Check: checkAmount, Doc: "the greatest amount, inclusive"},
	{Name: "refusal", Default: "400", OneOf: []string{"400", "422", "200"}, Doc: "the HTTP status of a refused request"},
	{Name: "duplicate", Default: "refused", OneOf: []string{"refused", "409", "second"}, Doc: "what a known reference does"},
	{Name: "unknown", Default: "404", OneOf: []string{"404", "200"}, Doc: "the answer to a look-up of an unknown transaction"},
	{Name: "permission", Default: "granted", OneOf: []string{"granted", "denied"}, Doc: "denied answers 403"},
	{Name: "emails", Default: "page", OneOf: []string{"page", "strict"}, Doc: "strict rejects what has no magic e-mail at once"},
	{Name: "ticket", Default: "short", OneOf: []string{"short", "uuid"}, Doc: "the form of a ticket"},
	{Name: "echo", Default: "exact", OneOf: []string{"exact", "reference", "currency"}, Doc: "what the answer to a create repeats wrongly"},
	{Name: "breb", Default: "url", OneOf: []string{"url", "key"}, Doc: "key answers BREB without a payment_url"},
	{Name: "payer_amount", Default: "asked", OneOf: []string{"asked", "changed"}, Doc: "changed: who approves pays 1,000 pesos more"},
	{Name: "pending_word", Default: "PENDING", OneOf: []string{"PENDING", "CREATED"}, Doc: "the word for a pay-in that waits"},
	{Name: "approved_word", Default: "APPROVED", OneOf: []string{"APPROVED", "COMPLETED"}, Doc: "the word for a paid one"},
	{Name: "rejected_word", Default: "REJECTED", OneOf: []string{"REJECTED", "DECLINED", "FAILED", "CANCELLED", "ERROR"}, Doc: "the word for a refused one"},
	{Name: "webhooks", Default: "final", OneOf: []string{"final", "changes"}, Doc: "changes sends one when a pay-in is made, too"},
	{Name: "signature", Default: "valid", OneOf: []string{"valid", "wrong", "missing"}, Doc: "the webhooks' x-trx-signature"},
}

func checkAmount(value string) error {
	m, err := payment.ParseMoney(value)
	if err == nil && m.Minor() < 0 {
		err = errors.New("it is negative")
	}
	return err
}

// guarded asks for the headers and the permission.
func guarded(handle func(*call) sandbox.Answer) func(*call) sandbox.Answer {
	return func(c *call) sandbox.Answer {
		header := c.Request.Header
		user, password, _ := c.Request.BasicAuth()
		token := header.Get("Token-Top")
		contentType, _, _ := strings.Cut(header.Get("Content-Type"), ";")
		switch {
		case user == "" || password == "" || password == sandbox.WrongSecret || token == "" || token == sandbox.WrongSecret:
			return failed(http.StatusUnauthorized, "Credenciales inválidas")
		case contentType != "application/json":
			return failed(http.StatusUnsupportedMediaType, "Content-Type debe ser application/json")
		case c.Mode("permission") == "denied":
			return failed(http.StatusForbidden, "No tiene permisos para realizar esta acción")
		}
		return handle(c)
	}
}

// envelope is around every answer. Its status is the call's, never the payment's (TM-05).
type envelope struct {
	Code    string `json:"code"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

func success(data any) sandbox.Answer {
	return sandbox.JSON(http.StatusOK, envelope{"01", "SUCCESS", "Operacion exitosa", data})
}

// failed answers with an error. The document names neither its codes nor its HTTP statuses.
func failed(status int, message string) sandbox.Answer {
	return sandbox.JSON(status, envelope{"02", "ERROR", message, []any{}})
}

func listBanks(*call) sandbox.Answer { return success(banks) }

func merchant(*call) sandbox.Answer {
	return success(struct {
		Name     string      `json:"name"`
		NIT      string      `json:"nit"`
		Email    string      `json:"email"`
		Currency string      `json:"currency"`
		Wallet   json.Number `json:"wallet"`
	}{"Comercio de prueba", "900123456", "comercio@tumipay.co", "COP", "0"})
}
