package routing

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cauce-pay/cauce/payment"
)

func analysisFiles(t *testing.T, name string) []txtar.File {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "analysis", name))
	if err != nil {
		t.Fatal(err)
	}
	return a.Files
}

// marked takes the marks « and » out of a text, and tells at which line and column they stand, and what is in them.
func marked(text string) (plain string, line, column int, word string) {
	before, rest, _ := strings.Cut(text, "«")
	word, after, _ := strings.Cut(rest, "»")
	line = strings.Count(before, "\n") + 1
	column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return before + word + after, line, column, word
}

func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	for _, f := range analysisFiles(t, "mistakes.txtar") {
		content, line, column, word := marked(string(f.Data))
		summary, _, _ := strings.Cut(strings.TrimPrefix(content, "# "), "\n")
		_, ds := loadText(t.TempDir(), f.Name, content)
		at := func(d Diagnostic) bool {
			return d.Severity == Warning && d.Summary == summary && d.Line == line && d.Column == column &&
				d.width == utf8.RuneCountInString(word)
		}
		if len(ds) != 1 || !at(ds[0]) {
			t.Errorf("%s: want %q at %d:%d, %q; got %+v in\n%s", f.Name, summary, line, column, word, ds, content)
		}
	}
}

func TestGoodRulesAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, f := range analysisFiles(t, "good.txtar") {
		if _, ds := loadText(t.TempDir(), f.Name, string(f.Data)); len(ds) > 0 {
			t.Errorf("%s: %+v in\n%s", f.Name, ds, f.Data)
		}
	}
}

// unreached returns the routes, by the line of their label, of which it was said that no payment takes them. Each
// route of b has its condition on the line after.
func unreached(ds Diagnostics) map[int]bool {
	said := map[int]bool{}
	for _, d := range ds {
		switch {
		case strings.HasSuffix(d.Summary, "is never reached"):
			said[d.Line] = true
		case d.Summary == "This never holds":
			said[d.Line-1] = true
		}
	}
	return said
}

// TestUnreachedRoutesAreNeverTaken looks for a payment that takes a route of which it was said that none does.
func TestUnreachedRoutesAreNeverTaken(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := randomRules{rand.New(rand.NewPCG(seed, 1))}
	routes := 0
	for range 200 {
		var b strings.Builder
		b.WriteString("locals {\n  on = true\n  banks = [\"1007\", \"1013\"]\n}\n")
		for i := range 2 + r.IntN(10) {
			fmt.Fprintf(&b, "route \"r%d\" {\n  when = %q\n  reject = \"no\"\n}\n", i, r.condition(r.IntN(3)))
		}
		rules, ds := loadText(t.TempDir(), "routing.hcl", b.String())
		if rules == nil {
			t.Fatal(ds)
		}
		said := unreached(ds)
		routes += len(said)
		for range 200 {
			req, now := r.request(), time.Date(2026, 11, 21, r.IntN(24), 0, 0, 0, time.UTC)
			if req.WithDefaults().Validate() != nil {
				continue
			}
			if i, _ := rules.match(req, now); i != noRoute {
				if line := rules.routes[i].label.diagnostic(Warning, "", "").Line; said[line] {
					t.Fatalf("seed %d: line %d takes %+v at %s under\n%s", seed, line, req, now, b.String())
				}
			}
		}
	}
	if routes == 0 {
		t.Errorf("seed %d: no route was said to be unreached", seed)
	}
}

// finiteTest writes a test of fields whose values allPayments goes through.
func (r randomRules) finiteTest() string {
	order := r.pick("==", "!=", "<", "<=", ">", ">=")
	in := r.pick("in", "not in")
	switch r.IntN(6) {
	case 0:
		return "operation " + r.pick("==", "!=") + " '" + r.pick("payin", "payout", "bill") + "'"
	case 1:
		return "method " + in + " ['" + r.pick("pse", "card", "bill") + "', '" + r.pick("efecty", "bank_transfer") + "']"
	case 2, 3:
		return "amount " + order + " " + r.pick("0", "0.01", "1000", "1000.01", "2000")
	case 4:
		return "payee.account.type " + in + " ['" + r.pick("", "savings") + "', 'checking']"
	default:
		return "payer.document.type " + in + " ['" + r.pick("", "TI", "PP") + "', '" + r.pick("CC", "CE") + "', 'NIT', 'TE']"
	}
}

func (r randomRules) finiteCondition(depth int) string {
	if depth == 0 || r.IntN(3) == 0 {
		return r.finiteTest()
	}
	join := r.pick(" && ", " || ")
	return r.pick("", "", "not ") + "(" + r.finiteCondition(depth-1) + join + r.finiteCondition(depth-1) + ")"
}

