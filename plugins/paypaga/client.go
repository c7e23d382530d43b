package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/oauth2"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/oauth"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

const payInPath = "/v2/transactions/pay-in"

// client calls PayPaga's endpoints, one method each.
type client struct {
	rest   *rest.Client
	tokens *oauth.Tokens
}

func newClient(c config, now func() time.Time) *client {
	api := rest.New(c.baseURL)
	return &client{rest: api, tokens: oauth.New(api, oauth.Config{
		ClientID: c.clientID, ClientSecret: c.clientSecret, TokenPath: "/oauth2/token", Style: oauth2.AuthStyleInParams, Now: now,
	})}
}

// payInRequest is the body of POST /v2/transactions/pay-in, in the order of the document's example. Amount is in
// whole pesos and has no decimal point (PP-05).
type payInRequest struct {
	Amount               int64      `json:"amount"`
	Country              string     `json:"country"`
	Currency             string     `json:"currency"`
	PaymentMethod        string     `json:"payment_method"`
	OrderReference       string     `json:"merchant_order_reference"`
	TransactionReference string     `json:"merchant_transaction_reference"`
	CustomerID           string     `json:"merchant_customer_id"`
	CustomerIP           string     `json:"customer_ip,omitzero"`
	Fields               fields     `json:"fields"`
	ReturnURLs           returnURLs `json:"return_urls"`
}

// fields are those of the document's page "Colombia PSE", all of them required.
type fields struct {
	FirstName      string `json:"first_name"`
	LastName       string `json:"last_name"`
	DocumentType   string `json:"document_type"`
	DocumentNumber string `json:"document_number"`
	BankCode       string `json:"bank_code"`
	Email          string `json:"email"`
	Phone          string `json:"phone"`
	Address        string `json:"address"`
}

// returnURLs has cancel_url; PayPaga's hosted checkout has pending_url instead (PP-11).
type returnURLs struct {
	Success string `json:"success_url"`
	Failure string `json:"failure_url"`
	Cancel  string `json:"cancel_url"`
}

// transaction is what is read of a pay-in: the answer to a create has the first three members, a look-up's the rest.
// payment_method_reference is a number or a text (PP-08) and is not read.
type transaction struct {
	ID           string          `json:"transaction_id"`
	ExpiresAt    json.RawMessage `json:"expires_at"` // a time that cannot be read must not lose the rest
	Instructions struct {
		ReferenceURL string `json:"reference_url"`
	} `json:"instructions"`
	Reference  string          `json:"merchant_transaction_reference"`
	Amount     amount          `json:"transaction_amount"`
	Currency   string          `json:"currency"`
	Status     string          `json:"status"`
	FailReason json.RawMessage `json:"fail_reason"`
	Fields     json.RawMessage `json:"fields"` // texts or numbers (PP-18)
}

// amount is an amount in pesos, as a number or a text.
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

// createPayIn is POST /v2/transactions/pay-in.
func (c *client) createPayIn(ctx context.Context, body payInRequest) (*rest.Response, error) {
	return c.tokens.Do(ctx, rest.Request{Method: http.MethodPost, Path: payInPath, JSON: body})
}

// getPayIn is GET /v2/transactions/pay-in/{transaction_id}, a path that is inferred from the create's.
func (c *client) getPayIn(ctx context.Context, id string) (*rest.Response, error) {
	return c.get(ctx, payInPath+"/"+url.PathEscape(id))
}

// searchPayIns is GET /v2/transactions/pay-in; the parameter's name is inferred from the field's.
func (c *client) searchPayIns(ctx context.Context, reference string) (*rest.Response, error) {
	return c.get(ctx, payInPath+"?"+url.Values{"merchant_transaction_reference": {reference}}.Encode())
}

// getConfiguration is GET /v2/transactions/pay-in/config: the method's fees, limits and required fields.
func (c *client) getConfiguration(ctx context.Context) (*rest.Response, error) {
	return c.get(ctx, payInPath+"/config?country=CO&payment_method="+pse)
}

// get makes a call that only reads: whether it arrived or not, nothing was executed.
func (c *client) get(ctx context.Context, path string) (*rest.Response, error) {
	resp, err := c.tokens.Do(ctx, rest.Request{Method: http.MethodGet, Path: path})
	if err == nil {
		return resp, nil
	}
	e := *provider.AsError(err)
	if e.Code == provider.CodeUnknown {
		e.Code = provider.CodeUnavailable
	}
	return nil, &e
}

// close ends what is under way. PayPaga's tokens cannot be revoked; they live 300 seconds.
func (c *client) close(ctx context.Context) error {
	defer c.rest.CloseIdle()
	return c.tokens.Close(ctx)
}
