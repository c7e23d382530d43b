package routing

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Bounds of one condition. expr's parser recurses, so depth is bounded before it starts.
const (
	maxExpression      = 4 << 10 // bytes
	maxExpressionDepth = 64      // brackets
	maxExpressionNodes = 500
)

// Amounts are compared as int, in hundredths: this does not compile where an int has fewer than 64 bits.
const _ = uint(bits.UintSize - 64)

// condition is one part of a `when`: the parts are what its outermost && joins, and all must hold. They are kept
// apart so that an explanation can name the one that did not.
type condition struct {
	text    string
	reads   []*reference
	boxes   []box       // its normal form
	program *vm.Program // instead, where it has none
	mayFail bool        // the program may end without a value
	always  bool        // every valid payment passes; never said of what comes from locals alone: that is a switch
}

// when reads a route's condition.
func (l *loader) when(a *hcl.Attribute) []*condition {
	source := l.sources[a.Expr.Range().Filename]
	text, offsets, ok := literal(source, a.Expr)
	if !ok {
		l.fault(a.Expr.Range(), "when must be a text that is written here",
			"So that mistakes can be shown at their place in it. Write local.NAME inside the text, without ${ and }.")
		return nil
	}
	x := &expression{language: l.language, text: []rune(text)}
	conditions := x.compile(text)
	for _, f := range x.faults {
		from, to := min(f.from, len(x.text)), min(max(f.to, f.from+1), len(x.text))
		l.add(span{source, offsets[from], offsets[to]}.diagnostic(f.severity, f.summary, f.detail))
	}
	return conditions
}

// literal returns the text of a string literal without interpolation, and for each of its characters (and its end)
// where in the file it is written. Heredocs are taken with their indentation, which means nothing in an expression.
func literal(s *source, e hcl.Expression) (text string, offsets []int, ok bool) {
	template, ok := e.(*hclsyntax.TemplateExpr)
	if !ok {
		return "", nil, false
	}
	for _, part := range template.Parts {
		if _, ok := part.(*hclsyntax.LiteralValueExpr); !ok {
			return "", nil, false
		}
	}
	start, end := template.SrcRange.Start.Byte, template.SrcRange.End.Byte
	quoted := s.content[start] == '"'
	if quoted {
		start, end = start+1, end-1
	} else { // <<NAME … NAME
		start += bytes.IndexByte(s.content[start:end], '\n') + 1
		end = max(start, start+bytes.LastIndexByte(s.content[start:end], '\n')+1)
	}
	var b strings.Builder
	b.Grow(end - start)
	offsets = make([]int, 0, end-start+1)
	for start < end {
		r, n := decode(s.content[start:end], quoted)
		b.WriteRune(r)
		offsets = append(offsets, start)
		start += n
	}
	return b.String(), append(offsets, end), true
}

// decode reads one character of a string literal and tells how many bytes it is written in.
func decode(b []byte, quoted bool) (rune, int) {
	if len(b) > 2 && b[0] == b[1] && b[2] == '{' && (b[0] == '$' || b[0] == '%') {
		return rune(b[0]), 2 // $${ is a literal ${
	}
	if !quoted || b[0] != '\\' || len(b) < 2 {
		return utf8.DecodeRune(b)
	}
	digits := 0
	switch b[1] {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	}
	if code, err := strconv.ParseUint(string(b[2:min(len(b), 2+digits)]), 16, 32); digits > 0 && err == nil {
		return []rune(string(rune(code)))[0], 2 + digits
	}
	return rune(b[1]), 2 // \" and \\
}

// fault is a mistake in an expression, at characters from (inclusive) to (exclusive).
type fault struct {
	from, to        int
	severity        Severity
	summary, detail string
}

// expression is one `when` while it is compiled.
type expression struct {
	*language
	text      []rune
	faults    []fault
	reads     []*reference // of the condition being compiled
	predicate *operand     // what # stands for, inside any, all, none and one
}

func (x *expression) fail(at file.Location, summary, detail string) {
	x.faults = append(x.faults, fault{at.From, at.To, Error, summary, detail})
}

func (x *expression) compile(text string) []*condition {
	if len(text) > maxExpression {
		x.fail(file.Location{}, "Expression too long",
			fmt.Sprintf("It may have %d bytes. Split the route in two.", maxExpression))
		return nil
	}
	if at, deep := tooDeep(x.text); deep {
		x.fail(file.Location{From: at}, "Nested too deeply",
			fmt.Sprintf("Brackets may be nested %d deep.", maxExpressionDepth))
		return nil
	}
	root, err := x.parse(text)
	if err != nil {
		x.failParse(err)
		return nil
	}
	parts := x.split(root)
	for i := range parts {
		x.compilePart(&parts[i])
	}
	if len(x.faults) > 0 || slices.ContainsFunc(parts, func(p part) bool { return p.condition == nil }) {
		return nil
	}
	for i := range parts {
		x.warnCodes(&parts[i])
	}
	if len(x.faults) == 0 { // a code that does not exist is why a part never holds
		x.warnConstant(parts)
	}
	x.warnAbsent(root)
	conditions := make([]*condition, len(parts))
	for i, p := range parts {
		conditions[i] = p.condition
	}
	return conditions
}

