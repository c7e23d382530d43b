package routing

import (
	"math"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// index finds the first route whose condition holds without looking at the others. It is a discrimination tree: a
// node asks for one value, a text by hash or a number by its half, and the value leads to a node with the routes that
// are still possible. Where several are left they form a list, which ends after the first that surely holds.
//
// A search waits for memory most. So a node is a line of a processor's cache, and those that a search visits one after
// the other are beside each other.
type index struct {
	nodes []node // nodes[0] is none, nodes[1] the root; a node's place in here is what leads to it
	texts []textTable
}

type node struct {
	of     *reference // what it asks for
	common box        // tests of all the routes in here; of an entry, what is left to test
	split  int        // numbers below it are in below, the others in the node after it
	first  int32      // the lowest route in here; of an entry, its own
	below  int32      // or the texts that are not in texts
	rest   int32      // the routes that do not ask for the value; the next entry of a list
	texts  int32      // the place of a table
	kind   nodeKind
	exact  bool // an entry's tests are all that the route asks
}

type nodeKind uint8

const (
	listNode nodeKind = iota // its entries are its rest
	entryNode
	textNode
	numberNode
)

const (
	noNode  int32 = 0
	theRoot int32 = 1

	noRoute = math.MaxInt32
)

// search is one payment's way through an index.
type search struct {
	rules *Rules
	req   *payment.Request
	now   time.Time
	found int // the lowest route that holds, so far
	// What could not be computed, by route. Some of them may come after the route that is found in the end.
	faults map[int]string
	e      *evaluator // for what is not indexed; made when it is needed
}

func (s *search) visit(at int32) {
	x := &s.rules.index
	for at != noNode {
		n := &x.nodes[at]
		if int(n.first) >= s.found {
			return
		}
		next := n.below
		switch n.kind {
		case entryNode:
			if n.common.holds(s.req, s.now) && (n.exact || s.residueHolds(int(n.first))) {
				s.found = int(n.first)
				return
			}
			at = n.rest
			continue
		case textNode:
			if branch, ok := x.texts[n.texts].get(n.of.word(s.req, s.now)); ok {
				next = branch
			}
		case numberNode:
			if n.of.number(s.req, s.now) >= n.split {
				next++
			}
		}
		if next == noNode && n.rest == noNode || !n.common.holds(s.req, s.now) {
			return
		}
		if n.rest != noNode {
			s.visit(next)
			next = n.rest
		}
		at = next
	}
}

func (s *search) residueHolds(route int) bool {
	if s.e == nil {
		s.e = s.rules.evaluator(s.req, s.now)
	}
	failed, err := s.e.first(s.rules.routes[route].residue)
	if err != nil {
		if s.faults == nil {
			s.faults = map[int]string{}
		}
		s.faults[route] = cannotCompute(failed, err)
	}
	return failed == nil
}
