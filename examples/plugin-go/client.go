package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// charge is what Acme Pay takes and answers.
type charge struct {
	ID        string `json:"id,omitempty"`
	Key       string `json:"key"`
	Amount    string `json:"amount"`
	Currency  string `json:"currency"`
	Document  string `json:"document,omitempty"`
	ReturnURL string `json:"return_url,omitempty"`
	NotifyURL string `json:"notify_url,omitempty"`
	Status    string `json:"status,omitempty"`
	URL       string `json:"url,omitempty"`
}

// client has one function for each of Acme Pay's endpoints.
type client struct {
	base, apiKey string
	http         *http.Client
}

func newClient(base, apiKey string) *client {
	// A redirect is not followed: it would send a payment to somewhere else.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	return &client{base, apiKey, &http.Client{Transport: transport, CheckRedirect: stay}}
}

func (c *client) createCharge(ctx context.Context, in charge) (charge, int, error) {
	return c.call(ctx, http.MethodPost, "/charges", in)
}

func (c *client) getCharge(ctx context.Context, query url.Values) (charge, int, error) {
	return c.call(ctx, http.MethodGet, "/charges?"+query.Encode(), nil)
}

func (c *client) getMerchant(ctx context.Context) (int, error) {
	_, status, err := c.call(ctx, http.MethodGet, "/me", nil)
	return status, err
}

// call makes one call. Its error is CodeUnavailable when no connection could be made, so that nothing was sent; else
// CodeUnknown, because Acme Pay may have heard of it.
func (c *client) call(ctx context.Context, method, path string, in any) (out charge, status int, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return charge{}, 0, provider.Errorf(provider.CodeInvalid, "the request cannot be written: %v", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return charge{}, 0, provider.Errorf(provider.CodeInvalid, "the request cannot be made: %v", err)
	}
	req.GetBody = nil // what cannot be read twice cannot be sent twice
	req.Header.Set("Authorization", "Bearer "+c.apiKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return charge{}, 0, provider.Errorf(provider.CodeUnavailable, "Acme Pay cannot be reached")
	case err != nil:
		return charge{}, 0, provider.Errorf(provider.CodeUnknown, "Acme Pay gave no answer")
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode/100 == 2 {
		err = json.Unmarshal(answer, &out)
	}
	if err != nil {
		return charge{}, resp.StatusCode, provider.Errorf(provider.CodeUnknown, "Acme Pay's answer cannot be read")
	}
	return out, resp.StatusCode, nil
}

// outcome reads a charge. Every word that is not known is an error, never a guess.
func (ch charge) outcome() (provider.Outcome, error) {
	status, known := statuses[ch.Status]
	amount, err := payment.ParseMoney(ch.Amount)
	if !known || err != nil || ch.ID == "" {
		return provider.Outcome{}, &provider.Error{
			Code: provider.CodeUnknown, Message: "Acme Pay's charge has an unknown status or no amount", Reference: ch.ID, ProviderCode: ch.Status,
		}
	}
	o := provider.Outcome{Status: status, Key: ch.Key, Reference: ch.ID, Amount: amount, Currency: ch.Currency, Code: ch.Status}
	if status == provider.Pending && ch.URL != "" {
		o.Action = payment.Redirect(ch.URL)
	}
	return o, nil
}

// statuses are Acme Pay's words.
var statuses = map[string]provider.Status{
	"waiting": provider.Pending, "paid": provider.Succeeded, "refused": provider.Rejected, "expired": provider.Expired,
}
