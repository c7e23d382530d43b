package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/conformance"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

// conformanceTime bounds one run.
const conformanceTime = 3 * time.Minute

// conformanceRun is what `router conformance` was asked for.
type conformanceRun struct {
	sandbox, config, pattern, bill, junit string
	asJSON, live, unlocked                bool
}

func newConformanceCmd() command {
	return command{
		name: "conformance", args: "PLUGIN", summary: "judge whether a plugin keeps the provider contract",
		details: "PLUGIN is a plugin's name or the path of its binary. What was really executed is read from the ledger of\n" +
			"the plugin's own sandbox, which is started for the run, or of the one at -sandbox; it is emptied for every\n" +
			"check. No real provider is called: base_url is always the sandbox's. What else the configuration requires and\n" +
			"-config does not give is made up.\n" +
			"-live judges the plugin at the real provider that -config names, its test system for instance, and says what has\n" +
			"drifted from what the plugin's simulator answers: banks, fields, status codes, requests. It asks only what moves\n" +
			"no money: credentials, a payment that never was, banks, billers, balance, statement; the plugin is handed no\n" +
			"payment. Secrets come from the configuration's env(\"X\") and file(\"x\"), and go to nobody else.\n" +
			"It takes 3 minutes at most and exits with 1 if a check failed.",
		example: "  router conformance tpaga-pse\n  router conformance ./acme -sandbox http://127.0.0.1:4020 -run '^idempotency/'\n" +
			"  router conformance tpaga-pse -live -config staging.hcl",
		setup: func(flags *flag.FlagSet) action {
			var run conformanceRun
			flags.StringVar(&run.sandbox, "sandbox", "", "`URL` of a sandbox that speaks the control protocol")
			flags.StringVar(&run.config, "config", "", "a `file` of rules whose provider block for the plugin configures it")
			flags.StringVar(&run.pattern, "run", "", "only checks whose id matches the regular `expression`")
			flags.StringVar(&run.bill, "bill", "", "`reference` of a bill that the sandbox lets be paid")
			flags.StringVar(&run.junit, "junit", "", "write the report as JUnit XML to a `file` too")
			flags.BoolVar(&run.live, "live", false, "judge it at the real provider that -config names; no money moves")
			unlocked := unlockedFlag(flags)
			flags.BoolVar(&run.asJSON, "json", false, "print the report as JSON")
			return func(ctx context.Context, s streams, args []string) error {
				if len(args) == 0 {
					return usagef("router conformance -h", "conformance: which plugin?")
				}
				run.unlocked = *unlocked
				return run.judge(ctx, s, args[0])
			}
		},
	}
}

