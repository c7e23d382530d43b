package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/cauce-pay/cauce/examples"
)

func newPluginNewCmd() command {
	return command{
		name: "plugin new", args: "NAME", summary: "start a new provider plugin, with a simulator of its provider",
		details: "What it writes builds, runs and passes conformance at once, for a provider that does not exist. Its own tests\n" +
			"(TestFillIn) name what has to become the real provider's. docs/plugins.md goes the whole way.",
		example: "  router plugin new acme\n  cd acme && go mod tidy && go build && router conformance ./acme",
		setup: func(flags *flag.FlagSet) action {
			lang := flags.String("lang", "go", "the `language`: go, or node (JavaScript, without a simulator of its own)")
			dir := flags.String("dir", "", "the `directory` to make; default: NAME")
			checkout := flags.String("cauce", "", "a `directory` that holds Cauce's source, to build against instead of a released version")
			return func(_ context.Context, s streams, args []string) error {
				if len(args) != 1 || !pluginName.MatchString(args[0]) {
					return usagef("router plugin new -h", "plugin new: NAME is lower-case letters, digits and hyphens, beginning with a letter")
				}
				if *lang != "go" && *lang != "node" {
					return usagef("router plugin new -h", "plugin new: -lang %q is neither go nor node", *lang)
				}
				p := scaffold{name: args[0], lang: *lang, dir: *dir, cauce: *checkout}
				if p.dir == "" {
					p.dir = p.name
				}
				if err := p.write(); err != nil {
					return err
				}
				fmt.Fprint(s.out, p.next())
				return nil
			}
		},
	}
}

var pluginName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// scaffold is a plugin to be started from the example in its language.
type scaffold struct{ name, lang, dir, cauce string }

func (p *scaffold) write() error {
	if _, err := os.Lstat(p.dir); err == nil {
		return fmt.Errorf("%s exists already; name another directory with -dir", p.dir)
	}
	files := map[string]string{}
	if p.lang == "go" {
		mod, err := p.goMod()
		if err != nil {
			return err
		}
		files["go.mod"] = mod
	}
	source, err := fs.Sub(examples.Plugins, "plugin-"+p.lang)
	if err != nil {
		return err
	}
	err = fs.WalkDir(source, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(source, name)
		files[strings.TrimSuffix(name, ".txt")] = p.rename(string(content))
		return err
	})
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := p.writeFile(name, content); err != nil {
			return errors.Join(err, os.RemoveAll(p.dir))
		}
	}
	return nil
}

func (p *scaffold) writeFile(name, content string) error {
	target := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	return os.WriteFile(target, []byte(content), mode)
}

// rename puts the new plugin's name where the example's stands, and for what lies beside the example, where it is found.
func (p *scaffold) rename(content string) string {
	simulator := p.name + "-sim"
	build := "router plugin new -lang go " + simulator + " && cd " + simulator + " && go mod tidy && go build"
	return strings.NewReplacer(
		"github.com/cauce-pay/cauce/examples/plugin-go", p.name,
		"](../plugin-go/README.md)", "]("+sourceURL+"examples/plugin-go/README.md)",
		"](../../docs/contract.md)", "]("+sourceURL+"docs/contract.md)",
		"go build -o bin/ ./examples/plugin-go", build,
		"bin/plugin-go", "./"+simulator,
		"Acme Pay's simulator comes with the same plugin in Go: examples/plugin-go.", "Its simulator is made with: "+build,
		"acme-node", p.name, "Acme Pay", p.name, "ACME", strings.ToUpper(strings.ReplaceAll(p.name, "-", "_")), "acme", p.name,
	).Replace(content)
}

// sourceURL is where Cauce's files are read.
const sourceURL = "https://github.com/cauce-pay/cauce/blob/main/"

const modulePath = "github.com/cauce-pay/cauce"

// goMod names this router's own version of Cauce. One that was built from a checkout has none: then the checkout stands
// in for it.
func (p *scaffold) goMod() (string, error) {
	needed := "v0.0.0"
	if build, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(build.Main.Version, "v") && p.cauce == "" {
		needed = build.Main.Version
	}
	mod := fmt.Sprintf("module %s\n\ngo 1.26\n\nrequire %s %s\n", p.name, modulePath, needed)
	if needed != "v0.0.0" {
		return mod, nil
	}
	checkout, err := p.findCheckout()
	if err != nil {
		return "", err
	}
	return mod + fmt.Sprintf("\nreplace %s => %s\n", modulePath, checkout), nil
}

// findCheckout looks for Cauce's source where -cauce says, else above this binary.
func (p *scaffold) findCheckout() (string, error) {
	isCheckout := func(dir string) bool {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		return err == nil && strings.HasPrefix(string(mod), "module "+modulePath+"\n")
	}
	if p.cauce != "" {
		dir, err := filepath.Abs(p.cauce)
		if err == nil && !isCheckout(dir) {
			err = fmt.Errorf("%s does not hold Cauce's source", dir)
		}
		return dir, err
	}
	binary, err := os.Executable()
	if err != nil {
		return "", err
	}
	for dir := filepath.Dir(binary); ; dir = filepath.Dir(dir) {
		if isCheckout(dir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("plugin new: this binary does not lie beside Cauce's source: name its folder with -cauce DIR")
		}
	}
}

// next says what to do with what was written.
func (p *scaffold) next() string {
	at := path.Clean(filepath.ToSlash(p.dir))
	if p.lang == "node" {
		return fmt.Sprintf(`%s is there. It needs Node 20 or newer and no packages.

  %-52[2]s what it says of itself
  %-52[3]s whether it is good, against a simulator of its provider
  %-52[4]s (router plugin new -lang go makes one)
`, at, at+"/plugin.mjs describe", "router conformance "+at+"/plugin.mjs -sandbox URL", "")
	}
	return fmt.Sprintf(`%s is there: a plugin, and a simulator of its provider.

  cd %[1]s && go mod tidy && go build
  %-32[2]s what it says of itself
  %-32[3]s whether it is good: it passes, against its own simulator
  %-32[4]s what has to become the real provider's
`, at, "./"+p.name+" describe", "router conformance ./"+p.name, "go test")
}
