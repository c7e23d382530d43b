package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/phone"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// Submit makes one pay-in. The attempt's key is its merchant_transaction_reference.
func (p *paypaga) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	body, err := newPayInRequest(a)
	if err != nil {
		return provider.Outcome{}, err
	}
	resp, err := p.api.createPayIn(ctx, body)
	switch {
	case err != nil:
		return provider.Outcome{}, err
	case resp.Status/100 == 2:
		return p.handedOver(resp)
	case resp.Status == http.StatusConflict, errorIn(resp).Code == referenceExists:
		return p.existing(ctx, a.Key, errorIn(resp).codeAfter(resp.Status))
	}
	refused, ask := payInError(resp)
	if ask {
		return p.refused(ctx, a.Key, refused)
	}
	return provider.Outcome{}, refused
}

// handedOver is the outcome of a hand-over that was answered with 2XX: accepted, not paid.
func (p *paypaga) handedOver(resp *rest.Response) (provider.Outcome, error) {
	var t transaction
	if err := resp.Decode(&t); err != nil {
		return provider.Outcome{}, unclear("", "the body of its %d cannot be read: %v", resp.Status, err)
	}
	o := provider.Outcome{
		Status: provider.Pending, Key: t.Reference, Reference: idOf(t.ID), Amount: t.Amount.Money, Currency: t.Currency,
		Code: fmt.Sprint(resp.Status), ExpiresAt: t.expiresAt(),
	}
	if o.Reference == "" || !isURL(t.Instructions.ReferenceURL) {
		return provider.Outcome{}, unclear(o.Reference, "its %d lacks transaction_id or the URL for the payer", resp.Status)
	}
	if o.ExpiresAt.IsZero() {
		o.ExpiresAt = p.now().Add(lifetime)
	}
	o.Action = payment.Redirect(t.Instructions.ReferenceURL)
	return o, nil
}

// existing answers a hand-over whose reference PayPaga says it knows: an earlier call of ours arrived.
func (p *paypaga) existing(ctx context.Context, key, code string) (provider.Outcome, error) {
	found, err := p.search(ctx, key)
	switch {
	case err != nil:
		err := unclear(provider.AsError(err).Reference, "it knows the reference already, and what became of that pay-in could not be told")
		err.ProviderCode = code
		return provider.Outcome{}, err
	case found.Status == provider.Absent:
		err := unclear("", "it knows the reference already, and a search does not find it yet")
		err.ProviderCode = code
		return provider.Outcome{}, err
	case found.Status == provider.Pending && found.Action == nil:
		return provider.Outcome{}, unclear(found.Reference, "a pay-in exists under the reference, and its URL cannot be asked for")
	}
	return found, nil
}

// refused tells whether a refusal holds: it can also have left a pay-in behind.
func (p *paypaga) refused(ctx context.Context, key string, refusal *provider.Error) (provider.Outcome, error) {
	found, err := p.search(ctx, key)
	switch {
	case err != nil:
		e := unclear("", "it refused the request, and whether a pay-in exists under the reference could not be told")
		e.ProviderCode = refusal.ProviderCode
		return provider.Outcome{}, e
	case found.Status == provider.Absent:
		return provider.Outcome{}, refusal
	case found.Status == provider.Pending && found.Action == nil:
		return provider.Outcome{}, unclear(found.Reference, "it refused the request, and a pay-in exists under the reference")
	}
	return found, nil
}

// pse is PayPaga's word for the method.
const pse = "pse"

// The forms of what callers give, from which normalising makes PayPaga's.
const (
	rawName    = `[\p{L}\p{M}\s'\x{2019}-]+`
	rawPhone   = `(\+[^+\d]*57|57)?([^+\d]*\d){8,10}[^+\d]*`
	rawAddress = `[\p{L}\p{M}0-9\s,'\x{2019}#/.°-]+`
)

// PayPaga's forms, of the document's page "Colombia PSE". It prints nameForm without its two asterisks and emailForm
// without its last backslash; its other pages have them (PP-01, PP-04).
const (
	nameForm    = `\p{L}*(?:[ '-]\p{L}+)*`
	emailForm   = `[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}`
	phoneForm   = `\d+`
	addressForm = `[\p{L}0-9][\p{L}0-9\s,'#/.°-]+`
)

