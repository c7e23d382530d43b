package routing

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/cauce-pay/cauce/payment"
)

const splitExample = "split = { tpaga-pse = 70, paypaga = 30 }"

// readSplit reads the share of each candidate in percent; one without a share is only a last resort.
func (l *loader) readSplit(r *route, strategy, settings *hcl.Attribute) {
	if settings == nil {
		l.fault(strategy.Expr.Range(), "split has no shares", "Write "+splitExample+".")
		return
	}
	names := make([]string, len(r.candidates))
	for i, c := range r.candidates {
		names[i] = c.provider.Name
	}
	sum, fine := 0, true
	given := l.items("split", settings.Expr, splitExample, func(part string, item hclsyntax.ObjectConsItem) {
		at := slices.Index(names, part)
		if at < 0 {
			l.fault(item.KeyExpr.Range(), fmt.Sprintf("split: %.60q is none of the route's providers", part), unknown(part, names))
			fine = false
			return
		}
		weight, ok := l.whole(part, item.ValueExpr, 0, 100)
		r.candidates[at].weight = weight
		sum += weight
		fine = fine && ok
	})
	if given != nil && fine && sum != 100 {
		l.fault(settings.Expr.Range(), fmt.Sprintf("The shares sum to %d", sum), "They are percents, and must sum to 100.")
	}
}

// orderBySplit is weighted rendezvous hashing: each candidate draws a number for the payment, stretched by its
// weight, and the largest wins. So a candidate that is added takes its share from the others and moves nothing
// between them, and what one cannot take is shared out by the weights of the rest.
func orderBySplit(_ *route, runners []runner, _ *payment.Request, paymentID string) {
	score := make(map[*candidate]float64, len(runners))
	for i := range runners {
		c := runners[i].candidate
		// 53 bits and a half make a number between 0 and 1, both excluded.
		u := (float64(draw(paymentID, c.provider.Name)>>11) + 0.5) / (1 << 53)
		score[c] = float64(c.weight) / -math.Log(u)
		runners[i].note = fmt.Sprintf("its share is %d %%", c.weight)
	}
	slices.SortStableFunc(runners, func(a, b runner) int { return cmp.Compare(score[b.candidate], score[a.candidate]) })
}
