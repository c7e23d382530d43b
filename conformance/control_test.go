package conformance_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
)

// TestNoSandbox: what is no sandbox is named, soon and shortly.
func TestNoSandbox(t *testing.T) {
	t.Parallel()
	page := "<!doctype html>\n<html>" + strings.Repeat("<p>Welcome</p>", 1000)
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"silent": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer within 10s"},
		"a web server": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(page))
		}, `404 Not Found: "<!doctype html> <html>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.serve)
			defer server.Close()
			_, err := conformance.New(t.Context(), conformance.Config{Sandbox: server.URL})
			if err == nil || !strings.Contains(err.Error(), server.URL+" does not answer the control protocol: POST /_sandbox/reset: "+test.want) || len(err.Error()) > 300 {
				t.Error(err)
			}
		})
	}
}
