// Package sandbox simulates PayPaga's PSE pay-ins for Colombia (API V2) on the kit of provider/sandbox, whose control
// protocol drives it. It answers as the documents say, contradictions included; what it has beyond the create
// (retrieve, search, configuration, override, callbacks) has the paths and members that other pages of PayPaga's show
// or suggest.
//
// OAuth takes any client id and secret but the secret "wrong", from the form; tokens live 300 s. Every bank of the
// document's table takes payments; instructions.reference_url opens the bank's page, where a person approves or
// declines, and which leads back to success_url or failure_url. A pay-in that nobody decides on expires after 60 hours
// on the sandbox's clock. There are no magic values: the override call (POST, PUT or PATCH
// /v2/test/transactions/pay-in/{id}/status) or POST /_sandbox/settle decides without the page.
//
// Where the documents are silent or contradict themselves, POST /_sandbox/mode {"name","value"} chooses; GET lists:
//
//	lifetime        60h0m0s: until a pay-in expires
//	expires_at      given, or missing from the answer to a create
//	top_level       needed: amount, country, currency, payment_method, both references and return_urls; all: every
//	                member of the example
//	duplicate       409, or second: another pay-in under the same merchant_transaction_reference
//	reference       number or string: the type of payment_method_reference
//	search          filtered; ignored: every pay-in whatever was asked for; list: filtered, and without pagination
//	unknown         404, or 200: the answer to a search that finds nothing
//	configuration   enabled; disabled: 400 CONFIGURATION_NOT_AVAILABLE
//	permission      granted, or denied: 403
//	processing      accepted; refused: a create is answered with 402, nothing is executed; stored: and it is
//	case            lower (V2) or title (V1): how statuses are written
//	pending_word    initiated, authorizing or pending
//	rejected_word   rejected, reject, declined, canceled, cancelled, failed or error
//	expiry_webhook  none, as V1 has no such status, or sent
package sandbox

import (
	"errors"
	"net/http"
	"time"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

const (
	payInPath = "/v2/transactions/pay-in"
	// tokenLifetime is the documents' expires_in.
	tokenLifetime = 300 * time.Second
)

type (
	call        = sandbox.Call[payIn]
	books       = sandbox.Books[payIn]
	transaction = sandbox.Transaction[payIn]
)

// New returns the sandbox as a handler that is also an io.Closer. state is the file that keeps its pay-ins over a
// restart; "" = memory only.
func New(state string) (http.Handler, error) { return open(state, nil) }

func open(state string, now func() time.Time) (*sandbox.Sandbox[payIn], error) {
	endpoints := sandbox.OAuthEndpoints[payIn](sandbox.OAuth{TokenPath: "/oauth2/token", Lifetime: tokenLifetime, InBody: true})
	for _, e := range []sandbox.Endpoint[payIn]{
		{Kind: sandbox.Create, Method: http.MethodPost, Path: payInPath, Handle: create},
		{Kind: sandbox.Lookup, Method: http.MethodGet, Path: payInPath, Handle: search},
		{Kind: sandbox.Lookup, Method: http.MethodGet, Path: payInPath + "/{id}", Handle: retrieve},
		{Kind: sandbox.Banks, Method: http.MethodGet, Path: payInPath + "/config", Handle: configuration},
		{Kind: sandbox.Other, Method: http.MethodPost, Path: overridePath, Handle: override}, // its verb is not documented
		{Kind: sandbox.Other, Method: http.MethodPut, Path: overridePath, Handle: override},
		{Kind: sandbox.Other, Method: http.MethodPatch, Path: overridePath, Handle: override},
	} {
		e.Handle = guarded(e.Handle)
		endpoints = append(endpoints, e)
	}
	return sandbox.New(sandbox.Options[payIn]{
		Name: "paypaga", Endpoints: endpoints,
		Settle: settle, Webhook: webhook, Page: page, Modes: modes, State: state, Now: now,
	})
}

var modes = []sandbox.Mode{
	{Name: "lifetime", Default: "60h0m0s", Check: checkDuration, Doc: "until a pay-in expires"},
	{Name: "expires_at", Default: "given", OneOf: []string{"given", "missing"}, Doc: "whether the answer to a create tells it"},
	{Name: "top_level", Default: "needed", OneOf: []string{"needed", "all"}, Doc: "which members of a create are required"},
	{Name: "duplicate", Default: "409", OneOf: []string{"409", "second"}, Doc: "what a known reference does"},
	{Name: "reference", Default: "number", OneOf: []string{"number", "string"}, Doc: "the type of payment_method_reference"},
	{Name: "search", Default: "filtered", OneOf: []string{"filtered", "ignored", "list"}, Doc: "what a search answers with"},
	{Name: "unknown", Default: "200", OneOf: []string{"200", "404"}, Doc: "the answer to a search that finds nothing"},
	{Name: "configuration", Default: "enabled", OneOf: []string{"enabled", "disabled"}, Doc: "disabled answers 400"},
	{Name: "permission", Default: "granted", OneOf: []string{"granted", "denied"}, Doc: "denied answers 403"},
	{Name: "processing", Default: "accepted", OneOf: []string{"accepted", "refused", "stored"}, Doc: "refused and stored answer a create with 402"},
	{Name: "case", Default: "lower", OneOf: []string{"lower", "title"}, Doc: "how statuses are written"},
	{Name: "pending_word", Default: "initiated", OneOf: []string{"initiated", "authorizing", "pending"}, Doc: "the word for a pay-in that waits"},
	{Name: "rejected_word", Default: "rejected", OneOf: rejectedWords, Doc: "the word for a refused one"},
	{Name: "expiry_webhook", Default: "none", OneOf: []string{"none", "sent"}, Doc: "whether expiry is called back"},
}

func checkDuration(value string) error {
	d, err := time.ParseDuration(value)
	if err == nil && d <= 0 {
		err = errors.New("it is not positive")
	}
	return err
}

// guarded asks for a good token and the permission.
func guarded(handle func(*call) sandbox.Answer) func(*call) sandbox.Answer {
	return func(c *call) sandbox.Answer {
		switch {
		case !c.Authorized(): // PP-10
			return failed(http.StatusUnauthorized, "UNAUTHORIZED", "Missing or invalid access token.", nil)
		case c.Mode("permission") == "denied":
			return failed(http.StatusForbidden, "FORBIDDEN", "You do not have permission to perform this action.", nil)
		}
		return handle(c)
	}
}

// failed answers with PayPaga's envelope of errors. What its details hold is documented nowhere.
func failed(status int, code, message string, details any) sandbox.Answer {
	if details == nil {
		details = struct{}{}
	}
	type failure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Details any    `json:"details"`
	}
	return sandbox.JSON(status, map[string]failure{"error": {code, message, details}})
}

