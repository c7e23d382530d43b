package routing

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// Diff compares what two sets of rules decide about the same payments.
type Diff struct {
	Same     bool     `json:"same"`     // no payment is decided differently, whatever it is: what Same says
	Payments int      `json:"payments"` // that were decided by both
	Stored   int      `json:"stored"`   // of them, those that have an ID; the others are samples
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

// Same reports whether it is proved that both rules decide every payment alike: their routes have, one after the other,
// the same name, conditions of the same normal form, and candidates whose provider blocks say the same. A condition without
// a normal form has to be written alike, and to name no local. false proves nothing.
func Same(before, after *Rules) bool {
	return slices.EqualFunc(before.routes, after.routes, func(a, b *route) bool {
		return a.name == b.name && a.reject == b.reject && a.strategy == b.strategy &&
			reflect.DeepEqual(a.successRate, b.successRate) && reflect.DeepEqual(a.failover, b.failover) &&
			slices.EqualFunc(a.boxes, b.boxes, box.equal) && slices.EqualFunc(a.residue, b.residue, (*condition).sameText) &&
			slices.EqualFunc(a.candidates, b.candidates, candidate.same)
	})
}

// equal reports whether two boxes, also of different rules, have the same tests.
func (b box) equal(other box) bool {
	return len(b) == len(other) && !slices.ContainsFunc(b, func(t *test) bool {
		return !slices.ContainsFunc(other, func(u *test) bool { return t.of.key == u.of.key && t.equal(u) })
	})
}

func (c *condition) sameText(other *condition) bool {
	return c.text == other.text && !strings.Contains(c.text, "local.")
}

func (c candidate) same(other candidate) bool {
	p, q := c.provider, other.provider
	return c.weight == other.weight && p.SameProcess(*q) && reflect.DeepEqual(p.Fee, q.Fee) && p.Breaker == q.Breaker &&
		p.Limit == q.Limit && reflect.DeepEqual(p.Maintenance, q.Maintenance)
}

// Add decides a payment under both rules with the same facts. id names it in the result; "" for a sample.
func (d *Diff) Add(before, after *Rules, id string, req *payment.Request, facts Facts) {
	d.Payments++
	if id != "" {
		d.Stored++
	}
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
