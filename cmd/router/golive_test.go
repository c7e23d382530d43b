package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/provider"
)

var update = flag.Bool("update", false, "write docs/going-live.md anew from what the plugins declare")

const goingLive = "../../docs/going-live.md"

// docs/going-live.md lists every setting and every assumption of every plugin, as the plugins declare them.
func TestGoingLive(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(goingLive)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "-update -->\n"
	preamble, _, found := strings.Cut(string(content), mark)
	if !found {
		t.Fatalf("%s has no line that ends with %q", goingLive, mark)
	}
	want := preamble + mark
	mains, err := filepath.Glob("../../plugins/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("plugins: %v, %v", mains, err)
	}
	for _, path := range mains {
		want += describe(t, filepath.Base(filepath.Dir(path)))
	}
	if *update {
		if err := os.WriteFile(goingLive, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(content) {
		t.Errorf("%s is not what the plugins declare: go test ./cmd/router -run TestGoingLive -update", goingLive)
	}
}

// describe is the section of one plugin.
func describe(t *testing.T, plugin string) string {
	t.Helper()
	out, err := exec.Command(binary(plugin), "describe").Output()
	if err != nil {
		t.Fatalf("%s describe: %v", plugin, err)
	}
	var info provider.Info
	if err := json.Unmarshal(out, &info); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n| setting | default | what it is |\n|---|---|---|\n", info.Name)
	for _, f := range info.Config {
		byDefault := "required"
		switch {
		case f.Default != "":
			byDefault = "`" + f.Default + "`"
		case !f.Required:
			byDefault = "none"
		}
		doc := f.Doc
		if len(f.OneOf) > 0 {
			doc += " (" + strings.Join(f.OneOf, ", ") + ")"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, byDefault, strings.ReplaceAll(doc, "|", `\|`))
	}
	b.WriteString("\nAssumed, because the documents do not say:\n\n")
	for _, a := range info.Assumptions {
		fmt.Fprintf(&b, "- %s\n", a)
	}
	return b.String()
}
