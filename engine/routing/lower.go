package routing

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/shopspring/decimal"
)

// operand is a checked part of an expression. node is what expr compiles in its place; numeric constants and lists
// have none until it is known what they are compared with.
type operand struct {
	kind     kind
	node     ast.Node
	constant bool
	number   decimal.Decimal // of a numberKind
	list     *constants      // of a listKind
}

func boolOf(n ast.Node) operand { return operand{kind: boolKind, node: n} }

// lower checks a part of an expression and turns it into what expr shall compile: names become single look-ups,
// amounts whole hundredths, arithmetic exact functions, lists sets. A fault yields an operand of kind invalidKind.
func (x *expression) lower(n ast.Node) operand {
	o := x.lowerNode(n)
	if o.node != nil {
		o.node.SetLocation(n.Location())
	}
	return o
}

func (x *expression) lowerNode(n ast.Node) operand {
	switch n := n.(type) {
	case *ast.BoolNode:
		return operand{kind: boolKind, node: n, constant: true}
	case *ast.StringNode:
		return textConstant(n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		return x.literalNumber(n)
	case *ast.IdentifierNode, *ast.MemberNode:
		return x.name(n)
	case *ast.ChainNode: // a?.b: nothing is ever nil here
		return x.lower(n.Node)
	case *ast.CallNode:
		return x.call(n)
	case *ast.BuiltinNode:
		return x.builtin(n)
	case *ast.UnaryNode:
		return x.unary(n)
	case *ast.BinaryNode:
		return x.binary(n)
	case *ast.ConditionalNode:
		return x.conditional(n)
	case *ast.ArrayNode:
		return x.array(n)
	case *ast.PointerNode:
		if x.predicate == nil || n.Name != "" {
			return x.unsupported(n, hintFor["#"])
		}
		return *x.predicate
	case *ast.NilNode:
		return x.unsupported(n, "Nothing is nil here: an absent text is '', an absent tax 0.")
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		return x.unsupported(n, "A condition is one expression; name values in a locals block.")
	}
	return x.unsupported(n, "")
}

func (x *expression) unsupported(n ast.Node, detail string) operand {
	what := x.slice(n.Location())
	if what == "" {
		what = "This"
	}
	x.fail(n.Location(), fmt.Sprintf("%s is no part of conditions", what), detail)
	return operand{}
}

func (x *expression) unary(n *ast.UnaryNode) operand {
	o := x.lower(n.Node)
	negative := n.Operator == "-"
	switch {
	case o.kind == invalidKind:
	case n.Operator == "!" || n.Operator == "not":
		if o.kind == boolKind {
			return boolOf(&ast.UnaryNode{Operator: "!", Node: o.node})
		}
		x.fail(x.extent(n.Node), fmt.Sprintf("%s is %s, not true or false", x.shown(n.Node), o.kind),
			fmt.Sprintf("%s binds closely: put brackets around what it shall turn round, %s (a == b).", n.Operator, n.Operator))
	case !isNumeric(o):
		x.fail(x.extent(n.Node), fmt.Sprintf("%s is %s, not a number", x.shown(n.Node), o.kind), "")
	case negative && o.kind == numberKind:
		o.number = o.number.Neg()
		return o
	case negative:
		o.node = exact("-", &ast.IntegerNode{}, o.node)
		return o
	default:
		return o
	}
	return operand{}
}

func (x *expression) binary(n *ast.BinaryNode) operand {
	if detail, refused := refusedOperators[n.Operator]; refused {
		return x.unsupported(n, detail)
	}
	if n.Operator == "in" && isMetadata(n.Right) {
		return x.inMetadata(n)
	}
	if x.isChain(n) && !isPlain(n.Right.(*ast.BinaryNode).Left) {
		x.fail(n.Location(), "Chain of comparisons",
			"The middle of a < b < c must be a name, a number or arithmetic. Join two comparisons with && instead.")
		return operand{}
	}
	left, right := x.lower(n.Left), x.lower(n.Right)
	if joins(n.Operator) {
		// Both sides are looked at, so that a mistake in one hides none in the other.
		okLeft, okRight := x.isCondition(n.Left, left), x.isCondition(n.Right, right)
		if !okLeft || !okRight {
			return operand{}
		}
		return boolOf(&ast.BinaryNode{Operator: n.Operator, Left: left.node, Right: right.node})
	}
	if left.kind == invalidKind || right.kind == invalidKind {
		return operand{}
	}
	switch n.Operator {
	case "in":
		return x.in(n, left, right)
	case "matches":
		return x.matches(n, left, right)
	case "+", "-", "*", "%":
		return x.arithmetic(n, left, right)
	case "contains", "startsWith", "endsWith":
		if right.kind == textKind && left.kind == listKind {
			x.fail(n.Location(), fmt.Sprintf("%s is for texts", n.Operator), "Write VALUE in LIST.")
			return operand{}
		}
	}
	left, right, ok := x.unify(n, left, right)
	if !ok || !x.checkOperands(n, left) {
		return operand{}
	}
	return boolOf(&ast.BinaryNode{Operator: n.Operator, Left: left.node, Right: right.node})
}

// isChain reports whether n is the && in which expr's parser turns a < b < c.
func (x *expression) isChain(n *ast.BinaryNode) bool {
	return isAnd(n.Operator) && x.slice(n.Location()) != n.Operator
}

// isPlain reports whether no chain is hidden in n. Both of a chain's comparisons share the node of its middle, so that
// chains in the middle of chains would double the work at every step.
func isPlain(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode, *ast.PointerNode:
		return true
	case *ast.UnaryNode:
		return isPlain(n.Node)
	case *ast.BinaryNode:
		return strings.Contains("+-*%", n.Operator) && isPlain(n.Left) && isPlain(n.Right)
	case *ast.BuiltinNode:
		return !slices.ContainsFunc(n.Arguments, func(a ast.Node) bool { return !isPlain(a) })
	}
	_, _, ok := spell(n)
	return ok
}

