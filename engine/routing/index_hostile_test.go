package routing

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Alternatives that multiply, and long lists in every route, do not make the index grow without bounds.
func TestIndexOfHostileRulesIsSmall(t *testing.T) {
	t.Parallel()
	const routes = 3000
	r := rand.New(rand.NewPCG(1, 2))
	for name, when := range map[string]func() string{
		"sixteen boxes a route": func() string {
			return fmt.Sprintf("(amount < %d || tax > %d) && (metadata.c == '%d' || now.Unix() > %d) && "+
				"(now.Hour() < %d || metadata.f == '%d') && (now.Day() > %d || metadata.h == '%d')",
				r.IntN(1e6), r.IntN(1e5), r.IntN(1e4), 1.7e9+r.IntN(1e9), r.IntN(24), r.IntN(1e4), r.IntN(31), r.IntN(1e4))
		},
		"a thousand texts in every route": func() string {
			return fmt.Sprintf("metadata.b == '%d' && metadata.c == '%d' && metadata.a in local.big", r.IntN(10), r.IntN(10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			b.WriteString("locals {\n  big = [")
			for i := range 1000 {
				fmt.Fprintf(&b, "\"t%d\", ", i)
			}
			b.WriteString("]\n}\n")
			for i := range routes {
				fmt.Fprintf(&b, "route \"r%d\" {\n  when = %q\n  reject = \"no\"\n}\n", i, when())
			}
			rules, ds := loadText(t.TempDir(), "routing.hcl", b.String())
			if rules == nil {
				t.Fatal(ds)
			}
			boxes := 0
			for _, route := range rules.routes {
				boxes += len(route.boxes)
			}
			most := mostBoxes(routes)
			if nodes := len(rules.index.nodes); boxes > most || nodes > 2*(roomInAll+roomPerEntry*most) {
				t.Errorf("%d boxes and %d nodes", boxes, nodes)
			}
			c := newCover(rules.routes, rules.domains)
			for i, route := range rules.routes {
				c.add(i, route.boxes)
			}
			kept := 0
			for _, list := range c.texts {
				kept += len(list)
			}
			if kept > cheapValues*boxes {
				t.Errorf("the analysis keeps %d", kept)
			}
		})
	}
}
