package routing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/file"
)

// What this file says is proved on the normal form of conditions. Where a condition has none, or a proof would take too
// long, nothing is said.

// Bounds of a proof that a route is never reached.
const (
	maxCompared = 500 // earlier boxes
	maxPieces   = 64  // into which a box is cut
)

func (x *expression) warn(at file.Location, summary, detail string) {
	x.faults = append(x.faults, fault{at.From, at.To, Warning, summary, detail})
}

// warnConstant warns of parts of a condition that hold for every payment, or for none together with what stands before
// them. Constants that come from locals are switches, and meant so.
func (x *expression) warnConstant(parts []part, conditions []condition) {
	possible := truth(true)
	for i, c := range conditions {
		switched := len(c.reads) == 0 && strings.Contains(c.text, "local.")
		if c.program != nil || switched {
			continue
		}
		at := x.extent(parts[i].node)
		if len(c.boxes) == 1 && len(c.boxes[0]) == 0 {
			x.warn(at, "This always holds", "Leave it out, or write what is meant.")
			continue
		}
		both, ok := allOf(possible, c.boxes)
		if !ok {
			continue
		}
		if len(both) == 0 {
			detail := "No payment can take this route."
			if len(c.boxes) > 0 {
				detail = "What stands before it leaves nothing that this could hold for, so no payment can take this route."
			}
			x.warn(at, "This never holds", detail)
			return
		}
		possible = both
	}
}

// warnUnused warns of locals and providers that nothing names.
func (l *loader) warnUnused() {
	for _, name := range l.localNames {
		if v := l.locals[name]; !l.usedLocals[name] {
			l.warning(l.sources[v.at.Filename].span(v.at), fmt.Sprintf("local.%s is not used", name), "Take it away, or name it where it is meant.")
		}
	}
	used := map[*Provider]bool{}
	for _, r := range l.rules.routes {
		for i := range r.candidates {
			used[r.candidates[i].provider] = true
		}
	}
	for i := range l.rules.providers {
		if p := &l.rules.providers[i]; !used[p] {
			l.warning(p.label, fmt.Sprintf("Provider %q is in no route", p.Name), "It is started, and gets no payment.")
		}
	}
}

func (l *loader) warning(at span, summary, detail string) {
	l.add(at.diagnostic(Warning, summary, detail))
}

// outline returns boxes outside of which the route does not hold; with exact, it holds in all of them.
func (r *route) outline() (boxes []box, exact bool) {
	boxes, exact = truth(true), true
	for _, c := range r.conditions {
		product, ok := allOf(boxes, c.boxes)
		if c.program != nil || !ok {
			exact = false
			continue
		}
		boxes = product
	}
	return boxes, exact
}

// warnUnreached warns of routes whose payments all go to routes before them.
func (l *loader) warnUnreached() {
	earlier := newCover(l.rules.routes)
	for i, r := range l.rules.routes {
		boxes, exact := r.outline()
		if by, ok := earlier.covers(boxes); ok {
			names := make([]string, len(by))
			for i, route := range by {
				names[i] = fmt.Sprintf("%q", l.rules.routes[route].name)
			}
			l.warning(r.label, fmt.Sprintf("Route %q is never reached", r.name),
				fmt.Sprintf("Every payment that it would take goes to %s, before it.", someOf(names)))
			continue // whatever it covers is covered without it
		}
		if exact {
			earlier.add(i, boxes)
		}
	}
}

// cover is what the routes so far take for certain. Boxes that ask for one of some texts of a reference are found by these
// texts, so that each route is compared with few.
type cover struct {
	by     *reference
	texts  map[string][]covered
	others []covered
}

type covered struct {
	route int
	box   box
}

// newCover chooses the reference for which most different texts are asked.
func newCover(routes []*route) *cover {
	asked := map[*reference]map[string]bool{}
	c := &cover{texts: map[string][]covered{}}
	for _, r := range routes {
		for _, b := range r.boxes {
			for _, t := range b {
				if t.of.kind != textKind || t.not {
					continue
				}
				if asked[t.of] == nil {
					asked[t.of] = map[string]bool{}
				}
				for _, text := range t.texts {
					asked[t.of][text] = true
				}
				if c.by == nil || len(asked[t.of]) > len(asked[c.by]) {
					c.by = t.of
				}
			}
		}
	}
	return c
}

func (c *cover) add(route int, boxes []box) {
	for _, b := range boxes {
		t := b.test(c.by)
		if t == nil || t.not {
			c.others = append(c.others, covered{route, b})
			continue
		}
		for _, text := range t.texts {
			c.texts[text] = append(c.texts[text], covered{route, b})
		}
	}
}

// covers returns which routes take all that is in boxes. ok is false where that is not so, or not known.
func (c *cover) covers(boxes []box) (by []int, ok bool) {
	left, compared := boxes, 0
	take := func(list []covered) {
		for _, other := range list {
			if compared++; compared > maxCompared || len(left) == 0 || len(left) > maxPieces {
				return
			}
			if rest, cut := subtractAll(left, other.box); cut {
				left = rest
				by = append(by, other.route)
			}
		}
	}
	take(c.others)
	for _, b := range boxes {
		if t := b.test(c.by); t != nil && !t.not {
			for _, text := range t.texts {
				take(c.texts[text])
			}
		}
	}
	slices.Sort(by)
	return slices.Compact(by), len(boxes) > 0 && len(left) == 0
}

// subtractAll returns what is left of boxes outside of c, and whether c takes anything.
func subtractAll(boxes []box, c box) (left []box, cut bool) {
	for _, b := range boxes {
		if _, meet := b.and(c); !meet {
			left = append(left, b)
			continue
		}
		cut = true
		for _, t := range c {
			if outside, possible := b.and(box{t.negated()}); possible {
				left = append(left, outside)
			}
			b, _ = b.and(box{t})
		}
	}
	return left, cut
}
