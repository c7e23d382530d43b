package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

func newProvidersCmd() command {
	return command{
		name: "providers", summary: "list the providers and how they are; with -check, try their credentials",
		details: clientDetails + "\n" +
			"With -check it needs no running router: it starts the plugin of every provider of the rules (-c), asks the\n" +
			"provider whether it takes the credentials, without moving money, and lists what the plugin assumes where the\n" +
			"provider's documents are silent: what to settle with the provider before going live. It exits with 1 unless\n" +
			"all credentials work.",
		example: "  router providers\n  router providers -check -c routing.hcl",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			path := rulesFlag(flags)
			unlocked := unlockedFlag(flags)
			check := flags.Bool("check", false, "try the credentials that the rules have")
			asJSON := flags.Bool("json", false, "print them as JSON")
			return func(ctx context.Context, s streams, _ []string) error {
				if *check {
					return checkProviders(ctx, s, *path, *unlocked, *asJSON)
				}
				answer, err := c.call(ctx, http.MethodGet, "/v1/providers", nil)
				if err != nil {
					return err
				}
				return show(s, answer, *asJSON, printProviders)
			}
		},
	}
}

func printProviders(w io.Writer, list struct{ Providers []engine.ProviderStatus }) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tPLUGIN\tVERSION\tHEALTH\tIN FLIGHT\tATTEMPTS\tSUCCESS\tP50/P95/P99\tBALANCE\tREASON")
	for _, p := range list.Providers {
		health, balance := "healthy", ""
		switch {
		case p.Paused:
			health = "paused"
		case !p.Healthy:
			health = "unhealthy"
		case p.Breaker != "closed":
			health = "breaker " + p.Breaker
		}
		if p.Balance != nil {
			balance = p.Balance.Available.String() + " " + p.Balance.Currency
		}
		attempts, success, latency := int64(0), "-", "-"
		for _, n := range p.Counts {
			attempts += n
		}
		if p.SuccessRate != nil {
			success = fmt.Sprintf("%.1f %%", 100**p.SuccessRate)
		}
		if l := p.Latency; l != nil {
			latency = fmt.Sprintf("%g/%g/%g ms", l.P50, l.P95, l.P99)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n",
			p.Name, p.Plugin, p.Version, health, p.InFlight, attempts, success, latency, balance, p.Reason)
	}
	_ = t.Flush()
	fmt.Fprintln(w, "\nattempts, success and latency are those of the last 30 minutes; -json counts the attempts by outcome")
}

func newProvidersCodesCmd() command {
	return command{
		name: "providers codes", summary: "list the providers' codes that were met and that no plugin has a meaning for",
		details: "What is answered with such a code is in doubt. Who writes the plugin gives it a meaning; the payment is an example.\n" + clientDetails,
		example: "  router providers codes",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			asJSON := flags.Bool("json", false, "print them as JSON")
			return func(ctx context.Context, s streams, _ []string) error {
				answer, err := c.call(ctx, http.MethodGet, "/v1/providers/codes", nil)
				if err != nil {
					return err
				}
				return show(s, answer, *asJSON, printCodes)
			}
		},
	}
}

func printCodes(w io.Writer, list struct{ Codes []engine.UnmappedCode }) {
	if len(list.Codes) == 0 {
		fmt.Fprintln(w, "none was met")
		return
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "PROVIDER\tCALL\tCODE\tCOUNT\tLAST\tPAYMENT\tMESSAGE")
	for _, c := range list.Codes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n",
			c.Provider, c.Call, c.Code, c.Count, c.LastAt.Local().Format("2006-01-02 15:04:05"), c.Payment, c.Message)
	}
	_ = t.Flush()
}

// checked is what came of trying one provider's credentials.
type checked struct {
	Name    string `json:"name"`
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
	// Credentials is "work", "refused", "unset" (a variable of the environment is missing) or "unknown".
	Credentials string   `json:"credentials"`
	Message     string   `json:"message,omitempty"` // why they do not work
	Assumptions []string `json:"assumptions"`       // what is still assumed about the provider
}

// verdicts put the credentials into words.
var verdicts = map[string]string{
	"work": "its credentials work", "refused": "it refuses the credentials", "unset": "its credentials are not set",
	"unknown": "its credentials could not be tried",
}

type checkedList struct {
	Providers []checked `json:"providers"`
}

func checkProviders(ctx context.Context, s streams, path string, unlocked, asJSON bool) error {
	rules, found := loadWithoutSecrets(path)
	if rules == nil {
		return found
	}
	launcher, err := lockedPlugins(path, unlocked, slog.New(slog.NewTextHandler(s.err, nil)))
	if err != nil {
		return err
	}
	blocks := rules.Providers()
	list := checkedList{make([]checked, len(blocks))}
	var all sync.WaitGroup
	for i, block := range blocks {
		all.Go(func() { list.Providers[i] = checkProvider(ctx, launcher, block) })
	}
	all.Wait()
	answer, err := json.Marshal(list)
	if err == nil {
		err = show(s, answer, asJSON, printChecked)
	}
	if err == nil && slices.ContainsFunc(list.Providers, func(c checked) bool { return c.Credentials != "work" }) {
		return errNotFine
	}
	return err
}

func checkProvider(ctx context.Context, launcher provider.Launcher, block routing.Provider) checked {
	c := checked{Name: block.Name, Plugin: block.Plugin, Credentials: "unknown", Assumptions: []string{}}
	p, err := startProvider(ctx, launcher, block)
	if p != nil {
		defer func() { _ = p.Close(ctx) }() // what is not released now ends with its process
		info := p.Info()
		c.Version, c.Assumptions = info.Version, append(c.Assumptions, info.Assumptions...)
	}
	if unset := unsetAttributes(block); len(unset) > 0 {
		c.Credentials, c.Message = "unset", "set the variables of the environment that "+strings.Join(unset, ", ")+" read"
		return c
	}
	if err != nil {
		c.Message = err.Error()
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, block.Timeout)
	defer cancel()
	switch err := provider.AsError(p.Check(ctx)); {
	case err == nil:
		c.Credentials = "work"
	case err.Code == provider.CodeUnauthorized:
		c.Credentials, c.Message = "refused", err.Message
	default:
		c.Message = err.Message
	}
	return c
}

// unsetAttributes lists the attributes of a provider's config whose variable of the environment is not set.
func unsetAttributes(block routing.Provider) []string {
	var unset []string
	for name, value := range block.Config {
		if strings.Contains(value.Text, standIn("")) {
			unset = append(unset, name)
		}
	}
	slices.Sort(unset)
	return unset
}

func printChecked(w io.Writer, list checkedList) {
	working := 0
	for _, c := range list.Providers {
		if c.Credentials == "work" {
			working++
		}
		plugin := strings.TrimSpace(c.Plugin + " " + c.Version)
		fmt.Fprintf(w, "%s (%s): %s", c.Name, plugin, verdicts[c.Credentials])
		if c.Message != "" {
			fmt.Fprintf(w, ": %s", c.Message)
		}
		fmt.Fprintln(w)
		for _, a := range c.Assumptions {
			fmt.Fprintf(w, "  assumed: %s\n", a)
		}
	}
	fmt.Fprintf(w, "\nthe credentials of %d of %s work\n", working, count(len(list.Providers), "provider"))
}
