package routing

import (
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/shopspring/decimal"
	"github.com/zclconf/go-cty/cty"
)

// constant is a local as conditions see it: an operand, an object of constants, or why it cannot be used.
type constant struct {
	operand operand
	members map[string]constant
	refusal string
}

// conditionLocals converts the locals for conditions.
func (l *loader) conditionLocals() map[string]constant {
	constants := make(map[string]constant, len(l.locals))
	for name, local := range l.locals {
		constants[name] = constantOf(local.value)
	}
	return constants
}

func constantOf(v cty.Value) constant {
	t := v.Type()
	switch {
	case v.IsMarked() || isList(v) && v.ContainsMarked():
		return constant{refusal: "It comes from env() or file(); a decision depends on the rules and the payment alone."}
	case !v.IsWhollyKnown(): // its own fault is reported where it is written
		return constant{}
	case v.IsNull():
		return constant{refusal: "It is null."}
	case t == cty.String:
		return constant{operand: textConstant(v.AsString())}
	case t == cty.Bool:
		return constant{operand: operand{kind: boolKind, node: &ast.BoolNode{Value: v.True()}}}
	case t == cty.Number:
		return numberConstant(v)
	case isList(v):
		return listConstant(v.AsValueSlice())
	}
	members := map[string]constant{}
	for name, member := range v.AsValueMap() {
		members[name] = constantOf(member)
	}
	return constant{members: members}
}

func textConstant(s string) operand {
	return operand{kind: textKind, node: &ast.StringNode{Value: s}, constant: true}
}

// numberConstant takes a number digit by digit: cty prints the shortest decimal that reads back as the same value.
func numberConstant(v cty.Value) constant {
	d, err := decimal.NewFromString(numberText(v))
	if err != nil || len(numberText(v)) > maxDigits {
		return constant{refusal: fmt.Sprintf("It is a number of more than %d digits.", maxDigits)}
	}
	return constant{operand: operand{kind: numberKind, number: d, constant: true}}
}

// localName lowers local.NAME, and local.NAME.MEMBER where it is an object.
func (x *expression) localName(segments []segment) operand {
	c := constant{members: x.locals}
	path := "local"
	for _, s := range segments[1:] {
		path += "." + s.name
		next, ok := c.members[s.name]
		if !ok {
			x.fail(s.node.Location(), fmt.Sprintf("Unknown %s", path),
				unknown(s.name, slices.Sorted(maps.Keys(c.members))))
			return operand{}
		}
		c = next
	}
	if len(segments) > 1 {
		x.usedLocals[segments[1].name] = true
	}
	last := segments[len(segments)-1].node
	switch {
	case c.refusal != "":
		x.fail(last.Location(), fmt.Sprintf("%s cannot be used in a condition", path), c.refusal)
	case c.members != nil:
		x.fail(last.Location(), fmt.Sprintf("%s is no value", path),
			fmt.Sprintf("Write %s.NAME, with the name of one.", path))
	}
	return c.operand
}

// constants are the elements of a list: all texts, or all numbers. What expr needs of them is built once, however
// many routes use the list.
type constants struct {
	texts   []string
	numbers []decimal.Decimal
	sets    map[kind]any // by the kind of what is looked for: map[string]struct{} or map[int]struct{}
	values  any          // []string or []int
}

func (c *constants) len() int { return len(c.texts) + len(c.numbers) }

// add reports whether o can be another element.
func (c *constants) add(o operand) bool {
	switch {
	case o.kind == textKind && len(c.numbers) == 0:
		c.texts = append(c.texts, o.node.(*ast.StringNode).Value)
	case o.kind == numberKind && len(c.texts) == 0:
		c.numbers = append(c.numbers, o.number)
	default:
		return false
	}
	return true
}

func (c *constants) String() string {
	switch {
	case len(c.texts) > 0:
		return "a list of texts"
	case len(c.numbers) > 0:
		return "a list of numbers"
	}
	return "an empty list"
}

