package plugin

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

// state returns the state of a process ("R", "S", "T" for stopped, "Z"); "" if there is none.
func state(pid string) string {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return after[:1]
}

// alive reports whether there is a process with that id that is no zombie.
func alive(pid string) bool { return state(pid) != "" && state(pid) != "Z" }

// halt stops a process as a terminal's Ctrl-Z does.
func halt(t testing.TB, pid string) {
	t.Helper()
	id, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatalf("the plugin did not start: %s", pid)
	}
	if err := syscall.Kill(id, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plugin stands still", func() bool { return state(pid) == "T" })
}

func TestPluginThatStandsStill(t *testing.T) {
	t.Parallel()
	p := launch(t, "good", Dir(), nil)
	halt(t, processOf(p).ID())
	_, err := submit(p, "", 50*time.Millisecond)
	wantCode(t, err, provider.CodeUnknown)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Close(ctx); err == nil {
		t.Error("closing a plugin that stands still must say that it did not answer")
	}
}

func TestChildrenOfAPlugin(t *testing.T) {
	t.Parallel()

	t.Run("end with Close", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "good", Dir(), nil)
		o, err := submit(p, "fork", 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		pid := processOf(p).ID()
		if !alive(pid) || !alive(o.Reference) {
			t.Fatalf("the plugin %s or its child %s does not run", pid, o.Reference)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		eventually(t, "the plugin and its child are gone", func() bool { return !alive(pid) && !alive(o.Reference) })
	})

	t.Run("end with the plugin, and do not keep it from being started again", func(t *testing.T) {
		t.Parallel()
		var log captured
		p := launch(t, "good", Dir(), &log)
		first := processOf(p)
		_, err := submit(p, "fork exit", 10*time.Second)
		wantCode(t, err, provider.CodeUnknown)
		eventually(t, "the plugin runs again", func() bool { return running(p, first) })
		_, after, found := strings.Cut(log.String(), "child=")
		child, _, _ := strings.Cut(after, `"`)
		if !found || alive(child) {
			t.Errorf("the child %q lives on", child)
		}
	})
}

func TestNoProcessOutlivesItsHost(t *testing.T) {
	t.Parallel()
	// start runs a program that starts another one and prints its process id.
	start := func(t *testing.T, program, other string, args ...string) (*exec.Cmd, string) {
		path := role(t, program)
		self, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(self, filepath.Join(filepath.Dir(path), other)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(path, append([]string{other}, args...)...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return cmd, strings.TrimSpace(line)
	}

	t.Run("SIGKILL of the host kills the plugin", func(t *testing.T) {
		t.Parallel()
		host, pid := start(t, "host", "good")
		// A plugin that stands still cannot notice anything by itself: the kernel must end it.
		halt(t, pid)
		if err := host.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the plugin dies", func() bool { return !alive(pid) })
	})

	t.Run("a child notices that its parent is gone", func(t *testing.T) {
		t.Parallel()
		_, pid := start(t, "launcher", "lonely")
		eventually(t, "the child ends", func() bool { return !alive(pid) })
	})

	t.Run("a sandbox ends with its parent if told so", func(t *testing.T) {
		t.Parallel()
		_, pid := start(t, "launcher", "good", "sandbox", "-with-parent")
		eventually(t, "the sandbox ends", func() bool { return !alive(pid) })
	})
}

// A plugin that stands still, so that calls pass their deadlines and it gives no sign of life, is ended and started again,
// whether a deadline is the context's own or, as the engine's, the cause of its end.
func TestHungPlugin(t *testing.T) {
	t.Parallel()
	const timeout = 100 * time.Millisecond
	for name, within := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, timeout)
		},
		"cause": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
			return ctx, func() { timer.Stop(); cancel(nil) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newFakeClock()
			p := launch(t, "good", &Launcher{Clock: clock}, nil)
			if err := p.Configure(t.Context(), provider.Config{"token": "s3cr3t-token"}); err != nil {
				t.Fatal(err)
			}
			first := processOf(p)
			halt(t, first.ID())
			for range maxOverdue {
				ctx, cancel := within(t.Context())
				_, err := p.Lookup(ctx, provider.Query{Key: "k"})
				cancel()
				wantCode(t, err, provider.CodeUnknown)
			}
			clock.awaitTimer(t)
			clock.advance(maxPause)
			eventually(t, "it runs again", func() bool { return running(p, first) })
			if _, err := submit(p, "", 10*time.Second); err != nil {
				t.Errorf("the new one does not answer: %v", err)
			}
		})
	}
}

// A hand-over that was given up is not begun later, by a plugin that stood still and goes on: it is ended before.
func TestHandOverToAHungPlugin(t *testing.T) {
	t.Parallel()
	p := launch(t, "good", &Launcher{Clock: newFakeClock()}, nil)
	if err := p.Configure(t.Context(), provider.Config{"token": "s3cr3t-token"}); err != nil {
		t.Fatal(err)
	}
	first, begun := processOf(p), filepath.Join(t.TempDir(), "begun")
	halt(t, first.ID())
	_, err := submit(p, "hang "+begun, 100*time.Millisecond)
	wantCode(t, err, provider.CodeUnknown)
	eventually(t, "it is ended", func() bool { return !alive(first.ID()) })
	if _, err := os.Stat(begun); err == nil {
		t.Error("the hand-over was begun")
	}
}
