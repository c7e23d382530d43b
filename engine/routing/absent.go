package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// warnAbsent warns of every test that holds for a payment which leaves the tested field out, where nothing shows
// that this was thought of: payer.bank != '1007' holds without a bank. A field is guarded where the condition
// compares it with an empty text, or a list that has one, or takes its length anywhere, or where && joins the test with one that needs the field.
func (x *expression) warnAbsent(root ast.Node) {
	if text := string(x.text); !strings.ContainsRune(text, '!') && !strings.Contains(text, "not") && !strings.Contains(text, "none") {
		return // nothing can hold for what is absent
	}
	v := &explicitTests{x: x, fields: map[string]bool{}}
	ast.Walk(&root, v)
	x.visitTests(root, false, v.fields)
}

// explicitTests finds the fields whose absence a condition asks about.
type explicitTests struct {
	x      *expression
	fields map[string]bool
}

func (v *explicitTests) Visit(n *ast.Node) {
	switch n := (*n).(type) {
	case *ast.BinaryNode:
		for _, side := range []ast.Node{n.Left, n.Right} {
			if slices.Contains(v.x.constantTexts(side), "") {
				maps.Copy(v.fields, v.x.optionalFields(n))
			}
		}
	case *ast.BuiltinNode:
		if n.Name == "len" {
			maps.Copy(v.fields, v.x.optionalFields(n))
		}
	}
}

// implied are the fields that a valid payment of an operation or method has.
var implied = map[string][]string{
	"payout":        {"payee.bank", "payee.account.type", "payee.account.number"},
	"bank_transfer": {"payee.bank", "payee.account.type", "payee.account.number"},
	"bill":          {"bill.biller", "bill.reference"},
}

// visitTests goes through the tests below n; negated tells whether a `not` around it turns them round.
func (x *expression) visitTests(n ast.Node, negated bool, guarded map[string]bool) {
	switch n := n.(type) {
	case *ast.UnaryNode:
		x.visitTests(n.Node, !negated, guarded)
		return
	case *ast.ConditionalNode:
		x.visitTests(n.Cond, negated, guarded)
		x.visitTests(n.Exp1, negated, x.guardedBy(n.Cond, false, guarded))
		x.visitTests(n.Exp2, negated, x.guardedBy(n.Cond, true, guarded))
		return
	case *ast.BinaryNode:
		if joins(n.Operator) {
			if isAnd(n.Operator) != negated {
				guarded = x.guardedBy(n, negated, guarded)
			}
			x.visitTests(n.Left, negated, guarded)
			x.visitTests(n.Right, negated, guarded)
			return
		}
	}
	if holds, ok := needsField(n); !ok || holds != negated {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(x.optionalFields(n))) {
		if !guarded[key] {
			at := x.extent(n)
			x.faults = append(x.faults, fault{
				at.From, at.To, Warning, fmt.Sprintf("%s may be absent, and this then holds", key),
				fmt.Sprintf("Write %s != '' && … if it shall not, or %s == '' || … if it shall.", key, key),
			})
		}
	}
}

// guardedBy adds the fields that are present whenever n holds (or, negated, does not).
func (x *expression) guardedBy(n ast.Node, negated bool, guarded map[string]bool) map[string]bool {
	guarded = maps.Clone(guarded)
	var add func(n ast.Node, negated bool)
	add = func(n ast.Node, negated bool) {
		switch n := n.(type) {
		case *ast.UnaryNode:
			add(n.Node, !negated)
			return
		case *ast.BinaryNode:
			if joins(n.Operator) {
				if isAnd(n.Operator) != negated {
					add(n.Left, negated)
					add(n.Right, negated)
				}
				return
			}
			for _, key := range impliedBy(n, negated) {
				guarded[key] = true
			}
		}
		if holds, ok := needsField(n); ok && holds != negated {
			maps.Copy(guarded, x.optionalFields(n))
		}
	}
	add(n, negated)
	return guarded
}

// impliedBy returns what a valid payment has if it is of the operation or method that n asks for.
func impliedBy(n *ast.BinaryNode, negated bool) []string {
	value, ok := n.Right.(*ast.StringNode)
	key, _, _ := spell(n.Left)
	if !ok || n.Operator != "==" || negated || key != "operation" && key != "method" {
		return nil
	}
	return implied[value.Value]
}

// needsField tells of a single test whether it needs its field to hold (==, in, contains, ...) or not to hold (!=,
// none). ok is false for tests of which neither can be said, like those of order.
func needsField(n ast.Node) (toHold, ok bool) {
	switch n := n.(type) {
	case *ast.BinaryNode:
		switch n.Operator {
		case "==", "in", "contains", "startsWith", "endsWith", "matches":
			return true, true
		case "!=":
			return false, true
		}
	case *ast.BuiltinNode:
		return n.Name != "none", true
	}
	return false, false
}

func joins(operator string) bool { return isAnd(operator) || operator == "||" || operator == "or" }
func isAnd(operator string) bool { return operator == "&&" || operator == "and" }

// optionalFields returns the fields at or below n that a payment may leave out.
func (x *expression) optionalFields(n ast.Node) map[string]bool {
	f := &fieldFinder{x: x, fields: map[string]bool{}}
	ast.Walk(&n, f)
	return f.fields
}

type fieldFinder struct {
	x      *expression
	fields map[string]bool
}

func (f *fieldFinder) Visit(n *ast.Node) {
	key, segments, ok := spell(*n)
	if !ok {
		return
	}
	if r := f.x.lookUp(key, segments); r != nil && r.optional {
		f.fields[key] = true
	}
}
