package providertest

import (
	"sync"
	"time"
)

// Clock is a clock that stands still until it is moved. It satisfies the engine's Clock.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	moved  time.Duration
	timers map[*timer]bool
}

type timer struct {
	at time.Time
	f  func()
}

// NewClock returns a clock that shows that time.
func NewClock(now time.Time) *Clock { return &Clock{now: now, timers: map[*timer]bool{}} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Monotonic returns by how much the clock was moved, which Set does not change.
func (c *Clock) Monotonic() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moved
}

// Set sets the clock, as somebody corrects a machine's clock or gets it wrong: no time passes.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	step := now.Sub(c.now)
	c.now = now
	for t := range c.timers {
		t.at = t.at.Add(step)
	}
}

// AfterFunc runs f in a goroutine of its own once the clock has been moved by d.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{at: c.now.Add(d), f: f}
	if d <= 0 {
		go f()
		return func() {}
	}
	c.timers[t] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, t)
	}
}

// Advance moves the clock and starts what has become due.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.moved = c.now.Add(d), c.moved+d
	for t := range c.timers {
		if !t.at.After(c.now) {
			delete(c.timers, t)
			go t.f()
		}
	}
}
