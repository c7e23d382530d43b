package conformance_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/conformance.md anew")

const cataloguePath = "../docs/conformance.md"

const catalogueHead = `# The conformance checks

Written from the suite; do not edit. ` + "`router conformance PLUGIN`" + ` runs them, each against the plugin's sandbox, and quotes these ids.

What the plugin declares in ` + "`Info`" + ` decides which apply; none can be skipped. A check that applies ends as *pass*, *fail* or *not
judged*: there is nothing to judge by (no sandbox, no log), or a simpler check that it rests on has failed, so that what it finds is
no news. Mend what fails, and it is judged.

| check | what is owed | rests on |
|---|---|---|
`

const catalogueLive = `
## At a real provider

With ` + "`-live`" + ` these run, and those of the above that make no call or only ask for what moves no money.

| check | what is owed | rests on |
|---|---|---|
`

// TestCatalogue compares docs/conformance.md with the suite.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(catalogueHead)
	row := func(c conformance.Check) {
		rests := ""
		if len(c.RestsOn) > 0 {
			rests = "`" + strings.Join(c.RestsOn, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.ID, c.Obligation, rests)
	}
	listed := map[string]bool{}
	for _, c := range newSuite(t, "", "").Checks() {
		listed[c.ID] = true
		row(c)
	}
	b.WriteString(catalogueLive)
	for _, c := range newLiveSuite(t, "", "https://pay.example", "").Checks() {
		if !listed[c.ID] {
			row(c)
		}
	}
	if *updateDocs {
		if err := os.WriteFile(cataloguePath, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(cataloguePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != b.String() {
		t.Error("docs/conformance.md is not what the suite says; write it anew with go test ./conformance -run TestCatalogue -update-docs")
	}
}
