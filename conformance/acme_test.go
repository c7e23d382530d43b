package conformance_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// acme is a small provider that keeps every rule, but for the one that bug names.
type acme struct {
	bug    string
	world  *world
	http   *http.Client
	conf   provider.Config
	meet   chan struct{} // where two calls meet
	closed chan struct{}

	mu    sync.Mutex
	token string
	last  string         // the key of the newest attempt
	noted map[string]int // what bugs remember
}

// world is what bugs remember over restarts.
type world struct {
	mu     sync.Mutex
	owners map[string]*acme // who first had the attempt with that key
	lists  int
	logs   lockedBuilder
}

type lockedBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuilder) add(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.WriteString(text)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newWorld() *world { return &world{owners: map[string]*acme{}} }

func (w *world) open(bug string) *acme {
	transport := &http.Transport{MaxResponseHeaderBytes: 64 << 10}
	p := &acme{bug: bug, world: w, noted: map[string]int{}, meet: make(chan struct{}), closed: make(chan struct{}), http: &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	switch bug {
	case "hostile/tls-verified":
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	case "hostile/no-redirect":
		p.http.CheckRedirect = nil
	case "hostile/huge-header":
		transport.MaxResponseHeaderBytes = 0
	}
	return p
}

// owner returns who first had the attempt with that key: p where it is new and claimed.
func (w *world) owner(key string, claimant *acme) *acme {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.owners[key] == nil && claimant != nil {
		w.owners[key] = claimant
	}
	return w.owners[key]
}

func (p *acme) has(bugs ...string) bool { return slices.Contains(bugs, p.bug) }

// note remembers that something happened, and returns how often.
func (p *acme) note(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noted[what]++
	return p.noted[what]
}

func (p *acme) was(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.noted[what] > 0
}

// meets waits a moment for another call that waits here, and reports whether one came.
func (p *acme) meets() bool {
	select {
	case p.meet <- struct{}{}:
		return true
	case <-p.meet:
		return true
	case <-time.After(20 * time.Millisecond):
		return false
	}
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
	switch payin, bill := &info.Capabilities[0], &info.Capabilities[1]; p.bug {
	case "contract/info-valid":
		payin.Decimals = 1
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
		info.Capabilities = append(info.Capabilities, *bill)
	case "contract/amount-bounds":
		bill.AmountMin = payment.Pesos(-1)
	case "contract/currencies":
		bill.Currencies = append(bill.Currencies, "pesos")
	case "contract/document-types":
		bill.DocumentTypes = []payment.DocumentType{"DNI"}
	case "contract/recovery":
		payin.Recovery.AbsentAfter = -1
	case "contract/abandon-redirects-only":
		bill.Recovery.AbandonIfUnanswered = true
	case "contract/assumptions":
		info.Assumptions = []string{" "}
	case "config/names":
		info.Config = append(info.Config, provider.ConfigField{Name: "Unit", Type: provider.String, Doc: "of amounts"})
	case "config/documented":
		info.Config[1].Doc = ""
	case "config/base-url":
		info.Config[0].Required = false
	case "config/secrets-marked":
		info.Config[2].Secret = false
	case "submit/reference":
		payin.Recovery.LookupByKey = false
	}
}

// accepted are the faults of a configuration that a bug overlooks.
var accepted = map[string]func(provider.ConfigFault) bool{
	"config/unknown-refused":   func(f provider.ConfigFault) bool { return strings.Contains(f.Message, "is not known") },
	"config/types-checked":     func(f provider.ConfigFault) bool { return strings.Contains(f.Message, "no absolute") },
	"config/values-checked":    func(f provider.ConfigFault) bool { return strings.Contains(f.Message, "none of") },
	"config/required-demanded": func(f provider.ConfigFault) bool { return f.Name == "client_id" },
}

func (p *acme) Configure(ctx context.Context, given provider.Config) error {
	conf, err := p.Info().Config.Resolve(given)
	var faults *provider.ConfigError
	if errors.As(err, &faults) {
		if overlook := accepted[p.bug]; overlook != nil {
			faults.Faults = slices.DeleteFunc(faults.Faults, overlook)
		}
		switch p.bug {
		case "config/all-faults":
			faults.Faults = faults.Faults[:1]
		case "config/errors-hide-secrets":
			faults.Faults[0].Message += " beside " + given["client_secret"]
		}
		if len(faults.Faults) > 0 {
			return err
		}
		conf = given
	}
	if p.has("config/required-only") && given["unit"] == "" {
		return errors.New("acme: which unit?")
	}
	p.conf = conf
	if p.has("config/no-call") {
		p.call(ctx, http.MethodGet, "/banks", nil)
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

func (p *acme) Close(ctx context.Context) error {
	p.http.CloseIdleConnections()
	switch again := p.note("closed") > 1; {
	case !again:
		close(p.closed)
	case p.has("deadlines/close"):
		select {
		case <-time.After(2200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if p.has("deadlines/close-unconfigured") && p.conf == nil {
		return errors.New("not configured")
	}
	return nil
}

var errUnclear = provider.Errorf(provider.CodeUnknown, "acme: no clear answer")

// call makes one call with a token, and once more with a new one where that is refused.
func (p *acme) call(ctx context.Context, method, path string, body any) reply {
	for refused := ""; ; {
		token, err := p.bearer(ctx, refused)
		if err != nil {
			return reply{err: err}
		}
		content, _ := json.Marshal(body)
		header := http.Header{"Authorization": {"Bearer " + token}}
		address := path
		if p.has("tokens/not-in-paths") {
			address += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "access_token=" + token
		}
		r := p.do(ctx, method, address, header, content)
		stays := r.err != nil || r.status != http.StatusUnauthorized || refused != "" && !p.has("tokens/no-loop") || p.has("tokens/refreshed")
		if expired := len(r.body) > 0; expired && (p.has("tokens/expired") && path == "/charges" || p.has("lookup/token-expired") && isLookup(path)) {
			stays = true
		}
		if stays {
			return r
		}
		if refused = token; ctx.Err() != nil {
			return reply{err: errUnclear}
		}
	}
}

func isLookup(path string) bool { return strings.HasPrefix(path, "/charges?key") }

// do makes one request.
func (p *acme) do(ctx context.Context, method, path string, header http.Header, content []byte) reply {
	sent, cancel := p.patience(ctx, path)
	defer cancel()
	req, err := http.NewRequestWithContext(sent, method, p.conf["base_url"]+path, bytes.NewReader(content))
	if err != nil {
		return reply{err: err}
	}
	req.Header = header
	unwatch := func() bool { return false }
	if end, ok := ctx.Deadline(); ok && p.has("hostile/trickle") { // it forgets the deadline once it has the header,
		unwatch = time.AfterFunc(time.Until(end)+time.Second, cancel).Stop // which a busy machine may be late with
	}
	resp, err := p.http.Do(req)
	unwatch()
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	limit := int64(1 << 20)
	if p.has("hostile/huge-body") {
		limit <<= 10
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	return reply{resp.StatusCode, answer, err}
}

// overstay is how much longer than allowed bugs wait.
const overstay = 2500 * time.Millisecond

// patience is how long a call may take: what ctx says, but for bugs that overstay.
func (p *acme) patience(ctx context.Context, path string) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if p.has("deadlines/cancelled") && path == "/charges" && ctx.Err() == nil {
		staying, cancel := context.WithCancel(context.WithoutCancel(ctx))
		context.AfterFunc(ctx, func() {
			if errors.Is(ctx.Err(), context.Canceled) {
				time.AfterFunc(overstay, cancel)
			} else {
				cancel()
			}
		})
		return staying, cancel
	}
	late := p.has("deadlines/submit") && path == "/charges" || p.has("deadlines/lookup") && isLookup(path) ||
		p.has("deadlines/token") && path == "/token" || p.has("hostile/trickle")
	if !late || !ok || ctx.Err() != nil {
		return context.WithCancel(ctx)
	}
	overstaying, cancel := context.WithDeadline(context.WithoutCancel(ctx), end.Add(overstay))
	context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return overstaying, cancel
}

// held is the token that p has.
func (p *acme) held() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.token
}

// bearer returns the account's token; one at a time asks for it.
func (p *acme) bearer(ctx context.Context, refused string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != "" && p.token != refused && !p.has("tokens/reused") {
		return p.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {p.conf["client_id"]}, "client_secret": {p.conf["client_secret"]}}
	apart := p.has("tokens/one-for-a-burst") && p.token == "" || p.has("tokens/expired-burst") && refused != ""
	if apart {
		p.mu.Unlock()
		p.meets()
	}
	r := p.do(ctx, http.MethodPost, "/token", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
	if apart {
		p.mu.Lock()
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	err := json.Unmarshal(r.body, &answer)
	switch {
	case p.misled(r):
		return "misled", nil
	case p.has("tokens/dropped") && r.err != nil && !r.unreachable(), p.has("ambiguity/unreachable") && r.unreachable(),
		p.has("tokens/html") && misreadings["html"](r), p.has("tokens/failed") && r.status == http.StatusServiceUnavailable,
		p.has("tokens/garbled") && misreadings["garble"](r):
		return "", errUnclear
	case r.status == http.StatusUnauthorized && !p.has("tokens/refused"):
		return "", provider.Errorf(provider.CodeUnauthorized, "acme: the credentials are refused")
	case r.err != nil || r.status != http.StatusOK || err != nil || answer.Token == "":
		return "", provider.Errorf(provider.CodeUnavailable, "acme: there is no token")
	}
	p.token = answer.Token
	return answer.Token, nil
}
