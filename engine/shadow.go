package engine

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// Shadow is what the rules that the server block names as shadow would have decided about the payments that were decided
// since then. A reload of rules that name another path, or none, ends the comparison.
type Shadow struct {
	Path  string `json:"path"`
	Fault string `json:"fault,omitzero"` // why they cannot be used as they are now; those of before go on
	ShadowCounts
}

// ShadowCounts are of one pair of rules. They are kept in the store, so that a restart goes on with them.
type ShadowCounts struct {
	Hash     string           `json:"hash"`  // of the shadow rules; "" while there are none
	Rules    string           `json:"rules"` // hash of those in force, beside which they are
	Since    time.Time        `json:"since"`
	Backtest routing.Backtest `json:"backtest"`
	Cursor   string           `json:"cursor,omitzero"` // the last event that is counted
}

const (
	shadowSetting = "shadow"
	// shadowSaved is how often the counts are kept. What is not kept is counted again after a crash.
	shadowSaved = 5 * time.Second
	// maxShadowMoves bounds how many payments are named, the latest.
	maxShadowMoves = 1000
)

// shadow decides what happens by other rules too. It follows the stored events, after the payments: nothing waits for
// it, and nothing that goes wrong in it reaches a payment.
type shadow struct {
	stop func() // ends the following and waits for that; nil while there is none. Only New and a reload use it

	mu    sync.Mutex
	path  string         // "" = none is asked for; only New and a reload set it
	rules *routing.Rules // nil while there are none
	fault string
	now   ShadowCounts
	saved time.Time
}

// Shadow returns the comparison with the shadow of the rules in force; ErrNotFound where they have none.
func (e *Engine) Shadow() (Shadow, error) {
	e.shadow.mu.Lock()
	defer e.shadow.mu.Unlock()
	if e.shadow.path == "" {
		return Shadow{}, fmt.Errorf("engine: %w: no shadow rules are set", ErrNotFound)
	}
	s := Shadow{Path: e.shadow.path, Fault: e.shadow.fault, ShadowCounts: e.shadow.now}
	s.Cursor = ""
	s.Backtest = s.Backtest.Clone()
	return s, nil
}

// readShadow reads the shadow rules, or tells why they cannot be used.
func (e *Engine) readShadow(path string) (rules *routing.Rules, fault string) {
	if path == "" {
		return nil, ""
	}
	rules, found := routing.Load(path, &routing.Options{
		Env: e.config.Env, Unset: func(string) string { return "https://not-set.example" }, // nothing is called by them
	})
	if rules == nil {
		e.log.Error("the shadow rules cannot be used; the rules in force are not affected", "rules", path, "error", found)
		return nil, found.Error()
	}
	return rules, ""
}

// reloadShadow reads the shadow rules anew, at the end of a reload. Where they have a fault, those of before stay, but
// not under another path: that begins a comparison of its own.
func (e *Engine) reloadShadow(ctx context.Context) {
	path := e.Rules().Server().Shadow
	another := path != e.shadow.path
	if another && e.shadow.stop != nil {
		e.shadow.stop()
	}
	rules, fault := e.readShadow(path)
	e.shadow.mu.Lock()
	defer e.shadow.mu.Unlock()
	e.shadow.path, e.shadow.fault = path, fault
	if another || rules != nil {
		e.shadow.rules = rules
	}
	if another {
		e.beginShadow(ctx)
		e.startShadow()
	}
}

// startShadow follows the payments until shadow.stop.
func (e *Engine) startShadow() {
	e.shadow.stop = nil
	if e.shadow.path == "" {
		return
	}
	ctx, cancel := context.WithCancel(e.looping)
	ended := make(chan struct{})
	e.shadow.stop = func() { cancel(); <-ended }
	e.background.Go(func() {
		defer close(ended)
		e.followShadow(ctx)
	})
}

// followShadow decides every payment that is decided from now on, or since the comparison in the store was kept.
func (e *Engine) followShadow(ctx context.Context) {
	defer e.keepShadow(context.WithoutCancel(ctx), true)
	for ctx.Err() == nil && e.storeError() == nil {
		if err := e.compareOn(ctx); err != nil {
			e.shadow.mu.Lock()
			e.shadow.fault = err.Error()
			e.shadow.mu.Unlock()
			e.log.Error("the shadow rules cannot be followed; it is tried again", "error", err)
			again := make(chan struct{})
			stop := e.clock.AfterFunc(retryPause, func() { close(again) })
			select {
			case <-again:
			case <-ctx.Done():
			}
			stop()
		}
	}
}

