package engine

import (
	"context"
	"time"
)

// Clock is the time as the engine sees it.
type Clock interface {
	Now() time.Time
	// AfterFunc runs f in its own goroutine after d and returns a function that stops it.
	AfterFunc(d time.Duration, f func()) (stop func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// now is the engine's time, in UTC without a monotonic reading, so that what is stored equals what is read.
func (e *Engine) now() time.Time { return e.clock.Now().UTC().Round(0) }

// withTimeout is context.WithTimeout by the engine's clock.
func (e *Engine) withTimeout(ctx context.Context, d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := e.clock.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return ctx, func() { stop(); cancel(nil) }
}
