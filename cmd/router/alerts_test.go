package main

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
)

// The alerts are about what a router tells, and docs/operating.md says what to do about each.
func TestAlerts(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "examples", "alerts.yaml")
	alerts, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := pebblestore.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := writeFile(t, "routing.hcl", `route "none" { reject = "no" }`)
	d, err := startDaemon(t.Context(), l, st, engine.Config{Rules: rules, Plugins: plugins(), Logger: slog.New(slog.DiscardHandler)}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	}()
	resp, err := newClient(t).Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	for _, name := range regexp.MustCompile(`\bcauce_[a-z_]+`).FindAllString(string(alerts), -1) {
		if name = strings.TrimSuffix(name, "_bucket"); !strings.Contains(string(metrics), "# TYPE "+name+" ") {
			t.Errorf("the alerts ask for %s, which no router tells", name)
		}
	}
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(alerts), -1) {
		if !strings.Contains(string(docs), "`"+m[1]+"`") {
			t.Errorf("docs/operating.md does not say what to do about %s", m[1])
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("without promtool, which is not installed, the expressions are not checked")
		return
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
