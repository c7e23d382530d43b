package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/shopspring/decimal"

	"github.com/cauce-pay/cauce/payment"
)

// SuccessRate says how a route with strategy = "success_rate" compares its candidates.
type SuccessRate struct {
	Window  time.Duration   // how far back attempts count: 1 minute to 7 days, default 30 minutes
	Explore decimal.Decimal // share of payments that try another candidate first: 0 to 0.5, default 0.05
	By      []string        // fields; only payments with the same values of them are compared; may be empty
}

// Group returns what the payments that are compared with each other have in common: the values of By.
func (s SuccessRate) Group(req *payment.Request) string {
	values := make([]string, len(s.By))
	for i, path := range s.By {
		if f, ok := payment.FieldByPath(path); ok {
			values[i] = f.Text(req)
		}
	}
	return strings.Join(values, "\x00")
}

// SuccessRates returns the settings of the routes with strategy = "success_rate", by route.
func (r *Rules) SuccessRates() map[string]SuccessRate {
	all := map[string]SuccessRate{}
	for _, route := range r.routes {
		if route.successRate != nil {
			all[route.name] = *route.successRate
		}
	}
	return all
}

func (l *loader) readSuccessRate(r *route, _, settings *hcl.Attribute) {
	s := &SuccessRate{Window: 30 * time.Minute, Explore: decimal.New(5, -2)}
	r.successRate = s
	if settings == nil {
		return
	}
	l.object(settings.Name, settings.Expr, `{ window = "30m", explore = 0.05, by = ["method", "payer.bank"] }, each part optional`, parts{
		"window": func(name string, e hcl.Expression) { s.Window = l.openDuration(name, e, time.Minute, 7*24*time.Hour) },
		"explore": func(name string, e hcl.Expression) {
			s.Explore = l.decimal(name, e, 1)
			if s.Explore.GreaterThan(decimal.New(5, -1)) {
				l.fault(e.Range(), "explore is more than half", "Then the rest would be what is explored. Write 0 to 0.5.")
			}
		},
		"by": func(name string, e hcl.Expression) { s.By, _ = l.choices(name, e, groupingFields()) },
	})
}

// groupingFields are the fields that payments can have in common: those that are neither personal nor money.
func groupingFields() []string {
	return slices.DeleteFunc(slices.Concat(always, shown), func(path string) bool { return path == "amount" || path == "tax" })
}

// orderBySuccess compares the shares of attempts that succeeded, each as if one more success had been seen: so a
// candidate that nothing is known of is tried, and one that fails is left after a few attempts. A share of the
// payments, drawn by their ids, tries another candidate first, each of them as often.
func orderBySuccess(r *route, runners []runner, _ *payment.Request, paymentID string) {
	for i := range runners {
		h := runners[i].health
		runners[i].note = fmt.Sprintf("%d of %d attempts succeeded", h.Successes, h.Successes+h.Failures)
	}
	slices.SortStableFunc(runners, func(a, b runner) int {
		// s/n > t/m as s*m > t*n: exact.
		s, n := int64(a.health.Successes)+1, int64(a.health.Successes+a.health.Failures)+1
		t, m := int64(b.health.Successes)+1, int64(b.health.Successes+b.health.Failures)+1
		switch {
		case s*m > t*n:
			return -1
		case s*m < t*n:
			return 1
		}
		return 0
	})
	well := make([]int, 0, len(runners))
	for i := range runners {
		if runners[i].behind == "" {
			well = append(well, i)
		}
	}
	const million = 1_000_000
	if len(well) < 2 || int64(draw(paymentID, "explore")%million) >= r.successRate.Explore.Shift(6).IntPart() {
		return
	}
	other := well[1+draw(paymentID, "other")%uint64(len(well)-1)]
	explored := runners[other]
	explored.note += ", explored"
	copy(runners[1:other+1], runners[:other])
	runners[0] = explored
}
