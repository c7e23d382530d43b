package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/cmd/router/internal/httpapi"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func newExplainCmd() command {
	return command{
		name: "explain", summary: "say which way a payment would go, and why",
		details: "It reads a payment request as POST /v1/payments takes it; it need not be complete. What the providers\n" +
			"take is asked of their plugins, which call nobody; their health and their lists of banks are not known here.",
		example: "  router explain -c routing.hcl -f payment.json",
		setup: func(flags *flag.FlagSet) action {
			path := rulesFlag(flags)
			from := flags.String("f", "", "the payment, a JSON `file`; - reads standard input (required)")
			asJSON := flags.Bool("json", false, "print the decision of POST /v1/decisions, and the routes, as JSON")
			return func(ctx context.Context, s streams, _ []string) error {
				if *from == "" {
					return usagef("router explain -h", "explain: -f names the payment's file")
				}
				return explain(ctx, s, *path, *from, *asJSON)
			}
		},
	}
}

func explain(ctx context.Context, s streams, path, from string, asJSON bool) error {
	rules, found := loadWithoutSecrets(path)
	if rules == nil {
		return found
	}
	req, err := readPayment(s, from)
	if err != nil {
		return err
	}
	facts := routing.Facts{Now: time.Now(), Providers: map[string]routing.ProviderFacts{}}
	for name, info := range infos(ctx, s, rules) {
		facts.Providers[name] = routing.ProviderFacts{Capabilities: info.Capabilities}
	}
	explanation := rules.Explain(&req, facts)
	if asJSON {
		return printJSON(s.out, explanation)
	}
	return printExplanation(s.out, &req, explanation)
}

func readPayment(s streams, from string) (payment.Request, error) {
	in := s.in
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return payment.Request{}, err
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, 64<<10+1))
	if err == nil && len(body) > 64<<10 {
		err = errors.New("it is larger than 64 KiB")
	}
	if err != nil {
		return payment.Request{}, fmt.Errorf("reading the payment: %w", err)
	}
	req, err := httpapi.DecodeRequest(body)
	var invalid *payment.ValidationError
	switch {
	case errors.As(err, &invalid):
		for _, f := range invalid.Faults {
			fmt.Fprintf(s.err, "router: %s: %s: %s\n", from, f.Field, f.Message)
		}
		return payment.Request{}, errNotFine
	case err != nil:
		return payment.Request{}, fmt.Errorf("%s: %w", from, err)
	}
	return req.WithDefaults(), nil
}

// infos asks the plugins of the rules' providers what they take, and says of which it is not known.
func infos(ctx context.Context, s streams, rules *routing.Rules) map[string]provider.Info {
	known := map[string]provider.Info{}
	for _, p := range rules.Providers() {
		info, err := infoOf(ctx, p)
		if err != nil {
			fmt.Fprintf(s.err, "router: what provider %q takes is not known: %v\n", p.Name, err)
			continue
		}
		known[p.Name] = info
	}
	return known
}

// infoOf asks a provider's plugin what it takes, as it is configured. The plugin calls nobody for that.
func infoOf(ctx context.Context, block routing.Provider) (provider.Info, error) {
	p, err := startProvider(ctx, block)
	if p == nil {
		return provider.Info{}, err
	}
	return p.Info(), errors.Join(err, p.Close(ctx))
}

func printExplanation(w io.Writer, req *payment.Request, x routing.Explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "payment  %s by %s, %s %s\n\nroutes\n", req.Operation, req.Method, req.Amount, req.Currency)
	for _, r := range x.Routes {
		mark := " "
		if r.Matched {
			mark = ">"
		}
		fmt.Fprintf(&b, "%s %s: %s\n", mark, r.Route, r.Reason)
	}
	switch {
	case x.Route == "":
		b.WriteString("\nNo route matches: the payment would fail with no_route.\n")
	case x.Reject != "":
		fmt.Fprintf(&b, "\nIt would be rejected: %s\n", x.Reject)
	default:
		b.WriteString("\ncandidates\n")
		for _, c := range x.Candidates {
			place := "no"
			if i := slices.Index(x.Providers, c.Provider); i >= 0 {
				place = fmt.Sprint(i+1, ".")
			}
			fmt.Fprintf(&b, "%3s %s: %s\n", place, c.Provider, c.Reason)
		}
		if len(x.Providers) == 0 {
			b.WriteString("\nNo candidate can take it: the payment would fail with no_candidate.\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
