package routing

import (
	"maps"
	"math"
	"math/bits"
	"slices"
)

// entry is one box of a route. Those of its tests that the way to it has shown to hold are done.
type entry struct {
	route int
	done  uint64
	box   box
	exact bool // the box is all that the route asks
}

// settled reports whether the route surely holds.
func (e *entry) settled() bool { return e.exact && bits.OnesCount64(e.done) == len(e.box) }

// Bounds of the tree.
const (
	boxesInAll       = 20_000
	boxesPerRoute    = 2       // on average, beside these
	roomInAll        = 100_000 // entries in the lists of all its nodes; where there is no more, lists may be long
	roomPerEntry     = 4       // beside these
	maxCopies        = 3       // of each entry in one split, on average
	leastImprovement = 0.8     // of a split's average list to the list that is split
)

// mostBoxes is how many boxes of so many routes are kept, in the index and in the analysis.
func mostBoxes(routes int) int { return boxesInAll + boxesPerRoute*routes }

// compile builds the index of the routes.
func (r *Rules) compile() {
	var entries []entry
	for i, route := range r.routes {
		left := mostBoxes(len(r.routes)) - len(entries)
		route.normalize(left / (len(r.routes) - i))
		for _, b := range route.boxes {
			entries = append(entries, entry{route: i, box: b, exact: len(route.residue) == 0})
		}
	}
	b := &indexBuilder{
		index:  index{nodes: make([]node, 2)},
		bounds: map[*reference]interval{}, shared: map[[2]*test]box{}, numbers: map[numberTest]*test{},
	}
	b.fill(theRoot, entries, roomInAll+roomPerEntry*len(entries))
	b.nodes = slices.Clone(b.nodes)
	r.index, r.names = b.index, r.Routes()
}

// indexBuilder builds a tree from its root.
type indexBuilder struct {
	index
	bounds  map[*reference]interval // what is known of numbers here
	shared  map[[2]*test]box        // boxes of one or two tests
	numbers map[numberTest]*test
}

// build makes a tree of entries, which it may change, and returns its place. There is room for so many entries in it.
func (b *indexBuilder) build(entries []entry, room int) int32 {
	if len(entries) == 0 {
		return noNode
	}
	at := b.reserve(1)
	b.fill(at, entries, room)
	return at
}

// reserve makes places for nodes, beside each other, and returns the first.
func (b *indexBuilder) reserve(n int) int32 {
	at := len(b.nodes)
	b.nodes = append(b.nodes, make([]node, n)...)
	return int32(at)
}

// fill makes a tree of entries, which it may change, at a place.
func (b *indexBuilder) fill(at int32, entries []entry, room int) {
	entries = untilSettled(entries)
	if len(entries) == 0 {
		return
	}
	room -= len(entries)
	if len(entries) == 1 {
		b.nodes[at] = b.entryNode(&entries[0])
		return
	}
	n := node{first: int32(entries[0].route), common: b.share(takeCommon(entries))}
	entries = untilSettled(entries)
	var s *candidateSplit
	if len(entries) > 1 && room > 0 {
		s = b.choose(entries)
	}
	switch {
	case s == nil:
		n.rest = b.reserve(len(entries))
		for i := range entries {
			e := b.entryNode(&entries[i])
			if i+1 < len(entries) {
				e.rest = n.rest + int32(i) + 1
			}
			b.nodes[int(n.rest)+i] = e
		}
	case s.of.kind == textKind:
		b.splitTexts(&n, entries, s, room)
	default:
		b.splitNumbers(&n, entries, s, room)
	}
	b.nodes[at] = n
}

// entryNode leaves what an entry has still to test.
func (b *indexBuilder) entryNode(e *entry) node {
	var left box
	for i, t := range e.box {
		if e.done&(1<<i) == 0 {
			left = append(left, b.widened(t))
		}
	}
	return node{kind: entryNode, first: int32(e.route), common: b.share(left), exact: e.exact}
}

// share returns the one box of the same few tests, so that nodes share it in a processor's cache too.
func (b *indexBuilder) share(c box) box {
	var tests [2]*test
	if n := copy(tests[:], c); n == 0 || n < len(c) {
		return c
	}
	if b.shared[tests] == nil {
		b.shared[tests] = c
	}
	return b.shared[tests]
}

