package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/cauce-pay/cauce/payment"
)

// failoverCodes are the error codes after which another candidate may be tried. `unknown` is none of them: what
// may have been executed is never sent to somebody else.
var failoverCodes = []string{"invalid", "declined", "unauthorized", "exhausted", "unavailable"}

var defaultFailoverOn = []string{"unavailable", "unauthorized", "exhausted", "invalid"}

// Bounds of a failover policy.
const (
	maxAttempts = 100
	maxWithin   = 24 * time.Hour
)

var routeSchema = schemaOf("route")

func (l *loader) readRoute(b *hcl.Block) {
	content := l.blockContent(b, routeSchema)
	name := l.label(b)
	r := &route{name: name, label: l.sources[b.DefRange.Filename].span(b.LabelRanges[0])}
	l.rules.routes = append(l.rules.routes, r)
	if a := content.Attributes["when"]; a != nil {
		r.conditions = l.when(a)
	}
	providers, reject := content.Attributes["providers"], content.Attributes["reject"]
	switch {
	case providers == nil && reject == nil:
		l.fault(b.LabelRanges[0], fmt.Sprintf("Route %q decides nothing", name),
			"Give it providers, or a text to reject with.")
	case providers != nil && reject != nil:
		l.fault(reject.NameRange, fmt.Sprintf("Route %q has both providers and reject", name), "Take one of them away.")
	case reject != nil:
		l.readReject(r, reject, content)
	default:
		l.readCandidates(r, providers, content)
	}
}

func (l *loader) readReject(r *route, a *hcl.Attribute, content *hcl.BodyContent) {
	for _, name := range []string{"strategy", "split", "success_rate", "failover"} {
		if extra := content.Attributes[name]; extra != nil {
			l.fault(extra.NameRange, fmt.Sprintf("%s belongs to a route with providers", name),
				"A route that rejects tries nobody.")
		}
	}
	text, ok := l.openText(a.Name, a.Expr)
	if ok && strings.TrimSpace(text.Text) == "" {
		l.fault(a.Expr.Range(), "reject is empty", "Say why the payment is refused; the text becomes the failure's message.")
	}
	r.reject = text.Text
}

func (l *loader) readCandidates(r *route, a *hcl.Attribute, content *hcl.BodyContent) {
	names, ok := l.choices("providers", a.Expr, l.providerNames)
	if ok && len(names) == 0 {
		l.fault(a.Expr.Range(), "providers is empty", "Name at least one provider.")
	}
	if ok { // then each is the name of a block
		written, _ := a.Expr.(*hclsyntax.TupleConsExpr) // else a local
		for i, name := range names {
			at := a.Expr.Range()
			if written != nil {
				at = written.Exprs[i].Range()
			}
			r.candidates = append(r.candidates, candidate{
				provider: &l.rules.providers[slices.Index(l.providerNames, name)], at: l.sources[at.Filename].span(at),
			})
		}
	}
	l.readStrategy(r, content)
	r.failover = payment.Failover{On: defaultFailoverOn, MaxAttempts: max(1, len(names))}
	if a := content.Attributes["failover"]; a != nil {
		l.readFailover(&r.failover, a)
	}
}

func (l *loader) readFailover(f *payment.Failover, a *hcl.Attribute) {
	l.object(a.Name, a.Expr, `{ on = ["unavailable"], max_attempts = 2, within = "30s" }, each part optional`, parts{
		"on":           func(name string, e hcl.Expression) { f.On = l.failoverOn(e) },
		"max_attempts": func(name string, e hcl.Expression) { f.MaxAttempts, _ = l.whole(name, e, 1, maxAttempts) },
		"within": func(name string, e hcl.Expression) {
			f.Within = payment.Duration(l.openDuration(name, e, time.Millisecond, maxWithin))
		},
	})
}

// failoverOn reads the codes; doubt gets an explanation of its own.
func (l *loader) failoverOn(e hcl.Expression) []string {
	list, ok := l.words("on", e)
	if !ok {
		return nil
	}
	if i := slices.IndexFunc(list, func(w word) bool { return w.text == "unknown" }); i >= 0 {
		l.fault(list[i].at, `failover cannot be on "unknown"`,
			"After it the provider may have executed the payment: it is looked up, and never sent to another provider.")
		return nil
	}
	on, _ := l.chosen("on", list, failoverCodes)
	return on
}
