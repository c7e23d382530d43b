package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/engine/webhook"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// key is what the receivers verify with; secret is how the rules write it.
const key = "0123456789abcdef0123456789abcdef"

var secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(key))

// block writes a webhook block.
func block(name, url, more string) string {
	return fmt.Sprintf("webhook %q {\n  url = %q\n  secret = %q\n  %s\n}\n", name, url, secret, more)
}

// rejectAll ends every payment with one event that a merchant hears of.
const rejectAll = `route "none" { reject = "closed today" }`

// world is an engine with a sender, on a store in memory and by a clock that stands still.
type world struct {
	*engine.Engine
	sender   *webhook.Sender
	store    store.Store
	fs       *vfs.MemFS
	clock    *providertest.Clock
	acme     *providertest.Provider
	rules    string // their path
	log      chan logLine
	stopping bool
}

func setup(t *testing.T, rules string) *world {
	t.Helper()
	w := &world{
		fs: vfs.NewCrashableMem(), clock: providertest.NewClock(time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)),
		acme: providertest.New("acme"), rules: filepath.Join(t.TempDir(), "routing.hcl"), log: make(chan logLine, 10_000),
	}
	w.write(t, rules)
	return w
}

func (w *world) write(t *testing.T, rules string) {
	t.Helper()
	if err := os.WriteFile(w.rules, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) start(t *testing.T) *world {
	t.Helper()
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: w.fs})
	if err != nil {
		t.Fatal(err)
	}
	w.store, w.stopping = st, false
	w.Engine, err = engine.New(t.Context(), engine.Config{
		Rules: w.rules, Store: st, Clock: w.clock, Providers: map[string]provider.Provider{"acme": w.acme},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.sender, err = webhook.New(t.Context(), webhook.Config{Engine: w.Engine, Store: st, Clock: w.clock, Logger: slog.New(logHandler{w.log})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stop(t) })
	return w
}

func (w *world) stop(t *testing.T) {
	t.Helper()
	if w.stopping {
		return
	}
	w.stopping = true
	w.sender.Close()
	if err := w.Engine.Close(); err != nil {
		t.Error(err)
	}
	if err := w.store.Close(); err != nil {
		t.Error(err)
	}
}

// crash returns the same world after a power loss: what was not synced is gone.
func (w *world) crash() *world {
	return &world{
		fs: w.fs.CrashClone(vfs.CrashCloneCfg{}), clock: providertest.NewClock(w.clock.Now()),
		acme: w.acme, rules: w.rules, log: w.log,
	}
}

func (w *world) pay(t *testing.T, key string) *payment.Payment {
	t.Helper()
	p, err := w.Pay(t.Context(), key, payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(20_000), Description: "Compra de producto ABC",
		Payer: payment.Party{
			Name: "Miguel Rodriguez", Document: payment.Document{Type: payment.CC, Number: "1020304050"},
			Email: "miguel@example.com", Phone: "3057788996", Bank: "1022",
		},
		ReturnURL: "https://shop.example/return",
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// metric returns one figure of a block.
func (w *world) metric(t *testing.T, name, block string) string {
	t.Helper()
	var b strings.Builder
	if err := w.sender.WriteMetrics(&b); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(b.String(), fmt.Sprintf("%s{webhook=%q} ", name, block))
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

// until polls for something that happens in the background.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it never happened: " + what)
		}
	}
}

// logLine is what the sender logs of a message.
type logLine struct {
	message, err string
	due          time.Time
}

type logHandler struct{ lines chan<- logLine }

func (logHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h logHandler) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h logHandler) WithGroup(string) slog.Handler          { return h }

func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	line := logLine{message: r.Message}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "error":
			line.err = a.Value.String()
		case "due":
			line.due = a.Value.Time()
		}
		return true
	})
	h.lines <- line
	return nil
}

// logged waits for the sender's next log line.
func (w *world) logged(t *testing.T) logLine {
	t.Helper()
	select {
	case line := <-w.log:
		return line
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was logged")
		return logLine{}
	}
}

// delivery is a message as a receiver got it.
type delivery struct {
	id, body  string
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Seq       int64           `json:"seq"`
	Data      payment.Payment `json:"data"`
}

// receiver is a merchant's server. It takes what is signed with key, by its own reading of Standard Webhooks.
type receiver struct {
	*httptest.Server
	got chan delivery
}

// receive starts a receiver; answer writes what it answers to a message, nil is 204.
func receive(t *testing.T, answer func(http.ResponseWriter, delivery)) *receiver {
	t.Helper()
	r := &receiver{got: make(chan delivery, 10_000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		d, err := verify(req)
		if err != nil {
			t.Error(err)
		}
		r.got <- d
		if answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, d)
	}))
	t.Cleanup(r.Close)
	return r
}

func verify(req *http.Request) (delivery, error) {
	d := delivery{id: req.Header.Get("webhook-id")}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return d, err
	}
	d.body = string(body)
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(d.id + "." + req.Header.Get("webhook-timestamp") + "." + d.body))
	signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(req.Header.Get("webhook-signature"), "v1,"))
	if err != nil || !hmac.Equal(signature, h.Sum(nil)) {
		return d, fmt.Errorf("message %s is signed wrongly: %q", d.id, req.Header.Get("webhook-signature"))
	}
	return d, json.Unmarshal(body, &d)
}

// next waits for the next message.
func (r *receiver) next(t *testing.T) delivery {
	t.Helper()
	select {
	case d := <-r.got:
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("no message came")
		return delivery{}
	}
}
