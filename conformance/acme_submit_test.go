package conformance_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// charge is how acme writes a transaction.
type charge struct {
	ID        string            `json:"id"`
	Key       string            `json:"key"`
	Operation payment.Operation `json:"operation"`
	Amount    payment.Money     `json:"amount"`
	Currency  string            `json:"currency"`
	Status    string            `json:"status"`
	URL       string            `json:"url"`
	Bank      string            `json:"bank,omitzero"`
	Secret    string            `json:"secret,omitzero"`
}

var words = map[string]provider.Status{
	"pending": provider.Pending, "approved": provider.Succeeded, "rejected": provider.Rejected, "expired": provider.Expired,
}

func outcome(c charge) (provider.Outcome, error) {
	o := provider.Outcome{Status: words[c.Status], Key: c.Key, Reference: c.ID, Amount: c.Amount, Currency: c.Currency}
	if o.Status == "" || o.Key == "" {
		return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "acme: its answer cannot be read")
	}
	if o.Status == provider.Pending && c.Operation == payment.PayIn {
		o.Action = payment.Redirect(c.URL)
	}
	return o, nil
}

func (p *acme) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	p.note("submitting")
	if p.has("deadlines/next-call") && p.was("gave up") {
		return provider.Outcome{}, provider.Errorf(provider.CodeUnavailable, "acme: busy")
	}
	if p.has("deadlines/over-before") && ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
	}
	if err := p.refuse(ctx, a); err != nil {
		return provider.Outcome{}, err
	}
	r := &a.Payment
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
	case "submit/key-sent":
		c.Key = strings.ToUpper(c.Key)
	case "idempotency/two-keys-two-charges":
		c.Key = a.PaymentID[4:24]
	case "banks/unlisted":
		c.Bank = "1007"
	case "privacy/secrets-in-bodies":
		c.Secret = p.conf["client_secret"]
	case "privacy/paths":
		path += "?document=" + url.QueryEscape(r.Payer.Document.Number)
	}
	p.mu.Lock()
	p.last = a.Key
	p.mu.Unlock()
	if owner := p.world.owner(a.Key, p); a.Resend && p.sendsAnew(ctx, a, owner) {
		c.Key += "-again"
	}
	shared := p.has("idempotency/parallel-attempts") && !a.Resend && p.meets()
	got := p.call(ctx, http.MethodPost, path, c)
	if p.has("submit/one-call") && got.err == nil || p.has("ambiguity/no-own-repeat") && got.err != nil {
		got = p.call(ctx, http.MethodPost, path, c)
	}
	for name, is := range misreadings {
		if is(got) {
			p.note(name + " " + a.Key)
		}
	}
	if misreadings["delay"](got) {
		p.note("gave up")
	}
	if p.has("privacy/logs") {
		p.world.logs.add(string(got.body))
	}
	o, err := p.readCharge(got)
	if shared {
		o.Reference = "acme-shared"
	}
	return p.misreport(a, o), err
}

// sendsAnew reports whether a bug makes another charge of an attempt that is sent again.
func (p *acme) sendsAnew(ctx context.Context, a provider.Attempt, owner *acme) bool {
	switch p.bug {
	case "idempotency/same-key-one-charge":
		return true
	case "idempotency/concurrent-one-charge":
		return p.meets()
	case "idempotency/after-restart":
		return owner != p
	case "idempotency/after-lost-answer":
		return p.was("drop-after " + a.Key)
	case "idempotency/after-garbled-answer":
		return p.was("garble " + a.Key)
	case "idempotency/after-lost-request":
		return p.was("drop-before " + a.Key)
	case "idempotency/long-after":
		before := p.held()
		_, _ = p.Balance(ctx)
		return before != "" && p.held() != before
	case "idempotency/after-approval":
		o, _ := p.Lookup(ctx, provider.Query{Key: a.Key})
		return o.Status == provider.Succeeded
	}
	return false
}

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
}

