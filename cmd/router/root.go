package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// action runs a command whose flags are parsed. ctx ends when the process is asked to end; a disposable command's never.
type action func(ctx context.Context, s streams, args []string) error

// command is one thing that router can do.
type command struct {
	name    string // "key new"
	args    string // what follows the flags; in brackets where it may be left out
	summary string
	details string // for its own help; may be empty
	example string
	setup   func(*flag.FlagSet) action // defines the flags
	// disposable: it has nothing to finish, and a signal ends the process at once. The plugins that it started end with it.
	disposable bool
}

func commands() []command {
	return []command{
		newDevCmd(), newServeCmd(), newValidateCmd(), newExplainCmd(), newTestCmd(), newFmtCmd(), newLSPCmd(), newSimulateCmd(), newDiffCmd(),
		newRulesHistoryCmd(), newRulesShowCmd(), newRulesShadowCmd(), newRulesRollbackCmd(),
		newPaymentsListCmd(), newPaymentsGetCmd(), newPaymentsWatchCmd(), newPaymentsRefreshCmd(), newPaymentsResolveCmd(),
		newProvidersLockCmd(), newProvidersCodesCmd(), newProvidersCmd(), newPauseCmd(), newResumeCmd(), newReconcileCmd(),
		newExportCmd(), newBackupCmd(), newRestoreCmd(), newAuditListCmd(), newAuditVerifyCmd(), newKeyNewCmd(), newConformanceCmd(), newPluginNewCmd(), newVersionCmd(),
	}
}

// usageError is a command line that cannot be understood.
type usageError struct {
	message string
	see     string // the command that tells more
}

func (e *usageError) Error() string { return e.message }

func usagef(see, format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...), see}
}

// dispatch finds the command that args name and runs it.
func dispatch(args []string, s streams) error {
	if len(args) == 0 {
		return usagef("router help", "which command? There are %s", strings.Join(names(""), ", "))
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		return help(s, args)
	}
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) {
			return c.run(s, args[len(words):])
		}
	}
	if slices.Contains([]string{"-version", "--version"}, args[0]) {
		return newVersionCmd().run(s, args[1:])
	}
	if family := names(args[0] + " "); len(family) > 0 {
		if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
			return usagef("router help", "%q is no command; there are %s", args[0]+" "+args[1], strings.Join(family, ", "))
		}
		return usagef("router help", "%q alone is no command; there are %s", args[0], strings.Join(family, ", "))
	}
	return usagef("router help", "%q is no command", args[0])
}

// names lists the commands whose names begin with prefix.
func names(prefix string) []string {
	var out []string
	for _, c := range commands() {
		if strings.HasPrefix(c.name, prefix) {
			out = append(out, c.name)
		}
	}
	return out
}

func help(s streams, args []string) error {
	if len(args) > 1 {
		return dispatch(append(args[1:], "-h"), s)
	}
	fmt.Fprint(s.out, "router takes payments, decides which provider gets each of them, and follows them to their end.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(s.out, "  router %-16s %s\n", c.name, c.summary)
	}
	fmt.Fprint(s.out, `
router COMMAND -h tells more, with an example. To see it work: router dev

Plugins are looked for beside this binary, then in the directories of CAUCE_PLUGIN_PATH.
Exit codes: 0 fine, 1 not fine, 2 usage, 3 the store of a running router cannot be written any more.
`)
	return nil
}

// run parses the flags, which may stand before and after the arguments, and runs the command.
func (c command) run(s streams, args []string) error {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	do := c.setup(flags)
	var rest []string
	for {
		err := flags.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			c.help(s.out, flags)
			return nil
		}
		if err != nil {
			return usagef("router "+c.name+" -h", "%s: %v", c.name, err)
		}
		if args = flags.Args(); len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	if len(rest) > len(strings.Fields(c.args)) {
		return usagef("router "+c.name+" -h", "%s: there is an argument too many: %q", c.name, rest[len(strings.Fields(c.args))])
	}
	if c.disposable {
		return do(context.Background(), s, rest)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return do(ctx, s, rest)
}

func (c command) help(w io.Writer, flags *flag.FlagSet) {
	line := "router " + c.name
	flags.VisitAll(func(f *flag.Flag) {
		value, _ := flag.UnquoteUsage(f)
		line += " [" + strings.TrimSpace("-"+f.Name+" "+value) + "]"
	})
	fmt.Fprintf(w, "%s\n\n%s.\n", strings.TrimSpace(line+" "+c.args), capitalized(c.summary))
	if c.details != "" {
		fmt.Fprintf(w, "\n%s\n", c.details)
	}
	if strings.Contains(line, "[") {
		fmt.Fprintln(w)
	}
	flags.SetOutput(w)
	flags.PrintDefaults()
	fmt.Fprintf(w, "\nExample:\n\n%s\n", c.example)
}

// printJSON prints a value for a person who asked for JSON.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func capitalized(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
