package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// client calls TumiPay's endpoints, one method each.
type client struct {
	rest    *rest.Client
	header  http.Header
	version string
}

func newClient(c config) *client {
	return &client{rest: rest.New(c.apiURL), version: c.version, header: http.Header{
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(c.username+":"+c.password))},
		"Token-Top":     {c.tokenTop},
		"Content-Type":  {"application/json"}, // required of every call, those without a body included
	}}
}

// payinRequest is the body of POST /payin, in the order of the document's example.
type payinRequest struct {
	Reference      string   `json:"reference"`
	Amount         int64    `json:"amount"`
	Currency       string   `json:"currency"`
	Country        string   `json:"country"`
	PaymentMethod  string   `json:"payment_method"`
	Description    string   `json:"description,omitzero"`
	Customer       customer `json:"customer_data"`
	ExpirationTime int64    `json:"expiration_time"` // minutes (TM-10)
	IPNURL         string   `json:"ipn_url"`
	RedirectURL    string   `json:"redirect_url"`
}

// customer is the payer. Bank and PersonType make a PSE pay-in lead to the bank's own page; v2 only.
type customer struct {
	LegalDoc     string `json:"legal_doc"`
	LegalDocType string `json:"legal_doc_type"`
	PhoneCode    string `json:"phone_code"`
	PhoneNumber  string `json:"phone_number"`
	Email        string `json:"email"`
	FullName     string `json:"full_name"`
	Bank         string `json:"bank,omitzero"`
	PersonType   string `json:"person_type,omitzero"`
}

// envelope is around every answer. Its status says how the call went, never how the payment did (TM-05): it is not
// read. Data is read once Code is "01".
type envelope struct {
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// payin is what is read of the answer to POST /payin. Direct answers have no transaction.
type payin struct {
	Ticket        string `json:"ticket"`
	PaymentURL    string `json:"payment_url"`
	AccountNumber any    `json:"account_number"` // BREB: the key to pay to
	Transaction   struct {
		Reference string      `json:"reference"`
		Amount    json.Number `json:"amount"`
		Currency  string      `json:"currency"`
	} `json:"transaction"`
}

// transaction is what is read of the answer to a look-up. Customer's numbers are JSON numbers here and metadata is
// [] where it is empty (TM-06), so the one is read leniently and the other not at all.
type transaction struct {
	Ticket          string          `json:"ticket"`
	Reference       string          `json:"reference"`
	Amount          json.Number     `json:"amount"`
	Currency        string          `json:"currency"`
	Status          string          `json:"status"`
	ResponseMessage string          `json:"response_message"`
	PaymentURL      string          `json:"payment_url"` // documented in the answer to POST /payin only
	Customer        json.RawMessage `json:"customer"`
}

type bank struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// createPayin is POST /payin of the configured version.
func (c *client) createPayin(ctx context.Context, body payinRequest) (*rest.Response, error) {
	return c.rest.Do(ctx, rest.Request{Method: http.MethodPost, Path: "/" + c.version + "/payin", Header: c.header, JSON: body})
}

// getTransaction is GET /v1/transaction/{id}: TumiPay's ticket or our reference. The document's example sends a body
// with it; this sends none (TM-15).
func (c *client) getTransaction(ctx context.Context, id string) (*rest.Response, error) {
	return c.get(ctx, "/v1/transaction/"+url.PathEscape(id))
}

// getBanks is GET /v1/pse/banks.
func (c *client) getBanks(ctx context.Context) (*rest.Response, error) {
	return c.get(ctx, "/v1/pse/banks")
}

// getMerchant is GET /v1/merchant/me.
func (c *client) getMerchant(ctx context.Context) (*rest.Response, error) {
	return c.get(ctx, "/v1/merchant/me")
}

// get makes a call that only reads: whether it arrived or not, nothing was executed.
func (c *client) get(ctx context.Context, path string) (*rest.Response, error) {
	resp, err := c.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: path, Header: c.header})
	if err != nil {
		e := *provider.AsError(err)
		e.Code = provider.CodeUnavailable
		return nil, &e
	}
	return resp, nil
}
