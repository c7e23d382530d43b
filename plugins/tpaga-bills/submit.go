package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// Submit pays one bill. The attempt's key is its idempotency token, under which Tpaga pays once only. What became of
// it the body says, whatever the HTTP status (TB-01, TB-10): a payment that is known already is a 409, a rejected one
// a 503.
func (p *bills) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	body, err := p.paymentRequest(a)
	if err != nil {
		return provider.Outcome{}, err
	}
	if !a.Resend { // a payment that was made turns its bill into one that cannot be queried
		if err := p.checkBill(ctx, &a.Payment); err != nil {
			return provider.Outcome{}, err
		}
	}
	resp, err := p.api.payBill(ctx, body)
	if err != nil {
		return provider.Outcome{}, err
	}
	r := readReply(resp)
	if r.Status == "" {
		return provider.Outcome{}, paymentError(resp, r)
	}
	if field := r.differsFrom(body); field != "" {
		return anotherPayment(r, field), nil
	}
	o, err := r.outcome()
	if err != nil || r.Status != rejected {
		return o, err
	}
	if _, refused := refusals[resp.Status]; refused {
		return provider.Outcome{}, paymentError(resp, r)
	}
	if result := results[r.ResultCode]; result.code == provider.CodeInvalid {
		e := &provider.Error{ProviderCode: o.Code, Reference: o.Reference}
		result.tell(e)
		return provider.Outcome{}, e
	}
	return o, nil
}

// differsFrom names the first field by which r is another payment than body asked for; "" where there is none. Key
// and amount are the engine's to compare.
func (r reply) differsFrom(body paymentRequest) string {
	for _, f := range []struct{ name, theirs, ours string }{
		{"utility_provider", r.Biller, body.Biller},
		{"short_bill_reference", r.Reference, body.Reference},
		{"payment_token", r.PaymentToken, body.PaymentToken},
	} {
		if f.theirs != "" && f.theirs != f.ours {
			return f.name
		}
	}
	return ""
}

// anotherPayment is the outcome where the token already belongs to the payment of something else. That one must
// never pass for ours, not now and not when it is looked up later: a key that differs is a mismatch to the engine,
// which leaves it to a person. CodeUnknown would be cleared up by the next look-up, as a success.
func anotherPayment(r reply, field string) provider.Outcome {
	return provider.Outcome{
		Status: provider.Pending, Key: r.IdempotencyToken + " with another " + field, Reference: r.Token, Code: r.code(),
	}
}

// maxToken is the longest idempotency token that Tpaga takes.
const maxToken = 128

// paymentRequest translates an attempt. Every refusal is CodeInvalid.
func (p *bills) paymentRequest(a provider.Attempt) (paymentRequest, error) {
	r := &a.Payment
	capability := payment.CapabilityFor(p.info.Capabilities, r.Operation, r.Method)
	if capability == nil {
		return paymentRequest{}, invalid("method", fmt.Sprintf("pays bills only, not %s by %s", r.Operation, r.Method))
	}
	if err := p.config.judgeReference(r.Bill.Reference); err != nil {
		return paymentRequest{}, err
	}
	if refused := capability.Refusals(r); len(refused) > 0 {
		reasons := make([]string, len(refused))
		for i, refusal := range refused {
			reasons[i] = refusal.Reason
		}
		return paymentRequest{}, invalid(refused[0].Field, strings.Join(reasons, "; "))
	}
	if a.Key == "" || len(a.Key) > maxToken || a.PaymentID == "" {
		return paymentRequest{}, invalid("", fmt.Sprintf("takes attempts with a key of 1 to %d characters and a payment's id only", maxToken))
	}
	return paymentRequest{
		IdempotencyToken: a.Key,
		Amount:           r.Amount.Minor() / 100, // whole pesos: the capability has no decimals (TB-03)
		Biller:           r.Bill.Biller,
		Reference:        r.Bill.Reference,
		PaymentToken:     a.PaymentID, // the same for every attempt and resend (TB-18)
		PaymentOrigin:    p.config.paymentOrigin,
	}, nil
}

// checkBill makes sure, before anything is paid, that the bill can be paid with that amount (TB-04). Its errors say
// that nothing was handed over.
func (p *bills) checkBill(ctx context.Context, r *payment.Request) error {
	if paymentTests[r.Bill.Reference] { // at staging only: elsewhere they are refused
		return nil
	}
	found, err := p.agreement(ctx, r.Bill.Biller)
	if err != nil {
		return err
	}
	if !found.Queriable && p.config.allowUnqueried { // TB-19
		return nil
	}
	b, err := p.Bill(ctx, r.Bill.Biller, r.Bill.Reference)
	if err != nil {
		return err
	}
	if b.Amount != r.Amount && !b.AmountEditable {
		return invalid("amount", fmt.Sprintf("has a bill of %s, which cannot be paid with %s: bills are paid whole, and in whole pesos", b.Amount, r.Amount))
	}
	return nil
}