// listConstant converts a local.
func listConstant(values []cty.Value) constant {
	list := &constants{}
	for _, v := range values {
		c := constantOf(v)
		if c.refusal != "" {
			return c
		}
		if !list.add(c.operand) {
			return constant{refusal: "It is a list of other things than texts, or than numbers."}
		}
	}
	return constant{operand: operand{kind: listKind, list: list, constant: true}}
}

func (x *expression) array(n *ast.ArrayNode) operand {
	list := &constants{}
	for _, element := range n.Nodes {
		e := x.lower(element)
		switch {
		case e.kind == invalidKind:
			return operand{}
		case !e.constant:
			x.fail(x.extent(element), fmt.Sprintf("%s is no constant", x.shown(element)),
				"A list holds texts, or numbers. Compare fields one by one, with ||.")
			return operand{}
		case !list.add(e):
			x.fail(x.extent(element), fmt.Sprintf("%s is %s, in %s", x.shown(element), e.kind, list),
				"A list holds texts, or numbers.")
			return operand{}
		}
	}
	return operand{kind: listKind, list: list, constant: true}
}

// in lowers membership to a look-up in a set.
func (x *expression) in(n *ast.BinaryNode, left, right operand) operand {
	if right.kind != listKind {
		x.fail(x.extent(n.Right), fmt.Sprintf("%s is %s, not a list", x.shown(n.Right), right.kind),
			"To look into a text, write TEXT contains PART.")
		return operand{}
	}
	if left.kind == numberKind {
		var ok bool
		if left, ok = x.convert(left, amountKind, n.Left); !ok {
			return operand{}
		}
	}
	fits := left.kind == textKind && len(right.list.numbers) == 0 || isNumeric(left) && len(right.list.texts) == 0
	if !fits {
		x.fail(x.extent(n.Right), fmt.Sprintf("%s is %s", x.shown(n.Right), right.list),
			fmt.Sprintf("It stands beside %s, which is %s.", x.shown(n.Left), left.kind))
		return operand{}
	}
	set, ok := x.set(right.list, left.kind, n.Right)
	if !ok {
		return operand{}
	}
	return boolOf(&ast.BinaryNode{Operator: "in", Left: left.node, Right: &ast.ConstantNode{Value: set}})
}

// set returns a list as a set in which to look for something of a kind.
func (x *expression) set(list *constants, of kind, at ast.Node) (set any, ok bool) {
	if list.sets[of] != nil {
		return list.sets[of], true
	}
	if of == textKind {
		set = setOf(list.texts)
	} else {
		numbers, ok := x.ints(list, of, at)
		if !ok {
			return nil, false
		}
		set = setOf(numbers)
	}
	if list.sets == nil {
		list.sets = map[kind]any{}
	}
	list.sets[of] = set
	return set, true
}

func setOf[T comparable](list []T) map[T]struct{} {
	set := make(map[T]struct{}, len(list))
	for _, v := range list {
		set[v] = struct{}{}
	}
	return set
}

// ints returns the numbers of a list as expr computes with them.
func (x *expression) ints(list *constants, as kind, at ast.Node) ([]int, bool) {
	ints := make([]int, len(list.numbers))
	for i, d := range list.numbers {
		var exact bool
		if ints[i], exact = exactInt(d, as); !exact {
			x.fail(x.extent(at), fmt.Sprintf("%s cannot be %s, exactly", d, as),
				exactAmounts+" Whole numbers have none.")
			return nil, false
		}
	}
	return ints, true
}

// elements returns a list as a value, and what # stands for in it.
func (x *expression) elements(list *constants, at ast.Node) (node ast.Node, element operand, ok bool) {
	element = operand{kind: textKind, node: &ast.PointerNode{}}
	if len(list.numbers) > 0 {
		element.kind = integerKind
	}
	for _, d := range list.numbers {
		if !d.IsInteger() {
			element.kind = amountKind
		}
	}
	switch {
	case list.values != nil:
	case element.kind == textKind:
		list.values = list.texts
	default:
		ints, ok := x.ints(list, element.kind, at)
		if !ok {
			return nil, operand{}, false
		}
		list.values = ints
	}
	return &ast.ConstantNode{Value: list.values}, element, true
}
