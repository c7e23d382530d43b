package sandbox

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// token is an access token that was issued.
type token struct {
	Value     string    `json:"value"`
	ExpiresAt time.Time `json:"expires_at"`
	Revoked   bool      `json:"revoked,omitzero"`
}

// sweepAt is how many tokens are kept before expired ones are swept out.
const sweepAt = 1_000

// IssueToken returns a new access token in the form of a JWT, good for that long on the sandbox's clock.
func (b *Books[T]) IssueToken(lifetime time.Duration) string {
	if len(b.s.tokens) >= sweepAt {
		for value, t := range b.s.tokens {
			if !b.Now.Before(t.ExpiresAt) {
				delete(b.s.tokens, value)
			}
		}
	}
	expires := b.Now.Add(lifetime)
	part := base64.RawURLEncoding.EncodeToString
	value := part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		part(fmt.Appendf(nil, `{"exp":%d,"jti":%q}`, expires.Unix(), RandomHex(16))) + "." + RandomHex(43)
	b.saveToken(token{Value: value, ExpiresAt: expires})
	return value
}

// TokenGood reports whether a token was issued and has neither expired nor been revoked.
func (b *Books[T]) TokenGood(value string) bool {
	t, ok := b.s.tokens[value]
	return ok && b.Now.Before(t.ExpiresAt)
}

// RevokeToken makes a good token bad and reports whether it was good.
func (b *Books[T]) RevokeToken(value string) bool {
	if !b.TokenGood(value) {
		return false
	}
	b.saveToken(token{Value: value, Revoked: true})
	return true
}

func (b *Books[T]) saveToken(t token) {
	b.s.putToken(t)
	b.s.journal.write(record[T]{Token: &t})
}

func (s *Sandbox[T]) putToken(t token) {
	if t.Revoked {
		delete(s.tokens, t.Value)
	} else {
		s.tokens[t.Value] = t
	}
}

// WrongSecret is the one client secret that a sandbox refuses.
const WrongSecret = "wrong"

// OAuth is a token service for client credentials (RFC 6749 §4.4) and, where it has a path for it, their
// revocation (RFC 7009). It takes every client id and secret that is not empty, except the secret "wrong".
type OAuth struct {
	TokenPath  string        // as in Endpoint.Path
	RevokePath string        // "" = tokens cannot be revoked
	Lifetime   time.Duration // of a token, on the sandbox's clock
	Scope      string        // "" = the answer names none
	// InBody takes the client's id and secret from the form; else they are in a Basic header. Revoking always takes
	// them from the form.
	InBody bool
}

// OAuthEndpoints returns the endpoints of o: of kind Token, and Other for the revocation.
func OAuthEndpoints[T any](o OAuth) []Endpoint[T] {
	endpoints := []Endpoint[T]{{Token, http.MethodPost, o.TokenPath, func(c *Call[T]) Answer { return issue(o, c) }}}
	if o.RevokePath != "" {
		endpoints = append(endpoints, Endpoint[T]{Other, http.MethodPost, o.RevokePath, revoke[T]})
	}
	return endpoints
}

func issue[T any](o OAuth, c *Call[T]) Answer {
	form, err := url.ParseQuery(string(c.Body))
	if err != nil {
		return oauthError(http.StatusBadRequest, "invalid_request")
	}
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if !o.InBody {
		id, secret, _ = c.Request.BasicAuth()
	}
	switch form.Get("grant_type") {
	case "client_credentials":
	case "":
		return oauthError(http.StatusBadRequest, "invalid_request")
	default:
		return oauthError(http.StatusBadRequest, "unsupported_grant_type")
	}
	if id == "" || secret == "" || secret == WrongSecret {
		return oauthError(http.StatusUnauthorized, "invalid_client")
	}
	return JSON(http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		Scope       string `json:"scope,omitzero"`
	}{c.IssueToken(o.Lifetime), "Bearer", int(o.Lifetime.Seconds()), o.Scope})
}

func revoke[T any](c *Call[T]) Answer {
	form, err := url.ParseQuery(string(c.Body))
	if err != nil || form.Get("token") == "" || form.Get("client_id") == "" || form.Get("client_secret") == "" {
		return oauthError(http.StatusBadRequest, "invalid_request")
	}
	if form.Get("client_secret") == WrongSecret {
		return oauthError(http.StatusUnauthorized, "invalid_client")
	}
	if !c.RevokeToken(form.Get("token")) {
		return oauthError(http.StatusNotFound, "invalid_token")
	}
	return Answer{Status: http.StatusOK}
}

func oauthError(status int, code string) Answer {
	return JSON(status, map[string]string{"error": code})
}
