package routing

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cauce-pay/cauce/payment"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

// secret is the value of the environment variable SECRET in tests. It must never be seen.
const secret = "hunter2-hunter2"

func testEnv(name string) (string, bool) {
	value, ok := map[string]string{"SECRET": secret, "EMPTY": ""}[name]
	return value, ok
}

// loadText loads rules from a text.
func loadText(dir, name, content string) (*Rules, Diagnostics) {
	return load([]*source{newSource(name, []byte(content))}, dir, &Options{Env: testEnv})
}

// mustLoad loads rules that may have warnings, but no error.
func mustLoad(t testing.TB, content string) *Rules {
	t.Helper()
	r, ds := loadText(t.TempDir(), "routing.hcl", content)
	if r == nil {
		var b strings.Builder
		_ = ds.Write(&b)
		t.Fatalf("rules refused:\n%s", b.String())
	}
	return r
}

// eachArchive runs a test for every archive of a directory. got returns, by file name, what is to be compared with
// the archive's files of that name.
func eachArchive(t *testing.T, dir string, got func(t *testing.T, a *txtar.Archive) map[string][]byte) {
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archive in testdata/%s (%v)", dir, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			results := got(t, a)
			for i, f := range a.Files {
				result, compared := results[f.Name]
				if compared && !bytes.Equal(result, f.Data) {
					if *update {
						a.Files[i].Data = result
						continue
					}
					t.Errorf("%s: got\n%s\nwant\n%s", f.Name, result, f.Data)
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestDiagnostics compares what is said of every NAME.hcl with NAME.want.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	eachArchive(t, "diagnostics", func(t *testing.T, a *txtar.Archive) map[string][]byte {
		results := map[string][]byte{}
		for _, f := range a.Files {
			name, ok := strings.CutSuffix(f.Name, ".hcl")
			if !ok {
				continue
			}
			r, ds := loadText(t.TempDir(), f.Name, string(f.Data))
			if (r == nil) != ds.HasErrors() {
				t.Errorf("%s: rules are %v although errors = %v", f.Name, r, ds.HasErrors())
			}
			var b bytes.Buffer
			if err := ds.Write(&b); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String()+ds.Error(), secret) {
				t.Errorf("%s: a secret is shown:\n%s", f.Name, b.String())
			}
			results[name+".want"] = b.Bytes()
		}
		return results
	})
}

// TestDecisions compares the explanation of NAME.json under routing.hcl and facts.json with NAME.want.
func TestDecisions(t *testing.T) {
	t.Parallel()
	eachArchive(t, "decide", func(t *testing.T, a *txtar.Archive) map[string][]byte {
		files := map[string][]byte{}
		for _, f := range a.Files {
			files[f.Name] = f.Data
		}
		rules := mustLoad(t, string(files["routing.hcl"]))
		var facts Facts
		decodeStrictly(t, files["facts.json"], &facts)
		results := map[string][]byte{}
		for name, content := range files {
			name, ok := strings.CutSuffix(name, ".json")
			if !ok || name == "facts" {
				continue
			}
			var req payment.Request
			decodeStrictly(t, content, &req)
			req = req.WithDefaults()
			x := rules.Explain(&req, facts)
			if d := rules.Decide(&req, facts); asJSON(t, d) != asJSON(t, x.Decision) {
				t.Errorf("%s: Decide and Explain differ", name)
			}
			results[name+".want"] = []byte(asJSON(t, x))
		}
		return results
	})
}

func decodeStrictly(t *testing.T, content []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in\n%s", err, content)
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
