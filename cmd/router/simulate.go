package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/cauce-pay/cauce/engine/routing"
)

func newSimulateCmd() command {
	return command{
		name: "simulate", disposable: true, summary: "decide stored payments by other rules, and say what would change",
		details: "Payments come from a running router, or from a file that router export wrote. Each is decided at its time, with\n" +
			"the health of the providers that was recorded; what they take is asked of the plugins, their lists of banks are\n" +
			"not known. Nothing is paid. Costs are by the fees of the new rules.\n" + clientDetails,
		example: "  router simulate -rules next.hcl -since 2026-11-01T00:00:00Z",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			path := flags.String("rules", "", "the other rules: a `file`, or a directory of *.hcl files (required)")
			from := flags.String("f", "", "a `file` of exported payments instead of a router; - reads standard input")
			since := flags.String("since", "", "only those made at this `time` or later, like 2026-11-21T15:04:05Z; default: all")
			asJSON := flags.Bool("json", false, "print it as JSON, with every payment that would go elsewhere")
			return func(ctx context.Context, s streams, _ []string) error {
				switch {
				case *path == "":
					return usagef("router simulate -h", "simulate: -rules names the other rules")
				case *from != "" && *since != "":
					return usagef("router simulate -h", "simulate: -since is for a router; export takes it too")
				}
				if err := checkSince("simulate", *since); err != nil {
					return err
				}
				in, err := exported(ctx, s, c, *from, *since)
				if err != nil {
					return err
				}
				defer in.Close()
				return simulate(ctx, s, *path, in, *asJSON)
			}
		},
	}
}

// exported opens what router export writes: a file, or what a router has.
func exported(ctx context.Context, s streams, c *client, from, since string) (io.ReadCloser, error) {
	switch from {
	case "":
		in, out := io.Pipe()
		go func() {
			w := bufio.NewWriter(out)
			err := export(ctx, w, c, since, func() {})
			out.CloseWithError(errors.Join(err, w.Flush()))
		}()
		return in, nil
	case "-":
		return io.NopCloser(s.in), nil
	}
	return os.Open(from)
}

// decided reads exported payments, and returns those that have a decision.
func decided(s streams, in io.Reader) iter.Seq2[paymentAnswer, error] {
	return func(yield func(paymentAnswer, error) bool) {
		shown := showProgress(s.err, "payment")
		defer shown.stop()
		for payments, n := json.NewDecoder(in), 1; ; n++ {
			var p paymentAnswer
			err := payments.Decode(&p)
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(p, fmt.Errorf("payment %d: %w", n, err))
				return
			}
			shown.count.Add(1)
			if p.Decision != nil && !yield(p, nil) {
				return
			}
		}
	}
}

func simulate(ctx context.Context, s streams, path string, in io.Reader, asJSON bool) error {
	rules, found := loadWithoutSecrets(path)
	if rules == nil {
		return found
	}
	known := providerFacts(ctx, s, rules)
	var b routing.Backtest
	unlike := 0 // go elsewhere, but were decided by these same rules
	for p, err := range decided(s, in) {
		if err != nil {
			return err
		}
		before := b.Elsewhere
		b.Add(rules, &p.Payment, *p.Decision, factsThen(p, known))
		if b.Elsewhere > before && p.Decision.Rules == rules.Hash() {
			unlike++
		}
	}
	if unlike > 0 {
		fmt.Fprintf(s.err, "router: %s that would go elsewhere had these same rules. %s\n", count(unlike, "payment"), unrecorded)
	}
	if asJSON {
		return printJSON(s.out, b)
	}
	return printBacktest(s.out, &b)
}

// maxMoves bounds how many payments are named.
const maxMoves = 20

func printBacktest(w io.Writer, b *routing.Backtest) error {
	fmt.Fprintf(w, "%d of %s would go elsewhere.\n\n", b.Elsewhere, count(b.Payments, "payment"))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "FIRST CHOICE\tPAYMENTS\tTHEN\tAMOUNT\tTHEN\tCOST\tTHEN\tSUCCEEDED SO FAR")
	for _, name := range slices.Sorted(maps.Keys(b.Providers)) {
		p := b.Providers[name]
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", name, p.Before.Count, p.After.Count, p.Before.Amount.StringFixed(2),
			p.After.Amount.StringFixed(2), p.Before.Cost.StringFixed(2), p.After.Cost.StringFixed(2), p.Rate())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(b.Moved) > 0 {
		fmt.Fprintln(w)
	}
	for _, m := range b.Moved[:min(maxMoves, len(b.Moved))] {
		fmt.Fprintf(w, "%s  %s  %s -> %s\n", m.Payment, m.Amount, m.Before, m.After)
	}
	if more := b.Elsewhere - maxMoves; more > 0 {
		fmt.Fprintf(w, "and %d more, which -json names\n", more)
	}
	return nil
}
