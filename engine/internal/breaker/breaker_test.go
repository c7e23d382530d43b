package breaker

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	s := Settings{Failures: 3, Within: time.Minute, CoolOff: 30 * time.Second}
	start := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	// Each step is "begin", or the end of a call as "fail", "ok" or "nothing", at a second, and the state after it. The call that
	// ends is the one that began last or, with "old", one that began before all steps.
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
			{0, "fail", Closed}, {0, "fail", Closed}, {0, "fail", Open}, {1, "old ok", Open}, {29, "old fail", Open}, {30, "", HalfOpen},
			{30, "old ok", HalfOpen},
		},
		"nor do they end the trial": {
			{0, "fail", Closed}, {0, "fail", Closed}, {0, "fail", Open}, {30, "begin", Open}, {31, "old ok", Open}, {31, "old nothing", Open},
			{40, "old fail", Open}, {60, "", Open}, {61, "nothing", HalfOpen}, {62, "begin", Open}, {63, "old ok", Open}, {64, "ok", Closed},
		},
		"nor, once it is closed again, open or close it": {
			{0, "fail", Closed}, {0, "fail", Closed}, {0, "fail", Open}, {30, "begin", Open}, {31, "ok", Closed}, {32, "fail", Closed},
			{32, "fail", Closed}, {33, "old fail", Closed}, {34, "old ok", Closed}, {35, "fail", Open},
		},
		"a call that began while it was open says nothing": {
			{0, "fail", Closed}, {0, "fail", Closed}, {0, "fail", Open}, {29, "begin", Open}, {30, "ok", HalfOpen}, {30, "begin", Open},
			{31, "fail", Open}, {32, "begin", Open}, {61, "fail", HalfOpen},
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
			old, _, _ := b.Begin(start)
			last := old
			for i, step := range steps {
				now := start.Add(time.Duration(step.second) * time.Second)
				before := b.State(now)
				changed := false
				call := last
				do, isOld := strings.CutPrefix(step.do, "old ")
				if isOld {
					call = old
				}
				switch do {
				case "fail":
					changed = b.Failed(call, now, s)
				case "ok":
					changed = b.Succeeded(call)
				case "nothing":
					changed = b.Undecided(call)
				case "begin":
					last, changed, _ = b.Begin(now)
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
		never.Failed(0, start, Settings{Within: time.Minute, CoolOff: time.Minute})
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
	call, _, _ := b.Begin(now)
	b.Failed(call, now, s)
	for range 3 {
		now = now.Add(time.Second)
		var trials, held atomic.Int64
		var calls sync.WaitGroup
		for range 64 {
			calls.Go(func() {
				begun, changed, other := b.Begin(now)
				if changed {
					trials.Add(1)
					call = begun
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
		b.Failed(call, now, s)
	}
}
