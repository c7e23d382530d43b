package httpapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// Requests that no honest client sends: each gets an answer that says why, and nothing is paid.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	long := strings.Repeat("x", 4<<20)
	for _, test := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     string
	}{
		{name: "64 KiB is read", body: `{"reference":"` + strings.Repeat("x", maxBody-16) + `"}`, status: 422, code: "invalid_request"},
		{name: "64 KiB and a byte", body: `{"reference":"` + strings.Repeat("x", maxBody-15) + `"}`, status: 413, code: "body_too_large"},
		{name: "a text of 4 MB", body: `{"reference":"` + long + `"}`, status: 413, code: "body_too_large"},
		{name: "10 MB", body: strings.Repeat("{", 10<<20), status: 413, code: "body_too_large"},
		{name: "no content type", header: []string{"Content-Type", ""}, status: 415, code: "unsupported_media_type"},
		{name: "another content type", header: []string{"Content-Type", "application/xml"}, status: 415, code: "unsupported_media_type"},
		{name: "a content type that is none", header: []string{"Content-Type", "application/json; charset"}, status: 415, code: "unsupported_media_type"},
		{name: "another character set", header: []string{"Content-Type", "application/json; charset=utf-16"}, status: 415, code: "unsupported_media_type"},
		{name: "a gzip bomb", body: bomb(), header: []string{"Content-Encoding", "gzip"}, status: 415, code: "unsupported_encoding"},
		{name: "a header of 20 kB", header: []string{"X-Long", strings.Repeat("x", 20_000)}, status: 431, code: "header_too_large"},
		{name: "a URL of 20 kB", method: "GET", path: "/v1/payments?reference=" + strings.Repeat("x", 20_000), status: 431, code: "header_too_large"},
		{name: "DELETE", method: "DELETE", status: 405, code: "method_not_allowed"},
		{name: "PUT", method: "PUT", path: "/v1/payments/pay_00000000000000000000000000", status: 405, code: "method_not_allowed"},
		{name: "TRACE", method: "TRACE", body: "-", status: 405, code: "method_not_allowed"},
		{name: "a method that is none", method: "PAY", status: 405, code: "method_not_allowed"},
		{name: "GET of a POST", method: "GET", path: "/v1/decisions", status: 405, code: "method_not_allowed"},
		{name: "no path", path: "/", status: 404, code: "not_found"},
		{name: "a slash too many", path: "/v1/payments/", status: 404, code: "not_found"},
		{name: "two slashes", path: "//v1/payments", status: 404, code: "not_found"},
		{name: "dots", path: "/v1/x/../payments", status: 404, code: "not_found"},
		{name: "encoded dots", path: "/v1/%2e%2e/v1/payments", status: 404, code: "not_found"},
		{name: "dots as an id", method: "GET", path: "/v1/payments/..%2f..%2fetc%2fpasswd", status: 404, code: "not_found"},
		{name: "another case", path: "/V1/payments", status: 404, code: "not_found"},
		{name: "a log line of its own", method: "GET", path: "/v1/payments/x%0alevel=ERROR%20msg=forged", status: 404, code: "not_found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			method, path, body := test.method, test.path, test.body
			if method == "" {
				method = "POST"
			}
			if path == "" {
				path = "/v1/payments"
			}
			if body == "" {
				body = good
			}
			if method == "TRACE" {
				body = ""
			}
			a := w.do(method, path, body, append(test.header, "Idempotency-Key", "order-1")...)
			p := a.problem(t)
			if a.Status != test.status || p.Code != test.code || p.Status != test.status || p.Detail == "" || p.Title == "" || p.Type != "about:blank" {
				t.Errorf("%d %.300s", a.Status, a.Body)
			}
			if a.Status == 405 && !strings.Contains(a.Header.Get("Allow"), "OPTIONS") {
				t.Errorf("Allow is %q", a.Header.Get("Allow"))
			}
			if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%v", a.Header)
			}
		})
	}
	if n := len(w.acme.Submits()); n != 0 {
		t.Errorf("%d payments were handed over", n)
	}
	if strings.Contains(w.log.String(), "\nlevel=ERROR") {
		t.Errorf("the log:\n%s", w.log)
	}
}

func bomb() string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(make([]byte, 20<<20))
	_ = z.Close()
	return b.String()
}

