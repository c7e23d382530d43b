package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
)

func newDiffCmd() command {
	return command{
		name: "diff", args: "OLD NEW", summary: "say what other rules would decide differently, and about which payments",
		details: "Both rules decide payments that are made up from the values and bounds in the conditions of both; with -f those\n" +
			"that router export wrote, too. Text that changes no decision is no difference. What the providers take is asked of\n" +
			"their plugins, as NEW configures them; they call nobody, and one that cannot be asked takes everything. It is a\n" +
			"sample: that it finds nothing proves nothing about arithmetic, functions and maintenance windows.",
		example: "  router diff routing.hcl next.hcl",
		setup: func(flags *flag.FlagSet) action {
			from := flags.String("f", "", "a `file` of exported payments to decide too; - reads standard input")
			exitCode := flags.Bool("exit-code", false, "exit with 1 if anything changes")
			asJSON := flags.Bool("json", false, "print it as JSON")
			return func(ctx context.Context, s streams, args []string) error {
				if len(args) != 2 {
					return usagef("router diff -h", "diff: name the old and the new rules")
				}
				d, err := diff(ctx, s, args[0], args[1], *from)
				if err != nil {
					return err
				}
				if *asJSON {
					err = printJSON(s.out, d)
				} else {
					err = printDiff(s.out, d)
				}
				if err == nil && *exitCode && d.Changed > 0 {
					return errNotFine
				}
				return err
			}
		},
	}
}

func diff(ctx context.Context, s streams, oldPath, newPath, from string) (*routing.Diff, error) {
	before, found := loadWithoutSecrets(oldPath)
	if before == nil {
		return nil, found
	}
	after, found := loadWithoutSecrets(newPath)
	if after == nil {
		return nil, found
	}
	known := map[string]routing.ProviderFacts{}
	for _, rules := range []*routing.Rules{before, after} {
		for _, p := range rules.Providers() {
			if _, ok := known[p.Name]; !ok {
				known[p.Name] = routing.EverythingFacts("COP")
			}
		}
	}
	maps.Copy(known, providerFacts(ctx, s, after))
	d := &routing.Diff{Changes: []routing.Change{}}
	samples := routing.Samples(time.Now(), before, after)
	if len(samples) == routing.MaxSamples {
		fmt.Fprintf(s.err, "router: the rules name more cases than the %d that are tried; others may change too\n", len(samples))
	}
	for _, sample := range samples {
		d.Add(before, after, "", &sample.Request, routing.Facts{Now: sample.Now, Providers: known})
	}
	if from == "" {
		return d, nil
	}
	in, err := exported(ctx, s, nil, from, "")
	if err != nil {
		return nil, err
	}
	defer in.Close()
	for payments := json.NewDecoder(in); ; {
		var p paymentAnswer
		err := payments.Decode(&p)
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		if p.Decision != nil {
			d.Add(before, after, p.ID, &p.Request, factsThen(p, known))
		}
	}
}

func printDiff(w io.Writer, d *routing.Diff) error {
	fmt.Fprintf(w, "%d of %s would be decided differently.\n", d.Changed, count(d.Payments, "payment"))
	for _, c := range d.Changes {
		example := c.ExampleID
		if example == "" {
			body, err := json.Marshal(c.Example)
			if err != nil {
				return err
			}
			example = string(body)
		}
		fmt.Fprintf(w, "\n%s -> %s: %s (%s)\n  such as %s, decided %s\n", orNone(c.Before), orNone(c.After), strings.Join(c.What, ", "),
			count(c.Payments, "payment"), example, c.At.Format("Mon 2006-01-02 15:04"))
	}
	return nil
}

func orNone(route string) string {
	if route == "" {
		return "no route"
	}
	return route
}
