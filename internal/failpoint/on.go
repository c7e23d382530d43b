//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// variable is the environment variable that says what happens where.
const variable = "CAUCE_FAILPOINTS"

// fault is what happens at a point.
type fault struct {
	action string
	after  time.Duration
	nth    int // 0 = every passage

	mu     sync.Mutex
	passed int
}

var faults = sync.OnceValue(func() map[Point]*fault {
	all, err := parse(os.Getenv(variable))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return all
})

// parse reads point=action[:duration][@n], separated by commas.
func parse(text string) (map[Point]*fault, error) {
	all := map[Point]*fault{}
	for entry := range strings.SplitSeq(text, ",") {
		if entry == "" {
			continue
		}
		f := &fault{}
		point, action, _ := strings.Cut(entry, "=")
		action, nth, counted := strings.Cut(action, "@")
		action, after, timed := strings.Cut(action, ":")
		f.action = action
		var err error
		if counted {
			f.nth, err = strconv.Atoi(nth)
		}
		if timed && err == nil {
			f.after, err = time.ParseDuration(after)
		}
		if err != nil || action != "crash" && action != "error" && action != "sleep" {
			return nil, fmt.Errorf("failpoint: %s=%q: %s is not point=crash|error|sleep[:duration][@n]", variable, text, entry)
		}
		all[Point(point)] = f
	}
	return all, nil
}

// Pass does what is to happen at a point. An error can happen only where Err is called.
func Pass(p Point) { _ = Err(p) }

// Err is Pass where an error can happen, which it returns.
func Err(p Point) error {
	f := faults()[p]
	if f == nil || !f.now() {
		return nil
	}
	fmt.Fprintf(os.Stderr, "failpoint %s: %s\n", p, f.action)
	switch f.action {
	case "error":
		return fmt.Errorf("failpoint %s", p)
	case "sleep":
		time.Sleep(f.after)
	case "crash":
		if f.after > 0 {
			time.AfterFunc(f.after, die)
			return nil
		}
		die()
	}
	return nil
}

// now counts a passage, and reports whether it is one at which something happens.
func (f *fault) now() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passed++
	return f.nth == 0 || f.passed == f.nth
}

// die ends the process as kill -9 does: nothing is flushed, closed or told.
func die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // the signal is on its way
}
