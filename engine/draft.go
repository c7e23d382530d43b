package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// draft gathers what is about to become durable about one payment: events, and the state after them.
type draft struct {
	p      *payment.Payment
	events []payment.Event
	now    time.Time
	looked time.Time // NextLookupAt as it was
	final  bool      // it was finished already
	err    error
}

func (e *Engine) draft(p *payment.Payment) *draft {
	e.steps.notice(e.clock)
	return &draft{p: p.Clone(), events: make([]payment.Event, 0, 2), now: e.now(), looked: p.NextLookupAt, final: p.Status.Final()}
}

// add folds one event into the draft. The first unlawful one makes commit fail with nothing written.
func (d *draft) add(t payment.EventType, data payment.EventData) {
	if d.err != nil {
		return
	}
	ev := payment.Event{Seq: d.p.Seq + 1, Type: t, At: d.now, Data: data}
	if d.err = d.p.Apply(ev); d.err == nil {
		d.events = append(d.events, ev)
	}
}

// started reports whether the draft begins the payment's last attempt: whoever makes that durable hands it over.
func (d *draft) started() bool {
	for _, ev := range d.events {
		if ev.Type == payment.EventAttemptStarted && ev.Data.Attempt == len(d.p.Attempts) {
			return true
		}
	}
	return false
}

// lookAt says when the payment is looked up next.
func (d *draft) lookAt(t time.Time) { d.p.NextLookupAt = t }

// commit makes the draft durable and tells those who wait for the payment.
func (e *Engine) commit(ctx context.Context, d *draft) error {
	if d.err != nil {
		return d.err
	}
	if len(d.events) == 0 && d.p.NextLookupAt.Equal(d.looked) {
		return nil // and a lease on it goes on
	}
	if !d.p.NextLookupAt.IsZero() && !d.p.NextLookupAt.After(d.now) {
		d.lookAt(d.now.Add(retryPause)) // whatever went wrong: no look is due again at once
	}
	if len(d.events) == 0 {
		return e.schedule(ctx, d.p)
	}
	write := e.store.Append
	if d.events[0].Seq == 1 {
		write = e.store.Create
	}
	err := write(context.WithoutCancel(ctx), d.p, d.events)
	e.checkStore(err)
	if err != nil {
		return err
	}
	e.due(d.p.NextLookupAt)
	e.observe(d)
	e.watchers.tell(d.p)
	return nil
}

func (e *Engine) schedule(ctx context.Context, p *payment.Payment) error {
	err := e.store.Schedule(context.WithoutCancel(ctx), p.ID, p.Seq, p.NextLookupAt)
	e.checkStore(err)
	if err == nil {
		e.due(p.NextLookupAt)
	}
	return err
}

// maxConflicts bounds how often one change is tried again because the payment changed meanwhile.
const maxConflicts = 20

// update changes a payment: build makes a draft of p. When the payment changed since p was read, it is read
// again and build runs anew; build must therefore depend on nothing but the payment it is given. update returns
// what became durable.
func (e *Engine) update(ctx context.Context, p *payment.Payment, build func(*draft)) (*draft, error) {
	for range maxConflicts {
		d := e.draft(p)
		build(d)
		err := e.commit(ctx, d)
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, err
		}
		if p, err = e.store.Get(context.WithoutCancel(ctx), p.ID); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("engine: payment %s kept changing; gave up after %d tries", p.ID, maxConflicts)
}
