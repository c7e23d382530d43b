package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// declined is TumiPay's own no, by its rules on fraud, limits and merchants.
const declined = "DECLINED"

// statuses are the words of every place that shows one: webhooks, the look-up's list and its example, and an adapter
// of TumiPay's own (TM-04). That one's ERROR says nothing about the money, so it is not here.
var statuses = map[string]provider.Status{
	"CREATED":   provider.Pending, // made; the payer has to act
	"PENDING":   provider.Pending,
	"APPROVED":  provider.Succeeded,
	"COMPLETED": provider.Succeeded,
	"REJECTED":  provider.Rejected,
	declined:    provider.Rejected,
	"CANCELLED": provider.Rejected,
	"FAILED":    provider.Failed,
	"EXPIRED":   provider.Expired,
}

// success is the code of an envelope whose call succeeded.
const success = "01"

// readEnvelope reads what is around every answer. What is not that is CodeUnknown.
func readEnvelope(resp *rest.Response) (envelope, error) {
	var e envelope
	if err := resp.Decode(&e); err != nil {
		return e, unclear("", "the body of its %d cannot be read: %v", resp.Status, err)
	}
	if e.Code == "" {
		return e, unclear("", "the body of its %d has no code", resp.Status)
	}
	return e, nil
}

// readData reads an envelope's data into v, numbers as they are written.
func (e envelope) readData(v any) error {
	return (&rest.Response{Body: e.Data}).Decode(v)
}

// outcome says what a look-up's answer means. An unknown word is CodeUnknown, never a guess.
func (c config) outcome(e envelope) (provider.Outcome, error) {
	var t transaction
	if err := e.readData(&t); err != nil {
		return provider.Outcome{}, unclear("", "its record of the pay-in cannot be read: %v", err)
	}
	ticket := ticketOf(t.Ticket)
	sum, err := c.money(t.Amount)
	if err != nil || t.Reference == "" {
		return provider.Outcome{}, unclear(ticket, "its record of the pay-in lacks reference or amount, which it never does")
	}
	word := strings.ToUpper(t.Status)
	status, known := statuses[word]
	if !known {
		e := unclear(ticket, "it says the pay-in is %.40q, which says nothing about the money", word)
		e.ProviderCode = fmt.Sprintf("%.40s", word)
		return provider.Outcome{}, e
	}
	o := provider.Outcome{
		Status: status, Key: t.Reference, Reference: ticket, Amount: sum, Currency: t.Currency, Code: word,
		Message: t.masked(t.ResponseMessage),
	}
	if status == provider.Pending && isURL(t.PaymentURL) {
		o.Action = payment.Redirect(t.PaymentURL)
	}
	return o, nil
}

// money reads an amount in the API's unit. Nothing, or less, is no amount: zero would pass for "not said".
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
	sum, err := payment.MoneyOfDecimal(d)
	if err == nil && sum.Minor() <= 0 {
		err = errors.New("not positive")
	}
	return sum, err
}

var (
	digits = regexp.MustCompile(`[0-9]{5,}`)
	emails = regexp.MustCompile(`\S+@\S+`)
)

// masked is a text of TumiPay's without what it could repeat of the payer's personal data.
func (t transaction) masked(text string) string {
	var customer map[string]any
	_ = json.Unmarshal(t.Customer, &customer) // [] where there is none
	for _, name := range slices.Sorted(maps.Keys(customer)) {
		if value, isText := customer[name].(string); isText && len(value) > 3 {
			text = strings.ReplaceAll(text, value, "***")
		}
	}
	return digits.ReplaceAllString(emails.ReplaceAllString(text, "***"), "***")
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}
