package pebblestore

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"

	"github.com/cauce-pay/cauce/engine/store"
)

// fault is why the store cannot be used until it is opened again, once there is a reason.
type fault struct {
	log     *slog.Logger
	once    sync.Once
	tripped chan struct{} // closed when there is
	err     error         // set before
}

func newFault(log *slog.Logger) *fault { return &fault{log: log, tripped: make(chan struct{})} }

// trip makes the store unavailable. The first reason stays.
func (f *fault) trip(what string, cause error) {
	f.once.Do(func() {
		f.err = fmt.Errorf("%w: %s: %w; whether the last writes are durable is not known until the store is opened again, "+
			"which is safe once the disk works", store.ErrUnavailable, what, cause)
		close(f.tripped)
		f.log.Error("the store has become unavailable", "what", what, "error", cause)
	})
}

// reason returns nil while the store works, else an error that wraps store.ErrUnavailable.
func (f *fault) reason() error {
	select {
	case <-f.tripped:
		return f.err
	default:
		return nil
	}
}

// fatal is what logger.Fatalf panics with in a goroutine of this package, which recovers it.
type fatal struct{ error }

// logger is what Pebble logs to. Pebble expects Fatalf not to return and calls it when it cannot go on; the
// default one ends the process, and one that returns makes Pebble acknowledge what it has not stored.
//
// disk keeps the errors of files away that would lead to Fatalf, so what remains are Pebble's own broken
// assumptions. A goroutine of this package then panics with fatal; one of Pebble's own, which could only end
// the process by a panic, stops for ever.
type logger struct {
	*fault
	stuck func() // told when a goroutine stops for ever, perhaps with Pebble's locks
}

func (l logger) Infof(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }

func (l logger) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }

func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.stuck()
	l.trip("Pebble cannot go on", err)
	if calledFromHere() {
		panic(fatal{err})
	}
	select {}
}

// calledFromHere reports whether this package is among the callers of the function that Pebble has called.
func calledFromHere() bool {
	const here = "github.com/cauce-pay/cauce/engine/store/pebblestore."
	var pcs [128]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])]) // 3: above that function
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, here) {
			return true
		}
		if !more {
			return false
		}
	}
}
