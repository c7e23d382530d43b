package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// statuses are all that the document shows; its own lists of them are empty.
var statuses = map[string]provider.Status{
	"pending":  provider.Pending, // taken by Coopcentral; the banks have to act
	"approved": provider.Succeeded,
	"rejected": provider.Rejected,
}

// readOutcome reads the transfer that the API answered with, and what it means. What is not clear is CodeUnknown.
func (p *coopcentral) readOutcome(resp *rest.Response) (transfer, provider.Outcome, error) {
	var t transfer
	if err := resp.Decode(&t); err != nil {
		return t, provider.Outcome{}, unclear("the body of its %d cannot be read: %v", resp.Status, err)
	}
	o, err := p.outcome(t)
	return t, o, err
}

func (p *coopcentral) outcome(t transfer) (provider.Outcome, error) {
	sum, err := p.config.money(t.Amount)
	if err != nil || sum.Minor() <= 0 || t.Token == "" { // nothing, or less, is no amount: zero would pass for "not said"
		return provider.Outcome{}, unclear("its answer lacks idempotency_token or amount, which it never does")
	}
	status, known := statuses[t.Status]
	if !known {
		e := unclear("it says the transfer is %.40q, a word that its documents do not have", t.Status)
		e.ProviderCode = fmt.Sprintf("%.40s", t.Status)
		return provider.Outcome{}, e
	}
	return provider.Outcome{Status: status, Key: t.Token, Amount: sum, Code: t.Status, Message: t.masked(t.ResultMessage)}, nil
}

// money reads an amount in the API's unit.
func (c config) money(n json.Number) (payment.Money, error) {
	if len(n) > 40 {
		return payment.Money{}, errors.New("too long")
	}
	d, err := decimal.NewFromString(n.String())
	if err != nil {
		return payment.Money{}, err
	}
	if c.cents {
		d = d.Shift(-2)
	}
	return payment.MoneyOfDecimal(d)
}

var digits = regexp.MustCompile(`[0-9]{5,}`)

// masked is a text of the API without what it could repeat of the payee's personal data.
func (t transfer) masked(text string) string {
	for _, personal := range []string{t.OwnerName, t.DocumentNumber, t.AccountNumber} {
		if personal != "" {
			text = strings.ReplaceAll(text, personal, "***")
		}
	}
	return digits.ReplaceAllString(text, "***")
}
