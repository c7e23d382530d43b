package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

const rules = `
provider "acme" {
  notification_secret = "hush-hush"
}
route "too-small" {
  when   = "amount < 1000"
  reject = "1,000 pesos or more"
}
route "pse" {
  when      = "method == 'pse'"
  providers = ["acme"]
}
`

// good is a request that acme takes.
const good = `{"operation":"payin","method":"pse","amount":"20000.00","reference":"ORDER-1001",
	"payer":{"name":"Miguel Rodriguez","document":{"type":"CC","number":"1020304050"},"email":"miguel@example.com","bank":"1022"},
	"return_url":"https://shop.example/return?a=1&b=2"}`

// world is the API over a real engine, whose one provider is scripted.
type world struct {
	t        *testing.T
	url      string
	rules    string // the path of the rules
	acme     *providertest.Provider
	engine   *engine.Engine
	store    *faultyStore
	log      *logText
	server   *http.Server
	contract *contract
}

// faultyStore is a real store that can be told to refuse new payments, and whose backups may take long.
type faultyStore struct {
	*pebblestore.Store
	backupTakes time.Duration
	mu          sync.Mutex
	refuse      error
}

func (s *faultyStore) Backup(ctx context.Context, dir string) error {
	<-time.After(s.backupTakes)
	return s.Store.Backup(ctx, dir)
}

func (s *faultyStore) setFault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

func (s *faultyStore) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse
}

func (s *faultyStore) Health() error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Store.Health()
}

func (s *faultyStore) PutNotification(ctx context.Context, n store.Notification) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Store.PutNotification(ctx, n)
}

func (s *faultyStore) Create(ctx context.Context, p *payment.Payment, events []payment.Event) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Store.Create(ctx, p, events)
}

// logText is the log of a world, which may be read while it is written.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start serves the API; change, where it is not nil, alters its configuration, and tune its server.
func start(t *testing.T, change func(*Config), tune func(*http.Server)) *world {
	t.Helper()
	w := &world{t: t, acme: providertest.New("acme").SetBanks(provider.Bank{Code: "1022", Name: "Banco Union"}), log: &logText{}}
	w.contract = readContract(t)
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w.store = &faultyStore{Store: st}
	w.rules = filepath.Join(t.TempDir(), "routing.hcl")
	if err := os.WriteFile(w.rules, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	w.engine, err = engine.New(t.Context(), engine.Config{
		Rules: w.rules, Store: w.store, Providers: map[string]provider.Provider{"acme": w.acme}, PublicURL: "https://pay.example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.engine.Close() })
	c := Config{
		Engine: w.engine,
		Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&c)
	}
	w.server = NewServer(c)
	if tune != nil {
		tune(w.server)
	}
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = w.server
	ts.Start()
	t.Cleanup(ts.Close)
	w.url = ts.URL
	return w
}

// withKeys are the keys of every scope; a key's text is its name and "-secret".
func withKeys(c *Config) {
	var keys []routing.APIKey
	for _, name := range []string{"payments", "read", "admin"} {
		keys = append(keys, routing.APIKey{Name: name, SHA256: sha256Hex(name + "-secret"), Scopes: []string{name}})
	}
	c.Keys = func() []routing.APIKey { return keys }
}

// answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// decode reads the answer's body into v.
func (a answer) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		t.Fatalf("%v in %s", err, a.Body)
	}
}

func (a answer) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	a.decode(t, &p)
	return p
}

func (a answer) payment(t *testing.T) paymentAnswer {
	t.Helper()
	var p paymentAnswer
	a.decode(t, &p)
	return p
}

// do sends a request; header holds names and values in turn. The answer is held against openapi.json.
func (w *world) do(method, path, body string, header ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		switch name := header[i]; {
		case name == "Host":
			req.Host = header[i+1]
		case header[i+1] == "":
			req.Header.Del(name)
		case req.Header.Get(name) != "" && name != "Content-Type":
			req.Header.Add(name, header[i+1])
		default:
			req.Header.Set(name, header[i+1])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{resp.StatusCode, resp.Header, string(got)}
	w.contract.check(w.t, method, path, a)
	return a
}

// pay makes a payment that must be taken.
func (w *world) pay(key string) paymentAnswer {
	w.t.Helper()
	a := w.do("POST", "/v1/payments", good, "Idempotency-Key", key)
	if a.Status != http.StatusCreated {
		w.t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	return a.payment(w.t)
}

// eventually waits until f holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for tick := time.Tick(5 * time.Millisecond); !f(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		}
	}
}

// raw sends bytes as they are and returns all that comes back until the connection is closed.
func (w *world) raw(request string) string {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() { _, _ = io.WriteString(conn, request) }()
	b, _ := io.ReadAll(conn) // a reset is an end too
	return string(b)
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
