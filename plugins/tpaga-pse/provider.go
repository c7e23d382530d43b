package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

const (
	name    = "tpaga-pse"
	version = "0.1.0"
)

// chargeWindow is how long a charge's URL is taken to be payable at most: PSE gives it "about 30 minutes".
const chargeWindow = payment.Duration(45 * time.Minute)

// tpaga is a merchant's account at Tpaga, for PSE charges.
type tpaga struct {
	now  func() time.Time
	info provider.Info
	api  *client // nil before Configure
}

var (
	_ provider.ProviderWithNotifications = (*tpaga)(nil)
	_ provider.ProviderWithBanks         = (*tpaga)(nil)
)

// New returns the provider, not configured yet.
func New() provider.Provider { return newTpaga(time.Now) }

func newTpaga(now func() time.Time) *tpaga {
	defaults := provider.Config{"min_amount": defaultMinAmount, "max_amount": defaultMaxAmount}
	return &tpaga{now: now, info: infoFor(config{
		minAmount: defaults.Money("min_amount"), maxAmount: defaults.Money("max_amount"),
	})}
}

// infoFor describes the provider as configured. Lengths are those of the document's table of POST /public/charge.
func infoFor(c config) provider.Info {
	returnURL := payment.FieldLimit{Field: "return_url", MaxLength: 500}
	if !strings.HasPrefix(c.baseURL, "http:") { // only a simulator is spoken to in the clear
		returnURL.Pattern = `https://.+` // TP-20
	}
	return provider.Info{
		Name:    name,
		Version: version,
		Capabilities: []payment.Capability{{
			Operation:     payment.PayIn,
			Method:        payment.PSE,
			Currencies:    []string{"COP"},
			DocumentTypes: []payment.DocumentType{payment.CC, payment.CE, payment.NIT, payment.TI, payment.PP},
			AmountMin:     c.minAmount,
			AmountMax:     c.maxAmount,
			Decimals:      2,
			Required: []string{
				"payer.bank", "payer.name", "payer.email", "payer.document.type", "payer.document.number", "payer.phone",
				"description", "return_url",
			},
			Limits: []payment.FieldLimit{
				{Field: "payer.bank", MaxLength: 35},
				{Field: "payer.name", MaxLength: 255},
				{Field: "payer.email", MaxLength: 255},
				{Field: "payer.document.number", MaxLength: 20},
				{Field: "payer.phone", Pattern: `(\D*\d){1,20}\D*`}, // 1 to 20 digits, whatever stands between
				{Field: "description", MaxLength: 80},
				returnURL,
			},
			Recovery: payment.Recovery{
				ResendSameKey:       true, // a known order_id is answered with 408 and makes no second charge
				AbandonIfUnanswered: true,
				ExpiresAfter:        chargeWindow,
			},
		}},
		Abilities: []provider.Ability{provider.Notifications, provider.Banks},
		Config:    schema,
		Assumptions: []string{
			"the body of 408, 409 and 502 is documented nowhere: a charge token in it is followed, else 408 and 502 are in doubt",
			"an unknown charge token is answered with 404 or 422, which proves nothing",
			"a known order_id is always answered with 408: an identical resend makes no second charge",
			"a refused charge whose return_code is FAIL_BANKUNREACHEABLE, a word of PSE's list, was refused because PSE does not reach the payer's bank; the document shows only SUCCESS and FAIL_INVALIDSTATE",
			"a charge's URL can be paid for at most 45 minutes; the document says about 30",
			"document numbers are sent as given; whether a NIT needs its check digit is documented nowhere",
			"a payer without kind is legal with a NIT and natural with any other document",
			"a webhook is not signed, and from which addresses it comes and whether it is repeated is documented nowhere: it is only a cue to ask, and payments are asked for without it too",
		},
	}
}

// Info describes the provider.
func (p *tpaga) Info() provider.Info { return p.info }

// Configure checks the configuration and makes the client.
func (p *tpaga) Configure(_ context.Context, given provider.Config) error {
	c, err := readConfig(given)
	if err != nil {
		return err
	}
	p.info, p.api = infoFor(c), newClient(c, p.now)
	return nil
}

// Check gets a token and, with it, the list of banks.
func (p *tpaga) Check(ctx context.Context) error {
	_, err := p.Banks(ctx, payment.PSE)
	return err
}

// Lookup asks for a charge by its token. Tpaga cannot be asked by order_id (TP-03).
func (p *tpaga) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	if q.Reference == "" {
		return provider.Outcome{}, unclear("", "it cannot be asked by order_id, and the charge's token is not known; a notification may bring it")
	}
	if !isToken(q.Reference) {
		return provider.Outcome{}, unclear("", "the reference is not of the form of a charge token")
	}
	resp, err := p.api.getCharge(ctx, q.Reference)
	if err != nil {
		return provider.Outcome{}, lookupError(err)
	}
	switch resp.Status {
	case http.StatusOK:
		c, err := readCharge(resp)
		if err != nil {
			return provider.Outcome{}, err
		}
		return c.outcome()
	case http.StatusNotFound, http.StatusUnprocessableEntity: // TP-19
		return provider.Outcome{Status: provider.Absent, Code: fmt.Sprint(resp.Status), Message: "Tpaga does not know the charge token"}, nil
	}
	return provider.Outcome{}, lookupError(readError(resp, "a charge"))
}

// Close revokes the token.
func (p *tpaga) Close(ctx context.Context) error {
	if p.api == nil {
		return nil
	}
	return p.api.close(ctx)
}

// Banks lists the banks that PSE reaches in this environment.
func (p *tpaga) Banks(ctx context.Context, method payment.Method) ([]provider.Bank, error) {
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
	if err := resp.Decode(&list); err != nil {
		return nil, provider.Errorf(provider.CodeUnavailable, "Tpaga: its list of banks cannot be read: %w", err)
	}
	banks := make([]provider.Bank, 0, len(list))
	for _, b := range list {
		if b.Code != "" && b.Code != "0" { // 0 is the text that PSE puts above its list
			banks = append(banks, provider.Bank{Code: b.Code, Name: b.Name})
		}
	}
	return banks, nil
}
