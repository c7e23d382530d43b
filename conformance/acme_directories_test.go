package conformance_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// read asks for a directory. topic is the first word of the ids of its checks.
func (p *acme) read(ctx context.Context, topic, path string, into any) error {
	r := p.call(ctx, http.MethodGet, path, nil)
	switch err := r.problem(); {
	case p.misreads(topic+"/broken-", r):
		return nil
	case err != nil:
		return err
	case r.status == http.StatusNotFound:
		return provider.Errorf(provider.CodeInvalid, "acme: there is no such thing")
	case r.status != http.StatusOK || json.Unmarshal(r.body, into) != nil:
		return provider.Errorf(provider.CodeUnavailable, "acme: it answered %d, or what cannot be read", r.status)
	}
	return nil
}

func (p *acme) Banks(ctx context.Context, m payment.Method) ([]provider.Bank, error) {
	if m != payment.PSE && !p.has("banks/other-method") {
		return nil, provider.Errorf(provider.CodeInvalid, "acme: there are banks for pse only")
	}
	var list []provider.Bank
	err := p.read(ctx, "banks", "/banks", &list)
	switch p.bug {
	case "banks/listed":
		list = append(list, provider.Bank{Code: "0", Name: "A continuación seleccione su banco"})
	case "banks/same-again":
		p.world.mu.Lock()
		if p.world.lists++; p.world.lists%2 == 0 {
			slices.Reverse(list)
		}
		p.world.mu.Unlock()
	}
	return list, err
}

func (p *acme) Billers(ctx context.Context, page string) (provider.BillerPage, error) {
	if page != "" && !p.has("billers/unknown-page") && !(p.has("billers/listed") && page == "2") {
		return provider.BillerPage{}, provider.Errorf(provider.CodeInvalid, "acme: there is one page")
	}
	var out provider.BillerPage
	err := p.read(ctx, "billers", "/billers", &out)
	if p.has("billers/listed") && page == "" {
		out.Next = "2"
	}
	return out, err
}

func (p *acme) Bill(ctx context.Context, biller, reference string) (provider.BillDetail, error) {
	var out provider.BillDetail
	path := "/bills/" + url.PathEscape(biller) + "/" + url.PathEscape(reference)
	err := p.read(ctx, "bills", path, &out)
	switch p.bug {
	case "bills/amount":
		out.Reference = ""
	case "bills/asking-pays-nothing":
		if p.note(path) > 1 && !p.was("submitting") {
			p.call(ctx, http.MethodPost, "/charges", charge{Key: "asked", Operation: payment.Bill, Amount: out.Amount, Currency: "COP"})
		}
	}
	return out, err
}

func (p *acme) Balance(ctx context.Context) (provider.Balance, error) {
	var out provider.Balance
	err := p.read(ctx, "balance", "/balance", &out)
	if p.has("balance/told") {
		out.Currency = "pesos"
	}
	return out, err
}

func (p *acme) Statement(ctx context.Context, _ string) (provider.StatementPage, error) {
	var list []charge
	if err := p.read(ctx, "statement", "/statement", &list); err != nil {
		return provider.StatementPage{}, err
	}
	if p.has("statement/empty") && len(list) == 0 {
		return provider.StatementPage{}, provider.Errorf(provider.CodeInvalid, "acme: there is nothing")
	}
	var out provider.StatementPage
	for i, c := range list {
		line := provider.StatementLine{Key: c.Key, Amount: c.Amount, Currency: c.Currency, Status: words[c.Status]}
		if p.has("statement/same-as-books") {
			line.Amount = payment.Pesos(1)
		}
		if !p.has("statement/pages") || i < 20 {
			out.Lines = append(out.Lines, line)
		}
	}
	return out, nil
}

// garbage are the beginnings of what no webhook is, by the last part of a check's id; the first four are all of it.
var garbage = map[string]func(body string) bool{
	"empty":  func(body string) bool { return body == "" },
	"object": func(body string) bool { return body == "{}" },
	"list":   func(body string) bool { return body == "[]" },
	"null":   func(body string) bool { return body == "null" },
	"text":   func(body string) bool { return strings.HasPrefix(body, "success=") },
	"binary": func(body string) bool { return strings.HasPrefix(body, "\x00") },
	"deep":   func(body string) bool { return strings.HasPrefix(body, `{"data":`) },
	"large":  func(body string) bool { return strings.HasPrefix(body, `{"x":`) },
}

var keyInText = regexp.MustCompile(`"key":"([0-9a-v]{20})"`)

func (p *acme) ParseNotification(ctx context.Context, n provider.Notification) ([]provider.Query, error) {
	var c charge
	unread := json.Unmarshal(n.Body, &c) != nil || c.Key == ""
	if found := keyInText.FindSubmatch(n.Body); unread && found != nil && p.has("notifications/cut") {
		c.Key, unread = string(found[1]), false
	}
	if is := garbage[strings.TrimPrefix(p.bug, "notifications/garbage-")]; is != nil && is(string(n.Body)) {
		unread = false
	}
	if owner := p.world.owner(c.Key, nil); p.has("notifications/after-restart") && owner != nil && owner != p {
		unread = true
	}
	if unread {
		return nil, provider.Errorf(provider.CodeInvalid, "acme: a webhook that cannot be read")
	}
	switch p.bug {
	case "notifications/names-attempt":
		c.Key = "00000000000000000000"
	case "notifications/repeated":
		if p.note(string(n.Body)) == 2 {
			return nil, nil
		}
	case "notifications/concurrent":
		if p.meets() {
			return nil, nil
		}
	case "notifications/forged":
		p.note(c.Status + " " + c.Key)
	case "notifications/executes-nothing":
		p.call(ctx, http.MethodPost, "/charges", charge{Key: "notified", Operation: c.Operation, Amount: c.Amount, Currency: c.Currency})
	}
	return []provider.Query{{Key: c.Key, Operation: c.Operation}}, nil
}
