package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

const (
	name    = "paypaga"
	version = "0.1.0"
)

const (
	// lifetime is how long a pay-in waits for its payer where the answer does not tell (PP-07).
	lifetime = 60 * time.Hour
	// absentAfter is how long after a hand-over an empty search proves that there is no pay-in: twice the 30 seconds
	// for which PayPaga asks its callers to wait. Were it wrong, there would be one whose URL nobody was given.
	absentAfter = payment.Duration(60 * time.Second)
)

// paypaga is a merchant's account at PayPaga, for pay-ins by PSE.
type paypaga struct {
	now func() time.Time
	api *client // nil before Configure
}

var (
	_ provider.ProviderWithNotifications = (*paypaga)(nil)
	_ provider.ProviderWithBanks         = (*paypaga)(nil)
)

// New returns the provider, not configured yet.
func New() provider.Provider { return &paypaga{now: time.Now} }

// info has the bounds of the document's page "Colombia PSE". The forms of names, phone and address are those from
// which normalising makes the document's own.
var info = provider.Info{
	Name:    name,
	Version: version,
	Capabilities: []payment.Capability{{
		Operation:     payment.PayIn,
		Method:        payment.PSE,
		Currencies:    []string{"COP"},
		DocumentTypes: []payment.DocumentType{payment.CC, payment.CE, payment.PP, payment.TE},
		Decimals:      0,
		Required: []string{
			"payer.name", "payer.document.type", "payer.document.number", "payer.bank", "payer.email", "payer.phone",
			"payer.address", "return_url",
		},
		Limits: []payment.FieldLimit{
			{Field: "country", Pattern: "CO"},
			{Field: "payer.kind", Pattern: string(payment.Natural)}, // a legal person pays with a NIT
			{Field: "payer.name", MinLength: 5, MaxLength: 51, Pattern: rawName},
			{Field: "payer.first_name", MinLength: 2, MaxLength: 25, Pattern: rawName},
			{Field: "payer.last_name", MinLength: 2, MaxLength: 25, Pattern: rawName},
			{Field: "payer.document.number", MinLength: 6, MaxLength: 15, Pattern: `[a-zA-Z0-9]+`},
			{Field: "payer.bank", Pattern: `[0-9]{4}`},
			{Field: "payer.email", MinLength: 5, MaxLength: 50, Pattern: emailForm},
			{Field: "payer.phone", Pattern: rawPhone},
			{Field: "payer.address", MinLength: 2, MaxLength: 64, Pattern: rawAddress},
		},
		Recovery: payment.Recovery{
			LookupByKey:         true,
			AbandonIfUnanswered: true,
			AbsentAfter:         absentAfter,
			ExpiresAfter:        payment.Duration(lifetime),
		},
	}},
	Abilities: []provider.Ability{provider.Notifications, provider.Banks},
	Config:    schema,
	Assumptions: []string{
		"PayPaga's sandbox is at https://api.v2.stg.paypaga.com",
		"a pay-in is retrieved by GET /v2/transactions/pay-in/{transaction_id} and has the members of a pay-out, transaction_amount and status among them",
		"pay-ins are searched by GET /v2/transactions/pay-in?merchant_transaction_reference=…; the answer is a list, or has one member that is a list",
		"how an unreachable bank of the PSE network is told is documented nowhere: such a pay-in is tried at the next provider",
		"an empty answer to a search proves, 60 seconds after the call, that there is no pay-in; a list of others proves nothing",
		"a known merchant_transaction_reference is answered with 409, as PayPaga's hosted checkout does; no attempt is sent a second time",
		"402 is a refusal once a search finds nothing, and so are 422 and 429, which the document does not have",
		"statuses are V2's and V1's in any case; error is a failure, refunded is a success that was given back",
		"a look-up does not tell the page's URL: a pay-in whose answer was lost cannot be paid and expires",
		"customer_ip may be left out where the payer's is not known; merchant_customer_id is the payer's id, or else the e-mail",
		"failure_url and cancel_url may be the same as success_url",
		"a callback has transaction_id and merchant_transaction_reference, as V1's does, and is not signed",
		"there is no least or greatest amount but those of the merchant's configuration, which PayPaga applies",
		"of three names or more the last two are surnames, with the particles before them, and of three the first is the only given one",
	},
}

