package engine

import (
	"context"
	"sync"
	"time"
)

// Clock is the time as the engine sees it. It may also have a method Monotonic() time.Duration: the time since some moment,
// which setting the clock does not change. By the difference the engine notices that the clock was set, and then takes
// nothing for proof that only the clock says has passed.
type Clock interface {
	Now() time.Time
	// AfterFunc runs f in its own goroutine after d and returns a function that stops it.
	AfterFunc(d time.Duration, f func()) (stop func())
}

type systemClock struct{}

var processStart = time.Now()

func (systemClock) Monotonic() time.Duration { return time.Since(processStart) }

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// now is the engine's time, in UTC without a monotonic reading, so that what is stored equals what is read.
func (e *Engine) now() time.Time { return e.clock.Now().UTC().Round(0) }

// isOld reports whether something that was read or asked at a time is older than it may get. What was read later than now
// was so while the clock was ahead: nobody knows how old it is.
func (e *Engine) isOld(at time.Time, most time.Duration) bool {
	age := e.now().Sub(at)
	return age >= most || age < 0
}

// withTimeout is context.WithTimeout by the engine's clock.
func (e *Engine) withTimeout(ctx context.Context, d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := e.clock.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return ctx, func() { stop(); cancel(nil) }
}

// clockSteps notices when the clock is set while the engine runs.
type clockSteps struct {
	mu     sync.Mutex
	drift  time.Duration // of the clock against the monotonic time, by which it counts as put back
	least  time.Duration // the least of it since it was last put ahead, by which it counts as put ahead
	steady time.Duration // the monotonic time since which it was not put ahead: at first, of the engine's start
	ahead  bool          // it was put ahead then
	back   time.Time     // what it showed, at most, when it was last put back; zero = never
}

// What the clock may go wrong by against the monotonic time before it counts as set. What is put back by less than a minute
// does not make a provider forget a key.
const (
	leastAhead = time.Second
	leastBack  = time.Minute
)

func monotonic(c Clock) time.Duration {
	if m, ok := c.(interface{ Monotonic() time.Duration }); ok {
		return m.Monotonic()
	}
	return time.Duration(c.Now().UnixNano())
}

func (s *clockSteps) begin(c Clock) {
	s.steady = monotonic(c)
	s.drift = time.Duration(c.Now().UnixNano()) - s.steady
	s.least = s.drift
}

// notice looks whether the clock was set. It returns for how long, at least, it was not put ahead, whether it was before
// that, and what it showed before it was put back.
func (s *clockSteps) notice(c Clock) (steady time.Duration, ahead bool, back time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, now, mono := monotonic(c), c.Now(), monotonic(c)
	shown := time.Duration(now.UnixNano())
	low, high := shown-mono, shown-before // the drift lies between them: this process may have been held up
	if low-s.least > leastAhead {
		s.least, s.steady, s.ahead = low, mono, true
	}
	s.least = min(s.least, high)
	switch {
	case low-s.drift > leastAhead:
		s.drift = low
	case high-s.drift < -leastBack:
		s.drift, s.back = high, now.Add(s.drift-high)
	}
	return mono - s.steady, s.ahead, s.back
}

// watched returns how much of the time since then has certainly passed: what this process has seen pass by a clock that
// nobody put ahead meanwhile.
func (e *Engine) watched(since time.Time) time.Duration {
	steady, _, _ := e.steps.notice(e.clock)
	return min(steady, e.now().Sub(since))
}