// parse calls expr's parser, whose panics are mistakes of the expression too: one route must not end the process.
func (x *expression) parse(text string) (root ast.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &file.Error{Message: fmt.Sprintf("the expression cannot be read: %v", r)}
		}
	}()
	tree, err := parser.ParseWithConfig(text, x.parsing)
	if err != nil {
		return nil, err
	}
	return tree.Node, nil
}

// program compiles what lower has made. Its own checker's word is a second opinion: lower's types are narrower.
func (x *expression) program(node ast.Node) (*vm.Program, error) {
	tree := &parser.Tree{Node: node, Source: file.NewSource(string(x.text))}
	t, err := checker.Check(tree, x.compiling)
	if err != nil {
		return nil, err
	}
	if t.Kind() != reflect.Bool {
		return nil, fmt.Errorf("it yields %s", t)
	}
	return compiler.Compile(tree, x.compiling)
}

var tokenText = regexp.MustCompile(`(?s)unexpected token (\w+)(?:\("(.*)"\))?`)

// failParse reports a mistake that expr's parser has found, in words for a rules editor.
func (x *expression) failParse(err error) {
	var at file.Location
	message := err.Error()
	var e *file.Error
	if errors.As(err, &e) {
		at, message = e.Location, e.Message
	}
	token := tokenText.FindStringSubmatch(message)
	switch {
	case strings.TrimSpace(string(x.text)) == "":
		x.fail(at, "Empty condition", "Leave when out where every payment matches.")
	case token != nil && token[1] == "EOF":
		x.fail(file.Location{From: len(x.text)}, "The expression ends too early",
			"Something is missing after its last word, or a bracket is open.")
	case token != nil:
		x.fail(at, fmt.Sprintf("Unexpected %q", token[2]), hintFor[token[2]])
	case strings.Contains(message, "literal: strconv"): // at its last character
		for at.From > 0 && strings.ContainsRune("0123456789abcdefABCDEF.x_+-", x.text[at.From-1]) {
			at.From--
		}
		x.fail(at, "Number out of bounds", exactAmounts)
	case strings.Contains(message, "maximum allowed nodes"):
		x.fail(at, "Expression too large",
			fmt.Sprintf("It may have %d parts. Put long lists into locals.", maxExpressionNodes))
	default:
		x.fail(at, "Mistake in the expression", strings.TrimRight(strings.ToUpper(message[:1])+message[1:], ".")+".")
	}
}

var hintFor = map[string]string{
	"=": "Compare with ==.", "&": "Join conditions with &&.", "|": "Join conditions with ||.",
	"AND": "Write && or and.", "OR": "Write || or or.", "NOT": "Write not.", "IN": "Write in.",
	",": "An amount has a point before its cents and nothing between its thousands: 1000.50.",
	"#": "# is an element of a list, inside any, all, none and one.",
}

// tooDeep counts the open brackets outside of quotes.
func tooDeep(text []rune) (at int, deep bool) {
	depth, quote := 0, rune(0)
	for i := 0; i < len(text); i++ {
		switch r := text[i]; {
		case quote != 0:
			if r == '\\' && quote != '`' {
				i++
			} else if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"' || r == '`':
			quote = r
		case r == '(' || r == '[' || r == '{':
			if depth++; depth > maxExpressionDepth {
				return i, true
			}
		case r == ')' || r == ']' || r == '}':
			depth--
		}
	}
	return 0, false
}

func (x *expression) slice(at file.Location) string {
	if at.From < 0 || at.From >= at.To || at.To > len(x.text) {
		return ""
	}
	return string(x.text[at.From:at.To])
}

// extent returns where a node and everything below it is written, up to the brackets that close it.
func (x *expression) extent(n ast.Node) file.Location {
	f := &extentFinder{extent: file.Location{From: len(x.text)}}
	ast.Walk(&n, f)
	written := x.slice(f.extent)
	open := strings.Count(written, "(") + strings.Count(written, "[") - strings.Count(written, ")") - strings.Count(written, "]")
	for to := f.extent.To; open > 0 && to < len(x.text) && strings.ContainsRune(" )]", x.text[to]); to++ {
		if x.text[to] != ' ' {
			open--
			f.extent.To = to + 1
		}
	}
	return f.extent
}

type extentFinder struct{ extent file.Location }

func (f *extentFinder) Visit(n *ast.Node) {
	at := (*n).Location()
	if at.From >= at.To { // expr gives `if` no place
		return
	}
	f.extent.From = min(f.extent.From, at.From)
	f.extent.To = max(f.extent.To, at.To)
}

// shown quotes a node as it is written.
func (x *expression) shown(n ast.Node) string { return x.slice(x.extent(n)) }

// language is what all the conditions of a set of rules share.
type language struct {
	locals     map[string]constant
	usedLocals map[string]bool // by conditions and by anything else
	references map[string]*reference
	domains    domains
	known      map[string]compiled // by how it is written
	parsing    *conf.Config
	compiling  *conf.Config
}
