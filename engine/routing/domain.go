package routing

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// domain is what every valid payment of one operation has, by reference. The analysis leans on it, and nothing that
// decides does.
type domain map[*reference]*test

// domains holds one for each operation.
type domains []domain

// clockRanges bound the parts of now.
var clockRanges = map[string]interval{
	"now.Month()": {1, 12}, "now.Day()": {1, 31}, "now.YearDay()": {1, 366}, "now.Weekday()": {0, 6},
	"now.Hour()": {0, 23}, "now.Minute()": {0, 59}, "now.Second()": {0, 59},
}

// newDomains says of references what payment.Request.Validate asks of their fields.
func newDomains(references map[string]*reference) domains {
	var all domains
	for _, o := range payment.Operations() {
		d := domain{}
		among := func(path string, values ...string) {
			d[references[path]] = &test{of: references[path], texts: slices.Sorted(slices.Values(values))}
		}
		within := func(path string, r interval) {
			d[references[path]] = &test{of: references[path], ranges: []interval{r}}
		}
		for path, values := range codes {
			among(path, append(slices.Clone(values), "")...)
		}
		among("operation", string(o))
		among("method", texts(o.Methods())...)
		for _, f := range payment.Fields() {
			if strings.HasPrefix(f.Path, "payee.") && o != payment.PayOut || strings.HasPrefix(f.Path, "bill.") && o != payment.Bill {
				among(f.Path, "")
			}
		}
		for _, path := range slices.Concat(implied[string(o)], []string{"currency", "country"}) {
			of := references[path]
			present := &test{of: of, not: true, texts: []string{""}}
			if known, ok := d[of]; ok {
				present = present.and(known)
			}
			d[of] = present
		}
		within("amount", interval{1, math.MaxInt})
		within("tax", interval{0, math.MaxInt})
		for path, r := range clockRanges {
			within(path, r)
		}
		among("now.Weekday().String()", namesOf(time.Sunday, time.Saturday)...)
		among("now.Month().String()", namesOf(time.January, time.December)...)
		all = append(all, d)
	}
	return all
}

func namesOf[T interface {
	~int
	String() string
}](first, last T) (names []string) {
	for v := first; v <= last; v++ {
		names = append(names, v.String())
	}
	return names
}

// allow reports whether a valid payment may be in a box, as far as is known.
func (ds domains) allow(b box) bool {
	return slices.ContainsFunc(ds, func(d domain) bool {
		for _, t := range b {
			if known, ok := d[t.of]; ok && !known.meets(t) {
				return false
			}
		}
		return true
	})
}

// allowed keeps the boxes in which a valid payment may be.
func (ds domains) allowed(boxes []box) []box {
	return slices.DeleteFunc(slices.Clone(boxes), func(b box) bool { return !ds.allow(b) })
}