// compareOn follows the events until ctx ends or they cannot be read.
func (e *Engine) compareOn(ctx context.Context) error {
	var last payment.Event // the one that begins a payment, whose decision is stored with it
	for ev, err := range e.Events(ctx, e.shadow.now.Cursor) {
		if err != nil {
			return err
		}
		switch data := ev.Event.Data; ev.Event.Type {
		case payment.EventCreated:
			last = ev.Event
			continue // both or none are counted
		case payment.EventDecided:
			if last.Data.Payment == ev.Payment && last.Data.Request != nil {
				e.decideInShadow(ev, last.Data.Request, data.Decision)
			}
		}
		e.shadow.mu.Lock()
		e.shadow.now.Cursor = ev.Cursor
		e.shadow.mu.Unlock()
		e.keepShadow(ctx, false)
	}
	return nil
}

// resumeShadow goes on with the comparison in the store if it is of the same rules, and else begins one.
func (e *Engine) resumeShadow(ctx context.Context) {
	path := e.Rules().Server().Shadow
	rules, fault := e.readShadow(path)
	e.shadow.mu.Lock()
	defer e.shadow.mu.Unlock()
	e.shadow.path, e.shadow.rules, e.shadow.fault = path, rules, fault
	var stored ShadowCounts
	if _, err := readSetting(ctx, e.store, shadowSetting, &stored); err != nil {
		e.log.Warn("the comparison with the shadow rules cannot be read and begins anew", "error", err)
		stored = ShadowCounts{}
	}
	if rules != nil && stored.Hash == rules.Hash() && stored.Rules == e.Rules().Hash() {
		e.shadow.now = stored
		return
	}
	e.beginShadow(ctx)
}

// beginShadow begins a comparison with the payments that are decided from now on. The caller holds shadow.mu.
func (e *Engine) beginShadow(ctx context.Context) {
	if e.shadow.path == "" {
		return
	}
	end, err := e.EventsEnd(ctx)
	if err != nil {
		e.shadow.fault = err.Error()
	}
	e.shadow.begin(e.Rules().Hash(), e.now())
	e.shadow.now.Cursor = end
}

// begin begins a comparison.
func (s *shadow) begin(inForce string, now time.Time) {
	cursor := s.now.Cursor
	s.now = ShadowCounts{Rules: inForce, Since: now, Cursor: cursor}
	if s.rules != nil {
		s.now.Hash = s.rules.Hash()
	}
}

// decideInShadow decides one payment as the shadow rules would have, with what was recorded of the providers' health.
func (e *Engine) decideInShadow(ev store.FeedEvent, req *payment.Request, then *payment.Decision) {
	facts := e.factsThen(ev.Payment, then)
	e.shadow.mu.Lock()
	defer e.shadow.mu.Unlock()
	defer func() {
		if fault := recover(); fault != nil {
			e.shadow.fault = fmt.Sprintf("deciding payment %s panicked: %v", ev.Payment, fault)
			e.log.Error("the shadow rules panicked", "payment", ev.Payment, "panic", fault)
		}
	}()
	rules := e.shadow.rules
	if rules == nil {
		return
	}
	if e.shadow.now.Hash != rules.Hash() || e.shadow.now.Rules != then.Rules {
		e.shadow.begin(then.Rules, ev.Event.At)
	}
	for _, block := range rules.Providers() {
		if _, known := facts.Providers[block.Name]; !known { // it is not running, so nobody knows what it takes
			facts.Providers[block.Name] = routing.EverythingFacts(req.Currency)
		}
	}
	b := &e.shadow.now.Backtest
	b.Add(rules, &payment.Payment{ID: ev.Payment, Request: *req}, *then, facts)
	b.Moved = b.Moved[max(0, len(b.Moved)-maxShadowMoves):]
}

// factsThen are the facts of a decision that was made a moment ago.
func (e *Engine) factsThen(id string, then *payment.Decision) routing.Facts {
	facts := e.routingFacts(e.state.Load(), then.DecidedAt, id)
	facts.Providers = maps.Clone(facts.Providers)
	for name, health := range then.Snapshot {
		if f, ok := facts.Providers[name]; ok {
			f.Health = health
			facts.Providers[name] = f
		}
	}
	return facts
}

// keepShadow keeps the comparison in the store, now or when it was not kept for a while.
func (e *Engine) keepShadow(ctx context.Context, now bool) {
	e.shadow.mu.Lock()
	defer e.shadow.mu.Unlock()
	if now || e.isOld(e.shadow.saved, shadowSaved) {
		e.shadow.saved = e.now()
		if err := e.putSetting(ctx, shadowSetting, e.shadow.now); err != nil {
			e.log.Warn("the comparison with the shadow rules could not be kept", "error", err)
		}
	}
}
