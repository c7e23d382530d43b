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
	name    = "tpaga-bills"
	version = "0.1.0"
)

// bills is a merchant's account at Tpaga, from which bills are paid.
type bills struct {
	now        func() time.Time
	info       provider.Info
	config     config
	api        *client        // nil before Configure
	agreements *agreementList // nil before Configure
}

var (
	_ provider.ProviderWithBills   = (*bills)(nil)
	_ provider.ProviderWithBalance = (*bills)(nil)
)

// New returns the provider, not configured yet.
func New() provider.Provider { return newBills(time.Now) }

func newBills(now func() time.Time) *bills {
	return &bills{now: now, info: infoFor(config{production: true})}
}

// infoFor describes the provider as configured. Lengths are those of the document's table of POST /pay_bill; four of
// its own test references are longer (TB-05).
func infoFor(c config) provider.Info {
	limits := []payment.FieldLimit{{Field: "bill.biller", MaxLength: 64}}
	if c.production {
		limits = append(limits, payment.FieldLimit{Field: "bill.reference", MaxLength: 20})
	}
	return provider.Info{
		Name:    name,
		Version: version,
		Capabilities: []payment.Capability{{
			Operation:  payment.Bill,
			Method:     payment.BillPayment,
			Currencies: []string{"COP"},
			AmountMin:  payment.Pesos(1), // TB-14
			Required:   []string{"bill.biller", "bill.reference"},
			Limits:     limits,
			Recovery:   payment.Recovery{LookupByKey: true, ResendSameKey: true},
		}},
		Abilities: []provider.Ability{provider.Bills, provider.BalanceOf},
		Config:    schema,
		Assumptions: []string{
			"AUTHORIZED, IN_PROGRESS, REJECTED and UNKNOWN are all the statuses that the document shows, its own list of them is empty; any other leaves a payment in doubt",
			"a REJECTED payment was not made, because the document calls a new idempotency token safe: another provider may be tried",
			"an UNKNOWN payment resolves by itself or by a person; after how long is documented nowhere, as for IN_PROGRESS: it is looked up until then",
			"an unknown idempotency token is answered with 404 or 422, which never proves that a bill was not paid: it is sent again under its own token, unless Tpaga has named the payment before",
			"an idempotency token is remembered for ever",
			"which answer carries result code 8000 is not said: it is read from a REJECTED payment and from a 422",
			"a bill with cents cannot be paid in whole, because payments are of whole pesos",
			"every host whose name does not hold \"staging\" is taken for production, this machine apart",
			"the last page of agreements is the first with fewer than 500",
			"older accounts send an api-key instead of OAuth2, as \"Basic\" and the key in base64: auth = \"api_key\" does so",
		},
	}
}

// Info describes the provider.
func (p *bills) Info() provider.Info { return p.info }

// Configure checks the configuration and makes the client.
func (p *bills) Configure(_ context.Context, given provider.Config) error {
	c, err := readConfig(given)
	if err != nil {
		return err
	}
	p.config, p.info, p.api = c, infoFor(c), newClient(c, p.now)
	p.agreements = newAgreementList(p.fetchAgreements, p.now)
	return nil
}

// Check gets a token and, with it, the balance.
func (p *bills) Check(ctx context.Context) error {
	_, err := p.Balance(ctx)
	return err
}

// Lookup asks for a payment by the attempt's key, which is its idempotency token.
func (p *bills) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	if q.Key == "" {
		return provider.Outcome{}, unclear("it can be asked by the attempt's key only")
	}
	resp, err := p.api.getPayment(ctx, q.Key)
	if err != nil {
		return provider.Outcome{}, asUnknown(err)
	}
	if r := readReply(resp); r.Status != "" { // whatever the HTTP status (TB-01)
		return r.outcome()
	}
	switch resp.Status {
	case http.StatusOK:
		return provider.Outcome{}, unclear("its 200 about a payment cannot be read or names no status")
	case http.StatusNotFound, http.StatusUnprocessableEntity: // the document has no answer for an unknown token
		if q.Reference != "" { // what it has named it has; absent would have the payment sent again, which UNKNOWN forbids
			return provider.Outcome{}, unclear("it does not find the payment, which it has named before")
		}
		return provider.Outcome{Status: provider.Absent, Code: fmt.Sprint(resp.Status), Message: "Tpaga does not know the idempotency token"}, nil
	}
	return provider.Outcome{}, asUnknown(readError(resp, "a payment"))
}

// Close revokes the token.
func (p *bills) Close(ctx context.Context) error {
	if p.api == nil {
		return nil
	}
	return p.api.close(ctx)
}

// Balance tells what bills can be paid with.
func (p *bills) Balance(ctx context.Context) (provider.Balance, error) {
	resp, err := p.api.getBalance(ctx)
	if err != nil {
		return provider.Balance{}, notSent(err)
	}
	if resp.Status != http.StatusOK {
		return provider.Balance{}, readError(resp, "the balance")
	}
	var b balance
	if err := resp.Decode(&b); err != nil {
		return provider.Balance{}, unavailable("its balance cannot be read: %w", err)
	}
	if b.Balance == nil || b.MaxLoan == nil {
		return provider.Balance{}, unavailable("its balance lacks balance or max_loan_amount")
	}
	return provider.Balance{Available: b.Balance.Money, Overdraft: b.MaxLoan.Money, Currency: "COP"}, nil
}
