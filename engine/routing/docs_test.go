package routing

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

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
	for name, table := range map[string]string{
		"fields": fieldsTable(), "functions": functionsTable(), "strategies": strategiesTable(), "operators": operatorsTable(),
		"clock": clockTable(), "blocks": blocksTable(),
	} {
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
	return table("field | what it is | example", Fields(), func(e Entry) []string { return []string{e.Doc, code(e.Example)} })
}

func clockTable() string {
	return table("part of now | what it is | example", Clock(), func(e Entry) []string { return []string{e.Doc, code(e.Example)} })
}

func functionsTable() string {
	return table("function | takes | gives | what it is | example", Functions(), func(e Entry) []string {
		return []string{strings.Join(e.Takes, ", "), e.Type, e.Doc, code(e.Example)}
	})
}

func operatorsTable() string {
	return table("word | what it says | example", Operators(), func(e Entry) []string { return []string{e.Doc, code(e.Example)} })
}

func strategiesTable() string {
	return table("strategy | which candidate comes first | example", Strategies(), func(e Entry) []string {
		var lines []string
		for line := range strings.SplitSeq(e.Example, "\n") {
			lines = append(lines, code(strings.Join(strings.Fields(line), " ")))
		}
		return []string{e.Doc, strings.Join(lines, "<br>")}
	})
}

// blocksTable lists the attributes under each type of block.
func blocksTable() string {
	var b strings.Builder
	var describe func(path string, list []Block)
	describe = func(path string, list []Block) {
		for _, block := range list {
			label := ""
			if block.Label != "" {
				label = " Its label is " + block.Label + "."
			}
			fmt.Fprintf(&b, "### %s\n\n%s%s\n\n", path+block.Type, block.Doc, label)
			if len(block.Attributes) > 0 {
				b.WriteString("| attribute | what it is | example |\n|---|---|---|\n")
				writeAttributes(&b, "", block.Attributes)
				b.WriteByte('\n')
			}
			describe(path+block.Type+", ", block.Blocks)
		}
	}
	describe("", Blocks())
	return b.String()
}

func writeAttributes(b *strings.Builder, path string, list []Attribute) {
	for _, a := range list {
		doc := a.Doc
		if a.Required {
			doc += " (required)"
		}
		if len(a.Values) > 0 {
			doc += ": " + oneOf(a.Values)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", path+a.Name, doc, code(a.Example))
		writeAttributes(b, path+a.Name+".", a.Parts)
	}
}

// table writes a table whose first column are the entries' names.
func table(head string, entries []Entry, columns func(Entry) []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", head, strings.Repeat("---|", strings.Count(head, "|")+1))
	for _, e := range entries {
		cells := columns(e)
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", "\\|")
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.Name, strings.Join(cells, " | "))
	}
	return b.String()
}

func code(example string) string {
	if example == "" {
		return ""
	}
	return "`" + example + "`"
}

// example is a payment that every example of a condition matches, and other one that has nothing in common with it.
const (
	example = `{
		"operation": "payin", "method": "pse", "amount": "20000", "tax": "10", "reference": "ORDER-1001", "description": "flores y rosas",
		"payer": PARTY, "payee": PARTY, "bill": {"biller": "3001", "reference": "7712"},
		"return_url": "https://shop.co/back", "failure_url": "https://shop.co/no", "cancel_url": "https://shop.co/cancel"
	}`
	exampleParty = `{
		"kind": "legal", "name": "Miguel Rodriguez", "first_name": "Miguel", "last_name": "Rodriguez", "email": "ana@shop.co",
		"document": {"type": "CC", "number": "987654321"}, "phone": "+573001234567", "address": "Calle 26 # 13", "ip": "10.0.0.1",
		"id": "vip-7", "bank": "1007", "account": {"type": "savings", "number": "12345"}
	}`
	other = `{"operation": "payout", "method": "bank_transfer", "amount": "1", "currency": "USD", "country": "US", "description": "test",
		"payer": {"document": {"number": "1"}}, "payee": {"account": {"number": "123456789012"}}}`
)

func TestExamplesOfConditions(t *testing.T) {
	t.Parallel()
	facts := testFacts()
	facts.Now = time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC)
	requests := make([]payment.Request, 2)
	for i, text := range []string{strings.ReplaceAll(example, "PARTY", exampleParty), other} {
		if err := json.Unmarshal([]byte(text), &requests[i]); err != nil {
			t.Fatal(err)
		}
		requests[i] = requests[i].WithDefaults()
	}
	for _, e := range slices.Concat(Fields(), Functions(), Operators(), Clock()) {
		if !strings.Contains(e.Example, strings.TrimSuffix(e.Name, "()")) {
			t.Errorf("%s: its example is %q", e.Name, e.Example)
		}
		r, ds := loadText(t.TempDir(), "routing.hcl", fmt.Sprintf("route \"r\" {\n  when   = %q\n  reject = \"no\"\n}\n", e.Example))
		if r == nil || len(ds) > 0 {
			t.Errorf("%s: %v", e.Example, ds)
			continue
		}
		if x := r.Explain(&requests[0], facts); x.Route != "r" {
			t.Errorf("%s does not hold: %s", e.Example, x.Routes[0].Reason)
		}
		if x := r.Explain(&requests[1], facts); x.Route == "r" && !strings.HasPrefix(e.Name, "now.") && e.Name != "not" {
			t.Errorf("%s holds for any payment", e.Example)
		}
	}
}

