package routing

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// value evaluates an expression outside of conditions. ok is false where it has no value; that is reported by then.
func (l *loader) value(e hcl.Expression) (v cty.Value, ok bool) {
	if v, ok = l.evaluate(e); !ok {
		l.valueless++
	}
	return v, ok
}

func (l *loader) evaluate(e hcl.Expression) (v cty.Value, ok bool) {
	known := map[string]cty.Value{}
	ok = true
	for _, t := range e.Variables() {
		if l.full() {
			return cty.DynamicVal, false
		}
		name, found := l.localName(t)
		if !found {
			ok = false
			continue
		}
		known[name] = l.local(name)
	}
	if !ok {
		return cty.DynamicVal, false
	}
	v, faults := e.Value(&hcl.EvalContext{
		Variables: map[string]cty.Value{"local": cty.ObjectVal(known)},
		Functions: l.functions,
	})
	l.add(l.sources[e.Range().Filename].diagnostics(faults)...)
	switch {
	case faults.HasErrors():
		return cty.DynamicVal, false
	case !v.IsWhollyKnown(): // it uses a local that has no value
		return cty.DynamicVal, false
	}
	return v, true
}

// localName returns the NAME of a reference to local.NAME, and reports any other reference.
func (l *loader) localName(t hcl.Traversal) (string, bool) {
	if root := t.RootName(); root != "local" {
		l.fault(t.SourceRange(), fmt.Sprintf("Unknown name %q", root),
			"Only local.NAME can be used here; text stands in quotes.")
		return "", false
	}
	var name string
	if len(t) > 1 {
		switch step := t[1].(type) {
		case hcl.TraverseAttr:
			name = step.Name
		case hcl.TraverseIndex:
			if step.Key.Type() == cty.String {
				name = step.Key.AsString()
			}
		}
	}
	if name == "" {
		l.fault(t.SourceRange(), "Not a value", "Write local.NAME, with the name of one value.")
		return "", false
	}
	if _, ok := l.locals[name]; !ok {
		l.fault(t[1].SourceRange(), fmt.Sprintf("Unknown local %q", name), unknown(name, l.localNames))
		return "", false
	}
	l.usedLocals[name] = true
	return name, true
}

// text reads a text.
func (l *loader) text(name string, e hcl.Expression) (Value, bool) {
	v, ok := l.value(e)
	if !ok {
		return Value{}, false
	}
	plain, marks := v.Unmark()
	if plain.IsNull() || plain.Type() != cty.String {
		l.fault(e.Range(), fmt.Sprintf("%s must be text", name), "Write it in quotes.")
		return Value{}, false
	}
	return Value{Text: plain.AsString(), Secret: len(marks) > 0}, true
}

// openText reads a text that is part of decisions, and so may be no secret.
func (l *loader) openText(name string, e hcl.Expression) (Value, bool) {
	text, ok := l.text(name, e)
	if text.Secret {
		l.faultSecret(name, e)
	}
	return text, ok && !text.Secret
}

func (l *loader) faultSecret(name string, e hcl.Expression) {
	l.fault(e.Range(), fmt.Sprintf("%s cannot come from env() or file()", name),
		"Write it out: it is shown, and must be the same wherever the rules are used.")
}

// warnInClear warns of a secret that is written into the rules. Its source line is not shown.
func (l *loader) warnInClear(a *hcl.Attribute, text Value) {
	if !text.Secret {
		l.rules.inClear = append(l.rules.inClear, text.Text)
		at := l.sources[a.NameRange.Filename].span(a.NameRange)
		l.add(at.diagnostic(Warning, a.Name+" stands here in clear",
			`Whoever reads the rules can use it: write env("NAME") or file("path").`).WithoutSource())
	}
}

// scalar reads text, a number or a boolean as text; a number that is written out keeps its digits.
func (l *loader) scalar(a *hcl.Attribute) (Value, bool) {
	v, ok := l.value(a.Expr)
	if !ok {
		return Value{}, false
	}
	plain, marks := v.Unmark()
	value := Value{Secret: len(marks) > 0}
	if plain.IsNull() || !plain.Type().IsPrimitiveType() {
		l.fault(a.Expr.Range(), fmt.Sprintf("%s must be text, a number, true or false", a.Name), "")
		return Value{}, false
	}
	if _, literal := a.Expr.(*hclsyntax.LiteralValueExpr); literal && plain.Type() == cty.Number {
		r := a.Expr.Range()
		value.Text = string(r.SliceBytes(l.sources[r.Filename].content))
	} else {
		value.Text = numberText(plain)
	}
	return value, true
}

