package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/cauce-pay/cauce/payment"
)

// strategies order the candidates of a route; the first is the default.
var strategies = []string{"priority"}

// failoverCodes are the error codes after which another candidate may be tried. `unknown` is none of them: what
// may have been executed is never sent to somebody else.
var failoverCodes = []string{"invalid", "declined", "unauthorized", "exhausted", "unavailable"}

var defaultFailoverOn = []string{"unavailable", "unauthorized", "exhausted", "invalid"}

// Bounds of a failover policy.
const (
	maxAttempts = 100
	maxWithin   = 24 * time.Hour
)

var routeSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
	{Name: "when"}, {Name: "providers"}, {Name: "strategy"}, {Name: "failover"}, {Name: "reject"},
}}

func (l *loader) readRoute(b *hcl.Block) {
	content := l.blockContent(b, routeSchema)
	name, ok := l.label(b)
	if !ok {
		return
	}
	r := &route{name: name}
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
	for _, name := range []string{"strategy", "failover"} {
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
	var ok bool
	if r.candidates, ok = l.choices("providers", a.Expr, l.providerNames); ok && len(r.candidates) == 0 {
		l.fault(a.Expr.Range(), "providers is empty", "Name at least one provider.")
	}
	r.strategy = strategies[0]
	if a := content.Attributes["strategy"]; a != nil {
		text, ok := l.openText(a.Name, a.Expr)
		if ok && !slices.Contains(strategies, text.Text) {
			l.fault(a.Expr.Range(), "Unknown strategy "+text.quoted(), unknown(text.Text, strategies))
		}
		r.strategy = text.Text
	}
	r.failover = payment.Failover{On: defaultFailoverOn, MaxAttempts: max(1, len(r.candidates))}
	if a := content.Attributes["failover"]; a != nil {
		l.readFailover(&r.failover, a)
	}
}

func (l *loader) readFailover(f *payment.Failover, a *hcl.Attribute) {
	object, ok := a.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		l.fault(a.Expr.Range(), "failover must be written out",
			`Write { on = ["unavailable"], max_attempts = 2, within = "30s" }, each part optional.`)
		return
	}
	readers := map[string]func(name string, e hcl.Expression){
		"on": func(name string, e hcl.Expression) { f.On = l.failoverOn(e) },
		"max_attempts": func(name string, e hcl.Expression) {
			f.MaxAttempts, _ = l.whole(name, e, 1, maxAttempts)
		},
		"within": func(name string, e hcl.Expression) {
			if text, ok := l.openText(name, e); ok {
				f.Within = payment.Duration(l.duration(name, e, text, time.Millisecond, maxWithin))
			}
		},
	}
	seen := map[string]bool{}
	for _, item := range object.Items {
		name := keyOf(item)
		read := readers[name]
		switch {
		case read == nil:
			l.fault(item.KeyExpr.Range(), "Unknown part of failover", unknown(name, slices.Sorted(maps.Keys(readers))))
		case seen[name]:
			l.fault(item.KeyExpr.Range(), fmt.Sprintf("%s is there twice", name), "")
		default:
			read(name, item.ValueExpr)
		}
		seen[name] = true
	}
}

// keyOf returns the name of a part of an object, quoted or not; "" where it is neither.
func keyOf(item hclsyntax.ObjectConsItem) string {
	key, _ := item.KeyExpr.Value(nil)
	if key.IsNull() || !key.IsKnown() || key.Type() != cty.String {
		return ""
	}
	return key.AsString()
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
