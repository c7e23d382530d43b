package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
)

func newRulesHistoryCmd() command {
	return command{
		name: "rules history", summary: "list which rules came into force, when and by whom",
		details: "A restart with the same rules is none. The key needs the scope admin.\n" + clientDetails,
		example: "  router rules history",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			asJSON := flags.Bool("json", false, "print it as JSON")
			return func(ctx context.Context, s streams, _ []string) error {
				answer, err := c.call(ctx, http.MethodGet, "/v1/rules/history", nil)
				if err != nil {
					return err
				}
				return show(s, answer, *asJSON, printVersions)
			}
		},
	}
}

func printVersions(w io.Writer, history struct{ Rules []engine.RulesVersion }) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "RULES\tIN FORCE FROM\tBY")
	for _, v := range history.Rules {
		by := v.By
		if by == "" {
			by = "a start of the router"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", v.Hash, v.At.Local().Format("2006-01-02 15:04:05"), by)
	}
	_ = t.Flush()
}

func newRulesShowCmd() command {
	return command{
		name: "rules show", args: "HASH", summary: "print the rules of a hash, whose decisions name it",
		details: "Secrets that stood in them in clear are hidden. The key needs the scope admin.\n" + clientDetails,
		example: "  router rules show 2f1d8c0a9b3e4f56",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			asJSON := flags.Bool("json", false, "print them as JSON")
			return func(ctx context.Context, s streams, args []string) error {
				if len(args) != 1 {
					return usagef("router rules show -h", "rules show: name one hash; router rules history lists them")
				}
				text, err := rulesText(ctx, c, args[0])
				if err != nil {
					return err
				}
				if *asJSON {
					return printJSON(s.out, text)
				}
				return printRules(s.out, text)
			}
		},
	}
}

func rulesText(ctx context.Context, c *client, hash string) (text engine.RulesText, err error) {
	answer, err := c.call(ctx, http.MethodGet, "/v1/rules/"+url.PathEscape(hash), nil)
	if err != nil {
		return text, err
	}
	return text, json.Unmarshal(answer, &text)
}

func printRules(w io.Writer, text engine.RulesText) error {
	if len(text.Files) == 0 {
		return fmt.Errorf("the rules %s were not kept: a secret stood in them in clear, put together from parts", text.Hash)
	}
	var b strings.Builder
	for _, f := range text.Files {
		if len(text.Files) > 1 {
			fmt.Fprintf(&b, "# file %s\n", f.Name)
		}
		b.WriteString(f.Content)
	}
	_, err := io.WriteString(w, printableText(b.String()))
	return err
}

// printableText is printable that keeps tabs: a file of rules may have them.
func printableText(text string) string {
	lines := strings.Split(text, "\t")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\t")
}

func newRulesShadowCmd() command {
	return command{
		name: "rules shadow", summary: "say what the rules of the server block's shadow would have decided",
		details: "With server { shadow = \"next.hcl\" } every payment is decided by those rules too, with no effect. It is said which\n" +
			"payments would go elsewhere since either rules changed. A reload takes up that line when it is added, changed or\n" +
			"taken away. The key needs the scope admin.\n" + clientDetails,
		example: "  router rules shadow",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			asJSON := flags.Bool("json", false, "print it as JSON")
			return func(ctx context.Context, s streams, _ []string) error {
				answer, err := c.call(ctx, http.MethodGet, "/v1/shadow", nil)
				if err != nil {
					return err
				}
				return show(s, answer, *asJSON, printShadow)
			}
		},
	}
}

func printShadow(w io.Writer, shadow engine.Shadow) {
	fmt.Fprintf(w, "%s (rules %s) beside rules %s, since %s\n", shadow.Path, shadow.Hash, shadow.Rules, shadow.Since.Local().Format("2006-01-02 15:04:05"))
	if shadow.Fault != "" {
		fmt.Fprintf(w, "As it is now it cannot be used: %s\n", shadow.Fault)
	}
	_ = printBacktest(w, &shadow.Backtest)
}

func newRulesRollbackCmd() command {
	return command{
		name: "rules rollback", args: "HASH", summary: "put rules of before into force again",
		details: "It runs on the router's machine: the files are written where the router reads them (-c), each at once, and the\n" +
			"router is told to reload. What they replace stays beside them as NAME" + replacedSuffix + ". Where the router refuses the rules,\n" +
			"the files are put back. The key needs the scope admin.\n" + clientDetails,
		example: "  router rules rollback -c /etc/cauce/routing.hcl 2f1d8c0a9b3e4f56",
		setup: func(flags *flag.FlagSet) action {
			path, c := rulesFlag(flags), clientFlag(flags)
			return func(ctx context.Context, s streams, args []string) error {
				if len(args) != 1 {
					return usagef("router rules rollback -h", "rules rollback: name one hash; router rules history lists them")
				}
				return rollback(ctx, s, c, *path, args[0])
			}
		},
	}
}