var refusedOperators = map[string]string{
	"/": "A division is not exact. Multiply the other side instead.", "**": "It is not exact.", "^": "It is not exact.",
	"??": "Nothing is nil here: an absent text is '', an absent tax 0.", "..": "Write a >= 1 && a <= 5.",
}

// isCondition reports whether o is true or false, and says so where it is something else.
func (x *expression) isCondition(n ast.Node, o operand) bool {
	if o.kind != boolKind && o.kind != invalidKind {
		x.fail(x.extent(n), fmt.Sprintf("%s is %s, not true or false", x.shown(n), o.kind),
			"A condition compares: payer.bank == '1007', amount < 50000.")
	}
	return o.kind == boolKind
}

// checkOperands reports an operator that does not go with operands of that kind.
func (x *expression) checkOperands(n *ast.BinaryNode, o operand) bool {
	need := ""
	switch n.Operator {
	case "==", "!=":
		if o.kind == listKind {
			need = "single values"
		}
	case "<", "<=", ">", ">=":
		if o.kind == listKind || o.kind == boolKind {
			need = "amounts, whole numbers or texts"
		}
	case "contains", "startsWith", "endsWith":
		if o.kind != textKind {
			need = "texts"
		}
	}
	if need != "" {
		x.fail(n.Location(), fmt.Sprintf("%s needs %s, and %s is %s", n.Operator, need, x.shown(n.Left), o.kind), "")
	}
	return need == ""
}

// unify gives two operands of an operator one kind. Numbers meet exactly: as amounts if one is an amount.
func (x *expression) unify(n *ast.BinaryNode, left, right operand) (l, r operand, ok bool) {
	switch {
	case isNumeric(left) && isNumeric(right):
		to := integerKind
		if left.kind == amountKind || right.kind == amountKind || left.kind == right.kind && left.kind == numberKind {
			to = amountKind
		}
		l, okLeft := x.convert(left, to, n.Left)
		r, okRight := x.convert(right, to, n.Right)
		return l, r, okLeft && okRight
	case left.kind == right.kind:
		return left, right, true
	}
	// The constant is the one that is written wrongly.
	at, wrong, other := n.Right, right, left
	if left.constant && !right.constant {
		at, wrong, other = n.Left, left, right
	}
	detail := fmt.Sprintf("It stands beside %s, which is %s.", x.shown(n.Left), left.kind)
	if at == n.Left {
		detail = fmt.Sprintf("It stands beside %s, which is %s.", x.shown(n.Right), right.kind)
	}
	switch {
	case wrong.kind == numberKind && other.kind == textKind:
		detail += fmt.Sprintf(" Write '%s' in quotes.", x.shown(at))
	case wrong.kind == textKind && wrong.constant && isNumeric(other):
		detail += " Write a number, without quotes."
	case wrong.kind == listKind:
		detail += " Write in to look for it in a list."
	}
	x.fail(x.extent(at), fmt.Sprintf("%s is %s", x.shown(at), wrong.kind), detail)
	return left, right, false
}