func TestHeadAndOptions(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	for _, r := range routes {
		path := strings.NewReplacer("{id}", "pay_00000000000000000000000000", "{provider}", "acme", "{secret}", "x").Replace(r.path)
		a := w.do("OPTIONS", path, "")
		if a.Status != http.StatusNoContent || !strings.Contains(a.Header.Get("Allow"), r.method) {
			t.Errorf("OPTIONS %s: %d %q", path, a.Status, a.Header.Get("Allow"))
		}
		if r.method != "GET" {
			continue
		}
		if a := w.do("HEAD", path, ""); a.Body != "" || a.Status != http.StatusOK && a.Status != http.StatusNotFound {
			t.Errorf("HEAD %s: %d %q", path, a.Status, a.Body)
		}
	}
}

// Bytes that are no proper HTTP, or that two readers would understand differently.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	const head = "POST /v1/payments HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: order-1\r\nConnection: close\r\n"
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(good), good)
	for _, test := range []struct{ name, request, want string }{
		{"a key with a control character", "POST /v1/payments HTTP/1.1\r\nHost: 127.0.0.1\r\nIdempotency-Key: a\x00b\r\n\r\n", "HTTP/1.1 400"},
		{"100 kB of header", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\n", "HTTP/1.1 431"},
		{"10,000 headers", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + strings.Repeat("A: b\r\n", 10_000) + "\r\n", "HTTP/1.1 431"},
		{"two hosts", "GET /v1/payments HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 400"},
		{"no host", "GET /v1/payments HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
		{"no host, HTTP/1.0", "GET /v1/payments HTTP/1.0\r\n\r\n", "HTTP/1.0 403"},
		{"a foreign host in the request line", "GET http://evil.example/v1/payments HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 403"},
		{"CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n", "HTTP/1.1 404"},
		{"two lengths", head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}", "HTTP/1.1 400"},
		{"a negative length", head + "Content-Length: -1\r\n\r\n{}", "HTTP/1.1 400"},
		{"an unknown transfer encoding", head + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked, "HTTP/1.1 501"},
		{"a broken chunk", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400"},
		{"no HTTP", "hello\r\n\r\n", "HTTP/1.1 400"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := w.raw(test.request); !strings.HasPrefix(got, test.want) {
				t.Errorf("got %.200q, want %s", got, test.want)
			}
		})
	}
	t.Run("both a length and chunks", func(t *testing.T) {
		// The chunks count (RFC 9112, 6.1), and what comes after them is not taken for a second request.
		got := w.raw(head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked + "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if strings.Count(got, "HTTP/1.1 ") != 1 {
			t.Errorf("%q", got)
		}
	})
}

// A caller that sends a byte now and then does not hold a connection for long.
func TestSlowCallers(t *testing.T) {
	t.Parallel()
	if s := NewServer(Config{}); s.ReadHeaderTimeout != 5*time.Second || s.ReadTimeout > 30*time.Second || s.WriteTimeout > 2*time.Minute || s.IdleTimeout == 0 {
		t.Errorf("the server's limits are %s, %s, %s, %s", s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout)
	}
	w := start(t, nil, func(s *http.Server) { s.ReadHeaderTimeout, s.ReadTimeout = 100*time.Millisecond, 200*time.Millisecond })
	for _, test := range []struct{ name, request, want string }{
		{"in the header", "POST /v1/payments HTTP/1.1\r\nHost: 127.0.0.1\r\n", ""},
		{"in the body", "POST /v1/payments HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: 60000\r\n\r\n{", "HTTP/1.1 408"},
		{"in chunks", "POST /v1/payments HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "HTTP/1.1 408"},
		{"in a body that nobody reads", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n{", "HTTP/1.1 200"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() {
				_, err := io.WriteString(conn, test.request)
				for tick := time.Tick(20 * time.Millisecond); err == nil; <-tick {
					_, err = io.WriteString(conn, "x")
				}
			}()
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			got, err := io.ReadAll(conn)
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Error("the connection is still open after 5 s")
			}
			if !strings.HasPrefix(string(got), test.want) {
				t.Errorf("got %q, want %s", got, test.want)
			}
		})
	}
}

