package routing

import (
	"fmt"
	"slices"

	"github.com/cauce-pay/cauce/payment"
)

// Check returns warnings that need to know what the providers take: candidates that can take nothing of what their
// route lets through, and methods that a provider offers and no route covers. Nothing is said of providers that are not in
// capabilities, nor where it is not certain.
func (r *Rules) Check(capabilities map[string][]payment.Capability) Diagnostics {
	var ds Diagnostics
	var covered []box
	for _, route := range r.routes {
		boxes, _ := route.outline(r.domains)
		covered = append(covered, boxes...)
		for i := range route.candidates {
			c := &route.candidates[i]
			offers, known := capabilities[c.provider.Name]
			if misfit := r.misfit(boxes, offers); known && misfit != "" {
				ds = append(ds, c.at.diagnostic(Warning,
					fmt.Sprintf("%q can take nothing of what route %q lets through", c.provider.Name, route.name), misfit))
			}
		}
	}
	said := map[string]bool{}
	for i := range r.providers {
		p := &r.providers[i]
		for _, c := range capabilities[p.Name] {
			what := fmt.Sprintf("%s by %s", c.Operation, c.Method)
			if !said[what] && !r.kindOf(c).meetsAny(covered) {
				said[what] = true
				ds = append(ds, p.label.diagnostic(Warning, fmt.Sprintf("%q offers %s, which no route covers", p.Name, what),
					"Such payments fail with no_route."))
			}
		}
	}
	return ds.Sorted()
}

// misfit says why none of boxes meets one of the capabilities; "" where one does, or nothing is in boxes.
func (r *Rules) misfit(boxes []box, offers []payment.Capability) string {
	if len(boxes) == 0 {
		return ""
	}
	takes := []string{}
	why := ""
	for _, c := range offers {
		kind := r.kindOf(c)
		takes = append(takes, fmt.Sprintf("%s by %s", c.Operation, c.Method))
		whole, _ := kind.and(r.termsOf(c))
		switch {
		case whole.meetsAny(boxes):
			return ""
		case kind.meetsAny(boxes):
			why = fmt.Sprintf("It takes %s, but never with what the route asks for together.", takes[len(takes)-1])
			for _, t := range whole {
				if both, _ := kind.and(box{t}); !both.meetsAny(boxes) {
					why = fmt.Sprintf("The route's %s is none that it takes.", t.of.key)
					break
				}
			}
		}
	}
	if why == "" {
		why = fmt.Sprintf("It takes %s.", someOf(takes))
	}
	return why
}

func (b box) meetsAny(boxes []box) bool { return slices.ContainsFunc(boxes, b.meets) }

// kindOf returns the box of a capability's operation and method.
func (r *Rules) kindOf(c payment.Capability) box {
	return box{r.among("operation", string(c.Operation)), r.among("method", string(c.Method))}
}

// termsOf returns the box of what else a payment must be for a capability: what payment.Capability.Refusals asks, as far
// as it is about single values.
func (r *Rules) termsOf(c payment.Capability) box {
	b := box{r.among("currency", c.Currencies...)}
	if len(c.DocumentTypes) > 0 {
		party := "payer"
		if c.Operation == payment.PayOut {
			party = "payee"
		}
		b = append(b, r.among(party+".document.type", append(texts(c.DocumentTypes), "")...))
	}
	amount := everyNumber
	if !c.AmountMin.IsZero() {
		amount.from = int(c.AmountMin.Minor())
	}
	if !c.AmountMax.IsZero() {
		amount.to = int(c.AmountMax.Minor())
	}
	if amount != everyNumber {
		b = append(b, &test{of: r.references["amount"], ranges: []interval{amount}})
	}
	for _, path := range c.Required {
		if of := r.references[path]; of != nil && of.kind == textKind {
			b, _ = b.and(box{{of: of, not: true, texts: []string{""}}})
		}
	}
	return b
}

func (r *Rules) among(path string, values ...string) *test {
	return &test{of: r.references[path], texts: slices.Sorted(slices.Values(values))}
}
