package routing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/payment"
)

// TestResult is what became of a test.
type TestResult struct {
	Name     string   `json:"name"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Passed   bool     `json:"passed"`
	Failures []string `json:"failures"`        // what was expected and what came instead, each with why
	Route    string   `json:"route,omitempty"` // that decided
}

// RunTest decides a test's payment, with these facts of the providers and what the test says is given.
func (r *Rules) RunTest(t Test, facts Facts) TestResult {
	x := r.Explain(&t.request, t.given.facts(facts))
	result := TestResult{Name: t.Name, File: t.File, Line: t.Line, Failures: t.failures(x), Route: string(x.Route)}
	result.Passed = len(result.Failures) == 0
	return result
}

// facts returns the facts as the test wants them.
func (g given) facts(known Facts) Facts {
	facts := Facts{Now: known.Now, PaymentID: g.id, Providers: map[string]ProviderFacts{}}
	if !g.now.IsZero() {
		facts.Now = g.now
	}
	for name, p := range known.Providers {
		if slices.Contains(g.down, name) {
			continue
		}
		p.Health.Paused = slices.Contains(g.paused, name)
		p.Health.Unhealthy = slices.Contains(g.unhealthy, name)
		facts.Providers[name] = p
	}
	return facts
}

// failures compares an explanation with what is expected.
func (t Test) failures(x Explanation) []string {
	failures := []string{}
	fail := func(what, expected, got, why string) {
		failures = append(failures, fmt.Sprintf("%s: expected %s, got %s%s", what, expected, got, why))
	}
	want := t.expect
	if want.none && x.Route != "" {
		fail("route", "none", fmt.Sprintf("%q", x.Route), because(x, string(x.Route)))
	}
	if want.route != nil && *want.route != string(x.Route) {
		fail("route", fmt.Sprintf("%q", *want.route), orNone(string(x.Route)), because(x, *want.route))
	}
	if want.reject != nil && *want.reject != string(x.Reject) {
		fail("reject", fmt.Sprintf("%q", *want.reject), orNone(string(x.Reject)), because(x, string(x.Route)))
	}
	if want.providers != nil && !slices.Equal(want.providers, x.Providers) {
		var why strings.Builder
		for _, c := range x.Candidates {
			fmt.Fprintf(&why, "\n  %s: %s", c.Provider, c.Reason)
		}
		fail("providers", list(want.providers), list(x.Providers), why.String())
	}
	return failures
}

// because tells what became of a route.
func because(x Explanation, route string) string {
	for _, v := range x.Routes {
		if v.Route == route {
			return fmt.Sprintf("\n  %s: %s", v.Route, v.Reason)
		}
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return fmt.Sprintf("%q", s)
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// EverythingFacts are the facts of a provider of which nothing is known: it takes every payment.
func EverythingFacts(currency string) ProviderFacts {
	var f ProviderFacts
	for _, o := range payment.Operations() {
		for _, m := range o.Methods() {
			f.Capabilities = append(f.Capabilities, payment.Capability{
				Operation: o, Method: m, Currencies: []string{currency}, Decimals: 2,
			})
		}
	}
	return f
}

// Coverage tells which routes tests decide by.
type Coverage struct {
	Routes    int      `json:"routes"`
	Percent   int      `json:"percent"`   // rounded down; 100 where there is no route
	Uncovered []string `json:"uncovered"` // routes that no test ends in, in file order
}

// Coverage tells which routes the tests with these results ended in.
func (r *Rules) Coverage(results []TestResult) Coverage {
	c := Coverage{Routes: len(r.routes), Percent: 100, Uncovered: []string{}}
	covered := map[string]bool{}
	for _, result := range results {
		covered[result.Route] = true
	}
	for _, route := range r.routes {
		if !covered[route.name] {
			c.Uncovered = append(c.Uncovered, route.name)
		}
	}
	if c.Routes > 0 {
		c.Percent = 100 * (c.Routes - len(c.Uncovered)) / c.Routes
	}
	return c
}
