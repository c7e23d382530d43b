package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// overlooked are the refusals that a bug forgets, by the text of their reason.
var overlooked = map[string]string{
	"submit/required-fields":   "needs payer.document.number",
	"submit/field-lengths":     "of at most",
	"submit/field-patterns":    "only in the form",
	"amounts/least":            " or more, not",
	"amounts/greatest":         " or less, not",
	"amounts/other-currency":   "takes COP, not",
	"amounts/no-cents":         "whole amounts",
	"documents/others-refused": "takes CC",
	"submit/undeclared-method": " by ",
}

func (p *acme) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	r := &a.Payment
	if err := p.refuse(ctx, a); err != nil {
		return provider.Outcome{}, err
	}
	c := charge{Key: a.Key, Operation: r.Operation, Amount: r.Amount, Currency: r.Currency, Bank: r.Payer.Bank}
	path := "/charges"
	switch p.bug {
	case "amounts/exact":
		c.Amount = payment.MoneyOfMinor(c.Amount.Minor() * 100)
	case "amounts/cents":
		c.Amount = payment.Pesos(c.Amount.Minor() / 100)
	case "amounts/currency":
		c.Currency = "USD"
	case "submit/operation":
		c.Operation = payment.PayOut
	case "idempotency/same-key-one-charge":
		if a.Resend {
			c.Key += "-again"
		}
	case "idempotency/after-restart":
		if a.Resend && !p.was("sent") {
			c.Key += "-again"
		}
	case "idempotency/after-lost-answer":
		if a.Resend && p.was("lost") {
			c.Key += "-again"
		}
	case "idempotency/two-keys-two-charges":
		c.Key = a.PaymentID[4:24]
	case "submit/key-sent":
		c.Key = strings.ToUpper(c.Key)
	case "privacy/secrets-in-bodies":
		c.Secret = p.conf["client_secret"]
	case "privacy/paths":
		path += "?document=" + url.QueryEscape(r.Payer.Document.Number)
	}
	status, answer, err := p.call(ctx, http.MethodPost, path, c)
	if p.has("submit/one-call") && err == nil || p.has("ambiguity/no-own-repeat") && err != nil {
		status, answer, err = p.call(ctx, http.MethodPost, path, c)
	}
	var o provider.Outcome
	if err == nil {
		o, err = p.readCharge(ctx, status, answer)
	}
	p.note("sent")
	if err != nil {
		p.note("lost")
	}
	return p.misreport(a, o), err
}

// refuse is what acme checks before it calls anybody.
func (p *acme) refuse(ctx context.Context, a provider.Attempt) error {
	r := &a.Payment
	info := p.Info()
	capability := payment.CapabilityFor(info.Capabilities, r.Operation, r.Method)
	if capability == nil {
		if p.has("submit/undeclared-method") {
			return nil
		}
		return provider.Errorf(provider.CodeInvalid, "acme: it does not take %s by %s", r.Operation, r.Method)
	}
	if a.Key == "" && !p.has("submit/no-key") {
		return provider.Errorf(provider.CodeInvalid, "acme: an attempt without a key")
	}
	for _, refusal := range capability.Refusals(r) {
		if forgotten := overlooked[p.bug]; forgotten == "" || !strings.Contains(refusal.Reason, forgotten) {
			e := provider.Errorf(provider.CodeInvalid, "acme: %s", refusal.Reason)
			e.Field = refusal.Field
			if p.has("privacy/refusals") {
				e.Message += ": " + r.Payer.Document.Number
			}
			return e
		}
	}
	if p.has("documents/declared-taken") && r.Payer.Document.Type == payment.CE {
		return provider.Errorf(provider.CodeInvalid, "acme: no CE")
	}
	if p.has("submit/name-parts") && r.Operation == payment.PayIn && r.Payer.Name == "" {
		return provider.Errorf(provider.CodeInvalid, "acme: the full name")
	}
	if r.Operation != payment.Bill {
		return nil
	}
	bill, err := p.Bill(ctx, r.Bill.Biller, r.Bill.Reference)
	switch {
	case p.has("bills/unknown-biller"):
		return nil
	case err != nil:
		return err
	case bill.Amount != r.Amount && !a.Resend && !p.has("bills/other-amount"):
		e := provider.Errorf(provider.CodeInvalid, "acme: the bill has another amount")
		e.Field = "amount"
		return e
	}
	return nil
}

