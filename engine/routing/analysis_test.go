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

// TestUnreachedRoutesAreNeverTaken looks for a payment that takes a route of which it was said that none does.
func TestUnreachedRoutesAreNeverTaken(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := randomRules{rand.New(rand.NewPCG(seed, 1))}
	unreached := map[string]int{}
	for range 200 {
		var b strings.Builder
		b.WriteString("locals {\n  on = true\n  banks = [\"1007\", \"1013\"]\n}\n")
		for i := range 2 + r.IntN(10) {
			fmt.Fprintf(&b, "route \"r%d\" {\n  when = %q\n  reject = \"no\"\n}\n", i, r.condition(r.IntN(3)))
		}
		rules := mustLoad(t, b.String())
		said := map[int]string{} // by line
		for _, d := range rules.Warnings() {
			if strings.HasSuffix(d.Summary, "is never reached") || d.Summary == "This never holds" {
				said[d.Line] = d.Summary
				unreached[d.Summary[len(d.Summary)-5:]]++
			}
		}
		for range 200 {
			req, now := r.request(), time.Date(2026, 11, 21, r.IntN(24), 0, 0, 0, time.UTC)
			if i, _ := rules.match(req, now); i != noRoute {
				line := rules.routes[i].label.diagnostic(Warning, "", "").Line
				for _, place := range []int{line, line + 1} {
					if said[place] != "" {
						t.Fatalf("seed %d: line %d, %q, takes %+v at %s under\n%s", seed, place, said[place], req, now, b.String())
					}
				}
			}
		}
	}
	if len(unreached) != 2 {
		t.Errorf("seed %d: only %v was said", seed, unreached)
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
