//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSimulatorThatForks: the end of a run does not wait for what a plugin's sandbox has started, and leaves none of it.
func TestSimulatorThatForks(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{
		"it waits":        "wait",
		"it has ended":    "exit",
		"it hears nobody": "trap '' TERM; while :; do /bin/sleep 1; done",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pidFile := filepath.Join(t.TempDir(), "pid")
			wrapper := writeFile(t, "wrap.sh", "#!/bin/sh\n/bin/sleep 600 &\necho $! > "+pidFile+"\necho acme sandbox listening on http://127.0.0.1:1\n"+end+"\n")
			if err := os.Chmod(wrapper, 0o700); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, _ := exec.CommandContext(ctx, binary("router"), "conformance", wrapper).CombinedOutput()
			if ctx.Err() != nil || !strings.Contains(string(out), "http://127.0.0.1:1 does not answer the control protocol") {
				t.Errorf("%v; it wrote\n%s", ctx.Err(), out)
			}
			written, err := os.ReadFile(pidFile)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(written)))
			if err != nil {
				t.Fatal(err)
			}
			waitUntil(t.Context(), t, func() bool { return !alive([]int{pid}) })
		})
	}
}

// TestNoSimulator: a program that has no sandbox is told by what it wrote, not by a log that is gone.
func TestNoSimulator(t *testing.T) {
	t.Parallel()
	program := writeFile(t, "acme", "#!/bin/sh\necho $1: no such command >&2\nexit 2\n")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(binary("router"), "conformance", program).CombinedOutput()
	text := string(out)
	if !strings.Contains(text, "ended without saying where it listens") || !strings.Contains(text, "sandbox: no such command") ||
		!strings.Contains(text, "-sandbox URL") || strings.Contains(text, ".log") {
		t.Error(text)
	}
}
