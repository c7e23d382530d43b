package routing

import (
	"fmt"
	"strings"

	"github.com/cauce-pay/cauce/payment"
)

// Explanation is a decision with what became of every route. It holds values of the payment's fields, but no
// personal data.
type Explanation struct {
	payment.Decision
	Routes []RouteVerdict `json:"routes"` // in file order
}

// RouteVerdict says whether a route matched, and why.
type RouteVerdict struct {
	Route   string `json:"route"`
	Matched bool   `json:"matched"`
	Reason  string `json:"reason"`
}

// Explain returns Decide's decision, and for every route why it matched, which part of its condition did not hold,
// or that it was not looked at.
func (r *Rules) Explain(req *payment.Request, facts Facts) Explanation {
	x := Explanation{Decision: r.Decide(req, facts), Routes: make([]RouteVerdict, len(r.routes))}
	e := r.evaluator(req, facts.Now)
	defer r.release(e)
	matched := ""
	for i, route := range r.routes {
		v := RouteVerdict{Route: route.name}
		if matched != "" {
			v.Reason = "not looked at: " + matched + " comes before it"
			x.Routes[i] = v
			continue
		}
		failed, err := e.first(route.conditions)
		switch {
		case err != nil:
			v.Reason = cannotCompute(failed, err)
		case failed != nil:
			v.Reason = failed.text + " does not hold" + e.values(failed, req)
		case len(route.conditions) == 0:
			v.Matched, v.Reason = true, "it has no condition"
		default:
			v.Matched, v.Reason = true, "its condition holds"
		}
		if v.Matched {
			matched = route.name
		}
		x.Routes[i] = v
	}
	return x
}

// values tells what a condition read.
func (e *evaluator) values(c *condition, req *payment.Request) string {
	var read []string
	for _, ref := range c.reads {
		switch {
		case ref.text == nil:
			read = append(read, ref.key+" is "+fmt.Sprint(ref.value(req, e.now)))
		case ref.text(req) == "":
			read = append(read, ref.key+" is absent")
		case ref.personal:
			read = append(read, ref.key+" is given")
		default:
			read = append(read, ref.key+" is "+ref.text(req))
		}
	}
	if read == nil {
		return ""
	}
	return ": " + strings.Join(read, ", ")
}
