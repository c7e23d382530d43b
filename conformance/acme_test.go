package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// acme is a small provider that keeps every rule, but for the one that bug names.
type acme struct {
	bug  string
	http *http.Client
	conf provider.Config

	mu    sync.Mutex
	token string
	noted map[string]bool // what bugs remember
}

func newAcme(bug string) *acme {
	return &acme{bug: bug, noted: map[string]bool{}, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (p *acme) has(bugs ...string) bool { return slices.Contains(bugs, p.bug) }

func (p *acme) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noted[what] = true
}

func (p *acme) was(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.noted[what]
}

func (p *acme) Info() provider.Info {
	payin := payment.Capability{
		Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, DocumentTypes: []payment.DocumentType{payment.CC, payment.CE},
		AmountMin: payment.Pesos(1_000), AmountMax: payment.Pesos(1_000_000), Decimals: 2,
		Required: []string{"payer.name", "payer.document.type", "payer.document.number", "payer.bank"},
		Limits:   []payment.FieldLimit{{Field: "payer.document.number", MaxLength: 20}, {Field: "payer.phone", Pattern: "3[0-9]{9}"}},
		Recovery: payment.Recovery{LookupByKey: true, ResendSameKey: true},
	}
	bill := payment.Capability{
		Operation: payment.Bill, Method: payment.BillPayment, Currencies: []string{"COP"}, Required: []string{"bill.biller", "bill.reference"},
		Recovery: payment.Recovery{LookupByKey: true, ResendSameKey: true},
	}
	info := provider.Info{
		Name: "acme", Version: "1.0.0", Capabilities: []payment.Capability{payin, bill},
		Abilities: []provider.Ability{provider.Notifications, provider.Banks, provider.Bills, provider.BalanceOf, provider.Statements},
		Config: provider.Schema{
			{Name: "base_url", Type: provider.URL, Required: true, Doc: "root of the API"},
			{Name: "client_id", Type: provider.String, Required: true, Doc: "the account"},
			{Name: "client_secret", Type: provider.String, Required: true, Secret: true, Doc: "its secret"},
			{Name: "unit", Type: provider.String, Default: "peso", OneOf: []string{"peso"}, Doc: "of amounts"},
		},
	}
	p.misdeclare(&info)
	return info
}

// misdeclare are the bugs of Info.
func (p *acme) misdeclare(info *provider.Info) {
	switch c := &info.Capabilities[0]; p.bug {
	case "contract/info-valid":
		c.Decimals = 1
	case "contract/name":
		info.Name = "Acme Inc."
	case "contract/version":
		info.Version = "new"
	case "contract/info-stable":
		if p.conf != nil {
			info.Version = "1.0.1"
		}
	case "contract/abilities":
		info.Abilities = append(info.Abilities, "refunds")
	case "contract/undeclared-refused":
		info.Abilities = slices.DeleteFunc(info.Abilities, func(a provider.Ability) bool { return a == provider.BalanceOf })
	case "contract/capabilities-once":
		info.Capabilities = append(info.Capabilities, info.Capabilities[1])
	case "contract/document-types":
		info.Capabilities[1].DocumentTypes = []payment.DocumentType{"DNI"}
	case "contract/recovery":
		c.Recovery.AbsentAfter = -1
	case "contract/abandon-redirects-only":
		info.Capabilities[1].Recovery.AbandonIfUnanswered = true
	case "contract/assumptions":
		info.Assumptions = []string{" "}
	case "config/names":
		info.Config = append(info.Config, provider.ConfigField{Name: "Unit", Type: provider.String, Doc: "of amounts"})
	case "config/documented":
		info.Config[1].Doc = ""
	case "config/secrets-marked":
		info.Config[2].Secret = false
	}
}

func (p *acme) Configure(ctx context.Context, given provider.Config) error {
	conf, err := p.Info().Config.Resolve(given)
	var faults *provider.ConfigError
	if errors.As(err, &faults) {
		wrong := func(f provider.ConfigFault) string { return f.Message }
		switch keep := faults.Faults; p.bug {
		case "config/unknown-refused":
			keep = slices.DeleteFunc(keep, func(f provider.ConfigFault) bool { return strings.Contains(wrong(f), "is not known") })
			if len(keep) == 0 {
				return nil
			}
		case "config/types-checked":
			keep = slices.DeleteFunc(keep, func(f provider.ConfigFault) bool { return strings.Contains(wrong(f), "no absolute") })
			if len(keep) == 0 {
				return nil
			}
		case "config/values-checked":
			keep = slices.DeleteFunc(keep, func(f provider.ConfigFault) bool { return strings.Contains(wrong(f), "none of") })
			if len(keep) == 0 {
				return nil
			}
		case "config/all-faults":
			faults.Faults = keep[:1]
		case "config/errors-hide-secrets":
			keep[0].Message += " beside " + given["client_secret"]
		}
		return err
	}
	p.conf = conf
	if p.has("config/no-call") {
		_, _, _ = p.call(ctx, http.MethodGet, "/banks", nil)
	}
	return nil
}

func (p *acme) Check(ctx context.Context) error {
	if p.has("check/good") {
		return provider.Errorf(provider.CodeUnauthorized, "no")
	}
	_, err := p.Balance(ctx)
	return err
}

func (p *acme) Close(context.Context) error {
	p.http.CloseIdleConnections()
	if p.has("deadlines/close-unconfigured") && p.conf == nil {
		return errors.New("not configured")
	}
	return nil
}

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

func (p *acme) outcome(c charge) (provider.Outcome, error) {
	o := provider.Outcome{Status: words[c.Status], Key: c.Key, Reference: c.ID, Amount: c.Amount, Currency: c.Currency}
	if o.Status == "" || o.Key == "" {
		return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "acme: its answer cannot be read")
	}
	if o.Status == provider.Pending && c.Operation == payment.PayIn {
		o.Action = payment.Redirect(c.URL)
	}
	return o, nil
}

