package routing

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOutline(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		content, want string
		ok            bool
	}{
		"blocks and locals": {
			"locals {\n  b = env(\"B\")\n  a = 1\n}\nprovider \"p\" {\n  config {}\n}\ntest \"t\" {\n  case \"c\" {}\n}\n",
			`locals "" [local "b" env("B"), local "a" 1], provider "p" [config ""], test "t" [case "c"]`, true,
		},
		"what comes before a mistake": {"route \"a\" {\n}\nroute \"b\" {\n  when = \n}\n", `route "a", route "b"`, false},
		"brackets that are too deep":  {"locals {\n  x = " + strings.Repeat("[", 1000), "", false},
		"a file that is too large":    {strings.Repeat("\n", MaxFileBytes+1), "", false},
		"no text":                     {"route \"a\" {} \xff", "", false},
		"nothing":                     {"", "", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			symbols, ok := Outline("routing.hcl", []byte(test.content))
			if got := outlineText(t, test.content, symbols); got != test.want || ok != test.ok {
				t.Errorf("got %s, %v; want %s, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func outlineText(t *testing.T, content string, symbols []Symbol) string {
	t.Helper()
	var list []string
	for _, s := range symbols {
		name := strings.Trim(content[s.NameStart:s.NameEnd], `"`)
		if name != s.Name && name != s.Kind || s.NameStart < s.Start || s.NameEnd > s.End {
			t.Errorf("%s %q is named by %q, from %d to %d", s.Kind, s.Name, name, s.Start, s.End)
		}
		text := strings.TrimSpace(fmt.Sprintf("%s %q %s", s.Kind, s.Name, s.Value))
		if len(s.Children) > 0 {
			text += " [" + outlineText(t, content, s.Children) + "]"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// Unsaved contents take the place of files, also of those that are not there yet.
func TestLoadUnsaved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string]string{"b.hcl": "mistake", "b_test.hcl": "mistake", "router.lock.hcl": "mistake"} {
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const route, test = "route \"r\" {\n  reject = \"no\"\n}\n", "test \"t\" {\n  payment = { operation = \"payin\" }\n  expect  = { route = \"r\" }\n}\n"
	for name, load := range map[string]struct {
		path    string
		unsaved map[string][]byte
		files   int
		tests   int
	}{
		"a directory":           {dir, map[string][]byte{at("b.hcl"): []byte(route), at("b_test.hcl"): {}}, 1, 0},
		"a new file in it":      {dir, map[string][]byte{at("a.hcl"): []byte(route), at("b.hcl"): {}, at("b_test.hcl"): []byte(test)}, 2, 1},
		"a file and its tests":  {at("b.hcl"), map[string][]byte{at("b.hcl"): []byte(route), at("b_test.hcl"): []byte(test)}, 1, 1},
		"a new file":            {at("c.hcl"), map[string][]byte{at("c.hcl"): []byte(route), at("c_test.hcl"): []byte(test)}, 1, 1},
		"one of another folder": {at("c.hcl"), map[string][]byte{at("c.hcl"): []byte(route), at("x/c.hcl"): []byte("mistake")}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, ds := Load(load.path, &Options{Tests: true, Unsaved: load.unsaved})
			if r == nil {
				t.Fatal(ds)
			}
			if len(r.Files()) != load.files || len(r.Tests()) != load.tests {
				t.Errorf("files %v, tests %v", r.Files(), r.Tests())
			}
		})
	}
	large := map[string][]byte{at("b.hcl"): make([]byte, MaxFileBytes+1), at("b_test.hcl"): {}}
	if r, ds := Load(dir, &Options{Tests: true, Unsaved: large}); r != nil || !strings.Contains(ds.Error(), "is larger than") {
		t.Errorf("a large one: %v", ds)
	}
}
