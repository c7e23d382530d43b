package plugin

import (
	"bufio"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/internal/wire"
)

// session is one run of a plugin, from its start to its death: a process and the stream to it.
type session struct {
	process *process
	client  *goplugin.Client
	wire    *wire.Client
	overdue atomic.Int32 // calls in a row that passed their deadline
	probed  atomic.Bool  // it is asked for a sign of life
}

// start runs the binary at path and opens the stream to it, within the launcher's start timeout.
func (r *remote) start(ctx context.Context) (*session, provider.Info, error) {
	if r.spec.SHA256 != "" {
		if err := verify(r.path, r.spec.SHA256); err != nil {
			return nil, provider.Info{}, err
		}
	}
	r.logs.forget()
	ctx, cancel := context.WithTimeout(ctx, r.launcher.startTimeout())
	defer cancel()
	s := &session{}
	var sockets string
	kept := func() bool { return true }
	s.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: handshake,
		Plugins:         goplugin.PluginSet{pluginName: &service{}},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, socketDir string) (runner.Runner, error) {
			sockets = socketDir
			s.process = newProcess(r.path, append(cmd.Env, r.launcher.environment()...), r.logs)
			kept = context.AfterFunc(ctx, func() { _ = s.process.Kill(ctx) })
			return s.process, nil
		},
		SkipHostEnv:      true,
		AutoMTLS:         true,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		StartTimeout:     r.launcher.startTimeout() + time.Second, // ctx ends before
		GRPCDialOptions:  wire.DialOptions(),
		SyncStdout:       r.logs.writer("stdout", slog.LevelDebug),
		SyncStderr:       r.logs.writer("stderr", slog.LevelInfo),
		Logger:           hclog.NewNullLogger(),
	})
	info, err := s.connect(ctx, r.spec.Timeout)
	if err == nil && !kept() {
		err = ctx.Err()
	}
	if err == nil {
		// Nobody else has to find the socket, and nothing is left should the host be killed.
		_ = os.RemoveAll(sockets)
		return s, info, nil
	}
	err = fmt.Errorf("plugin: %s did not start: %w", r.path, s.explain(ctx, err))
	s.close()
	return nil, provider.Info{}, err
}

func (s *session) connect(ctx context.Context, timeout time.Duration) (provider.Info, error) {
	protocol, err := s.client.Client()
	if err != nil {
		return provider.Info{}, err
	}
	conn, err := protocol.Dispense(pluginName)
	if err != nil {
		return provider.Info{}, err
	}
	if s.wire, err = wire.Open(ctx, conn.(*grpc.ClientConn), timeout); err != nil {
		return provider.Info{}, err
	}
	return wire.Describe(ctx, s.wire)
}

// close ends the process and everything that belongs to it.
func (s *session) close() {
	if s.process != nil {
		_ = s.process.Kill(context.Background())
		if s.process.started() {
			<-s.process.exited
		}
	}
	if s.wire != nil {
		s.wire.Close()
	}
	s.client.Kill()
}

// ended returns why a session that had started is over.
func (s *session) ended() error {
	select {
	case <-s.process.exited:
		return fmt.Errorf("it ended: %s", s.process.end())
	case <-time.After(time.Second): // the stream ends a little before the process does
		return fmt.Errorf("its stream broke: %w", s.wire.Err())
	}
}

// explain returns why a plugin did not start, for the person who must mend it.
func (s *session) explain(ctx context.Context, err error) error {
	if s.process == nil {
		return err
	}
	if !s.process.started() {
		return fmt.Errorf("%w (%s)", err, binaryFacts(s.process.cmd.Path))
	}
	line, complete := s.process.stdout.text()
	parts := strings.Split(line, "|")
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && !complete:
		err = errors.New("it gave no handshake line in time; a plugin's main function is plugin.Serve")
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("it gave a handshake line but did not answer in time: %w", err)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case !complete:
		<-s.process.exited
		err = fmt.Errorf("it ended before its handshake line: %s", s.process.end())
	case len(parts) < 4:
		err = fmt.Errorf("its first line on standard output is no handshake: %q", cut(line, 200))
	case parts[1] != fmt.Sprint(ProtocolVersion):
		err = fmt.Errorf("it speaks version %s of the plugin protocol, this program version %d; both must be of one release",
			cut(parts[1], 20), ProtocolVersion)
	}
	if words := s.process.logs.lastWords(); len(words) > 0 {
		err = fmt.Errorf("%w; its last words: %s", err, strings.Join(words, " / "))
	}
	return err
}

// binaryFacts tells what kind of file could not be run.
func binaryFacts(path string) string {
	stat, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	facts := fmt.Sprintf("mode %s, %d bytes", stat.Mode(), stat.Size())
	if binary, err := elf.Open(path); err == nil {
		defer binary.Close()
		return fmt.Sprintf("%s, an ELF binary for %s; this machine is %s", facts, binary.Machine, runtime.GOARCH)
	}
	f, err := os.Open(path)
	if err != nil {
		return facts
	}
	defer f.Close()
	if first, _ := bufio.NewReader(f).ReadString('\n'); strings.HasPrefix(first, "#!") {
		return fmt.Sprintf("%s, a script for %s", facts, printable(strings.TrimSpace(first[2:])))
	}
	return facts + ", no ELF binary and no script"
}
