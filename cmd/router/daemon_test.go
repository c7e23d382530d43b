package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

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
	d, err := startDaemon(t.Context(), l, lostStore{st}, engine.Config{Rules: rules, Logger: slog.New(slog.DiscardHandler)}, false)
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
	if _, err := startDaemon(t.Context(), l, st, engine.Config{Rules: rules}, false); err == nil {
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
