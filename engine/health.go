package engine

import (
	"fmt"
	"time"

	"github.com/cauce-pay/cauce/engine/internal/breaker"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// condition is what keeps payments from the provider at a time. The caller holds r.mu.
func (r *running) condition(now time.Time) payment.Health {
	h := r.health
	if r.breaker.State(now) == breaker.Open {
		h.BreakerOpen = true
		h.Reason = orElse(h.Reason, r.lastFailure)
	}
	limit, inFlight := r.terms.Load().Limit, r.inFlight.Load()
	switch {
	case limit.InFlight > 0 && inFlight >= int64(limit.InFlight):
		h.AtLimit = true
		h.Reason = orElse(h.Reason, fmt.Sprintf("%d attempts are in flight", inFlight))
	case limit.PerSecond > 0 && r.thisSecond >= limit.PerSecond && now.Truncate(time.Second).Equal(r.second):
		h.AtLimit = true
		h.Reason = orElse(h.Reason, fmt.Sprintf("it got %d attempts in this second", r.thisSecond))
	}
	if p := r.paused.Load(); p != nil {
		h.Paused = true
		h.Reason = orElse(h.Reason, p.Reason)
	}
	return h
}

// changesAt is when time alone changes the provider's condition; zero = never. The caller holds r.mu.
func (r *running) changesAt(now time.Time) time.Time {
	at := r.breaker.Until()
	next := r.second.Add(time.Second)
	if limit := r.terms.Load().Limit.PerSecond; limit > 0 && r.thisSecond >= limit && next.After(now) && (!at.After(now) || next.Before(at)) {
		at = next
	}
	if !at.After(now) {
		return time.Time{}
	}
	return at
}

// begins counts a hand-over that begins; call is what ended is told. Decisions learn of it where it changes the provider's
// condition. It does not begin, and ok is false, while another one tries whether the provider works again, if it
// mayGoElsewhere.
func (e *Engine) begins(r *running, mayGoElsewhere func() bool) (call breaker.Call, ok bool) {
	now, limit := e.now(), r.terms.Load().Limit
	call, changed, held := r.breaker.Begin(now)
	if held && mayGoElsewhere() {
		return 0, false
	}
	if n := r.inFlight.Add(1); n == int64(limit.InFlight) {
		changed = true
	}
	if limit.PerSecond > 0 {
		second := now.Truncate(time.Second)
		r.mu.Lock()
		if !second.Equal(r.second) {
			r.second, r.thisSecond = second, 0
		}
		r.thisSecond++
		atLimit := r.thisSecond == limit.PerSecond
		r.mu.Unlock()
		if atLimit {
			changed = true
		}
	}
	if changed {
		e.refreshFacts()
	}
	return call, true
}

// ended notes what a hand-over's answer says about the provider: its own failures open its breaker, the payer's
// faults and a bank's do not.
func (e *Engine) ended(r *running, call breaker.Call, req *payment.Request, ans answer) {
	changed := r.inFlight.Add(-1) == int64(r.terms.Load().Limit.InFlight)-1
	switch failure := providersFault(req, ans); {
	case failure != "":
		terms := r.terms.Load().Breaker
		r.mu.Lock()
		r.lastFailure = failure
		r.mu.Unlock()
		if r.breaker.Failed(call, e.now(), breaker.Settings(terms)) {
			changed = true
			e.log.Warn("a provider's breaker opened", "provider", r.name, "for", terms.CoolOff, "failure", failure)
		}
	case refusedUnasked(ans):
		changed = r.breaker.Undecided(call) || changed
	case r.breaker.Succeeded(call):
		changed = true
		e.log.Info("a provider's breaker closed", "provider", r.name)
	}
	if changed {
		e.refreshFacts()
	}
	e.noteHealth(r, ans.err)
}

// refusedUnasked reports whether the plugin refused by itself, which tells nothing about the provider behind it.
func refusedUnasked(ans answer) bool {
	return ans.err != nil && ans.err.Code == provider.CodeInvalid && ans.err.ProviderCode == ""
}

// providersFault says what failed by the provider's own fault; "" where nothing did. It is told with other payments,
// so that it has the codes only: a message may be about this payer.
func providersFault(req *payment.Request, ans answer) string {
	switch {
	case ans.err == nil && ans.Status == provider.Failed:
		return withCode("it could not execute an attempt", ans.Code)
	case ans.err == nil, bankIsDown(req, ans.err):
		return ""
	}
	switch ans.err.Code {
	case provider.CodeInvalid, provider.CodeDeclined:
		return ""
	}
	return withCode(string(ans.err.Code), ans.err.ProviderCode)
}

// withCode adds a provider's own code, where there is one.
func withCode(s, code string) string {
	if code == "" {
		return s
	}
	return s + " (" + code + ")"
}

// bankIsDown reports whether the payer's bank, not the provider, could not be reached. The PSE providers share one
// network, so that no other one cures that.
func bankIsDown(req *payment.Request, err *provider.Error) bool {
	return req.Method == payment.PSE && err.Code == provider.CodeUnavailable && err.Field == "payer.bank"
}
