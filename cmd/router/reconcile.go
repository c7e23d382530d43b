package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cauce-pay/cauce/engine"
)

func newReconcileCmd() command {
	return command{
		name: "reconcile", args: "NAME statement.csv", summary: "compare a provider's statement with our payments",
		details: "Without a file, the router reads the statement from the provider, where it tells one. A file's first line names\n" +
			"its columns: key, reference (one of the two is enough), amount (like 10000.50), currency, status (pending,\n" +
			"authorized, succeeded, rejected, expired or failed) and created_at (like 2026-11-21T15:04:05-05:00).\n\n" +
			"  amount_differs  amount, currency or key are not ours: the payment, unless it is final, is in doubt for a person\n" +
			"  ours_only       they do not have what we have as executed, or as perhaps executed, between the first line and the last\n" +
			"  theirs_only     they have what we do not know, or have as not executed\n" +
			"  paid_twice      one of several successes of one payment\n\n" +
			"A statement without lines is compared with the last 24 hours. It exits with 1 unless all is matched. The key needs the scope admin.\n" + clientDetails,
		example: "  router reconcile coopcentral\n  router reconcile tumipay june.csv",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			asJSON := flags.Bool("json", false, "print it as JSON")
			return func(ctx context.Context, s streams, args []string) error {
				return reconcile(ctx, s, c, args, *asJSON)
			}
		},
	}
}

func reconcile(ctx context.Context, s streams, c *client, args []string, asJSON bool) error {
	if len(args) == 0 {
		return usagef("router reconcile -h", "reconcile takes the name of a provider, and its statement as a CSV file if it tells none")
	}
	var body any
	if len(args) == 2 {
		file, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		body = csvFile(file)
	}
	shown := showProgress(s.err, "")
	answer, err := c.call(ctx, http.MethodPost, "/v1/providers/"+url.PathEscape(args[0])+"/reconcile", body)
	shown.stop()
	if err != nil {
		return err
	}
	if err := show(s, answer, asJSON, printReconciliation); err != nil {
		return err
	}
	var result engine.Reconciliation
	if err := json.Unmarshal(answer, &result); err != nil {
		return err
	}
	if len(result.Differences) > 0 {
		return errNotFine
	}
	return nil
}

func printReconciliation(w io.Writer, r engine.Reconciliation) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if len(r.Differences) > 0 {
		fmt.Fprintln(t, "DIFFERENCE\tPAYMENT\tKEY\tREFERENCE\tWHAT")
	}
	for _, d := range r.Differences {
		fmt.Fprintln(t, strings.Join([]string{string(d.Class), d.Payment, d.Key, d.Reference, d.Message}, "\t"))
	}
	_ = t.Flush()
	if r.Lines == 0 {
		fmt.Fprintf(w, "the statement has no lines: theirs is none; compared with our attempts from %s to %s\n", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
		return
	}
	fmt.Fprintf(w, "%d of %s matched, from %s to %s\n", r.Matched, count(r.Lines, "line"), r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
}
