package plugin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/internal/wire"
)

func TestCallsOfAProcess(t *testing.T) {
	t.Parallel()

	t.Run("64 callers", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "good", Dir(), nil)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range 10 {
					if o, err := submit(p, "", 10*time.Second); err != nil || o.Amount != payment.Pesos(10) {
						t.Errorf("%+v, %v", o, err)
					}
				}
			})
		}
		wg.Wait()
	})

	t.Run("a call that never ends is unknown at its deadline, and others go on", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "good", Dir(), nil)
		begun := filepath.Join(t.TempDir(), "begun")
		hung := make(chan error, 1)
		go func() {
			_, err := submit(p, "hang "+begun, 300*time.Millisecond)
			hung <- err
		}()
		eventually(t, "the call begins", func() bool { _, err := os.Stat(begun); return err == nil })
		if _, err := submit(p, "", 10*time.Second); err != nil {
			t.Error(err)
		}
		err := <-hung
		wantCode(t, err, provider.CodeUnknown)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
	})

	t.Run("the timeout of the spec bounds a call", func(t *testing.T) {
		t.Parallel()
		p, err := Dir().Launch(t.Context(), provider.Spec{Name: "p", Plugin: role(t, "good"), Timeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer closeProvider(t, p)
		if err := p.Configure(t.Context(), provider.Config{"token": "t"}); err != nil {
			t.Fatal(err)
		}
		_, err = p.Submit(t.Context(), attempt("wait"))
		wantCode(t, err, provider.CodeUnknown)
	})

	t.Run("a panic ends its call alone, and its value stays in the log", func(t *testing.T) {
		t.Parallel()
		var log captured
		p := launch(t, "good", Dir(), &log)
		_, err := submit(p, "panic", 10*time.Second)
		wantCode(t, err, provider.CodeUnknown)
		if strings.Contains(err.Error(), "1020304050") {
			t.Errorf("err = %v", err)
		}
		if _, err := submit(p, "", 10*time.Second); err != nil {
			t.Error(err)
		}
		eventually(t, "the stack is logged, masked", func() bool {
			return strings.Contains(log.String(), "the payer's document is ***4050") && strings.Contains(log.String(), "main_test.go")
		})
	})

	t.Run("texts of an answer are masked", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "good", Dir(), nil)
		_, err := submit(p, "leak", 10*time.Second)
		want := "token (secret) of (e-mail), account ***4571"
		var e *provider.Error
		if !errors.As(err, &e) || e.Code != provider.CodeDeclined || e.Message != want {
			t.Errorf("err = %v, want the message %q", err, want)
		}
	})

	t.Run("and what else it says where no text is expected", func(t *testing.T) {
		t.Parallel()
		for _, how := range []string{"answer", "raise"} {
			_, err := submit(launch(t, "talker", Dir(), nil), how, 10*time.Second)
			wantCode(t, err, provider.CodeUnknown)
			if text := provider.AsError(err).Message; !strings.Contains(text, "CC ***4050 of (e-mail)") {
				t.Errorf("%s: %q", how, text)
			}
		}
	})

	t.Run("an answer of 100 MiB is unknown, and the plugin is started again", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "huge", Dir(), nil)
		first := processOf(p)
		_, err := submit(p, "", 10*time.Second)
		wantCode(t, err, provider.CodeUnknown)
		eventually(t, "it runs again", func() bool { return running(p, first) })
	})
}

