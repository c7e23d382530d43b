package routing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// What this file says is proved on the normal form of conditions. Where a condition has none, or a proof would take too
// long, nothing is said.

// Bounds of a proof that a route is never reached.
const (
	maxCompared = 1000 // pairs of a piece and an earlier box, one with many values as several
	cheapValues = 16
	maxPieces   = 64      // into which a box is cut
	maxCuts     = 100_000 // for all routes together: about a second
)

func (x *expression) warn(at file.Location, summary, detail string) {
	x.faults = append(x.faults, fault{at.From, at.To, Warning, summary, detail})
}

// warnConstant warns of parts of a condition, and of alternatives in them, that hold for every valid payment, or for
// none together with what stands before them. Constants that come from locals are switches, and meant so.
func (x *expression) warnConstant(parts []part) {
	possible := truth(true)
	for _, p := range parts {
		c := p.condition
		if c.always {
			x.warn(x.extent(p.node), "This always holds", "Leave it out, or write what is meant.")
		}
		if c.always || c.program != nil || len(c.reads) == 0 && strings.Contains(c.text, "local.") {
			continue
		}
		both, ok := allOf(possible, c.boxes)
		if !ok {
			continue
		}
		if both = x.domains.allowed(both); len(both) == 0 {
			detail := "No payment can take this route."
			if len(x.domains.allowed(c.boxes)) > 0 {
				detail = "What stands before it leaves nothing that this could hold for, so no payment can take this route."
			}
			x.warn(x.extent(p.node), "This never holds", detail)
			return
		}
		if p.lowered != nil {
			x.warnAlternatives(p.node, p.lowered, false, possible)
		}
		possible = both
	}
}

// hasAlternatives reports whether there is something for warnAlternatives to look into.
func hasAlternatives(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.UnaryNode:
		return hasAlternatives(n.Node)
	case *ast.BinaryNode:
		return joins(n.Operator)
	}
	return false
}

// warnAlternatives warns of what || joins where it holds for nothing in boxes. lowered is what lower has made of n, and
// negated tells whether a `not` around them turns them round.
func (x *expression) warnAlternatives(n, lowered ast.Node, negated bool, boxes []box) {
	switch n := n.(type) {
	case *ast.UnaryNode:
		x.warnAlternatives(n.Node, lowered.(*ast.UnaryNode).Node, !negated, boxes)
	case *ast.BinaryNode:
		if !joins(n.Operator) || x.isChain(n) {
			return
		}
		l := lowered.(*ast.BinaryNode)
		for _, side := range []struct{ written, lowered ast.Node }{{n.Left, l.Left}, {n.Right, l.Right}} {
			both := boxes
			if form, ok := x.boxes(side.lowered, negated); ok {
				if both, ok = allOf(boxes, form); !ok {
					both = boxes
				}
			}
			switch both = x.domains.allowed(both); {
			case isAnd(n.Operator) != negated:
				x.warnAlternatives(side.written, side.lowered, negated, boxes)
				boxes = both
			case len(both) > 0:
				x.warnAlternatives(side.written, side.lowered, negated, boxes)
			case !strings.Contains(x.shown(side.written), "local."):
				summary := "This alternative never holds"
				if negated {
					summary = "This always holds here"
				}
				x.warn(x.extent(side.written), summary, "So says what stands before it, and this changes nothing. Write what is meant.")
			}
		}
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

// outline returns boxes outside of which no valid payment takes the route; with exact, all in them pass its conditions.
func (r *route) outline(ds domains) (boxes []box, exact bool) {
	if len(r.residue) == 0 { // then the index has the same boxes
		return ds.allowed(r.boxes), true
	}
	boxes, exact = truth(true), true
	for _, c := range r.conditions {
		product, ok := allOf(boxes, c.boxes)
		if c.program != nil || !ok {
			exact = false
			continue
		}
		boxes = product
	}
	return ds.allowed(boxes), exact
}

// warnUnreached warns of routes whose payments all go to routes before them.
func (l *loader) warnUnreached() {
	earlier := newCover(l.rules.routes, l.language.domains)
	for i, r := range l.rules.routes {
		boxes, exact := r.outline(l.language.domains)
		if by, ok := earlier.covers(boxes); ok {
			names := make([]string, len(by))
			for i, route := range by {
				names[i] = fmt.Sprintf("%q", l.rules.routes[route].name)
			}
			l.warning(r.label, fmt.Sprintf("Route %q is never reached", r.name),
				fmt.Sprintf("Every payment that it would take goes to %s, before it.", someOf(names)))
			continue // whatever it covers is covered without it
		}
		if exact && len(earlier.all)+len(boxes) <= mostBoxes(len(l.rules.routes)) {
			earlier.add(i, boxes)
		}
	}
}

// cover is what the routes so far take for certain. Boxes that ask for one of some texts of a reference are found by these
// texts, so that each route is compared with few.
type cover struct {
	domains domains
	by      *reference
	texts   map[string][]covered
	others  []covered // that ask for none, or for many
	all     []covered
	cuts    int // so far
}

type covered struct {
	route int
	box   box
}

// newCover chooses the reference for which most different texts are asked.
func newCover(routes []*route, ds domains) *cover {
	asked := map[*reference]map[string]bool{}
	c := &cover{domains: ds, texts: map[string][]covered{}}
	for _, r := range routes {
		for _, b := range r.boxes {
			for _, t := range b {
				if !t.namesFew() {
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

// namesFew reports whether a test asks for one of so few texts that what asks for it can be kept under each of them.
func (t *test) namesFew() bool {
	return t.of.kind == textKind && !t.not && len(t.texts) <= cheapValues
}

func (c *cover) add(route int, boxes []box) {
	for _, b := range boxes {
		c.all = append(c.all, covered{route, b})
		t := b.test(c.by)
		if t == nil || !t.namesFew() {
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
			if compared += len(left) + other.box.values()/cheapValues; compared > maxCompared || len(left) == 0 || len(left) > maxPieces || c.cuts >= maxCuts {
				return
			}
			if rest, cut := c.subtract(left, other.box); cut {
				left = rest
				by = append(by, other.route)
			}
		}
	}
	asks := func(b box) bool { t := b.test(c.by); return t != nil && !t.not }
	if slices.ContainsFunc(boxes, func(b box) bool { return !asks(b) }) {
		take(c.all)
	} else {
		take(c.others)
		for _, b := range boxes {
			for _, text := range b.test(c.by).texts {
				take(c.texts[text])
			}
		}
	}
	slices.Sort(by)
	return slices.Compact(by), len(boxes) > 0 && len(left) == 0
}

// subtract returns what valid payments may have of boxes outside of b, and whether b takes anything.
func (c *cover) subtract(boxes []box, b box) (left []box, cut bool) {
	for _, rest := range boxes {
		if !rest.meets(b) {
			left = append(left, rest)
			continue
		}
		cut = true
		c.cuts++
		for _, t := range b {
			if outside, possible := rest.and(box{t.negated()}); possible && c.domains.allow(outside) {
				left = append(left, outside)
			}
			rest, _ = rest.and(box{t})
		}
	}
	return left, cut
}
