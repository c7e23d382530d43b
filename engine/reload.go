package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/internal/failpoint"
	"github.com/cauce-pay/cauce/payment"
)

// state is the rules in force with their running providers. It does not change: a reload puts another in its place.
type state struct {
	rules    *routing.Rules
	warnings routing.Diagnostics // of the rules, and of what their providers take
	loadedAt time.Time
	// providers are those of the rules by label, and those that the payments under way may still need.
	providers map[string]*running
	replaced  []*running                       // by others of their labels; payments that are being handed over may still need them
	facts     map[string]routing.ProviderFacts // by label, as they are now
	read      time.Time                        // when facts were read
	stale     time.Time                        // when they have to be read anew; zero = when something happens
	rates     []routing.SuccessRate            // by which attempts are counted
	lease     time.Duration                    // of a payment that is looked at
}

// routingFacts returns what a decision at that time may depend on besides the payment and the rules. The payment's id is
// empty where a payment is only asked about.
func (e *Engine) routingFacts(s *state, now time.Time, paymentID string) routing.Facts {
	facts := routing.Facts{Now: now, PaymentID: paymentID, Providers: s.facts}
	if len(s.rates) > 0 {
		facts.Outcomes = func(name string, rate routing.SuccessRate, req *payment.Request) (successes, failures int) {
			return e.outcomes.count(name, rate, req, now)
		}
	}
	return facts
}

// current returns the state as it is at that time.
func (e *Engine) current(now time.Time) *state {
	s := e.state.Load()
	if !s.stale.IsZero() && (!now.Before(s.stale) || now.Before(s.read)) { // the clock may be put back
		e.refreshFacts()
		s = e.state.Load()
	}
	return s
}

// provider returns a running provider by its label, or nil.
func (e *Engine) provider(name string) *running { return e.state.Load().providers[name] }

// inOrder returns the providers in the order of the rules.
func (e *Engine) inOrder() []*running {
	s := e.state.Load()
	var all []*running
	for _, block := range s.rules.Providers() {
		all = append(all, s.providers[block.Name])
	}
	return all
}

// change puts a changed copy of the state in its place.
func (e *Engine) change(f func(*state)) {
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	s := *e.state.Load()
	f(&s)
	e.state.Store(&s)
}

// refreshFacts makes what is known of the providers visible to the next decisions.
func (e *Engine) refreshFacts() { e.change(func(s *state) { s.readFacts(e.now()) }) }

func (s *state) readFacts(now time.Time) {
	s.read, s.stale = now, time.Time{}
	s.facts = make(map[string]routing.ProviderFacts, len(s.providers))
	for name, r := range s.providers {
		facts, changesAt := r.facts(now)
		s.facts[name] = facts
		if !changesAt.IsZero() && (s.stale.IsZero() || changesAt.Before(s.stale)) {
			s.stale = changesAt
		}
	}
}

// Reload reads the rules anew and puts them into force. They are built whole first, their new providers started
// and configured: with any fault the rules in force stay, and the faults are returned as New returns them. A provider
// whose block says the same of its process keeps it; one that was changed is started anew, and one that was taken
// away is kept until the payments with it are finished. Those finish under the rules they began with.
//
// RulesWarnings tells what there is to warn of. ctx bounds the start of the new providers.
func (e *Engine) Reload(ctx context.Context) error { return e.ReloadFrom(ctx, "") }

