package routing

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/cauce-pay/cauce/payment"
)

// codes are the fields whose values are of a closed list: no valid payment has another.
var codes = map[string][]string{
	"operation":           texts(payment.Operations()),
	"method":              methodNames(),
	"payer.kind":          {string(payment.Natural), string(payment.Legal)},
	"payee.kind":          {string(payment.Natural), string(payment.Legal)},
	"payer.document.type": texts(payment.DocumentTypes()),
	"payee.document.type": texts(payment.DocumentTypes()),
	"payee.account.type":  texts([]payment.AccountType{payment.Savings, payment.Checking, payment.ElectronicDeposit}),
}

func texts[T ~string](list []T) []string {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = string(v)
	}
	return names
}

func methodNames() []string {
	var names []string
	for _, o := range payment.Operations() {
		names = append(names, texts(o.Methods())...)
	}
	return names
}

// codeWarner warns of comparisons with a code that no payment can have.
type codeWarner struct{ x *expression }

func (w codeWarner) Visit(n *ast.Node) {
	b, ok := (*n).(*ast.BinaryNode)
	if !ok || b.Operator != "==" && b.Operator != "!=" && b.Operator != "in" {
		return
	}
	field, value := b.Left, b.Right
	if _, constant := field.(*ast.StringNode); constant {
		field, value = value, field
	}
	key, _, ok := spell(field)
	if !ok {
		return
	}
	switch value := value.(type) {
	case *ast.StringNode:
		w.check(key, value.Value, value)
	case *ast.ArrayNode:
		for _, element := range value.Nodes {
			if text, ok := element.(*ast.StringNode); ok {
				w.check(key, text.Value, text)
			}
		}
	default:
		w.checkLocal(key, value)
	}
}

func (w codeWarner) checkLocal(key string, n ast.Node) {
	_, segments, ok := spell(n)
	if !ok || segments[0].name != "local" {
		return
	}
	c := constant{members: w.x.locals}
	for _, s := range segments[1:] {
		c = c.members[s.name]
	}
	if c.operand.list != nil {
		for _, text := range c.operand.list.texts {
			w.check(key, text, n)
		}
	} else if text, ok := c.operand.node.(*ast.StringNode); ok {
		w.check(key, text.Value, n)
	}
}

func (w codeWarner) check(key, value string, at ast.Node) {
	known, closed := codes[key]
	where := w.x.extent(at)
	fail := func(detail string) {
		w.x.warn(where, fmt.Sprintf("No payment has %s %q", key, value), detail)
	}
	switch {
	case value == "":
	case closed && !slices.Contains(known, value):
		fail(unknown(value, known))
	case isBankField(key) && !payment.IsBankCode(value):
		fail("Banks have four-digit PSE codes; GET /v1/banks lists them.")
	}
}
