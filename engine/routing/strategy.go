package routing

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/cauce-pay/cauce/payment"
)

// strategy puts those candidates of a route that may take a payment in the order in which they are tried.
type strategy struct {
	name string
	doc  string // one sentence
	// example are the attributes of a route that choose it.
	example string
	// settings is the attribute of a route that belongs to this strategy alone; "" = none.
	settings string
	// read reads the settings, nil where they are not written, and checks the candidates; nil = nothing to do.
	read func(l *loader, r *route, strategy, settings *hcl.Attribute)
	// order sorts runners, which come in written order, and may say in their notes why.
	order func(r *route, runners []runner, req *payment.Request, paymentID string)
}

// strategies are all there are; the first is the default.
var strategies = []*strategy{
	{
		name: "priority", doc: "The candidates are tried in the order in which they are written.",
		example: `strategy = "priority"`,
		order:   func(*route, []runner, *payment.Request, string) {},
	},
	{
		name: "split", doc: "Each candidate comes first for its share of the payments.",
		example:  "strategy = \"split\"\nsplit    = { acme = 70, bravo = 30 }",
		settings: "split", read: (*loader).readSplit, order: orderBySplit,
	},
	{
		name: "least_cost", doc: "The candidate whose fee for the amount is lowest comes first.",
		example: `strategy = "least_cost"`,
		read:    (*loader).checkFees, order: orderByCost,
	},
	{
		name: "success_rate", doc: "The candidate whose attempts succeed most comes first; a small share explores the others.",
		example:  "strategy     = \"success_rate\"\nsuccess_rate = { window = \"30m\", explore = 0.05, by = [\"payer.bank\"] }",
		settings: "success_rate", read: (*loader).readSuccessRate, order: orderBySuccess,
	},
}

func strategyNames() []string {
	names := make([]string, len(strategies))
	for i, s := range strategies {
		names[i] = s.name
	}
	return names
}

// readStrategy reads a route's strategy with its settings.
func (l *loader) readStrategy(r *route, content *hcl.BodyContent) {
	r.strategy = strategies[0]
	chosen := content.Attributes["strategy"]
	if chosen != nil {
		text, ok := l.openText(chosen.Name, chosen.Expr)
		i := slices.Index(strategyNames(), text.Text)
		if ok && i < 0 {
			l.fault(chosen.Expr.Range(), "Unknown strategy "+text.quoted(), unknown(text.Text, strategyNames()))
		}
		if i < 0 {
			return
		}
		r.strategy = strategies[i]
	}
	for _, s := range strategies {
		settings := content.Attributes[s.settings]
		switch {
		case s != r.strategy && settings != nil:
			l.fault(settings.NameRange, settings.Name+" belongs to another strategy",
				"Write strategy = \""+s.name+"\", or take it away.")
		case s == r.strategy && s.read != nil:
			s.read(l, r, chosen, settings)
		}
	}
}

// draw returns a number that depends on its arguments alone and is spread evenly: FNV-1a, finished as SplitMix64 is,
// because FNV alone leaves the high bits of short texts alike.
func draw(paymentID, salt string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range [...]string{paymentID, "\x00", salt} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
