package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	w := start(t, withKeys, nil)
	calls := []struct {
		method, path string
		need         scope
	}{
		{"POST", "/v1/payments", payments},
		{"POST", "/v1/payments/pay_00000000000000000000000000/refresh", payments},
		{"POST", "/v1/payments/pay_00000000000000000000000000/resolve", admin},
		{"POST", "/v1/decisions", read},
		{"GET", "/v1/payments", read},
		{"GET", "/v1/payments/pay_00000000000000000000000000", read},
		{"GET", "/v1/banks", read},
		{"GET", "/v1/billers", read},
		{"GET", "/v1/billers/etb/bills/1", read},
		{"GET", "/v1/providers", read},
		{"HEAD", "/v1/events", read},
		{"POST", "/v1/providers/acme/pause", admin},
		{"POST", "/v1/providers/acme/resume", admin},
		{"GET", "/metrics", read},
		{"GET", "/v1/rules", admin},
		{"POST", "/v1/reload", admin},
		{"POST", "/v1/backup", admin},
	}
	for _, call := range calls {
		for _, key := range []scope{payments, read, admin} {
			a := w.do(call.method, call.path, good, "Authorization", "Bearer "+string(key)+"-secret", "Idempotency-Key", string(key))
			forbidden := call.need != read && call.need != key && key != admin
			if got := a.Status == http.StatusForbidden; got != forbidden {
				t.Errorf("%s %s with scope %s: %d %s", call.method, call.path, key, a.Status, a.Body)
			}
			if forbidden && a.problem(t).Code != "forbidden_scope" {
				t.Errorf("%s", a.Body)
			}
		}
		for name, header := range map[string][]string{
			"none":      nil,
			"wrong":     {"Authorization", "Bearer payments-secre"},
			"half":      {"Authorization", "Bearer payments"},
			"hash":      {"Authorization", "Bearer " + sha256Hex("payments-secret")},
			"basic":     {"Authorization", "Basic payments-secret"},
			"empty":     {"Authorization", "Bearer "},
			"two":       {"Authorization", "Bearer payments-secret", "Authorization", "Bearer payments-secret"},
			"lowercase": {"Authorization", "bearer PAYMENTS-SECRET"},
		} {
			a := w.do(call.method, call.path+"?key=payments-secret", good, header...)
			if a.Status != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %s with key %s: %d %s", call.method, call.path, name, a.Status, a.Body)
			}
		}
	}
	if n := len(w.acme.Submits()); n != 2 {
		t.Errorf("%d payments were handed over, want those of the keys with the scopes payments and admin", n)
	}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
		if a := w.do("GET", path, ""); a.Status != http.StatusOK {
			t.Errorf("%s needs a key: %d", path, a.Status)
		}
	}
	if a := w.do("GET", "/v1/payments", "", "Authorization", "bearer read-secret", "Host", "pay.example.com"); a.Status != http.StatusOK {
		t.Errorf("with a key any name will do: %d %s", a.Status, a.Body)
	}
	if !strings.Contains(w.log.String(), "key=payments") {
		t.Error("the log does not name the key")
	}
	if strings.Contains(w.log.String(), "-secret") {
		t.Error("the log has a key")
	}
}

// Without keys nobody may reach the router by way of a browser on this machine.
func TestBrowsers(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	for _, host := range []string{"127.0.0.1", "127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.8.8.8:1"} {
		if a := w.do("GET", "/v1/payments", "", "Host", host); a.Status != http.StatusOK {
			t.Errorf("Host %s: %d %s", host, a.Status, a.Body)
		}
	}
	for _, host := range []string{"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1:8080", "0.0.0.0:8080", "[::ffff:10.0.0.1]:80"} {
		a := w.do("GET", "/v1/payments", "", "Host", host, "X-Forwarded-Host", "localhost", "X-Forwarded-For", "127.0.0.1")
		if a.Status != http.StatusForbidden || a.problem(t).Code != "forbidden_host" {
			t.Errorf("Host %s: %d %s", host, a.Status, a.Body)
		}
	}
	for name, test := range map[string]struct {
		header []string
		status int
	}{
		"a form of another site":    {[]string{"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"}, http.StatusForbidden},
		"a script of another site":  {[]string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"an old browser":            {[]string{"Origin", "https://evil.example"}, http.StatusForbidden},
		"a sandboxed frame":         {[]string{"Origin", "null"}, http.StatusForbidden},
		"a form without the header": {[]string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType},
		"a form's content type":     {[]string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType},
	} {
		a := w.do("POST", "/v1/payments", good, append(test.header, "Idempotency-Key", "order-1")...)
		if a.Status != test.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	preflight := w.do("OPTIONS", "/v1/payments", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	for name := range preflight.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("the preflight lets a page in: %v", preflight.Header)
		}
	}
	if n := len(w.acme.Submits()); n != 0 {
		t.Errorf("%d payments were handed over", n)
	}
}
