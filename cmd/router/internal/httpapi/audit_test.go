package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	if a := w.do("GET", "/v1/audit", ""); strings.TrimSpace(a.Body) != `{"audit":[],"next_cursor":null}` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for _, path := range []string{"/v1/providers/acme/pause", "/v1/providers/acme/resume"} {
		if a := w.do("POST", path, ""); a.Status != http.StatusOK {
			t.Fatal(a.Body)
		}
	}
	for _, c := range []struct {
		query  string
		status int
		want   string
	}{
		{"", http.StatusOK, `"act":"resume","subject":"acme"`},
		{"?limit=1", http.StatusOK, `"actor":"the API, without a key","act":"pause","subject":"acme","previous":"",`},
		{"?limit=1", http.StatusOK, `"next_cursor":"1"`},
		{"?limit=1&cursor=1", http.StatusOK, `"seq":2,`},
		{"?cursor=2", http.StatusOK, `{"audit":[],"next_cursor":null}`},
		{"?cursor=x", http.StatusUnprocessableEntity, `"field":"cursor"`},
		{"/verification", http.StatusOK, `"faults":[]`},
	} {
		if a := w.do("GET", "/v1/audit"+c.query, ""); a.Status != c.status || !strings.Contains(a.Body, c.want) {
			t.Errorf("%s: %d %s, want %s", c.query, a.Status, a.Body, c.want)
		}
	}
}
