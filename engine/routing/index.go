package routing

import (
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// index finds the first route whose condition holds without looking at the others. It is a discrimination tree: a
// node asks for one value, a text by hash or a number by its half, and the value leads to a node with the routes that
// are still possible. A list of routes ends after the first that surely holds.
type index struct {
	first  int        // the lowest route in here
	of     *reference // nil: a leaf
	leaf   []entry
	common box    // tests of all the routes in here
	rest   *index // routes that do not ask for the value; may be nil
	split  int    // numbers below it are in below, the others in above
	below  *index
	above  *index
	texts  map[string]*index
	other  *index // for texts that are none of these; may be nil
}

// entry is one box of a route. Those of its tests that the way to it has shown to hold are done.
type entry struct {
	route int
	done  uint64
	box   box
	exact bool // the box is all that the route asks
}

func (e *entry) holds(req *payment.Request, now time.Time) bool {
	for i := range e.box {
		if e.done&(1<<i) == 0 && !e.box[i].holds(req, now) {
			return false
		}
	}
	return true
}

// settled reports whether the route surely holds.
func (e *entry) settled() bool { return e.exact && bits.OnesCount64(e.done) == len(e.box) }

// Bounds of the tree.
const (
	maxLeaf          = 1  // entries that are not split further
	entriesPerRoute  = 64 // in the whole tree, on average; then leaves may be long
	maxCopies        = 3  // of each entry in one split, on average
	noRoute          = math.MaxInt
	leastImprovement = 0.8 // of a split's average list to the list that is split
)

// compile builds the index of the routes.
func (r *Rules) compile() {
	var entries []entry
	for i, r := range r.routes {
		r.normalize()
		for _, b := range r.boxes {
			entries = append(entries, entry{route: i, box: b, exact: len(r.residue) == 0})
		}
	}
	b := &indexBuilder{left: entriesPerRoute * (len(entries) + 16), bounds: map[*reference]interval{}, single: map[*test]box{}}
	r.index = b.build(entries)
}

// indexBuilder builds a tree from its root.
type indexBuilder struct {
	left   int                     // entries that it may still hold
	bounds map[*reference]interval // what is known of numbers here
	single map[*test]box           // boxes of one test
}

// build returns the tree of entries, which it may change; nil where there are none.
func (b *indexBuilder) build(entries []entry) *index {
	entries = untilSettled(entries)
	if len(entries) == 0 {
		return nil
	}
	b.left -= len(entries)
	n := &index{first: entries[0].route}
	if len(entries) > maxLeaf {
		if n.common = takeCommon(entries); n.common != nil {
			entries = untilSettled(entries)
		}
	}
	if len(entries) > maxLeaf && b.left > 0 {
		if s := b.choose(entries); s != nil {
			if s.of.kind == textKind {
				b.splitTexts(n, entries, s)
			} else {
				b.splitNumbers(n, entries, s)
			}
			return n
		}
	}
	n.leaf = slices.Clone(entries)
	for i := range n.leaf {
		b.trim(&n.leaf[i])
	}
	return n
}

// trim leaves one test, or none, as all that an entry asks. Entries with the same one share it: in a processor's cache too.
func (b *indexBuilder) trim(e *entry) {
	if open := len(e.box) - bits.OnesCount64(e.done); open > 1 {
		return
	}
	left := box(nil)
	for i, t := range e.box {
		if e.done&(1<<i) == 0 {
			if b.single[t] == nil {
				b.single[t] = box{t}
			}
			left = b.single[t]
		}
	}
	e.box, e.done = left, 0
}

// untilSettled leaves out what comes after a route that surely holds.
func untilSettled(entries []entry) []entry {
	if i := slices.IndexFunc(entries, func(e entry) bool { return e.settled() }); i >= 0 {
		return entries[:i+1]
	}
	return entries
}

// takeCommon returns the tests that all entries have still to make, and marks them as done.
func takeCommon(entries []entry) (common box) {
	for i := range entries[0].box {
		t := entries[0].box[i]
		if entries[0].done&(1<<i) != 0 || slices.ContainsFunc(entries, func(e entry) bool {
			j := e.open(t.of)
			return j < 0 || !e.box[j].equal(t)
		}) {
			continue
		}
		common = append(common, t)
		for k := range entries {
			entries[k].done |= 1 << entries[k].open(t.of)
		}
	}
	return common
}

// candidateSplit is what is known of splitting a list by one reference.
type candidateSplit struct {
	of     *reference
	asking int            // entries that ask for it
	copies int            // those in all the branches together
	values map[string]int // the texts asked for, and how many entries ask for each
	nots   int            // entries that take all but some texts
	ends   []int          // where ranges begin
	at     int            // the median of them
}

// choose returns the split with the shortest lists, nil if none is worth it.
func (b *indexBuilder) choose(entries []entry) *candidateSplit {
	var splits []*candidateSplit
	found := map[*reference]*candidateSplit{}
	for i := range entries {
		for j := range entries[i].box {
			if t := entries[i].box[j]; entries[i].done&(1<<j) == 0 {
				s := found[t.of]
				if s == nil {
					s = &candidateSplit{of: t.of, values: map[string]int{}}
					found[t.of] = s
					splits = append(splits, s)
				}
				s.count(t, b.within(t.of))
			}
		}
	}
	var best *candidateSplit
	least := leastImprovement * float64(len(entries))
	for _, s := range splits {
		if length := s.length(len(entries)); length < least {
			best, least = s, length
		}
	}
	return best
}

func (s *candidateSplit) count(t *test, within interval) {
	s.asking++
	if t.of.kind == textKind {
		if t.not {
			s.nots++
		}
		for _, text := range t.texts {
			s.values[text]++
			s.copies++
		}
		return
	}
	for _, r := range t.ranges {
		if r.from > within.from && r.from <= within.to {
			s.ends = append(s.ends, r.from)
		}
		if r.to >= within.from && r.to < within.to {
			s.ends = append(s.ends, r.to+1)
		}
	}
}

// length returns how long the lists are that a value leads to, on average.
func (s *candidateSplit) length(entries int) float64 {
	rest := entries - s.asking
	if s.of.kind == textKind {
		branches := len(s.values) + 1
		if s.copies+s.nots*branches > maxCopies*entries {
			return math.Inf(1)
		}
		return float64(s.copies+s.nots*branches)/float64(branches) + float64(rest)
	}
	if len(s.ends) == 0 {
		return math.Inf(1)
	}
	slices.Sort(s.ends)
	s.at = s.ends[len(s.ends)/2]
	return float64(s.asking)/2 + float64(rest)
}

// within returns what is known of a number.
func (b *indexBuilder) within(of *reference) interval {
	if known, ok := b.bounds[of]; ok {
		return known
	}
	return everyNumber
}

// part separates the entries that ask for a reference from those that do not. The latter go into every branch where
// that makes few copies, and into a branch of their own where it makes many.
func (b *indexBuilder) part(entries []entry, s *candidateSplit, branches int) (shared []entry, rest *index) {
	if (len(entries)-s.asking)*branches <= maxCopies*len(entries) {
		return entries, nil
	}
	var others []entry
	for _, e := range entries {
		if e.open(s.of) < 0 {
			others = append(others, e)
		} else {
			shared = append(shared, e)
		}
	}
	return shared, b.build(others)
}

// open returns which test of a reference is still to be made, or -1.
func (e *entry) open(of *reference) int {
	for i := range e.box {
		if e.box[i].of == of && e.done&(1<<i) == 0 {
			return i
		}
	}
	return -1
}

func (b *indexBuilder) splitTexts(n *index, entries []entry, s *candidateSplit) {
	n.of = s.of
	entries, n.rest = b.part(entries, s, len(s.values)+1)
	branches := make(map[string][]entry, len(s.values))
	var other []entry
	for _, e := range entries {
		i := e.open(s.of)
		if i >= 0 {
			e.done |= 1 << i
		}
		if i >= 0 && !e.box[i].not {
			for _, text := range e.box[i].texts {
				branches[text] = append(branches[text], e)
			}
			continue
		}
		for text := range s.values {
			if i < 0 || e.box[i].holdsText(text) {
				branches[text] = append(branches[text], e)
			}
		}
		other = append(other, e)
	}
	n.texts = make(map[string]*index, len(s.values))
	values := slices.Sorted(maps.Keys(s.values))
	beside := strings.Join(values, "") // one next to the other, as their nodes will be: a search waits for memory most
	for _, text := range values {
		n.texts[beside[:len(text)]] = b.build(branches[text])
		beside = beside[len(text):]
	}
	n.other = b.build(other)
}

func (b *indexBuilder) splitNumbers(n *index, entries []entry, s *candidateSplit) {
	n.of, n.split = s.of, s.at
	entries, n.rest = b.part(entries, s, 2)
	whole := b.within(s.of)
	half := func(part interval) *index {
		var list []entry
		for _, e := range entries {
			i := e.open(s.of)
			if i >= 0 {
				inside := intersect(e.box[i].ranges, []interval{part})
				if len(inside) == 0 {
					continue
				}
				if inside[0] == part {
					e.done |= 1 << i
				}
			}
			list = append(list, e)
		}
		b.bounds[s.of] = part
		return b.build(list)
	}
	n.below = half(interval{whole.from, s.at - 1})
	n.above = half(interval{s.at, whole.to})
	b.bounds[s.of] = whole
}

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

func (s *search) visit(n *index) {
	for n != nil && n.first < s.found {
		if n.of == nil {
			if n.common.holds(s.req, s.now) {
				s.visitLeaf(n)
			}
			return
		}
		next := n.other
		if n.of.kind == textKind {
			if branch, ok := n.texts[n.of.word(s.req, s.now)]; ok {
				next = branch
			}
		} else if next = n.above; n.of.number(s.req, s.now) < n.split {
			next = n.below
		}
		if next == nil && n.rest == nil || !n.common.holds(s.req, s.now) {
			return
		}
		if n.rest != nil {
			s.visit(next)
			next = n.rest
		}
		n = next
	}
}

func (s *search) visitLeaf(n *index) {
	for i := range n.leaf {
		e := &n.leaf[i]
		if e.route >= s.found {
			return
		}
		if e.holds(s.req, s.now) && (e.exact || s.residueHolds(e.route)) {
			s.found = e.route
			return
		}
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
