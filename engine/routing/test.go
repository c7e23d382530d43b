package routing

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/cauce-pay/cauce/payment"
)

// Test is one payment, and what the rules have to say about it: a test block, or one case of it.
type Test struct {
	Name string // "a test", or "a test/its case"
	File string
	Line int

	request payment.Request
	given   given
	expect  expectation
}

// given is what a test takes for granted, instead of what is so.
type given struct {
	down, paused, unhealthy []string // providers
	now                     time.Time
	id                      string // of the payment
}

// expectation is what a test asks for; what is not written is not asked for.
type expectation struct {
	route, reject *string
	providers     []string // nil = not asked for
	none          bool
}

// Tests returns the test blocks, case by case.
func (r *Rules) Tests() []Test { return slices.Clone(r.tests) }

var (
	caseSchema = schemaOf("test", "case")
	testSchema = schemaOf("test")
)

// testDraft is a test that is being read.
type testDraft struct {
	fields map[string]string // of the payment, by path
	given  given
	expect *expectation
}

func (l *loader) readTest(b *hcl.Block) {
	content := l.blockContent(b, testSchema)
	name := l.sentence(b)
	draft := testDraft{fields: map[string]string{}}
	l.readCase(&draft, content)
	if len(content.Blocks) == 0 {
		l.addTest(name, draft, b)
	}
	seen := map[string]bool{}
	for _, c := range content.Blocks {
		one := draft
		one.fields = maps.Clone(draft.fields)
		l.readCase(&one, l.blockContent(c, caseSchema))
		if label := c.Labels[0]; seen[label] {
			l.fault(c.LabelRanges[0], fmt.Sprintf("Second case %.60q", label), "The first is in the same test.")
		}
		seen[c.Labels[0]] = true
		l.addTest(name+"/"+c.Labels[0], one, c)
	}
}

// sentence returns a test's label, which may be any text that is not used yet.
func (l *loader) sentence(b *hcl.Block) string {
	name := b.Labels[0]
	if strings.TrimSpace(name) == "" || len(name) > 200 {
		l.fault(b.LabelRanges[0], "A test needs a name", "Say in up to 200 characters what is to hold.")
	} else {
		l.claim(b, name, b.LabelRanges[0])
	}
	return name
}

// readCase reads what a test or a case says. A case's payment is added to that of its test; the rest replaces it.
func (l *loader) readCase(d *testDraft, content *hcl.BodyContent) {
	if a := content.Attributes["payment"]; a != nil {
		l.readFields(d.fields, "", a.Name, a.Expr)
	}
	if a := content.Attributes["given"]; a != nil {
		g := given{}
		providers := func(list *[]string) func(string, hcl.Expression) {
			return func(name string, e hcl.Expression) { *list, _ = l.choices(name, e, l.providerNames) }
		}
		l.object(a.Name, a.Expr, `{ down = ["paypaga"], now = "2026-12-24T22:00" }, each part optional`, parts{
			"down": providers(&g.down), "paused": providers(&g.paused), "unhealthy": providers(&g.unhealthy),
			"now": func(name string, e hcl.Expression) { g.now = l.moment(name, e) },
			"id": func(name string, e hcl.Expression) {
				text, _ := l.openText(name, e)
				g.id = text.Text
			},
		})
		d.given = g
	}
	if a := content.Attributes["expect"]; a != nil {
		d.expect = l.expectation(a)
	}
}

func (l *loader) expectation(a *hcl.Attribute) *expectation {
	x := &expectation{}
	text := func(to **string) func(string, hcl.Expression) {
		return func(name string, e hcl.Expression) {
			if v, ok := l.openText(name, e); ok {
				*to = &v.Text
			}
		}
	}
	given := l.items(a.Name, a.Expr, `{ route = "pse", providers = ["tpaga-pse"] }, { reject = "…" } or { none = true }`,
		func(part string, item hclsyntax.ObjectConsItem) {
			switch part {
			case "route":
				text(&x.route)(part, item.ValueExpr)
				if names := l.rules.Routes(); x.route != nil && !slices.Contains(names, *x.route) {
					l.fault(item.ValueExpr.Range(), fmt.Sprintf("Unknown route %.60q", *x.route), unknown(*x.route, names))
				}
			case "reject":
				text(&x.reject)(part, item.ValueExpr)
			case "providers":
				x.providers, _ = l.choices(part, item.ValueExpr, l.providerNames)
			case "none":
				x.none = l.truth(&hcl.Attribute{Name: part, Expr: item.ValueExpr})
			default:
				l.fault(item.KeyExpr.Range(), "Unknown part of expect",
					unknown(part, []string{"route", "providers", "reject", "none"}))
			}
		})
	if given != nil && len(given) == 0 {
		l.fault(a.Expr.Range(), "expect is empty", "Then the test could not fail.")
	}
	if x.none && len(given) > 1 {
		l.fault(a.Expr.Range(), "expect asks for none and for something else", "none = true stands alone: no route matches.")
	}
	return x
}

