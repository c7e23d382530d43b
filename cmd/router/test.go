package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
)

func newTestCmd() command {
	return command{
		name: "test", disposable: true, summary: "run the tests of the rules",
		details: "Tests are the test blocks of the rules, and those of *_test.hcl files: of a directory all of them, beside a\n" +
			"file the one of its name. What the providers take is asked of their plugins, which call nobody; a provider whose\n" +
			"plugin cannot be asked takes everything. It exits with 1 if a test fails or there is none.",
		example: "  router test -c routing.hcl -run 'pse'",
		setup: func(flags *flag.FlagSet) action {
			path := rulesFlag(flags)
			run := flags.String("run", "", "run the tests whose names match this regular `expression`; all by default")
			asJSON := flags.Bool("json", false, `print {"passed", "failed", "tests", "coverage"} as JSON`)
			return func(ctx context.Context, s streams, _ []string) error {
				pattern, err := regexp.Compile(*run)
				if err != nil {
					return usagef("router test -h", "test: -run: %v", err)
				}
				return test(ctx, s, *path, pattern, *asJSON)
			}
		},
	}
}

// testReport is what `router test -json` prints.
type testReport struct {
	Passed   int                  `json:"passed"`
	Failed   int                  `json:"failed"`
	Tests    []routing.TestResult `json:"tests"`
	Coverage routing.Coverage     `json:"coverage"`
}

func test(ctx context.Context, s streams, path string, pattern *regexp.Regexp, asJSON bool) error {
	rules, found := loadWithTests(path)
	if rules == nil {
		return found
	}
	facts := routing.Facts{Now: time.Now(), Providers: map[string]routing.ProviderFacts{}}
	for _, p := range rules.Providers() {
		facts.Providers[p.Name] = routing.EverythingFacts("COP")
	}
	maps.Copy(facts.Providers, providerFacts(ctx, s, rules))
	report := testReport{Tests: []routing.TestResult{}}
	for _, t := range rules.Tests() {
		if !pattern.MatchString(t.Name) {
			continue
		}
		result := rules.RunTest(t, facts)
		if result.Passed {
			report.Passed++
		} else {
			report.Failed++
		}
		report.Tests = append(report.Tests, result)
	}
	switch {
	case len(rules.Tests()) == 0:
		return fmt.Errorf("%s has no test: a test is test \"…\" { payment = {…}, expect = {…} }, there or in a *_test.hcl file beside it", path)
	case len(report.Tests) == 0:
		return fmt.Errorf("%s has no test whose name matches -run %q", path, pattern)
	}
	report.Coverage = rules.Coverage(report.Tests)
	if err := report.print(s, asJSON); err != nil {
		return err
	}
	if report.Failed > 0 {
		return errNotFine
	}
	return nil
}

func (r *testReport) print(s streams, asJSON bool) error {
	if asJSON {
		return printJSON(s.out, r)
	}
	for _, t := range r.Tests {
		verdict := "ok  "
		if !t.Passed {
			verdict = "FAIL"
		}
		fmt.Fprintf(s.out, "%s %s\n", verdict, t.Name)
		if !t.Passed {
			fmt.Fprintf(s.out, "     %s:%d\n", t.File, t.Line)
		}
		for _, failure := range t.Failures {
			fmt.Fprintf(s.out, "     %s\n", strings.ReplaceAll(failure, "\n", "\n     "))
		}
	}
	c := r.Coverage
	fmt.Fprintf(s.out, "\n%d passed, %d failed; the tests end in %d %% of %s\n", r.Passed, r.Failed, c.Percent, count(c.Routes, "route"))
	for _, name := range c.Uncovered {
		fmt.Fprintf(s.out, "  no test ends in %s\n", name)
	}
	return nil
}