// ReloadFrom is Reload, but only if the rules in force have that hash: else it is ErrRulesChanged, and nothing
// happened. "" = whatever rules are in force.
func (e *Engine) ReloadFrom(ctx context.Context, hash string) (err error) {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	e.reloading.Lock()
	defer e.reloading.Unlock()
	before := e.state.Load()
	if hash != "" && hash != before.rules.Hash() {
		return fmt.Errorf("%w: their hash is %s, not %s", ErrRulesChanged, before.rules.Hash(), hash)
	}
	defer func() { e.metrics.reloadRefused.Store(err != nil) }()
	next, err := e.build(ctx, before)
	if err != nil {
		return err
	}
	// The payments under way may still need what the new rules do not name.
	var gone, replaced []*running
	for name, r := range before.providers {
		switch kept := next.providers[name]; {
		case kept == nil:
			next.providers[name] = r
			if !r.value {
				gone = append(gone, r)
			}
		case kept != r:
			replaced = append(replaced, r)
		}
	}
	started := make([]*running, 0, len(next.providers))
	for name, r := range next.providers {
		if before.providers[name] != r {
			started = append(started, r)
		}
	}
	if err := e.announce(ctx, before, next); err != nil {
		_ = closeProviders(ctx, started)
		return err
	}
	e.change(func(s *state) {
		for _, r := range started {
			r.inForce(e.now())
		}
		former := append(slices.Clone(s.replaced), replaced...)
		*s = *next
		s.replaced = former
		for _, block := range s.rules.Providers() {
			s.providers[block.Name].terms.Store(&block)
		}
		s.readFacts(e.now())
	})
	failpoint.Pass(failpoint.RulesSwapped)
	for _, r := range started {
		e.keepIdentity(context.WithoutCancel(ctx), r)
	}
	e.reloadShadow(ctx)
	e.tending.wake() // checks the new ones
	e.log.Info("the rules were reloaded", "before", before.rules.Hash(), "rules", next.rules.Hash())
	if added := slices.DeleteFunc(slices.Clone(next.rates), func(s routing.SuccessRate) bool { return hasRate(before.rates, s) }); len(added) > 0 {
		e.draining.Go(func() { e.warm(e.looping, added, next.loadedAt) })
	}
	if len(gone)+len(replaced) > 0 {
		e.draining.Go(func() { e.drain(gone, replaced) })
	}
	return nil
}

// announce makes durable what has to be before new rules come into force: who does it, and which they are.
func (e *Engine) announce(ctx context.Context, before, next *state) error {
	act := AuditEntry{Act: ActReload, Before: before.rules.Hash(), After: next.rules.Hash()}
	if err := e.record(ctx, act); err != nil {
		return err
	}
	err := e.keepVersion(ctx, next)
	if err == nil {
		return nil
	}
	e.notDone(ctx, act, err)
	return fmt.Errorf("engine: the rules were not reloaded, because the store cannot be written: %w", err)
}

// drain closes the providers that new rules do not name any more, or have replaced, when no payment needs them.
func (e *Engine) drain(gone, replaced []*running) {
	e.busy.waitAll() // payments that began under the old rules
	closing := slices.Clone(replaced)
	e.reloading.Lock() // which might take one up again
	needed := map[string]bool{}
	for _, r := range gone {
		if needed[r.name] = e.isNeeded(r.name); needed[r.name] {
			e.log.Warn("a provider that the rules do not name any more is kept, because payments of it are not finished", "provider", r.name)
		}
	}
	e.change(func(s *state) {
		s.replaced = slices.DeleteFunc(slices.Clone(s.replaced), func(r *running) bool { return slices.Contains(replaced, r) })
		s.providers = maps.Clone(s.providers)
		for _, r := range gone {
			if s.providers[r.name] == r && !s.names(r.name) && !needed[r.name] {
				delete(s.providers, r.name)
				closing = append(closing, r)
			}
		}
		s.readFacts(e.now())
	})
	e.reloading.Unlock()
	e.busy.waitAll() // looks that have begun since then
	if err := closeProviders(context.Background(), closing); err != nil {
		e.log.Warn("a provider that the rules do not name any more could not be closed", "error", err)
	}
}

// isNeeded reports whether a payment that is not finished is with that provider, as far as the store can tell.
func (e *Engine) isNeeded(providerName string) bool {
	unfinished, err := e.hasUnfinished(context.Background(), providerName, time.Time{})
	return unfinished || err != nil
}

