package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
)

// nextCandidate returns the provider that would be tried next and, after the first, why it is that one; nil and why
// there is none.
func (e *Engine) nextCandidate(d *draft, decision *payment.Decision) (r *running, why string) {
	tried, policy := len(d.p.Attempts), decision.Failover
	switch {
	case tried == 0:
	case tried >= policy.MaxAttempts:
		return nil, "max_attempts of the route is reached"
	case policy.Within > 0 && d.now.Sub(d.p.CreatedAt) > time.Duration(policy.Within):
		return nil, "within of the route has passed"
	}
	names, reasons := decision.Providers, []string(nil)
	if tried > 0 {
		last := d.p.Current()
		names, reasons = e.screenAgain(d, decision)
		reasons = append([]string{"after " + last.Provider + ": " + last.Code}, reasons...)
	}
	why = strings.Join(reasons, "; ")
	for _, name := range names {
		if r := e.provider(name); r != nil && !attempted(d.p, name) {
			return r, why
		}
	}
	return nil, why
}

func attempted(p *payment.Payment, providerName string) bool {
	return slices.ContainsFunc(p.Attempts, func(a payment.Attempt) bool { return a.Provider == providerName })
}

// screenAgain returns the decision's candidates as they would be tried now, and why those are left out or come last
// that were not tried yet. Where its route is not what the rules of now would decide, it is the decision's own candidates
// that are screened, as the rules of now have them, but for those that were changed since.
func (e *Engine) screenAgain(d *draft, decision *payment.Decision) (names, reasons []string) {
	s := e.current(d.now)
	facts := e.routingFacts(s, d.now, d.p.ID)
	again := payment.Decision{}
	if s.rules.Hash() == decision.Rules {
		again = s.rules.Decide(&d.p.Request, facts)
	}
	if s.rules.Hash() != decision.Rules || again.Route != decision.Route {
		var blocks []routing.Provider
		for _, name := range decision.Providers {
			switch r := s.providers[name]; {
			case r == nil:
				reasons = append(reasons, name+": the rules do not name it any more")
			case r.account.Since.After(d.p.CreatedAt):
				reasons = append(reasons, name+": its configuration or plugin was changed since the decision")
			default:
				blocks = append(blocks, *r.terms.Load())
			}
		}
		again = routing.Screen(blocks, &d.p.Request, facts)
	}
	for _, c := range again.Candidates {
		if c.Reason != "ok" && !attempted(d.p, c.Provider) {
			reasons = append(reasons, c.Provider+": "+c.Reason)
		}
	}
	return again.Providers, reasons
}
