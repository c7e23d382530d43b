// Package sandbox simulates the API for interbank transfers through Coopcentral at Tpaga
// (https://interbanks.docs.tpaga.co) on the kit of provider/sandbox, whose control protocol drives it. It answers
// as the document says, contradictions included.
//
// Every token is good but the empty one and "wrong". A transfer whose description is transaction-approved or
// transaction-rejected ends like that at once, and its webhook is sent. Any other one is "sent to the bank": it
// stays pending until POST /_sandbox/settle decides.
//
// Where the document is silent or contradicts itself, POST /_sandbox/mode {"name","value"} chooses; GET lists:
//
//	auth           strict: 401 without the word Token before the token; lenient: both forms
//	permission     granted, or denied: 403
//	creation       accepted (201), or failed (409; the token is burnt)
//	environment    staging, or production: magic descriptions do nothing
//	magic          after: the 201 of a magic transfer says pending; before: it says how the transfer ended
//	unit           what one unit of an amount is: peso or cent. The ledger has pesos
//	numbers        number or string: how amount and fee_amount are shown
//	unknown_token  404 or 422 for a look-up of a transfer that does not exist
//	webhooks       final, or changes: one when the transfer is made, too
package sandbox

import (
	"net/http"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

const basePath = "/api/coopcentral/v1/interbanks"

type (
	call        = sandbox.Call[transfer]
	books       = sandbox.Books[transfer]
	transaction = sandbox.Transaction[transfer]
)

// New returns the sandbox as a handler that is also an io.Closer. state is the file that keeps its transfers over
// a restart; "" = memory only.
func New(state string) (http.Handler, error) { return open(state, nil) }

func open(state string, now func() time.Time) (*sandbox.Sandbox[transfer], error) {
	return sandbox.New(sandbox.Options[transfer]{
		Name: "coopcentral",
		Endpoints: []sandbox.Endpoint[transfer]{
			{Kind: sandbox.Banks, Method: http.MethodGet, Path: basePath + "/banks", Handle: guarded(listBanks)},
			{Kind: sandbox.Create, Method: http.MethodPost, Path: basePath + "/transactions/create", Handle: guarded(create)},
			{Kind: sandbox.Lookup, Method: http.MethodGet, Path: basePath + "/transactions/{token}", Handle: guarded(lookUp)},
			{Kind: sandbox.Statement, Method: http.MethodGet, Path: basePath + "/transactions", Handle: guarded(history)},
		},
		Webhook: webhook, Modes: modes, State: state, Now: now,
	})
}

var modes = []sandbox.Mode{
	{Name: "auth", Default: "strict", OneOf: []string{"strict", "lenient"}, Doc: "strict refuses a token without the word Token before it"},
	{Name: "permission", Default: "granted", OneOf: []string{"granted", "denied"}, Doc: "denied answers 403"},
	{Name: "creation", Default: "accepted", OneOf: []string{"accepted", "failed"}, Doc: "failed answers 409 and burns the token"},
	{Name: "environment", Default: "staging", OneOf: []string{"staging", "production"}, Doc: "in production magic descriptions do nothing"},
	{Name: "magic", Default: "after", OneOf: []string{"after", "before"}, Doc: "whether a magic transfer ends after or before its 201"},
	{Name: "unit", Default: "peso", OneOf: []string{"peso", "cent"}, Doc: "what one unit of an amount is"},
	{Name: "numbers", Default: "number", OneOf: []string{"number", "string"}, Doc: "how amount and fee_amount are shown"},
	{Name: "unknown_token", Default: "404", OneOf: []string{"404", "422"}, Doc: "the answer to a look-up of an unknown token"},
	{Name: "webhooks", Default: "final", OneOf: []string{"final", "changes"}, Doc: "changes sends one when a transfer is made, too"},
}

// guarded asks for a good token and the permission.
func guarded(handle func(*call) sandbox.Answer) func(*call) sandbox.Answer {
	return func(c *call) sandbox.Answer {
		if token := tokenOf(c); token == "" || token == sandbox.WrongSecret {
			return failure{Code: "unauthorized", Message: "Invalid authorization token provided"}.answer(http.StatusUnauthorized)
		}
		if c.Mode("permission") == "denied" {
			return failure{Code: "forbidden", Message: "You do not have enough permissions to perform this action, " +
				"please contact the support team"}.answer(http.StatusForbidden)
		}
		return handle(c)
	}
}

func tokenOf(c *call) string {
	header := c.Request.Header.Get("Authorization")
	scheme, token, spaced := strings.Cut(header, " ")
	switch {
	case spaced && scheme == "Token":
		return token
	case !spaced && c.Mode("auth") == "lenient":
		return header
	}
	return ""
}

// failure is the body of an answer that is no success.
type failure struct {
	Code    string  `json:"error_code"`
	Message string  `json:"error_message"`
	Field   *string `json:"field"`
}

func (f failure) answer(status int) sandbox.Answer { return sandbox.JSON(status, f) }
