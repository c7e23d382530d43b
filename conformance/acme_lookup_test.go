package conformance_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func (p *acme) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	absent := provider.Outcome{Status: provider.Absent}
	owner := p.world.owner(q.Key, nil)
	switch {
	case q.Key == "" && !p.has("lookup/empty"):
		return provider.Outcome{}, provider.Errorf(provider.CodeInvalid, "acme: a look-up needs the key")
	case q.Key == "", p.has("lookup/by-key") && q.Reference == "", p.has("lookup/after-restart") && owner != nil && owner != p,
		p.has("ambiguity/resolved") && p.was("drop-after "+q.Key):
		return absent, nil
	case p.has("load/thousand-lookups") && p.note(q.Key) > 100:
		return provider.Outcome{Status: provider.Pending}, nil
	case p.has("lookup/own-attempt") && owner == p:
		q.Key = p.newest()
	}
	r := p.call(ctx, http.MethodGet, "/charges?key="+url.QueryEscape(q.Key), nil)
	var c charge
	switch unread := json.Unmarshal(r.body, &c) != nil; {
	case p.misreads("lookup/", r):
		return absent, nil
	case r.err == nil && r.status == http.StatusNotFound && p.has("lookup/unknown-key"):
		return provider.Outcome{Status: provider.Failed}, nil
	case r.err == nil && r.status == http.StatusNotFound && p.has("ambiguity/reference-kept") && p.was("drop-before "+q.Key):
		return provider.Outcome{Status: provider.Pending}, nil
	case r.err == nil && r.status == http.StatusNotFound:
		return absent, nil
	case r.err != nil || unread || r.status != http.StatusOK:
		if p.has("load/no-leak") {
			go func() { <-p.closed }()
		}
		return provider.Outcome{}, errUnclear
	}
	o, err := outcome(c)
	if err != nil {
		return o, err
	}
	return p.mistake(ctx, q, o), nil
}

// newest is the key of the newest attempt.
func (p *acme) newest() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// mistake are the bugs of a look-up that was answered.
func (p *acme) mistake(ctx context.Context, q provider.Query, o provider.Outcome) provider.Outcome {
	switch {
	case p.has("lookup/rejected") && o.Status == provider.Rejected, p.has("lookup/approved") && o.Status == provider.Succeeded,
		p.has("lookup/expired") && o.Status == provider.Expired:
		o.Status = provider.Pending
	case p.has("lookup/pending") && o.Status == provider.Pending:
		o.Status = provider.Authorized
	case p.has("lookup/late-success") && o.Status == provider.Rejected:
		p.note("rejected " + q.Key)
	case p.has("lookup/late-success") && p.was("rejected "+q.Key):
		o.Status = provider.Rejected
	case p.has("notifications/forged") && p.was("approved "+q.Key):
		o.Status = provider.Succeeded
	case p.has("amounts/lookup-echo"):
		o.Amount = payment.MoneyOfMinor(o.Amount.Minor() + 1)
	case p.has("lookup/changes-nothing"):
		p.call(ctx, http.MethodPost, "/charges", charge{Key: q.Key, Operation: q.Operation, Amount: payment.Pesos(20_000), Currency: "COP"})
	}
	return o
}