func (run conformanceRun) judge(ctx context.Context, s streams, plugin string) error {
	ctx, cancel := context.WithTimeout(ctx, conformanceTime)
	defer cancel()
	pattern, err := regexp.Compile(run.pattern)
	if err != nil {
		return usagef("router conformance -h", "conformance: -run: %v", err)
	}
	binary, err := plugins().Find(plugin)
	if err != nil {
		return err
	}
	if run.live && run.config == "" {
		return usagef("router conformance -h", "conformance: -live needs -config: it says which provider is meant, and with which credentials")
	}
	settings, block, err := run.settings(plugin)
	if err != nil {
		return err
	}
	launcher, named, err := run.launcher(s, binary, block)
	if err != nil {
		return err
	}
	url, stop, err := run.sandboxOf(ctx, binary)
	if err != nil {
		return err
	}
	var logs lockedBuffer
	suite, err := conformance.New(ctx, conformance.Config{
		Open: func(ctx context.Context) (provider.Provider, error) {
			return launcher.Launch(ctx, provider.Spec{
				Name: filepath.Base(binary), Plugin: named,
				Logger: slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
		},
		Sandbox: url, Settings: settings, BillReference: run.bill, Logs: logs.String, Live: run.live, Deadline: block.Timeout,
	})
	if err != nil {
		return errors.Join(err, stop())
	}
	reason := ""
	tell := func(r conformance.Result) {
		printResult(s.out, r)
		if r.Verdict == conformance.NotJudged && r.Detail != reason { // many in a row have the same
			reason = r.Detail
			fmt.Fprintf(s.out, "    %s\n", reason)
		}
	}
	shown := showProgress(io.Discard, "")
	if run.asJSON {
		shown = showProgress(s.err, "check")
		tell = func(conformance.Result) { shown.count.Add(1) }
	}
	report := suite.Report(ctx, pattern, tell)
	shown.stop()
	report.SHA256, err = hashOf(binary)
	return errors.Join(stop(), err, run.write(s, report))
}

// launcher starts the plugin, by the name that it has for the lock file beside -config, if there is one.
func (run conformanceRun) launcher(s streams, binary string, block routing.Provider) (_ provider.Launcher, named string, _ error) {
	all := plugins()
	all.Unmasked = !run.live // else nobody sees what a plugin tells; of real credentials nothing is let through
	if run.config == "" {
		return all, binary, nil
	}
	named = binary
	if ruled, err := all.Find(block.Plugin); err == nil && ruled == binary {
		named = block.Plugin
	}
	launcher, err := lockedLauncher(all, run.config, run.unlocked, slog.New(slog.NewTextHandler(s.err, nil)))
	return launcher, named, err
}

// settings are the attributes that the file of rules gives for the plugin, and its block there.
func (run conformanceRun) settings(plugin string) (provider.Config, routing.Provider, error) {
	if run.config == "" {
		return nil, routing.Provider{}, nil
	}
	load := loadWithoutSecrets
	if run.live {
		load = func(path string) (*routing.Rules, routing.Diagnostics) { return routing.Load(path, nil) }
	}
	rules, found := load(run.config)
	if rules == nil {
		return nil, routing.Provider{}, found
	}
	for _, block := range rules.Providers() {
		if filepath.Base(block.Plugin) != filepath.Base(plugin) {
			continue
		}
		settings := provider.Config{}
		for name, value := range block.Config {
			if value.Text != standIn("") { // a variable that is not set is made up
				settings[name] = value.Text
			}
		}
		return settings, block, nil
	}
	return nil, routing.Provider{}, fmt.Errorf("conformance: %s has no provider block for the plugin %s", run.config, filepath.Base(plugin))
}

// sandboxOf returns where the sandbox is, started for the run unless one was named.
func (run conformanceRun) sandboxOf(ctx context.Context, binary string) (url string, stop func() error, err error) {
	if run.sandbox != "" {
		return run.sandbox, func() error { return nil }, nil
	}
	dir, err := os.MkdirTemp("", "cauce-conformance-")
	if err != nil {
		return "", nil, err
	}
	clean := func() error { return os.RemoveAll(dir) }
	name := filepath.Base(binary)
	sim, err := startSimulator(ctx, name, binary, filepath.Join(dir, name), 0, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("conformance: the sandbox of %s cannot be started: %w\n"+
			"a plugin without a sandbox command is judged at a sandbox that runs already: -sandbox URL", name, err), clean())
	}
	return sim.url, func() error { return errors.Join(sim.stop(), clean()) }, nil
}

// write prints the report, or its end where the results were printed already.
func (run conformanceRun) write(s streams, r conformance.Report) error {
	var err error
	if run.asJSON {
		e := json.NewEncoder(s.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		at := r.Sandbox
		if r.Live != "" {
			at = r.Live + ", compared with " + r.Sandbox
		}
		_, err = fmt.Fprintf(s.out, "\n%s %s, sha256 %s, at %s:\n%s passed, %d failed, %d not declared, %d not judged\n",
			r.Plugin, r.Version, r.SHA256, at, count(r.Passed, "check"), r.Failed, r.Count(conformance.NotDeclared), r.Count(conformance.NotJudged))
	}
	if run.junit != "" {
		err = errors.Join(err, writeJUnit(run.junit, r))
	}
	switch {
	case err != nil:
		return err
	case len(r.Checks) == 0:
		return fmt.Errorf("conformance: no check matches %q", run.pattern)
	case r.Failed > 0 || r.Count(conformance.NotJudged) > 0 && r.Passed == 0:
		return errNotFine
	}
	return nil
}

func printResult(w io.Writer, r conformance.Result) {
	fmt.Fprintf(w, "%-12s %s\n", strings.ReplaceAll(string(r.Verdict), "_", " "), r.ID)
	if r.Verdict != conformance.Fail {
		return
	}
	fmt.Fprintf(w, "    %s\n", r.Obligation)
	for line := range strings.SplitSeq(r.Detail, "\n") {
		fmt.Fprintf(w, "    - %s\n", line)
	}
	for _, q := range r.Trace {
		fmt.Fprintf(w, "    > %s %s %.400s\n", q.Method, q.Path, q.Body)
	}
}

// JUnit's form, as far as its readers agree.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string     `xml:"classname,attr"`
		Name    string     `xml:"name,attr"`
		Failure *junitText `xml:"failure"`
		Skipped *junitText `xml:"skipped"`
	}
	junitText struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(path string, r conformance.Report) error {
	suite := junitSuite{Name: r.Plugin + " " + r.Version, Tests: len(r.Checks), Failures: r.Failed, Skipped: len(r.Checks) - r.Passed - r.Failed}
	for _, c := range r.Checks {
		topic, _, _ := strings.Cut(c.ID, "/")
		test := junitCase{Class: r.Plugin + "." + topic, Name: c.ID}
		switch c.Verdict {
		case conformance.Fail:
			test.Failure = &junitText{c.Obligation, c.Detail}
		case conformance.NotDeclared, conformance.NotJudged:
			test.Skipped = &junitText{Message: c.Detail}
		}
		suite.Cases = append(suite.Cases, test)
	}
	content, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte(xml.Header), append(content, '\n')...), 0o644)
}

// lockedBuffer keeps what several plugin processes log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
