package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cauce-pay/cauce/engine/internal/breaker"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// running is one configured provider.
type running struct {
	provider.Provider
	block              routing.Provider // as it was started
	value              bool             // one of Config.Providers: not started or closed by reloads
	name               string
	plugin             string
	timeout            time.Duration
	info               provider.Info // as it was after Configure
	keyRetention       time.Duration
	notificationSecret string
	secrets            secretHistory // set before it is put into force
	notificationURL    string
	account            account                          // set before it is put into force
	otherAccount       bool                             // than its label stood for before
	terms              atomic.Pointer[routing.Provider] // its breaker and limit, as the rules in force have them
	inFlight           atomic.Int64
	breaker            breaker.Breaker
	statistics         *statistics            // the label's
	paused             *atomic.Pointer[pause] // to nil while it is not; the label's

	mu          sync.Mutex
	lastFailure string         // what last went wrong by the provider's own fault
	second      time.Time      // the last second in which a hand-over began, where there is a limit per second
	thisSecond  int            // how many began in it
	health      payment.Health // what its answers say; see condition
	checkedAt   time.Time
	banks       map[payment.Method]*kept[provider.Bank] // one for each of its methods, where it lists banks
	billers     kept[provider.Biller]
	balance     balance
}

// startProvider starts and configures one provider. One that was started is returned with the error, too, so that
// it is closed.
func (e *Engine) startProvider(ctx context.Context, block routing.Provider) (*running, error) {
	p := e.config.Providers[block.Name]
	value := p != nil
	if !value {
		if e.config.Plugins == nil {
			return nil, fmt.Errorf("engine: provider %q: neither Config.Plugins nor Config.Providers can start it", block.Name)
		}
		var err error
		p, err = e.config.Plugins.Launch(ctx, provider.Spec{
			Name: block.Name, Plugin: block.Plugin, SHA256: block.SHA256, Timeout: block.Timeout,
			Logger: e.log,
		})
		if err != nil {
			return nil, fmt.Errorf("engine: provider %q could not be started: %w", block.Name, err)
		}
	}
	r := &running{
		Provider: p, block: block, value: value, name: block.Name, plugin: block.Plugin, timeout: block.Timeout,
		paused: e.pauses.of(block.Name), statistics: e.statistics.of(block.Name),
	}
	r.terms.Store(&block)
	if err := p.Info().Validate(); err != nil {
		return r, fmt.Errorf("engine: provider %q declares what cannot be: %w", block.Name, err)
	}
	config, err := Configure(ctx, p, block, configOf(block))
	var faults *provider.ConfigError
	if errors.As(err, &faults) {
		return r, ConfigDiagnostics(block, p.Info().Config, faults)
	}
	if err != nil {
		return r, fmt.Errorf("engine: provider %q refuses its configuration: %w", block.Name, err)
	}
	r.info = p.Info()
	r.keyRetention = time.Duration(r.info.KeyRetention)
	if r.account, r.otherAccount, err = e.identify(ctx, block, config); err != nil {
		return r, err
	}
	if err := e.prepareNotifications(ctx, r, block); err != nil {
		return r, err
	}
	if err := e.loadPause(ctx, r); err != nil {
		return r, err
	}
	return r, e.loadDirectories(ctx, r)
}

func configOf(block routing.Provider) provider.Config {
	config := make(provider.Config, len(block.Config))
	for name, value := range block.Config {
		config[name] = value.Text
	}
	return config
}

// ConfigDiagnostics puts faults of a configuration at their place in the rules. The source line of a secret is not
// shown: it may hold the secret in clear.
func ConfigDiagnostics(block routing.Provider, schema provider.Schema, faults *provider.ConfigError) routing.Diagnostics {
	var out routing.Diagnostics
	for _, f := range faults.Faults {
		d := block.ConfigDiagnostic(f.Name, fmt.Sprintf("Config of provider %q", block.Name), f.Name+" "+f.Message)
		if field, ok := schema.Field(f.Name); ok && field.Secret {
			d = d.WithoutSource()
		}
		out = append(out, d)
	}
	return out
}

// SecretsInClear warns of the secrets of a configuration that are written into the rules. Their source lines are not shown.
func SecretsInClear(block routing.Provider, schema provider.Schema) routing.Diagnostics {
	var out routing.Diagnostics
	for _, name := range inClear(block, schema) {
		d := block.ConfigDiagnostic(name, name+" stands here in clear", `Whoever reads the rules can use it: write env("NAME") or file("path").`)
		d.Severity = routing.Warning
		out = append(out, d.WithoutSource())
	}
	return out
}

