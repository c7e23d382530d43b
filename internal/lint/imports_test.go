// Package lint holds the rules of the house, as tests.
package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/cauce-pay/cauce"

// room is one row of the table of who may import whom. Patterns are package paths below the module; "x/..." is x
// and everything below it, "*" one path element.
type room struct {
	packages string
	// may lists what its packages may import from this module; tests those that its tests may import besides.
	may, tests []string
	// never lists what its packages must not reach, not even through others: packages of this module by pattern,
	// others by the beginning of their path.
	never []string
	// bare tells that, outside of this module, they reach nothing but the standard library and decimal.
	bare bool
	why  string
}

const (
	grpc     = "google.golang.org/grpc"
	goPlugin = "github.com/hashicorp/go-plugin"
	pebble   = "github.com/cockroachdb/pebble"
	pgx      = "github.com/jackc/pgx"
	hcl      = "github.com/hashicorp/hcl"
	decimal  = "github.com/shopspring/decimal"
)

var table = []room{
	{packages: ".", why: "the root holds the shipped routing.hcl, for those who embed it"},
	{packages: "payment", bare: true, why: "everybody names its words, so it must not pull anything in"},
	{packages: "provider", may: []string{"payment"}, tests: []string{"provider/providertest"}, bare: true,
		why: "a provider that is a plain Go value must not link a transport"},
	{packages: "provider/plugin", may: []string{"provider", "payment", "provider/plugin/..."}, tests: []string{"provider/providertest"},
		never: []string{"engine/...", "provider/sandbox", pebble, hcl}, why: "every plugin links it, and a plugin never links the engine"},
	{packages: "provider/plugin/proto/v1", why: "generated"},
	{packages: "provider/plugin/internal/...", may: []string{"provider", "payment", "provider/plugin/..."}, tests: []string{"provider/providertest"},
		never: []string{"engine/...", pebble, hcl}, why: "as provider/plugin"},
	{packages: "provider/plugin/plugintest", may: []string{"provider/plugin/...", "provider", "payment"}, never: []string{"engine/..."},
		why: "it is for tests of plugins"},
	{packages: "provider/providertest", may: []string{"provider", "payment"}, bare: true, why: "it is for tests without processes"},
	{packages: "provider/sandbox", may: []string{"payment"}, bare: true, why: "a simulator knows the provider's API, not ours"},
	{packages: "provider/sandbox/sandboxtest", may: []string{"payment", "provider"}, bare: true,
		why: "tests of plugins drive any simulator with it, by the control protocol alone"},
	{packages: "plugins/*/sandbox", may: []string{"provider/sandbox", "payment"}, bare: true,
		why: "a simulator that shared code with the plugin it tests would share its mistakes"},
	{packages: "plugins/internal/...", may: []string{"payment", "provider", "plugins/internal/..."}, never: []string{grpc, "engine/..."},
		why: "what several plugins share is about providers' HTTP, nothing else"},
	{packages: "plugins/*", may: []string{"payment", "provider", "provider/plugin", "plugins/internal/...", "plugins/*/sandbox"},
		tests: []string{"conformance", "conformance/conformancetest", "conformance/foreign", "provider/plugin/plugintest", "provider/sandbox/..."}, never: []string{"engine/...", pebble, hcl},
		why: "a plugin is built without the engine: it would be three times as large, and could come to need it"},
	{packages: "conformance", may: []string{"payment", "provider"}, tests: []string{"provider/sandbox"}, bare: true,
		never: []string{"testing"}, why: "it runs inside a command too, and judges whoever speaks the contract and the control protocol"},
	{packages: "conformance/conformancetest", may: []string{"conformance"}, why: "the suite inside go test: it alone links testing"},
	{packages: "conformance/foreign", bare: true,
		why: "a second simulator of each provider: whatever it shared with the first, both could have wrong"},
	{packages: "engine/routing", may: []string{"payment"}, never: []string{"provider/...", "engine/store/...", grpc, pebble, "net/http"},
		why: "a decision is a pure function: no provider, no store, no network"},
	{packages: "engine/store", may: []string{"payment"}, bare: true, why: "the seam knows no store"},
	{packages: "engine/store/storetest", may: []string{"engine/store", "payment"}, bare: true, why: "one suite for every store"},
	{packages: "engine/store/*", may: []string{"engine/store", "payment", "internal/failpoint"}, tests: []string{"engine/store/storetest"},
		never: []string{"engine", "engine/routing", "provider/...", grpc}, why: "stores know records, not decisions, and not each other"},
	{packages: "engine/internal/...", bare: true, why: "what only the engine uses, each thing about one matter"},
	{packages: "engine", may: []string{"payment", "provider", "engine/routing", "engine/store", "engine/internal/...", "internal/failpoint"},
		tests: []string{"provider/providertest", "engine/store/pebblestore", "provider/plugin"},
		never: []string{"provider/plugin/...", "engine/store/*", grpc, goPlugin, pebble, pgx},
		why:   "the embedder chooses store and transport"},
	{packages: "engine/webhook", may: []string{"payment", "engine", "engine/routing", "engine/store", "internal/failpoint"},
		tests: []string{"provider", "provider/providertest", "engine/store/pebblestore"}, never: []string{"engine/store/*", grpc, goPlugin, pebble, pgx},
		why: "the engine speaks no HTTP; who wants webhooks puts this beside it"},
	{packages: "cmd/router", may: []string{"..."}, never: []string{"conformance/conformancetest", "conformance/foreign", "provider/providertest", "provider/plugin/plugintest", "provider/sandbox/sandboxtest", "engine/store/storetest"},
		tests: []string{"provider/providertest"}, why: "the one room that wires everything; test helpers stay out of what is shipped"},
	{packages: "cmd/router/internal/...", may: []string{"payment", "provider", "engine", "engine/routing", "engine/store", "cmd/router/internal/...", "internal/failpoint"},
		tests: []string{"provider/providertest", "engine/store/pebblestore", "provider/plugin"}, never: []string{grpc, pebble},
		why: "the HTTP surface calls the engine and nothing below it"},
	{packages: "examples", tests: []string{"conformance", "conformance/conformancetest", "examples/*/sandbox", "provider", "provider/plugin"}, why: "it holds the examples' sources"},
	{packages: "examples/*/sandbox", may: []string{"provider/sandbox", "payment"}, bare: true, why: "as a plugin's"},
	{packages: "examples/*", may: []string{"payment", "provider", "provider/plugin", "examples/*/sandbox"}, tests: []string{"conformance", "conformance/conformancetest", "provider/plugin/plugintest"},
		never: []string{"engine/...", pebble, hcl}, why: "an author copies it, and has nothing but the public packages"},
	{packages: "bench", may: []string{"..."}, why: "it measures everything"},
	{packages: "bench/stored", may: []string{"..."}, why: "it measures a router's start"},
	{packages: "bench/...", may: []string{"payment", "provider", "provider/plugin/..."}, why: "plugins for the benchmarks, and what several commands measure with"},
	{packages: "internal/failpoint", bare: true, why: "empty functions, but for tests of crashes"},
	{packages: "internal/lint", tests: []string{"engine/routing"}, why: "it reads the others"},
}

