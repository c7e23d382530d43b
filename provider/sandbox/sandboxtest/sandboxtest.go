// Package sandboxtest serves a provider's simulator for one test, and drives it by its control protocol.
package sandboxtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// patience bounds how long a test waits for something that a simulator does by itself.
const patience = 10 * time.Second

// Entry is a line of the simulator's ledger: what was really executed.
type Entry struct {
	ID, Key, Amount, Status string
	Operation               payment.Operation
}

// Simulator is a provider's simulator and the router that its webhooks reach. A call of the control protocol that does not work
// fails the test.
type Simulator struct {
	testing.TB
	URL    string // of the simulator
	Router string // where webhooks go

	webhooks chan provider.Notification
}

// Start serves the simulator that open makes, as sandbox.New functions do, until the test ends.
func Start(t testing.TB, open func(stateFile string) (http.Handler, error)) *Simulator {
	t.Helper()
	handler, err := open("")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	s := &Simulator{TB: t, URL: server.URL, webhooks: make(chan provider.Notification, 100)}
	router := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.webhooks <- provider.Notification{Method: r.Method, Path: r.URL.Path, Header: r.Header, Body: body}
	}))
	s.Router = router.URL
	t.Cleanup(func() {
		if err := handler.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
		server.CloseClientConnections() // of calls that a fault still delays
		server.Close()
		router.Close()
	})
	s.Post("webhook", map[string]any{"url": s.Router})
	return s
}

// Post makes the call POST /_sandbox/path with body as JSON.
func (s *Simulator) Post(path string, body any) {
	s.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	resp, err := http.Post(s.URL+"/_sandbox/"+path, "application/json", bytes.NewReader(b))
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		s.Fatalf("POST %s %s: %d %s", path, b, resp.StatusCode, answer)
	}
}

// Get reads the answer of GET /_sandbox/path into v. Other goroutines than the test's own may call it.
func (s *Simulator) Get(path string, v any) {
	s.Helper()
	resp, err := http.Get(s.URL + "/_sandbox/" + path)
	if err != nil {
		s.Error(err)
		return
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		s.Error(err)
	}
}

// Fault makes the next calls suffer a fault of the control protocol.
func (s *Simulator) Fault(fault map[string]any) {
	s.Helper()
	s.Post("faults", fault)
}

// Mode chooses between readings of the provider's documents.
func (s *Simulator) Mode(name, value string) {
	s.Helper()
	s.Post("mode", map[string]any{"name": name, "value": value})
}

// Settle moves a transaction to a status, as the bank or the payer would.
func (s *Simulator) Settle(id, status string) {
	s.Helper()
	s.Post("settle", map[string]any{"id": id, "status": status})
}

// Ledger returns what was really executed.
func (s *Simulator) Ledger() []Entry {
	s.Helper()
	var entries []Entry
	s.Get("ledger", &entries)
	return entries
}

// Counts says how many requests of each kind arrived.
func (s *Simulator) Counts() map[string]int {
	s.Helper()
	counts := map[string]int{}
	s.Get("counts", &counts)
	return counts
}

// AwaitLedger waits until the ledger has n entries, and fails the test when there are more.
func (s *Simulator) AwaitLedger(n int) {
	s.Helper()
	s.Await("the ledger's entries", func() bool { return len(s.Ledger()) >= n })
	if got := s.Ledger(); len(got) != n {
		s.Errorf("ledger %v, want %d entries", got, n)
	}
}

// Await waits for a condition.
func (s *Simulator) Await(what string, met func() bool) {
	s.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline:
			s.Errorf("waited in vain for %s", what)
			return
		}
	}
}

// Webhook returns the next webhook that the simulator sends.
func (s *Simulator) Webhook() provider.Notification {
	s.Helper()
	select {
	case n := <-s.webhooks:
		return n
	case <-time.After(patience):
		s.Fatal("no webhook came")
		return provider.Notification{}
	}
}

// Follow hands the next webhook to a plugin and looks up what it is about, as the engine does.
func (s *Simulator) Follow(p provider.ProviderWithNotifications) provider.Outcome {
	s.Helper()
	n := s.Webhook()
	queries, err := p.ParseNotification(s.Context(), n)
	if err != nil || len(queries) != 1 {
		s.Fatalf("webhook %s: %v, %v", n.Body, queries, err)
	}
	o, err := p.Lookup(s.Context(), queries[0])
	if err != nil {
		s.Fatal(err)
	}
	return o
}