func rollback(ctx context.Context, s streams, c *client, path, hash string) error {
	text, err := rulesText(ctx, c, hash)
	if err != nil {
		return err
	}
	if text.Masked {
		return fmt.Errorf("the rules %s cannot be put back: a secret stood in them in clear, which is not kept; write them by hand (router rules show %s)", hash, hash)
	}
	before, err := rulesInForce(ctx, c)
	if err != nil {
		return err
	}
	tellChange(ctx, s, path, text)
	put, err := replaceRules(path, text.Files)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, http.MethodPost, "/v1/reload", map[string]string{"expected": before})
	after, readErr := rulesInForce(ctx, c)
	switch {
	case readErr != nil:
		return errors.Join(err, readErr)
	case after == hash: // by the reload, or because the router saw the files change first
		fmt.Fprintf(s.out, "rules %s are in force again; before: %s\n", after, before)
		return nil
	case err == nil:
		err = fmt.Errorf("the router reads other files than %s: its rules are %s now", path, after)
	}
	return errors.Join(err, put.back())
}

func rulesInForce(ctx context.Context, c *client) (hash string, err error) {
	answer, err := c.call(ctx, http.MethodGet, "/v1/rules", nil)
	if err != nil {
		return "", err
	}
	var rules struct{ Hash string }
	return rules.Hash, errors.Join(err, json.Unmarshal(answer, &rules))
}

// tellChange says what the rules change beside those at path, as far as that can be told here.
func tellChange(ctx context.Context, s streams, path string, text engine.RulesText) {
	dir, err := writeRules(text.Files)
	if err != nil {
		return
	}
	defer os.RemoveAll(dir)
	if d, err := diff(ctx, s, path, dir, http.NoBody); err == nil {
		fmt.Fprintf(s.out, "%d of %s would be decided differently; router diff tells which\n", d.Changed, count(d.Payments, "made-up payment"))
	}
}

// writeRules writes files of rules to a directory of their own.
func writeRules(files []routing.Text) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "cauce-rules-"); err != nil {
		return "", err
	}
	for _, f := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, filepath.Base(f.Name)), []byte(f.Content), 0o600))
	}
	if err != nil {
		_ = os.RemoveAll(dir)
	}
	return dir, err
}

// replacedSuffix is what is added to the name of a file of rules that was replaced. Such files are not read.
const replacedSuffix = ".replaced"

// replaced are the files of rules that others have taken the place of. The old ones stay beside them.
type replaced struct {
	old []string // their paths
	new []string // those that were not there before
}

// replaceRules makes the rules at path those of files: a file, or all *.hcl of a directory, tests apart.
func replaceRules(path string, files []routing.Text) (*replaced, error) {
	names, err := routing.Files(path)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.hcl") })
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() && len(files) > 1 {
		return nil, fmt.Errorf("these rules are %d files, and %s is one", len(files), path)
	}
	r := &replaced{}
	want := map[string]string{}
	for _, f := range files {
		name := path
		if info.IsDir() {
			name = filepath.Join(path, filepath.Base(f.Name))
		}
		want[name] = f.Content
		if !slices.Contains(names, name) {
			r.new = append(r.new, name)
		}
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err == nil {
			err = writeAtomically(name+replacedSuffix, string(content))
		}
		if err != nil {
			return nil, err
		}
		r.old = append(r.old, name)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if err := writeAtomically(name, want[name]); err != nil {
			return nil, errors.Join(err, r.back())
		}
	}
	for _, name := range names {
		if _, stays := want[name]; stays {
			continue
		}
		if err := os.Remove(name); err != nil {
			return nil, errors.Join(err, r.back())
		}
	}
	return r, nil
}

// writeAtomically writes a file that is never seen in part.
func writeAtomically(name, content string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".cauce-rules-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Chmod(0o640), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// back puts the old files back.
func (r *replaced) back() (err error) {
	for _, name := range r.new {
		if removed := os.Remove(name); !errors.Is(removed, os.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	for _, name := range r.old {
		err = errors.Join(err, os.Rename(name+replacedSuffix, name))
	}
	return err
}
