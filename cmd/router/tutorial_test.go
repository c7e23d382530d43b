package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// realProvider starts a simulator in the provider's stead, and exports what its users know of it.
const realProvider = `./acme sandbox -listen 127.0.0.1:0 > real.out 2>&1 & trap "kill $!" EXIT
until grep -q listening real.out; do sleep 0.1; done
export ACME_BASE_URL=$(grep -o 'http://[0-9.:]*' real.out | head -n 1) ACME_API_KEY=a-key-of-ours
`

// The commands of docs/plugins.md, run one after the other as a newcomer does: from nothing to a green report.
func TestTutorial(t *testing.T) {
	t.Parallel()
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(repository, "docs", "plugins.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := "set -e\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		script += block[1]
	}
	rules := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindSubmatch(page)
	if rules == nil || strings.Count(script, "\n") < 8 {
		t.Fatalf("the page has lost its commands or its rules:\n%s", script)
	}
	dir := t.TempDir()
	script = strings.NewReplacer(
		"router plugin new acme\n", "router plugin new acme -cauce '"+repository+"'\n",
		"go mod tidy\n", "cp '"+dir+"/acme.hcl' .\n", // it would ask the network what the tests of our dependencies need
		"router conformance ./acme -live", realProvider+"router conformance ./acme -live",
	).Replace(script)
	if !strings.Contains(script, realProvider) {
		t.Error("the page does not say how a plugin is judged at its provider")
	}
	if err := os.WriteFile(filepath.Join(dir, "acme.hcl"), rules[1], 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-x", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+binaries+string(filepath.ListSeparator)+os.Getenv("PATH"), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), ", 0 failed") {
		t.Fatalf("%v\n%s", err, out)
	}
	if lock, err := os.ReadFile(filepath.Join(dir, "acme", lockName)); err != nil || !strings.Contains(string(lock), `plugin "./acme"`) {
		t.Errorf("the lock file: %v\n%s", err, lock)
	}

	// What is still the scaffold's is named.
	cmd = exec.CommandContext(t.Context(), "go", "test", "-run", "TestFillIn", ".")
	cmd.Dir, cmd.Env = filepath.Join(dir, "acme"), append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off")
	out, err = cmd.CombinedOutput()
	for _, check := range []string{"statuses", "samples", "documents", "assumptions"} {
		if err == nil || !strings.Contains(string(out), "--- FAIL: TestFillIn/"+check) {
			t.Errorf("%s is not named: %v\n%s", check, err, out)
		}
	}
}
