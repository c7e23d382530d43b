package breaker

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	s := Settings{Failures: 3, Within: time.Minute, CoolOff: 30 * time.Second}
	start := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	// Each step is "fail", "ok", "nothing" or "begin" at a second, and the state after it.
	type step struct {
		second int
		do     string
		want   State
	}
	for name, steps := range map[string][]step{
		"opens at the third failure within a minute": {{0, "fail", Closed}, {20, "fail", Closed}, {60, "fail", Open}},
		"failures that are far apart do not add up":  {{0, "fail", Closed}, {40, "fail", Closed}, {61, "fail", Closed}, {90, "fail", Open}},
		"a success forgets the failures":             {{0, "fail", Closed}, {1, "fail", Closed}, {2, "ok", Closed}, {3, "fail", Closed}},
		"half open after the cool-off, for one trial, whose success closes it": {
			{0, "fail", Closed}, {0, "fail", Closed}, {0, "fail", Open}, {29, "", Open}, {30, "", HalfOpen}, {31, "begin", Open}, {32, "ok", Closed},
			{33, "fail", Closed},
		},
		"a trial that fails opens it for another cool-off": {
			{0, "fail", Closed}, {0, "fail", Closed}, {0, "fail", Open}, {30, "begin", Open}, {40, "fail", Open}, {69, "", Open}, {70, "", HalfOpen},
		},
		"calls that began before it opened say nothing": {
			{0, "fail", Closed}, {0, "fail", Closed}, {0, "fail", Open}, {1, "ok", Open}, {29, "fail", Open}, {30, "", HalfOpen}, {30, "ok", HalfOpen},
		},
		"a cool-off that began while the clock was ahead is over": {
			{100, "fail", Closed}, {100, "fail", Closed}, {100, "fail", Open}, {110, "", Open}, {0, "", HalfOpen}, {0, "begin", Open}, {1, "ok", Closed},
		},
		"a call that says nothing keeps the failures": {{0, "fail", Closed}, {1, "fail", Closed}, {2, "nothing", Closed}, {3, "fail", Open}},
		"a trial that says nothing leaves it to the next call": {
			{0, "fail", Closed}, {0, "fail", Closed}, {0, "fail", Open}, {30, "begin", Open}, {31, "nothing", HalfOpen}, {32, "begin", Open},
			{33, "ok", Closed},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b Breaker
			for i, step := range steps {
				now := start.Add(time.Duration(step.second) * time.Second)
				before := b.State(now)
				changed := false
				switch step.do {
				case "fail":
					changed = b.Failed(now, s)
				case "ok":
					changed = b.Succeeded()
				case "nothing":
					changed = b.Undecided()
				case "begin":
					changed, _ = b.Begin(now)
				}
				got := b.State(now)
				if got != step.want {
					t.Fatalf("step %d: %s, want %s", i, got, step.want)
				}
				if got != before && !changed {
					t.Errorf("step %d: it became %s without telling", i, got)
				}
			}
		})
	}
	var never Breaker
	for range 100 {
		never.Failed(start, Settings{Within: time.Minute, CoolOff: time.Minute})
	}
	if never.State(start) != Closed {
		t.Error("it opened after all")
	}
}

// However many calls begin at once after the cool-off, one is the trial and all others are held; so again after it failed.
func TestOneTrial(t *testing.T) {
	t.Parallel()
	var b Breaker
	now := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	s := Settings{Failures: 1, Within: time.Minute, CoolOff: time.Second}
	b.Failed(now, s)
	for range 3 {
		now = now.Add(time.Second)
		var trials, held atomic.Int64
		var calls sync.WaitGroup
		for range 64 {
			calls.Go(func() {
				changed, other := b.Begin(now)
				if changed {
					trials.Add(1)
				}
				if other {
					held.Add(1)
				}
			})
		}
		calls.Wait()
		if trials.Load() != 1 || held.Load() != 63 {
			t.Errorf("%d trials, %d calls held", trials.Load(), held.Load())
		}
		b.Failed(now, s)
	}
}