var errUnclear = provider.Errorf(provider.CodeUnknown, "acme: no clear answer")

// call makes one call with a token, and once more with a new one where that is refused.
func (p *acme) call(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	for refused := ""; ; {
		token, err := p.bearer(ctx, refused)
		if err != nil {
			return 0, nil, err
		}
		status, answer, err = p.send(ctx, method, path, body, token)
		if err != nil || status != http.StatusUnauthorized || refused != "" && !p.has("tokens/no-loop") || p.has("tokens/refreshed") {
			return status, answer, err
		}
		if refused = token; ctx.Err() != nil {
			return 0, nil, errUnclear
		}
	}
}

func (p *acme) send(ctx context.Context, method, path string, body any, token string) (int, []byte, error) {
	var reader io.Reader
	if body != nil {
		content, _ := json.Marshal(body)
		reader = bytes.NewReader(content)
	}
	if p.has("tokens/not-in-paths") {
		path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "access_token=" + token
	}
	if p.has("deadlines/submit") && path == "/charges" || p.has("deadlines/lookup") && strings.HasPrefix(path, "/charges?key") {
		ctx = context.WithoutCancel(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.conf["base_url"]+path, reader)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := p.http.Do(req)
	if err != nil {
		var refused *url.Error
		if errors.As(err, &refused) && strings.Contains(err.Error(), "connection refused") {
			return 0, nil, provider.Errorf(provider.CodeUnavailable, "acme: it cannot be reached")
		}
		return 0, nil, errUnclear
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, nil, errUnclear
	}
	return resp.StatusCode, answer, nil
}

// bearer returns the account's token; one at a time asks for it.
func (p *acme) bearer(ctx context.Context, refused string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != "" && p.token != refused && !p.has("tokens/reused") {
		return p.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {p.conf["client_id"]}, "client_secret": {p.conf["client_secret"]}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.conf["base_url"]+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	none := provider.Errorf(provider.CodeUnavailable, "acme: there is no token")
	if p.has("tokens/one-for-a-burst") {
		p.mu.Unlock()
	}
	resp, err := p.http.Do(req)
	if p.has("tokens/one-for-a-burst") {
		p.mu.Lock()
	}
	if err != nil {
		if p.has("tokens/dropped") || p.has("ambiguity/unreachable") && strings.Contains(err.Error(), "connection refused") {
			return "", errUnclear
		}
		return "", none
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer)
	switch {
	case resp.StatusCode == http.StatusUnauthorized && !p.has("tokens/refused"):
		return "", provider.Errorf(provider.CodeUnauthorized, "acme: the credentials are refused")
	case p.has("tokens/html") && resp.StatusCode == http.StatusOK && err != nil, p.has("tokens/failed") && resp.StatusCode == 503:
		return "", errUnclear
	case resp.StatusCode != http.StatusOK || err != nil || answer.Token == "":
		return "", none
	}
	p.token = answer.Token
	return answer.Token, nil
}

func (p *acme) Banks(ctx context.Context, m payment.Method) ([]provider.Bank, error) {
	if m != payment.PSE && !p.has("banks/other-method") {
		return nil, provider.Errorf(provider.CodeInvalid, "acme: there are banks for pse only")
	}
	var list []provider.Bank
	err := p.read(ctx, "/banks", &list)
	if p.has("banks/listed") {
		list = append(list, provider.Bank{Code: "0", Name: "A continuación seleccione su banco"})
	}
	if p.has("banks/broken-500") {
		return list, nil
	}
	return list, err
}

func (p *acme) read(ctx context.Context, path string, into any) error {
	status, answer, err := p.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if status == http.StatusNotFound {
		return provider.Errorf(provider.CodeInvalid, "acme: there is no such thing")
	}
	if status != http.StatusOK || json.Unmarshal(answer, into) != nil {
		return provider.Errorf(provider.CodeUnavailable, "acme: it answered %d, or what cannot be read", status)
	}
	return nil
}

func (p *acme) Billers(ctx context.Context, page string) (provider.BillerPage, error) {
	if page != "" && !p.has("billers/unknown-page", "billers/listed") {
		return provider.BillerPage{}, provider.Errorf(provider.CodeInvalid, "acme: there is one page")
	}
	var out provider.BillerPage
	err := p.read(ctx, "/billers", &out)
	if p.has("billers/listed") && page == "" {
		out.Next = "2"
	}
	return out, err
}

func (p *acme) Bill(ctx context.Context, biller, reference string) (provider.BillDetail, error) {
	var out provider.BillDetail
	err := p.read(ctx, "/bills/"+url.PathEscape(biller)+"/"+url.PathEscape(reference), &out)
	if p.has("bills/amount") {
		out.Reference = ""
	}
	return out, err
}

func (p *acme) Balance(ctx context.Context) (provider.Balance, error) {
	var out provider.Balance
	err := p.read(ctx, "/balance", &out)
	if p.has("balance/told") {
		out.Currency = "pesos"
	}
	return out, err
}

func (p *acme) Statement(ctx context.Context, page string) (provider.StatementPage, error) {
	var list []charge
	if err := p.read(ctx, "/statement", &list); err != nil {
		return provider.StatementPage{}, err
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

func (p *acme) ParseNotification(_ context.Context, n provider.Notification) ([]provider.Query, error) {
	var c charge
	if err := json.Unmarshal(n.Body, &c); (err != nil || c.Key == "") && !p.has("notifications/garbage-"+fmt.Sprint(garbageOf(n.Body))) {
		return nil, provider.Errorf(provider.CodeInvalid, "acme: a webhook that cannot be read")
	}
	if p.has("notifications/names-attempt") {
		c.Key = "00000000000000000000"
	}
	return []provider.Query{{Key: c.Key, Operation: c.Operation}}, nil
}

// garbageOf names the body as the checks do.
func garbageOf(body []byte) string {
	return map[string]string{"": "empty", "{}": "object", "[]": "list", "null": "null"}[string(body)]
}
