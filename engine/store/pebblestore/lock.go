package pebblestore

import (
	"context"
	"sync"
)

// locks holds one mutex for each name in use: what is checked about a payment or a key stays true until the
// write that relies on it is durable, and no other payment waits for that.
type locks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the lock is free again; nil until somebody waits for that
}

// acquire waits for the lock of that name. When ctx ends first the lock is not held.
func (l *locks) acquire(ctx context.Context, name string) (release func(), err error) {
	for {
		free := l.try(name)
		if free == nil {
			return func() { l.release(name) }, nil
		}
		select {
		case <-free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try takes the lock, or returns what is closed when it is worth trying again.
func (l *locks) try(name string) (free <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted, held := l.held[name]
	if !held {
		l.held[name] = nil
		return nil
	}
	if wanted == nil {
		wanted = make(chan struct{})
		l.held[name] = wanted
	}
	return wanted
}

func (l *locks) release(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wanted := l.held[name]; wanted != nil {
		close(wanted)
	}
	delete(l.held, name)
}
