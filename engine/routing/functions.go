package routing

import (
	"fmt"

	"github.com/expr-lang/expr/ast"
	"github.com/shopspring/decimal"
)

// textFunction is a function of expr that conditions may call. Whatever is not in the table is refused: expr has
// functions that read the clock, and some whose result grows without bound.
type textFunction struct {
	name    string
	takes   []kind
	yields  kind
	doc     string
	example string // a whole condition
}

var textFunctions = []textFunction{
	{"len", []kind{textKind}, integerKind, "the number of characters", "len(payer.document.number) >= 6"},
	{"lower", []kind{textKind}, textKind, "the text in small letters", "lower(payer.email) endsWith '@shop.co'"},
	{"upper", []kind{textKind}, textKind, "the text in capital letters", "upper(payer.last_name) == 'RODRIGUEZ'"},
	{"trim", []kind{textKind}, textKind, "the text without white space at both ends", "trim(reference) startsWith 'ORDER-'"},
	{"hasPrefix", []kind{textKind, textKind}, boolKind, "the first text begins with the second", "hasPrefix(reference, 'ORDER-')"},
	{"hasSuffix", []kind{textKind, textKind}, boolKind, "the first text ends with the second", "hasSuffix(payer.email, '@shop.co')"},
}

// quantifier asks something of the elements of a list.
type quantifier struct{ name, doc, example string }

var quantifiers = []quantifier{
	{"any", "it holds for at least one element", "any(['ORDER-', 'SUBSCRIPTION-'], reference startsWith #)"},
	{"all", "it holds for every element", "all(['flores', 'rosas'], description contains #)"},
	{"none", "it holds for no element", "description != '' && none(['test', 'prueba'], lower(description) contains #)"},
	{"one", "it holds for exactly one element", "one(['flores', 'chocolates'], description contains #)"},
}

var functionNames = func() []string {
	var names []string
	for _, f := range textFunctions {
		names = append(names, f.name)
	}
	for _, q := range quantifiers {
		names = append(names, q.name)
	}
	return names
}()

// maxQuantified bounds the elements that a condition goes through one by one.
const maxQuantified = 1000

func (x *expression) builtin(n *ast.BuiltinNode) operand {
	for _, f := range textFunctions {
		if f.name == n.Name {
			return x.callText(n, f)
		}
	}
	for _, q := range quantifiers {
		if q.name == n.Name {
			return x.quantifier(n)
		}
	}
	x.fail(n.Location(), fmt.Sprintf("Unknown function %q", n.Name), "Conditions have "+oneOf(functionNames)+".")
	return operand{}
}

func (x *expression) callText(n *ast.BuiltinNode, f textFunction) operand {
	if len(n.Arguments) != len(f.takes) {
		x.fail(n.Location(), fmt.Sprintf("%s takes %d, not %d", f.name, len(f.takes), len(n.Arguments)), "")
		return operand{}
	}
	lowered := &ast.BuiltinNode{Name: n.Name}
	for i, argument := range n.Arguments {
		o := x.lower(argument)
		switch {
		case o.kind == invalidKind:
			return operand{}
		case o.kind == listKind && f.name == "len":
			return operand{kind: numberKind, number: decimal.New(int64(o.list.len()), 0), constant: true}
		case o.kind != f.takes[i]:
			x.fail(x.extent(argument), fmt.Sprintf("%s takes %s, and %s is %s", f.name, f.takes[i], x.shown(argument), o.kind),
				"")
			return operand{}
		}
		lowered.Arguments = append(lowered.Arguments, o.node)
	}
	return operand{kind: f.yields, node: lowered}
}

func (x *expression) quantifier(n *ast.BuiltinNode) operand {
	if x.predicate != nil {
		x.fail(n.Location(), fmt.Sprintf("%s inside of another", n.Name),
			"Its cost would be the product of both lists.")
		return operand{}
	}
	o := x.lower(n.Arguments[0])
	switch {
	case o.kind == invalidKind:
		return operand{}
	case o.kind != listKind:
		x.fail(x.extent(n.Arguments[0]), fmt.Sprintf("%s takes a list, and %s is %s", n.Name, x.shown(n.Arguments[0]), o.kind),
			"")
		return operand{}
	case o.list.len() > maxQuantified:
		x.fail(x.extent(n.Arguments[0]), "List too long",
			fmt.Sprintf("%s goes through at most %d elements. A look-up with in has no such bound.", n.Name, maxQuantified))
		return operand{}
	}
	elements, element, ok := x.elements(o.list, n.Arguments[0])
	if !ok {
		return operand{}
	}
	x.predicate = &element
	defer func() { x.predicate = nil }()
	body := n.Arguments[1].(*ast.PredicateNode)
	test := x.lower(body.Node)
	if !x.isCondition(body.Node, test) {
		return operand{}
	}
	return boolOf(&ast.BuiltinNode{Name: n.Name, Arguments: []ast.Node{elements, &ast.PredicateNode{Node: test.node}}})
}
