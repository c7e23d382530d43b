package oauth

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

const (
	clientID     = "OXSXZTIC60nB1ghmPevapPWxNT6twIQUeRVLQaCp"
	clientSecret = "XW7qm73qFohu9vT8zObQ0JNb8tS4UfMIg1iepeLw7VmXAHidyEbZ"
)

// account is a provider with a token endpoint, a revocation endpoint and one call. It issues T1, T2, ...
type account struct {
	*httptest.Server
	issued, calls atomic.Int64
	token         http.HandlerFunc // answers the token endpoint; nil = issues for an hour
	call          func(token, body string) int
	mu            sync.Mutex
	revoked       []url.Values
	revokeStatus  int
	now           time.Time
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{revokeStatus: 200, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /o/token/", func(w http.ResponseWriter, r *http.Request) {
		if a.token != nil {
			a.issued.Add(1)
			a.token(w, r)
			return
		}
		a.issue(w, `"expires_in": 3600`)
	})
	mux.HandleFunc("POST /o/revoke_token/", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		a.mu.Lock()
		a.revoked = append(a.revoked, r.PostForm)
		a.mu.Unlock()
		w.WriteHeader(a.revokeStatus)
	})
	mux.HandleFunc("POST /pay", func(w http.ResponseWriter, r *http.Request) {
		a.calls.Add(1)
		body, _ := io.ReadAll(r.Body)
		if a.call != nil {
			w.WriteHeader(a.call(r.Header.Get("Authorization"), string(body)))
		}
	})
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Server.Close)
	return a
}

func (a *account) issue(w http.ResponseWriter, more string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token": "T%d", "token_type": "Bearer", %s}`, a.issued.Add(1), more)
}

func (a *account) tokens() *Tokens {
	return New(rest.New(a.URL), Config{
		ClientID: clientID, ClientSecret: clientSecret, TokenPath: "/o/token/", RevokePath: "/o/revoke_token/",
		Style: oauth2.AuthStyleInHeader, Now: func() time.Time { return a.now },
	})
}

var pay = rest.Request{Method: http.MethodPost, Path: "/pay", JSON: map[string]string{"order_id": "k1"}}

func mustPay(t *testing.T, tokens *Tokens) {
	t.Helper()
	if resp, err := tokens.Do(t.Context(), pay); err != nil || resp.Status != 200 {
		t.Fatalf("got %+v, %v", resp, err)
	}
}

// together runs f n times at once and waits for all.
func together(n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(f)
	}
	wg.Wait()
}

func TestConcurrentCallersShareOneTokenRequest(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	tokens := a.tokens()
	together(200, func() {
		if resp, err := tokens.Do(t.Context(), pay); err != nil || resp.Status != 200 {
			t.Errorf("got %+v, %v", resp, err)
		}
	})
	if a.issued.Load() != 1 || a.calls.Load() != 200 {
		t.Errorf("%d token requests for %d calls", a.issued.Load(), a.calls.Load())
	}
}

