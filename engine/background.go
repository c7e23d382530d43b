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

// looksQueue bounds how many looks at one provider's payments wait: about what 16 workers get done while a lease lasts.
const looksQueue = 10_000

// followDue takes up the payments whose next look is due.
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
			e.looks.take(ctx, e.currentProvider(ctx, id), func() {
				if err := e.follow(ctx, id); err != nil {
					e.log.Warn("a payment could not be followed; it comes up again", "payment", id, "error", err)
				}
			}) // one that is not taken comes up again when its lease ends
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

// currentProvider returns the label of the provider that has the payment now; "" where that cannot be told.
func (e *Engine) currentProvider(ctx context.Context, id string) string {
	p, err := e.store.Get(ctx, id)
	if err != nil || p.Current() == nil {
		return "" // whoever follows it tells why
	}
	return p.Current().Provider
}

// lanes do work in goroutines of their own, at most share of it at once for one provider, so that one that hangs holds up
// nothing but its own. Each provider's first worker needs no slot, so that however many hang, the others go on; the further
// ones share the slots. Look-ups and webhooks have lanes of their own, so that neither starves the other. Work that has
// begun is finished when the engine closes.
type lanes struct {
	slots   chan struct{}
	share   int
	length  int             // of a provider's queue, at most
	room    func()          // is called when a queue that was too full is empty
	working *sync.WaitGroup // counts the goroutines

	mu sync.Mutex
	of map[string]*lane // by the provider's label
}

// lane is one provider's.
type lane struct {
	queue   []func()
	workers int
	first   bool // one of them is the first
	refused bool // work was, since the queue was empty
}

func newLanes(workers, length int, room func(), working *sync.WaitGroup) *lanes {
	return &lanes{
		slots: make(chan struct{}, workers), share: max(1, workers*3/4), length: length, room: room, working: working, of: map[string]*lane{},
	}
}

// take has f done when it is the provider's turn, unless ctx ends first; false: too much waits for that already.
func (l *lanes) take(ctx context.Context, provider string, f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.of[provider]
	if of == nil {
		of = &lane{}
		l.of[provider] = of
	}
	if len(of.queue) >= l.length {
		of.refused = true
		return false
	}
	of.queue = append(of.queue, f)
	if of.workers < l.share {
		of.workers++
		first := !of.first
		of.first = true
		l.working.Go(func() {
			for more := true; more; {
				more = l.step(ctx, of, first)
			}
		})
	}
	return true
}

// step does what is next in a lane; false: nothing is, and the worker ends.
func (l *lanes) step(ctx context.Context, of *lane, first bool) bool {
	if !first {
		l.slots <- struct{}{} // before work is taken, so that none waits for a slot while another worker is free
		defer func() { <-l.slots }()
	}
	f := l.next(of, first)
	if f != nil && ctx.Err() == nil {
		f()
	}
	return f != nil
}

// next takes the first of a lane's queue; with nil its worker ends.
func (l *lanes) next(of *lane, first bool) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(of.queue) == 0 {
		of.workers--
		of.first = of.first && !first
		return nil
	}
	f := of.queue[0]
	of.queue[0] = nil
	of.queue = of.queue[1:]
	if len(of.queue) == 0 && of.refused {
		of.refused = false
		l.room()
	}
	return f
}