// Callers beyond the bound are told to come back; the router's health is told to all of them.
func TestInFlightBound(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.MaxInFlight, c.MaxStreams = 1, 1 }, nil)
	release, handed := make(chan struct{}), make(chan struct{})
	w.acme.Script(providertest.Step{Execute: true, Status: provider.Pending, Before: func(provider.Attempt) { close(handed); <-release }})
	paid := make(chan answer)
	go func() { paid <- w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-1") }()
	<-handed
	a := w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-2")
	if p := a.problem(t); a.Status != http.StatusServiceUnavailable || p.Code != "overloaded" || a.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := w.do("GET", path, ""); a.Status != http.StatusOK {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	s := w.follow("", "")
	if a := w.do("GET", "/v1/events", ""); a.Status != http.StatusServiceUnavailable {
		t.Errorf("a second stream: %d", a.Status)
	}
	s.leave()
	close(release)
	if a := <-paid; a.Status != http.StatusCreated {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	eventually(t, "there is room again", func() bool {
		return w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-2").Status == http.StatusCreated
	})
}

// Whoever has no key, and sends bodies slowly, takes no place from those who have one; nor do payments that wait for their
// provider from webhooks and operators.
func TestInFlightBoundOfScopes(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.MaxInFlight = 1 }, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /v1/notifications/acme/guess HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has its place", func() bool { return w.do("GET", "/openapi.json", "").Status == http.StatusServiceUnavailable })
	w.pay("order-1")
	_ = conn.Close()
	eventually(t, "its place is free", func() bool { return w.do("GET", "/openapi.json", "").Status == http.StatusOK })

	release, handed := make(chan struct{}), make(chan struct{})
	w.acme.Script(providertest.Step{Execute: true, Status: provider.Pending, Before: func(provider.Attempt) { close(handed); <-release }})
	paid := make(chan answer)
	go func() { paid <- w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-2") }()
	<-handed
	if a := w.do("POST", "/v1/notifications/acme/hush-hush", "ref-1"); a.Status != http.StatusOK {
		t.Errorf("a webhook while a payment is under way: %d %s", a.Status, a.Body)
	}
	if a := w.do("POST", "/v1/providers/acme/pause", `{"reason":"it hangs"}`); a.Status != http.StatusOK {
		t.Errorf("a pause while a payment is under way: %d %s", a.Status, a.Body)
	}
	if a := w.do("GET", "/metrics", ""); a.Status != http.StatusOK {
		t.Errorf("metrics while a payment is under way: %d %s", a.Status, a.Body)
	}
	close(release)
	<-paid
}

// A fault in one request stays in it.
func TestPanics(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	handler := w.server.Handler.(*api)
	handler.mux.HandleFunc("/before", func(http.ResponseWriter, *http.Request) { panic("boom") })
	handler.mux.HandleFunc("/within", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("boom")
	})
	a := w.do("GET", "/before", "")
	if p := a.problem(t); a.Status != http.StatusInternalServerError || p.Code != "internal" || strings.Contains(a.Body, "boom") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	resp, err := http.Get(w.url + "/within")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(bufio.NewReader(resp.Body)); err == nil {
		t.Errorf("half an answer looks like a whole one: %q", body)
	}
	if !strings.Contains(w.log.String(), "panic=boom") {
		t.Error("the log does not tell")
	}
	if a := w.do("GET", "/healthz", ""); a.Status != http.StatusOK {
		t.Errorf("%d", a.Status)
	}
}

// The log has no bodies, queries or personal data.
func TestLog(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	p := w.pay("order-1")
	w.do("GET", "/v1/payments?reference=ORDER-1001", "")
	w.do("POST", "/v1/payments", strings.Replace(good, "1022", "bank", 1), "Idempotency-Key", "order-2")
	for _, never := range []string{"Miguel", "1020304050", "miguel@", "ORDER-1001", "order-1"} {
		if strings.Contains(w.log.String(), never) {
			t.Errorf("the log has %s:\n%s", never, w.log)
		}
	}
	if strings.Contains(w.log.String(), "level=INFO") {
		t.Errorf("requests are logged above debug:\n%s", w.log)
	}
	if !strings.Contains(w.log.String(), "method=POST route=/v1/payments status=201") || !strings.Contains(w.log.String(), "payment="+p.ID) {
		t.Errorf("the log:\n%s", w.log)
	}
}
