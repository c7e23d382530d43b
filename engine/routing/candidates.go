package routing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/payment"
)

// candidate is one provider of a route.
type candidate struct {
	provider *Provider
	at       span // where the route names it
	weight   int  // of the route's split, in percent
}

// runner is a candidate that may take a payment.
type runner struct {
	*candidate
	health payment.Health
	note   string // what its place is due to, for its reason; may be empty
	behind string // why it is behind the others; "" = it is not
}

// decide fills in what the matched route says.
func (r *route) decide(d *payment.Decision, req *payment.Request, facts Facts) {
	d.Route = payment.Nullable(r.name)
	d.Reject = payment.Nullable(r.reject)
	if r.reject != "" {
		return
	}
	d.Strategy = r.strategy.name
	d.Failover = r.failover
	d.Failover.On = slices.Clone(r.failover.On)
	d.Candidates = make([]payment.Candidate, len(r.candidates))
	d.Snapshot = make(map[string]payment.Health, len(r.candidates))
	runners := make([]runner, 0, len(r.candidates))
	for i := range r.candidates {
		c := &r.candidates[i]
		name := c.provider.Name
		known, running := facts.Providers[name]
		health := known.Health
		if r.successRate != nil && facts.Outcomes != nil {
			health.Successes, health.Failures = facts.Outcomes(name, *r.successRate, req)
		}
		d.Snapshot[name] = health
		reason := "it is not running"
		if running {
			reason = known.screen(req, c.provider, facts)
		}
		d.Candidates[i] = payment.Candidate{Provider: name, Eligible: reason == "", Reason: reason}
		if reason == "" {
			runners = append(runners, runner{candidate: c, health: health, behind: behind(health)})
		}
	}
	r.rank(d, runners, req, facts.PaymentID)
}

// rank orders those that may take the payment, by strategy, and those that are in trouble behind the others.
func (r *route) rank(d *payment.Decision, runners []runner, req *payment.Request, paymentID string) {
	r.strategy.order(r, runners, req, paymentID)
	d.Providers = make([]string, 0, len(runners))
	for _, last := range []bool{false, true} {
		for i := range runners {
			if runners[i].behind != "" == last {
				d.Providers = append(d.Providers, runners[i].provider.Name)
			}
		}
	}
	for i := range runners {
		at := slices.IndexFunc(d.Candidates, func(c payment.Candidate) bool { return c.Provider == runners[i].provider.Name })
		d.Candidates[at].Reason = runners[i].reason()
	}
}

// reason is "ok", with what decided about its place.
func (r *runner) reason() string {
	s := "ok"
	if r.note != "" {
		s += ": " + r.note
	}
	if r.behind != "" {
		s += ", but " + r.behind
	}
	return s
}

// behind says why a provider is tried after those that are well.
func behind(h payment.Health) string {
	var troubles []string
	if h.Unhealthy {
		troubles = append(troubles, "unhealthy")
	}
	if h.BreakerOpen {
		troubles = append(troubles, "its breaker is open")
	}
	if h.AtLimit {
		troubles = append(troubles, "it is at its limit")
	}
	if troubles == nil {
		return ""
	}
	return withDetail(strings.Join(troubles, " and ")+" and so behind the others", h.Reason)
}

// screen returns every reason why a provider cannot take a payment; "" when it can.
func (f *ProviderFacts) screen(req *payment.Request, block *Provider, facts Facts) string {
	c := payment.CapabilityFor(f.Capabilities, req.Operation, req.Method)
	if c == nil {
		return fmt.Sprintf("it does not take %s by %s", req.Operation, req.Method)
	}
	var reasons []string
	if f.Health.Paused {
		reasons = append(reasons, withDetail("paused", f.Health.Reason))
	}
	for _, w := range block.Maintenance {
		if w.Contains(facts.Now) {
			reasons = append(reasons, "in maintenance "+w.String())
		}
	}
	for _, refusal := range c.Refusals(req) {
		reasons = append(reasons, refusal.Reason)
	}
	bank := req.Payer.Bank
	if req.Operation == payment.PayOut {
		bank = req.Payee.Bank
	}
	if banks := f.Banks[req.Method]; banks != nil && bank != "" && !banks[bank] {
		reasons = append(reasons, fmt.Sprintf("bank %s is not on its list", bank))
	}
	return strings.Join(reasons, "; ")
}

func withDetail(reason, detail string) string {
	if detail == "" {
		return reason
	}
	return reason + ": " + detail
}

// Screen returns the decision of a route that says nothing but its candidates: who of them may take the payment, in that
// order, with those that are in trouble behind the others.
func Screen(candidates []Provider, req *payment.Request, facts Facts) payment.Decision {
	r := route{strategy: strategies[0]}
	for i := range candidates {
		r.candidates = append(r.candidates, candidate{provider: &candidates[i]})
	}
	var d payment.Decision
	r.decide(&d, req, facts)
	return d
}
