package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/cauce-pay/cauce/engine/store/pebblestore"
)

func newBackupCmd() command {
	return command{
		name: "backup", args: "DIR", summary: "copy the store of a running router, or of a stopped one, to a new directory",
		details: "A running router is asked for it, on its own machine: payments go on, and all that were acknowledged are in the\n" +
			"copy. On the same disk most of the copy is links: move it to another one afterwards. With -c it is the store of\n" +
			"those rules, which no router may have open. The key needs the scope admin.\n" + clientDetails,
		example: "  router backup /var/backups/cauce/2026-11-21",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			path := flags.String("c", "", "the rules of a stopped router: a `file`, or a directory of *.hcl files")
			return func(ctx context.Context, s streams, args []string) error {
				if len(args) == 0 {
					return usagef("router backup -h", "backup: the new directory is missing")
				}
				dir, err := filepath.Abs(args[0])
				if err != nil {
					return err
				}
				shown := showProgress(s.err, "")
				if *path == "" {
					var resp *http.Response // open sets no deadline: a copy to another disk takes as long as it takes
					if resp, err = c.open(ctx, http.MethodPost, "/v1/backup", map[string]string{"dir": dir}); err == nil {
						err = resp.Body.Close()
					}
				} else {
					err = backupStopped(ctx, *path, dir)
				}
				shown.stop()
				if err == nil {
					_, err = fmt.Fprintf(s.out, "the backup is in %s\n", dir)
				}
				return err
			}
		},
	}
}

func backupStopped(ctx context.Context, rules, dir string) (err error) {
	path, err := storeDir(rules)
	if err != nil {
		return err
	}
	st, err := openStopped(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return st.Backup(ctx, dir)
}

func newRestoreCmd() command {
	return command{
		name: "restore", args: "DIR", summary: "copy a backup to where the rules have their store",
		details: "There must be nothing yet. What happened after the backup is not in it: a payment that was made since is\n" +
			"unknown, and the same idempotency key would pay again. Compare with the providers' statements before callers\n" +
			"send anything.",
		example: "  router restore /var/backups/cauce/2026-11-21 -c routing.hcl",
		setup: func(flags *flag.FlagSet) action {
			path := rulesFlag(flags)
			return func(_ context.Context, s streams, args []string) error {
				if len(args) == 0 {
					return usagef("router restore -h", "restore: the backup's directory is missing")
				}
				dir, err := storeDir(*path)
				if err != nil {
					return err
				}
				shown := showProgress(s.err, "")
				err = pebblestore.Restore(args[0], dir, nil)
				shown.stop()
				if err != nil {
					return err
				}
				_, err = io.WriteString(s.out, "the store is in "+dir+"\n")
				return err
			}
		},
	}
}

// storeDir is the directory of the rules' store. Secrets need not be known.
func storeDir(rules string) (string, error) {
	loaded, found := loadWithoutSecrets(rules)
	if loaded == nil {
		return "", found
	}
	st := loaded.Store()
	if st.Kind != "pebble" {
		return "", fmt.Errorf("a store %q has backups of its own; this is for pebble", st.Kind)
	}
	if strings.Contains(st.Path, notSet) {
		return "", fmt.Errorf("the store's path in %s depends on a variable of the environment that is not set: set it", rules)
	}
	return st.Path, nil
}