func notFound() sandbox.Answer {
	return failed(http.StatusNotFound, "NOT_FOUND", "Transaction not found.", nil)
}

func notConfigured() sandbox.Answer {
	return failed(http.StatusBadRequest, "CONFIGURATION_NOT_AVAILABLE", "No configuration is available for the payment method.", nil)
}

// requiredField is one of the configuration's required_fields.
type requiredField struct {
	Name    string            `json:"name"`
	Type    string            `json:"type"`
	Pattern string            `json:"pattern,omitzero"`
	Options map[string]string `json:"options,omitempty"`
}

// configuration is GET /v2/transactions/pay-in/config.
func configuration(c *call) sandbox.Answer {
	q := c.Request.URL.Query()
	if q.Get("country") != "CO" || q.Get("payment_method") != "pse" || c.Mode("configuration") == "disabled" {
		return notConfigured()
	}
	return sandbox.JSON(http.StatusOK, struct {
		Currency       string          `json:"currency"`
		PaymentMethod  string          `json:"payment_method"`
		FeeMode        string          `json:"fee_mode"`
		FixedFee       int             `json:"fixed_fee"`
		MinimumFee     int             `json:"minimum_fee"`
		PercentageFee  int             `json:"percentage_fee"`
		RequiredFields []requiredField `json:"required_fields"`
	}{"COP", "pse", "both", 900, 0, 1, []requiredField{
		{Name: "first_name", Type: "text", Pattern: names.form.String()},
		{Name: "last_name", Type: "text", Pattern: names.form.String()},
		{Name: "document_type", Type: "select", Options: documentNames},
		{Name: "document_number", Type: "text"},
		{Name: "bank_code", Type: "select", Options: bankNames},
		{Name: "email", Type: "text", Pattern: emails.form.String()},
		{Name: "phone", Type: "text", Pattern: phones.form.String()},
		{Name: "address", Type: "text", Pattern: addresses.form.String()},
	}})
}
