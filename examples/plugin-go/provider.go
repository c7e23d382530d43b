package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

type vendor struct{ api *client }

// New returns a provider that is not configured yet.
func New() provider.Provider { return &vendor{} }

// Info describes the provider: what the router may send it, and how a lost answer is cleared up.
func (p *vendor) Info() provider.Info {
	return provider.Info{
		Name: "acme", Version: "0.1.0",
		Capabilities: []payment.Capability{{
			Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"},
			DocumentTypes: []payment.DocumentType{payment.CC, payment.CE},
			AmountMin:     payment.Pesos(1000), AmountMax: payment.Pesos(5_000_000), Decimals: 2,
			Required: []string{"payer.document.type", "payer.document.number", "return_url"},
			Recovery: payment.Recovery{LookupByKey: true, ResendSameKey: true},
		}},
		Abilities: []provider.Ability{provider.Notifications},
		Config: provider.Schema{
			{Name: "base_url", Type: provider.URL, Required: true, Doc: "root of the API"},
			{Name: "api_key", Type: provider.String, Required: true, Secret: true, Doc: "from Acme Pay's console"},
		},
		Assumptions: []string{"Acme Pay does not exist: its API is an example"},
	}
}

// Configure takes the configuration; it makes no call.
func (p *vendor) Configure(_ context.Context, c provider.Config) error {
	c, err := p.Info().Config.Resolve(c)
	if err != nil {
		return err
	}
	p.api = newClient(strings.TrimSuffix(c["base_url"], "/"), c["api_key"])
	return nil
}

// Check asks who we are.
func (p *vendor) Check(ctx context.Context) error {
	status, err := p.api.getMerchant(ctx)
	if err != nil || status == http.StatusOK {
		return err
	}
	return refusal(status)
}

// Submit makes one charge. Under a key that Acme Pay knows it answers with the charge that exists.
func (p *vendor) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	r := &a.Payment
	c := payment.CapabilityFor(p.Info().Capabilities, r.Operation, r.Method)
	if c == nil {
		return provider.Outcome{}, provider.Errorf(provider.CodeInvalid, "Acme Pay takes pay-ins by pse only")
	}
	if refused := c.Refusals(r); len(refused) > 0 {
		return provider.Outcome{}, &provider.Error{Code: provider.CodeInvalid, Field: refused[0].Field, Message: refused[0].Reason}
	}
	got, status, err := p.api.createCharge(ctx, charge{
		Key: a.Key, Amount: r.Amount.String(), Currency: r.Currency, ReturnURL: r.ReturnURL, NotifyURL: a.NotificationURL,
		Document: string(r.Payer.Document.Type) + " " + r.Payer.Document.Number,
	})
	switch {
	case err != nil:
		return provider.Outcome{}, err
	case status == http.StatusCreated || status == http.StatusOK:
		return got.outcome()
	}
	return provider.Outcome{}, refusal(status)
}

// Lookup asks by our key, else by Acme Pay's id.
func (p *vendor) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	query := url.Values{"key": {q.Key}}
	switch {
	case q.Key == "" && q.Reference == "":
		return provider.Outcome{}, provider.Errorf(provider.CodeInvalid, "a look-up needs a key or a reference")
	case q.Key == "":
		query = url.Values{"id": {q.Reference}}
	}
	got, status, err := p.api.getCharge(ctx, query)
	switch {
	case err != nil:
		return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "the look-up was not answered: %w", err)
	case status == http.StatusOK:
		return got.outcome()
	case status == http.StatusNotFound:
		return provider.Outcome{Status: provider.Absent, Code: "404"}, nil
	case status == http.StatusUnauthorized:
		return provider.Outcome{}, refusal(status)
	}
	return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "the look-up was answered with HTTP %d", status)
}

// ParseNotification reads which charge a webhook is about; the router asks what became of it.
func (p *vendor) ParseNotification(_ context.Context, n provider.Notification) ([]provider.Query, error) {
	var hook struct{ Charge string }
	if err := json.Unmarshal(n.Body, &hook); err != nil || hook.Charge == "" {
		return nil, provider.Errorf(provider.CodeInvalid, "the webhook names no charge")
	}
	return []provider.Query{{Reference: hook.Charge}}, nil
}

// Close frees the connections.
func (p *vendor) Close(context.Context) error {
	if p.api != nil {
		p.api.http.CloseIdleConnections()
	}
	return nil
}

// refusal says what an HTTP status means that is no success. Only what Acme Pay documents as a refusal is one.
func refusal(status int) error {
	code := provider.CodeUnknown
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		code = provider.CodeInvalid
	case http.StatusPaymentRequired:
		code = provider.CodeDeclined
	case http.StatusUnauthorized, http.StatusForbidden:
		code = provider.CodeUnauthorized
	case http.StatusTooManyRequests:
		code = provider.CodeUnavailable
	}
	return &provider.Error{Code: code, Message: "Acme Pay answered HTTP " + strconv.Itoa(status), ProviderCode: strconv.Itoa(status)}
}
