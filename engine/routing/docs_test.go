package routing

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
)

const docsPath = "../../docs/rules.md"

// TestDocs compares the tables of docs/rules.md with those that check the rules, and loads its examples. -update
// writes the tables.
func TestDocs(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(content)
	for name, table := range map[string]string{"fields": fieldsTable(), "functions": functionsTable(), "strategies": strategiesTable()} {
		section := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(<!-- end -->)`)
		if !section.MatchString(doc) {
			t.Fatalf("docs/rules.md has no section <!-- %s -->", name)
		}
		doc = section.ReplaceAllString(doc, "${1}"+strings.ReplaceAll(table, "$", "$$")+"${2}")
	}
	if *update {
		if err := os.WriteFile(docsPath, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if doc != string(content) {
		t.Error("docs/rules.md is not what the tables say; write it anew with go test ./engine/routing -run TestDocs -update")
	}
	examples := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(doc, -1)
	if len(examples) == 0 {
		t.Fatal("no example")
	}
	for _, example := range examples {
		r := mustLoad(t, example[1])
		for _, test := range r.Tests() {
			facts := testFacts()
			for _, p := range r.Providers() {
				facts.Providers[p.Name] = EverythingFacts("COP")
			}
			if result := r.RunTest(test, facts); !result.Passed {
				t.Errorf("%s: %v", result.Name, result.Failures)
			}
		}
		if formatted, _ := Format("rules.md", []byte(example[1])); string(formatted) != example[1] {
			t.Errorf("not in its canonical form, which is\n%s", formatted)
		}
	}
}

func fieldsTable() string {
	var b strings.Builder
	b.WriteString("| field | what it is |\n|---|---|\n")
	for _, f := range payment.Fields() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.Path, f.Doc)
	}
	return b.String()
}

func functionsTable() string {
	var b strings.Builder
	b.WriteString("| function | takes | gives |\n|---|---|---|\n")
	for _, f := range textFunctions {
		takes := make([]string, len(f.takes))
		for i, k := range f.takes {
			takes[i] = k.String()
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.name, strings.Join(takes, ", "), f.yields)
	}
	for _, name := range quantifiers {
		fmt.Fprintf(&b, "| `%s` | a list, a condition on its element `#` | a boolean |\n", name)
	}
	return b.String()
}

func strategiesTable() string {
	var b strings.Builder
	b.WriteString("| strategy | which candidate comes first |\n|---|---|\n")
	for _, s := range strategies {
		fmt.Fprintf(&b, "| `%s` | %s |\n", s.name, s.doc)
	}
	return b.String()
}
