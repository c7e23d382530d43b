package lint

import (
	"bufio"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/engine/routing"
)

// root is the repository, seen from this folder.
const root = "../.."

// files lists the repository's files: those that git knows, and new ones that it does not ignore.
func files(t *testing.T, extension string) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard").Output()
	var list []string
	if err == nil {
		list = strings.Split(strings.TrimSpace(string(out)), "\n")
	} else { // an archive without git
		err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				rel, _ := filepath.Rel(root, path)
				list = append(list, rel)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	list = slices.DeleteFunc(list, func(f string) bool {
		_, err := os.Stat(filepath.Join(root, f))
		return !strings.HasSuffix(f, extension) || err != nil
	})
	return list
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	banned := []string{"util", "utils", "common", "helper", "helpers", "type", "types", "model", "models", "misc"}
	placeholder := regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}, "|") + `)\b`)
	for _, f := range files(t, ".go") {
		if strings.HasSuffix(f, ".pb.go") {
			continue
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSuffix(f, ".go"), "_test"), "/") {
			if slices.Contains(banned, name) {
				t.Errorf("%s: files and folders are named by the noun that a user would say, not %q", f, name)
			}
		}
		text := read(t, f)
		if formatted, err := format.Source([]byte(text)); err != nil || string(formatted) != text {
			t.Errorf("%s is not as gofmt writes it: run gofmt -w %[1]s", f)
		}
		if n := strings.Count(text, "\n"); n > 800 {
			t.Errorf("%s has %d lines: a room became a hall; 800 is the limit", f, n)
		}
		if m := placeholder.FindString(text); m != "" {
			t.Errorf("%s: %s: what is not done is said in an issue, not in the code", f, m)
		}
	}
}

var (
	link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	path = regexp.MustCompile("`((?:[a-z][a-z0-9_-]*/)+[a-z0-9_.-]+|[a-z_]+\\.(?:hcl|md))`")
)

// Every link of the documents leads somewhere, and every path that they name in backquotes exists.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	built := regexp.MustCompile(`^(bin|data|dev-data|application|text)/`)
	for _, f := range files(t, ".md") {
		text := read(t, f)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(m[1], "://") && !exists(filepath.Join(filepath.Dir(f), m[1])) {
				t.Errorf("%s links to %s, which does not exist", f, m[1])
			}
		}
		if !strings.HasPrefix(f, "docs/") && f != "README.md" {
			continue
		}
		for _, m := range path.FindAllStringSubmatch(text, -1) {
			if top, _, _ := strings.Cut(m[1], "/"); !built.MatchString(m[1]) && exists(top) && !exists(m[1]) {
				t.Errorf("%s names %s, which does not exist", f, m[1])
			}
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(filepath.Join(root, file))
	return err == nil
}

// Every hcl block of the documents is read by the rules' own checker, so that examples cannot rot. What is no more
// than a piece of a block is fenced as text.
func TestHCLInDocuments(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, f := range files(t, ".md") {
		for n, block := range fenced(read(t, f), "hcl") {
			file := filepath.Join(t.TempDir(), "routing.hcl")
			if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			if rules, diagnostics := routing.Load(file, &routing.Options{Env: anyEnv}); rules == nil {
				t.Errorf("%s, hcl block %d: %v", f, n+1, diagnostics)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Error("no document has an hcl block")
	}
}

// A decision is a pure function of what it is given, and the time is part of that.
func TestRulesReadNoClock(t *testing.T) {
	t.Parallel()
	clock := regexp.MustCompile(`\btime\.(Now|Since|Until|After|Tick|Sleep)\(`)
	for _, f := range files(t, ".go") {
		if strings.HasPrefix(f, "engine/routing/") && !strings.HasSuffix(f, "_test.go") && clock.MatchString(read(t, f)) {
			t.Errorf("%s reads the clock: a decision would not replay to the same answer", f)
		}
	}
}

func TestShippedRules(t *testing.T) {
	t.Parallel()
	rules, diagnostics := routing.Load(filepath.Join(root, "routing.hcl"), &routing.Options{Env: anyEnv})
	if rules == nil || len(diagnostics) > 0 {
		t.Errorf("routing.hcl: %v", diagnostics)
	}
}

func anyEnv(string) (string, bool) { return "https://example.com", true }

// fenced returns the code blocks of a language.
func fenced(text, language string) []string {
	var blocks []string
	var block *strings.Builder
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		line := s.Text()
		switch {
		case block == nil && strings.TrimSpace(line) == "```"+language:
			block = &strings.Builder{}
		case block != nil && strings.TrimSpace(line) == "```":
			blocks = append(blocks, block.String())
			block = nil
		case block != nil:
			block.WriteString(line + "\n")
		}
	}
	return blocks
}

// The module stays small: few direct dependencies, the given ones among them.
func TestDirectDependencies(t *testing.T) {
	t.Parallel()
	const most = 20
	given := []string{
		"github.com/hashicorp/go-plugin", "github.com/hashicorp/hcl/v2", "github.com/expr-lang/expr",
		"github.com/shopspring/decimal", "golang.org/x/oauth2", "github.com/cockroachdb/pebble/v2",
	}
	var direct []string
	for line := range strings.Lines(read(t, "go.mod")) {
		if fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require ")); len(fields) == 2 && strings.HasPrefix(fields[1], "v") {
			direct = append(direct, fields[0])
		}
	}
	if len(direct) > most {
		t.Errorf("%d direct dependencies, at most %d: each has to earn its place\n%s", len(direct), most, strings.Join(direct, "\n"))
	}
	for _, g := range given {
		if !slices.Contains(direct, g) {
			t.Errorf("go.mod does not require %s directly", g)
		}
	}
}
