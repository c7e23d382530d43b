package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
)

// rulesPoll is how often the rules' files are looked at. A change is taken up when the next look finds nothing
// further changed: whoever writes them is done then.
const rulesPoll = time.Second

// watchRules reloads the rules at SIGHUP and when their files change, until ctx ends.
func (d *daemon) watchRules(ctx context.Context) {
	defer signal.Stop(d.hup)
	ticker := time.NewTicker(rulesPoll)
	defer ticker.Stop()
	last := d.fingerprint()
	loaded := last
	if fingerprint(d.rules) != d.asLoaded {
		loaded = "" // they changed meanwhile
	}
	for {
		by := "a change of the files"
		select {
		case <-ctx.Done():
			return
		case <-d.hup:
			by = "SIGHUP"
			last = d.fingerprint()
		case <-ticker.C:
			now := d.fingerprint()
			settled := now == last
			last = now
			if now == loaded || !settled {
				continue
			}
		}
		loaded = last
		d.reload(engine.WithActor(ctx, by))
	}
}

func (d *daemon) reload(ctx context.Context) {
	before := d.engine.Rules()
	err := d.engine.Reload(ctx)
	var faults routing.Diagnostics
	switch {
	case errors.As(err, &faults):
		for _, f := range faults {
			d.log.Error("the rules were not reloaded: "+f.Summary, f.LogArgs()...)
		}
	case err != nil:
		d.log.Error("the rules were not reloaded", "error", err)
	case atStart(before) != atStart(d.engine.Rules()):
		d.log.Warn("the changed server or store block takes effect at the next start")
	}
}

// startOnly is what a reload does not take up.
type startOnly struct {
	server routing.Server
	store  routing.Store
}

func atStart(r *routing.Rules) startOnly {
	s := startOnly{r.Server(), r.Store()}
	s.server.Shadow = ""
	return s
}

// fingerprint changes when a file of the rules or of their shadow does, and with the shadow's path.
func (d *daemon) fingerprint() string { return fingerprint(d.rules, d.engine.Rules().Server().Shadow) }

// fingerprint changes when a file of the rules does. Files that cannot be read are left out: reloading tells why.
func fingerprint(paths ...string) string {
	var files []string
	for _, path := range paths {
		entries, err := os.ReadDir(path)
		if err != nil {
			files = append(files, path)
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), ".hcl") {
				files = append(files, filepath.Join(path, entry.Name()))
			}
		}
	}
	var b strings.Builder
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			fmt.Fprintln(&b, f, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