type goPackage struct {
	ImportPath                               string
	Standard                                 bool
	Imports, TestImports, XTestImports, Deps []string
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	standard := map[string]bool{}
	for _, p := range listPackages(t) {
		standard[p.ImportPath] = p.Standard
	}
	for _, p := range listPackages(t) {
		if !ours(p.ImportPath) {
			continue
		}
		path := below(p.ImportPath)
		r := roomOf(path)
		if r == nil {
			t.Errorf("%s is in no row of the table in internal/lint/imports_test.go: decide what it may import, and add it", path)
			continue
		}
		for _, imported := range p.Imports {
			if ours(imported) && !r.allows(r.may, path, below(imported)) {
				t.Errorf("%s must not import %s: %s", path, below(imported), r.why)
			}
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if ours(imported) && below(imported) != path && !r.allows(slices.Concat(r.may, r.tests), path, below(imported)) {
				t.Errorf("the tests of %s must not import %s: %s", path, below(imported), r.why)
			}
		}
		for _, dep := range p.Deps {
			if r.bare && !standard[dep] && !ours(dep) && dep != decimal {
				t.Errorf("%s reaches %s, beyond the standard library and decimal: %s", path, dep, r.why)
			}
			for _, pattern := range r.never {
				if ours(dep) && matches(pattern, below(dep)) || strings.HasPrefix(dep, pattern) && !ours(dep) {
					t.Errorf("%s reaches %s, which it must never: %s", path, dep, r.why)
				}
			}
		}
	}
}

// The table itself: each row matches a package, or was kept for nothing.
func TestEveryRowHasAPackage(t *testing.T) {
	t.Parallel()
	var paths []string
	for _, p := range listPackages(t) {
		if ours(p.ImportPath) {
			paths = append(paths, below(p.ImportPath))
		}
	}
	for i := range table {
		if !slices.ContainsFunc(paths, func(path string) bool { return roomOf(path) == &table[i] }) {
			t.Errorf("no package is in the row %q", table[i].packages)
		}
	}
}

// The test library must not be linked into what is shipped: it brings its flags and close to a megabyte along.
func TestTestingStaysInTests(t *testing.T) {
	t.Parallel()
	may := []string{
		goPlugin, module + "/provider/plugin/plugintest", module + "/provider/sandbox/sandboxtest", module + "/engine/store/storetest", module + "/conformance/conformancetest",
	}
	for _, p := range listPackages(t) {
		if p.Standard || slices.Contains(may, p.ImportPath) {
			continue
		}
		for _, imported := range p.Imports {
			if imported == "testing" || strings.HasPrefix(imported, "testing/") {
				t.Errorf("%s imports %s outside of its tests", p.ImportPath, imported)
			}
		}
	}
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

func below(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// roomOf returns the most particular row for a package: the one whose pattern matches with the fewest wildcards.
func roomOf(path string) *room {
	var best *room
	rank := func(r *room) int {
		return strings.Count(r.packages, "*")*2 + strings.Count(r.packages, "...")
	}
	for i := range table {
		if r := &table[i]; matches(r.packages, path) && (best == nil || rank(r) < rank(best)) {
			best = r
		}
	}
	return best
}

// allows reports whether path may import what matches one of the patterns. A sandbox belongs to one plugin only.
func (r *room) allows(patterns []string, path, imported string) bool {
	if strings.HasSuffix(imported, "/sandbox") && strings.HasPrefix(imported, "plugins/") {
		return imported == path+"/sandbox"
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, imported) })
}

func matches(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, element := range want {
		switch {
		case element == "...":
			return i <= len(got)
		case i >= len(got) || element != "*" && element != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	list, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// packages lists the module's packages and everything that they reach.
var packages = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,TestImports,XTestImports,Deps", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	var list []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, err
		}
		list = append(list, p)
	}
})
