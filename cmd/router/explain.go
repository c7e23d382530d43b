package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
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
		name: "explain", disposable: true, args: "[ID]", summary: "say which way a payment would go, and why",
		details: "It reads a payment request as POST /v1/payments takes it; it need not be complete. Or it takes a payment's ID\n" +
			"and decides it again at its time, with the health of the providers that was recorded, by the rules of then, which\n" +
			"the router has kept, or by others that -c names. What the providers take is asked of their plugins, which call\n" +
			"nobody; their lists of banks are not known here.\n" + clientDetails,
		example: "  router explain -c routing.hcl -f payment.json",
		setup: func(flags *flag.FlagSet) action {
			path, c := rulesFlag(flags), clientFlag(flags)
			from := flags.String("f", "", "the payment, a JSON `file`; - reads standard input")
			asJSON := flags.Bool("json", false, "print the decision of POST /v1/decisions, and the routes, as JSON")
			return func(ctx context.Context, s streams, args []string) error {
				if (*from == "") == (len(args) == 0) {
					return usagef("router explain -h", "explain: -f names the payment's file; or give a payment's ID")
				}
				if len(args) > 0 {
					others := ""
					flags.Visit(func(f *flag.Flag) {
						if f.Name == "c" {
							others = *path
						}
					})
					return explainStored(ctx, s, others, c, args, *asJSON)
				}
				if _, err := os.Stat(*path); errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("there are no rules at %s: -c names their file or directory", *path)
				}
				rules, found := loadWithoutSecrets(*path)
				if rules == nil {
					return found
				}
				req, err := readPayment(s, *from)
				if err != nil {
					return err
				}
				facts := routing.Facts{Now: time.Now(), Providers: providerFacts(ctx, s, rules)}
				return showExplanation(s, &req, rules.Explain(&req, facts), *asJSON)
			}
		},
	}
}

// explainStored decides a payment of a running router again: by the rules of then, or by those at a path.
func explainStored(ctx context.Context, s streams, others string, c *client, args []string, asJSON bool) error {
	path, err := paymentPath("explain", args)
	if err != nil {
		return err
	}
	answer, err := c.call(ctx, http.MethodGet, path+wholePayment, nil)
	if err != nil {
		return err
	}
	var p paymentAnswer
	if err := json.Unmarshal(answer, &p); err != nil {
		return fmt.Errorf("payment %s: %w", args[0], err)
	}
	then := p.Decision
	if then == nil {
		return fmt.Errorf("payment %s has no decision yet", p.ID)
	}
	var rules *routing.Rules
	if others == "" {
		rules, err = rulesOf(ctx, c, then.Rules)
	} else {
		var found routing.Diagnostics
		if rules, found = loadWithoutSecrets(others); rules == nil {
			err = found
		}
	}
	if err != nil {
		return err
	}
	if others != "" && then.Rules != rules.Hash() {
		fmt.Fprintf(s.err, "router: payment %s was decided by rules %s (route %q, providers %s); these are %s\n",
			p.ID, then.Rules, then.Route, strings.Join(then.Providers, ", "), rules.Hash())
	}
	x := rules.Explain(&p.Request, factsThen(p, providerFacts(ctx, s, rules)))
	if then := p.Decision; then.Rules == rules.Hash() && !slices.Equal(then.Providers, x.Providers) {
		fmt.Fprintf(s.err, "router: these same rules decided for providers %s then. %s\n", strings.Join(then.Providers, ", "), unrecorded)
	}
	return showExplanation(s, &p.Request, x, asJSON)
}

// rulesOf loads the rules of a hash as a router has kept them.
func rulesOf(ctx context.Context, c *client, hash string) (*routing.Rules, error) {
	text, err := rulesText(ctx, c, hash)
	if err != nil {
		return nil, fmt.Errorf("the rules %s that decided it: %w; -c names others", hash, err)
	}
	dir, err := writeRules(text.Files)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	rules, found := loadWithoutSecrets(dir)
	if rules == nil {
		return nil, fmt.Errorf("the rules %s that decided it cannot be used here; -c names others: %w", hash, found)
	}
	return rules, nil
}

// unrecorded says why the same rules may decide a stored payment otherwise here.
const unrecorded = "What is not recorded differs: the plugins' configuration, where it comes from the environment, their lists of banks, and " +
	"success rates. Set the variables that the router has; those of router dev are in the file env of its data directory"

// factsThen are the facts of a stored payment's decision, with what the providers take now.
func factsThen(p paymentAnswer, known map[string]routing.ProviderFacts) routing.Facts {
	facts := routing.Facts{Now: p.Decision.DecidedAt, PaymentID: p.ID, Providers: maps.Clone(known)}
	for name, health := range p.Decision.Snapshot {
		if f, ok := facts.Providers[name]; ok {
			f.Health = health
			facts.Providers[name] = f
		}
	}
	return facts
}

// providerFacts are what the plugins say of the rules' providers.
func providerFacts(ctx context.Context, s streams, rules *routing.Rules) map[string]routing.ProviderFacts {
	facts := map[string]routing.ProviderFacts{}
	for name, info := range infos(ctx, s, rules) {
		facts[name] = routing.ProviderFacts{Capabilities: info.Capabilities}
	}
	return facts
}

func showExplanation(s streams, req *payment.Request, x routing.Explanation, asJSON bool) error {
	if asJSON {
		return printJSON(s.out, x)
	}
	return printExplanation(s.out, req, x)
}

func readPayment(s streams, from string) (payment.Request, error) {
	in := s.in
	if from == "-" {
		from = "standard input"
	} else {
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
	known, unknown := describeAll(ctx, rules.Providers(), infoOf)
	reportUnknown(s, unknown)
	maps.DeleteFunc(known, func(name string, _ provider.Info) bool { return unknown[name] != nil })
	return known
}

func reportUnknown(s streams, unknown map[string]error) {
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		fmt.Fprintf(s.err, "router: what provider %q takes is not known: %v\n", name, unknown[name])
	}
}

// describer asks a provider's plugin what it is; one that refuses its configuration tells that and an error.
type describer func(context.Context, routing.Provider) (provider.Info, error)

// describeAll asks providers' plugins what they are, and tells why one could not say all.
func describeAll(ctx context.Context, blocks []routing.Provider, describe describer) (infos map[string]provider.Info, unknown map[string]error) {
	infos, unknown = map[string]provider.Info{}, map[string]error{}
	for _, p := range blocks {
		info, err := describe(ctx, p)
		if err != nil {
			unknown[p.Name] = err
		}
		if info.Name != "" {
			infos[p.Name] = info
		}
	}
	return infos, unknown
}

// infoOf asks a provider's plugin what it takes, as it is configured, unless the lock file beside its rules refuses it.
// The plugin calls nobody for that.
func infoOf(ctx context.Context, block routing.Provider) (provider.Info, error) {
	launcher, err := lockedPlugins(block.File(), false, nil)
	if err != nil {
		return provider.Info{}, err
	}
	return infoFrom(ctx, launcher, block)
}

func infoFrom(ctx context.Context, launcher provider.Launcher, block routing.Provider) (provider.Info, error) {
	p, err := startProvider(ctx, launcher, block)
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
