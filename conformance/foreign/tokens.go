package foreign

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// issue makes a token that is good for so long. It has the three parts of a JWT and its length.
func (s *Simulator) issue(lifetime time.Duration) string {
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"client":"` + ClientID + `","jti":"` + rand.Text() + `","scope":"read write"}`))
	token := "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9." + payload + "." + strings.Repeat(rand.Text(), 13)
	s.tokens[token] = s.now().Add(lifetime)
	return token
}

// authorized reports whether the call has a token that is good. The scheme's name is not case-sensitive (RFC 9110 §11.1).
func (s *Simulator) authorized(c *call) bool {
	scheme, token, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	end, ok := s.tokens[token]
	return strings.EqualFold(scheme, "bearer") && ok && s.now().Before(end)
}

func (c *call) form() url.Values {
	if !strings.HasPrefix(c.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil
	}
	form, _ := url.ParseQuery(string(c.body))
	return form
}

var decimals = regexp.MustCompile(`^(\d{1,15})(?:\.(\d{1,2}))?$`)

// centsOf reads an amount in pesos with up to two decimals, a string or a number.
func centsOf(value any) (int64, bool) {
	text, ok := value.(string)
	if n, isNumber := value.(json.Number); isNumber {
		text, ok = n.String(), true
	}
	m := decimals.FindStringSubmatch(text)
	if !ok || m == nil {
		return 0, false
	}
	var cents int64
	for _, digit := range m[1] + (m[2] + "00")[:2] {
		cents = cents*10 + int64(digit-'0')
	}
	return cents, true
}

// text returns a member that is a string, "" for all else.
func text(fields map[string]any, name string) string {
	value, _ := fields[name].(string)
	return value
}

func letters(n int) string { return strings.ToLower(rand.Text() + rand.Text())[:n] }

func tooLong(value string, most int) bool { return len([]rune(value)) > most }
