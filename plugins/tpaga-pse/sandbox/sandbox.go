// Package sandbox simulates Tpaga's PSE API (https://api-pse.docs.tpaga.co) on the kit of provider/sandbox, whose
// control protocol drives it. It answers as the document says, contradictions included.
//
// OAuth takes any client id and secret but the secret "wrong"; tokens live 3,600 s. Every bank code of the list
// but 0 takes payments; a charge's bank_url opens the bank's page, where a person approves or declines. A charge
// that nobody decides on becomes charge-rejected after 30 minutes. The sandbox's clock rules both.
//
// Where the document is silent or contradicts itself, POST /_sandbox/mode {"name","value"} chooses; GET lists:
//
//	registration   accepted (201 pending), rejected (201 rejected), failed (409) or timeout (502; the charge exists as failed)
//	duplicate      body of the 408 for a known order_id: message or charge (the whole charge)
//	settlement     at_once (approving settles; two webhooks), or one step and one webhook each time it is approved:
//	               authorized_first (authorized, then settled) or settled_first (settled, then authorized again)
//	webhook_body   json, or literal: the document's own example, which is not JSON
//	unknown_token  404 or 422 for a look-up of a charge that does not exist
//	permission     granted, or denied: 403
//	vat_equal      refused or accepted: a vat_amount equal to the amount
//	min_amount     1000.00; max_amount 40000000.00
//	bank_url       short, or long: more than 500 characters
//
// What needs no mode: a 408 of a proxy that never passed the call on is the fault {"on":"create","do":"answer",
// "status":408,"body":"Request Timeout"}; webhooks before the answer, twice or not at all are webhook faults.
package sandbox

import (
	"errors"
	"net/http"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

const (
	basePath = "/api/pse/v1/public"
	// tokenLifetime is the document's expires_in.
	tokenLifetime = 3600 * time.Second
	// chargeLifetime is how long a charge lives within PSE: "about 30 minutes".
	chargeLifetime = 30 * time.Minute
)

type (
	call        = sandbox.Call[charge]
	books       = sandbox.Books[charge]
	transaction = sandbox.Transaction[charge]
)

// New returns the sandbox as a handler that is also an io.Closer. state is the file that keeps its charges over a
// restart; "" = memory only.
func New(state string) (http.Handler, error) { return open(state, nil) }

func open(state string, now func() time.Time) (*sandbox.Sandbox[charge], error) {
	return sandbox.New(sandbox.Options[charge]{
		Name: "tpaga-pse",
		Endpoints: append(
			sandbox.OAuthEndpoints[charge](sandbox.OAuth{
				TokenPath: "/o/token/{$}", RevokePath: "/o/revoke_token/{$}", Lifetime: tokenLifetime, Scope: "read write",
			}),
			sandbox.Endpoint[charge]{Kind: sandbox.Banks, Method: http.MethodGet, Path: basePath + "/banks", Handle: guarded(listBanks)},
			sandbox.Endpoint[charge]{Kind: sandbox.Create, Method: http.MethodPost, Path: basePath + "/charge", Handle: guarded(create)},
			sandbox.Endpoint[charge]{Kind: sandbox.Lookup, Method: http.MethodGet, Path: basePath + "/charge/{token}", Handle: guarded(lookUp)},
		),
		Settle: settle, Webhook: webhook, Page: page, Modes: modes, State: state, Now: now,
	})
}

var modes = []sandbox.Mode{
	{
		Name: "registration", Default: "accepted", OneOf: []string{"accepted", "rejected", "failed", "timeout"},
		Doc: "how PSE takes a new charge: 201 pending, 201 rejected, 409 failed, or 502 with the charge existing as failed",
	},
	{
		Name: "duplicate", Default: "message", OneOf: []string{"message", "charge"},
		Doc: "the body of the 408 for a known order_id: an error_message, or the whole charge",
	},
	{
		Name: "settlement", Default: "at_once", OneOf: []string{"at_once", "authorized_first", "settled_first"},
		Doc: "what approving does: settle with two webhooks, or go one step with one webhook each time",
	},
	{
		Name: "webhook_body", Default: "json", OneOf: []string{"json", "literal"},
		Doc: "good JSON, or the document's example, which is not JSON",
	},
	{Name: "unknown_token", Default: "404", OneOf: []string{"404", "422"}, Doc: "the answer to a look-up of an unknown token"},
	{Name: "permission", Default: "granted", OneOf: []string{"granted", "denied"}, Doc: "denied answers 403"},
	{Name: "vat_equal", Default: "refused", OneOf: []string{"refused", "accepted"}, Doc: "a vat_amount equal to the amount"},
	{Name: "min_amount", Default: "1000.00", Check: checkAmount, Doc: "the least amount of a charge, inclusive"},
	{Name: "max_amount", Default: "40000000.00", Check: checkAmount, Doc: "the greatest amount of a charge, inclusive"},
	{Name: "bank_url", Default: "short", OneOf: []string{"short", "long"}, Doc: "long is more than 500 characters"},
}

func checkAmount(value string) error {
	m, err := payment.ParseMoney(value)
	if err == nil && m.Minor() < 0 {
		err = errors.New("it is negative")
	}
	return err
}

// guarded asks for a good token and the permission.
func guarded(handle func(*call) sandbox.Answer) func(*call) sandbox.Answer {
	return func(c *call) sandbox.Answer {
		if !c.Authorized() {
			return message(http.StatusUnauthorized, "Invalid authorization token provided")
		}
		if c.Mode("permission") == "denied" {
			return message(http.StatusForbidden,
				"You do not have enough permissions to perform this action, please contact the support team")
		}
		return handle(c)
	}
}

func message(status int, text string) sandbox.Answer {
	return sandbox.JSON(status, map[string]string{"error_message": text})
}

func listBanks(*call) sandbox.Answer { return sandbox.JSON(http.StatusOK, banks) }
