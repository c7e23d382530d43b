//go:build failpoints

package failpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// variable is the environment variable that names the file.
const variable = "CAUCE_FAILPOINTS"

// fault is an entry of the file.
type fault struct {
	point      Point
	action     string
	after      time.Duration
	first, end int // the passages at which it happens: from first to before end
}

var systemErrors = map[string]error{"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC, "EROFS": syscall.EROFS}

const always = int(^uint(0) >> 1)

// parse reads point=action[:duration][@n[+]].
func parse(entry string) (f fault, err error) {
	point, action, _ := strings.Cut(entry, "=")
	action, nth, counted := strings.Cut(action, "@")
	action, after, timed := strings.Cut(action, ":")
	f = fault{point: Point(point), action: action, first: 1, end: always}
	if timed {
		f.after, err = time.ParseDuration(after)
	}
	if counted && err == nil {
		number, open := strings.CutSuffix(nth, "+")
		if f.first, err = strconv.Atoi(number); !open {
			f.end = f.first + 1
		}
	}
	if err != nil || action != "crash" && action != "sleep" && systemErrors[action] == nil {
		return f, fmt.Errorf("failpoint: %q is not point=action[:duration][@n]", entry)
	}
	return f, nil
}

var (
	mu     sync.Mutex
	passed map[string]int // by entry of the file
)

// next counts a passage, and returns the fault that happens at it; nil = none.
func next(p Point) (*fault, error) {
	content, err := os.ReadFile(os.Getenv(variable))
	if errors.Is(err, fs.ErrNotExist) {
		content, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	mu.Lock()
	defer mu.Unlock()
	before := passed
	passed = map[string]int{}
	var happens *fault
	for entry := range strings.FieldsSeq(string(content)) {
		f, err := parse(entry)
		if err != nil {
			return nil, err
		}
		passed[entry] = before[entry]
		if f.point != p {
			continue
		}
		passed[entry]++
		if n := passed[entry]; n >= f.first && n < f.end {
			happens = &f
		}
	}
	return happens, nil
}

// Pass does what is to happen at a point where no error can.
func Pass(p Point) { _ = Err(p) }

// Err does what is to happen at a point, and returns the error that does.
func Err(p Point) error {
	f, err := next(p)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if f == nil {
		return nil
	}
	fmt.Fprintf(os.Stderr, "failpoint %s: %s\n", p, f.action)
	switch f.action {
	case "sleep":
		time.Sleep(f.after)
	case "crash":
		if f.after == 0 {
			die()
		}
		time.AfterFunc(f.after, die)
	}
	return systemErrors[f.action]
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
	select {} // it is on its way
}
