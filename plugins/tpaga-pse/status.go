package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// Tpaga's words for where a charge stands.
const (
	pending        = "pending"         // registered at PSE; the payer has to act
	rejected       = "rejected"        // refused by PSE at registration
	failed         = "failed"          // never registered at PSE
	authorized     = "authorized"      // the payer has paid; settled follows by itself
	chargeRejected = "charge-rejected" // refused, or not paid in time
	settled        = "settled"         // confirmed to PSE
)

var statuses = map[string]provider.Status{
	pending:        provider.Pending,
	rejected:       provider.Rejected,
	failed:         provider.Failed,
	authorized:     provider.Authorized,
	chargeRejected: provider.Rejected,
	settled:        provider.Succeeded,
}

// normal writes a status word as Tpaga's document does (TP-15).
func normal(word string) string { return strings.ReplaceAll(strings.ToLower(word), "_", "-") }

// readCharge reads the charge that Tpaga answered with. What cannot be read, or checked against what was asked
// for, is CodeUnknown, with the charge's token where there is one.
func readCharge(resp *rest.Response) (charge, error) {
	var c charge
	if err := resp.Decode(&c); err != nil {
		return charge{}, unclear(tokenIn(resp.Body, "token"), "the body of its %d cannot be read: %v", resp.Status, err)
	}
	if !isToken(c.Token) {
		return charge{}, unclear("", "its %d names no charge token", resp.Status)
	}
	if c.OrderID == "" || c.Amount.IsZero() {
		return charge{}, unclear(c.Token, "its %d names no order_id or no amount", resp.Status)
	}
	return c, nil
}

// outcome says what the charge's status means. An unknown word is CodeUnknown, never a guess.
func (c charge) outcome() (provider.Outcome, error) {
	word := normal(c.Status)
	status, known := statuses[word]
	if !known {
		e := unclear(c.Token, "it says that the charge is %.40q, a word that its document does not have", word)
		e.ProviderCode = fmt.Sprintf("%.40s", word)
		return provider.Outcome{}, e
	}
	o := provider.Outcome{
		Status: status, Key: c.OrderID, Reference: c.Token, Amount: c.Amount.Money, Code: word, Message: c.RejectedReason,
	}
	switch {
	case word == pending && isURL(c.BankURL):
		o.Action = payment.Redirect(c.BankURL)
	case word == authorized:
		o.Message = "the payer has paid; Tpaga has yet to confirm it to PSE"
	}
	return o, nil
}

// bankIsDown reports whether PSE did not take the charge because it does not reach the payer's bank. return_code holds
// PSE's own code (Tpaga PSE, "Create charge", response parameters); PSE's list has this one, spelt so.
func (c charge) bankIsDown() bool {
	word := normal(c.Status)
	return (word == rejected || word == failed) && c.ReturnCode == "FAIL_BANKUNREACHEABLE"
}

// bankError says so: no other provider of the PSE network reaches the bank either.
func (c charge) bankError() error {
	return &provider.Error{
		Code: provider.CodeUnavailable, Field: "payer.bank", Message: "PSE does not reach the payer's bank", ProviderCode: c.ReturnCode, Reference: c.Token,
	}
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}
