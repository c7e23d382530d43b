package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cauce-pay/cauce/cmd/router/internal/httpapi"
	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/webhook"
)

// daemon is an engine behind its HTTP API.
type daemon struct {
	store    store.Store
	engine   *engine.Engine
	webhooks *webhook.Sender
	server   *http.Server
	served   chan error // what ended the server
	log      *slog.Logger
	rules    string         // their path
	asLoaded string         // fingerprint of the rules' files from before they were loaded
	hup      chan os.Signal // SIGHUP: the rules are to be reloaded
}

// listen opens the API's port. Without API keys it must be one that only this machine reaches.
func listen(address string, keys []routing.APIKey) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program, perhaps by another router; stop it, or choose another address with -listen", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	if err := refuseExposed(l, keys); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// refuseExposed demands API keys on a port that other machines reach.
func refuseExposed(l net.Listener, keys []routing.APIKey) error {
	if len(keys) > 0 || isLoopback(l) {
		return nil
	}
	return fmt.Errorf("%s can be reached from other machines, but the rules have no api_key block, so that everybody could pay: add one (router key new), or listen on 127.0.0.1", l.Addr())
}

// isLoopback reports whether only this machine reaches the port.
func isLoopback(l net.Listener) bool { return l.Addr().(*net.TCPAddr).IP.IsLoopback() }

// startDaemon starts the engine on an open store and serves its API on an open port, to those who have one of the
// rules' API keys if they ask for keys. Both are the daemon's from then on, also when it cannot be started.
func startDaemon(ctx context.Context, l net.Listener, st store.Store, c engine.Config, withKeys bool) (*daemon, error) {
	c.Store = st
	asLoaded := fingerprint(c.Rules)
	eng, err := engine.New(ctx, c)
	if err != nil {
		return nil, errors.Join(err, l.Close(), st.Close())
	}
	// The files may have changed since listen saw their keys.
	if withKeys {
		if err := refuseExposed(l, eng.Rules().APIKeys()); err != nil {
			return nil, errors.Join(err, l.Close(), eng.Close(), st.Close())
		}
	}
	sender, err := webhook.New(ctx, webhook.Config{Engine: eng, Store: st, AllowPrivate: isLoopback(l), Logger: c.Logger})
	if err != nil {
		return nil, errors.Join(err, l.Close(), eng.Close(), st.Close())
	}
	var keys func() []routing.APIKey
	if withKeys {
		keys = func() []routing.APIKey { return eng.Rules().APIKeys() }
	}
	d := &daemon{
		store: st, engine: eng, webhooks: sender, served: make(chan error, 1), log: c.Logger, rules: c.Rules, asLoaded: asLoaded, hup: make(chan os.Signal, 1),
		server: httpapi.NewServer(httpapi.Config{Engine: eng, Keys: keys, Metrics: sender.WriteMetrics, Logger: c.Logger}),
	}
	signal.Notify(d.hup, syscall.SIGHUP) // before anybody can know that it serves
	go func() { d.served <- d.server.Serve(l) }()
	return d, nil
}

// run serves until ctx ends or the store is lost, and then stops.
func (d *daemon) run(ctx context.Context) error {
	watching, stopWatching := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		d.watchRules(watching)
	}()
	defer func() { stopWatching(); <-watched }()
	var err error
	select {
	case <-ctx.Done():
		d.log.Info("stopping: hand-overs under way are let end; a second signal ends the process at once")
	case <-d.engine.Failed():
		err = errStoreLost
	case err = <-d.served:
		err = fmt.Errorf("serving the API: %w", err)
	}
	return errors.Join(err, d.stop())
}

// stopTimeout bounds a graceful stop. What is under way then is taken up at the next start.
const stopTimeout = 30 * time.Second

// stop stops taking requests, lets those that have come and the hand-overs end, and closes everything.
func (d *daemon) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if d.server.Shutdown(ctx) != nil {
		_ = d.server.Close()
	}
	d.webhooks.Close()
	closed := make(chan error, 1)
	go func() { closed <- d.engine.Close() }()
	select {
	case err := <-closed:
		return errors.Join(err, d.store.Close())
	case <-ctx.Done():
		d.log.Warn("hand-overs are still under way; they are taken up at the next start")
		return nil
	}
}
