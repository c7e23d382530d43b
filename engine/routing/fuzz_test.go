package routing

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// seed hands a fuzz target every rules file of testdata.
func seed(f *testing.F, add func(content string)) {
	paths, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatal("no testdata", err)
	}
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, ".hcl") {
				add(string(file.Data))
			}
		}
	}
}

// checkDiagnostics demands a place in the file of every diagnostic, and no secret.
func checkDiagnostics(t *testing.T, content string, ds Diagnostics) {
	var b strings.Builder
	if err := ds.Write(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), secret) {
		t.Errorf("a secret is shown:\n%s", b.String())
	}
	lines := strings.Split(content, "\n")
	for _, d := range ds {
		whole := d.Line == 0 && d.Column == 0
		if !whole && (d.Line < 1 || d.Line > len(lines) || d.Column < 1 || d.Column > len([]rune(lines[d.Line-1]))+1) {
			t.Errorf("%s: no such place", d.place())
		}
		if d.Summary == "" {
			t.Errorf("%s: it says nothing", d.place())
		}
	}
}

func FuzzLoad(f *testing.F) {
	seed(f, func(content string) { f.Add(content) })
	for _, content := range []string{"/*\n/*\n", "a = <<X\n\n\nb = <<X\n", `a = "$${$${$%%{%`, "a = \"\na = \"\n", "a = <<X\n/*\nX"} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if strings.Contains(content, secret) {
			t.Skip()
		}
		r, ds := loadText(t.TempDir(), "routing.hcl", content)
		checkDiagnostics(t, content, ds)
		if (r == nil) != ds.HasErrors() {
			t.Fatalf("rules are %v although errors = %v", r, ds.HasErrors())
		}
		if r == nil {
			return
		}
		req := testRequest()
		x := r.Explain(&req, testFacts())
		if asJSON(t, x.Decision) != asJSON(t, r.Decide(&req, testFacts())) {
			t.Error("Explain and Decide differ")
		}
		if strings.Contains(asJSON(t, x), secret) {
			t.Error("a decision shows a secret")
		}
	})
}

func FuzzWhen(f *testing.F) {
	seed(f, func(content string) {
		for _, line := range strings.Split(content, "\n") {
			f.Add(strings.TrimSuffix(strings.TrimSpace(line), "||"))
			if _, when, ok := strings.Cut(line, `= "`); ok {
				f.Add(strings.TrimSuffix(when, `"`))
			}
		}
	})
	l := &loader{locals: map[string]*local{}}
	f.Fuzz(func(t *testing.T, when string) {
		x := &expression{language: newLanguage(l.conditionLocals()), text: []rune(when)}
		conditions := x.compile(string(x.text))
		for _, fault := range x.faults {
			if fault.from < 0 || fault.from > len(x.text) || fault.summary == "" {
				t.Errorf("%+v is nowhere in %q", fault, when)
			}
			if fault.summary == "Expression cannot be compiled" {
				t.Errorf("%q: lower accepts what expr does not: %s", when, fault.detail)
			}
		}
		if conditions == nil {
			return
		}
		r := &Rules{routes: []*route{{name: "r", conditions: conditions, reject: "no"}}}
		r.compile()
		req := testRequest()
		first, second := asJSON(t, r.Decide(&req, testFacts())), asJSON(t, r.Decide(&req, testFacts()))
		if first != second {
			t.Errorf("%q: %s, then %s", when, first, second)
		}
	})
}
