package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBackup(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	w.pay("order-1")
	if a := w.do("POST", "/v1/backup", `{"dir":"/backups/./first"}`); a.Status != http.StatusOK || strings.TrimSpace(a.Body) != `{"dir":"/backups/first"}` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	a := w.do("POST", "/v1/backup", `{"dir":"/backups/first"}`)
	if p := a.problem(t); a.Status != http.StatusUnprocessableEntity || p.Code != "backup_failed" || !strings.Contains(p.Detail, "exist") {
		t.Errorf("where one is: %d %s", a.Status, a.Body)
	}
	for _, dir := range []string{"", "data", "../data"} {
		a := w.do("POST", "/v1/backup", `{"dir":"`+dir+`"}`)
		if p := a.problem(t); a.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Field != "dir" {
			t.Errorf("%q: %d %s", dir, a.Status, a.Body)
		}
	}
}

// A backup takes longer than other answers may.
func TestSlowBackup(t *testing.T) {
	t.Parallel()
	const timeout = 50 * time.Millisecond
	w := start(t, nil, func(s *http.Server) { s.WriteTimeout = timeout })
	w.store.backupTakes = 2 * timeout
	if a := w.do("POST", "/v1/backup", `{"dir":"/backups/first"}`); a.Status != http.StatusOK {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
