package plugin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/provider"
)

// byHand runs a plugin as a person does and returns what it prints and its exit code.
func byHand(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(role(t, program), args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run()
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

func TestByHand(t *testing.T) {
	t.Parallel()

	t.Run("describe prints Info", func(t *testing.T) {
		t.Parallel()
		out, _, code := byHand(t, "good", "describe")
		var info provider.Info
		if err := json.Unmarshal([]byte(out), &info); err != nil || code != 0 {
			t.Fatalf("exit %d, %v: %s", code, err, out)
		}
		if info.Name != "scripted" || len(info.Config) != 2 || !strings.Contains(out, "\n  \"name\": \"scripted\"") {
			t.Error(out)
		}
	})

	for name, c := range map[string]struct {
		program string
		args    []string
		code    int
		stdout  string
		stderr  string
	}{
		"no argument":                   {"good", nil, 0, "scripted 1.2.3 is a payment provider plugin", ""},
		"help":                          {"good", []string{"-h"}, 0, "payin by pse (COP)", ""},
		"help of the sandbox":           {"good", []string{"sandbox", "-h"}, 0, "sandbox [-listen", ""},
		"version":                       {"good", []string{"version"}, 0, "scripted 1.2.3\n", ""},
		"-version":                      {"good", []string{"-version"}, 0, "scripted 1.2.3\n", ""},
		"another word":                  {"good", []string{"serve"}, 2, "", `"serve" is no command`},
		"too many words":                {"good", []string{"describe", "all"}, 2, "", "describe takes no arguments"},
		"an unknown flag":               {"good", []string{"sandbox", "-port", "1"}, 2, "", "flag provided but not defined: -port"},
		"a word after sandbox":          {"good", []string{"sandbox", "now"}, 2, "", `"now" is no flag`},
		"no sandbox":                    {"plain", []string{"sandbox"}, 2, "", "it has no sandbox"},
		"an address of another machine": {"good", []string{"sandbox", "-listen", "192.0.2.1:1"}, 1, "", "scripted sandbox: listen tcp 192.0.2.1:1"},
		"a state that is broken":        {"good", []string{"sandbox", "-state", "/bad"}, 1, "", "cannot read /bad"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err, code := byHand(t, c.program, c.args...)
			if code != c.code || !strings.Contains(out, c.stdout) || !strings.Contains(err, c.stderr) {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s", code, c.code, out, err)
			}
			if (c.stdout == "") != (out == "") || (c.stderr == "") != (err == "") {
				t.Errorf("the wrong stream\nstdout: %s\nstderr: %s", out, err)
			}
		})
	}
	if out, _, _ := byHand(t, "plain"); strings.Contains(out, "sandbox") {
		t.Errorf("a plugin without sandbox offers one:\n%s", out)
	}
}

func TestSandboxByHand(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, args ...string) (cmd *exec.Cmd, url string) {
		t.Helper()
		cmd = exec.Command(role(t, "good"), append([]string{"sandbox"}, args...)...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		line, err := bufio.NewReader(out).ReadString('\n')
		url, found := strings.CutPrefix(line, "scripted sandbox listening on ")
		if err != nil || !found || !strings.HasPrefix(url, "http://127.0.0.1:") {
			t.Fatalf("the first line is %q, %v", line, err)
		}
		return cmd, strings.TrimSpace(url)
	}
	state := filepath.Join(t.TempDir(), "state")
	cmd, url := start(t, "-state", state)
	taken := strings.TrimPrefix(url, "http://")
	if _, said, code := byHand(t, "good", "sandbox", "-listen", taken); code != 1 || !strings.Contains(said, taken+" is in use by another program; choose another address with -listen") {
		t.Errorf("a port that is taken: exit %d, %s", code, said)
	}
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if string(body) != "ledger" {
		t.Errorf("it serves %q", body)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("an interrupt ends it with %v", err)
	}
	if b, _ := os.ReadFile(state); string(b) != "closed" {
		t.Error("the simulator was not closed")
	}
}
