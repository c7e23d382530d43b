// Package webhook tells merchants what becomes of their payments: it sends the events that the rules' webhook
// blocks name, signed as Standard Webhooks 1.0 say (https://www.standardwebhooks.com).
//
// Each block is served on its own, so that a receiver that is down holds up nobody else, and no payment. Where it
// stands is kept in the store: what was not accepted before a crash is sent after it. A message may so arrive twice,
// always with the same webhook-id.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
)

// Config says what a Sender is made of. Engine and Store are required.
type Config struct {
	Engine *engine.Engine
	// Store keeps where each block stands; the engine's own store.
	Store store.Store
	// AllowPrivate lets every block reach loopback and private addresses, as allow_private does for one.
	AllowPrivate bool
	// Logger gets what cannot be delivered; nil = none.
	Logger *slog.Logger
	// Clock tells the time and makes timers; nil = the system's.
	Clock engine.Clock
}

// Sender sends the messages of the rules' webhook blocks until it is closed.
type Sender struct {
	config Config
	stop   context.CancelFunc
	loops  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	rules   *routing.Rules
	targets map[string]*target
}

// rulesPoll is how often a reload of the rules is looked for.
const rulesPoll = time.Second

// New starts sending. A block that the store does not know yet hears of what happens from now on; the others go on
// where they stood. A reload of the engine's rules changes the blocks within a second. Close the Sender before the
// engine and the store. ctx bounds the start only.
func New(ctx context.Context, c Config) (*Sender, error) {
	if c.Engine == nil || c.Store == nil {
		return nil, errors.New("webhook: config: Engine and Store are required")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Sender{config: c, stop: stop, targets: map[string]*target{}}
	if err := s.follow(ctx, running); err != nil {
		s.Close()
		return nil, err
	}
	s.loops.Go(func() { s.watchRules(running) })
	return s, nil
}

// Close ends what is being sent and waits for it. What was not accepted is sent after the next New.
func (s *Sender) Close() {
	s.stop()
	s.loops.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.targets {
		t.close()
	}
}

func (s *Sender) watchRules(ctx context.Context) {
	for sleep(ctx, s.config.Clock, rulesPoll) {
		if err := s.follow(ctx, ctx); err != nil && ctx.Err() == nil {
			s.config.Logger.Error("the rules' webhooks cannot be served yet; it is tried again", "error", err)
		}
	}
}

// follow makes the targets those of the rules in force. A block that says the same keeps its target.
func (s *Sender) follow(ctx, running context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules := s.config.Engine.Rules()
	if rules == s.rules {
		return nil
	}
	blocks := map[string]routing.Webhook{}
	for _, block := range rules.Webhooks() {
		blocks[block.Name] = block
	}
	for name, t := range s.targets {
		if !reflect.DeepEqual(t.block, blocks[name]) {
			t.close()
			delete(s.targets, name)
		}
	}
	for name, block := range blocks {
		if s.targets[name] != nil {
			continue
		}
		t, err := newTarget(ctx, s.config, block)
		if err != nil {
			return fmt.Errorf("webhook %q: %w", name, err)
		}
		t.start(running)
		s.targets[name] = t
	}
	s.rules = rules
	return nil
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// sleep waits and tells whether ctx lives on.
func sleep(ctx context.Context, clock engine.Clock, d time.Duration) bool {
	over := make(chan struct{})
	defer clock.AfterFunc(d, func() { close(over) })()
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}