// numberText returns a primitive value as text; numbers exactly.
func numberText(v cty.Value) string {
	if v.Type() == cty.Number {
		if n, accuracy := v.AsBigFloat().Int64(); accuracy == big.Exact {
			return strconv.FormatInt(n, 10) // a hundred times as fast
		}
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		panic(err) // every primitive value converts
	}
	return s.AsString()
}

// duration takes text like "20s", within bounds.
func (l *loader) duration(name string, e hcl.Expression, text Value, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(text.Text)
	switch {
	case err != nil:
		l.fault(e.Range(), fmt.Sprintf("%s: %s is no duration", name, text.quoted()),
			`Write a number and a unit, like "20s" or "2m".`)
	case d < least || d > most:
		l.fault(e.Range(), fmt.Sprintf("%s: %s is out of range", name, text.quoted()),
			fmt.Sprintf("It must be %s to %s.", least, most))
	}
	return d
}

// openDuration reads a duration that is part of the rules' behaviour, and so may be no secret.
func (l *loader) openDuration(name string, e hcl.Expression, least, most time.Duration) time.Duration {
	text, ok := l.openText(name, e)
	if !ok {
		return 0
	}
	return l.duration(name, e, text, least, most)
}

// plainNumber returns a number's digits; ok is false for everything else.
func plainNumber(v cty.Value) (digits string, ok bool) {
	plain, _ := v.Unmark()
	if plain.IsNull() || plain.Type() != cty.Number {
		return "", false
	}
	return numberText(plain), true
}

// whole reads a whole number within bounds.
func (l *loader) whole(name string, e hcl.Expression, least, most int) (int, bool) {
	v, ok := l.value(e)
	if !ok {
		return 0, false
	}
	if digits, ok := plainNumber(v); ok {
		if n, err := strconv.Atoi(digits); err == nil && n >= least && n <= most {
			return n, true
		}
	}
	l.fault(e.Range(), fmt.Sprintf("%s must be a whole number from %d to %d", name, least, most), "")
	return 0, false
}

// truth reads true or false.
func (l *loader) truth(a *hcl.Attribute) bool {
	v, ok := l.value(a.Expr)
	plain, _ := v.Unmark()
	if ok && (plain.IsNull() || plain.Type() != cty.Bool) {
		l.fault(a.Expr.Range(), a.Name+" must be true or false", "")
		ok = false
	}
	return ok && plain.True()
}

// word is text at its place.
type word struct {
	text string
	at   hcl.Range
}

// words reads a list of texts.
func (l *loader) words(name string, e hcl.Expression) ([]word, bool) {
	v, ok := l.value(e)
	if !ok {
		return nil, false
	}
	if v.ContainsMarked() {
		l.faultSecret(name, e)
		return nil, false
	}
	if v.IsNull() || !isList(v) {
		l.fault(e.Range(), fmt.Sprintf("%s must be a list of texts", name), `Write it like ["a", "b"].`)
		return nil, false
	}
	elements, _ := e.(*hclsyntax.TupleConsExpr)
	var list []word
	for i, element := range v.AsValueSlice() {
		at := e.Range()
		if elements != nil {
			at = elements.Exprs[i].Range()
		}
		if element.IsNull() || element.Type() != cty.String {
			l.fault(at, fmt.Sprintf("%s must be a list of texts", name), "Write each of them in quotes.")
			return nil, false
		}
		list = append(list, word{element.AsString(), at})
	}
	return list, true
}

func isList(v cty.Value) bool {
	t := v.Type()
	return t.IsTupleType() || t.IsListType() || t.IsSetType()
}

// choices reads a list of texts, each one of those known and none of them twice.
func (l *loader) choices(name string, e hcl.Expression, known []string) ([]string, bool) {
	list, ok := l.words(name, e)
	if !ok {
		return nil, false
	}
	return l.chosen(name, list, known)
}

func (l *loader) chosen(name string, list []word, known []string) (out []string, ok bool) {
	out, ok = []string{}, true
	seen := map[string]bool{}
	for _, w := range list {
		if l.full() {
			return out, false
		}
		switch {
		case l.found[Error] >= maxDiagnostics: // no further one is reported
			return nil, false
		case !slices.Contains(known, w.text):
			l.fault(w.at, fmt.Sprintf("%s: unknown %q", name, w.text), unknown(w.text, known))
			ok = false
		case seen[w.text]:
			l.fault(w.at, fmt.Sprintf("%s: %q is there twice", name, w.text), "")
			ok = false
		}
		seen[w.text] = true
		out = append(out, w.text)
	}
	return out, ok
}
