package routing

import (
	"strings"

	"github.com/expr-lang/expr/ast"
)

// part is one of the conditions that an outermost && joins.
type part struct {
	node      ast.Node
	written   string
	lowered   ast.Node // what lower has made of it
	condition *condition
	fresh     bool // the condition was made for this part
}

// split takes the outermost && apart.
func (x *expression) split(root ast.Node) []part {
	var parts []part
	from := 0
	var visit func(ast.Node)
	visit = func(n ast.Node) {
		if b, ok := n.(*ast.BinaryNode); ok && isAnd(b.Operator) && !x.isChain(b) {
			visit(b.Left)
			parts[len(parts)-1].written = string(x.text[from:b.Location().From])
			from = b.Location().To
			visit(b.Right)
			return
		}
		parts = append(parts, part{node: n})
	}
	visit(root)
	parts[len(parts)-1].written = string(x.text[from:])
	for i := range parts {
		parts[i].written = strings.TrimSpace(parts[i].written)
	}
	return parts
}

// trimBrackets takes away the white space and the brackets that split has cut from their partners.
func trimBrackets(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	for strings.Count(s, "(") > strings.Count(s, ")") && strings.HasPrefix(s, "(") {
		s = strings.TrimSpace(s[1:])
	}
	for strings.Count(s, ")") > strings.Count(s, "(") && strings.HasSuffix(s, ")") {
		s = strings.TrimSpace(s[:len(s)-1])
	}
	return s
}

// compilePart makes the condition of a part, unless the same was written before. It has none where there is a fault, and
// where one of a local is reported at the local.
func (x *expression) compilePart(p *part) {
	if known, ok := x.known[p.written]; ok {
		p.condition, p.lowered = known.condition, known.lowered
		return
	}
	x.reads = nil
	o := x.lower(p.node)
	if !x.isCondition(p.node, o) || len(x.faults) > 0 {
		return
	}
	p.fresh = true
	c := &condition{text: trimBrackets(p.written), reads: x.reads}
	var ok bool
	if c.boxes, ok = x.boxes(o.node, false); ok {
		p.lowered = o.node
		switched := len(c.reads) == 0 && strings.Contains(c.text, "local.")
		otherwise, known := x.boxes(o.node, true)
		c.always = known && !switched && len(x.domains.allowed(otherwise)) == 0
	} else {
		var err error
		c.mayFail = mayFail(o.node)
		if c.program, err = x.program(o.node); err != nil {
			x.fail(x.extent(p.node), "Expression cannot be compiled", err.Error())
			return
		}
	}
	p.condition = c
}

// warnCodes warns of codes in a part that do not exist, and remembers a part without any.
func (x *expression) warnCodes(p *part) {
	if !p.fresh {
		return
	}
	before := len(x.faults)
	ast.Walk(&p.node, codeWarner{x})
	if len(x.faults) > before || len(x.known) >= maxKnown || strings.Count(p.written, "(") != strings.Count(p.written, ")") {
		return
	}
	known := compiled{condition: p.condition}
	if hasAlternatives(p.node) {
		known.lowered = p.lowered
	}
	x.known[strings.Clone(p.written)] = known
}

// maxKnown is how many parts are remembered.
const maxKnown = 10_000

// compiled is a part of which there is nothing to say wherever it stands alone.
type compiled struct {
	condition *condition
	lowered   ast.Node // nil where there are no alternatives to look into
}
