package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/engine/routing"
)

// scope is what a route asks of an API key.
type scope string

const (
	open     scope = ""         // no key is asked for
	read     scope = "read"     // whatever changes nothing; every key has it
	payments scope = "payments" // make and refresh payments
	admin    scope = "admin"    // resolve payments by hand, and what concerns the router itself; includes payments
)

type apiKey struct {
	name   string
	sum    [sha256.Size]byte
	scopes []string
}

// allows reports whether the key may call a route that needs this scope.
func (k apiKey) allows(need scope) bool {
	return need == read || slices.Contains(k.scopes, string(need)) || slices.Contains(k.scopes, string(admin))
}

func apiKeys(blocks []routing.APIKey) []apiKey {
	keys := make([]apiKey, len(blocks))
	for i, b := range blocks {
		keys[i] = apiKey{name: b.Name, scopes: b.Scopes}
		_, _ = hex.Decode(keys[i].sum[:], []byte(b.SHA256)) // routing has checked it
	}
	return keys
}

var (
	errNoKey  = newProblem(http.StatusUnauthorized, "unauthorized", "send an API key: Authorization: Bearer KEY")
	errBadKey = newProblem(http.StatusUnauthorized, "unauthorized", "this API key is not known")
	errHost   = newProblem(http.StatusForbidden, "forbidden_host",
		"without API keys the router only answers under the names of this machine's loopback addresses")
	errOrigin = newProblem(http.StatusForbidden, "forbidden_origin", "a web page of another site must not do this")
)

// authorize returns the name of the request's API key. Without keys in the rules everybody on this machine is let
// in, except a browser that was lured here under a foreign name (DNS rebinding).
func (a *api) authorize(r *http.Request, need scope) (name string, err error) {
	keys := apiKeys(a.keys())
	switch {
	case need == open:
		return "", nil
	case len(keys) == 0 && a.keyless:
		if !isLoopback(r.Host) {
			return "", errHost
		}
		return "", nil
	}
	given := r.Header.Values("Authorization")
	if len(given) != 1 {
		return "", errNoKey
	}
	kind, key, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(kind, "Bearer") {
		return "", errNoKey
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(key)))
	found := -1
	for i := range keys { // all of them, so that the time tells nothing
		if subtle.ConstantTimeCompare(keys[i].sum[:], sum[:]) == 1 {
			found = i
		}
	}
	switch {
	case found < 0:
		return "", errBadKey
	case !keys[found].allows(need):
		return "", newProblem(http.StatusForbidden, "forbidden_scope", "this needs an API key with the scope "+string(need))
	}
	return keys[found].name, nil
}

// isLoopback reports whether a Host header names this machine to itself.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback() || strings.EqualFold(host, "localhost")
}