// allPayments are valid payments with all combinations of what finiteTest asks for: at, and on both sides of, its bounds.
func allPayments() (all []*payment.Request) {
	for _, o := range payment.Operations() {
		for _, method := range o.Methods() {
			for _, amount := range []int64{1, 2, 99_999, 100_000, 100_001, 100_002, 199_999, 200_000, 200_001} {
				for _, document := range append(payment.DocumentTypes(), "") {
					for _, account := range []payment.AccountType{"", payment.Savings, payment.Checking, payment.ElectronicDeposit} {
						req := payment.Request{Operation: o, Method: method, Amount: payment.MoneyOfMinor(amount)}
						if document != "" {
							req.Payer.Document = payment.Document{Type: document, Number: "1"}
						}
						if account != "" {
							req.Payee.Bank, req.Payee.Account = "1007", payment.Account{Type: account, Number: "1"}
						}
						if o == payment.Bill {
							req.Bill = payment.BillTarget{Biller: "etb", Reference: "1"}
						}
						if req = req.WithDefaults(); req.Validate() == nil {
							all = append(all, &req)
						}
					}
				}
			}
		}
	}
	return all
}

// TestUnreachedRoutesAreFound decides all payments that conditions can tell apart: what is said to be unreached is what
// none of them takes, no less and no more.
func TestUnreachedRoutesAreFound(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := randomRules{rand.New(rand.NewPCG(seed, 2))}
	payments, now := allPayments(), testFacts().Now
	found := 0
	for range 300 {
		var b strings.Builder
		n := 2 + r.IntN(6)
		for i := range n {
			fmt.Fprintf(&b, "route \"r%d\" {\n  when = %q\n  reject = \"no\"\n}\n", i, r.finiteCondition(r.IntN(3)))
		}
		rules, ds := loadText(t.TempDir(), "routing.hcl", b.String())
		if rules == nil {
			t.Fatal(ds)
		}
		taken := make([]bool, n)
		for _, req := range payments {
			if i, _ := rules.match(req, now); i != noRoute {
				taken[i] = true
			}
		}
		said := unreached(ds)
		found += len(said)
		for i, taken := range taken {
			if taken == said[1+4*i] {
				t.Fatalf("seed %d: route r%d is taken: %v; said to be unreached: %v; under\n%s", seed, i, taken, !taken, b.String())
			}
		}
	}
	if found < 100 {
		t.Errorf("seed %d: only %d routes are unreached", seed, found)
	}
}

// TestCheck expects of each file what its first line says, at the marked word, or nothing where it begins with "# ok".
func TestCheck(t *testing.T) {
	t.Parallel()
	capabilities := map[string][]payment.Capability{
		"pse": {{
			Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"},
			DocumentTypes: []payment.DocumentType{payment.CC, payment.NIT},
			AmountMin:     payment.Pesos(1000), AmountMax: payment.Pesos(5000), Required: []string{"payer.bank", "payer.email"},
		}},
		"out": {{Operation: payment.PayOut, Method: payment.BankTransfer, Currencies: []string{"COP"}}},
	}
	for _, f := range analysisFiles(t, "check.txtar") {
		content, line, column, word := marked(string(f.Data))
		want, _, _ := strings.Cut(strings.TrimPrefix(content, "# "), "\n")
		ds := mustLoad(t, content).Check(capabilities)
		if want == "ok" {
			if len(ds) > 0 {
				t.Errorf("%s: %+v in\n%s", f.Name, ds, content)
			}
			continue
		}
		if len(ds) != 1 || ds[0].Summary+": "+ds[0].Detail != want || ds[0].Line != line || ds[0].Column != column ||
			ds[0].width != utf8.RuneCountInString(word) {
			t.Errorf("%s: want %q at %d:%d, %q; got %+v in\n%s", f.Name, want, line, column, word, ds, content)
		}
	}
}

// TestProofsAreBounded has routes each of which cuts a piece from all later ones, which took half a minute at 10,000 routes.
func TestProofsAreBounded(t *testing.T) {
	t.Parallel()
	r := mustLoad(t, manyRoutes(800))
	c := newCover(r.routes, r.domains)
	for i, route := range r.routes {
		boxes, _ := route.outline(r.domains)
		c.covers(boxes)
		c.add(i, boxes)
	}
	if c.cuts < maxCuts || c.cuts > maxCuts+maxPieces {
		t.Errorf("%d cuts", c.cuts)
	}
}
