package routing

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/cauce-pay/cauce/payment"
)

// checkFees sees to it that every candidate's cost can be told.
func (l *loader) checkFees(r *route, strategy, _ *hcl.Attribute) {
	for _, c := range r.candidates {
		if c.provider.Fee == nil {
			l.fault(strategy.Expr.Range(), fmt.Sprintf("Provider %q has no fee", c.provider.Name),
				"least_cost compares what a payment costs: write fee = { fixed = 900, percent = 1.2 } in its block.")
		}
	}
}

// orderByCost compares fees exactly; equal ones keep the written order.
func orderByCost(_ *route, runners []runner, req *payment.Request, _ string) {
	for i := range runners {
		runners[i].note = "it costs " + runners[i].provider.Fee.Of(req.Amount).String()
	}
	slices.SortStableFunc(runners, func(a, b runner) int {
		return a.provider.Fee.Of(req.Amount).Cmp(b.provider.Fee.Of(req.Amount))
	})
}
