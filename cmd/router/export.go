package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"time"
)

func newExportCmd() command {
	return command{
		name: "export", summary: "write every payment with its attempts, events and decision as JSON lines",
		details: "Each line is what GET /v1/payments/{id}?events=true&decision=true answers, newest first. Payments that are made\n" +
			"meanwhile are left out. It goes to standard output, personal data included.\n" + clientDetails,
		example: "  router export -since 2026-11-01T00:00:00Z >payments.jsonl",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			since := flags.String("since", "", "only those made at this `time` or later, like 2026-11-21T15:04:05Z; default: all")
			return func(ctx context.Context, s streams, _ []string) error {
				if err := checkSince("export", *since); err != nil {
					return err
				}
				out := bufio.NewWriter(s.out)
				told := s.err
				if isTerminal(s.out) { // which shows the payments
					told = io.Discard
				}
				shown := showProgress(told, "payment")
				defer shown.stop()
				return errors.Join(export(ctx, out, c, *since, func() { shown.count.Add(1) }), out.Flush())
			}
		},
	}
}

// checkSince refuses what a flag -since cannot be, before a router is called; "" = it is not given.
func checkSince(command, since string) error {
	if since == "" {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, since); err != nil {
		return usagef("router "+command+" -h", "%s: -since %q is no time; write it like 2026-11-21T15:04:05Z", command, since)
	}
	return nil
}

// export writes the payments, and calls each after every one.
func export(ctx context.Context, out *bufio.Writer, c *client, since string, each func()) error {
	query := url.Values{}
	if since != "" {
		query.Set("created_after", since)
	}
	for answer, err := range c.payments(ctx, query, maxListPage) {
		if err != nil {
			return err
		}
		var p struct{ ID string }
		if err := json.Unmarshal(answer, &p); err != nil {
			return err
		}
		path, err := paymentPath("export", []string{p.ID})
		if err != nil {
			return err
		}
		whole, err := c.call(ctx, http.MethodGet, path+wholePayment, nil)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(bytes.TrimSpace(whole), '\n')); err != nil {
			return err
		}
		each()
	}
	return nil
}
