package routing

import (
	"math"
	"slices"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// A condition of equality, membership and range tests has a normal form: it holds where one of its boxes does, and
// a box holds where all its tests do, one for each reference. Boxes can be searched by an index, and compared with
// one another before there is a payment.

// box is a conjunction. One without tests always holds. Boxes share their tests, which do not change.
type box []*test

// test asks of a text that it is (or, with not, is none) of some texts; of a number, that it is in one of some ranges.
type test struct {
	of     *reference
	not    bool
	texts  []string   // sorted
	ranges []interval // sorted, with a gap between any two
}

// interval is a range of whole numbers, both ends included; amounts are in hundredths.
type interval struct{ from, to int }

var everyNumber = interval{math.MinInt, math.MaxInt}

// Bounds of a normal form; what is larger is left to expr.
const (
	maxBoxes  = 16
	maxTests  = 64   // in one box: index marks them in 64 bits
	maxValues = 1000 // texts or ranges of one test
)

func (t *test) holds(req *payment.Request, now time.Time) bool {
	if t.of.kind == textKind {
		return t.holdsText(t.of.word(req, now))
	}
	return t.holdsNumber(t.of.number(req, now))
}

func (t *test) holdsText(s string) bool {
	if len(t.texts) == 1 {
		return (t.texts[0] == s) != t.not
	}
	_, found := slices.BinarySearch(t.texts, s)
	return found != t.not
}

func (t *test) holdsNumber(n int) bool {
	for _, r := range t.ranges {
		if n <= r.to {
			return n >= r.from
		}
	}
	return false
}

func (t *test) values() int { return len(t.texts) + len(t.ranges) }

// equal reports whether two tests of one reference are the same.
func (t *test) equal(u *test) bool {
	return t.not == u.not && slices.Equal(t.texts, u.texts) && slices.Equal(t.ranges, u.ranges)
}

// never reports that no value passes; always, that every value does.
func (t *test) never() bool { return len(t.texts) == 0 && len(t.ranges) == 0 && !t.not }
func (t *test) always() bool {
	return t.not && len(t.texts) == 0 || len(t.ranges) == 1 && t.ranges[0] == everyNumber
}

func (t *test) negated() *test {
	if t.of.kind == textKind {
		return &test{of: t.of, not: !t.not, texts: t.texts}
	}
	var gaps []interval
	from := everyNumber.from
	for _, r := range t.ranges {
		if r.from > from {
			gaps = append(gaps, interval{from, r.from - 1})
		}
		if r.to == everyNumber.to {
			return &test{of: t.of, ranges: gaps}
		}
		from = r.to + 1
	}
	return &test{of: t.of, ranges: append(gaps, interval{from, everyNumber.to})}
}

// and returns the test that holds where both do. They are of the same reference.
func (t *test) and(u *test) *test {
	if t.of.kind != textKind {
		return &test{of: t.of, ranges: intersect(t.ranges, u.ranges)}
	}
	not := t.not && u.not
	return &test{of: t.of, not: not, texts: merge(t.texts, u.texts, func(inT, inU bool) bool {
		return (inT != t.not && inU != u.not) != not
	})}
}

// merge returns those of two sorted lists' texts that shall be kept, sorted.
func merge(a, b []string, keep func(inA, inB bool) bool) (kept []string) {
	for len(a) > 0 || len(b) > 0 {
		inA := len(b) == 0 || len(a) > 0 && a[0] <= b[0]
		inB := len(a) == 0 || len(b) > 0 && b[0] <= a[0]
		var text string
		if inB {
			text, b = b[0], b[1:]
		}
		if inA {
			text, a = a[0], a[1:]
		}
		if keep(inA, inB) {
			kept = append(kept, text)
		}
	}
	return kept
}

// meets reports whether some value passes both tests. They are of the same reference.
func (t *test) meets(u *test) bool {
	switch {
	case t.of.kind != textKind:
		return meet(t.ranges, u.ranges)
	case t.not && u.not:
		return true
	case t.not:
		return u.meets(t)
	}
	return slices.ContainsFunc(t.texts, u.holdsText)
}

func (t *test) or(u *test) *test { return t.negated().and(u.negated()).negated() }

func meet(a, b []interval) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].to < b[0].from:
			a = a[1:]
		case b[0].to < a[0].from:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}

func intersect(a, b []interval) []interval {
	var both []interval
	for len(a) > 0 && len(b) > 0 {
		if r := (interval{max(a[0].from, b[0].from), min(a[0].to, b[0].to)}); r.from <= r.to {
			both = append(both, r)
		}
		if a[0].to < b[0].to {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

func (b box) holds(req *payment.Request, now time.Time) bool {
	for i := range b {
		if !b[i].holds(req, now) {
			return false
		}
	}
	return true
}

// test returns what the box asks of a reference, or nil.
func (b box) test(of *reference) *test {
	for i := range b {
		if b[i].of == of {
			return b[i]
		}
	}
	return nil
}

// meets reports whether some values pass both boxes.
func (b box) meets(c box) bool {
	for _, u := range c {
		if t := b.test(u.of); t != nil && !t.meets(u) {
			return false
		}
	}
	return true
}

// and returns the box that holds where both do; possible is false where there is no such value.
func (b box) and(c box) (both box, possible bool) {
	both = append(make(box, 0, len(b)+len(c)), b...)
	for _, u := range c {
		i := slices.IndexFunc(both, func(t *test) bool { return t.of == u.of })
		if i < 0 {
			both = append(both, u)
		} else if both[i] = both[i].and(u); both[i].never() {
			return nil, false
		}
	}
	return both, true
}

// values counts the texts and ranges of a box.
func (b box) values() (n int) {
	for _, t := range b {
		n += t.values()
	}
	return n
}

func (b box) tooLarge() bool {
	return len(b) > maxTests || slices.ContainsFunc(b, func(t *test) bool { return t.values() > maxValues })
}

// allOf returns the boxes of a && b. ok is false where they are too many or too large.
func allOf(a, b []box) (product []box, ok bool) {
	if len(a)*len(b) > maxBoxes {
		return nil, false
	}
	for _, left := range a {
		for _, right := range b {
			both, possible := left.and(right)
			if both.tooLarge() {
				return nil, false
			}
			if possible {
				product = append(product, both)
			}
		}
	}
	return product, true
}

// anyOf returns the boxes of a || b. Single tests of one reference become one test.
func anyOf(a, b []box) (sum []box, ok bool) {
	sum = slices.Clone(a)
	for _, c := range b {
		i := -1
		if len(c) == 1 {
			i = slices.IndexFunc(sum, func(s box) bool { return len(s) == 1 && s[0].of == c[0].of })
		}
		switch {
		case i < 0:
			sum = append(sum, c)
		default:
			if sum[i] = boxOf(sum[i][0].or(c[0])); len(sum[i]) == 0 {
				return []box{{}}, true
			}
			if sum[i].tooLarge() {
				return nil, false
			}
		}
	}
	return sum, len(sum) <= maxBoxes
}

func boxOf(t *test) box {
	if t.always() {
		return box{}
	}
	return box{t}
}