// hasUnfinished reports whether a payment that is not finished is with that provider. Where before is not zero, only
// payments that were made before it count.
func (e *Engine) hasUnfinished(ctx context.Context, providerName string, before time.Time) (bool, error) {
	for _, status := range []payment.Status{payment.Processing, payment.Pending, payment.InDoubt} {
		filter := store.Filter{Provider: providerName, Status: status, CreatedBefore: before, Limit: 1}
		for more := true; more; more = filter.Cursor != "" {
			page, err := e.store.List(ctx, filter)
			if err != nil || len(page.Payments) > 0 {
				return err == nil, err
			}
			filter.Cursor = page.Next
		}
	}
	return false, nil
}

// names reports whether the rules have that provider.
func (s *state) names(provider string) bool {
	for _, block := range s.rules.Providers() {
		if block.Name == provider {
			return true
		}
	}
	return false
}

// build loads the rules and starts those of their providers that before does not have. It reports every fault of
// all of them, and closes what it started when there is one. Rules without a fault are kept in the store.
func (e *Engine) build(ctx context.Context, before *state) (*state, error) {
	rules, diagnostics := routing.Load(e.config.Rules, &routing.Options{Env: e.config.Env})
	if rules == nil {
		return nil, diagnostics
	}
	next := &state{rules: rules, loadedAt: e.now(), providers: map[string]*running{}, rates: successRates(rules), lease: time.Minute}
	var started []*running
	var faults routing.Diagnostics
	var errs []error
	for _, block := range rules.Providers() {
		r := before.providers[block.Name]
		var err error
		switch {
		case r != nil && r.block.SameProcess(block):
		case r != nil && r.value:
			err = fmt.Errorf("engine: provider %q is one of Config.Providers, which cannot be configured anew: make a new engine", block.Name)
		default:
			if r, err = e.startProvider(ctx, block); r != nil {
				started = append(started, r)
			}
		}
		var d routing.Diagnostics
		switch {
		case errors.As(err, &d):
			faults = append(faults, d...)
		case err != nil:
			errs = append(errs, err)
		default:
			next.providers[block.Name] = r
			next.lease = max(next.lease, 4*r.timeout)
		}
	}
	if len(faults) > 0 {
		errs = append(errs, faults)
	}
	err := errors.Join(errs...)
	if err == nil {
		if err = e.keepTexts(ctx, next); err != nil {
			err = fmt.Errorf("engine: the rules could not be kept in the store: %w", err)
		}
	}
	if err != nil {
		_ = closeProviders(ctx, started)
		return nil, err
	}
	next.warnings = append(diagnostics, rules.Check(next.capabilities())...)
	for _, block := range rules.Providers() {
		next.warnings = append(next.warnings, SecretsInClear(block, next.providers[block.Name].info.Config)...)
	}
	for _, d := range next.warnings {
		e.log.Warn(d.Summary, d.LogArgs()...)
	}
	return next, nil
}

// capabilities are what the providers take, by label.
func (s *state) capabilities() map[string][]payment.Capability {
	all := make(map[string][]payment.Capability, len(s.providers))
	for name, r := range s.providers {
		all[name] = r.info.Capabilities
	}
	return all
}

// closeProviders closes all of them at once, within closeTimeout. One that takes twice as long is left behind.
func closeProviders(ctx context.Context, providers []*running) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*closeTimeout)
	defer cancel()
	crew := newCrew(ctx.Done())
	errs := make([]error, len(providers))
	var all sync.WaitGroup
	for i, r := range providers {
		all.Go(func() {
			_, err := guarded(ctx, crew, func() (struct{}, error) {
				ctx, cancel := context.WithTimeout(ctx, closeTimeout)
				defer cancel()
				return struct{}{}, r.Close(ctx)
			})
			if err != nil {
				errs[i] = fmt.Errorf("engine: provider %q: %w", r.name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
