package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/phone"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// Submit makes one pay-in. The attempt's key is its reference.
func (p *tumipay) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	body, err := p.payinRequest(a)
	if err != nil {
		return provider.Outcome{}, err
	}
	resp, err := p.api.createPayin(ctx, body)
	switch {
	case err != nil:
		return provider.Outcome{}, err
	case resp.Status/100 == 2:
		return p.handedOver(ctx, body, resp)
	}
	refused, ask := payinError(resp)
	if ask {
		return p.refused(ctx, body, refused)
	}
	return provider.Outcome{}, refused
}

// handedOver is the outcome of a hand-over that was answered with 2XX.
func (p *tumipay) handedOver(ctx context.Context, body payinRequest, resp *rest.Response) (provider.Outcome, error) {
	e, err := readEnvelope(resp)
	if err != nil {
		return provider.Outcome{}, err
	}
	if e.Code != success {
		refused := provider.Errorf(provider.CodeUnavailable, "TumiPay: it refuses the pay-in with a code of its own")
		refused.ProviderCode = e.codeAfter(resp.Status)
		return p.refused(ctx, body, refused)
	}
	var made payin
	if err := e.readData(&made); err != nil {
		return provider.Outcome{}, unclear("", "the data of its %d cannot be read: %v", resp.Status, err)
	}
	o := provider.Outcome{
		Status: provider.Pending, Key: made.Transaction.Reference, Reference: ticketOf(made.Ticket),
		Currency: made.Transaction.Currency, Code: e.Code,
	}
	if made.Transaction.Amount != "" {
		if o.Amount, err = p.config.money(made.Transaction.Amount); err != nil {
			return provider.Outcome{}, unclear(o.Reference, "the amount that it echoes cannot be read")
		}
	}
	if key := brebKey(made.AccountNumber); key != "" {
		o.Message = fmt.Sprintf("the payer pays to the Bre-B key %.100s", key)
	}
	switch {
	case isURL(made.PaymentURL):
		o.Action = payment.Redirect(made.PaymentURL)
	case o.Message == "":
		return provider.Outcome{}, unclear(o.Reference, "it made the pay-in and gave no URL for the payer")
	}
	return o, nil
}

// brebKey is where a Bre-B payer pays to; it is TumiPay's, and can be a phone number written as a JSON number.
func brebKey(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// refused tells whether a refusal holds: it can also mean that there is a pay-in under the reference already.
func (p *tumipay) refused(ctx context.Context, body payinRequest, refusal *provider.Error) (provider.Outcome, error) {
	found, err := p.Lookup(ctx, provider.Query{Key: body.Reference})
	switch {
	case err != nil:
		e := unclear(provider.AsError(err).Reference, "it refused the request, and whether a pay-in exists under the reference could not be told")
		e.ProviderCode = refusal.ProviderCode
		return provider.Outcome{}, e
	case found.Status == provider.Absent:
		return provider.Outcome{}, refusal
	case found.Status == provider.Pending && found.Action == nil:
		return provider.Outcome{}, unclear(found.Reference, "a pay-in exists under the reference, and its URL cannot be asked for")
	case found.Code == declined:
		// By TumiPay's own rules, and nobody has its URL: another provider may be tried.
		found.Status = provider.Failed
	}
	return found, nil
}

// words are TumiPay's for the methods.
var words = map[payment.Method]string{
	payment.PSE: "PSE", payment.Efecty: "EFECTY", payment.Card: "CARD", payment.BreB: "BREB", payment.Any: "ALL_METHODS",
}

var documentTypes = map[payment.DocumentType]string{
	payment.CC: "CC", payment.CE: "CE", payment.PP: "PPN",
}

// noWebhooks is the ipn_url where the router cannot be reached. The field is required, and what is posted to it holds
// the payer's data: this name never exists (RFC 2606).
const noWebhooks = "https://no-webhooks.invalid/"

// payinRequest translates an attempt. Every refusal is CodeInvalid.
func (p *tumipay) payinRequest(a provider.Attempt) (payinRequest, error) {
	r := &a.Payment
	capability := payment.CapabilityFor(p.info.Capabilities, r.Operation, r.Method)
	if capability == nil {
		return payinRequest{}, invalid("method", fmt.Sprintf("takes pay-ins by pse, efecty, card, breb and any only, not %s by %s", r.Operation, r.Method))
	}
	if refused := capability.Refusals(r); len(refused) > 0 {
		reasons := make([]string, len(refused))
		for i, refusal := range refused {
			reasons[i] = refusal.Reason
		}
		return payinRequest{}, invalid(refused[0].Field, strings.Join(reasons, "; "))
	}
	if !isKey(a.Key) {
		return payinRequest{}, invalid("", "takes keys of 1 to 64 letters, digits and hyphens only")
	}
	body := payinRequest{
		Reference:     a.Key,
		Amount:        p.config.units(r.Amount),
		Currency:      r.Currency,
		Country:       r.Country,
		PaymentMethod: words[r.Method],
		Description:   r.Description,
		Customer: customer{
			LegalDoc:     r.Payer.Document.Number,
			LegalDocType: documentTypes[r.Payer.Document.Type],
			PhoneCode:    phone.CountryCode,
			PhoneNumber:  phone.National(r.Payer.Phone),
			Email:        r.Payer.Email,
			FullName:     r.Payer.FullName(),
		},
		ExpirationTime: int64(p.config.expiration.Minutes()),
		IPNURL:         a.NotificationURL,
		RedirectURL:    r.ReturnURL,
	}
	if body.IPNURL == "" {
		body.IPNURL = noWebhooks
	}
	if p.config.version == "v2" && r.Method == payment.PSE && r.Payer.Bank != "" {
		body.Customer.Bank, body.Customer.PersonType = r.Payer.Bank, "NATURAL" // no other kind is taken (TM-14)
	}
	return body, nil
}

// units is an amount in the API's unit: whole units always, because the capability has no decimals where the unit is
// a peso.
func (c config) units(m payment.Money) int64 {
	if c.cents {
		return m.Minor()
	}
	return m.Minor() / 100
}

// phoneForm is a phone number of Colombia: 1 to 20 digits, whatever stands between, with +57 before them or no plus.
const phoneForm = `(\+[^+\d]*57)?([^+\d]*\d){1,20}[^+\d]*`
