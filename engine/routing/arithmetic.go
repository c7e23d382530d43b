package routing

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/shopspring/decimal"

	"github.com/cauce-pay/cauce/payment"
)

// literalNumber reads a number digit by digit from the source: expr has made a float of it.
func (x *expression) literalNumber(n ast.Node) operand {
	written := x.slice(n.Location())
	d, err := decimal.NewFromString(strings.ReplaceAll(written, "_", ""))
	if err != nil || strings.ContainsAny(written, "eExXbBoO") || len(written) > maxDigits {
		x.fail(n.Location(), fmt.Sprintf("%s is no plain number", written),
			"Write its digits, with at most one point: 1000.50.")
		return operand{}
	}
	return operand{kind: numberKind, number: d, constant: true}
}

func isNumeric(o operand) bool {
	return o.kind == amountKind || o.kind == integerKind || o.kind == numberKind
}

// convert turns a numeric operand into an amount or a whole number, exactly or not at all.
func (x *expression) convert(o operand, to kind, at ast.Node) (operand, bool) {
	switch {
	case o.kind == to:
		return o, true
	case o.kind == integerKind: // to an amount
		return operand{kind: to, node: exact("*", o.node, &ast.IntegerNode{Value: 100})}, true
	}
	n, exact := exactInt(o.number, to)
	switch {
	case exact:
	case to == amountKind:
		x.fail(x.extent(at), fmt.Sprintf("%s is not an exact amount", x.shown(at)), exactAmounts)
	default:
		x.fail(x.extent(at), fmt.Sprintf("%s is no whole number", x.shown(at)),
			"It stands beside one. Only amounts have decimals.")
	}
	node := &ast.IntegerNode{Value: n}
	node.SetLocation(at.Location())
	return operand{kind: to, node: node, constant: true}, exact
}

const exactAmounts = "Amounts have at most two decimals, and 15 digits before the point."

// exactInt returns a number as expr computes with it: an amount in hundredths, a whole number as it is.
func exactInt(d decimal.Decimal, as kind) (n int, exact bool) {
	if as == amountKind {
		money, err := payment.MoneyOfDecimal(d)
		return int(money.Minor()), err == nil
	}
	return int(d.IntPart()), d.IsInteger() && d.Abs().LessThanOrEqual(decimal.New(math.MaxInt64, 0))
}

func (x *expression) arithmetic(n *ast.BinaryNode, left, right operand) operand {
	if n.Operator == "+" && left.kind == textKind && right.kind == textKind {
		return operand{kind: textKind, node: &ast.BinaryNode{Operator: "+", Left: left.node, Right: right.node}}
	}
	if !isNumeric(left) || !isNumeric(right) {
		x.fail(n.Location(), fmt.Sprintf("%s needs numbers", n.Operator),
			fmt.Sprintf("%s is %s, %s is %s.", x.shown(n.Left), left.kind, x.shown(n.Right), right.kind))
		return operand{}
	}
	if left.kind == numberKind && right.kind == numberKind && n.Operator != "%" {
		return fold(n.Operator, left, right)
	}
	if n.Operator == "*" {
		return x.multiply(n, left, right)
	}
	left, right, ok := x.unify(n, left, right)
	if !ok {
		return operand{}
	}
	if zero, constant := right.node.(*ast.IntegerNode); n.Operator == "%" && constant && zero.Value == 0 {
		x.fail(x.extent(n.Right), "Division by zero", "")
		return operand{}
	}
	return operand{kind: left.kind, node: exact(n.Operator, left.node, right.node)}
}

// multiply takes an amount any whole number of times.
func (x *expression) multiply(n *ast.BinaryNode, left, right operand) operand {
	result := integerKind
	if left.kind == amountKind || right.kind == amountKind {
		result = amountKind
	}
	if left.kind == amountKind && right.kind == amountKind {
		x.fail(n.Location(), "An amount times an amount is no amount", "Multiply it by a whole number.")
		return operand{}
	}
	ok := true
	for _, side := range []struct {
		o  *operand
		at ast.Node
	}{{&left, n.Left}, {&right, n.Right}} {
		if side.o.kind == numberKind {
			if !side.o.number.IsInteger() {
				x.fail(x.extent(side.at), fmt.Sprintf("%s is no whole number", x.shown(side.at)),
					"Its product could not be exact. For a share, multiply both sides: tax * 100 > amount * 19.")
				return operand{}
			}
			*side.o, ok = x.convert(*side.o, integerKind, side.at)
		}
		if !ok {
			return operand{}
		}
	}
	return operand{kind: result, node: exact("*", left.node, right.node)}
}

// fold computes with constants. Digits are bounded by the length of an expression.
func fold(operator string, left, right operand) operand {
	switch operator {
	case "+":
		left.number = left.number.Add(right.number)
	case "-":
		left.number = left.number.Sub(right.number)
	default:
		left.number = left.number.Mul(right.number)
	}
	return left
}

// exact calls one of exactFunctions.
func exact(operator string, a, b ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: "exact " + operator}, Arguments: []ast.Node{a, b}}
}

// exactFunctions are the arithmetic of conditions, under names that no expression can call.
var exactFunctions = func() map[string]*builtin.Function {
	m := map[string]*builtin.Function{}
	for name, f := range exactArithmetic {
		m["exact "+name] = &builtin.Function{
			Name:  "exact " + name,
			Types: []reflect.Type{reflect.TypeFor[func(int, int) int]()},
			Func:  func(args ...any) (any, error) { return f(args[0].(int), args[1].(int)) },
		}
	}
	return m
}()

var errOverflow = errors.New("the result is larger than can be computed exactly")

// exactArithmetic refuses what does not fit, instead of wrapping around.
var exactArithmetic = map[string]func(a, b int) (int, error){
	"+": func(a, b int) (int, error) {
		if c := a + b; (c > a) == (b > 0) {
			return c, nil
		}
		return 0, errOverflow
	},
	"-": func(a, b int) (int, error) {
		if c := a - b; (c < a) == (b > 0) {
			return c, nil
		}
		return 0, errOverflow
	},
	"*": func(a, b int) (int, error) {
		c := a * b
		if a == 0 || c/a == b && (a != -1 || b != math.MinInt) {
			return c, nil
		}
		return 0, errOverflow
	},
	"%": func(a, b int) (int, error) {
		if b == 0 {
			return 0, errors.New("division by zero")
		}
		return a % b, nil
	},
}
