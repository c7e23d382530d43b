package engine

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/internal/failpoint"
	"github.com/cauce-pay/cauce/payment"
)

// Pay makes one payment under an idempotency key and waits until it leaves processing: until a provider has
// it, or it is final, or in doubt. The same key with the same request returns the same payment, for ever;
// with another request it is ErrKeyReused.
//
// A request that breaks its own rules is a *payment.ValidationError and is not recorded, nor is one whose ctx has ended
// before. When ctx ends later, Pay returns the payment as it stands together with ctx's error; the hand-over goes on.
func (e *Engine) Pay(ctx context.Context, key string, req payment.Request) (*payment.Payment, error) {
	p, _, err := e.take(ctx, key, req)
	if err != nil || p.Status != payment.Processing {
		return p, err
	}
	now, err := e.Wait(ctx, p.ID)
	if now == nil {
		now = handedOut(p) // it could not be read any more
	}
	return now, err
}

// handedOut returns a payment that others hold, too, as the caller's own; nil stays nil.
func handedOut(p *payment.Payment) *payment.Payment {
	if p == nil {
		return nil
	}
	p = p.Clone()
	p.Metadata = maps.Clone(p.Metadata)
	return p
}

// Begin is Pay without the waiting: it returns as soon as the payment is durable, with replayed telling
// whether the key was known already. See Wait.
func (e *Engine) Begin(ctx context.Context, key string, req payment.Request) (p *payment.Payment, replayed bool, err error) {
	p, replayed, err = e.take(ctx, key, req)
	return handedOut(p), replayed, err
}

// take is Begin; while the payment is processing, the one it returns is shared and must not be changed.
func (e *Engine) take(ctx context.Context, key string, req payment.Request) (p *payment.Payment, replayed bool, err error) {
	if !payment.ValidKey(key) {
		return nil, false, ErrKey
	}
	req = req.WithDefaults()
	if err := req.Validate(); err != nil {
		return nil, false, err
	}
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if err := e.enter(); err != nil {
		return nil, false, err
	}
	failpoint.Pass(failpoint.RequestRead)
	d, decision := e.begin(key, &req)
	handedOver := false
	defer func() {
		if !handedOver {
			e.done(d.p.ID)
			e.leave()
		}
	}()
	failpoint.Pass(failpoint.IntentDecided)
	switch err := e.commit(ctx, d); {
	case errors.Is(err, store.ErrKeyTaken):
		p, err := e.replay(ctx, key, &req)
		return p, true, err
	case errors.Is(err, store.ErrFull):
		// A known key is answered even while nothing new can be stored.
		if p, replayErr := e.replay(ctx, key, &req); replayErr == nil || errors.Is(replayErr, ErrKeyReused) {
			return p, true, replayErr
		}
		return nil, false, err
	case err != nil:
		return nil, false, err
	}
	failpoint.Pass(failpoint.IntentStored)
	if d.p.Status == payment.Processing {
		handedOver = true
		end := e.watchers.handOver(d.p)
		e.crew.run(func() {
			defer e.leave()
			defer e.done(d.p.ID)
			defer end()
			e.handOver(context.WithoutCancel(ctx), d.p, decision, false)
		})
	}
	return d.p, false, nil
}

func (e *Engine) replay(ctx context.Context, key string, req *payment.Request) (*payment.Payment, error) {
	p, err := e.store.ByKey(context.WithoutCancel(ctx), key)
	if err != nil {
		return nil, err
	}
	if !p.Request.Equal(*req) {
		return nil, ErrKeyReused
	}
	return p, nil
}

// begin plans a new payment and takes its turn, under rules that are still in force then: a reload lets the
// payments end that have a turn, before it takes a provider away from them.
func (e *Engine) begin(key string, req *payment.Request) (*draft, *payment.Decision) {
	for {
		s := e.current(e.now())
		d, decision := e.plan(s, key, req)
		e.busy.try(d.p.ID) // nobody knows it yet
		if e.state.Load().rules == s.rules {
			return d, decision
		}
		e.done(d.p.ID)
	}
}

// plan decides a new payment and drafts everything that has to be durable before a provider can hear of it.
func (e *Engine) plan(s *state, key string, req *payment.Request) (*draft, *payment.Decision) {
	now := e.now()
	d := &draft{p: &payment.Payment{}, events: make([]payment.Event, 0, 3), now: now}
	id := e.newPaymentID(now)
	decision := s.rules.Decide(req, e.routingFacts(s, now, id))
	d.add(payment.EventCreated, payment.EventData{Payment: id, IdempotencyKey: key, Request: req})
	d.add(payment.EventDecided, payment.EventData{Decision: &decision})
	fail := func(t payment.EventType, code, message string) {
		d.add(t, payment.EventData{Failure: &payment.Failure{Code: code, Message: message}})
	}
	switch {
	case decision.Reject != "":
		fail(payment.EventRejected, payment.CodeRule, string(decision.Reject))
	case decision.Route == "":
		fail(payment.EventFailed, payment.CodeNoRoute, "no route of the rules matched this payment")
	case !e.startNext(d, &decision):
		fail(payment.EventFailed, payment.CodeNoCandidate, noCandidate(&decision))
	}
	return d, &decision
}

func noCandidate(decision *payment.Decision) string {
	message := "route " + string(decision.Route) + " has no provider that can take this payment"
	for _, c := range decision.Candidates {
		if !c.Eligible {
			message += "; " + c.Provider + ": " + c.Reason
		}
	}
	return message
}

// startNext drafts the next attempt, if the decision has a candidate left that was not tried and its failover
// policy allows one more.
func (e *Engine) startNext(d *draft, decision *payment.Decision) bool {
	r, why := e.nextCandidate(d, decision)
	return r != nil && e.startAttempt(d, r, why)
}

// startAttempt drafts an attempt at a provider. The intent carries its own recovery: should this process end before
// the answer is stored, the payment comes up for a look once the call cannot be running any more.
func (e *Engine) startAttempt(d *draft, r *running, why string) bool {
	deadline := d.now.Add(r.timeout)
	d.add(payment.EventAttemptStarted, payment.EventData{
		Attempt: len(d.p.Attempts) + 1, Provider: r.name, Key: e.newAttemptKey(), Account: r.account.id(), DeadlineAt: deadline, Message: why,
	})
	d.lookAt(deadline.Add(deadlineGrace))
	return d.err == nil
}

// waitPoll is how often Wait reads a payment that another router is handing over.
const waitPoll = time.Second

// Wait waits until a payment leaves processing and returns it. When ctx ends first it returns the payment as
// it stands together with ctx's error.
func (e *Engine) Wait(ctx context.Context, id string) (*payment.Payment, error) {
	changes, p, stop := e.watchers.watch(id)
	defer stop()
	var err error
	if p == nil {
		p, err = e.store.Get(ctx, id)
	}
	for err == nil && p.Status == payment.Processing {
		poll := make(chan struct{})
		stopPoll := e.clock.AfterFunc(waitPoll, func() { close(poll) })
		select {
		case p = <-changes:
		case <-poll:
			var read *payment.Payment
			if read, err = e.store.Get(ctx, id); err == nil {
				p = read
			}
		case <-e.failed:
			err = e.failure
		case <-e.stopped:
			err = ErrClosed
		case <-ctx.Done():
			err = ctx.Err()
		}
		stopPoll()
	}
	return handedOut(p), err // the watchers share it
}
