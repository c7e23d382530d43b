package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
)

// binaries is where TestMain builds the router and the plugins.
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
	build := exec.Command("go", "build", "-trimpath", "-o", dir, ".", "../../plugins/...") // as make build does
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
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "serving": serving, "ended": ended, "post": post, "get": get},
		Setup: func(e *testscript.Env) error {
			repository, err := filepath.Abs("../..")
			if err != nil {
				return err
			}
			e.Setenv("REPOSITORY", repository)
			e.Setenv("PATH", binaries+string(filepath.ListSeparator)+e.Getenv("PATH"))
			// An address and a data directory that are taken, while the script runs.
			l, err := listen("127.0.0.1:0", nil)
			if err != nil {
				return err
			}
			e.Setenv("TAKEN", l.Addr().String())
			e.Values[lastServing{}] = new(*process)
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

// serving starts a program that runs until the script ends, and waits until what it writes matches a regular expression,
// whose named groups become variables: serving 'listening on (?P<SANDBOX>\S+)' tpaga-pse sandbox.
func serving(ts *testscript.TestScript, _ bool, args []string) {
	p := &process{Cmd: exec.Command(binary(args[1]), args[2:]...), gone: make(chan struct{})}
	p.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "TPAGA_PSE_BASE_URL"} {
		p.Env = append(p.Env, name+"="+ts.Getenv(name))
	}
	ts.Defer(p.kill)
	ready := regexp.MustCompile(args[0])
	matched, err := p.launch(ready)
	if err != nil {
		ts.Fatalf("%s: %v; it wrote\n%s", strings.Join(args[1:], " "), err, p.output())
	}
	for i, name := range ready.SubexpNames()[1:] {
		ts.Setenv(name, matched[i+1])
	}
	*ts.Value(lastServing{}).(**process) = p
}

// lastServing is the key of the program that serving started last.
type lastServing struct{}

// ended waits until the program that serving started last has ended well, having written what matches: ended REGEXP.
func ended(ts *testscript.TestScript, _ bool, args []string) {
	p := *ts.Value(lastServing{}).(**process)
	select {
	case <-p.gone:
	case <-time.After(patience):
		ts.Fatalf("it does not end")
	}
	if p.ProcessState.ExitCode() != exitOK || !regexp.MustCompile(args[0]).MatchString(p.output()) {
		ts.Fatalf("%v; it wrote\n%s", p.ProcessState, p.output())
	}
}

// post posts a file, its variables replaced: post URL FILE [IDEMPOTENCY-KEY]. A payment in the answer becomes the
// variables ID and REFERENCE.
func post(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(os.Expand(ts.ReadFile(args[1]), ts.Getenv)))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	if len(args) > 2 {
		req.Header.Set("Idempotency-Key", args[2])
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode/100 != 2 {
		ts.Fatalf("%s: %s", resp.Status, body)
	}
	var p payment.Payment
	if json.Unmarshal(body, &p) == nil {
		ts.Setenv("ID", p.ID)
		ts.Setenv("REFERENCE", p.ProviderReference)
	}
}

// get writes the answer of a GET request to a file: get http://127.0.0.1:4020/_sandbox/counts counts.json.
func get(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), body, 0o600))
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
