package main

import (
	"fmt"
	"strings"

	"github.com/cauce-pay/cauce/payment"
)

// Route i is for one shop, in one band of amounts, from some banks, for natural persons.

func routeName(i int) string { return fmt.Sprintf("r%d", i) }
func shop(i int) string      { return fmt.Sprintf("shop-%d", i/2) }

func banks(i int) []string { return [][]string{{"1007", "1051"}, {"1013", "1022", "1007"}}[i/2%2] }

// band returns the lowest and the highest amount of a route: a shop has two routes, for small and large amounts.
func band(i int) (least, most int) {
	if i%2 == 0 {
		return 1000, 500_000 + i
	}
	return 500_001 + i, 40_000_000
}

func condition(i int) string {
	least, most := band(i)
	return fmt.Sprintf("operation == 'payin' && method == 'pse' && metadata.shop == '%s' && amount >= %d && amount <= %d && "+
		"payer.document.type in ['CC', 'CE'] && payer.bank in ['%s']", shop(i), least, most, strings.Join(banks(i), "', '"))
}

// request is a payment that route i takes.
func request(i int) *payment.Request {
	least, _ := band(i)
	return &payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(int64(least + 10)), Currency: "COP", Country: "CO",
		Payer: payment.Party{
			Name: "Miguel Rodriguez", Bank: banks(i)[0], Document: payment.Document{Type: payment.CC, Number: "987654321"},
		},
		Metadata: map[string]string{"shop": shop(i)},
	}
}

// cauceRules are the routes from one to another; the providers come with the first.
func cauceRules(from, to int) string {
	var b strings.Builder
	if from == 0 {
		b.WriteString("provider \"a\" {}\nprovider \"b\" {}\n")
	}
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "route %q {\n  when      = %q\n  providers = [\"a\", \"b\"]\n}\n", routeName(i), condition(i))
	}
	return b.String()
}

func agentRules(n int) string {
	var b strings.Builder
	b.WriteString("package routing\n\ndefault first := -1\n\nfirst := min(holds) if count(holds) > 0\n\n")
	for i := range n {
		least, most := band(i)
		fmt.Fprintf(&b, "holds contains %d if {\n  input.operation == \"payin\"\n  input.method == \"pse\"\n  input.metadata.shop == %q\n"+
			"  input.amount >= %d\n  input.amount <= %d\n  input.payer.document.type in {\"CC\", \"CE\"}\n  input.payer.bank in {\"%s\"}\n}\n",
			i, shop(i), least, most, strings.Join(banks(i), `", "`))
	}
	return b.String()
}

// environment is the same payment for those that know no payments.
func environment(r *payment.Request) map[string]any {
	return map[string]any{
		"operation": string(r.Operation), "method": string(r.Method), "amount": int(r.Amount.Minor() / 100),
		"payer": map[string]any{
			"bank": r.Payer.Bank, "document": map[string]any{"type": string(r.Payer.Document.Type)},
		},
		"metadata": r.Metadata,
	}
}
