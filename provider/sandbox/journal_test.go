package sandbox

import (
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// A sandbox that cannot remember must not execute.
func TestStateThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	executed := 0
	s, err := New(Options[int]{
		Name: "toy", State: filepath.Join(t.TempDir(), "toy.state"),
		Endpoints: []Endpoint[int]{{Create, "POST", "/charges", func(c *Call[int]) Answer {
			executed++
			c.Add(Transaction[int]{Entry: Entry{ID: RandomHex(8)}})
			return Text(201, "made")
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	if w := call("POST", "/charges"); w.Code != 201 {
		t.Fatalf("with a state file: %d %s", w.Code, w.Body)
	}
	s.journal.file.Close() // every write fails from here on
	for _, c := range []string{"POST /charges", "POST /charges", "GET /_sandbox/ledger"} {
		method, path, _ := strings.Cut(c, " ")
		w := call(method, path)
		if w.Code != 500 || !strings.Contains(w.Body.String(), "the state file can no longer be written: ") {
			t.Errorf("%s: %d %s", c, w.Code, w.Body)
		}
	}
	if executed != 2 {
		t.Errorf("executed %d times, want once before the failure and once that failed", executed)
	}
}
