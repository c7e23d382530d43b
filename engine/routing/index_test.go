package routing

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/cauce-pay/cauce/payment"
)

// randomRules writes conditions and payments over few values, so that they meet often.
type randomRules struct{ *rand.Rand }

// shops are texts that fit in a slot of a textTable, just fit, and do not.
var shops = []string{"a", "b", "", "shop with a name of 27 char", "shop with a name of 28 chars", "shop with a name of 28 Chars"}

func (r randomRules) pick(of ...string) string { return of[r.IntN(len(of))] }

func (r randomRules) banks() string {
	banks := make([]string, r.IntN(4))
	for i := range banks {
		banks[i] = "'" + r.pick("1007", "1051", "1013", "") + "'"
	}
	return "[" + strings.Join(banks, ", ") + "]"
}

func (r randomRules) number() string {
	return r.pick("-1", "0", "1", "1000", "1000.01", "5000", "20000", "20000.50", "999999999999999.99")
}

func (r randomRules) test() string {
	order := r.pick("==", "!=", "<", "<=", ">", ">=")
	equal := r.pick("==", "!=")
	switch r.IntN(16) {
	case 0:
		return "operation " + equal + " '" + r.pick("payin", "payout") + "'"
	case 1:
		return "'" + r.pick("pse", "card") + "' " + equal + " method"
	case 2, 3, 4:
		return r.pick("amount", "tax") + " " + order + " " + r.number()
	case 5:
		return r.number() + " " + order + " amount"
	case 6, 7:
		return "payer.bank " + r.pick("in", "not in") + " " + r.banks()
	case 8:
		return "payer.document.type " + r.pick("in", "not in") + " ['CC', 'CE', '']"
	case 9:
		return "amount " + r.pick("in", "not in") + " [0, 1000, 1000.01, 20000]"
	case 10:
		return "now.Hour() " + order + " " + strconv.Itoa(r.IntN(24))
	case 11:
		return "metadata.shop " + equal + " '" + r.pick(shops...) + "'"
	case 12:
		return r.pick("reference startsWith 'A'", "len(reference) > 1", "payer.bank == payee.bank", "amount > tax", "1 < amount < 20000")
	case 13:
		return r.pick("amount * 9000000000000000000 > 0", "amount % (len(reference) * 0) == 0", "reference + 'x' == 'Ax'")
	case 14:
		return r.pick("true", "false", "'a' == 'a'", "1 > 2", "local.on", "'x' in ['x']")
	default:
		return "payer.bank in local.banks"
	}
}

func (r randomRules) condition(depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		return r.test()
	}
	left, right := r.condition(depth-1), r.condition(depth-1)
	switch r.IntN(6) {
	case 0:
		return "not (" + left + ")"
	case 1, 2:
		return "(" + left + " || " + right + ")"
	}
	return left + " && " + right
}

func (r randomRules) request() *payment.Request {
	minor := []int64{-100, 0, 100, 100000, 100001, 500000, 2000000, 2000050, 99999999999999999}
	req := payment.Request{
		Operation: payment.Operation(r.pick("payin", "payout")), Method: payment.Method(r.pick("pse", "card")),
		Amount: payment.MoneyOfMinor(minor[r.IntN(len(minor))]), Tax: payment.MoneyOfMinor(minor[r.IntN(len(minor))]),
		Reference: r.pick("", "A", "AB", "B"),
		Payer: payment.Party{Bank: r.pick("", "1007", "1051", "9999"),
			Document: payment.Document{Type: payment.DocumentType(r.pick("CC", "CE", "TI", ""))}},
		Payee:    payment.Party{Bank: r.pick("", "1007")},
		Metadata: map[string]string{"shop": r.pick(shops...)},
	}
	return &req
}

