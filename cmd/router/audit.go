package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
)

const auditDetails = "The log has every reload of the rules, pause, resume and resolution by hand: when, by which API key, and why. An act\n" +
	"that cannot be written there does not happen. With -dir it is read from a store that no router has open: a data\n" +
	"directory or a backup. The key needs the scope admin.\n" + clientDetails

func newAuditListCmd() command {
	return command{
		name: "audit list", summary: "list what administrators did, the oldest first",
		details: auditDetails,
		example: "  router audit list\n  router audit list -dir /var/backups/cauce/2026-11-21",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			dir := flags.String("dir", "", "the `directory` of a store that no router has open")
			asJSON := flags.Bool("json", false, "print one JSON object a line")
			return func(ctx context.Context, s streams, _ []string) error {
				return listAudit(ctx, s, auditPages(c, *dir), *asJSON)
			}
		},
	}
}

func newAuditVerifyCmd() command {
	return command{
		name: "audit verify", summary: "check that the log of administrators' acts is whole",
		details: "Every entry holds the hash of the one before it: one that was changed, taken away or moved is found and named. The\n" +
			"head that it prints, kept elsewhere, shows later that the log was not replaced as a whole. It exits with 1 where\n" +
			"the log is not whole.\n\n" + auditDetails,
		example: "  router audit verify\n  router audit verify -dir data",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			dir := flags.String("dir", "", "the `directory` of a store that no router has open")
			asJSON := flags.Bool("json", false, "print it as JSON")
			return func(ctx context.Context, s streams, _ []string) error {
				return verifyAudit(ctx, s, c, *dir, *asJSON)
			}
		},
	}
}

// auditPage is one page of the log.
type auditPage struct {
	Audit []engine.AuditEntry `json:"audit"`
	Next  string              `json:"next_cursor"`
}

// auditPages returns what reads the page of the log after a cursor: of the running router, or of a store.
func auditPages(c *client, dir string) func(ctx context.Context, cursor string) (auditPage, error) {
	if dir == "" {
		return func(ctx context.Context, cursor string) (page auditPage, _ error) {
			answer, err := c.call(ctx, http.MethodGet, "/v1/audit?limit=500&cursor="+url.QueryEscape(cursor), nil)
			if err != nil {
				return page, err
			}
			return page, json.Unmarshal(answer, &page)
		}
	}
	return func(ctx context.Context, _ string) (page auditPage, err error) {
		st, err := openStopped(dir)
		if err != nil {
			return page, err
		}
		defer func() { err = errors.Join(err, st.Close()) }()
		page.Audit, err = engine.ReadAudit(ctx, st, 0, 1_000_000)
		return page, err
	}
}

// openStopped opens the store of a directory that has one already.
func openStopped(dir string) (*pebblestore.Store, error) {
	if made, _ := filepath.Glob(filepath.Join(dir, "MANIFEST-*")); len(made) == 0 { // opening would make one
		return nil, fmt.Errorf("there is no store in %s", dir)
	}
	return pebblestore.Open(dir, nil)
}

func listAudit(ctx context.Context, s streams, pageAfter func(context.Context, string) (auditPage, error), asJSON bool) error {
	t := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	lines := json.NewEncoder(s.out)
	lines.SetEscapeHTML(false)
	if !asJSON {
		fmt.Fprintln(t, "SEQ\tAT\tBY\tACT\tOF\tWHAT")
	}
	for cursor := "0"; cursor != ""; {
		page, err := pageAfter(ctx, cursor)
		if err != nil {
			return err
		}
		for _, a := range page.Audit {
			if asJSON {
				if err := lines.Encode(a); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", a.Seq, a.At.Format(time.RFC3339), printable(a.Actor), a.Act, printable(a.Subject), printable(whatWasDone(a)))
		}
		cursor = page.Next
	}
	return t.Flush()
}

// whatWasDone says in words what an entry's act changed, and why.
func whatWasDone(a engine.AuditEntry) string {
	var parts []string
	switch a.Act {
	case engine.ActReload:
		parts = append(parts, a.Before+" to "+a.After)
	case engine.ActResolve:
		parts = append(parts, a.After)
	}
	if a.Note != "" {
		parts = append(parts, strings.ReplaceAll(a.Note, "\n", " "))
	}
	if a.Failed != "" {
		parts = append(parts, "not done: "+strings.ReplaceAll(a.Failed, "\n", " "))
	}
	return strings.Join(parts, ": ")
}

func verifyAudit(ctx context.Context, s streams, c *client, dir string, asJSON bool) (err error) {
	var report engine.AuditReport
	var answer json.RawMessage
	if dir == "" {
		if answer, err = c.call(ctx, http.MethodGet, "/v1/audit/verification", nil); err != nil {
			return err
		}
		err = json.Unmarshal(answer, &report)
	} else {
		st, opened := openStopped(dir)
		if opened != nil {
			return opened
		}
		defer func() { err = errors.Join(err, st.Close()) }()
		if report, err = engine.VerifyAudit(ctx, st); err == nil {
			answer, err = json.Marshal(report)
		}
	}
	if err == nil {
		err = show(s, answer, asJSON, printAuditReport)
	}
	if err == nil && len(report.Faults) > 0 {
		return errNotFine
	}
	return err
}

func printAuditReport(w io.Writer, r engine.AuditReport) {
	for _, f := range r.Faults {
		fmt.Fprintln(w, f.Message)
	}
	switch {
	case len(r.Faults) > 0:
		fmt.Fprintf(w, "the audit log is not whole: %s\n", count(len(r.Faults), "fault"))
	case r.Entries == 0:
		fmt.Fprintln(w, "the audit log has no entries")
	default:
		fmt.Fprintf(w, "the audit log is whole: the last of its entries is number %d, head %s\n", r.Entries, r.Head)
	}
}
