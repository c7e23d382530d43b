package rest

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// rawServer accepts connections and hands each to serve. It returns its base URL.
func rawServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// readRequest reads one whole request.
func readRequest(r *bufio.Reader) error {
	req, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

func server(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func post(path string) Request {
	return Request{Method: http.MethodPost, Path: path, JSON: map[string]string{"name": "Miguel"}}
}

// A failed call is unavailable when the provider cannot have heard of it, and unknown in every other case.
func TestDoTellsWhetherTheProviderCanHaveHeard(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "http://" + l.Addr().String()
	}
	reset := func(conn net.Conn) {
		_ = readRequest(bufio.NewReader(conn))
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	cases := []struct {
		name string
		base func(t *testing.T) string
		want provider.Code
	}{
		{"connection refused", refused, provider.CodeUnavailable},
		{"certificate of an unknown authority", func(t *testing.T) string {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request arrived") }))
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			t.Cleanup(s.Close)
			return s.URL
		}, provider.CodeUnavailable},
		{"https spoken to a plain server", func(t *testing.T) string {
			return strings.Replace(rawServer(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }), "http:", "https:", 1)
		}, provider.CodeUnavailable},
		{"impossible address", func(*testing.T) string { return "http://127.0.0.1:99999" }, provider.CodeUnavailable},
		{"closed after the request was read", func(t *testing.T) string {
			return rawServer(t, func(c net.Conn) { _ = readRequest(bufio.NewReader(c)) })
		}, provider.CodeUnknown},
		{"closed after the first byte", func(t *testing.T) string {
			return rawServer(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
		}, provider.CodeUnknown},
		{"reset after the request was read", func(t *testing.T) string { return rawServer(t, reset) }, provider.CodeUnknown},
		{"no HTTP in the answer", func(t *testing.T) string {
			return rawServer(t, func(c net.Conn) {
				_ = readRequest(bufio.NewReader(c))
				_, _ = io.WriteString(c, "Miguel\r\n\r\n")
			})
		}, provider.CodeUnknown},
		{"half a status line", func(t *testing.T) string {
			return rawServer(t, func(c net.Conn) {
				_ = readRequest(bufio.NewReader(c))
				_, _ = io.WriteString(c, "HTTP/1.1 20")
			})
		}, provider.CodeUnknown},
		{"redirect to nowhere", func(t *testing.T) string {
			return server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Location"] = []string{"http://[Miguel"}
				w.WriteHeader(http.StatusFound)
			}).URL
		}, provider.CodeUnknown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(c.base(t)).Do(t.Context(), post("/charge"))
			if provider.CodeOf(err) != c.want {
				t.Fatalf("code %q, want %q: %v", provider.CodeOf(err), c.want, err)
			}
			if strings.Contains(err.Error(), "Miguel") {
				t.Errorf("the error quotes what was sent or answered: %v", err)
			}
		})
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	t.Parallel()
	t.Run("cancelled before the call", func(t *testing.T) {
		t.Parallel()
		s := server(t, func(http.ResponseWriter, *http.Request) { t.Error("the request arrived") })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := New(s.URL).Do(ctx, post("/")); provider.CodeOf(err) != provider.CodeUnavailable {
			t.Fatalf("want unavailable: %v", err)
		}
	})
	t.Run("cancelled while the provider works", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		s := server(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		})
		if _, err := New(s.URL).Do(ctx, post("/")); provider.CodeOf(err) != provider.CodeUnknown {
			t.Fatalf("want unknown: %v", err)
		}
	})
	t.Run("deadline while the provider works", func(t *testing.T) {
		t.Parallel()
		s := server(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := New(s.URL).Do(ctx, post("/"))
		if provider.CodeOf(err) != provider.CodeUnknown || !strings.Contains(err.Error(), "time for the call was over") {
			t.Fatalf("want unknown, with the reason: %v", err)
		}
	})
}

// Go's transport sends a request again when a reused connection fails. A POST must not be, once a byte of it
// was written, whatever the header says.
func TestPostIsNeverReplayed(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	base := rawServer(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			if readRequest(r) != nil {
				return
			}
			if requests.Add(1) > 1 {
				return // the second one is read whole and the connection closed
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		}
	})
	c := New(base)
	for _, want := range []provider.Code{"", provider.CodeUnknown} {
		// Idempotency-Key is what makes Go's transport take a POST for one that may be replayed.
		r := post("/charge")
		r.Header = http.Header{"Idempotency-Key": {"k"}}
		if _, err := c.Do(t.Context(), r); provider.CodeOf(err) != want {
			t.Fatalf("code %q, want %q", provider.CodeOf(err), want)
		}
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("the provider read %d requests, want 2", n)
	}
}

func TestCountedConnTakesBackAWriteOfNothing(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	theirs.Close()
	c := &countedConn{Conn: ours}
	if _, err := c.Write([]byte("x")); err == nil || c.writes.Load() != 0 {
		t.Errorf("a write that wrote nothing counts %d (error %v)", c.writes.Load(), err)
	}
}

