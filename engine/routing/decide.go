package routing

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/cauce-pay/cauce/payment"
)

// memoryBudget bounds what one condition may allocate, as expr counts it.
const memoryBudget = 10_000

// Decide returns what the rules say about a payment: the first route in file order whose condition holds, and its
// candidates. It depends on its arguments and the rules alone, and every field is filled as payment.Decision says:
// a candidate that may be used has the reason "ok", or one that begins with it and says what its place is due to.
//
// A condition that cannot be computed (its arithmetic overflows) does not hold; Decision.Faults says so.
func (r *Rules) Decide(req *payment.Request, facts Facts) payment.Decision {
	d := payment.Decision{Rules: r.hash, DecidedAt: facts.Now, Providers: []string{}, Candidates: []payment.Candidate{}}
	matched, faults := r.match(req, facts.Now)
	for route, fault := range faults {
		if route > matched {
			continue
		}
		if d.Faults == nil {
			d.Faults = map[string]string{}
		}
		d.Faults[r.routes[route].name] = fault
	}
	if matched != noRoute {
		r.routes[matched].decide(&d, req, facts)
	}
	return d
}

// Match returns the name of the route that Decide would take, "" if there is none, without looking at its candidates.
// It allocates nothing where the conditions are made of comparisons of single fields with constants.
func (r *Rules) Match(req *payment.Request, now time.Time) string {
	matched, _ := r.match(req, now)
	if matched == noRoute {
		return ""
	}
	return r.names[matched]
}

// match returns the first route whose condition holds, or noRoute, and why routes could not be computed.
func (r *Rules) match(req *payment.Request, now time.Time) (route int, faults map[int]string) {
	s := search{rules: r, req: req, now: now, found: noRoute}
	s.visit(theRoot)
	if s.e != nil {
		r.release(s.e)
	}
	return s.found, s.faults
}

// evaluator runs conditions on one payment. It is reused, so that a decision allocates little.
type evaluator struct {
	vm  vm.VM
	req *payment.Request
	now time.Time
	env map[string]any // what the programs have read, by key of their references
}

func (r *Rules) evaluator(req *payment.Request, now time.Time) *evaluator {
	e, _ := r.evaluators.Get().(*evaluator)
	if e == nil {
		e = &evaluator{vm: vm.VM{MemoryBudget: memoryBudget}, env: map[string]any{}}
	}
	e.req, e.now = req, now
	return e
}

// release forgets the payment: a pool may keep its content for long.
func (r *Rules) release(e *evaluator) {
	e.req = nil
	clear(e.env)
	clear(e.vm.Stack[:cap(e.vm.Stack)])
	r.evaluators.Put(e)
}

// first returns the first condition that does not hold, nil if all do, and why it could not be computed, if that is so.
func (e *evaluator) first(conditions []*condition) (*condition, error) {
	for _, c := range conditions {
		if holds, err := e.holds(c); err != nil || !holds {
			return c, err
		}
	}
	return nil, nil
}

func (e *evaluator) holds(c *condition) (bool, error) {
	if c.program == nil {
		return slices.ContainsFunc(c.boxes, func(b box) bool { return b.holds(e.req, e.now) }), nil
	}
	for _, ref := range c.reads {
		if _, ok := e.env[ref.key]; !ok {
			e.env[ref.key] = ref.value(e.req, e.now)
		}
	}
	result, err := e.vm.Run(c.program, e.env)
	holds, _ := result.(bool)
	return holds, err
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
