package httpapi

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cauce-pay/cauce/engine/routing"
)

func TestReload(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	before := w.engine.Rules().Hash()
	rewrite := func(text string) {
		if err := os.WriteFile(w.rules, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rewrite("route \"all\" { providers = [\"acme\"] }\n")
	if a := w.do("POST", "/v1/reload", ""); a.Status != http.StatusUnprocessableEntity || a.problem(t).Code != "rules_invalid" ||
		len(a.problem(t).Diagnostics) != 1 || a.problem(t).Diagnostics[0].Line != 1 || w.engine.Rules().Hash() != before {
		t.Errorf("faulty rules: %d %s", a.Status, a.Body)
	}
	rewrite(rules + "# another hash\n")
	if a := w.do("POST", "/v1/reload", `{"expected": "0123456789abcdef"}`); a.Status != http.StatusConflict || w.engine.Rules().Hash() != before {
		t.Errorf("other rules than expected: %d %s", a.Status, a.Body)
	}
	a := w.do("POST", "/v1/reload", `{"expected": "`+before+`"}`)
	if a.Status != http.StatusOK || !strings.Contains(a.Body, w.engine.Rules().Hash()) || w.engine.Rules().Hash() == before {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// A reload changes who is let in, and never opens the router to everybody.
func TestReloadedKeys(t *testing.T) {
	t.Parallel()
	var keys atomic.Pointer[[]routing.APIKey]
	only := func(names ...string) {
		var list []routing.APIKey
		for _, name := range names {
			list = append(list, routing.APIKey{Name: name, SHA256: sha256Hex(name + "-secret"), Scopes: []string{"read"}})
		}
		keys.Store(&list)
	}
	only("ann")
	w := start(t, func(c *Config) { c.Keys = func() []routing.APIKey { return *keys.Load() } }, nil)
	get := func(key string) int { return w.do("GET", "/v1/payments", "", "Authorization", key).Status }
	if get("Bearer ann-secret") != http.StatusOK {
		t.Error("the key is not known")
	}
	only("bob")
	if get("Bearer ann-secret") != http.StatusUnauthorized || get("Bearer bob-secret") != http.StatusOK {
		t.Error("the old keys hold")
	}
	only()
	if get("Bearer bob-secret") != http.StatusUnauthorized || get("") != http.StatusUnauthorized {
		t.Error("without keys everybody is let in")
	}
}

func TestPauseProvider(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	if a := w.do("POST", "/v1/providers/acme/pause", `{"reason": "their night"}`); a.Status != http.StatusOK || !strings.Contains(a.Body, `"paused":true,"breaker":"closed","reason":"their night"`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if p := w.pay("order-1"); p.Status != "failed" || p.Failure.Code != "no_candidate" || !strings.Contains(p.Failure.Message, "their night") {
		t.Errorf("paid while paused: %+v", p)
	}
	if a := w.do("POST", "/v1/providers/acme/resume", ""); a.Status != http.StatusOK || !strings.Contains(a.Body, `"paused":false`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if p := w.pay("order-2"); p.Status != "pending" {
		t.Errorf("not paid after all: %+v", p)
	}
	for _, name := range []string{"nobody", "..%2Fpaused"} {
		if a := w.do("POST", "/v1/providers/"+name+"/pause", ""); a.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := w.do("POST", "/v1/providers/acme/pause", `{"reason": "`+strings.Repeat("x", 1001)+`"}`); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	w.pay("order-1")
	a := w.do("GET", "/metrics", "")
	for _, line := range []string{
		`cauce_payments_total{status="pending"} 1`, `cauce_attempts_total{provider="acme",outcome="pending"} 1`,
		`cauce_provider_breaker_open{provider="acme"} 0`, `cauce_handover_seconds_count{provider="acme"} 1`,
		"cauce_payments_in_doubt 0", `cauce_rules_loaded_timestamp_seconds{hash="` + w.engine.Rules().Hash() + `"} `,
	} {
		if !strings.Contains(a.Body, "\n"+line) {
			t.Errorf("no line %s in\n%s", line, a.Body)
		}
	}
	for _, personal := range []string{"pay_", "1020304050", "Miguel", "example.com", "ORDER"} {
		if strings.Contains(a.Body, personal) {
			t.Errorf("the metrics tell %q", personal)
		}
	}
}
