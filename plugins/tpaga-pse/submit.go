package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/phone"
	"github.com/cauce-pay/cauce/provider"
)

// Submit makes one charge. The attempt's key is its order_id, which Tpaga takes once.
func (p *tpaga) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	body, err := p.chargeRequest(a)
	if err != nil {
		return provider.Outcome{}, err
	}
	resp, err := p.api.createCharge(ctx, body)
	switch {
	case err != nil:
		return provider.Outcome{}, err
	case resp.Status/100 == 2:
		c, err := readCharge(resp)
		if err != nil {
			return provider.Outcome{}, err
		}
		return c.handedOver(body)
	case resp.Status == http.StatusConflict:
		// Its body is documented as a failed charge, which says why.
		if c, err := readCharge(resp); err == nil && c.OrderID == body.OrderID && c.bankIsDown() {
			return provider.Outcome{}, c.bankError()
		}
	case resp.Status == http.StatusRequestTimeout, resp.Status == http.StatusBadGateway:
		// A charge exists under this order_id: from an earlier call (TP-01), or as failed (TP-02).
		if token := tokenIn(resp.Body, "token"); token != "" {
			o, err := p.existing(ctx, body, token)
			return o, known(err)
		}
	}
	return provider.Outcome{}, chargeError(resp)
}

// existing answers a hand-over with the charge that Tpaga says exists already.
func (p *tpaga) existing(ctx context.Context, body chargeRequest, token string) (provider.Outcome, error) {
	resp, err := p.api.getCharge(ctx, token)
	if err != nil {
		return provider.Outcome{}, asUnknown(err, token)
	}
	if resp.Status != http.StatusOK {
		return provider.Outcome{}, asUnknown(readError(resp, "the charge that exists under the order_id"), token)
	}
	c, err := readCharge(resp)
	if err != nil {
		return provider.Outcome{}, asUnknown(err, token)
	}
	if c.OrderID != body.OrderID {
		return provider.Outcome{}, unclear("", "it says that the order_id is known, and names a charge with another one")
	}
	return c.handedOver(body)
}

// handedOver is the outcome of a hand-over that was answered with the charge.
func (c charge) handedOver(body chargeRequest) (provider.Outcome, error) {
	o, err := c.outcome()
	switch {
	case err != nil:
		return provider.Outcome{}, err
	case c.OrderID == body.OrderID && c.BankCode != "" && c.BankCode != body.BankCode:
		// Without a reference it is not looked up, so that nobody is given its URL.
		return provider.Outcome{}, unclear("", "it made charge %s at another bank than asked for", c.Token)
	case o.Code == pending && o.Action == nil:
		return provider.Outcome{}, unclear(c.Token, "it registered the charge and gave no URL for the payer")
	case c.bankIsDown():
		return provider.Outcome{}, c.bankError()
	case o.Code == rejected:
		// PSE did not take it, so there is nothing that a payer could pay: another provider may be tried.
		o.Status = provider.Failed
	}
	return o, nil
}

// maxOrderID is the longest order_id that Tpaga takes. A longer one is refused, never cut: cut ones collide
// (TP-18).
const maxOrderID = 20

// chargeRequest translates an attempt. Every refusal is CodeInvalid.
func (p *tpaga) chargeRequest(a provider.Attempt) (chargeRequest, error) {
	r := &a.Payment
	capability := payment.CapabilityFor(p.info.Capabilities, r.Operation, r.Method)
	if capability == nil {
		return chargeRequest{}, invalid("method", fmt.Sprintf("takes pay-ins by pse only, not %s by %s", r.Operation, r.Method))
	}
	if refused := capability.Refusals(r); len(refused) > 0 {
		reasons := make([]string, len(refused))
		for i, refusal := range refused {
			reasons[i] = refusal.Reason
		}
		return chargeRequest{}, invalid(refused[0].Field, strings.Join(reasons, "; "))
	}
	if r.Tax.Minor() < 0 || r.Tax.Cmp(r.Amount) >= 0 {
		return chargeRequest{}, invalid("tax", fmt.Sprintf("takes a tax of 0.00 or more that is less than the amount, not %s of %s", r.Tax, r.Amount))
	}
	if a.Key == "" || len(a.Key) > maxOrderID {
		return chargeRequest{}, invalid("", fmt.Sprintf("takes keys of 1 to %d characters, not %d, and a key is never cut", maxOrderID, len(a.Key)))
	}
	return chargeRequest{
		BankCode:         r.Payer.Bank,
		OrderID:          a.Key,
		Amount:           r.Amount.String(),
		VATAmount:        r.Tax.String(),
		Description:      r.Description,
		UserType:         userType(r.Payer),
		BuyerEmail:       r.Payer.Email,
		BuyerFullName:    r.Payer.FullName(),
		DocumentType:     string(r.Payer.Document.Type),
		DocumentNumber:   r.Payer.Document.Number,
		RedirectURL:      r.ReturnURL,
		BuyerPhoneNumber: phone.National(r.Payer.Phone), // TP-14
	}, nil
}

func invalid(field, why string) error {
	return &provider.Error{Code: provider.CodeInvalid, Message: "Tpaga PSE " + why, Field: field}
}

// userType is the payer's kind, told by the document where the request does not say.
func userType(p payment.Party) string {
	if p.Kind == payment.Legal || p.Kind == "" && p.Document.Type == payment.NIT {
		return "LEGAL"
	}
	return "NATURAL"
}
