package foreign

import (
	"net/http"
	"time"
)

// What both of Tpaga's OAuth APIs have in common ("Authentication" in each document).

// tpagaTokenKind takes the paths as they are written: with a slash at their end.
func tpagaTokenKind(method, path string) string {
	switch {
	case method == http.MethodPost && path == "/o/token/":
		return "token"
	case method == http.MethodPost && path == "/o/revoke_token/":
		return "revoke"
	}
	return ""
}

func tpagaToken(s *Simulator, c *call) answer {
	form := c.form()
	if c.kind == "revoke" {
		_, known := s.tokens[form.Get("token")]
		switch {
		case !form.Has("token"):
			return reply(http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "Missing token parameter."})
		case form.Get("client_id") != ClientID || form.Get("client_secret") != ClientSecret:
			return reply(http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		case !known:
			return reply(http.StatusNotFound, map[string]any{"error": "not_found"})
		}
		delete(s.tokens, form.Get("token"))
		return answer{status: http.StatusOK}
	}
	id, secret, basic := c.BasicAuth()
	switch {
	case !basic || id != ClientID || secret != ClientSecret:
		return reply(http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
	case form.Get("grant_type") != "client_credentials":
		return reply(http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
	}
	// "token_type: The type of token, e.g. Bearer": the name is not case-sensitive (RFC 6749 §5.1), and small here.
	return reply(http.StatusOK, map[string]any{
		"access_token": s.issue(time.Hour), "token_type": "bearer", "expires_in": 3600, "scope": "read write", "refresh_token": nil,
	})
}

// tpagaUnauthorized is not in the error structure of 422: only that one's body is documented.
var tpagaUnauthorized = func() answer {
	a := reply(http.StatusUnauthorized, map[string]any{"detail": "Las credenciales de autenticación no se proveyeron."})
	a.header = map[string]string{"WWW-Authenticate": `Bearer realm="api"`}
	return a
}()

// tpagaInvalid is the structure of "Error Details".
func tpagaInvalid(field string, value any, message string) answer {
	return reply(http.StatusUnprocessableEntity, map[string]any{"error_message": message, "field": field, "value": value})
}
