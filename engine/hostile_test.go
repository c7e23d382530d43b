//go:build unix

package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
)

// The test binary is the hostile plugin too: started under that name it serves hostile.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "hostile" {
		plugin.Serve(plugin.Options{New: func() provider.Provider { return &hostile{} }})
	}
	os.Exit(m.Run())
}

// hostile does what a payment's description says. It never tells what became of a payment.
type hostile struct{ config provider.Config }

func (h *hostile) Info() provider.Info {
	return provider.Info{
		Name: "hostile", Version: "1.0.0",
		Capabilities: []payment.Capability{{
			Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, Recovery: payment.Recovery{LookupByKey: true},
		}},
		Config: provider.Schema{{Name: "token", Type: provider.String, Required: true, Secret: true, Doc: "the token"}},
	}
}

func (h *hostile) Configure(_ context.Context, c provider.Config) error { h.config = c; return nil }
func (h *hostile) Check(context.Context) error                          { return nil }

func (h *hostile) Lookup(context.Context, provider.Query) (provider.Outcome, error) {
	return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "it does not say")
}

// Close never returns, and the process does not end when it is asked to.
func (h *hostile) Close(context.Context) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	select {}
}

func (h *hostile) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	o := provider.Outcome{Status: provider.Succeeded, Key: a.Key, Reference: strconv.Itoa(os.Getpid()), Amount: a.Payment.Amount, Currency: "COP"}
	switch a.Payment.Description {
	case "another payment's key":
		o.Key = "somebody-elses-00000"
	case "another amount":
		o.Amount = payment.MoneyOfMinor(o.Amount.Minor() + 1)
	case "another currency":
		o.Currency = "PEN"
	case "success of nothing":
		o = provider.Outcome{Status: provider.Succeeded}
	case "unknown status":
		o.Status = "done"
	case "unknown code":
		return provider.Outcome{}, &provider.Error{Code: "fine", Message: "not a code"}
	case "a secret":
		return provider.Outcome{}, provider.Errorf(provider.CodeUnknown, "the token is %s", h.config["token"])
	case "100 MiB":
		o.Message = strings.Repeat("x", 100<<20)
	case "never":
		select {}
	case "after the deadline":
		<-ctx.Done()
		<-time.After(4 * time.Second) // the engine waits a little longer than it says
	case "panic":
		panic("hostile")
	case "exit":
		os.Exit(1)
	case "fork and exit":
		child := &exec.Cmd{Path: os.Args[0], Args: []string{os.Args[0]}, Stdout: realStdout, Stderr: realStderr}
		_ = child.Start()
		os.Exit(0)
	case "10,000 files":
		for range 10_000 {
			if _, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0); err != nil {
				break
			}
		}
		o.Status = provider.Pending
	case "a line of 10 MB":
		_, _ = realStdout.Write(bytes.Repeat([]byte("x"), 10<<20))
		o.Status = provider.Pending
	case "a flood":
		go func() {
			for lines := bytes.Repeat([]byte("nothing to see here\n"), 50_000); ; {
				if _, err := realStderr.Write(lines); err != nil {
					return
				}
			}
		}()
		o.Status = provider.Pending
	}
	return o, nil
}

// go-plugin puts pipes in the place of os.Stdout and os.Stderr; these are the process's own.
var realStdout, realStderr = os.Stdout, os.Stderr

// written counts what is logged.
type written struct {
	atomic.Int64
	secret atomic.Bool
}

const hostileToken = "a-token-of-ours"

func (w *written) Write(p []byte) (int, error) {
	w.Add(int64(len(p)))
	if bytes.Contains(p, []byte(hostileToken)) {
		w.secret.Store(true)
	}
	return len(p), nil
}

// TestHostilePlugins pays through a process that does what no plugin should. Nothing that it says or does makes a
// success, and the host keeps its time, its memory, its goroutines and its log within bounds.
func TestHostilePlugins(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hostile")
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	goroutines := runtime.NumGoroutine()
	memory, stop := watchMemory()
	var log written
	t.Run("zoo", func(t *testing.T) {
		for do, want := range map[string]string{
			"another payment's key": payment.CodeMismatch, "another amount": payment.CodeMismatch, "another currency": payment.CodeMismatch,
			"success of nothing": "unknown", "unknown status": "unknown", "unknown code": "unknown", "a secret": "unknown", "100 MiB": "unknown",
			"never": "unknown", "after the deadline": "unknown", "panic": "unknown", "exit": "unknown", "fork and exit": "unknown",
			"10,000 files": "", "a line of 10 MB": "", "a flood": "", // what they answer is right
		} {
			t.Run(do, func(t *testing.T) {
				t.Parallel()
				meetHostile(t, path, do, want, &log)
			})
		}
	})
	stop()
	t.Logf("the heap grew by %d MiB, %d bytes were logged", memory.Load()>>20, log.Load())
	if grown := memory.Load(); grown > 128<<20 {
		t.Errorf("the host's heap grew by %d MiB", grown>>20)
	}
	if n := log.Load(); n > 1<<20 || log.secret.Load() {
		t.Errorf("%d bytes were logged; a secret among them: %v", n, log.secret.Load())
	}
	until(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
}

// meetHostile makes one payment, whose attempt must end in doubt with that code; pending where there is none.
func meetHostile(t *testing.T, path, do, code string, log *written) {
	rules := filepath.Join(t.TempDir(), "routing.hcl")
	if err := os.WriteFile(rules, fmt.Appendf(nil, `
provider "hostile" {
  plugin  = %q
  timeout = "1s"
  config { token = env("TOKEN") }
}
route "all" { providers = ["hostile"] }
`, path), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := pebblestore.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	eng, err := engine.New(t.Context(), engine.Config{
		Rules: rules, Store: st, Plugins: plugin.Dir(), Logger: slog.New(slog.NewTextHandler(log, nil)),
		Env: func(string) (string, bool) { return hostileToken, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	end := func() { once.Do(func() { _ = eng.Close() }) }
	defer end()
	r := request()
	r.Description = do
	started := time.Now()
	p, err := eng.Pay(t.Context(), "order-1", r)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("it took %s, the deadline is 1 s", took)
	}
	a := p.Attempts[0]
	switch {
	case code == "" && p.Status != payment.Pending:
		t.Errorf("%s, %+v", p.Status, a)
	case code != "" && (p.Status != payment.InDoubt || a.Status != payment.AttemptInDoubt || a.Code != code):
		t.Errorf("%s, the attempt %s as %q, want in doubt as %q: %s", p.Status, a.Status, a.Code, code, a.Message)
	}
	if strings.Contains(a.Message, hostileToken) {
		t.Errorf("the message tells the token: %s", a.Message)
	}
	started = time.Now()
	end()
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("Close took %s", took)
	}
	if pid, err := strconv.Atoi(a.Reference); err == nil && syscall.Kill(pid, 0) == nil {
		t.Errorf("the plugin's process %d is still there", pid)
	}
}

// watchMemory tells by how much the heap has grown at most.
func watchMemory() (grown *atomic.Int64, stop func()) {
	grown = new(atomic.Int64)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	runtime.GC()
	before, done := heap(), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for tick := time.Tick(20 * time.Millisecond); ; {
			select {
			case <-tick:
				grown.Store(max(grown.Load(), heap()-before))
			case <-done:
				return
			}
		}
	})
	return grown, func() { close(done); wg.Wait() }
}
