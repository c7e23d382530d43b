package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
)

func newValidateCmd() command {
	return command{
		name: "validate", args: "[FILE]", summary: "check rules: a file, or a directory of *.hcl files",
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
	rules, found := loadWithTests(path)
	if rules != nil {
		capabilities := map[string][]payment.Capability{}
		for name, info := range infos(ctx, s, rules) {
			capabilities[name] = info.Capabilities
		}
		found = append(found, rules.Check(capabilities)...)
	}
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
