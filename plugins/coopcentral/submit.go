package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// Submit makes one transfer. The attempt's key is its idempotency token, under which the API makes one only.
func (p *coopcentral) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	body, err := p.transferRequest(ctx, a)
	if err != nil {
		return provider.Outcome{}, err
	}
	resp, err := p.api.createTransaction(ctx, body)
	if err != nil {
		return provider.Outcome{}, err
	}
	switch resp.Status {
	case http.StatusCreated:
		_, o, err := p.readOutcome(resp)
		return o, err
	case http.StatusAlreadyReported, http.StatusOK: // known, and nothing new was made (CC-04); the document has no 200
		t, o, err := p.readOutcome(resp)
		if field := t.differsFrom(body); t.Token != "" && field != "" {
			return anotherTransfer(t, field), nil
		}
		return o, err
	case http.StatusConflict:
		return p.failed(resp)
	}
	return provider.Outcome{}, transferError(resp)
}

// differsFrom names the first field by which t pays somebody else than body asked for; "" where there is none.
// Key and amount are the engine's to compare.
func (t transfer) differsFrom(body transferRequest) string {
	switch {
	case t.Bank != body.Bank:
		return "dest_bank"
	case t.AccountType != body.AccountType:
		return "dest_account_type"
	case t.AccountNumber != body.AccountNumber:
		return "dest_account_number"
	}
	return ""
}

// anotherTransfer is the outcome where the token already belongs to a transfer to somebody else. That one must
// never pass for ours, not now and not when it is looked up later: a key that differs is a mismatch to the
// engine, which leaves it to a person. CodeUnknown would be cleared up by the next look-up, as a success.
func anotherTransfer(t transfer, field string) provider.Outcome {
	return provider.Outcome{Status: provider.Pending, Key: fmt.Sprintf("%s with another %s", t.Token, field), Code: t.Status}
}

// failed is the outcome of a 409: the transfer failed, and its token is burnt.
func (p *coopcentral) failed(resp *rest.Response) (provider.Outcome, error) {
	// Whether the body is a record, an error or empty is documented nowhere. A record must not contradict the status.
	t, o, err := p.readOutcome(resp)
	if err != nil || o.Status == provider.Rejected {
		return provider.Outcome{
			Status: provider.Failed, Key: o.Key, Amount: o.Amount, Code: strings.TrimSpace("409 " + errorBody(resp).Code),
			Message: "the transfer failed; its idempotency token cannot be used again",
		}, nil
	}
	return provider.Outcome{}, unclear("it answered 409, that the transfer failed, with a record that says %s", t.Status)
}

// transferRequest translates an attempt. Every refusal is CodeInvalid; where the list of banks cannot be had the
// error is another one that says that nothing was handed over.
func (p *coopcentral) transferRequest(ctx context.Context, a provider.Attempt) (transferRequest, error) {
	r := &a.Payment
	capability := payment.CapabilityFor(p.info.Capabilities, r.Operation, r.Method)
	if capability == nil {
		return transferRequest{}, invalid("method", fmt.Sprintf("takes payouts by bank_transfer only, not %s by %s", r.Operation, r.Method))
	}
	if err := p.config.judgeDescription(r.Description); err != nil {
		return transferRequest{}, err
	}
	if refused := capability.Refusals(r); len(refused) > 0 {
		reasons := make([]string, len(refused))
		for i, refusal := range refused {
			reasons[i] = refusal.Reason
		}
		return transferRequest{}, invalid(refused[0].Field, strings.Join(reasons, "; "))
	}
	accountType, known := accountTypes[r.Payee.Account.Type]
	if !known {
		return transferRequest{}, invalid("payee.account.type", fmt.Sprintf("has no account type %q", r.Payee.Account.Type))
	}
	if a.Key == "" {
		return transferRequest{}, invalid("", "takes no attempt without a key")
	}
	slug, err := p.slugOf(ctx, r.Payee.Bank)
	if err != nil {
		return transferRequest{}, err
	}
	return transferRequest{
		OwnerName:      r.Payee.FullName(),
		DocumentType:   documentTypes[r.Payee.Document.Type],
		DocumentNumber: r.Payee.Document.Number,
		AccountType:    accountType,
		AccountNumber:  r.Payee.Account.Number,
		Amount:         p.config.amountText(r.Amount),
		Bank:           slug,
		OriginAccount:  p.config.originAccount,
		Token:          a.Key,
		Description:    r.Description,
	}, nil
}

var documentTypes = map[payment.DocumentType]string{
	payment.CC: "CC", payment.CE: "CE", payment.NIT: "NIT", payment.PP: "PA", // CC-12
}

var accountTypes = map[payment.AccountType]string{
	payment.Savings: "saving_account", payment.Checking: "checking_account", payment.ElectronicDeposit: "electronic_deposit", // CC-10
}

// amountText is an amount in the API's unit: whole units always, because the capability has no decimals where
// the unit is a peso.
func (c config) amountText(m payment.Money) string {
	if c.cents {
		return strconv.FormatInt(m.Minor(), 10)
	}
	return strconv.FormatInt(m.Minor()/100, 10)
}

// The descriptions that staging answers by itself, without the bank.
const (
	magicApproved = "transaction-approved"
	magicRejected = "transaction-rejected"
)

// magicOnly reports whether a description that is not magic would make a real transfer unintended (CC-06).
func (c config) magicOnly() bool { return c.environment == staging && !c.allowStaging }

func (c config) judgeDescription(text string) error {
	switch {
	case c.magicOnly() && text != magicApproved && text != magicRejected:
		return invalid("description", "passes transfers of its staging host on to the bank as real ones, unless their description is "+
			magicApproved+" or "+magicRejected+"; use one of these, or set allow_staging_transfers")
	case c.environment == production && (strings.Contains(text, magicApproved) || strings.Contains(text, magicRejected)): // CC-07
		return invalid("description", "has "+magicApproved+" and "+magicRejected+
			" for its staging host only; base_url names another one, where the transfer would be a real one")
	}
	return nil
}
