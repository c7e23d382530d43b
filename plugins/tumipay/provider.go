package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

const (
	name    = "tumipay"
	version = "0.1.0"
)

const (
	// sessionWindow is how long a payer may still pay who opened the page just before it expired.
	sessionWindow = 30 * time.Minute
	// absentAfter is how long after a hand-over "not found" proves that there is no pay-in. Were it wrong, there would
	// be one whose URL nobody was given.
	absentAfter = payment.Duration(60 * time.Second)
)

// tumipay is a merchant's account at TumiPay, for pay-ins.
type tumipay struct {
	info   provider.Info
	config config
	api    *client // nil before Configure
}

var (
	_ provider.ProviderWithNotifications = (*tumipay)(nil)
	_ provider.ProviderWithBanks         = (*tumipay)(nil)
)

// New returns the provider, not configured yet.
func New() provider.Provider { return &tumipay{info: infoFor(defaults())} }

// infoFor describes the provider as configured. The document gives no lengths or patterns.
func infoFor(c config) provider.Info {
	return provider.Info{
		Name:    name,
		Version: version,
		Capabilities: []payment.Capability{
			c.capability(payment.PSE, c.pseMin),
			c.capability(payment.Efecty, c.efectyMin),
			c.capability(payment.Card, payment.Money{}),
			c.capability(payment.BreB, payment.Money{}),
			c.capability(payment.Any, payment.Money{}),
		},
		Abilities: []provider.Ability{provider.Notifications, provider.Banks},
		Config:    schema,
		Assumptions: []string{
			"amounts are in the unit that amount_unit says: before going live make a pay-in and compare the amount on its page; an echo cannot tell a wrong unit",
			"the production base URL comes from TumiPay by mail; it takes the paths that staging's does",
			"the error codes and the HTTP statuses of errors are documented nowhere: a refusal holds once a look-up by the reference finds nothing",
			"how an unreachable bank of the PSE network is told is documented nowhere: such a pay-in is tried at the next provider",
			"what a known reference is answered with is documented nowhere, so no attempt is sent a second time",
			"a look-up of an unknown transaction is answered with 404, or with a message that says so; 60 seconds after the call it proves that there is no pay-in",
			"a page can be paid at most 30 minutes after expiration_minutes",
			"a look-up does not tell the page's URL: a pay-in whose answer was lost cannot be paid and expires",
			"a webhook's signature is the SHA-256 of {\"token\":…,\"ticket\":…,\"reference\":…}, as one public integrator computes it",
			"where the router has no public URL, ipn_url is " + noWebhooks + ", which must pass for a URL",
			"the limits by pse, by efecty and upwards are those of the document, and adjustable; by card, breb and any there is no least amount",
			"v2 takes the body of v1, and customer_data.bank and person_type for a PSE pay-in whose payer's bank is known",
			"REJECTED and FAILED can be followed by APPROVED, when the payer tries again on the page",
		},
	}
}

func (c config) capability(m payment.Method, least payment.Money) payment.Capability {
	decimals := 0
	if c.cents {
		decimals = 2
	}
	return payment.Capability{
		Operation:     payment.PayIn,
		Method:        m,
		Currencies:    []string{"COP"},
		DocumentTypes: []payment.DocumentType{payment.CC, payment.CE, payment.PP},
		AmountMin:     least,
		AmountMax:     c.max,
		Decimals:      decimals,
		Required: []string{
			"payer.name", "payer.document.type", "payer.document.number", "payer.email", "payer.phone", "return_url",
		},
		Limits: []payment.FieldLimit{
			{Field: "country", Pattern: "CO"},
			{Field: "payer.kind", Pattern: string(payment.Natural)}, // a legal person pays with a NIT (TM-14)
			{Field: "payer.phone", Pattern: phoneForm},
		},
		Recovery: payment.Recovery{
			LookupByKey:         true,
			AbandonIfUnanswered: true,
			AbsentAfter:         absentAfter,
			ExpiresAfter:        payment.Duration(c.expiration + sessionWindow),
		},
	}
}

