package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
)

// flawed are mistakes of a plugin's author that the router covers up, made in one that has none: in which file what stands for
// what, and the checks that must see them all the same.
var flawed = map[string]struct {
	plugin, file string // of the repository
	replaced     []string
	fails        []string
}{
	"an error and the log tell the key and the document": {
		plugin: "examples/plugin-go", file: "examples/plugin-go/provider.go",
		replaced: []string{
			"func (p *vendor) Submit(", `func (p *vendor) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
				tells := p.api.apiKey + " of " + a.Payment.Payer.Document.Number
				println(tells)
				o, err := p.submit(ctx, a)
				if err != nil {
					e := *provider.AsError(err)
					e.Message += ": " + tells
					err = &e
				}
				return o, err
			}
			func (p *vendor) submit(`,
			"	if err != nil {\n		return err\n	}\n	p.api", "	if err != nil {\n		return provider.Errorf(provider.CodeInvalid, \"%v: %v\", err, given)\n	}\n	p.api",
			"_ context.Context, c provider.Config) error {\n	c, err := p.Info().Config.Resolve(c)", "_ context.Context, given provider.Config) error {\n	c, err := p.Info().Config.Resolve(given)",
		},
		fails: []string{
			"config/errors-hide-secrets", "privacy/logs", "privacy/errors-400", "privacy/errors-422", "privacy/errors-500", "privacy/errors-200",
			"privacy/errors-dropped", "privacy/errors-garbled",
		},
	},
	"no call ends before its answer": {
		plugin: "examples/plugin-go", file: "examples/plugin-go/client.go",
		replaced: []string{"NewRequestWithContext(ctx,", "NewRequestWithContext(context.WithoutCancel(ctx),"},
		fails:    []string{"deadlines/submit", "deadlines/lookup", "deadlines/cancelled"},
	},
	"a call ends before its answer begins, or not": {
		plugin: "examples/plugin-go", file: "examples/plugin-go/client.go",
		replaced: []string{
			"	req, err := http.NewRequestWithContext(ctx,", `	begun, cancel := context.WithCancel(context.WithoutCancel(ctx))
				defer cancel()
				keep := context.AfterFunc(ctx, cancel)
				req, err := http.NewRequestWithContext(begun,`,
			"	var dial", "	keep()\n	var dial",
		},
		fails: []string{"hostile/trickle"},
	},
}

func TestConformanceSeesThroughTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range flawed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			binary := filepath.Join(dir, filepath.Base(c.plugin))
			build := exec.Command("go", "build", "-overlay", overlay(t, c.file, c.replaced), "-o", binary, "../../"+c.plugin)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			junit := filepath.Join(dir, "junit.xml")
			out, _ := exec.Command(filepath.Join(binaries, "router"), "conformance", binary, "-run", "^(config|submit|deadlines|privacy|hostile)/", "-json", "-junit", junit).Output()
			var r conformance.Report
			if err := json.Unmarshal(out, &r); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var fails []string
			for _, check := range r.Checks {
				if check.Verdict == conformance.Fail {
					fails = append(fails, check.ID)
				}
			}
			if !slices.Equal(fails, c.fails) {
				t.Errorf("it fails %q, not %q", fails, c.fails)
			}
			cases, err := os.ReadFile(junit)
			if err != nil || strings.Contains(string(out)+string(cases), "conformance-api_key") {
				t.Errorf("a report tells the key, or is missing: %v", err)
			}
		})
	}
}

// overlay writes what go build takes for a file of the repository: that file with text replaced.
func overlay(t *testing.T, file string, replaced []string) (path string) {
	t.Helper()
	original, err := filepath.Abs(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for i := 0; i < len(replaced); i += 2 {
		if strings.Count(text, replaced[i]) != 1 {
			t.Fatalf("%s does not have once %q", file, replaced[i])
		}
		text = strings.Replace(text, replaced[i], replaced[i+1], 1)
	}
	instead, err := json.Marshal(map[string]any{"Replace": map[string]string{original: writeFile(t, filepath.Base(file), text)}})
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "overlay.json", string(instead))
}