func TestDeathOfAProcess(t *testing.T) {
	t.Parallel()

	t.Run("during a call: unknown", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "good", Dir(), nil)
		_, err := submit(p, "exit", 10*time.Second)
		wantCode(t, err, provider.CodeUnknown)
	})

	t.Run("killed during many calls: every one is unknown", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "good", Dir(), nil)
		dir := t.TempDir()
		results := make(chan error)
		const callers = 16
		for i := range callers {
			go func() {
				_, err := submit(p, "hang "+filepath.Join(dir, string(rune('a'+i))), 10*time.Second)
				results <- err
			}()
		}
		eventually(t, "all calls begin", func() bool { begun, _ := os.ReadDir(dir); return len(begun) == callers })
		_ = processOf(p).Kill(t.Context())
		for range callers {
			wantCode(t, <-results, provider.CodeUnknown)
		}
	})

	t.Run("before a call: unavailable, at once", func(t *testing.T) {
		t.Parallel()
		clock := newFakeClock()
		p := launch(t, "good", &Launcher{Clock: clock}, nil)
		_ = processOf(p).Kill(t.Context())
		clock.awaitTimer(t)
		began := time.Now()
		_, err := submit(p, "", 10*time.Second)
		wantCode(t, err, provider.CodeUnavailable)
		if !strings.Contains(err.Error(), "signal: killed") || !errors.Is(err, provider.ErrNotRunning) {
			t.Errorf("%v does not say why", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})

	t.Run("after a call: its answer stands", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "good", Dir(), nil)
		o, err := submit(p, "", 10*time.Second)
		_ = processOf(p).Kill(t.Context())
		if err != nil || o.Status != provider.Pending {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

func TestRestart(t *testing.T) {
	t.Parallel()

	t.Run("is configured as before", func(t *testing.T) {
		t.Parallel()
		clock := newFakeClock()
		p := launch(t, "good", &Launcher{Clock: clock}, nil)
		if err := p.Configure(t.Context(), provider.Config{"token": "s3cr3t-token", "max": "77.00"}); err != nil {
			t.Fatal(err)
		}
		before, err := submit(p, "", 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		// Another build of the plugin takes its place meanwhile.
		if err := os.WriteFile(p.path+".version", []byte("1.2.4"), 0o600); err != nil {
			t.Fatal(err)
		}
		first := processOf(p)
		if n := p.Restarts(); n != 0 {
			t.Errorf("%d restarts before any", n)
		}
		_ = first.Kill(t.Context())
		clock.awaitTimer(t)
		clock.advance(maxPause)
		eventually(t, "it runs again", func() bool { return running(p, first) })
		if n := p.Restarts(); n != 1 {
			t.Errorf("%d restarts, want 1", n)
		}
		after, err := submit(p, "", 10*time.Second)
		if err != nil || after.Reference == before.Reference {
			t.Errorf("%+v (before %+v), %v", after, before, err)
		}
		if got := p.Info().Version; got != "1.2.4" {
			t.Errorf("the info is still of version %s", got)
		}
		if got := p.Info().Capabilities[0].AmountMax; got != payment.Pesos(77) {
			t.Errorf("the largest amount is %s, the configuration said 77.00", got)
		}
		_, err = submit(p, "leak", 10*time.Second)
		wantCode(t, err, provider.CodeDeclined)
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the secret is not masked any more: %v", err)
		}
	})

	t.Run("pauses grow while it fails, and start over after a stable run", func(t *testing.T) {
		t.Parallel()
		clock := newFakeClock()
		p := launch(t, "good", &Launcher{Clock: clock}, nil)
		die := func() time.Duration {
			first := processOf(p)
			_ = first.Kill(t.Context())
			pause := clock.awaitTimer(t)
			clock.advance(pause)
			eventually(t, "it runs again", func() bool { return running(p, first) })
			return pause
		}
		for n := range 4 {
			if pause, most := die(), minPause<<n; pause > most || pause < most/2 {
				t.Errorf("pause %d is %s, want %s to %s", n+1, pause, most/2, most)
			}
		}
		clock.advance(stableRun)
		if pause := die(); pause > minPause {
			t.Errorf("after a stable run the pause is %s, want %s at most", pause, minPause)
		}
	})

	t.Run("a binary that is gone is waited for", func(t *testing.T) {
		t.Parallel()
		clock := newFakeClock()
		p := launch(t, "good", &Launcher{Clock: clock}, nil)
		binary, err := os.Readlink(p.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(p.path); err != nil {
			t.Fatal(err)
		}
		first := processOf(p)
		_ = first.Kill(t.Context())
		clock.advance(clock.awaitTimer(t))
		clock.awaitTimer(t) // the start failed
		_, err = submit(p, "", 10*time.Second)
		wantCode(t, err, provider.CodeUnavailable)
		if !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%v does not say why", err)
		}
		if err := os.Symlink(binary, p.path); err != nil {
			t.Fatal(err)
		}
		clock.advance(maxPause)
		eventually(t, "it runs again", func() bool { return running(p, first) })
	})
}

func TestClose(t *testing.T) {
	t.Parallel()

	t.Run("ends the process, and can be repeated", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "good", Dir(), nil)
		exited := processOf(p).exited
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case <-exited:
		default:
			t.Error("the process runs on")
		}
		_, err := submit(p, "", 10*time.Second)
		wantCode(t, err, provider.CodeUnavailable)
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})

	t.Run("of a provider that hangs is bounded", func(t *testing.T) {
		t.Parallel()
		p := launch(t, "good", Dir(), nil)
		if err := p.Configure(t.Context(), provider.Config{"token": "hang-at-close"}); err != nil {
			t.Fatal(err)
		}
		exited := processOf(p).exited
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		wantCode(t, p.Close(ctx), provider.CodeUnknown)
		if took := time.Since(began); took > closeTimeout {
			t.Errorf("it took %s", took)
		}
		select {
		case <-exited:
		default:
			t.Error("the process runs on")
		}
	})

	t.Run("while the plugin is down ends the restarts", func(t *testing.T) {
		t.Parallel()
		clock := newFakeClock()
		p := launch(t, "good", &Launcher{Clock: clock}, nil)
		_ = processOf(p).Kill(t.Context())
		clock.awaitTimer(t)
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A plugin whose parent lives on (a wrapper, say) learns from the stream that its host is gone.
// A plugin that has its hands full says so, which is a sign of life.
func TestBusyPluginIsNotEnded(t *testing.T) {
	t.Parallel()
	p := launch(t, "good", Dir(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	defer calls.Wait()
	defer cancel()
	for range wire.MaxCalls {
		calls.Go(func() {
			for refused := true; refused; { // for the one below
				_, err := p.Submit(ctx, attempt("wait"))
				refused = provider.CodeOf(err) == provider.CodeUnavailable && ctx.Err() == nil
			}
		})
	}
	eventually(t, "it works on as many calls as it may", func() bool {
		_, err := submit(p, "", 10*time.Second)
		return provider.CodeOf(err) == provider.CodeUnavailable
	})
	p.probe(p.current)
	if process := processOf(p); process == nil || process.killed {
		t.Error("it was ended")
	}
}

func TestPluginEndsWithItsStream(t *testing.T) {
	t.Parallel()
	r := newRemote(Dir(), provider.Spec{}, role(t, "good"))
	s, _, err := r.start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.wire.Close()
	eventually(t, "it ends by itself", func() bool {
		select {
		case <-s.process.exited:
			return s.process.end() == "exit status 0"
		default:
			return false
		}
	})
}

// fakeClock moves when it is told to.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*fakeTimer]bool
	set    chan time.Duration // every AfterFunc
}

type fakeTimer struct {
	at time.Time
	f  func()
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Unix(1_800_000_000, 0), timers: map[*fakeTimer]bool{}, set: make(chan time.Duration, 100)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) AfterFunc(d time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := &fakeTimer{c.now.Add(d), f}
	c.timers[timer] = true
	c.set <- d
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, timer)
	}
}

// awaitTimer waits until a timer is set and returns for how long.
func (c *fakeClock) awaitTimer(t testing.TB) time.Duration {
	t.Helper()
	select {
	case d := <-c.set:
		return d
	case <-time.After(15 * time.Second):
		t.Fatal("no timer was set")
		return 0
	}
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for timer := range c.timers {
		if !timer.at.After(c.now) {
			delete(c.timers, timer)
			go timer.f()
		}
	}
}
