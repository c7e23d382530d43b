package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
)

func newDiffCmd() command {
	return command{
		name: "diff", disposable: true, args: "OLD NEW", summary: "say what other rules would decide differently, and about which payments",
		details: "Both rules decide payments that are made up from the values and bounds in the conditions of both; with -f those\n" +
			"that router export wrote, and with -server or -since those of a running router, too. Text that changes no decision is\n" +
			"no difference. What the providers take is asked of their plugins, as NEW configures them; they call nobody, and one\n" +
			"that cannot be asked takes everything. It says where every payment is proved to be decided alike, from the\n" +
			"routes themselves; else it tells of a sample, and that finds nothing about arithmetic, functions of texts and\n" +
			"maintenance windows by itself. Where the router asks for a key, CAUCE_API_KEY holds it.",
		example: "  router diff routing.hcl next.hcl -since 2026-11-01T00:00:00Z",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			since := flags.String("since", "", "payments of a running router, made at this `time` or later, like 2026-11-21T15:04:05Z, too")
			from := flags.String("f", "", "a `file` of exported payments to decide too; - reads standard input")
			exitCode := flags.Bool("exit-code", false, "exit with 1 if anything changes")
			asJSON := flags.Bool("json", false, "print it as JSON")
			return func(ctx context.Context, s streams, args []string) error {
				if len(args) != 2 {
					return usagef("router diff -h", "diff: name the old and the new rules")
				}
				ofRouter := c.server != "" || *since != ""
				if *from != "" && ofRouter {
					return usagef("router diff -h", "diff: -f is instead of a router: leave out -server and -since")
				}
				if err := checkSince("diff", *since); err != nil {
					return err
				}
				stored := io.ReadCloser(http.NoBody)
				if *from != "" || ofRouter {
					var err error
					if stored, err = exported(ctx, s, c, *from, *since); err != nil {
						return err
					}
				}
				defer stored.Close()
				d, err := diff(ctx, s, args[0], args[1], stored)
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

// diff compares two rules on made-up payments, and on stored ones as router export writes them.
func diff(ctx context.Context, s streams, oldPath, newPath string, stored io.Reader) (*routing.Diff, error) {
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
	d := &routing.Diff{Same: routing.Same(before, after), Changes: []routing.Change{}}
	samples := routing.Samples(time.Now(), before, after)
	if len(samples) == routing.MaxSamples {
		fmt.Fprintf(s.err, "router: the rules name more cases than the %d that are tried; others may change too\n", len(samples))
	}
	for _, sample := range samples {
		d.Add(before, after, "", &sample.Request, routing.Facts{Now: sample.Now, Providers: known})
	}
	for p, err := range decided(s, stored) {
		if err != nil {
			return nil, err
		}
		d.Add(before, after, p.ID, &p.Request, factsThen(p, known))
	}
	return d, nil
}

func printDiff(w io.Writer, d *routing.Diff) error {
	fmt.Fprintf(w, "%d of %s would be decided differently.\n", d.Changed, count(d.Payments, "payment"))
	if d.Same {
		_, err := fmt.Fprintln(w, "No other would be, either: the routes of both and their providers say the same. That is proved, not sampled.")
		return err
	}
	fmt.Fprintf(w, "Tried were %s made up from the conditions, and %s: a sample, and no proof that others stay as they are.\n",
		count(d.Payments-d.Stored, "payment"), count(d.Stored, "stored one"))
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