// refuse is what acme checks before it calls anybody.
func (p *acme) refuse(ctx context.Context, a provider.Attempt) error {
	r := &a.Payment
	info := p.Info()
	capability := payment.CapabilityFor(info.Capabilities, r.Operation, r.Method)
	switch {
	case capability == nil && p.has("submit/undeclared-method"):
		return nil
	case capability == nil:
		return provider.Errorf(provider.CodeInvalid, "acme: it does not take %s by %s", r.Operation, r.Method)
	case a.Key == "" && !p.has("submit/no-key"):
		return provider.Errorf(provider.CodeInvalid, "acme: an attempt without a key")
	}
	for _, refusal := range capability.Refusals(r) {
		if forgotten := overlooked[p.bug]; forgotten == "" || !strings.Contains(refusal.Reason, forgotten) {
			e := provider.Errorf(provider.CodeInvalid, "acme: %s", refusal.Reason)
			e.Field = refusal.Field
			if p.has("privacy/refusals") {
				e.Message += ": " + r.Payer.Document.Number
			}
			if p.has("load/refusals") && p.note("refused") > 100 {
				p.call(ctx, http.MethodPost, "/charges", "refused")
			}
			return e
		}
	}
	switch {
	case p.has("documents/declared-taken") && r.Payer.Document.Type == payment.CE,
		p.has("submit/name-parts") && r.Operation == payment.PayIn && r.Payer.Name == "",
		p.has("submit/taken") && r.Operation == payment.Bill:
		return provider.Errorf(provider.CodeInvalid, "acme: it does not like it")
	case r.Operation != payment.Bill:
		return nil
	}
	bill, err := p.Bill(ctx, r.Bill.Biller, r.Bill.Reference)
	switch other := bill.Amount.Minor() - r.Amount.Minor(); {
	case p.has("bills/unknown-biller") && r.Bill.Biller == "conformance", p.has("amounts/no-cents") && other == -1:
		return nil
	case err != nil:
		return err
	case other != 0 && !a.Resend && !p.has("bills/other-amount"):
		e := provider.Errorf(provider.CodeInvalid, "acme: the bill has another amount")
		e.Field = "amount"
		return e
	}
	return nil
}

// readCharge is what an answer to a hand-over means.
func (p *acme) readCharge(r reply) (provider.Outcome, error) {
	var c charge
	unread := json.Unmarshal(r.body, &c) != nil
	switch err := r.problem(); {
	case p.misled(r):
		return provider.Outcome{Status: provider.Succeeded}, nil
	case p.misreads("ambiguity/", r):
		return provider.Outcome{}, provider.Errorf(provider.CodeUnavailable, "acme: surely not")
	case p.has("privacy/errors-dropped") && misreadings["drop-after"](r), p.has("privacy/errors-garbled") && misreadings["garble"](r):
		return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "acme: no answer to %s", p.conf["client_secret"])
	case err != nil:
		return provider.Outcome{}, err
	case r.status == http.StatusTooManyRequests && !p.has("ambiguity/too-many-requests"):
		return provider.Outcome{}, provider.Errorf(provider.CodeUnavailable, "acme: too many requests")
	case r.status == http.StatusUnauthorized && !p.has("ambiguity/unauthorized"):
		return provider.Outcome{}, provider.Errorf(provider.CodeUnauthorized, "acme: the token is refused")
	case p.bug == "privacy/errors-"+strconv.Itoa(r.status):
		return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "acme: %s", r.body)
	case r.status == http.StatusUnprocessableEntity:
		return provider.Outcome{}, provider.Errorf(provider.CodeInvalid, "acme: it refuses the payment")
	case unread || r.status != http.StatusOK && r.status != http.StatusCreated && r.status != http.StatusConflict:
		return provider.Outcome{}, errUnclear
	}
	return outcome(c)
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
	case "submit/reference":
		o.Reference = ""
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