// moment reads a time like "2026-12-24T22:00", in America/Bogota.
func (l *loader) moment(name string, e hcl.Expression) time.Time {
	text, ok := l.openText(name, e)
	if !ok {
		return time.Time{}
	}
	t, err := time.ParseInLocation("2006-01-02T15:04", text.Text, bogota)
	if err != nil {
		l.fault(e.Range(), fmt.Sprintf("%s: %s is no time", name, text.quoted()), `Write it like "2026-12-24T22:00"; it is America/Bogota's.`)
	}
	return t
}

// readFields reads a payment, written as the API takes it, into texts by path.
func (l *loader) readFields(fields map[string]string, prefix, name string, e hcl.Expression) {
	known := testableFields()
	l.items(name, e, `{ operation = "payin", method = "pse", amount = "20000", payer = { bank = "1007" } }`,
		func(part string, item hclsyntax.ObjectConsItem) {
			path := prefix + part
			switch {
			case slices.Contains(known, path) || prefix == "metadata." && part != "":
				l.readField(fields, path, item.ValueExpr)
			case path == "metadata" || slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, path+".") }):
				l.readFields(fields, path+".", path, item.ValueExpr)
			default:
				l.fault(item.KeyExpr.Range(), fmt.Sprintf("Unknown field %.60q", path), unknown(path, known))
			}
		})
}

func (l *loader) readField(fields map[string]string, path string, e hcl.Expression) {
	value, ok := l.scalar(&hcl.Attribute{Name: path, Expr: e})
	if !ok {
		return
	}
	if value.Secret {
		l.faultSecret(path, e)
		return
	}
	if path == "amount" || path == "tax" {
		if _, err := payment.ParseMoney(value.Text); err != nil {
			l.fault(e.Range(), path+" is no amount", err.Error())
			return
		}
	}
	fields[path] = value.Text
}

func testableFields() []string {
	var paths []string
	for _, f := range payment.Fields() {
		paths = append(paths, f.Path)
	}
	return paths
}

// addTest makes a test of what was read.
func (l *loader) addTest(name string, d testDraft, b *hcl.Block) {
	at := b.LabelRanges[0]
	if len(d.fields) == 0 {
		l.fault(at, "The test has no payment", `Write payment = { operation = "payin", method = "pse", amount = "20000" }.`)
		return
	}
	if d.expect == nil {
		l.fault(at, "The test expects nothing", `Write expect = { route = "…" }.`)
		return
	}
	t := Test{Name: name, File: at.Filename, Line: at.Start.Line, given: d.given, expect: *d.expect}
	document, err := json.Marshal(nest(d.fields))
	if err == nil {
		err = json.Unmarshal(document, &t.request)
	}
	if err != nil {
		l.fault(at, "The payment cannot be read", err.Error())
		return
	}
	t.request = t.request.WithDefaults()
	l.rules.tests = append(l.rules.tests, t)
}

// nest turns {"payer.bank": "1007"} into {"payer": {"bank": "1007"}}. A key of metadata may hold points.
func nest(fields map[string]string) map[string]any {
	root := map[string]any{}
	for path, value := range fields {
		at := root
		for {
			first, rest, more := strings.Cut(path, ".")
			if !more {
				at[path] = value
				break
			}
			inner, _ := at[first].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
				at[first] = inner
			}
			if at, path = inner, rest; first == "metadata" {
				at[path] = value
				break
			}
		}
	}
	return root
}
