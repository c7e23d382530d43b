package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// binary returns the path of a program that TestMain built.
func binary(name string) string { return filepath.Join(binaries, name) }

// process is a running program. It is killed at the end of the test.
type process struct {
	*exec.Cmd
	once sync.Once
}

func startProcess(t *testing.T, path string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(path, args...)}
	p.Stdout, p.Stderr = os.Stderr, os.Stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as kill -9 does, and waits until it is gone.
func (p *process) kill() { p.end(syscall.SIGKILL) }

func (p *process) end(s syscall.Signal) {
	p.once.Do(func() {
		_ = p.Process.Signal(s)
		_ = p.Wait() // killed is what it is meant to be
	})
}

// startSandbox starts a plugin's simulator and returns its address.
func startSandbox(t *testing.T, name, state string) string {
	t.Helper()
	cmd := exec.Command(binary(name), "sandbox", "-listen", "127.0.0.1:0", "-state", state)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: cmd}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	_, url, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		t.Fatalf("the sandbox said %q, %v", line, err)
	}
	return url
}

// unusedAddress returns a loopback address that nothing listens on.
func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