func TestACancelledCallerFailsNobodyElse(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	asked, release := make(chan struct{}), make(chan struct{})
	a.token = func(w http.ResponseWriter, _ *http.Request) {
		close(asked) // a second request would panic here
		<-release
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"T1","token_type":"Bearer","expires_in":3600}`)
	}
	tokens := a.tokens()
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() { _, err := tokens.Do(ctx, pay); first <- err }()
	<-asked
	go func() { _, err := tokens.Do(t.Context(), pay); second <- err }()
	cancel()
	if err := <-first; provider.CodeOf(err) != provider.CodeUnavailable {
		t.Errorf("the cancelled caller got %v, want unavailable: nothing was sent", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("the other caller got %v", err)
	}
}

func TestATokenIsReplacedShortlyBeforeItExpires(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		expiresIn      string
		good, replaced time.Duration
	}{
		{`"expires_in": 3600`, 3569 * time.Second, 3571 * time.Second}, // half a minute before
		{`"expires_in": 300`, 269 * time.Second, 271 * time.Second},
		{`"expires_in": 100`, 89 * time.Second, 91 * time.Second}, // in the last tenth
		{`"scope": "read write"`, 1000 * time.Hour, 0},            // never, as nothing says when it expires
	} {
		t.Run(tc.expiresIn, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			a.token = func(w http.ResponseWriter, _ *http.Request) {
				a.issued.Add(-1)
				a.issue(w, tc.expiresIn)
			}
			start := a.now
			tokens := a.tokens()
			mustPay(t, tokens)
			a.now = start.Add(tc.good)
			mustPay(t, tokens)
			if n := a.issued.Load(); n != 1 {
				t.Errorf("%d token requests after %s", n, tc.good)
			}
			if tc.replaced == 0 {
				return
			}
			a.now = start.Add(tc.replaced)
			mustPay(t, tokens)
			if n := a.issued.Load(); n != 2 {
				t.Errorf("%d token requests after %s", n, tc.replaced)
			}
		})
	}
}

func TestARefusedToken(t *testing.T) {
	t.Parallel()
	t.Run("is replaced once for all who hold it, and each repeats its identical call once", func(t *testing.T) {
		t.Parallel()
		const n = 20
		a := newAccount(t)
		var stale atomic.Int64
		allStale := make(chan struct{})
		var mu sync.Mutex
		bodies := map[string]int{}
		a.call = func(token, body string) int {
			mu.Lock()
			bodies[body]++
			mu.Unlock()
			if token == "Bearer T1" {
				if stale.Add(1) == n {
					close(allStale)
				}
				select { // all are refused at once
				case <-allStale:
				case <-time.After(10 * time.Second):
				}
				return 401
			}
			return 200
		}
		tokens := a.tokens()
		together(n, func() {
			if resp, err := tokens.Do(t.Context(), pay); err != nil || resp.Status != 200 {
				t.Errorf("got %+v, %v", resp, err)
			}
		})
		if a.issued.Load() != 2 || bodies[`{"order_id":"k1"}`] != 2*n || len(bodies) != 1 {
			t.Errorf("%d token requests, bodies %v", a.issued.Load(), bodies)
		}
	})
	t.Run("refused twice, the answer is 401", func(t *testing.T) {
		t.Parallel()
		a := newAccount(t)
		a.call = func(string, string) int {
			if a.calls.Load() > 2 {
				return 200
			}
			return 401
		}
		resp, err := a.tokens().Do(t.Context(), pay)
		if err != nil || resp.Status != 401 || a.calls.Load() != 2 || a.issued.Load() != 2 {
			t.Errorf("got %+v, %v after %d calls and %d token requests", resp, err, a.calls.Load(), a.issued.Load())
		}
	})
}

func TestCredentialsGoWhereTheStyleSays(t *testing.T) {
	t.Parallel()
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		a := newAccount(t)
		a.token = func(w http.ResponseWriter, r *http.Request) {
			id, secret, basic := r.BasicAuth()
			_ = r.ParseForm()
			if !basic {
				id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
			}
			if basic != (style == oauth2.AuthStyleInHeader) || basic && len(r.PostForm) != 1 {
				t.Errorf("style %d: Basic header %t, form %v", style, basic, r.PostForm)
			}
			if id != clientID || secret != clientSecret || r.PostForm.Get("grant_type") != "client_credentials" {
				t.Errorf("style %d: credentials or grant_type are wrong: %v", style, r.PostForm)
			}
			w.WriteHeader(401)
		}
		tokens := New(rest.New(a.URL), Config{ClientID: clientID, ClientSecret: clientSecret, TokenPath: "/o/token/", Style: style})
		if _, err := tokens.Do(t.Context(), pay); provider.CodeOf(err) != provider.CodeUnauthorized {
			t.Errorf("style %d: got %v", style, err)
		}
		if n := a.issued.Load(); n != 1 {
			t.Errorf("style %d: a refusal made %d token requests; the style must not be guessed", style, n)
		}
	}
}

// The providers' documents encode client_id:client_secret as they are, and say that the answer is JSON.
func TestTheTokenRequestIsAsDocumented(t *testing.T) {
	t.Parallel()
	const secret = "p+q/r=s!%41 ü"
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		a := newAccount(t)
		a.token = func(w http.ResponseWriter, r *http.Request) {
			id, got, basic := r.BasicAuth()
			if !basic {
				id, got = r.FormValue("client_id"), r.FormValue("client_secret")
			}
			if id != clientID || got != secret {
				t.Errorf("style %d: got %q, %q", style, id, got)
			}
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, `{"access_token":"T1","token_type":"Bearer","expires_in":300}`)
		}
		mustPay(t, New(rest.New(a.URL), Config{
			ClientID: clientID, ClientSecret: secret, TokenPath: "/o/token/", Style: style, Now: func() time.Time { return a.now },
		}))
	}
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	echo := `{"error":"invalid_client","error_description":"` + clientSecret + `","access_token":"T-secret"}`
	cases := []struct {
		name   string
		answer http.HandlerFunc
		want   provider.Code
		says   string
	}{
		{"400", answer(400, echo), provider.CodeUnauthorized, "client_secret is wrong"},
		{"401", answer(401, echo), provider.CodeUnauthorized, "client_secret is wrong"},
		{"403", answer(403, echo), provider.CodeUnauthorized, "client_secret is wrong"},
		{"404", answer(404, echo), provider.CodeUnavailable, "base_url"},
		{"429", answer(429, echo), provider.CodeUnavailable, "429"},
		{"500", answer(500, echo), provider.CodeUnavailable, "500"},
		{"503 with a page", answer(503, "<html>"+clientSecret), provider.CodeUnavailable, "503"},
		{"307", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/pay", 307) }, provider.CodeUnavailable, "307"},
		{"200 without a token", answer(200, `{"token_type":"Bearer"}`), provider.CodeUnavailable, "holds none"},
		{"200 with half a token", answer(200, `{"access_token":"T-secret`), provider.CodeUnavailable, "holds none"},
		{"a token that is no header value", answer(200, `{"access_token":"T-secret\n","expires_in":60}`), provider.CodeUnavailable, ""},
		{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, provider.CodeUnavailable, "connection was closed"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			a.token = tc.answer
			_, err := a.tokens().Do(t.Context(), pay)
			if provider.CodeOf(err) != tc.want || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v; want %s that says %q", err, tc.want, tc.says)
			}
			if strings.Contains(err.Error(), clientSecret) || strings.Contains(err.Error(), "T-secret") {
				t.Errorf("the error holds a secret: %v", err)
			}
			if a.calls.Load() != 0 {
				t.Error("the call was made without a token")
			}
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		a := newAccount(t)
		a.Server.Close()
		_, err := a.tokens().Do(t.Context(), pay)
		if provider.CodeOf(err) != provider.CodeUnavailable || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a failure is not remembered", func(t *testing.T) {
		t.Parallel()
		a := newAccount(t)
		a.token = answer(503, "")
		tokens := a.tokens()
		if _, err := tokens.Do(t.Context(), pay); err == nil {
			t.Fatal("want an error")
		}
		a.token = answer(200, `{"access_token":"T1"}`)
		mustPay(t, tokens)
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	t.Run("revokes the token", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{200, 404} {
			a := newAccount(t)
			a.revokeStatus = status
			tokens := a.tokens()
			mustPay(t, tokens)
			if err := tokens.Close(t.Context()); err != nil {
				t.Errorf("status %d: %v", status, err)
			}
			want := url.Values{"token": {"T1"}, "client_id": {clientID}, "client_secret": {clientSecret}}
			if err := tokens.Close(t.Context()); err != nil {
				t.Errorf("closed twice: %v", err)
			}
			if len(a.revoked) != 1 || a.revoked[0].Encode() != want.Encode() {
				t.Errorf("status %d: revoked %v", status, a.revoked)
			}
			if _, err := tokens.Do(t.Context(), pay); provider.CodeOf(err) != provider.CodeUnavailable || a.calls.Load() != 1 {
				t.Errorf("a call after Close: %v", err)
			}
		}
	})
	t.Run("tells that it could not", func(t *testing.T) {
		t.Parallel()
		a := newAccount(t)
		a.revokeStatus = 401
		tokens := a.tokens()
		mustPay(t, tokens)
		if err := tokens.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), clientSecret) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("asks for nothing without a token", func(t *testing.T) {
		t.Parallel()
		a := newAccount(t)
		if err := a.tokens().Close(t.Context()); err != nil || len(a.revoked) != 0 {
			t.Errorf("%v, revoked %v", err, a.revoked)
		}
	})
	t.Run("ends a token request under way", func(t *testing.T) {
		t.Parallel()
		a := newAccount(t)
		asked := make(chan struct{})
		a.token = func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			close(asked)
			<-r.Context().Done()
		}
		tokens := a.tokens()
		failed := make(chan error)
		go func() { _, err := tokens.Do(context.Background(), pay); failed <- err }()
		<-asked
		start := time.Now()
		if err := tokens.Close(t.Context()); err != nil || time.Since(start) > fetchTimeout/2 {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		if err := <-failed; provider.CodeOf(err) != provider.CodeUnavailable || !strings.Contains(err.Error(), "closed") {
			t.Errorf("the waiting caller got %v", err)
		}
	})
}
