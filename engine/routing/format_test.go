package routing

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, want string }{
		{"nothing", "\n\n", ""},
		{"comments and empty lines", "\n\n# a\n\n\n\n# b\nprovider \"a\" {}\n\n\n", "# a\n\n# b\nprovider \"a\" {}\n"},
		{
			"alignment", "route \"r\" {\n\n\n\tproviders=[\"a\"] # x\n  when=\"amount>1\"   // y\n /* z */\n}",
			"route \"r\" {\n  providers = [\"a\"]      # x\n  when      = \"amount>1\" // y\n  /* z */\n}\n",
		},
		{
			"heredocs stay", "route \"r\" {\nwhen=<<E\n  amount > 1\n\n\n\n  || tax > 1\nE\n}\n",
			"route \"r\" {\n  when = <<E\n  amount > 1\n\n\n\n  || tax > 1\nE\n}\n",
		},
	} {
		got, ds := Format("rules.hcl", []byte(c.content))
		if ds.HasErrors() || string(got) != c.want {
			t.Errorf("%s: got %q, %v\nwant %q", c.name, got, ds, c.want)
		}
	}
	if _, ds := Format("rules.hcl", []byte("route {")); !strings.Contains(ds.Error(), "rules.hcl:1:") {
		t.Errorf("broken rules: %v", ds)
	}
	if _, ds := Format("rules.hcl", bytes.Repeat([]byte{'\n'}, MaxFileBytes+1)); !strings.Contains(ds.Error(), "larger than") {
		t.Errorf("too large: %v", ds)
	}
}

// FuzzFormat demands that formatting changes nothing but white space, and nothing the second time.
func FuzzFormat(f *testing.F) {
	seed(f, func(content string) { f.Add(content) })
	f.Fuzz(func(t *testing.T, content string) {
		formatted, ds := Format("rules.hcl", []byte(content))
		if ds.HasErrors() {
			return
		}
		again, ds := Format("rules.hcl", formatted)
		if ds.HasErrors() || !bytes.Equal(again, formatted) {
			t.Fatalf("formatted again it is\n%q, %v\nnot\n%q", again, ds, formatted)
		}
		if got, want := words(formatted), words([]byte(content)); got != want {
			t.Fatalf("it says\n%s\nnot\n%s", got, want)
		}
	})
}

// words are the tokens of rules without what formatting may change.
func words(content []byte) string {
	tokens, _ := hclsyntax.LexConfig(content, "", hcl.InitialPos)
	var b strings.Builder
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenNewline && t.Type != hclsyntax.TokenEOF {
			fmt.Fprintf(&b, "%s %q\n", t.Type, bytes.TrimSpace(t.Bytes))
		}
	}
	return b.String()
}
