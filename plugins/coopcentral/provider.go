package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

const (
	name    = "coopcentral"
	version = "0.1.0"
)

// coopcentral is an account at Coopcentral, behind Tpaga, from which interbank transfers are made.
type coopcentral struct {
	now    func() time.Time
	info   provider.Info
	config config
	api    *client   // nil before Configure
	banks  *bankList // nil before Configure
}

var (
	_ provider.ProviderWithNotifications = (*coopcentral)(nil)
	_ provider.ProviderWithBanks         = (*coopcentral)(nil)
	_ provider.ProviderWithStatement     = (*coopcentral)(nil)
)

// New returns the provider, not configured yet.
func New() provider.Provider { return newCoopcentral(time.Now) }

func newCoopcentral(now func() time.Time) *coopcentral {
	return &coopcentral{now: now, info: infoFor(config{})}
}

// infoFor describes the provider as configured. The document gives no lengths, patterns or limits.
func infoFor(c config) provider.Info {
	capability := payment.Capability{
		Operation:     payment.PayOut,
		Method:        payment.BankTransfer,
		Currencies:    []string{"COP"},
		DocumentTypes: []payment.DocumentType{payment.CC, payment.CE, payment.NIT, payment.PP},
		Required: []string{
			"payee.name", "payee.document.type", "payee.document.number", "payee.bank", "payee.account.type", "payee.account.number",
		},
		Recovery: payment.Recovery{LookupByKey: true, ResendSameKey: true},
	}
	if c.cents {
		capability.Decimals = 2
	}
	if c.magicOnly() {
		capability.Required = append(capability.Required, "description")
		capability.Limits = []payment.FieldLimit{{Field: "description", Pattern: magicApproved + "|" + magicRejected}}
	}
	return provider.Info{
		Name:         name,
		Version:      version,
		Capabilities: []payment.Capability{capability},
		Abilities:    []provider.Ability{provider.Notifications, provider.Banks, provider.Statements},
		Config:       schema,
		Assumptions: []string{
			"amounts are in the unit that amount_unit says: before going live make a transfer with a magic description and compare its amount in Tpaga's panel",
			"amounts are sent as strings, as the document's table says, though its example sends a number",
			"the production host is documented nowhere: base_url has to come from Tpaga; every host whose name does not hold \"staging\" is taken for production, this machine apart",
			"the Authorization header carries the word Token, though three of the document's four examples do without: auth_scheme changes it",
			"of the banks' slugs only bbva and banco-caja-social are documented, the others are inferred; one that the live list does not have is not used, but check what each of the live list means, and set bank_slugs where they differ",
			"pending, approved and rejected are all the statuses that the document shows; any other leaves a payment in doubt",
			"an approved transfer stays approved: what happens when the receiving bank returns it is documented nowhere",
			"an unknown idempotency token is answered with 404 or 422, which never proves that a transfer was not made: it is sent again under its own token",
			"an idempotency token is remembered for ever",
			"the history's pages have 20 transactions, and the page after the first is number 2",
			"a webhook is not signed, and from which addresses it comes and whether it is repeated is documented nowhere: it is only a cue to ask, and payments are asked for without it too",
			"the answer to a known idempotency token (208) echoes bank and account as they were sent; if it masked them, every such answer would be a mismatch",
		},
	}
}

// Info describes the provider.
func (p *coopcentral) Info() provider.Info { return p.info }

// Configure checks the configuration and makes the client.
func (p *coopcentral) Configure(_ context.Context, given provider.Config) error {
	c, err := readConfig(given)
	if err != nil {
		return err
	}
	p.config, p.info, p.api = c, infoFor(c), newClient(c)
	p.banks = newBankList(p.fetchBanks, p.now)
	return nil
}

// Check gets the list of banks.
func (p *coopcentral) Check(ctx context.Context) error {
	_, err := p.fetchBanks(ctx)
	return err
}

// Lookup asks for a transfer by the attempt's key, which is its idempotency token.
func (p *coopcentral) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	if q.Key == "" {
		return provider.Outcome{}, unclear("it can be asked by the attempt's key only")
	}
	resp, err := p.api.getTransaction(ctx, q.Key)
	if err != nil {
		return provider.Outcome{}, asUnknown(err)
	}
	switch resp.Status {
	case http.StatusOK:
		_, o, err := p.readOutcome(resp)
		return o, err
	case http.StatusNotFound, http.StatusUnprocessableEntity: // the document has no answer for an unknown token
		return provider.Outcome{Status: provider.Absent, Code: fmt.Sprint(resp.Status), Message: "Coopcentral does not know the idempotency token"}, nil
	}
	return provider.Outcome{}, asUnknown(readError(resp, "a transfer"))
}

// Close frees the connections and ends a request for the banks that is under way.
func (p *coopcentral) Close(context.Context) error {
	if p.api != nil {
		p.banks.close()
		p.api.rest.CloseIdle()
	}
	return nil
}