// Info describes the provider; nothing in it depends on the configuration.
func (p *paypaga) Info() provider.Info { return info }

// Configure checks the configuration and makes the client.
func (p *paypaga) Configure(_ context.Context, given provider.Config) error {
	c, err := readConfig(given)
	if err != nil {
		return err
	}
	p.api = newClient(c, p.now)
	return nil
}

// Check gets a token and, with it, the configuration of pay-ins by PSE.
func (p *paypaga) Check(ctx context.Context) error {
	resp, err := p.api.getConfiguration(ctx)
	if err != nil {
		return err
	}
	switch resp.Status {
	case http.StatusOK, http.StatusNotFound:
		// The token was good. The path is not in the document that this plugin was made from: that it is not there
		// says nothing about the credentials.
		return nil
	}
	return readError(resp, "the configuration of pay-ins by pse")
}

// Lookup asks for a pay-in by its transaction_id, or else by the attempt's key.
func (p *paypaga) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	if q.Reference != "" {
		o, err := p.retrieve(ctx, q.Reference)
		if err != nil || o.Status != provider.Absent || q.Key == "" {
			return o, err
		}
	}
	return p.search(ctx, q.Key)
}

func (p *paypaga) retrieve(ctx context.Context, id string) (provider.Outcome, error) {
	if !isID(id) {
		return provider.Outcome{}, unclear("", "the reference is not of the form of a transaction_id")
	}
	resp, err := p.api.getPayIn(ctx, id)
	switch {
	case err != nil:
		return provider.Outcome{}, asUnknown(err)
	case resp.Status == http.StatusNotFound:
		return absent(resp.Status), nil
	case resp.Status != http.StatusOK:
		return provider.Outcome{}, asUnknown(readError(resp, "a pay-in"))
	}
	var t transaction
	if err := resp.Decode(&t); err != nil {
		return provider.Outcome{}, unclear("", "its record of the pay-in cannot be read: %v", err)
	}
	return t.outcome()
}

// search finds a pay-in by our reference among those that PayPaga answers with. A list without it proves that there
// is none only where it is empty, since whether PayPaga minds the parameter is not documented, and where the answer
// names the reference nowhere else, since its form is not either.
func (p *paypaga) search(ctx context.Context, key string) (provider.Outcome, error) {
	if !isKey(key) {
		return provider.Outcome{}, unclear("", "it can be asked by a transaction_id or a reference of letters, digits, hyphens and underscores only")
	}
	resp, err := p.api.searchPayIns(ctx, key)
	switch {
	case err != nil:
		return provider.Outcome{}, asUnknown(err)
	case resp.Status == http.StatusNotFound && errorIn(resp).Code == notFound:
		return absent(resp.Status), nil
	case resp.Status != http.StatusOK:
		return provider.Outcome{}, asUnknown(readError(resp, "a pay-in"))
	}
	list, err := listed(resp)
	if err != nil {
		return provider.Outcome{}, unclear("", "its list of pay-ins cannot be read: %v", err)
	}
	var found []transaction
	for _, t := range list {
		if t.Reference == key {
			found = append(found, t)
		}
	}
	switch {
	case len(found) == 1:
		return found[0].outcome()
	case len(list) > 0 || bytes.Contains(resp.Body, []byte(key)):
		return provider.Outcome{}, unclear("", "it answered a search with %d pay-ins, %d of them under the reference", len(list), len(found))
	}
	return absent(resp.Status), nil
}

func absent(status int) provider.Outcome {
	return provider.Outcome{Status: provider.Absent, Code: fmt.Sprint(status), Message: "PayPaga does not know the pay-in"}
}

// Close frees the connections.
func (p *paypaga) Close(ctx context.Context) error {
	if p.api == nil {
		return nil
	}
	return p.api.close(ctx)
}

// Banks lists the banks of the document's table. The method's configuration has them too, in a form that is not
// documented.
func (p *paypaga) Banks(_ context.Context, method payment.Method) ([]provider.Bank, error) {
	if method != payment.PSE {
		return nil, invalid("method", fmt.Sprintf("has banks for pse only, not for %s", method))
	}
	return banks, nil
}
