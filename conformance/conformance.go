package conformance

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

// Config says what is judged. Open is required.
type Config struct {
	// Open returns the provider, new and not configured. It is called for every check, and again where a check
	// restarts the provider; the suite closes what it returns.
	Open func(ctx context.Context) (provider.Provider, error)
	// Sandbox is the root of the provider's sandbox: "http://127.0.0.1:4020". It becomes the attribute base_url, so that
	// no real provider is ever called; only one of Settings on the sandbox's own host is left as it is. Without a sandbox
	// the checks that count money are not judged.
	Sandbox string
	// Settings are attributes of the provider's configuration. Required ones that are not given are made up: the
	// first of the values allowed, or "conformance-" and the attribute's name.
	Settings provider.Config
	// Live judges a real provider, at the base_url of Settings and with exactly those: only what moves no money, and the
	// provider is given no payment. What its answers should be is learned from Sandbox, a simulator, which gets none of
	// the secrets; without one, whether they have drifted is not judged.
	Live bool
	// Deadline is how long a call to a live provider may take; 0 = 20 seconds.
	Deadline time.Duration
	// BillReference is a bill that the sandbox lets be paid; "" = 111100005555.
	BillReference string
	// Logs returns what the provider has logged so far; nil = that cannot be seen, and is not judged.
	Logs func() string
}

// T receives what a check finds. *testing.T is one.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Check is one rule of the contract.
type Check struct {
	ID         string // "idempotency/same-key-one-charge"
	Obligation string // one sentence
	// RestsOn are the ids of simpler checks that come before. Where one of them failed, this one cannot fail: what it
	// finds is then no news, and it is NotJudged.
	RestsOn []string
	// Verdict is NotDeclared or NotJudged where the check does not apply, and Detail says why; else "".
	Verdict Verdict
	Detail  string

	suite *Suite
	run   func(*scene)
}

// checkTimeout bounds one check.
const checkTimeout = 30 * time.Second

// Run judges the provider and tells t where it fails. A check that is not judged, or not declared, is skipped.
func (c Check) Run(ctx context.Context, t T) {
	t.Helper()
	switch r := c.suite.judge(ctx, c); r.Verdict {
	case Fail:
		t.Errorf("%s", r.Detail)
	case NotDeclared, NotJudged:
		t.Skipf("%s", r.Detail)
	}
}

// findings runs the check and returns what is wrong.
func (c Check) findings(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	s := &scene{Suite: c.suite, ctx: ctx}
	done := make(chan struct{})
	go func() { // fatalf ends it
		defer close(done)
		defer s.close()
		if s.box.url != "" {
			s.box.reset(s)
		}
		c.run(s)
	}()
	<-done
	return s.findings
}

// Suite is the list of checks for one provider.
type Suite struct {
	config   Config
	info     provider.Info // as configured
	raw      provider.Info // as it was before that
	settings provider.Config
	box      sandbox
	tokens   bool // it asks its sandbox for tokens

	unsound        map[string]bool // the checks that failed, or that rest on one that did
	promised, live *survey         // of a live provider, once made
}

// New opens the provider once to read what it declares. An error means that it can be neither opened nor
// configured, or that the sandbox does not speak the control protocol.
func New(ctx context.Context, c Config) (*Suite, error) {
	if c.Live {
		return newLive(ctx, c)
	}
	s := &Suite{config: c, box: sandbox{strings.TrimRight(c.Sandbox, "/")}, unsound: map[string]bool{}}
	if s.box.url != "" {
		if err := s.box.call(ctx, "POST", "reset", nil, nil); err != nil {
			return nil, fmt.Errorf("conformance: the sandbox: %w", err)
		}
	}
	p, err := c.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("conformance: the provider cannot be opened: %w", err)
	}
	defer p.Close(context.WithoutCancel(ctx))
	s.raw = p.Info()
	s.settings = settingsFor(s.raw.Config, c)
	if err := p.Configure(ctx, s.settings); err != nil {
		return nil, s.misconfigured(err)
	}
	s.info = p.Info()
	if s.box.url == "" {
		return s, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_ = p.Check(ctx) // whether it succeeds is a check of its own; here it only shows whether tokens are fetched
	counts, err := s.box.counts(ctx)
	s.tokens = counts["token"] > 0
	return s, err
}