func (x *expression) conditional(n *ast.ConditionalNode) operand {
	if n.Cond == n.Exp1 { // one node in two places: ?: in ?: would double the work at every step
		x.fail(n.Cond.Location(), "a ?: b is no part of conditions", "Write a || b.")
		return operand{}
	}
	condition, yes, no := x.lower(n.Cond), x.lower(n.Exp1), x.lower(n.Exp2)
	if !x.isCondition(n.Cond, condition) || yes.kind == invalidKind || no.kind == invalidKind {
		return operand{}
	}
	pair := &ast.BinaryNode{Left: n.Exp1, Right: n.Exp2}
	yes, no, ok := x.unify(pair, yes, no)
	if !ok {
		return operand{}
	}
	if yes.kind == listKind {
		return x.unsupported(n.Exp1, "A choice is between values, not lists.")
	}
	return operand{kind: yes.kind, node: &ast.ConditionalNode{Cond: condition.node, Exp1: yes.node, Exp2: no.node}}
}

func isMetadata(n ast.Node) bool {
	name, ok := n.(*ast.IdentifierNode)
	return ok && name.Value == "metadata"
}

// inMetadata lowers 'key' in metadata; a key with the value "" counts as absent, as everywhere.
func (x *expression) inMetadata(n *ast.BinaryNode) operand {
	key, ok := n.Left.(*ast.StringNode)
	if !ok {
		x.fail(n.Left.Location(), "A key must be a constant", "Write it in quotes.")
		return operand{}
	}
	field := x.use(x.metadata(key.Value))
	return boolOf(&ast.BinaryNode{Operator: "!=", Left: field.node, Right: &ast.StringNode{}})
}

// maxPattern bounds a regular expression's compiled size, and with it the time that a long text takes to match.
const maxPattern = 1000

func (x *expression) matches(n *ast.BinaryNode, left, right operand) operand {
	if left.kind != textKind || right.kind != textKind {
		x.fail(n.Location(), "matches needs texts",
			fmt.Sprintf("%s is %s, %s is %s.", x.shown(n.Left), left.kind, x.shown(n.Right), right.kind))
		return operand{}
	}
	if !right.constant {
		x.fail(x.extent(n.Right), "A pattern must be a constant", "Write it in quotes, or in a local.")
		return operand{}
	}
	pattern := right.node.(*ast.StringNode).Value
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		x.fail(x.extent(n.Right), "Mistake in the pattern",
			strings.TrimPrefix(err.Error(), "error parsing regexp: ")+".")
		return operand{}
	}
	program, err := syntax.Compile(parsed.Simplify())
	if _, compiles := regexp.Compile(pattern); err != nil || compiles != nil || len(program.Inst) > maxPattern {
		x.fail(x.extent(n.Right), "The pattern is too large", "Write fewer or smaller repetitions.")
		return operand{}
	}
	return boolOf(&ast.BinaryNode{Operator: "matches", Left: left.node, Right: right.node})
}

// call lowers calls of methods and of names that are no functions; the parts of now are all that there is.
func (x *expression) call(n *ast.CallNode) operand {
	key, segments, ok := spell(n)
	if !ok {
		key, segments, _ = spell(n.Callee)
	}
	if key == "now.Format" && len(n.Arguments) == 1 {
		if layout, constant := n.Arguments[0].(*ast.StringNode); constant {
			return x.use(x.format(layout.Value))
		}
		x.fail(n.Arguments[0].Location(), "A layout must be a constant", "Write it in quotes, like '15:04'.")
		return operand{}
	}
	if r := x.references[key]; ok && r != nil {
		return x.use(r)
	}
	switch {
	case len(segments) == 1:
		x.fail(n.Location(), fmt.Sprintf("Unknown function %q", segments[0].name),
			unknown(segments[0].name, functionNames))
		return operand{}
	case len(segments) > 0 && segments[0].name == "now":
		return x.unknownName(n, key, segments)
	}
	return x.unsupported(n, "Only now has methods; functions are written len(payer.name).")
}

// format is the reference for now.Format(layout).
func (x *expression) format(layout string) *reference {
	key := fmt.Sprintf("now.Format(%q)", layout)
	if x.references[key] == nil {
		x.references[key] = clockTextReference(key, func(t time.Time) string { return t.Format(layout) })
	}
	return x.references[key]
}
