package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// simulator is a provider's simulator, served by its plugin's binary in a process of its own.
type simulator struct {
	plugin   string
	url      string
	port     int
	cmd      *exec.Cmd
	gone     chan struct{} // closed when the process has ended
	stopping chan struct{} // closed when it is meant to
}

const (
	// portPatience is how long the port of a simulator is waited for: that of a router that was killed takes a
	// moment to notice.
	portPatience  = 2 * time.Second
	startPatience = 10 * time.Second
	stopPatience  = 2 * time.Second
	// drainTime is how long after a simulator's end its last output is read, should a child of it hold the pipe.
	drainTime = time.Second
	// logLines bounds what an error quotes of a simulator's log.
	logLines = 10
)

// startSimulator starts a plugin's simulator on a port, or on another where that one is taken or 0. Its state and
// its log are files whose names begin with path.
func startSimulator(ctx context.Context, plugin, binary, path string, port int, log *slog.Logger) (*simulator, error) {
	logFile, err := os.Create(path + ".log")
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	s := &simulator{plugin: plugin, gone: make(chan struct{}), stopping: make(chan struct{})}
	s.cmd = exec.Command(binary, "sandbox", "-listen", freeAddress(ctx, port), "-state", path+".state", "-with-parent")
	s.cmd.Env = []string{} // it needs nothing of ours
	s.cmd.Stderr = logFile
	s.cmd.SysProcAttr = ownGroup()
	s.cmd.WaitDelay = drainTime
	stdout, written := io.Pipe()
	s.cmd.Stdout = written
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line := make(chan string, 1)
	go func() {
		first, _ := bufio.NewReader(stdout).ReadString('\n')
		line <- first
		_, _ = io.Copy(io.Discard, stdout)
	}()
	go func() {
		_ = s.cmd.Wait()
		_ = signalGroup(s.cmd.Process, syscall.SIGKILL) // what it has started
		_ = written.Close()
		close(s.gone)
		select {
		case <-s.stopping:
		default:
			log.Error("a simulator has ended; start router dev again", "plugin", plugin, "log", logFile.Name())
		}
	}()
	select {
	case first := <-line:
		err = s.readAddress(first)
	case <-time.After(startPatience):
		err = errors.New("it does not say where it listens")
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		err = errors.Join(err, s.stop())
		if last := lastLines(logFile.Name()); last != "" {
			err = fmt.Errorf("%w; the last that it wrote:\n%s", err, last)
		}
		return nil, err
	}
	return s, nil
}

// lastLines are the last lines of a log, for an error.
func lastLines(path string) string {
	content, _ := os.ReadFile(path) // it only explains
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-logLines):], "\n")
}

// freeAddress is the address of that port, or one that lets the system choose where it stays taken.
func freeAddress(ctx context.Context, port int) string {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	ctx, cancel := context.WithTimeout(ctx, portPatience)
	defer cancel()
	for tick := time.Tick(20 * time.Millisecond); ; {
		l, err := net.Listen("tcp", address)
		if err == nil {
			_ = l.Close()
			return address
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return "127.0.0.1:0"
		}
	}
}

// readAddress reads "tpaga-pse sandbox listening on http://127.0.0.1:41234".
func (s *simulator) readAddress(line string) error {
	if line == "" {
		return errors.New("it ended without saying where it listens")
	}
	_, s.url, _ = strings.Cut(strings.TrimSpace(line), " listening on ")
	address, err := netip.ParseAddrPort(strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return fmt.Errorf("it does not say where it listens, but %.200q", line)
	}
	s.port = int(address.Port())
	return nil
}

// stop ends the process, and those that it has started.
func (s *simulator) stop() error {
	close(s.stopping)
	_ = signalGroup(s.cmd.Process, syscall.SIGTERM)
	select {
	case <-s.gone:
		return nil
	case <-time.After(stopPatience):
	}
	if err := signalGroup(s.cmd.Process, syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("the simulator of %s cannot be ended: %w", s.plugin, err)
	}
	<-s.gone
	return nil
}
