package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/cauce-pay/cauce/plugins/internal/rest"
)

const basePath = "/api/coopcentral/v1/interbanks"

// client calls the API's endpoints, one method each.
type client struct {
	rest   *rest.Client
	header http.Header
}

func newClient(c config) *client {
	return &client{rest: rest.New(c.baseURL), header: http.Header{"Authorization": {c.authorization}}}
}

// transferRequest is the body of POST /transactions/create, in the order of the document's example.
type transferRequest struct {
	OwnerName      string `json:"dest_account_owner_full_name"`
	DocumentType   string `json:"dest_account_owner_identification_type"`
	DocumentNumber string `json:"dest_account_owner_identification_number"`
	AccountType    string `json:"dest_account_type"`
	AccountNumber  string `json:"dest_account_number"`
	Amount         string `json:"amount"`
	Bank           string `json:"dest_bank"`
	OriginAccount  string `json:"origin_account,omitzero"` // origin_account_token in the history's query (CC-08)
	Token          string `json:"idempotency_token"`
	Description    string `json:"description,omitzero"`
}

// transfer is what is read of the API's record of a transfer. description and the origin's identification are
// not, because the document's own examples do not agree on them (CC-09).
type transfer struct {
	OwnerName      string      `json:"dest_account_owner_full_name"`
	DocumentNumber string      `json:"dest_account_owner_identification_number"`
	AccountType    string      `json:"dest_account_type"`
	AccountNumber  string      `json:"dest_account_number"`
	Amount         json.Number `json:"amount"` // documented as a string, shown as a number (CC-02)
	Bank           string      `json:"dest_bank"`
	Token          string      `json:"idempotency_token"`
	Status         string      `json:"status"`
	ResultMessage  string      `json:"result_message"` // null until there is a result
	CreatedAt      string      `json:"created_at"`     // in the examples only
}

// failure is the body of an answer that is no success.
type failure struct {
	Code  string `json:"error_code"`
	Field string `json:"field"`
}

type bank struct {
	Name string `json:"name"`
	Slug string `json:"slug"`
}

// getBanks is GET /banks.
func (c *client) getBanks(ctx context.Context) (*rest.Response, error) {
	return c.get(ctx, "/banks")
}

// createTransaction is POST /transactions/create.
func (c *client) createTransaction(ctx context.Context, body transferRequest) (*rest.Response, error) {
	return c.rest.Do(ctx, rest.Request{Method: http.MethodPost, Path: basePath + "/transactions/create", Header: c.header, JSON: body})
}

// getTransaction is GET /transactions/{idempotency_token}; its document writes the placeholder as a literal (CC-13).
func (c *client) getTransaction(ctx context.Context, token string) (*rest.Response, error) {
	return c.get(ctx, "/transactions/"+url.PathEscape(token))
}

// getTransactions is GET /transactions. Page 1 is asked for without its number.
func (c *client) getTransactions(ctx context.Context, originAccount string, page int) (*rest.Response, error) {
	query := url.Values{}
	if originAccount != "" {
		query.Set("origin_account_token", originAccount) // origin_account in a transfer (CC-08)
	}
	if page > 1 {
		query.Set("page", strconv.Itoa(page))
	}
	path := "/transactions"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.get(ctx, path)
}

func (c *client) get(ctx context.Context, path string) (*rest.Response, error) {
	return c.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: basePath + path, Header: c.header})
}
