package routing

import (
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// boxes returns the normal form of what lower has made of a condition, turned round if negated. ok is false where it
// has none: expr has to evaluate it.
func (x *expression) boxes(n ast.Node, negated bool) (form []box, ok bool) {
	switch n := n.(type) {
	case *ast.BoolNode:
		return truth(n.Value != negated), true
	case *ast.UnaryNode:
		return x.boxes(n.Node, !negated)
	case *ast.BinaryNode:
		if !joins(n.Operator) {
			return x.testBoxes(n, negated)
		}
		left, okLeft := x.boxes(n.Left, negated)
		right, okRight := x.boxes(n.Right, negated)
		if !okLeft || !okRight {
			return nil, false
		}
		if isAnd(n.Operator) != negated {
			return allOf(left, right)
		}
		return anyOf(left, right)
	}
	return nil, false
}

func truth(value bool) []box {
	if value {
		return []box{{}}
	}
	return nil
}

// testBoxes returns the normal form of a single test.
func (x *expression) testBoxes(n *ast.BinaryNode, negated bool) ([]box, bool) {
	operator := n.Operator
	field, constant := n.Left, n.Right
	if _, ok := constant.(*ast.IdentifierNode); ok {
		field, constant = constant, field
		operator = mirrored(operator)
	}
	name, ok := field.(*ast.IdentifierNode)
	if !ok {
		value, known := compareConstants(n)
		return truth(value != negated), known
	}
	t := &test{of: x.references[name.Value]}
	switch c := constant.(type) {
	case *ast.StringNode:
		ok = operator == "==" || operator == "!="
		t.texts, t.not = []string{c.Value}, operator == "!="
	case *ast.IntegerNode:
		t.ranges, ok = rangesOf(operator, c.Value)
	case *ast.ConstantNode:
		ok = operator == "in"
		switch set := c.Value.(type) {
		case map[string]struct{}:
			if len(set) > maxValues {
				return nil, false
			}
			t.texts = slices.Sorted(maps.Keys(set))
		case map[int]struct{}:
			if len(set) > maxValues {
				return nil, false
			}
			for _, v := range slices.Sorted(maps.Keys(set)) {
				t.ranges = append(t.ranges, interval{v, v})
			}
			t.ranges = joinNeighbours(t.ranges)
		}
	default:
		return nil, false
	}
	if negated {
		t = t.negated()
	}
	switch {
	case t.never():
		return nil, ok
	case t.always():
		return []box{{}}, ok
	}
	return []box{{t}}, ok
}

// mirrored returns the operator with which b stands to a.
func mirrored(operator string) string {
	switch operator {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return operator
}

// rangesOf returns the numbers that stand so to v.
func rangesOf(operator string, v int) (ranges []interval, ok bool) {
	below, above := interval{everyNumber.from, v - 1}, interval{v + 1, everyNumber.to}
	if v == everyNumber.from {
		below = interval{1, 0}
	}
	if v == everyNumber.to {
		above = interval{1, 0}
	}
	switch operator {
	case "==":
		ranges = []interval{{v, v}}
	case "!=":
		ranges = []interval{below, above}
	case "<":
		ranges = []interval{below}
	case "<=":
		ranges = []interval{{everyNumber.from, v}}
	case ">":
		ranges = []interval{above}
	case ">=":
		ranges = []interval{{v, everyNumber.to}}
	default:
		return nil, false
	}
	return slices.DeleteFunc(ranges, func(r interval) bool { return r.from > r.to }), true
}

func joinNeighbours(ranges []interval) []interval {
	var joined []interval
	for _, r := range ranges {
		if last := len(joined) - 1; last >= 0 && joined[last].to+1 == r.from {
			joined[last].to = r.to
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// compareConstants evaluates a test between two constants.
func compareConstants(n *ast.BinaryNode) (value, known bool) {
	switch left := n.Left.(type) {
	case *ast.StringNode:
		switch right := n.Right.(type) {
		case *ast.StringNode:
			return (left.Value == right.Value) == (n.Operator == "=="), n.Operator == "==" || n.Operator == "!="
		case *ast.ConstantNode:
			set, ok := right.Value.(map[string]struct{})
			_, value = set[left.Value]
			return value, ok && n.Operator == "in"
		}
	case *ast.IntegerNode:
		switch right := n.Right.(type) {
		case *ast.IntegerNode:
			ranges, ok := rangesOf(n.Operator, right.Value)
			t := test{ranges: ranges}
			return t.holdsNumber(left.Value), ok
		case *ast.ConstantNode:
			set, ok := right.Value.(map[int]struct{})
			_, value = set[left.Value]
			return value, ok && n.Operator == "in"
		}
	}
	return false, false
}

// mayFail reports whether what lower has made may have no value for some payment. Only what surely has one is
// evaluated out of its order.
func mayFail(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IdentifierNode, *ast.StringNode, *ast.IntegerNode, *ast.BoolNode, *ast.ConstantNode:
		return false
	case *ast.UnaryNode:
		return mayFail(n.Node)
	case *ast.BinaryNode: // + makes texts, which count against the memory budget
		return n.Operator == "+" || mayFail(n.Left) || mayFail(n.Right)
	}
	return true
}
