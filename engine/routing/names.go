package routing

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/types"

	"github.com/cauce-pay/cauce/payment"
)

// kind is the type of a part of an expression.
type kind int

const (
	invalidKind kind = iota // a fault was reported
	textKind
	boolKind
	amountKind  // money, in hundredths at run time
	integerKind // a whole number
	numberKind  // a numeric constant: an amount or a whole number, as its surroundings ask
	listKind    // of constants, all texts or all numbers
)

func (k kind) String() string {
	return [...]string{"nothing", "text", "a boolean", "an amount", "a whole number", "a number", "a list"}[k]
}

// reference is something that conditions read: a field of the payment, metadata.KEY, or a part of now. key is how
// it is written.
type reference struct {
	key  string
	kind kind
	// One of them gives its value, by kind; amounts in hundredths.
	word   func(req *payment.Request, now time.Time) string
	number func(req *payment.Request, now time.Time) int
	// text is the value for an explanation; "" where the field is absent. nil for parts of now.
	text func(*payment.Request) string
	// optional: a payment may leave it out.
	optional bool
	// personal data is never shown.
	personal bool
}

// value is what expr reads: a string or an int.
func (r *reference) value(req *payment.Request, now time.Time) any {
	if r.kind == textKind {
		return r.word(req, now)
	}
	return r.number(req, now)
}

// always are the fields that every valid payment has.
var always = []string{"operation", "method", "amount", "currency", "country"}

// shown are the other fields whose values an explanation may show; the rest is personal or the caller's own.
var shown = []string{
	"tax", "payer.kind", "payer.document.type", "payer.bank", "payee.kind", "payee.document.type", "payee.bank",
	"payee.account.type", "bill.biller",
}

func fieldReference(f payment.Field) *reference {
	r := &reference{
		key: f.Path, kind: textKind, text: f.Text,
		word:     func(req *payment.Request, _ time.Time) string { return f.Text(req) },
		optional: !slices.Contains(always, f.Path),
		personal: !slices.Contains(always, f.Path) && !slices.Contains(shown, f.Path),
	}
	switch f.Path {
	case "amount":
		r.kind = amountKind
		r.number = func(req *payment.Request, _ time.Time) int { return int(req.Amount.Minor()) }
	case "tax":
		r.kind, r.optional = amountKind, false // absent is zero, which no test mistakes
		r.number = func(req *payment.Request, _ time.Time) int { return int(req.Tax.Minor()) }
	}
	return r
}

func metadataReference(key string) *reference {
	return &reference{
		key: "metadata." + key, kind: textKind, optional: true, personal: true,
		word: func(req *payment.Request, _ time.Time) string { return req.Metadata[key] },
		text: func(req *payment.Request) string { return req.Metadata[key] },
	}
}

// clock are the parts of now, as Go's time.Time has them.
var clock = map[string]func(time.Time) int{
	"now.Year()":    time.Time.Year,
	"now.Month()":   func(t time.Time) int { return int(t.Month()) },
	"now.Day()":     time.Time.Day,
	"now.YearDay()": time.Time.YearDay,
	"now.Weekday()": func(t time.Time) int { return int(t.Weekday()) },
	"now.Hour()":    time.Time.Hour,
	"now.Minute()":  time.Time.Minute,
	"now.Second()":  time.Time.Second,
	"now.Unix()":    func(t time.Time) int { return int(t.Unix()) },
}

// clockTexts are those that are texts.
var clockTexts = map[string]func(time.Time) string{
	"now.Month().String()":   func(t time.Time) string { return t.Month().String() },
	"now.Weekday().String()": func(t time.Time) string { return t.Weekday().String() },
}

// clockKeys are the names of both, in order.
var clockKeys = slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(clock)), slices.Collect(maps.Keys(clockTexts))...)))

// bogota is the time zone of now. Colombia has no daylight saving time.
var bogota = time.FixedZone("America/Bogota", -5*60*60)

func clockReference(key string, part func(time.Time) int) *reference {
	return &reference{key: key, kind: integerKind,
		number: func(_ *payment.Request, now time.Time) int { return part(now.In(bogota)) }}
}

func clockTextReference(key string, part func(time.Time) string) *reference {
	return &reference{key: key, kind: textKind,
		word: func(_ *payment.Request, now time.Time) string { return part(now.In(bogota)) }}
}

func newLanguage(locals map[string]constant) *language {
	l := &language{
		locals: locals, usedLocals: map[string]bool{}, references: map[string]*reference{}, known: map[string]compiled{},
		parsing: conf.CreateNew(), compiling: conf.New(types.Map{}),
	}
	l.parsing.MaxNodes = maxExpressionNodes
	l.compiling.Functions = exactFunctions
	for _, f := range payment.Fields() {
		l.references[f.Path] = fieldReference(f)
	}
	for key, part := range clock {
		l.references[key] = clockReference(key, part)
	}
	for key, part := range clockTexts {
		l.references[key] = clockTextReference(key, part)
	}
	l.domains = newDomains(l.references)
	return l
}