// widened returns a test that says the same of the numbers that can be here, with as few bounds as possible: it is then
// often that of other entries.
func (b *indexBuilder) widened(t *test) *test {
	part := b.within(t.of)
	if part == everyNumber {
		return t
	}
	inside := intersect(t.ranges, []interval{part})
	if len(inside) != 1 {
		return t
	}
	r := inside[0]
	if r.from == part.from {
		r.from = everyNumber.from
	}
	if r.to == part.to {
		r.to = everyNumber.to
	}
	key := numberTest{t.of, r}
	if b.numbers[key] == nil {
		b.numbers[key] = &test{of: t.of, ranges: []interval{r}}
	}
	return b.numbers[key]
}

// numberTest is a test of one range.
type numberTest struct {
	of *reference
	in interval
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
				s.count(t, b.within(t.of), maxCopies*len(entries))
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

// count adds a test. What would make more than most copies is no split, and its texts are not looked at.
func (s *candidateSplit) count(t *test, within interval, most int) {
	s.asking++
	if t.of.kind == textKind {
		if t.not {
			s.nots++
		}
		if s.copies += len(t.texts); s.copies > most {
			return
		}
		for _, text := range t.texts {
			s.values[text]++
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
// that makes few copies, and are others, for a branch of their own, where it makes many.
func (b *indexBuilder) part(entries []entry, s *candidateSplit, branches int) (shared, others []entry) {
	if (len(entries)-s.asking)*branches <= maxCopies*len(entries) {
		return entries, nil
	}
	for _, e := range entries {
		if e.open(s.of) < 0 {
			others = append(others, e)
		} else {
			shared = append(shared, e)
		}
	}
	return shared, others
}

// share returns a branch's share of the room for all of them, which have so many entries together.
func share(room int, branch []entry, all int) int { return room * len(branch) / max(1, all) }

// open returns which test of a reference is still to be made, or -1.
func (e *entry) open(of *reference) int {
	for i := range e.box {
		if e.box[i].of == of && e.done&(1<<i) == 0 {
			return i
		}
	}
	return -1
}

func (b *indexBuilder) splitTexts(n *node, entries []entry, s *candidateSplit, room int) {
	n.kind, n.of = textNode, s.of
	entries, others := b.part(entries, s, len(s.values)+1)
	branches := make(map[string][]entry, len(s.values))
	all := len(others)
	var other []entry
	add := func(text string, e entry) {
		branches[text] = append(branches[text], e)
		all++
	}
	for _, e := range entries {
		i := e.open(s.of)
		if i >= 0 {
			e.done |= 1 << i
		}
		if i >= 0 && !e.box[i].not {
			for _, text := range e.box[i].texts {
				add(text, e)
			}
			continue
		}
		for text := range s.values {
			if i < 0 || e.box[i].holdsText(text) {
				add(text, e)
			}
		}
		other = append(other, e)
	}
	all += len(other)
	n.rest = b.build(others, share(room, others, all))
	places := make(map[string]int32, len(s.values))
	for _, text := range slices.Sorted(maps.Keys(s.values)) {
		places[text] = b.build(branches[text], share(room, branches[text], all))
	}
	n.below = b.build(other, share(room, other, all))
	n.texts = int32(len(b.texts))
	b.texts = append(b.texts, newTextTable(places))
}

func (b *indexBuilder) splitNumbers(n *node, entries []entry, s *candidateSplit, room int) {
	n.kind, n.of, n.split = numberNode, s.of, s.at
	entries, others := b.part(entries, s, 2)
	whole := b.within(s.of)
	parts := [2]interval{{whole.from, s.at - 1}, {s.at, whole.to}}
	var halves [2][]entry
	for h, part := range parts {
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
			halves[h] = append(halves[h], e)
		}
	}
	all := len(others) + len(halves[0]) + len(halves[1])
	n.rest = b.build(others, share(room, others, all))
	n.below = b.reserve(2)
	for h, part := range parts {
		b.bounds[s.of] = part
		b.fill(n.below+int32(h), halves[h], share(room, halves[h], all))
	}
	b.bounds[s.of] = whole
}
