package routing

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// Diff compares what two sets of rules decide about the same payments.
type Diff struct {
	Payments int      `json:"payments"` // that were decided by both
	Changed  int      `json:"changed"`
	Changes  []Change `json:"changes"` // in the order in which they were found
}

// Change is a group of payments that both rules decide in the same two ways.
type Change struct {
	Before   string   `json:"before"` // the route that decided; "" = none
	After    string   `json:"after"`
	What     []string `json:"what"` // differs: route, providers, candidates, weights, strategy, success_rate, failover, reject
	Payments int      `json:"payments"`
	// Example is one of them. A sample holds only what conditions of the rules name; "" = no ID, it is a sample.
	Example   payment.Request `json:"example"`
	ExampleID string          `json:"example_id"`
	At        time.Time       `json:"at"` // when the example is decided
}

// Add decides a payment under both rules with the same facts. id names it in the result; "" for a sample.
func (d *Diff) Add(before, after *Rules, id string, req *payment.Request, facts Facts) {
	d.Payments++
	what := differences(before, after, req, facts)
	if len(what) == 0 {
		return
	}
	d.Changed++
	c := Change{
		Before: before.Match(req, facts.Now), After: after.Match(req, facts.Now), What: what, Payments: 1,
		Example: *req, ExampleID: id, At: facts.Now.In(bogota),
	}
	i := slices.IndexFunc(d.Changes, func(o Change) bool {
		return o.Before == c.Before && o.After == c.After && slices.Equal(o.What, c.What)
	})
	if i < 0 {
		d.Changes = append(d.Changes, c)
		return
	}
	d.Changes[i].Payments++
}

// differences names what two decisions about a payment differ in.
func differences(before, after *Rules, req *payment.Request, facts Facts) []string {
	a, b := before.Decide(req, facts), after.Decide(req, facts)
	old, now := before.routeNamed(string(a.Route)), after.routeNamed(string(b.Route))
	var what []string
	for _, part := range []struct {
		name string
		same bool
	}{
		{"route", a.Route == b.Route},
		{"providers", slices.Equal(a.Providers, b.Providers)},
		{"candidates", slices.Equal(eligible(a), eligible(b))},
		{"weights", slices.Equal(old.weights(), now.weights())},
		{"strategy", a.Strategy == b.Strategy},
		{"success_rate", reflect.DeepEqual(old.successRate, now.successRate)},
		{"failover", reflect.DeepEqual(a.Failover, b.Failover)},
		{"reject", a.Reject == b.Reject},
	} {
		if !part.same {
			what = append(what, part.name)
		}
	}
	return what
}

// routeNamed returns a route; an empty one where there is none.
func (r *Rules) routeNamed(name string) *route {
	if i := slices.IndexFunc(r.routes, func(r *route) bool { return r.name == name }); i >= 0 {
		return r.routes[i]
	}
	return &route{}
}

// weights are the provider names with their weights, sorted: their written order shows in what is tried.
func (r *route) weights() []candidateWeight {
	var list []candidateWeight
	for _, c := range r.candidates {
		if c.weight != 0 {
			list = append(list, candidateWeight{c.provider.Name, c.weight})
		}
	}
	slices.SortFunc(list, func(a, b candidateWeight) int { return cmp.Compare(a.provider, b.provider) })
	return list
}

type candidateWeight struct {
	provider string
	weight   int
}

// eligible are the candidates that may take the payment, or not, sorted.
func eligible(d payment.Decision) []string {
	var list []string
	for _, c := range d.Candidates {
		verdict := "no "
		if c.Eligible {
			verdict = "yes "
		}
		list = append(list, verdict+c.Provider)
	}
	slices.Sort(list)
	return list
}