// TestIndexAgreesWithExpr compares the index with evaluating every condition in file order by expr alone.
// CAUCE_INDEX_PAIRS sets how many pairs of a route and a payment are compared.
func TestIndexAgreesWithExpr(t *testing.T) {
	t.Parallel()
	pairs := 100_000
	if s := os.Getenv("CAUCE_INDEX_PAIRS"); s != "" {
		var err error
		if pairs, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := randomRules{rand.New(rand.NewPCG(seed, 0))}
	matched, faulty := 0, 0
	for compared := 0; compared < pairs; {
		whens := make([]string, 1+r.IntN(1<<(1+r.IntN(8))))
		var b strings.Builder
		b.WriteString("locals {\n  on = true\n  banks = [\"1007\", \"1013\"]\n}\n")
		for i := range whens {
			whens[i] = r.condition(1 + r.IntN(4))
			fmt.Fprintf(&b, "route \"r%d\" {\n  when = %q\n  reject = \"no\"\n}\n", i, whens[i])
		}
		rules := mustLoad(t, b.String())
		linear := newLinear(t, whens)
		for range 50 {
			req, now := r.request(), time.Date(2026, 11, 21, r.IntN(24), 0, 0, 0, time.UTC)
			want, faults := linear.first(req, now)
			d := rules.Decide(req, Facts{Now: now})
			if string(d.Route) != want || rules.Match(req, now) != want || !slices.Equal(slices.Sorted(maps.Keys(d.Faults)), faults) {
				t.Fatalf("seed %d: route %q, faults %v; want %q, %v, for %+v at %s under\n%s", seed, d.Route, d.Faults, want, faults, req, now, b.String())
			}
			if x := rules.Explain(req, Facts{Now: now}); (want == "") != !slices.ContainsFunc(x.Routes, func(v RouteVerdict) bool { return v.Matched && v.Route == want }) {
				t.Fatalf("seed %d: explained as %+v; want %q", seed, x.Routes, want)
			}
			compared += len(whens)
			if want != "" {
				matched++
			}
			faulty += len(faults)
		}
	}
	if matched == 0 || faulty == 0 {
		t.Errorf("seed %d: %d matches and %d faults show nothing", seed, matched, faulty)
	}
}

// linear evaluates conditions in file order, each whole and by expr.
type linear struct {
	language *language
	programs []*vm.Program
}

func newLinear(t *testing.T, whens []string) *linear {
	t.Helper()
	l := &linear{language: newLanguage(map[string]constant{
		"on":    {operand: operand{kind: boolKind, node: &ast.BoolNode{Value: true}}},
		"banks": {operand: operand{kind: listKind, list: &constants{texts: []string{"1007", "1013"}}, constant: true}},
	})}
	for _, when := range whens {
		x := &expression{language: l.language, text: []rune(when)}
		root, err := x.parse(when)
		if err != nil {
			t.Fatal(err)
		}
		program, err := x.program(x.lower(root).node)
		if err != nil {
			t.Fatal(err)
		}
		l.programs = append(l.programs, program)
	}
	return l
}

func (l *linear) first(req *payment.Request, now time.Time) (route string, faults []string) {
	env := map[string]any{}
	for key := range l.language.compiling.Env.Fields {
		env[key] = l.language.references[key].value(req, now)
	}
	machine := vm.VM{MemoryBudget: memoryBudget}
	for i, program := range l.programs {
		name := fmt.Sprintf("r%d", i)
		holds, err := machine.Run(program, env)
		if err != nil {
			faults = append(faults, name)
		} else if holds == true {
			route = name
			break
		}
	}
	slices.Sort(faults)
	return route, faults
}

func TestMatchAllocatesNothing(t *testing.T) {
	r, req, now := mustLoad(t, manyRoutes(1000)), testRequest(), testFacts().Now
	if n := testing.AllocsPerRun(100, func() {
		if r.Match(&req, now) != "last" {
			t.Fatal("another route")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			r, req, now := mustLoad(b, manyRoutes(n)), testRequest(), testFacts().Now
			b.ReportAllocs()
			for b.Loop() {
				r.Match(&req, now)
			}
		})
	}
}
