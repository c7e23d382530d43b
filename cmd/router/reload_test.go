package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
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
	path := writeFile(t, "routing.hcl", `route "none" { reject = "no" }`) // beside which there is no next.hcl yet
	d, err := startDaemon(t.Context(), l, st, engine.Config{Rules: path, Logger: slog.New(slog.DiscardHandler)}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`route "early" { reject = "no" }`), 0o600); err != nil { // once loaded, before it is watched
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	await := func(what string, ok func() bool) {
		t.Helper()
		deadline, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
		defer tick.Stop()
		for !ok() {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("%s never came; the rules are %v", what, d.engine.Rules().Routes())
			}
		}
	}
	become := func(route, text string, signal bool) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		await(route, func() bool {
			if signal {
				if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
			}
			return slices.Contains(d.engine.Rules().Routes(), route) // a signal that is still on its way may find the file empty
		})
	}
	await("early", func() bool { return slices.Contains(d.engine.Rules().Routes(), "early") })
	become("signalled", `route "signalled" { reject = "no" }`, true)
	become("changed", `route "changed" { reject = "no, again" }`, false)
	become("shadowed", `server { shadow = "next.hcl" }
route "shadowed" { reject = "no" }`, false)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "next.hcl"), []byte(`route "half" {`), 0o600); err != nil {
		t.Fatal(err)
	}
	await("the shadow's change", func() bool { s, err := d.engine.Shadow(); return err == nil && strings.Contains(s.Fault, "next.hcl:1") })
	if err := os.WriteFile(path, []byte(`route "half" {`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.reload(t.Context())
	if got := d.engine.Rules().Routes()[0]; got != "shadowed" {
		t.Errorf("faulty rules became %s", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A reload takes up another shadow, and warns of what in the server block it does not take up.
func TestReloadServerBlock(t *testing.T) {
	t.Parallel()
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	const route = `route "none" { reject = "no" }`
	path, next := writeFile(t, "routing.hcl", route), writeFile(t, "next.hcl", route)
	d, err := startDaemon(t.Context(), l, st, engine.Config{Rules: path, Logger: slog.New(slog.NewTextHandler(log, nil))}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		server, shadow string
		warned         bool
	}{
		{fmt.Sprintf("server { shadow = %q }\n", next), next, false},
		{"", "", false},
		{"server { public_url = \"https://pay.example.com\" }\n", "", true},
	} {
		if err := os.WriteFile(path, []byte(c.server+route), 0o600); err != nil {
			t.Fatal(err)
		}
		d.reload(t.Context())
		if s, _ := d.engine.Shadow(); s.Path != c.shadow {
			t.Errorf("%s: the shadow is %q", c.server, s.Path)
		}
		said, err := os.ReadFile(log.Name())
		if warned := strings.Contains(string(said), "takes effect at the next start"); err != nil || warned != c.warned {
			t.Errorf("%s: warned %t, %v", c.server, warned, err)
		}
	}
}
