package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/oauth2"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/oauth"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
)

const basePath = "/api/gateway_bill_payment/v1"

// client calls Tpaga's endpoints, one method each.
type client struct {
	rest   *rest.Client
	tokens *oauth.Tokens // nil with an api-key
	apiKey http.Header   // nil with OAuth2
}

func newClient(c config, now func() time.Time) *client {
	api := rest.New(c.baseURL)
	if c.apiKey {
		return &client{rest: api, apiKey: http.Header{
			"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(c.clientSecret))},
		}}
	}
	return &client{rest: api, tokens: oauth.New(api, oauth.Config{
		ClientID: c.clientID, ClientSecret: c.clientSecret, TokenPath: "/o/token/", RevokePath: "/o/revoke_token/",
		Style: oauth2.AuthStyleInHeader, Now: now,
	})}
}

// paymentRequest is the body of POST /pay_bill, all of it mandatory, in the order of the document's example.
type paymentRequest struct {
	IdempotencyToken string `json:"idempotency_token"`
	Amount           int64  `json:"amount"` // pesos
	Biller           string `json:"utility_provider"`
	Reference        string `json:"short_bill_reference"`
	PaymentToken     string `json:"payment_token"`
	PaymentOrigin    string `json:"payment_origin"`
}

// reply is what is read of an answer about a payment or a bill's refusal: the payment's record, an error, or both.
// error_message is not, because its Spanish texts can quote the request.
type reply struct {
	Token            string      `json:"token"`
	IdempotencyToken string      `json:"idempotency_token"`
	Biller           string      `json:"utility_provider"`
	Reference        string      `json:"short_bill_reference"`
	Amount           amount      `json:"amount"`
	PaymentToken     string      `json:"payment_token"`
	Status           string      `json:"status"`
	ResultCode       json.Number `json:"result_code"` // null on the examples' successes (TB-09)
	BillCode         string      `json:"billcheck_error_code"`
	Field            string      `json:"field"`
}

// amount is an amount as Tpaga writes it: an integer of a payment, a text of a bill (TB-03).
type amount struct {
	payment.Money
}

func (a *amount) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) > 40 { // a number of half a million digits takes a second to read
		return errors.New("an amount of more than 40 characters")
	}
	d, err := decimal.NewFromString(strings.Trim(string(b), `"`))
	if err != nil {
		return err
	}
	a.Money, err = payment.MoneyOfDecimal(d)
	return err
}

type balance struct {
	Balance *amount `json:"balance"`
	MaxLoan *amount `json:"max_loan_amount"`
}

// agreement is what is read of one of the API's service_providers: a company whose bills can be paid. Elsewhere the
// API calls it utility_provider (TB-11).
type agreement struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	CostEditable bool   `json:"cost_is_editable"`
	Queriable    bool   `json:"is_queriable"`
}

// bill is what is read of a queried bill. payable_until is deprecated (TB-08).
type bill struct {
	Biller    string  `json:"utility_provider"`
	Reference string  `json:"short_bill_reference"`
	Amount    *amount `json:"amount"`
}

// agreementsPage is how many agreements a whole page has; the document's maximum and default.
const agreementsPage = 500

// getBalance is GET /merchant/balance.
func (c *client) getBalance(ctx context.Context) (*rest.Response, error) {
	return c.get(ctx, "/merchant/balance")
}

// getAgreements is GET /utility_providers.
func (c *client) getAgreements(ctx context.Context, page int) (*rest.Response, error) {
	return c.get(ctx, fmt.Sprintf("/utility_providers?page=%d&per_page=%d", page, agreementsPage))
}

// getBill is GET /utility_providers/{service_provider_id}/bills/{bill_reference}, without the slash at the end that
// the document's example has and its endpoint has not (TB-06).
func (c *client) getBill(ctx context.Context, biller, reference string) (*rest.Response, error) {
	return c.get(ctx, "/utility_providers/"+url.PathEscape(biller)+"/bills/"+url.PathEscape(reference))
}

// payBill is POST /pay_bill.
func (c *client) payBill(ctx context.Context, body paymentRequest) (*rest.Response, error) {
	return c.do(ctx, rest.Request{Method: http.MethodPost, Path: basePath + "/pay_bill", JSON: body})
}

// getPayment is GET /bill_payment_transactions/{idempotency_token}.
func (c *client) getPayment(ctx context.Context, token string) (*rest.Response, error) {
	return c.get(ctx, "/bill_payment_transactions/"+url.PathEscape(token))
}

func (c *client) get(ctx context.Context, path string) (*rest.Response, error) {
	return c.do(ctx, rest.Request{Method: http.MethodGet, Path: basePath + path})
}

func (c *client) do(ctx context.Context, r rest.Request) (*rest.Response, error) {
	if c.tokens != nil {
		return c.tokens.Do(ctx, r)
	}
	r.Header = c.apiKey
	return c.rest.Do(ctx, r)
}

// close revokes the token.
func (c *client) close(ctx context.Context) error {
	defer c.rest.CloseIdle()
	if c.tokens == nil {
		return nil
	}
	return c.tokens.Close(ctx)
}