// Info describes the provider.
func (p *tumipay) Info() provider.Info { return p.info }

// Configure checks the configuration and makes the client.
func (p *tumipay) Configure(_ context.Context, given provider.Config) error {
	c, err := readConfig(given)
	if err != nil {
		return err
	}
	p.config, p.info, p.api = c, infoFor(c), newClient(c)
	return nil
}

// Check asks who the merchant is, which also tells whether base_url is right (TM-03).
func (p *tumipay) Check(ctx context.Context) error {
	resp, err := p.api.getMerchant(ctx)
	if err != nil {
		return err
	}
	var body envelope
	if resp.Status != http.StatusOK {
		return readError(resp, "the merchant")
	}
	// Whether the merchant comes in an envelope is documented nowhere.
	if err := resp.Decode(&body); err != nil || body.Code != "" && body.Code != success {
		return provider.Errorf(provider.CodeUnavailable, "TumiPay: what it says of the merchant is no success, or cannot be read")
	}
	return nil
}

// isPage reports that a body is an HTML page: what a gateway or a wrong address answers with, which tells nothing of the
// transaction.
func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// saysAbsent reports that an answer to a look-up says that there is no such pay-in. What an answer of another status
// does not find, a 401's or a 5XX's, is the merchant or a host.
func saysAbsent(resp *rest.Response, e envelope, unread error) bool {
	switch resp.Status {
	case http.StatusNotFound:
		return !isPage(resp.Body)
	case http.StatusOK, http.StatusBadRequest, http.StatusUnprocessableEntity:
		return unread == nil && e.Code != success && notFound.MatchString(e.Message)
	}
	return false
}

// Lookup asks for a pay-in by the attempt's key, which is its reference, or else by its ticket.
func (p *tumipay) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	id := q.Key
	if id == "" {
		id = q.Reference
	}
	if !ticketForm.MatchString(id) {
		return provider.Outcome{}, unclear("", "it can be asked by a ticket or a reference of letters, digits and hyphens only")
	}
	resp, err := p.api.getTransaction(ctx, id)
	if err != nil {
		return provider.Outcome{}, asUnknown(err)
	}
	e, unread := readEnvelope(resp)
	switch {
	case saysAbsent(resp, e, unread):
		return provider.Outcome{Status: provider.Absent, Code: fmt.Sprint(resp.Status), Message: "TumiPay does not know the transaction"}, nil
	case resp.Status != http.StatusOK:
		return provider.Outcome{}, asUnknown(readError(resp, "a pay-in"))
	case unread != nil:
		return provider.Outcome{}, unread
	case e.Code != success:
		err := unclear("", "it answered a look-up with a code of its own")
		err.ProviderCode = e.codeAfter(resp.Status)
		return provider.Outcome{}, err
	}
	return p.config.outcome(e)
}

// Close frees the connections.
func (p *tumipay) Close(context.Context) error {
	if p.api != nil {
		p.api.rest.CloseIdle()
	}
	return nil
}

// Banks lists the banks that PSE reaches in this environment.
func (p *tumipay) Banks(ctx context.Context, method payment.Method) ([]provider.Bank, error) {
	if method != payment.PSE {
		return nil, invalid("method", fmt.Sprintf("has banks for pse only, not for %s", method))
	}
	resp, err := p.api.getBanks(ctx)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, readError(resp, "its banks")
	}
	var list []bank
	e, err := readEnvelope(resp)
	if err == nil && e.Code != success {
		return nil, readError(resp, "its banks")
	}
	if err == nil {
		err = e.readData(&list)
	}
	if err != nil {
		return nil, provider.Errorf(provider.CodeUnavailable, "TumiPay: its list of banks cannot be read: %w", err)
	}
	banks := make([]provider.Bank, 0, len(list))
	for _, b := range list {
		if b.Code != "" && b.Code != "0" { // 0 is the text that PSE puts above its list
			banks = append(banks, provider.Bank{Code: b.Code, Name: b.Name})
		}
	}
	return banks, nil
}
