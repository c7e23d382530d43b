package routing

import (
	"errors"
	"fmt"
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
