// Package breaker decides when a provider's calls are given a rest. It keeps no time of its own: whoever asks says
// what time it is.
package breaker

import (
	"sync"
	"time"
)

// Settings say when a breaker opens, and for how long.
type Settings struct {
	Failures int // within Within; 0 = never
	Within   time.Duration
	CoolOff  time.Duration
}

// State is what a breaker does with calls.
type State string

// The states.
const (
	Closed   State = "closed"
	Open     State = "open"      // calls go elsewhere where they can
	HalfOpen State = "half_open" // one call tries whether it works again
)

// Breaker is closed as its zero value. Its methods may be called concurrently.
type Breaker struct {
	mu       sync.Mutex
	failures []time.Time // since the last success, the oldest first
	open     bool
	until    time.Time // the end of the cool-off
	coolOff  time.Duration
	trial    bool // a call that began after it is under way
	openings Call // how often it opened
}

// Call tells a call whose end the breaker heeds from one that says nothing any more: it heeds those that began since it last
// opened, other than while it was open, and the trial.
type Call int

// State returns the state at a time. A trial that is under way leaves it open to all others.
func (b *Breaker) State(now time.Time) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return Closed
	case b.trial || b.rests(now):
		return Open
	}
	return HalfOpen
}

// rests reports whether the cool-off goes on. One that ends later than it could have begun now began while the clock was
// ahead, and is over.
func (b *Breaker) rests(now time.Time) bool {
	left := b.until.Sub(now)
	return left > 0 && left <= b.coolOff
}

// Until returns when an open breaker's cool-off ends; zero where it is not open, or where a trial decides.
func (b *Breaker) Until() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open || b.trial {
		return time.Time{}
	}
	return b.until
}

// Begin tells that a call begins; whoever makes it hands call on when it ends. changed: it is the trial. held: another call
// is, so that this one should go elsewhere if it can.
func (b *Breaker) Begin(now time.Time) (call Call, changed, held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return b.openings, false, false
	case b.trial || b.rests(now):
		return 0, false, b.trial // no opening that is heeded now has this number
	}
	b.trial = true
	return b.openings, true, false
}

// Succeeded tells that a call was answered, and returns whether the state changed.
func (b *Breaker) Succeeded(call Call) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if call != b.openings {
		return false
	}
	changed = b.open
	b.failures, b.open, b.trial = b.failures[:0], false, false
	return changed
}

// Undecided tells that a call ended without saying anything about the provider, and returns whether the state changed:
// where it was the trial, the next call is one.
func (b *Breaker) Undecided(call Call) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if call != b.openings {
		return false
	}
	changed = b.trial
	b.trial = false
	return changed
}

// Failed tells that a call failed by the provider's fault. It returns whether the state changed.
func (b *Breaker) Failed(call Call, now time.Time, s Settings) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case call != b.openings:
		return false
	case b.trial:
	case s.Failures == 0:
		return false
	default:
		b.failures = append(b.failures, now)
		for len(b.failures) > s.Failures || now.Sub(b.failures[0]) > s.Within {
			b.failures = b.failures[1:]
		}
		if len(b.failures) < s.Failures {
			return false
		}
	}
	b.failures, b.open, b.trial, b.until, b.coolOff = nil, true, false, now.Add(s.CoolOff), s.CoolOff
	b.openings++
	return true
}
