package routing

import (
	"fmt"
	"slices"
	"strings"

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
	if list, ok := value.(*ast.ArrayNode); ok { // each at its own place
		for _, element := range list.Nodes {
			for _, text := range w.x.constantTexts(element) {
				w.check(key, text, element)
			}
		}
		return
	}
	for _, text := range w.x.constantTexts(value) {
		w.check(key, text, value)
	}
}

// constantTexts returns the texts that a constant, a list or a local is or holds.
func (x *expression) constantTexts(n ast.Node) (texts []string) {
	switch n := n.(type) {
	case *ast.StringNode:
		return []string{n.Value}
	case *ast.ArrayNode:
		for _, element := range n.Nodes {
			texts = append(texts, x.constantTexts(element)...)
		}
		return texts
	}
	_, segments, ok := spell(n)
	if !ok || segments[0].name != "local" {
		return nil
	}
	c := constant{members: x.locals}
	for _, s := range segments[1:] {
		c = c.members[s.name]
	}
	if c.operand.list != nil {
		return c.operand.list.texts
	}
	return x.constantTexts(c.operand.node)
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
	case key == "currency" && !isCode(value, 3), key == "country" && !isCode(value, 2):
		fail(fmt.Sprintf("It is the ISO code in capitals, like %s.", map[string]string{"currency": "COP", "country": "CO"}[key]))
	case isBankField(key) && !payment.IsBankCode(value):
		fail("Banks have four-digit PSE codes; GET /v1/banks lists them.")
	}
}

// isCode reports whether s is made of n capitals.
func isCode(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
