package engine

import (
	"context"
	"sync"
	"time"
)

// alarm calls a function in one goroutine whenever it is woken or its time has come; wakings that arrive
// while the function runs are one.
type alarm struct {
	clock Clock
	bell  chan struct{}
	mu    sync.Mutex
	at    time.Time
	stop  func()
}

func newAlarm(clock Clock) *alarm { return &alarm{clock: clock, bell: make(chan struct{}, 1)} }

func (a *alarm) wake() {
	select {
	case a.bell <- struct{}{}:
	default:
	}
}

// wakeAt makes the alarm ring at t, or earlier where an earlier time is set already. Zero is never.
func (a *alarm) wakeAt(t time.Time) {
	if t.IsZero() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.at.IsZero() && !t.Before(a.at) {
		return
	}
	if a.stop != nil {
		a.stop()
	}
	a.at = t
	a.stop = a.clock.AfterFunc(t.Sub(a.clock.Now()), func() {
		a.mu.Lock()
		if a.at.Equal(t) {
			a.at = time.Time{}
		}
		a.mu.Unlock()
		a.wake()
	})
}

// retryPause is how long the alarm waits before it tries again what did not work.
const retryPause = 5 * time.Second

func (a *alarm) retry() { a.wakeAt(a.clock.Now().Add(retryPause)) }

// run calls f at each ring until ctx ends.
func (a *alarm) run(ctx context.Context, f func(context.Context)) {
	for {
		select {
		case <-a.bell:
			f(ctx)
		case <-ctx.Done():
			a.mu.Lock()
			if a.stop != nil {
				a.stop()
			}
			a.mu.Unlock()
			return
		}
	}
}

// due tells the scheduler when a payment is to be looked at.
func (e *Engine) due(t time.Time) { e.scheduler.wakeAt(t) }

// sweepEvery bounds how long a look that another router left behind can wait.
const sweepEvery = time.Minute

// followDue takes up the payments whose next look is due, as many at once as there are workers.
func (e *Engine) followDue(ctx context.Context) {
	now := e.now()
	if _, _, back := e.steps.notice(e.clock); now.Before(e.followedAt) || e.followedAt.IsZero() || !back.Equal(e.hastenedAfter) {
		e.hastenedAfter = back
		e.hasten(ctx)
	}
	e.followedAt = now
	for ctx.Err() == nil {
		ids, err := e.store.Claim(ctx, e.now(), e.state.Load().lease, e.workers)
		if err != nil {
			e.checkStore(err) // a write that nobody waited for may have met it
			e.log.Error("the payments to look at could not be read", "error", err)
			e.scheduler.retry()
			return
		}
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			e.work(e.lookSlots, func() {
				if err := e.follow(ctx, id); err != nil {
					e.log.Warn("a payment could not be followed; it comes up again", "payment", id, "error", err)
				}
			})
		}
	}
	next, err := e.store.NextDue(ctx, e.now())
	if err != nil {
		e.scheduler.retry()
		return
	}
	e.due(next)
	e.due(e.now().Add(sweepEvery))
}

// work runs f in a goroutine of its own, at most as many at once as there are slots. Look-ups and webhooks have
// slots of their own, so that neither starves the other. Work that has begun is finished when the engine closes.
func (e *Engine) work(slots chan struct{}, f func()) {
	slots <- struct{}{}
	e.working.Add(1)
	go func() {
		defer func() {
			<-slots
			e.working.Done()
		}()
		f()
	}()
}
