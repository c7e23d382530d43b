package sandbox_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

const grant = "grant_type=client_credentials"

// basic is what a client with that id and secret puts in its Authorization header.
func basic(id, secret string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, secret)
	return r.Header.Get("Authorization")
}

// guarded is the toy with an endpoint that only a bearer of a token may call.
func guarded(o sandbox.OAuth, now func() time.Time) sandbox.Options[toy] {
	options := toyOptions()
	options.Now = now
	options.Endpoints = append(sandbox.OAuthEndpoints[toy](o), sandbox.Endpoint[toy]{
		Kind: sandbox.Balance, Method: "GET", Path: "/balance", Handle: func(c *toyCall) sandbox.Answer {
			if !c.Authorized() {
				return sandbox.Answer{Status: http.StatusUnauthorized}
			}
			return sandbox.Answer{Status: http.StatusOK}
		},
	})
	return options
}

func (d driver) token(header ...string) string {
	d.Helper()
	got := d.send("POST", "/o/token/", grant, header...)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || got.Status != http.StatusOK {
		d.Fatalf("token: %+v", got)
	}
	return answer.AccessToken
}

func TestToken(t *testing.T) {
	t.Parallel()
	oauth := sandbox.OAuth{TokenPath: "/o/token/{$}", RevokePath: "/o/revoke_token/{$}", Lifetime: time.Hour, Scope: "read write"}
	wall := newClock()
	d := serve(t, guarded(oauth, wall.Now))
	use := func(token string) int { return d.send("GET", "/balance", "", "Authorization", "Bearer "+token).Status }

	got := d.send("POST", "/o/token/", grant, "Authorization", basic("id", "secret"))
	var answer map[string]any
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || answer["token_type"] != "Bearer" ||
		answer["expires_in"] != 3600.0 || answer["scope"] != "read write" || strings.Count(answer["access_token"].(string), ".") != 2 {
		t.Errorf("the token answer: %s", got.Body)
	}
	first, second := answer["access_token"].(string), d.token("Authorization", basic("id", "secret"))
	if first == second || use(first) != 200 || use(second) != 200 || use("other") != 401 || use("") != 401 {
		t.Error("want two tokens that are good, and no other")
	}
	if got := d.send("GET", "/balance", "", "Authorization", "Basic "+first); got.Status != 401 {
		t.Errorf("a token under another scheme: %+v", got)
	}
	wall.advance(time.Hour - time.Second)
	if use(first) != 200 {
		t.Error("the token expires a second early")
	}
	d.control("POST", "clock", `{"advance_s":1}`, nil)
	if use(first) != 401 {
		t.Error("the token outlives its hour")
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	oauth := sandbox.OAuth{TokenPath: "/o/token/{$}", RevokePath: "/o/revoke_token/{$}", Lifetime: time.Hour}
	d := serve(t, guarded(oauth, time.Now))
	good := d.token("Authorization", basic("id", "secret"))
	revoking := func(pairs ...string) string { return form(append([]string{"token", good}, pairs...)...) }
	for _, tc := range []struct {
		name, path, body, credentials string
		want                          int
	}{
		{"no grant type", "/o/token/", "", basic("id", "secret"), 400},
		{"another grant type", "/o/token/", "grant_type=password", basic("id", "secret"), 400},
		{"not a form", "/o/token/", "%zz", basic("id", "secret"), 400},
		{"no credentials", "/o/token/", grant, "", 401},
		{"no secret", "/o/token/", grant, basic("id", ""), 401},
		{"no id", "/o/token/", grant, basic("", "secret"), 401},
		{"the wrong secret", "/o/token/", grant, basic("id", "wrong"), 401},
		{"credentials in the form", "/o/token/", grant + "&client_id=id&client_secret=secret", "", 401},
		{"revoking without credentials", "/o/revoke_token/", revoking(), "", 400},
		{"revoking nothing", "/o/revoke_token/", form("client_id", "id", "client_secret", "secret"), "", 400},
		{"revoking with the wrong secret", "/o/revoke_token/", revoking("client_id", "id", "client_secret", "wrong"), "", 401},
		{"revoking an unknown token", "/o/revoke_token/", form("token", "x", "client_id", "id", "client_secret", "secret"), "", 404},
		{"revoking", "/o/revoke_token/", revoking("client_id", "id", "client_secret", "secret"), "", 200},
		{"revoking again", "/o/revoke_token/", revoking("client_id", "id", "client_secret", "secret"), "", 404},
	} {
		got := d.send("POST", tc.path, tc.body, "Authorization", tc.credentials)
		if got.Status != tc.want || tc.want == 200 && got.Body != "" {
			t.Errorf("%s: %+v, want %d", tc.name, got, tc.want)
		}
	}
	if got := d.send("GET", "/balance", "", "Authorization", "Bearer "+good); got.Status != 401 {
		t.Errorf("a revoked token: %+v", got)
	}
}

func TestTokenWithCredentialsInTheBody(t *testing.T) {
	t.Parallel()
	wall := newClock()
	d := serve(t, guarded(sandbox.OAuth{TokenPath: "/oauth2/token", Lifetime: 300 * time.Second, InBody: true}, wall.Now))
	if got := d.send("POST", "/oauth2/token", grant+"&client_id=id&client_secret=secret"); got.Status != 200 ||
		!strings.Contains(got.Body, `"expires_in":300`) || strings.Contains(got.Body, "scope") {
		t.Errorf("in the body: %+v", got)
	}
	if got := d.send("POST", "/oauth2/token", grant, "Authorization", basic("id", "secret")); got.Status != 401 {
		t.Errorf("in the header: %+v", got)
	}
	if got := d.send("POST", "/o/revoke_token/", form("token", "x")); got.Status != 404 {
		t.Errorf("revoking where there is no path for it: %+v", got)
	}
}