// rule bounds a field as it is sent.
type rule struct {
	min, max int // characters
	form     *regexp.Regexp
}

func newRule(min, max int, form string) rule {
	return rule{min, max, regexp.MustCompile("^" + form + "$")}
}

var (
	nameRule    = newRule(2, 25, nameForm)
	emailRule   = newRule(5, 50, emailForm)
	phoneRule   = newRule(8, 10, phoneForm)
	addressRule = newRule(2, 64, addressForm)
	// documentRules are by document type. There is no NIT: legal persons cannot pay here.
	documentRules = map[payment.DocumentType]rule{
		payment.CC: newRule(6, 10, `\d+`),
		payment.CE: newRule(6, 10, `[a-zA-Z0-9]+`),
		payment.PP: newRule(7, 12, `[a-zA-Z0-9]+`),
		payment.TE: newRule(6, 15, `[a-zA-Z0-9]+`),
	}
)

func (r rule) check(field, value string) error {
	switch n := utf8.RuneCountInString(value); {
	case n < r.min || n > r.max:
		return invalid(field, fmt.Sprintf("takes %s of %d to %d characters, not %d, and never cuts it", field, r.min, r.max, n))
	case !r.form.MatchString(value):
		return invalid(field, fmt.Sprintf("takes %s only in the form %s", field, r.form))
	}
	return nil
}

// keyForm is V1's merchant_transaction_reference; V2's is not documented.
var keyForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,45}$`)

func isKey(s string) bool { return keyForm.MatchString(s) }

// newPayInRequest translates an attempt. Every refusal is CodeInvalid.
func newPayInRequest(a provider.Attempt) (payInRequest, error) {
	r := &a.Payment
	capability := payment.CapabilityFor(info.Capabilities, r.Operation, r.Method)
	if capability == nil {
		return payInRequest{}, invalid("method", fmt.Sprintf("takes pay-ins by pse only, not %s by %s", r.Operation, r.Method))
	}
	if refused := capability.Refusals(r); len(refused) > 0 {
		reasons := make([]string, len(refused))
		for i, refusal := range refused {
			reasons[i] = refusal.Reason
		}
		return payInRequest{}, invalid(refused[0].Field, strings.Join(reasons, "; "))
	}
	if !isKey(a.Key) {
		return payInRequest{}, invalid("", "takes keys of 1 to 45 letters, digits, hyphens and underscores only")
	}
	sent, err := newFields(r.Payer)
	if err != nil {
		return payInRequest{}, err
	}
	return payInRequest{
		Amount:               r.Amount.Minor() / 100, // whole: the capability has no decimals
		Country:              r.Country,
		Currency:             r.Currency,
		PaymentMethod:        pse,
		OrderReference:       cmp.Or(r.Reference, a.Key),
		TransactionReference: a.Key,
		CustomerID:           cmp.Or(r.Payer.ID, r.Payer.Email),
		CustomerIP:           r.Payer.IP,
		Fields:               sent,
		ReturnURLs: returnURLs{
			Success: r.ReturnURL, Failure: cmp.Or(r.FailureURL, r.ReturnURL), Cancel: cmp.Or(r.CancelURL, r.ReturnURL),
		},
	}, nil
}

// newFields normalises what the payer gave and holds it against PayPaga's rules.
func newFields(p payment.Party) (fields, error) {
	first, last := names(p)
	f := fields{
		FirstName: first, LastName: last,
		DocumentType: string(p.Document.Type), DocumentNumber: p.Document.Number, BankCode: p.Bank,
		Email: p.Email, Phone: phone.National(p.Phone), Address: normal(p.Address),
	}
	firstField, lastField := "payer.first_name", "payer.last_name"
	if p.FirstName == "" || p.LastName == "" {
		firstField, lastField = "payer.name", "payer.name" // which was split
	}
	if !bankCodes[p.Bank] {
		return fields{}, invalid("payer.bank", "has no such bank")
	}
	return f, cmp.Or(
		nameRule.check(firstField, f.FirstName),
		nameRule.check(lastField, f.LastName),
		documentRules[p.Document.Type].check("payer.document.number", f.DocumentNumber),
		emailRule.check("payer.email", f.Email),
		phoneRule.check("payer.phone", f.Phone),
		addressRule.check("payer.address", f.Address),
	)
}
