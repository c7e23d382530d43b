package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// pause is that an operator has paused a provider.
type pause struct {
	Reason string    `json:"reason"` // may be empty
	Since  time.Time `json:"since"`
}

func pauseSetting(providerName string) string { return "paused/" + providerName }

// Pause keeps new payments from a provider until Resume, also over restarts and from every router that shares the
// store (within half a minute); what is under way goes on. The reason may be empty; it is kept with the decisions that
// leave the provider out. ErrNotFound where the rules name no such provider.
func (e *Engine) Pause(ctx context.Context, providerName, reason string) error {
	return e.setPause(ctx, providerName, &pause{Reason: reason, Since: e.now()}, AuditEntry{Act: ActPause, Subject: providerName, Note: reason})
}

// Resume takes Pause back.
func (e *Engine) Resume(ctx context.Context, providerName string) error {
	return e.setPause(ctx, providerName, nil, AuditEntry{Act: ActResume, Subject: providerName})
}

func (e *Engine) setPause(ctx context.Context, providerName string, p *pause, act AuditEntry) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	if !e.state.Load().names(providerName) {
		return fmt.Errorf("%w: the rules have no provider %.64q", ErrNotFound, providerName)
	}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	e.pauses.Lock() // acts take effect in the order in which they are recorded
	if err := e.record(ctx, act); err != nil {
		e.pauses.Unlock()
		return err
	}
	err = e.store.PutSetting(ctx, pauseSetting(providerName), value)
	if err == nil {
		e.pauses.of(providerName).Store(p)
	}
	e.pauses.Unlock()
	e.checkStore(err)
	if err != nil {
		e.notDone(ctx, act, err)
		return err
	}
	e.refreshFacts()
	e.log.Warn("a provider was paused or resumed by hand", "provider", providerName, "paused", p != nil)
	return nil
}

// pauses are the pauses of the providers as memory has them. Whoever reads or writes one in the store holds the lock
// until memory has it, too, so that an older one never replaces a newer.
type pauses struct {
	sync.Mutex
	byLabel sync.Map // *atomic.Pointer[pause], shared by the processes that a label has had
}

// of returns the pause of a label; it points to nil while there is none.
func (p *pauses) of(label string) *atomic.Pointer[pause] {
	one, _ := p.byLabel.LoadOrStore(label, &atomic.Pointer[pause]{})
	return one.(*atomic.Pointer[pause])
}

// loadPause reads from the store whether a provider is paused.
func (e *Engine) loadPause(ctx context.Context, r *running) error {
	e.pauses.Lock()
	defer e.pauses.Unlock()
	var p *pause
	if _, err := readSetting(ctx, e.store, pauseSetting(r.name), &p); err != nil {
		return fmt.Errorf("engine: whether provider %q is paused could not be read: %w", r.name, err)
	}
	r.paused.Store(p)
	return nil
}

// readPauses takes over what other routers that share the store have paused and resumed. It waits for no provider, as tend
// does.
func (e *Engine) readPauses(ctx context.Context) {
	for _, r := range e.inOrder() {
		if err := e.loadPause(ctx, r); err != nil {
			e.log.Warn("what is known of a provider may be old", "provider", r.name, "error", err)
		}
	}
	e.refreshFacts()
	e.pausing.wakeAt(e.now().Add(tendingEvery))
}