// use returns the node that reads a reference at run time.
func (x *expression) use(r *reference) operand {
	if !slices.Contains(x.reads, r) {
		x.reads = append(x.reads, r)
	}
	if _, declared := x.compiling.Env.Fields[r.key]; !declared {
		t := reflect.TypeFor[int]()
		if r.kind == textKind {
			t = reflect.TypeFor[string]()
		}
		x.compiling.Env.Fields[r.key] = x.compiling.NtCache.FromType(t)
	}
	return operand{kind: r.kind, node: &ast.IdentifierNode{Value: r.key}}
}

// spell returns a chain of names and calls without arguments as it is written: "payer.bank", "now.Hour()". The
// segments are its names with where each is written. ok is false for anything else.
func spell(n ast.Node) (key string, segments []segment, ok bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, []segment{{n.Value, n}}, true
	case *ast.ChainNode:
		return spell(n.Node)
	case *ast.MemberNode:
		name, constant := n.Property.(*ast.StringNode)
		base, segments, ok := spell(n.Node)
		if !ok || !constant {
			return "", nil, false
		}
		return base + "." + name.Value, append(segments, segment{name.Value, name}), true
	case *ast.CallNode:
		base, segments, ok := spell(n.Callee)
		return base + "()", segments, ok && len(n.Arguments) == 0
	}
	return "", nil, false
}

type segment struct {
	name string
	node ast.Node
}

// lookUp returns the reference of that name, or nil.
func (l *language) lookUp(key string, segments []segment) *reference {
	if len(segments) == 2 && segments[0].name == "metadata" && key == "metadata."+segments[1].name {
		return l.metadata(segments[1].name)
	}
	return l.references[key]
}

// metadata returns the reference of a key, whichever: its keys are the callers' own.
func (l *language) metadata(key string) *reference {
	path := "metadata." + key
	if l.references[path] == nil {
		l.references[path] = metadataReference(key)
	}
	return l.references[path]
}

// name lowers a chain of names.
func (x *expression) name(n ast.Node) operand {
	key, segments, ok := spell(n)
	if !ok {
		return x.unsupported(n, "Name a field of the payment, metadata.KEY, local.NAME or a part of now.")
	}
	if segments[0].name == "local" {
		return x.localName(segments)
	}
	if r := x.lookUp(key, segments); r != nil {
		return x.use(r)
	}
	return x.unknownName(n, key, segments)
}

// unknownName reports the first segment of n that leads nowhere.
func (x *expression) unknownName(n ast.Node, key string, segments []segment) operand {
	prefix := ""
	for _, s := range segments {
		next := x.nextNames(prefix)
		if !slices.Contains(next, s.name) {
			what := "field"
			if _, call := s.node.(*ast.IdentifierNode); call && strings.HasSuffix(key, "()") {
				what, next = "function", functionNames
			}
			at, detail := s.node.Location(), unknown(s.name, next)
			if best := closest(s.name, next); best != "" && what == "field" && strings.HasPrefix(key, prefix+s.name) {
				whole := prefix + best + strings.TrimPrefix(key, prefix+s.name)
				if x.references[whole] != nil { // all of it is marked, so that the suggestion can take its place
					best, at.To = whole, x.extent(n).To
				} else {
					best = prefix + best
				}
				detail = fmt.Sprintf("Did you mean %q?", best)
			}
			x.fail(at, fmt.Sprintf("Unknown %s %q", what, prefix+s.name), detail)
			return operand{}
		}
		prefix += s.name + "."
	}
	last := segments[len(segments)-1].node.Location()
	path := strings.TrimSuffix(prefix, ".")
	detail := "Write " + someOf(prefixed(prefix, x.nextNames(prefix))) + "."
	switch segments[0].name {
	case "now":
		detail = "Write " + oneOf(append(slices.Clone(clockKeys), "now.Format('15:04')")) + "."
	case "metadata":
		detail = "Write metadata.KEY, with a key that the callers give."
	}
	x.fail(last, fmt.Sprintf("%s is no value", path), detail)
	return operand{}
}

// nextNames lists what may follow a prefix that ends with a point, or begin a name.
func (x *expression) nextNames(prefix string) []string {
	var next []string
	add := func(path string) {
		rest, ok := strings.CutPrefix(path, prefix)
		name, _, _ := strings.Cut(strings.ReplaceAll(rest, "()", ""), ".")
		if ok && name != "" && !slices.Contains(next, name) {
			next = append(next, name)
		}
	}
	for _, f := range payment.Fields() {
		add(f.Path)
	}
	if prefix == "" {
		return append(next, "metadata", "local", "now")
	}
	for _, key := range clockKeys {
		add(key)
	}
	if prefix == "now." {
		add("now.Format")
	}
	return next
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = prefix + name
	}
	return out
}