func TestExamplesOfStrategies(t *testing.T) {
	t.Parallel()
	facts := Facts{Providers: map[string]ProviderFacts{
		"acme": EverythingFacts("COP"), "bravo": EverythingFacts("COP"),
	}}
	bravo := facts.Providers["bravo"]
	bravo.Health.Successes, bravo.Health.Failures = 95, 5
	facts.Providers["bravo"] = bravo
	acme := facts.Providers["acme"]
	acme.Health.Successes, acme.Health.Failures = 5, 95
	facts.Providers["acme"] = acme
	req := testRequest()
	req.Amount = payment.Pesos(200_000) // a fee of 3,300 at acme and of 5,250 at bravo
	for name, most := range map[string]string{"priority": "acme", "split": "acme", "least_cost": "acme", "success_rate": "bravo"} {
		strategy := strategies[slices.Index(strategyNames(), name)]
		r := mustLoad(t, `provider "acme" { fee = { fixed = 900, percent = 1.2 } }
provider "bravo" { fee = { fixed = 250, percent = 2.5 } }
route "r" {
  providers = ["acme", "bravo"]
  `+strategy.example+`
}`)
		first := map[string]int{}
		for i := range 1000 {
			facts.PaymentID = fmt.Sprint(i)
			first[string(r.Explain(&req, facts).Providers[0])]++
		}
		if first[most] < 650 || name == "split" && first[most] > 750 {
			t.Errorf("%s: first came %v", name, first)
		}
	}
	if len(strategies) != 4 {
		t.Error("a strategy has no case here")
	}
}

// Every attribute is documented, and the parts that are documented are those that are read.
func TestAttributesAreDocumented(t *testing.T) {
	t.Parallel()
	var visit func(path string, list []Attribute)
	visit = func(path string, list []Attribute) {
		for _, a := range list {
			if a.Doc == "" || a.Example == "" && a.Name != "sha256" {
				t.Errorf("%s%s has no doc or no example", path, a.Name)
			}
			visit(path+a.Name+".", a.Parts)
		}
	}
	var visitBlocks func(path string, list []Block)
	visitBlocks = func(path string, list []Block) {
		for _, b := range list {
			if b.Doc == "" {
				t.Errorf("%s%s has no doc", path, b.Type)
			}
			visit(path+b.Type+".", b.Attributes)
			visitBlocks(path+b.Type+".", b.Blocks)
		}
	}
	visitBlocks("", Blocks())
	const rules = `
provider "p" {
  fee         = { zz = 1 }
  breaker     = { zz = 1 }
  limit       = { zz = 1 }
  maintenance = { zz = 1 }
}
route "r" {
  providers = ["p"]
  failover  = { zz = 1 }
}
route "s" {
  providers    = ["p"]
  strategy     = "success_rate"
  success_rate = { zz = 1 }
}
test "t" {
  payment = { operation = "payin" }
  given   = { zz = 1 }
  expect  = { zz = 1 }
}
`
	_, ds := loadText(t.TempDir(), "routing.hcl", rules)
	for _, path := range []string{"provider.fee", "provider.breaker", "provider.limit", "provider.maintenance", "route.failover",
		"route.success_rate", "test.given", "test.expect"} {
		blockType, name, _ := strings.Cut(path, ".")
		b, _ := BlockAt(blockType)
		a, _ := b.Attribute(name)
		names := map[string]bool{}
		for _, part := range a.Parts {
			names[part.Name] = true
		}
		found := false
		for _, d := range ds {
			if d.Summary != "Unknown part of "+name {
				continue
			}
			found = true
			for _, known := range strings.FieldsFunc(strings.TrimPrefix(strings.TrimSuffix(d.Detail, "."), "It can be "),
				func(r rune) bool { return r == ',' || r == ' ' }) {
				if known != "or" && !names[known] {
					t.Errorf("%s: %s is not documented", path, known)
				}
				delete(names, known)
			}
		}
		if !found || len(names) > 0 {
			t.Errorf("%s: documented and not read: %v", path, slices.Collect(maps.Keys(names)))
		}
	}
}
