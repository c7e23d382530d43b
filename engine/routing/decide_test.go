package routing

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// testFacts are two healthy providers that take PSE pay-ins.
func testFacts() Facts {
	pse := []payment.Capability{{Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, Decimals: 2}}
	return Facts{
		Now: time.Date(2026, 11, 21, 3, 5, 7, 0, time.UTC),
		Providers: map[string]ProviderFacts{
			"a": {Capabilities: pse, Banks: map[payment.Method]map[string]bool{payment.PSE: {"1007": true}}},
			"b": {Capabilities: pse},
		},
	}
}

func testRequest() payment.Request {
	return payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(20000),
		Payer: payment.Party{
			Name: "Miguel Rodriguez", Email: "demo@demo.com", Bank: "1007",
			Document: payment.Document{Type: payment.CC, Number: "987654321"},
		},
		Metadata: map[string]string{"shop": "bogota-1"},
	}.WithDefaults()
}

// manyRoutes are rules of n routes, the last of which is the first that testRequest matches.
func manyRoutes(n int) string {
	var b strings.Builder
	b.WriteString("provider \"a\" {}\nprovider \"b\" {}\nlocals {\n  banks = [\"1051\", \"1013\"]\n}\n")
	for i := range n - 1 {
		fmt.Fprintf(&b, "route \"r%d\" {\n  when = \"operation == 'payin' && method == 'pse' && amount <= %d && "+
			"payer.document.type in ['CC', 'CE'] && payer.bank in local.banks\"\n  providers = [\"a\", \"b\"]\n}\n", i, 20000+i)
	}
	b.WriteString("route \"last\" {\n  when = \"operation == 'payin' && amount >= 1000\"\n  providers = [\"a\", \"b\"]\n}\n")
	return b.String()
}

func TestDecide(t *testing.T) {
	t.Parallel()
	t.Run("same inputs, same decision, from any goroutine", func(t *testing.T) {
		t.Parallel()
		first, second := mustLoad(t, manyRoutes(50)), mustLoad(t, manyRoutes(50))
		req := testRequest()
		want := asJSON(t, first.Explain(&req, testFacts()))
		var wg sync.WaitGroup
		for _, r := range []*Rules{first, second, first, second} {
			wg.Go(func() {
				other := req
				other.Payer.Bank, other.Amount = "1051", payment.Pesos(1)
				for range 50 {
					if got := asJSON(t, r.Explain(&req, testFacts())); got != want {
						t.Errorf("got %s\nwant %s", got, want)
					}
					if d := r.Decide(&other, testFacts()); d.Route != "r0" {
						t.Errorf("the other payment took route %q", d.Route)
					}
				}
			})
		}
		wg.Wait()
	})
	t.Run("a decision may be changed by whoever gets it", func(t *testing.T) {
		t.Parallel()
		r, req := mustLoad(t, manyRoutes(1)), testRequest()
		want := asJSON(t, r.Decide(&req, testFacts()))
		d := r.Decide(&req, testFacts())
		d.Failover.On[0], d.Providers[0], d.Candidates[0].Reason = "x", "x", "x"
		d.Snapshot["a"] = payment.Health{Paused: true}
		if got := asJSON(t, r.Decide(&req, testFacts())); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
	t.Run("nothing of a payment is left for the next", func(t *testing.T) {
		t.Parallel()
		r := mustLoad(t, "route \"r\" {\n  when = \"metadata.a == 'x' || payer.id == 'x'\"\n  reject = \"no\"\n}\n")
		with := payment.Request{Payer: payment.Party{ID: "x"}, Metadata: map[string]string{"a": "x"}}
		for range 10 {
			if !holds(t, r, with) || holds(t, r, payment.Request{}) {
				t.Fatal("a payment was decided by the fields of another")
			}
		}
	})
	t.Run("a condition that cannot be computed does not hold, and is told", func(t *testing.T) {
		t.Parallel()
		for _, when := range []string{
			"amount * 9000000000000000000 > 0",
			"amount + (len(reference) + 9223372036854775807) > 0",
			"amount + amount - tax * 9000000000000000 * -1000 > 0",
			"amount % (len(reference) * 0) == 0",
			"not (amount * 9000000000000000000 > 0)",
		} {
			r := mustLoad(t, routeWhen(when))
			req := payment.Request{Amount: payment.Pesos(20000), Tax: payment.Pesos(10000), Reference: "x"}
			d := r.Decide(&req, Facts{})
			if d.Route != "" || !strings.HasPrefix(d.Faults["r"], when+" cannot be computed: ") {
				t.Errorf("%s: route %q, faults %v", when, d.Route, d.Faults)
			}
		}
	})
	t.Run("failover can be turned off", func(t *testing.T) {
		t.Parallel()
		r := mustLoad(t, "provider \"a\" {}\nroute \"r\" {\n  providers = [\"a\"]\n  failover  = { \"on\" = [] }\n}\n")
		req := testRequest()
		if d := r.Decide(&req, testFacts()); d.Failover.On == nil || len(d.Failover.On) > 0 || d.Failover.MaxAttempts != 1 {
			t.Errorf("got %+v", d.Failover)
		}
	})
	t.Run("an incomplete request is decided too", func(t *testing.T) {
		t.Parallel()
		r := mustLoad(t, manyRoutes(3))
		if d := r.Decide(&payment.Request{}, Facts{}); d.Route != "" || d.Providers == nil || d.Candidates == nil {
			t.Errorf("got %+v", d)
		}
	})
}

func TestExactArithmetic(t *testing.T) {
	t.Parallel()
	const least, most = -1 << 63, 1<<63 - 1
	for _, c := range []struct {
		a        int
		operator string
		b, want  int
		overflow bool
	}{
		{a: most, operator: "+", b: 0, want: most}, {a: most, operator: "+", b: 1, overflow: true},
		{a: least, operator: "+", b: -1, overflow: true}, {a: most, operator: "+", b: least, want: -1},
		{a: least, operator: "-", b: 1, overflow: true}, {a: 0, operator: "-", b: least, overflow: true},
		{a: -1, operator: "-", b: least, want: most}, {a: 5, operator: "-", b: 7, want: -2},
		{a: most, operator: "*", b: -1, want: -most}, {a: least, operator: "*", b: -1, overflow: true},
		{a: -1, operator: "*", b: least, overflow: true}, {a: 1 << 32, operator: "*", b: 1 << 31, overflow: true},
		{a: 0, operator: "*", b: least, want: 0}, {a: 1 << 31, operator: "*", b: 1 << 31, want: 1 << 62},
		{a: 7, operator: "%", b: -3, want: 1}, {a: 7, operator: "%", b: 0, overflow: true}, {a: least, operator: "%", b: -1, want: 0},
	} {
		got, err := exactArithmetic[c.operator](c.a, c.b)
		if got != c.want || (err != nil) != c.overflow {
			t.Errorf("%d %s %d = %d, %v; want %d", c.a, c.operator, c.b, got, err, c.want)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			r, req, facts := mustLoad(b, manyRoutes(n)), testRequest(), testFacts()
			if d := r.Decide(&req, facts); d.Route != "last" || len(d.Providers) != 2 {
				b.Fatalf("got %+v", d)
			}
			b.ReportAllocs()
			for b.Loop() {
				r.Decide(&req, facts)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	content := manyRoutes(1000)
	for b.Loop() {
		mustLoad(b, content)
	}
}
