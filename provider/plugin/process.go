package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

const (
	// maxHandshake bounds the handshake line, whose longest part is a certificate.
	maxHandshake = 16 << 10
	// drainTime is how long after a plugin's end its last output is read, should a child of it hold the pipes.
	drainTime = time.Second
)

// process is one run of a plugin's binary, as go-plugin's Runner.
//
// go-plugin's own runner is not used because of what a plugin can do to it: a line on standard error that is
// JSON with "@message" no string panics in the host, a long line on standard output stops it from being read,
// and the thread that forks, whose death would kill the plugin, may end at any time.
type process struct {
	cmd    *exec.Cmd
	stdout *firstLine
	logs   *logs
	stderr *lineWriter
	exited chan struct{} // closed when the process is gone
	err    error         // why it is gone; read after exited

	mu     sync.Mutex // guards cmd.Process while it starts
	killed bool
}

var _ runner.Runner = (*process)(nil)

// newProcess prepares a run of the binary at path with exactly that environment.
func newProcess(path string, env []string, l *logs) *process {
	p := &process{
		cmd:    &exec.Cmd{Path: path, Args: []string{path}, Env: env, WaitDelay: drainTime, SysProcAttr: processAttributes()},
		stdout: newFirstLine(l.writer("stdout", slog.LevelDebug)),
		logs:   l,
		stderr: l.writer("stderr", slog.LevelInfo),
		exited: make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	return p
}

// Start starts the process from a thread that lives as long as the process does: on Linux a plugin is killed
// when the thread that forked it ends.
func (p *process) Start(context.Context) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		err := p.start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			killGroup(p.cmd.Process)
		}
		p.stdout.end()
		p.stderr.flush()
		p.logs.reportDropped()
	}()
	return <-started
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return context.Canceled
	}
	return p.cmd.Start()
}

// started reports whether there is, or was, a process.
func (p *process) started() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process != nil
}

// Kill ends the process and its children, or keeps it from being started.
func (p *process) Kill(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	select {
	case <-p.exited:
	default:
		if p.cmd.Process != nil {
			killGroup(p.cmd.Process)
		}
	}
	return nil
}

// Wait returns when the process is gone.
func (p *process) Wait(context.Context) error {
	<-p.exited
	return p.err
}

// end is how the process ended, for a person.
func (p *process) end() string {
	var exit *exec.ExitError
	switch {
	case p.err == nil:
		return "exit status 0"
	case errors.As(p.err, &exit):
		return exit.String()
	}
	return p.err.Error()
}

// Stdout gives go-plugin the handshake line and then ends.
func (p *process) Stdout() io.ReadCloser { return p.stdout.reader }

// Stderr gives go-plugin nothing: it is logged here.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(bytes.NewReader(nil)) }

// Diagnose says nothing: explain does.
func (p *process) Diagnose(context.Context) string { return "" }

func (p *process) Name() string { return p.cmd.Path }

// ID is not empty even where there is no process, or go-plugin would not remove the directory of its socket.
func (p *process) ID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd.Process == nil {
		return "not started"
	}
	return strconv.Itoa(p.cmd.Process.Pid)
}

// PluginToHost refuses to connect to another machine.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	if network == "unix" {
		return network, address, nil
	}
	if a, err := netip.ParseAddrPort(address); err != nil || network != "tcp" || !a.Addr().IsLoopback() {
		return "", "", fmt.Errorf("the plugin listens on %s %q; only unix sockets and loopback addresses are connected to", network, address)
	}
	return network, address, nil
}

func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// firstLine passes on the first line of a stream, bounded, and hands the rest to a log.
type firstLine struct {
	reader *io.PipeReader
	writer *io.PipeWriter
	rest   *lineWriter

	mu       sync.Mutex
	line     []byte
	complete bool // the line has come whole, or is too long to be a handshake
	ended    bool // what there is of it was passed on
}

func newFirstLine(rest *lineWriter) *firstLine {
	f := &firstLine{rest: rest}
	f.reader, f.writer = io.Pipe()
	return f
}

func (f *firstLine) Write(p []byte) (int, error) {
	n := len(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.complete {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		room := maxHandshake - len(f.line)
		f.complete = ended || len(line) > room
		f.line = append(f.line, line[:min(len(line), room)]...)
		p = rest
	}
	if f.complete {
		f.passOn()
		_, _ = f.rest.Write(p)
	}
	return n, nil
}

// end passes on what has come, whole or not, and what is left of the rest.
func (f *firstLine) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passOn()
	f.rest.flush()
}

func (f *firstLine) passOn() {
	if f.ended {
		return
	}
	f.ended = true
	line := append(bytes.Clone(f.line), '\n')
	go func() { // its reader may come later, or have gone
		if len(line) > 1 {
			_, _ = f.writer.Write(line)
		}
		_ = f.writer.Close()
	}()
}

// text returns what has come of the line, and whether it is complete.
func (f *firstLine) text() (line string, complete bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.TrimSpace(string(f.line)), f.complete
}
