package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
)

// lostStore is a store whose disk fails at the first payment.
type lostStore struct{ store.Store }

func (lostStore) Create(context.Context, *payment.Payment, []payment.Event) error {
	return fmt.Errorf("%w: input/output error", store.ErrUnavailable)
}

// A router whose store is lost acknowledges nothing more and ends, with an exit code of its own.
func TestStoreLost(t *testing.T) {
	t.Parallel()
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := writeFile(t, "routing.hcl", `route "none" { reject = "no" }`)
	d, err := startDaemon(t.Context(), l, lostStore{st}, engine.Config{Rules: rules, Plugins: plugins(), Logger: slog.New(slog.DiscardHandler)}, false)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.run(t.Context()) }()

	w := &world{url: "http://" + l.Addr().String(), client: newClient(t)}
	if status, err := w.call(t.Context(), http.MethodPost, w.url+"/v1/payments", "order-1", order, nil); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("%d, %v", status, err)
	}
	err = <-ended
	var out strings.Builder
	if code := conclude(streams{err: &out}, err); code != exitStoreLost || !errors.Is(err, errStoreLost) {
		t.Errorf("exit code %d: %v", code, err)
	}
	if !strings.Contains(out.String(), "Start again once the disk is well") {
		t.Errorf("it prints %q", out.String())
	}
}

// A daemon that only this machine reaches tells a merchant on this machine, without allow_private.
func TestDaemonSendsWebhooks(t *testing.T) {
	t.Parallel()
	got := make(chan payment.Payment, 10)
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Data payment.Payment }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Error(err)
		}
		got <- message.Data
	}))
	defer shop.Close()
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := writeFile(t, "routing.hcl", fmt.Sprintf(`
route "none" { reject = "no" }
webhook "shop" {
  url    = %q
  secret = "a secret of this test"
}`, shop.URL))
	d, err := startDaemon(t.Context(), l, st, engine.Config{Rules: rules, Plugins: plugins(), Logger: slog.New(slog.DiscardHandler)}, false)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{url: "http://" + l.Addr().String(), client: newClient(t)}
	var p payment.Payment
	if status, err := w.call(t.Context(), http.MethodPost, w.url+"/v1/payments", "order-1", order, &p); err != nil || status != http.StatusCreated {
		t.Fatalf("%d, %v", status, err)
	}
	select {
	case told := <-got:
		if told.ID != p.ID || told.Status != p.Status {
			t.Errorf("the merchant is told of %s %s, not of %s %s", told.ID, told.Status, p.ID, p.Status)
		}
	case <-time.After(10 * time.Second):
		t.Error("the merchant is told nothing")
	}
	resp, err := w.client.Get(w.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), `cauce_webhook_backlog{webhook="shop"}`) {
		t.Errorf("/metrics does not tell of it (%v):\n%s", err, text)
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
}

// Whatever is opened before a router cannot be started is closed again.
func TestStartDaemonFails(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := writeFile(t, "routing.hcl", `provider "acme" {}`)
	if _, err := startDaemon(t.Context(), l, st, engine.Config{Rules: rules, Plugins: plugins()}, false); err == nil {
		t.Fatal("a router without its plugin was started")
	}
	if again, err := pebblestore.Open("data", &pebblestore.Options{FS: fs}); err != nil {
		t.Error(err)
	} else if err := again.Close(); err != nil {
		t.Error(err)
	}
	if again, err := listen(l.Addr().String(), nil); err != nil {
		t.Error(err)
	} else {
		_ = again.Close()
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	keys := []routing.APIKey{{Name: "shop"}}
	for _, test := range []struct {
		address string
		keys    []routing.APIKey
		ok      bool
	}{
		{"127.0.0.1:0", nil, true},
		{"localhost:0", nil, true},
		{"0.0.0.0:0", nil, false},
		{":0", nil, false},
		{":0", keys, true},
		{"127.0.0.1:99999", nil, false},
	} {
		l, err := listen(test.address, test.keys)
		if (err == nil) != test.ok {
			t.Errorf("%s with %d keys: %v", test.address, len(test.keys), err)
		}
		if err == nil {
			_ = l.Close()
		}
	}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // where there is IPv6
		_ = l.Close()
		if l, err = listen("[::1]:0", nil); err != nil {
			t.Error(err)
		} else {
			_ = l.Close()
		}
	}
}

// The rules in force decide whether a port that others reach may be served, not those that were read before.
func TestKeysGoneSinceListening(t *testing.T) {
	t.Parallel()
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen("0.0.0.0:0", []routing.APIKey{{Name: "shop"}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "routing.hcl")
	if err := os.WriteFile(path, []byte(`route "none" { reject = "closed" }`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = startDaemon(t.Context(), l, st, engine.Config{Rules: path}, true)
	if err == nil || !strings.Contains(err.Error(), "can be reached from other machines") {
		t.Errorf("it is served without keys: %v", err)
	}
}
