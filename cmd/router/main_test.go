package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
)

// binaries is where TestMain builds the router and tpaga-pse.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "router")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	build := exec.Command("go", "build", "-trimpath", "-o", dir, ".", "../../plugins/tpaga-pse") // as make build does
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s", err, out)
		return 1
	}
	return m.Run()
}

// TestScripts runs the commands as a person does.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:  filepath.Join("testdata", "script"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", binaries+string(filepath.ListSeparator)+e.Getenv("PATH"))
			// An address and a data directory that are taken, while the script runs.
			l, err := listen("127.0.0.1:0", nil)
			if err != nil {
				return err
			}
			e.Setenv("TAKEN", l.Addr().String())
			st, err := pebblestore.Open(filepath.Join(e.WorkDir, "held"), nil)
			if err != nil {
				return err
			}
			e.Defer(func() { _, _ = l.Close(), st.Close() })
			return nil
		},
	})
}

// exits runs a command that must end with an exit code: exits 2 router serv.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	var exit *exec.ExitError
	err := ts.Exec(args[1], args[2:]...)
	if !errors.As(err, &exit) || fmt.Sprint(exit.ExitCode()) != args[0] {
		ts.Fatalf("%v, want exit code %s", err, args[0])
	}
}

func TestKeyNew(t *testing.T) {
	t.Parallel()
	var keys []string
	for range 2 {
		var out strings.Builder
		if code := run([]string{"key", "new"}, streams{out: &out, err: io.Discard}); code != exitOK {
			t.Fatal(code)
		}
		printed := regexp.MustCompile(`(?s)^key     (cauce_[0-9a-f]{64})\nsha256  ([0-9a-f]{64})\n.*(api_key "shop" \{.*\n\}\n)$`).FindStringSubmatch(out.String())
		if printed == nil {
			t.Fatal(out.String())
		}
		if sum := sha256.Sum256([]byte(printed[1])); hex.EncodeToString(sum[:]) != printed[2] {
			t.Error("the hash is not the key's")
		}
		rules, found := routing.Load(writeFile(t, "routing.hcl", printed[3]+`route "none" { reject = "no" }`), nil)
		if rules == nil || rules.APIKeys()[0].SHA256 != printed[2] {
			t.Error(found)
		}
		keys = append(keys, printed[1])
	}
	if keys[0] == keys[1] {
		t.Error("two keys are alike")
	}
}

// writeFile writes a file into a directory of its own and returns its path.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
