package routing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/cauce-pay/cauce/payment"
)

// memoryBudget bounds what one condition may allocate, as expr counts it.
const memoryBudget = 10_000

// Reasons of candidates that may be used. All other reasons say what stands against one.
const (
	reasonEligible  = "ok"
	reasonUnhealthy = "ok, but unhealthy and so behind the others"
)

// Decide returns what the rules say about a payment: the first route in file order whose condition holds, and its
// candidates. It depends on its arguments and the rules alone, and every field is filled as payment.Decision says:
// a candidate that may be used has the reason "ok", or one that begins with it where it is unhealthy.
//
// A condition that cannot be computed (its arithmetic overflows) does not hold; Decision.Faults says so.
func (r *Rules) Decide(req *payment.Request, facts Facts) payment.Decision {
	e := r.evaluator(req, facts.Now)
	defer r.release(e)
	d := payment.Decision{Rules: r.hash, DecidedAt: facts.Now, Providers: []string{}, Candidates: []payment.Candidate{}}
	for _, route := range r.routes {
		failed, err := e.first(route)
		if err != nil {
			if d.Faults == nil {
				d.Faults = map[string]string{}
			}
			d.Faults[route.name] = cannotCompute(failed, err)
		}
		if failed == nil {
			route.decide(&d, req, facts)
			break
		}
	}
	return d
}

// decide fills in what the matched route says.
func (r *route) decide(d *payment.Decision, req *payment.Request, facts Facts) {
	d.Route = payment.Nullable(r.name)
	d.Reject = payment.Nullable(r.reject)
	if r.reject != "" {
		return
	}
	d.Strategy = r.strategy
	d.Failover = r.failover
	d.Failover.On = slices.Clone(r.failover.On)
	d.Candidates = make([]payment.Candidate, len(r.candidates))
	d.Providers = make([]string, 0, len(r.candidates))
	d.Snapshot = make(map[string]payment.Health, len(r.candidates))
	var unhealthy []string
	for i, name := range r.candidates {
		known, running := facts.Providers[name]
		d.Snapshot[name] = known.Health
		c := payment.Candidate{Provider: name, Reason: "it is not running"}
		if running {
			c.Reason = known.screen(req)
		}
		switch {
		case c.Reason != "":
		case known.Health.Unhealthy:
			c.Eligible, c.Reason = true, withDetail(reasonUnhealthy, known.Health.Reason)
			unhealthy = append(unhealthy, name)
		default:
			c.Eligible, c.Reason = true, reasonEligible
			d.Providers = append(d.Providers, name)
		}
		d.Candidates[i] = c
	}
	d.Providers = append(d.Providers, unhealthy...)
}

// screen returns every reason why a provider cannot take a payment; "" when it can.
func (f *ProviderFacts) screen(req *payment.Request) string {
	c := payment.CapabilityFor(f.Capabilities, req.Operation, req.Method)
	if c == nil {
		return fmt.Sprintf("it does not take %s by %s", req.Operation, req.Method)
	}
	var reasons []string
	if f.Health.Paused {
		reasons = append(reasons, withDetail("paused", f.Health.Reason))
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

// evaluator runs conditions on one payment. It is reused, so that a decision allocates little.
type evaluator struct {
	vm  vm.VM
	env map[string]any // what the conditions read, by key of their references
}

func (r *Rules) evaluator(req *payment.Request, now time.Time) *evaluator {
	e, _ := r.evaluators.Get().(*evaluator)
	if e == nil {
		e = &evaluator{vm: vm.VM{MemoryBudget: memoryBudget}, env: make(map[string]any, len(r.references))}
	}
	for _, ref := range r.references {
		e.env[ref.key] = ref.value(req, now)
	}
	return e
}

// release forgets the payment: a pool may keep its content for long.
func (r *Rules) release(e *evaluator) {
	clear(e.env)
	clear(e.vm.Stack[:cap(e.vm.Stack)])
	r.evaluators.Put(e)
}

// first returns the first of a route's conditions that does not hold, nil if all do, and why it could not be
// computed, if that is so.
func (e *evaluator) first(r *route) (*condition, error) {
	for i := range r.conditions {
		c := &r.conditions[i]
		result, err := e.vm.Run(c.program, e.env)
		if holds, _ := result.(bool); err != nil || !holds {
			return c, err
		}
	}
	return nil, nil
}

// cannotCompute says why a condition has no value, without expr's excerpt of it.
func cannotCompute(c *condition, err error) string {
	message := err.Error()
	var e *file.Error
	if errors.As(err, &e) {
		message = e.Message
	}
	return fmt.Sprintf("%s cannot be computed: %s", c.text, message)
}
