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

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/capabilities.md anew")

const capabilitiesPath = "../../docs/capabilities.md"

// TestCapabilities compares docs/capabilities.md with what the plugins say of themselves.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("../../plugins/*/main.go")
	if err != nil || len(sources) == 0 {
		t.Fatal("there are no plugins", err)
	}
	var b strings.Builder
	b.WriteString("# What the providers take\n\nWritten from what each plugin declares (`tpaga-pse describe`), with its default settings; do not edit. The conformance\n" +
		"suite holds every plugin to it.\n\n")
	b.WriteString("| plugin | takes | amount, COP | cents | documents | after a lost answer | besides |\n|---|---|---|---|---|---|---|\n")
	for _, source := range sources {
		out, err := exec.Command(filepath.Join(binaries, filepath.Base(filepath.Dir(source))), "describe").Output()
		if err != nil {
			t.Fatal(err)
		}
		var info provider.Info
		if err := json.Unmarshal(out, &info); err != nil {
			t.Fatal(err)
		}
		for _, c := range info.Capabilities {
			fmt.Fprintf(&b, "| `%s` | %s by `%s` | %s | %s | %s | %s | %s |\n", info.Name, c.Operation, c.Method,
				amountRange(c), map[int]string{0: "no", 2: "yes"}[c.Decimals], joined(c.DocumentTypes, "none"), recoveryText(c.Recovery), joined(info.Abilities, ""))
		}
	}
	if *updateDocs {
		if err := os.WriteFile(capabilitiesPath, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(capabilitiesPath)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != b.String() {
		t.Error("docs/capabilities.md is not what the plugins say; write it anew with go test ./cmd/router -run TestCapabilities -update-docs")
	}
}

func amountRange(c payment.Capability) string {
	switch {
	case c.AmountMin.IsZero() && c.AmountMax.IsZero():
		return "any"
	case c.AmountMax.IsZero():
		return "from " + c.AmountMin.String()
	case c.AmountMin.IsZero():
		return "to " + c.AmountMax.String()
	}
	return c.AmountMin.String() + " to " + c.AmountMax.String()
}

func recoveryText(r payment.Recovery) string {
	var ways []string
	if r.LookupByKey {
		ways = append(ways, "looked up by key")
	}
	if r.ResendSameKey {
		ways = append(ways, "sent again")
	}
	if r.AbandonIfUnanswered {
		ways = append(ways, "abandoned")
	}
	return joined(ways, "waits for a webhook")
}

func joined[S ~string](list []S, none string) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}