// inClear names the secret attributes of a configuration that come from neither env() nor file().
func inClear(block routing.Provider, schema provider.Schema) (names []string) {
	for _, f := range schema {
		if v, given := block.Config[f.Name]; given && f.Secret && !v.Secret {
			names = append(names, f.Name)
		}
	}
	return names
}

// prepareNotifications settles the secret part of the provider's webhook path: from the rules, or random and
// kept in the store.
func (e *Engine) prepareNotifications(ctx context.Context, r *running, block routing.Provider) error {
	if _, ok := provider.WithNotifications(r.Provider); !ok {
		return nil
	}
	r.notificationSecret = block.NotificationSecret
	if r.notificationSecret == "" {
		stored, err := e.store.InitSetting(ctx, "notification_secret/"+r.name, []byte(e.newSecret()))
		if err != nil {
			return fmt.Errorf("engine: provider %q: its webhook secret could not be kept: %w", r.name, err)
		}
		r.notificationSecret = string(stored)
	}
	var err error
	if r.secrets, err = e.secretsOf(ctx, r.name, r.notificationSecret); err != nil {
		return err
	}
	if e.config.PublicURL != "" {
		r.notificationURL = e.config.PublicURL + "/v1/notifications/" + r.name + "/" + r.notificationSecret
	}
	return nil
}

// capability returns what a provider declares for a payment's operation and method; nil where it takes no
// such payments, or is not configured any more.
func (e *Engine) capability(providerName string, req *payment.Request) *payment.Capability {
	r := e.provider(providerName)
	if r == nil {
		return nil
	}
	return payment.CapabilityFor(r.info.Capabilities, req.Operation, req.Method)
}

// noteHealth draws what an answer says about the provider itself: refused credentials make it unhealthy, any
// answer that got past them makes it healthy again.
func (e *Engine) noteHealth(r *running, err *provider.Error) {
	h := payment.Health{}
	switch {
	case err == nil, err.Code == provider.CodeInvalid, err.Code == provider.CodeDeclined, err.Code == provider.CodeExhausted:
	case err.Code == provider.CodeUnauthorized:
		h = payment.Health{Unhealthy: true, Reason: withCode("it refuses our credentials", err.ProviderCode)}
	default:
		return // no answer: says nothing about the credentials
	}
	r.mu.Lock()
	changed := r.health != h
	r.health = h
	r.mu.Unlock()
	if !changed {
		return
	}
	e.refreshFacts()
	if h.Unhealthy {
		e.log.Error("a provider refuses our credentials", "provider", r.name, "code", err.ProviderCode)
	} else {
		e.log.Info("a provider is healthy again", "provider", r.name)
	}
}

const (
	checkEvery   = 30 * time.Second // an unhealthy provider's credentials
	tendingEvery = 30 * time.Second
)

// tend keeps what is known of the providers fresh: the health of unhealthy ones, the lists of banks and billers.
func (e *Engine) tend(ctx context.Context) {
	for _, r := range e.inOrder() {
		r.mu.Lock()
		check := r.checkedAt.IsZero() || r.health.Unhealthy && e.isOld(r.checkedAt, checkEvery)
		r.mu.Unlock()
		if check {
			e.check(ctx, r)
		}
		e.refreshDirectories(ctx, r)
	}
	e.keepCodes(ctx)
	e.refreshFacts()
	e.tending.wakeAt(e.now().Add(tendingEvery))
}

// check asks whether the provider takes our credentials.
func (e *Engine) check(ctx context.Context, r *running) {
	callCtx, cancel := e.withTimeout(ctx, r.timeout)
	defer cancel()
	_, failed := guarded(callCtx, e.crew, func() (struct{}, error) { return struct{}{}, r.Check(callCtx) })
	err := provider.AsError(failed)
	r.mu.Lock()
	r.checkedAt = e.now()
	r.mu.Unlock()
	if err != nil { // its text is about no payment
		e.log.Warn("a provider's check failed", "provider", r.name, "error", err.Message)
	}
	e.noteHealth(r, err)
}

// facts are what a decision may know of the provider, and when time alone changes them (zero = never).
func (r *running) facts(now time.Time) (_ routing.ProviderFacts, changesAt time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	facts := routing.ProviderFacts{
		Capabilities: r.info.Capabilities, Health: r.condition(now), Banks: make(map[payment.Method]map[string]bool, len(r.banks)),
	}
	for method, list := range r.banks {
		if len(list.Items) == 0 {
			continue // not known
		}
		codes := make(map[string]bool, len(list.Items))
		for _, b := range list.Items {
			codes[b.Code] = true
		}
		facts.Banks[method] = codes
	}
	return facts, r.changesAt(now)
}
