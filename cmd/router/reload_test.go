package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
)

// A running router takes up rules that are changed, by itself and at SIGHUP, and keeps those it has when they are faulty.
func TestWatchRules(t *testing.T) {
	t.Parallel()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // which would end this process while nobody listens for it
	defer signal.Stop(hup)
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, "routing.hcl", `route "none" { reject = "no" }`)
	d, err := startDaemon(t.Context(), l, st, engine.Config{Rules: path, Logger: slog.New(slog.DiscardHandler)}, false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	become := func(route, text string, signal bool) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		deadline, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
		defer tick.Stop()
		for d.engine.Rules().Routes()[0] != route {
			if signal {
				if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("the rules are %v", d.engine.Rules().Routes())
			}
		}
	}
	become("signalled", `route "signalled" { reject = "no" }`, true)
	become("changed", `route "changed" { reject = "no, again" }`, false)
	if err := os.WriteFile(path, []byte(`route "half" {`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.reload(t.Context())
	if got := d.engine.Rules().Routes()[0]; got != "changed" {
		t.Errorf("faulty rules became %s", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
