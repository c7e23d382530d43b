package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/cauce-pay/cauce/cmd/router/internal/lsp"
	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func newValidateCmd() command {
	return command{
		name: "validate", disposable: true, args: "[FILE]", summary: "check rules: a file, or a directory of *.hcl files",
		details: "Variables of the environment that are not set here are warnings: only serve needs them. What the\n" +
			"providers take is asked of their plugins, which call nobody.\n" +
			"It exits with 1 if there is an error.",
		example: "  router validate routing.hcl",
		setup: func(flags *flag.FlagSet) action {
			path := rulesFlag(flags)
			asJSON := flags.Bool("json", false, `print {"valid", "diagnostics"} as JSON`)
			return func(ctx context.Context, s streams, args []string) error {
				if len(args) > 0 {
					*path = args[0]
				}
				return validate(ctx, s, *path, *asJSON)
			}
		},
	}
}

func rulesFlag(flags *flag.FlagSet) *string {
	return flags.String("c", "routing.hcl", "the rules: a `file`, or a directory of *.hcl files")
}

func validate(ctx context.Context, s streams, path string, asJSON bool) error {
	findings := checkRules(ctx, path, nil, infoOf)
	reportUnknown(s, findings.Unknown)
	found := findings.Diagnostics
	var err error
	if asJSON {
		err = printJSON(s.out, found.Report())
	} else {
		err = printDiagnostics(s, path, found)
	}
	if err == nil && found.HasErrors() {
		return errNotFine
	}
	return err
}

// checkRules finds what can be told of rules without their secrets and without calling a provider; unsaved contents take
// the place of files. Of rules that are refused, the providers in whose blocks there is no fault are asked nevertheless.
func checkRules(ctx context.Context, path string, unsaved map[string][]byte, describe describer) lsp.Findings {
	rules, found := loadWith(path, routing.Options{Tests: true, Unsaved: unsaved})
	var blocks []routing.Provider
	if rules != nil {
		blocks = rules.Providers()
	} else {
		blocks = routing.Providers(path, &routing.Options{Unset: standIn, Unsaved: unsaved})
	}
	infos, unknown := describeAll(ctx, blocks, describe)
	found = append(found, configFaults(blocks, infos, unknown)...)
	for _, block := range blocks {
		found = append(found, engine.SecretsInClear(block, infos[block.Name].Config)...)
	}
	if rules == nil {
		return lsp.Findings{Diagnostics: found.Sorted(), Unknown: unknown}
	}
	capabilities := map[string][]payment.Capability{}
	for name, info := range infos {
		if unknown[name] == nil {
			capabilities[name] = info.Capabilities
		}
	}
	return lsp.Findings{Diagnostics: append(found, rules.Check(capabilities)...).Sorted(), Infos: infos, Unknown: unknown}
}

// configFaults takes what plugins refuse of their configuration out of unknown, and returns it with its places. A value
// that is not known here cannot be judged.
func configFaults(blocks []routing.Provider, infos map[string]provider.Info, unknown map[string]error) routing.Diagnostics {
	var found routing.Diagnostics
	for _, block := range blocks {
		var faults *provider.ConfigError
		if !errors.As(unknown[block.Name], &faults) || infos[block.Name].Name == "" {
			continue
		}
		judged := &provider.ConfigError{Faults: slices.DeleteFunc(slices.Clone(faults.Faults), func(f provider.ConfigFault) bool {
			return block.Config[f.Name].Text == standIn("")
		})}
		if len(judged.Faults) == len(faults.Faults) {
			delete(unknown, block.Name)
		}
		found = append(found, engine.ConfigDiagnostics(block, infos[block.Name].Config, judged)...)
	}
	return found
}

func printDiagnostics(s streams, path string, found routing.Diagnostics) error {
	if err := found.Write(s.out); err != nil {
		return err
	}
	counts := map[routing.Severity]int{}
	for _, d := range found {
		counts[d.Severity]++
	}
	verdict := "valid"
	if found.HasErrors() {
		verdict = "not valid"
	}
	if len(found) > 0 {
		fmt.Fprintln(s.out)
	}
	_, err := fmt.Fprintf(s.out, "%s is %s: %s, %s\n", path, verdict, count(counts[routing.Error], "error"), count(counts[routing.Warning], "warning"))
	return err
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
