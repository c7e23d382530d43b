package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
)

func newServeCmd() command {
	return command{
		name: "serve", summary: "serve the HTTP API by the rules of a routing.hcl",
		details: "It stops at an interrupt or SIGTERM, after the hand-overs under way have ended (at most 30 s). It may be\n" +
			"killed at any time: what it acknowledged is on disk, and the next start goes on with it.\n" +
			"It exits with 3 when the store cannot be written any more.",
		example: "  TPAGA_PSE_CLIENT_ID=… TPAGA_PSE_CLIENT_SECRET=… router serve -c routing.hcl",
		setup: func(flags *flag.FlagSet) action {
			path := rulesFlag(flags)
			address := flags.String("listen", "", "the API's `address`; default: that of the rules' server block, else 127.0.0.1:8080")
			unlocked := unlockedFlag(flags)
			logs := newLogFlags(flags)
			return func(ctx context.Context, s streams, _ []string) error {
				log, err := logs.logger("serve", s.err)
				if err != nil {
					return err
				}
				return serve(ctx, log, *path, *address, *unlocked)
			}
		},
	}
}

// garbage is how much the heap may grow between two runs of the garbage collector, in percent (see GOGC of package
// runtime, whose default is 100), unless the environment says otherwise. A router keeps some 8 MiB on the heap and leaves
// 14 KiB behind for each payment: at 15,000 a second it would collect more than 30 times a second, now 9 times.
const garbage = 300

func serve(ctx context.Context, log *slog.Logger, path, address string, unlocked bool) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	rules, diagnostics := routing.Load(path, nil)
	if rules == nil {
		return diagnostics // the engine logs those that are only warnings
	}
	launcher, err := lockedPlugins(path, unlocked, log)
	if err != nil {
		return err
	}
	if address == "" {
		address = rules.Server().Listen
	}
	l, err := listen(address, rules.APIKeys())
	if err != nil {
		return err
	}
	st, err := openStore(rules.Store(), log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	d, err := startDaemon(ctx, l, st, engine.Config{
		Rules: path, Plugins: launcher, PublicURL: rules.Server().PublicURL, Logger: log,
	}, true)
	if err != nil {
		return err
	}
	if len(rules.APIKeys()) == 0 {
		log.Warn("the rules have no api_key block: every program on this machine may use the API")
	}
	log.Info("serving", "address", l.Addr().String(), "rules", rules.Hash(), "store", rules.Store().Path)
	return d.run(ctx)
}
