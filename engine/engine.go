package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
)

// Engine routes payments. Its methods may be called concurrently.
type Engine struct {
	config  Config
	store   store.Store
	log     *slog.Logger
	clock   Clock
	steps   clockSteps
	random  io.Reader
	workers int

	state     atomic.Pointer[state]
	stateMu   sync.Mutex // whoever changes the state holds it
	reloading sync.Mutex // one reload at a time
	draining  sync.WaitGroup

	crew     *crew
	shadow   shadow
	codes    codes
	watchers *watchers
	busy     busy
	retries  retries
	inHand   inHand
	pauses   pauses
	metrics  metrics
	auditing auditing

	outcomes   outcomes
	statistics statisticsByLabel

	followedAt                         time.Time // when followDue last ran; its own
	hastenedAfter                      time.Time // the clock being put back; its own
	scheduler, inbox, tending, pausing *alarm
	background                         sync.WaitGroup // the loops
	looks, webhooks                    *lanes
	working                            sync.WaitGroup  // what the loops have begun
	looping                            context.Context // ends with stopLoops
	stopLoops                          context.CancelFunc

	mu      sync.Mutex
	closing bool
	calls   sync.WaitGroup // callers' calls and hand-overs
	stopped chan struct{}  // closed when the last of them has ended

	failOnce sync.Once
	failed   chan struct{} // closed when the store became unavailable
	failure  error
}

// New builds the rules, starts and configures their providers, and takes up every payment that is not
// finished. Faults of the rules and of the providers' configuration are reported all at once, with
// routing.Diagnostics (errors.As) for those that have a place in a file. ctx bounds the start only.
func New(ctx context.Context, c Config) (*Engine, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("engine: config: %w", err)
	}
	e := &Engine{
		config: c, store: c.Store, log: c.Logger, clock: c.Clock, random: c.Random,
		workers: c.Workers, watchers: newWatchers(), busy: busy{held: map[string]*turn{}}, stopped: make(chan struct{}), failed: make(chan struct{}),
	}
	e.crew = newCrew(e.stopped)
	e.setDefaults()
	e.steps.begin(e.clock)
	next, err := e.build(ctx, &state{})
	if err != nil {
		return nil, err
	}
	for _, r := range next.providers {
		r.inForce(e.now())
	}
	e.state.Store(next)
	e.refreshFacts()
	if err := e.prepare(ctx, next); err != nil {
		_ = closeProviders(ctx, slices.Collect(maps.Values(next.providers)))
		return nil, err
	}
	e.startLoops()
	return e, nil
}

// prepare makes durable what has to be before the first payment goes by the rules, and reads what goes on from before.
func (e *Engine) prepare(ctx context.Context, s *state) error {
	errs := []error{e.keepVersion(ctx, s)}
	for _, r := range s.providers {
		errs = append(errs, e.keepAccount(ctx, r))
		e.keepSecrets(ctx, r)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("engine: the store cannot be written: %w", err)
	}
	e.resumeShadow(ctx)
	return e.loadCodes(ctx)
}

func (e *Engine) setDefaults() {
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.clock == nil {
		e.clock = systemClock{}
	}
	if e.random == nil {
		e.random = rand.Reader
	}
	if e.workers == 0 {
		e.workers = 16
	}
	e.scheduler, e.inbox, e.tending, e.pausing = newAlarm(e.clock), newAlarm(e.clock), newAlarm(e.clock), newAlarm(e.clock)
	e.looks = newLanes(e.workers, looksQueue, e.scheduler.wake, &e.working)
	e.webhooks = newLanes(e.workers, inboxPage, e.inbox.wake, &e.working)
}

func (e *Engine) startLoops() {
	ctx, cancel := context.WithCancel(context.Background())
	e.looping, e.stopLoops = ctx, cancel
	rates, now := e.state.Load().rates, e.now() // what comes from now on is counted as it comes
	e.background.Go(func() { e.warm(ctx, rates, now) })
	e.startShadow()
	for _, loop := range []struct {
		alarm *alarm
		run   func(context.Context)
	}{{e.scheduler, e.followDue}, {e.inbox, e.readInbox}, {e.tending, e.tend}, {e.pausing, e.readPauses}} {
		e.background.Go(func() { loop.alarm.run(ctx, loop.run) })
		loop.alarm.wake()
	}
}

// enter begins a call, leave ends it; Close waits for those that have begun.
func (e *Engine) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return ErrClosed
	}
	e.calls.Add(1)
	return nil
}

func (e *Engine) leave() { e.calls.Done() }

// closeTimeout bounds how long Close gives the providers to release what they hold.
const closeTimeout = 5 * time.Second

// Close stops taking payments, waits for the hand-overs and look-ups under way (each bounded by its provider's
// timeout), and stops the providers. What is not finished goes on at the next New. Close may be called again.
func (e *Engine) Close() error {
	e.mu.Lock()
	again := e.closing
	e.closing = true
	e.mu.Unlock()
	if again {
		<-e.stopped
		return nil
	}
	e.stopLoops()
	e.calls.Wait()
	e.background.Wait()
	e.working.Wait()
	e.draining.Wait()
	e.keepCodes(context.Background())
	err := closeProviders(context.Background(), slices.Collect(maps.Values(e.state.Load().providers)))
	close(e.stopped)
	return err
}

// checkStore notices when the store has become unavailable: nothing that is in memory can be trusted to
// become durable from then on.
func (e *Engine) checkStore(err error) {
	if !errors.Is(err, store.ErrUnavailable) {
		return
	}
	e.failOnce.Do(func() {
		e.failure = err
		e.log.Error("the store cannot be written any more", "error", err)
		close(e.failed)
	})
}

// Failed is closed when the store has become unavailable for good: no payment is taken or followed any more,
// and the engine has to be made anew on a store that is opened again. Ready then tells why.
func (e *Engine) Failed() <-chan struct{} { return e.failed }

func (e *Engine) storeError() error {
	select {
	case <-e.failed:
		return e.failure
	default:
		return nil
	}
}

// Ready returns nil while the engine takes new payments, else why not: ErrClosed, store.ErrFull or
// store.ErrUnavailable.
func (e *Engine) Ready() error {
	e.mu.Lock()
	closing := e.closing
	e.mu.Unlock()
	if closing {
		return ErrClosed
	}
	if err := e.storeError(); err != nil {
		return err
	}
	return e.store.Health()
}