// readCharge is what an answer to a hand-over means.
func (p *acme) readCharge(ctx context.Context, status int, answer []byte) (provider.Outcome, error) {
	var c charge
	unread := json.Unmarshal(answer, &c) != nil
	switch {
	case status == http.StatusTooManyRequests && !p.has("ambiguity/too-many-requests"):
		return provider.Outcome{}, provider.Errorf(provider.CodeUnavailable, "acme: too many requests")
	case status == http.StatusUnauthorized && !p.has("ambiguity/unauthorized"):
		return provider.Outcome{}, provider.Errorf(provider.CodeUnauthorized, "acme: the token is refused")
	case status == http.StatusUnprocessableEntity:
		return provider.Outcome{}, provider.Errorf(provider.CodeInvalid, "acme: it refuses the payment")
	case strings.HasPrefix(p.bug, "privacy/errors-") && strings.HasSuffix(p.bug, nameOf(status)):
		return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "acme: %s", answer)
	case status == 500 && p.has("ambiguity/html-500"), status == 502 && p.has("ambiguity/html-502"),
		status == 504 && p.has("ambiguity/empty-504"), status == 204 && p.has("ambiguity/no-content-204"),
		status == 201 && len(answer) == 0 && p.has("ambiguity/empty-201"),
		status == 200 && p.has("ambiguity/"+bodyOf(answer)+"-200"):
		return provider.Outcome{}, provider.Errorf(provider.CodeUnavailable, "acme: %d", status)
	case unread || status != http.StatusOK && status != http.StatusCreated && status != http.StatusConflict:
		if p.has("ambiguity/garble") && status == http.StatusCreated && len(answer) > 0 {
			return provider.Outcome{}, provider.Errorf(provider.CodeUnavailable, "acme: half an answer")
		}
		return provider.Outcome{}, errUnclear
	}
	return p.outcome(c)
}

// nameOf names the status as the checks do.
func nameOf(status int) string { return fmt.Sprintf("-%d", status) }

// bodyOf names the body as the checks do.
func bodyOf(answer []byte) string {
	known := map[string]string{"": "empty", "{}": "object", "[]": "list", "null": "null", `{"status":`: "trailing"}
	if strings.HasPrefix(string(answer), "<html>") {
		return "html"
	}
	return known[string(answer)]
}

// misreport are the bugs of an outcome.
func (p *acme) misreport(a provider.Attempt, o provider.Outcome) provider.Outcome {
	if o.Status == "" {
		return o
	}
	switch p.bug {
	case "submit/status":
		o.Status = "done"
	case "submit/true-status":
		o.Status, o.Action = provider.Succeeded, nil
	case "submit/echo":
		o.Amount = payment.MoneyOfMinor(o.Amount.Minor() + 1)
	case "submit/redirect":
		o.Action = nil
	case "privacy/action":
		if o.Action != nil {
			o.Action = payment.Redirect(o.Action.URL + "?s=" + p.conf["client_secret"])
		}
	case "idempotency/resend-claims-nothing":
		if a.Resend {
			o = provider.Outcome{Status: provider.Failed, Key: o.Key}
		}
	}
	return o
}

func (p *acme) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	if q.Key == "" {
		if p.has("lookup/empty") {
			return provider.Outcome{Status: provider.Absent}, nil
		}
		return provider.Outcome{}, provider.Errorf(provider.CodeInvalid, "acme: a look-up needs the key")
	}
	if p.has("lookup/by-key") && q.Reference == "" {
		return provider.Outcome{Status: provider.Absent}, nil
	}
	status, answer, err := p.call(ctx, http.MethodGet, "/charges?key="+url.QueryEscape(q.Key), nil)
	if err != nil {
		return provider.Outcome{}, errUnclear
	}
	var c charge
	switch unread := json.Unmarshal(answer, &c) != nil; {
	case status == http.StatusNotFound && p.has("lookup/unknown-key"):
		return provider.Outcome{Status: provider.Failed}, nil
	case status == http.StatusNotFound:
		return provider.Outcome{Status: provider.Absent}, nil
	case status == 500 && p.has("lookup/html-500"), status == 200 && p.has("lookup/"+bodyOf(answer)+"-200"):
		return provider.Outcome{Status: provider.Absent}, nil
	case unread && status == 200 && p.has("lookup/garble") && len(answer) > 15 && answer[0] == '{':
		return provider.Outcome{Status: provider.Absent}, nil
	case unread || status != http.StatusOK:
		return provider.Outcome{}, errUnclear
	}
	o, err := p.outcome(c)
	if err != nil {
		return o, err
	}
	switch {
	case p.has("lookup/rejected") && o.Status == provider.Rejected, p.has("lookup/approved") && o.Status == provider.Succeeded,
		p.has("lookup/expired") && o.Status == provider.Expired:
		o.Status = provider.Pending
	case p.has("lookup/pending") && o.Status == provider.Pending:
		o.Status = provider.Authorized
	case p.has("amounts/lookup-echo"):
		o.Amount = payment.MoneyOfMinor(o.Amount.Minor() + 1)
	case p.has("lookup/changes-nothing"):
		_, _, _ = p.call(ctx, http.MethodPost, "/charges", charge{Key: q.Key, Operation: q.Operation, Amount: payment.Pesos(20_000), Currency: "COP"})
	}
	return o, nil
}
