package plugin

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/internal/wire"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

const (
	// The pause before a plugin is started again doubles from minPause to maxPause with each failure, less up
	// to half by chance. A run of stableRun or longer starts it over.
	minPause  = 100 * time.Millisecond
	maxPause  = 30 * time.Second
	stableRun = time.Minute
	// closeTimeout bounds what a plugin may still do when it is closed.
	closeTimeout = 5 * time.Second
)

// remote is a plugin that is kept running: the provider that Launch returns.
type remote struct {
	*wire.Provider // its calls come to Call
	launcher       *Launcher
	spec           provider.Spec
	path           string
	logger         *slog.Logger
	mask           *masker
	logs           *logs

	life context.Context // until Close
	stop context.CancelFunc
	done chan struct{} // closed when the last process is gone

	// configuring is held while a configuration is given, so that a plugin that is started again in that moment
	// gets it too.
	configuring sync.Mutex
	config      provider.Config // nil until Configure

	restarts atomic.Int64

	mu      sync.Mutex
	current *session // nil while there is none
	why     error    // why there is none
	closed  bool
}

func newRemote(l *Launcher, spec provider.Spec, path string) *remote {
	r := &remote{
		launcher: l, spec: spec, path: path, logger: loggerOf(spec), mask: &masker{off: l.Unmasked}, done: make(chan struct{}),
	}
	r.logs = newLogs(r.logger, r.mask, l.clock())
	r.life, r.stop = context.WithCancel(context.Background())
	return r
}

// begin starts the plugin for the first time, and its supervision.
func (r *remote) begin(ctx context.Context) error {
	s, info, err := r.start(ctx)
	if err != nil {
		r.stop()
		return err
	}
	r.Provider = wire.NewProvider(r, info)
	r.up(s)
	go r.supervise(s)
	return nil
}

// Call makes one call of the process that runs now. Texts of its answer are masked.
func (r *remote) Call(ctx context.Context, call *pb.Call) (*pb.Answer, error) {
	r.mu.Lock()
	s, why, closed := r.current, r.why, r.closed
	r.mu.Unlock()
	if s == nil {
		err := provider.Errorf(provider.CodeUnavailable, "the plugin is not running: %w", why)
		if !closed {
			err.Err = provider.ErrNotRunning
		}
		return nil, err
	}
	a, err := s.wire.Call(ctx, call)
	if err != nil {
		// The cause, because the engine ends its calls by a clock of its own: their contexts are cancelled then.
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			r.passed(s, call)
		}
		said := provider.AsError(err) // perhaps with what the plugin ended the stream with
		said.Message = r.mask.clean(said.Message, maxText)
		return nil, said
	}
	s.overdue.Store(0)
	r.mask.answer(a)
	return a, nil
}

// maxOverdue is how many calls in a row may pass their deadline without an answer before the plugin is asked for a sign
// of life, which it has probeTimeout to give. After a hand-over it is asked at once: a plugin that stands still may not have
// read it yet, and would begin it whenever it goes on.
const (
	maxOverdue   = 3
	probeTimeout = 5 * time.Second
)

// passed notes that a call passed its deadline without an answer.
func (r *remote) passed(s *session, call *pb.Call) {
	if n := s.overdue.Add(1); (n >= maxOverdue || call.GetSubmit() != nil) && s.probed.CompareAndSwap(false, true) {
		go r.probe(s)
	}
}

// probe ends a plugin that does not even say what it is any more: it hangs, whatever its provider does. Supervision
// starts it again, and what was under way is unknown.
func (r *remote) probe(s *session) {
	ctx, cancel := context.WithTimeout(r.life, probeTimeout)
	defer cancel()
	_, err := s.wire.Call(ctx, &pb.Call{Request: &pb.Call_Info{Info: &pb.InfoRequest{}}}) // that it is too busy is an answer, too
	if err == nil || r.life.Err() != nil {
		s.overdue.Store(0)
		s.probed.Store(false)
		return
	}
	r.logger.Error("a plugin hangs and is ended", "plugin", r.path, "pid", s.process.ID())
	_ = s.process.Kill(ctx)
}

// Configure configures the plugin, now and whenever it is started again.
func (r *remote) Configure(ctx context.Context, config provider.Config) error {
	r.configuring.Lock()
	defer r.configuring.Unlock()
	r.mask.hide(r.Info().Config.Secrets(config))
	if err := r.Provider.Configure(ctx, config); err != nil {
		return err
	}
	r.config = maps.Clone(config)
	return nil
}

// Close closes the provider, within a few seconds, and ends its process.
func (r *remote) Close(ctx context.Context) error {
	r.mu.Lock()
	s, closed := r.current, r.closed
	r.current, r.why, r.closed = nil, errors.New("it was closed"), true
	r.mu.Unlock()
	var err error
	if s != nil {
		ctx, cancel := context.WithTimeout(ctx, closeTimeout)
		defer cancel()
		err = wire.NewProvider(s.wire, r.Info()).Close(ctx)
	}
	r.stop()
	<-r.done
	if closed {
		return nil
	}
	return err
}

// supervise starts the plugin again whenever it is gone, until Close.
func (r *remote) supervise(s *session) {
	defer close(r.done)
	failures := 0
	for {
		began := r.launcher.clock().Now()
		select {
		case <-s.wire.Done():
		case <-s.process.exited:
		case <-r.life.Done():
			s.close()
			return
		}
		why := s.ended()
		s.close()
		if r.launcher.clock().Now().Sub(began) >= stableRun {
			failures = 0
		}
		for s = nil; s == nil; failures++ {
			if !r.pause(why, failures) {
				return
			}
			s, why = r.restart()
		}
	}
}

// restart starts the plugin again and configures it as it was.
func (r *remote) restart() (*session, error) {
	r.restarts.Add(1)
	r.configuring.Lock()
	defer r.configuring.Unlock()
	s, info, err := r.start(r.life)
	if err != nil {
		return nil, err
	}
	if r.config != nil {
		if info, err = wire.Configure(r.life, s.wire, r.config); err != nil {
			s.close()
			return nil, err
		}
	}
	r.SetInfo(info)
	r.up(s)
	return s, nil
}

// Restarts counts how often the plugin had to be started again, or it was tried.
func (r *remote) Restarts() int64 { return r.restarts.Load() }

// up makes s the process that calls go to.
func (r *remote) up(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.current = s
	r.logger.Info("plugin started", "plugin", r.path, "pid", s.process.ID())
}

// pause tells callers why there is no process and waits before the next start. It returns false after Close.
func (r *remote) pause(why error, failures int) bool {
	wait := pauseAfter(failures)
	why = errors.New(r.mask.clean(why.Error(), maxText))
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return false
	}
	r.current, r.why = nil, why
	r.mu.Unlock()
	r.logger.Warn("plugin is not running and will be started again", "plugin", r.path, "reason", why.Error(), "after", wait)
	awake := make(chan struct{})
	stop := r.launcher.clock().AfterFunc(wait, func() { close(awake) })
	defer stop()
	select {
	case <-awake:
		return true
	case <-r.life.Done():
		return false
	}
}

func pauseAfter(failures int) time.Duration {
	pause := min(minPause<<min(failures, 20), maxPause)
	return pause - rand.N(pause/2)
}