// What was written to a connection before it was this request's, a handshake or earlier requests, does not count.
func TestWireCountsFromTheMomentItHasTheConnection(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	t.Cleanup(func() { ours.Close() })
	c := &countedConn{Conn: ours}
	write := func() {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	write()
	var plain, secure wire
	plain.watch(httptrace.GotConnInfo{Conn: c})
	secure.watch(httptrace.GotConnInfo{Conn: tls.Client(c, &tls.Config{ServerName: "x"})})
	if plain.touched() || secure.touched() {
		t.Error("what was written before counts")
	}
	write()
	if !plain.touched() || !secure.touched() {
		t.Error("what was written after does not count")
	}
}

func TestDoSendsWhatItIsTold(t *testing.T) {
	t.Parallel()
	type seen struct {
		path, body string
		header     http.Header
	}
	got := make(chan seen, 1)
	s := server(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.RequestURI, string(body), r.Header}
	})
	c := New(s.URL + "/")
	cases := []struct {
		name, body, contentType string
		req                     Request
	}{
		{"JSON as written, without escaping & for HTML", `{"url":"https://a/?b=1&c=é"}`, "application/json",
			Request{Method: "POST", Path: "/a%2Fb?c=1", JSON: map[string]string{"url": "https://a/?b=1&c=é"}}},
		{"a form", "a=1&b=%26", "application/x-www-form-urlencoded",
			Request{Method: "POST", Path: "/a%2Fb?c=1", Form: url.Values{"a": {"1"}, "b": {"&"}}}},
		{"nothing", "", "", Request{Method: "GET", Path: "/a%2Fb?c=1"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			tc.req.Header = http.Header{"Token-Top": {"x"}}
			if _, err := c.Do(t.Context(), tc.req); err != nil {
				t.Fatal(err)
			}
			r := <-got
			if r.path != "/a%2Fb?c=1" || r.body != tc.body || r.header.Get("Content-Type") != tc.contentType {
				t.Errorf("got %q, %q, content type %q", r.path, r.body, r.header.Get("Content-Type"))
			}
			if r.header.Get("Token-Top") != "x" || len(tc.req.Header) != 1 {
				t.Errorf("header %v; the caller's own is now %v", r.header, tc.req.Header)
			}
			if r.header.Get("Idempotency-Key") != "" {
				t.Error("an Idempotency-Key was sent")
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	other := server(t, func(http.ResponseWriter, *http.Request) { t.Error("another host was called") })
	var arrived atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/loop", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/there", func(_ http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		if r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer t" {
			t.Errorf("%s with authorization %q arrived", r.Method, r.Header.Get("Authorization"))
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	for _, tc := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/moved", 200}, {"GET", "/elsewhere", 307}, {"GET", "/loop", 307}, {"POST", "/moved", 307}, {"POST", "/elsewhere", 307},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // an endless redirect
		defer cancel()
		resp, err := New(s.URL).Do(ctx, Request{Method: tc.method, Path: tc.path, Header: http.Header{"Authorization": {"Bearer t"}}})
		if err != nil || resp.Status != tc.want {
			t.Errorf("%s %s: %v, %v; want %d", tc.method, tc.path, resp, err, tc.want)
		}
	}
	if arrived.Load() != 1 {
		t.Errorf("%d redirected requests arrived, want only the GET on the same host", arrived.Load())
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	long := `{"token":"` + strings.Repeat("x", MaxBody) + `"}`
	cases := []struct {
		name, body, want string // want "" = it decodes
		announced        string // Content-Length, when not the body's own
	}{
		{"an object", `{"token":"a","n":1}`, "", ""},
		{"white space around it", " {\"token\":\"a\"}\n", "", ""},
		{"empty", "", "empty", ""},
		{"blank", " \n", "empty", ""},
		{"half", `{"token":"Miguel`, "not whole JSON", ""},
		{"a web page", "<html>Miguel", "not whole JSON", ""},
		{"wrong type", `{"token":123456789}`, `"token" has another type`, ""},
		{"wrong form", `{"token":"a","amount":"Miguel"}`, "another form", ""},
		{"a second value", `{"token":"a"}{"token":"b"}`, "something follows", ""},
		{"too long", long, "longer than 1048576 bytes", ""},
		{"broken off", `{"token":"a"}`, "broke off", "99"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			base := rawServer(t, func(c net.Conn) {
				_ = readRequest(bufio.NewReader(c))
				header := "HTTP/1.1 201 Created\r\nConnection: close\r\n"
				if tc.announced != "" {
					header += "Content-Length: " + tc.announced + "\r\n"
				}
				_, _ = io.WriteString(c, header+"\r\n"+tc.body)
			})
			resp, err := New(base).Do(t.Context(), post("/"))
			if err != nil || resp.Status != 201 {
				t.Fatalf("the status arrived, so it is an answer: %v, %v", resp, err)
			}
			if len(resp.Body) > MaxBody {
				t.Errorf("%d bytes were read", len(resp.Body))
			}
			var v struct {
				Token  string        `json:"token"`
				Amount payment.Money `json:"amount"`
			}
			err = resp.Decode(&v)
			switch {
			case tc.want == "" && (err != nil || v.Token != "a"):
				t.Errorf("got %+v, %v", v, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want an error that says %q", err, tc.want)
			case err != nil && (strings.Contains(err.Error(), "Miguel") || strings.Contains(err.Error(), "123456789")):
				t.Errorf("the error quotes the body: %v", err)
			}
		})
	}
}
