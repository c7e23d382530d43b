package routing

import (
	"fmt"
	"testing"

	"github.com/cauce-pay/cauce/payment"
)

func TestBacktest(t *testing.T) {
	t.Parallel()
	before := strategyRules(t, `["a", "b"]`, "")
	after := strategyRules(t, `["a", "b"]`, `strategy = "least_cost"`) // a costs 1 peso, b 1 %
	var b Backtest
	for i, c := range []struct {
		pesos  int64
		status payment.Status
	}{{50, payment.Succeeded}, {100, payment.Rejected}, {200, payment.Pending}} {
		p := payment.Payment{ID: wellFacts(i).PaymentID, Request: testRequest(), Provider: "a", Status: c.status}
		p.Amount = payment.Pesos(c.pesos)
		b.Add(after, &p, before.Decide(&p.Request, wellFacts(i)), wellFacts(i))
	}
	nobody := payment.Payment{ID: "pay_x", Request: payment.Request{}}
	b.Add(after, &nobody, payment.Decision{}, wellFacts(9))

	if b.Payments != 4 || len(b.Moved) != 2 || b.Moved[0] != (Move{"pay_000000", payment.Pesos(50), "a", "b"}) ||
		b.Moved[1] != (Move{"pay_x", payment.Money{}, "no_route", "no_candidate"}) {
		t.Errorf("of %d payments these move: %+v", b.Payments, b.Moved)
	}
	for name, want := range map[string][3]string{"a": {"3 350 3", "2 300 2", "1 of 2"}, "b": {"0 0 0", "1 50 0.5", "none ended"}} {
		s := b.Providers[name]
		if got := [3]string{volume(s.Before), volume(s.After), s.Rate()}; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func volume(v Volume) string { return fmt.Sprint(v.Count, " ", v.Amount, " ", v.Cost) }
