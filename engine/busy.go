package engine

import (
	"context"
	"sync"
)

// busy holds the payments that this process is handing over or looking up: one goroutine at a time takes a
// payment a step further. (Between routers that share a store, the store's conflicts and leases do that.)
type busy struct {
	mu   sync.Mutex
	held map[string]*turn
}

// turn is one payment's. over is closed when it ends; missed tells that somebody wanted it meanwhile.
type turn struct {
	over   chan struct{}
	missed bool
}

// try takes the payment's turn, unless somebody has it.
func (b *busy) try(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.held[id]; t != nil {
		t.missed = true
		return false
	}
	b.held[id] = &turn{over: make(chan struct{})}
	return true
}

// wait takes the payment's turn as soon as it is free.
func (b *busy) wait(ctx context.Context, id string) error {
	for !b.try(id) {
		b.mu.Lock()
		t := b.held[id]
		b.mu.Unlock()
		if t == nil {
			continue
		}
		select {
		case <-t.over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// end gives the turn back and reports whether somebody missed it.
func (b *busy) end(id string) (missed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.held[id]
	delete(b.held, id)
	close(t.over)
	return t.missed
}

// done ends a payment's turn. A webhook that came meanwhile is still in the inbox.
func (e *Engine) done(id string) {
	if e.busy.end(id) {
		e.inbox.wake()
	}
}

// waitAll waits until every turn that is held now has ended. Turns are bounded by the providers' timeouts.
func (b *busy) waitAll() {
	b.mu.Lock()
	turns := make([]*turn, 0, len(b.held))
	for _, t := range b.held {
		turns = append(turns, t)
	}
	b.mu.Unlock()
	for _, t := range turns {
		<-t.over
	}
}
