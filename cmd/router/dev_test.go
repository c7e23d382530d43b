package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every start prints a key of its own: under an old one the data directory would give back an old payment.
func TestBannerKey(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2 {
		var banner strings.Builder
		printBanner(&banner, "http://127.0.0.1:8080", devOptions{}, &simulators{})
		m := regexp.MustCompile(`-H 'Idempotency-Key: (order-\w+)' `).FindStringSubmatch(banner.String())
		if m == nil || seen[m[1]] {
			t.Fatalf("it prints %v after %v in\n%s", m, seen, banner.String())
		}
		seen[m[1]] = true
	}
}

// What only one plugin's simulator takes is offered where that simulator runs.
func TestBannerPayments(t *testing.T) {
	t.Parallel()
	for plugin, want := range map[string]string{"coopcentral": "payroll-", "tpaga-bills": "bill-", "acme": ""} {
		var banner strings.Builder
		printBanner(&banner, "http://127.0.0.1:8080", devOptions{}, &simulators{list: []*simulator{{plugin: plugin}}})
		for _, key := range []string{"payroll-", "bill-"} {
			if got := strings.Contains(banner.String(), "Idempotency-Key: "+key); got != (key == want) {
				t.Errorf("beside %s a payment with key %s… is offered: %v", plugin, key, got)
			}
		}
	}
}

// A shell that reads the file env has what the simulators answer, whatever characters it holds.
func TestDevEnv(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	path := filepath.Join(t.TempDir(), "env")
	all := &simulators{answers: map[string]string{"ACME_MODE": `it's "$HOME" \ here`}}
	if err := all.writeEnv(path, "http://127.0.0.1:8080"); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(shell, "-c", `. "$0" && printenv CAUCE_SERVER ACME_MODE`, path).CombinedOutput()
	if want := "http://127.0.0.1:8080\nit's \"$HOME\" \\ here\n"; err != nil || string(out) != want {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
}
