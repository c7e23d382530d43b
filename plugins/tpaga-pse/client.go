package main

import (
	"context"
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
)

const basePath = "/api/pse/v1/public"

// client calls Tpaga's endpoints, one method each.
type client struct {
	rest   *rest.Client
	tokens *oauth.Tokens
}

func newClient(c config, now func() time.Time) *client {
	api := rest.New(c.baseURL)
	return &client{rest: api, tokens: oauth.New(api, oauth.Config{
		ClientID: c.clientID, ClientSecret: c.clientSecret, TokenPath: "/o/token/", RevokePath: "/o/revoke_token/",
		Style: oauth2.AuthStyleInHeader, Now: now,
	})}
}

// chargeRequest is the body of POST /public/charge, all of it mandatory, in the document's order.
type chargeRequest struct {
	BankCode         string `json:"bank_code"`
	OrderID          string `json:"order_id"`
	Amount           string `json:"amount"`
	VATAmount        string `json:"vat_amount"`
	Description      string `json:"description"`
	UserType         string `json:"user_type"`
	BuyerEmail       string `json:"buyer_email"`
	BuyerFullName    string `json:"buyer_full_name"`
	DocumentType     string `json:"document_type"`
	DocumentNumber   string `json:"document_number"`
	RedirectURL      string `json:"redirect_url"`
	BuyerPhoneNumber string `json:"buyer_phone_number"`
}

// charge is what is read of Tpaga's answer about a charge. It echoes the rest of the request too.
type charge struct {
	Token          string `json:"token"`
	OrderID        string `json:"order_id"`
	Amount         amount `json:"amount"`
	BankCode       string `json:"bank_code"`
	Status         string `json:"status"`
	ReturnCode     string `json:"return_code"`     // PSE's own, where it gave one
	BankURL        string `json:"bank_url"`        // null until PSE has registered the charge
	RejectedReason string `json:"rejected_reason"` // null unless it was rejected
}

// amount is an amount as Tpaga writes it: a string or a number (TP-07), with any number of decimals.
type amount struct {
	payment.Money
}

func (a *amount) UnmarshalJSON(b []byte) error {
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

type bank struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// createCharge is POST /public/charge.
func (c *client) createCharge(ctx context.Context, body chargeRequest) (*rest.Response, error) {
	return c.tokens.Do(ctx, rest.Request{Method: http.MethodPost, Path: basePath + "/charge", JSON: body})
}

// getCharge is GET /public/charge/{token}.
func (c *client) getCharge(ctx context.Context, token string) (*rest.Response, error) {
	return c.tokens.Do(ctx, rest.Request{Method: http.MethodGet, Path: basePath + "/charge/" + url.PathEscape(token)})
}

// getBanks is GET /public/banks.
func (c *client) getBanks(ctx context.Context) (*rest.Response, error) {
	return c.tokens.Do(ctx, rest.Request{Method: http.MethodGet, Path: basePath + "/banks"})
}

// close revokes the token.
func (c *client) close(ctx context.Context) error {
	defer c.rest.CloseIdle()
	return c.tokens.Close(ctx)
}