// misconfigured is the error of a provider that refuses its configuration.
func (s *Suite) misconfigured(err error) error {
	return fmt.Errorf("conformance: the provider refuses its configuration: %s", s.hide(err.Error()))
}

// Info is what the provider declares, once configured.
func (s *Suite) Info() provider.Info { return s.info }

// settingsFor makes up what c does not give.
func settingsFor(schema provider.Schema, c Config) provider.Config {
	out := provider.Config{}
	for _, f := range schema {
		given, ok := c.Settings[f.Name]
		switch {
		case f.Name == "base_url" && c.Sandbox != "" && !sameHost(given, c.Sandbox):
			out[f.Name] = strings.TrimRight(c.Sandbox, "/")
		case ok:
			out[f.Name] = given
		case !f.Required:
		case len(f.OneOf) > 0:
			out[f.Name] = f.OneOf[0]
		default:
			out[f.Name] = madeUp(f)
		}
	}
	return out
}

func sameHost(a, b string) bool {
	one, err1 := url.Parse(a)
	two, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && one.Host == two.Host
}

func madeUp(f provider.ConfigField) string {
	switch f.Type {
	case provider.URL:
		return "http://127.0.0.1:1" // nobody listens on the port tcpmux
	case provider.Integer, provider.Amount:
		return "1"
	case provider.Boolean:
		return "false"
	}
	return "conformance-" + f.Name
}

// rule is a check before it is known whether it applies.
type rule struct {
	id, obligation string
	rests          []string          // see Check.RestsOn
	when           func(*Suite) bool // what the provider must declare; nil = every provider
	offline        bool              // it needs no sandbox
	logs           bool              // it needs the provider's log
	run            func(*scene)
}

// rules are all rules, the simple ones first.
func rules() []rule {
	onTaken := restingOn("submit/taken", "submit/key-sent")
	return slices.Concat(contractRules(), configRules(), takenRules(), onTaken(handoverRules()), onTaken(outcomeRules()), onTaken(refusalRules()),
		onTaken(amountRules()), onTaken(documentRules()), onTaken(tokenRules()), onTaken(lookupRules()), onTaken(idempotencyRules()), onTaken(ambiguityRules()),
		onTaken(notificationRules()), onTaken(deadlineRules()), directoryRules(), onTaken(statementRules()), onTaken(privacyRules()),
		restingOn("config/no-call")(hostileRules()), onTaken(loadRules()))
}

// restingOn makes rules rest on those ids too.
func restingOn(ids ...string) func([]rule) []rule {
	return func(list []rule) []rule {
		for i := range list {
			list[i].rests = slices.Concat(ids, list[i].rests)
		}
		return list
	}
}

// Checks lists every check, those that do not apply with their verdict.
func (s *Suite) Checks() []Check {
	var list []Check
	all := rules()
	if s.config.Live {
		all = liveRules()
	}
	for _, r := range all {
		c := Check{ID: r.id, Obligation: r.obligation, RestsOn: r.rests, suite: s, run: r.run}
		switch {
		case r.when != nil && !r.when(s):
			c.Verdict, c.Detail = NotDeclared, "the provider does not declare it"
		case r.logs && s.config.Logs == nil:
			c.Verdict, c.Detail = NotJudged, "nothing shows what the provider logs"
		case !r.offline && s.config.Sandbox == "":
			c.Verdict, c.Detail = NotJudged, "there is no sandbox whose ledger could be read"
		}
		list = append(list, c)
	}
	return list
}

func declares(a provider.Ability) func(*Suite) bool {
	return func(s *Suite) bool { return s.info.Has(a) }
}
