package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
)

// TestDamagedStore changes a byte of the log that a killed router left, then one of a table. Damage is told and never
// served, and a key whose payment cannot be read is paid no second time.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	listen := unusedAddress(t)
	w := &world{dir: t.TempDir(), url: "http://" + listen, client: newClient(t)}
	rules := fmt.Sprintf("server { listen = %q }\nroute \"none\" { reject = \"closed\" }\n", listen)
	if err := os.WriteFile(filepath.Join(w.dir, "routing.hcl"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(n int64) (p payment.Payment, status int) {
		key := fmt.Sprintf("order-%d", n)
		status, err := w.call(t.Context(), http.MethodPost, w.url+"/v1/payments", key, orderBody(key, n), &p)
		if err != nil {
			t.Fatal(err)
		}
		return p, status
	}
	const payments = 100
	w.startRouter(t)
	made := make([]payment.Payment, payments)
	for n := range made {
		var status int
		if made[n], status = ask(int64(n)); status != http.StatusCreated {
			t.Fatalf("payment %d: %d", n, status)
		}
	}

	w.router.kill()
	log := largest(t, w.dir, "data/*.log")
	flip(t, log, 2)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	start := exec.CommandContext(ctx, binary("router"), "serve", "-c", filepath.Join(w.dir, "routing.hcl"))
	out, _ := start.CombinedOutput()
	if start.ProcessState.ExitCode() != exitNotFine || !strings.Contains(string(out), "corrupt") || !strings.Contains(string(out), filepath.Join(w.dir, "data")) {
		t.Errorf("with a damaged log: %s:\n%s", start.ProcessState, out)
	}
	flip(t, log, 2)
	w.startRouter(t) // and makes tables of the log

	w.router.kill()
	flip(t, largest(t, w.dir, "data/*.sst"), 3)
	w.startRouter(t)
	damaged := 0
	for n, before := range made {
		var now payment.Payment
		status, err := w.call(t.Context(), http.MethodGet, w.url+"/v1/payments/"+before.ID, "", "", &now)
		again, replayed := ask(int64(n))
		switch {
		case err != nil:
			t.Fatal(err)
		case status == http.StatusInternalServerError && replayed == status:
			damaged++
		case status != http.StatusOK || replayed != http.StatusOK || now.ID != before.ID || again.ID != before.ID || now.Amount != before.Amount:
			t.Errorf("payment %d: %d %+v, asked for again: %d %+v", n, status, now, replayed, again)
		}
	}
	if damaged == 0 || damaged == payments || !strings.Contains(w.router.output(), "a table is damaged") {
		t.Errorf("%d of %d payments are damaged", damaged, payments)
	}
	if _, status := ask(payments); status != http.StatusCreated {
		t.Errorf("a new payment: %d", status)
	}
}

// largest returns the largest of the files that match.
func largest(t *testing.T, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no %s: %v", pattern, err)
	}
	var name string
	size := int64(-1)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Size() > size {
			name, size = f, info.Size()
		}
	}
	return name
}

// flip changes a byte of a file, at that part of it.
func flip(t *testing.T, name string, part int) {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/part] ^= 1
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
