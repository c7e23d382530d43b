package pebblestore

import (
	"context"
	"sync"
)

// locks holds one mutex for each name in use: what is checked about a payment or a key stays true until the
// write that relies on it is durable, and no other payment waits for that.
type locks struct {
	mu   sync.Mutex
	held map[string]*keyLock
}

type keyLock struct {
	turn  chan struct{} // holds one value while the lock is held
	users int           // holder and waiters
}

// acquire waits for the lock of that name. When ctx ends first the lock is not held.
func (l *locks) acquire(ctx context.Context, name string) (release func(), err error) {
	l.mu.Lock()
	one := l.held[name]
	if one == nil {
		one = &keyLock{turn: make(chan struct{}, 1)}
		l.held[name] = one
	}
	one.users++
	l.mu.Unlock()
	select {
	case one.turn <- struct{}{}:
		return func() { <-one.turn; l.leave(name, one) }, nil
	case <-ctx.Done():
		l.leave(name, one)
		return nil, ctx.Err()
	}
}

func (l *locks) leave(name string, one *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.held, name)
	}
}
