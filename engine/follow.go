package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/internal/failpoint"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// askable reports whether the attempt's provider can be asked about it.
func (e *Engine) askable(p *payment.Payment, a *payment.Attempt) bool {
	c := e.capability(a.Provider, &p.Request)
	return c != nil && (a.Reference != "" || c.Recovery.LookupByKey)
}

// ask looks one attempt up at its provider. No money moves.
func (e *Engine) ask(ctx context.Context, r *running, q provider.Query) answer {
	ctx, cancel := e.withTimeout(ctx, r.timeout)
	defer cancel()
	failpoint.Pass(failpoint.LookupSent)
	outcome, err := guarded(ctx, e.crew, func() (provider.Outcome, error) { return r.Lookup(ctx, q) })
	ans := r.answer(ctx, outcome, err)
	told := string(ans.Status)
	if ans.err != nil {
		told = string(ans.err.Code)
	}
	e.metrics.lookups.add(r.name, told)
	e.noteHealth(r, ans.err)
	return ans
}

// follow takes one payment a step further: it is called when the payment's next look is due.
func (e *Engine) follow(ctx context.Context, id string) error {
	if err := e.busy.wait(ctx, id); err != nil {
		return err
	}
	defer e.done(id)
	p, err := e.store.Get(ctx, id)
	if err != nil || p.NextLookupAt.IsZero() || p.NextLookupAt.After(e.now()) {
		return err // whoever had the turn has looked
	}
	if p, err = e.setRight(ctx, p); err != nil {
		return err
	}
	if c := p.Current(); c != nil && c.Status == payment.AttemptProcessing {
		if p, err = e.recover(ctx, p); err != nil || p.Current().Status == payment.AttemptProcessing {
			return err
		}
	}
	decision, err := e.Decision(ctx, id)
	if err != nil {
		return err
	}
	_, err = e.look(ctx, p, decision, time.Time{})
	return err
}

// setRight counts deadlines from now that are further away than a call may take: they were set while the clock was ahead. What
// began before the clock was put back is not sent again, by later processes neither: nobody knows how old it is.
func (e *Engine) setRight(ctx context.Context, p *payment.Payment) (*payment.Payment, error) {
	ahead := func(a payment.Attempt, now time.Time) bool { return a.DeadlineAt.Sub(now) > routing.MaxTimeout }
	now := e.now()
	if !slices.ContainsFunc(p.Attempts, func(a payment.Attempt) bool { return ahead(a, now) || e.ageless(a) }) {
		return p, nil
	}
	e.log.Warn("a payment began before the clock was put back: its deadlines count from now, and it is not sent again", "payment", p.ID)
	d, err := e.update(ctx, p, func(d *draft) {
		for _, a := range d.p.Attempts {
			data := payment.EventData{Attempt: a.Number, Code: a.Code, Message: a.Message, NoResend: e.ageless(a)}
			if ahead(a, d.now) {
				data.DeadlineAt = d.now.Add(routing.MaxTimeout)
			}
			if data.NoResend || !data.DeadlineAt.IsZero() {
				d.add(payment.EventLookup, data)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return d.p, nil
}

// ageless reports whether an attempt in doubt began before the clock was put back, which is not noted of it yet.
func (e *Engine) ageless(a payment.Attempt) bool {
	_, _, back := e.steps.notice(e.clock)
	return a.Status == payment.AttemptInDoubt && !a.NoResend && a.StartedAt.Before(back)
}

// look looks a payment up and, where its next look is due by the end of that, sends it again if that may help: whoever
// takes the turn of the schedule's look does all of it.
func (e *Engine) look(ctx context.Context, p *payment.Payment, decision *payment.Decision, due time.Time) (*payment.Payment, error) {
	p, err := e.lookUp(ctx, p, decision)
	if err != nil || due.After(e.now()) || !e.mayResend(p) {
		return p, err
	}
	if err := e.resend(ctx, p, decision); err != nil {
		return p, err
	}
	return e.store.Get(ctx, p.ID)
}

// routerStopped is the message of an end that recover writes.
const routerStopped = "the router stopped before the provider's answer was stored"

// recover takes up an attempt whose hand-over this or another process left without storing its answer. While
// the call may still be running it only waits.
func (e *Engine) recover(ctx context.Context, p *payment.Payment) (*payment.Payment, error) {
	d, err := e.update(ctx, p, func(d *draft) {
		a := d.p.Current()
		if a.Status == payment.AttemptProcessing && !d.now.Before(a.DeadlineAt.Add(deadlineGrace)) {
			d.add(payment.EventAttemptEnded, payment.EventData{
				Attempt: a.Number, AttemptStatus: payment.AttemptInDoubt, Code: payment.CodeUnknown, Message: routerStopped,
			})
			if d.p.Status == payment.Processing {
				d.add(payment.EventInDoubt, payment.EventData{
					Attempt: a.Number, Failure: &payment.Failure{Code: payment.CodeUnknown, Message: routerStopped},
				})
			}
		}
		e.reschedule(d)
	})
	if err != nil {
		return nil, err
	}
	failpoint.Pass(failpoint.DoubtStored)
	return d.p, nil
}

// lookUp asks about every attempt of the payment that could still have moved money, in a finished one about the last
// however it was closed, and stores what that means. It never hands anything over, except to the next candidate when the
// last attempt proves not executed.
func (e *Engine) lookUp(ctx context.Context, p *payment.Payment, decision *payment.Decision) (*payment.Payment, error) {
	asked, current := false, false // any attempt, and the last one
	for number := 1; number <= len(p.Attempts); number++ {
		a := p.Attempt(number)
		last := number == len(p.Attempts)
		open := a.Status == payment.AttemptPending || a.Status == payment.AttemptInDoubt || a.Status == payment.AttemptAbandoned ||
			(a.URLGiven || last && p.Status.Final()) && a.Status != payment.AttemptSucceeded
		if !open || !e.askable(p, a) {
			continue
		}
		asked, current = true, last
		var err error
		if p, _, err = e.lookUpAttempt(ctx, p, number, decision); err != nil {
			return p, err
		}
	}
	if current {
		return p, nil
	}
	d, err := e.update(ctx, p, func(d *draft) {
		if !e.closeOrphan(d) && !asked {
			e.reschedule(d)
		}
	})
	if err != nil {
		return p, err
	}
	return d.p, nil
}

// lookUpAttempt asks about one attempt and stores what that means. The caller has the payment's turn. unanswered says why
// there was no clear answer; nil where there was one.
func (e *Engine) lookUpAttempt(
	ctx context.Context, p *payment.Payment, number int, decision *payment.Decision,
) (_ *payment.Payment, unanswered *provider.Error, _ error) {
	a := p.Attempt(number)
	r := e.provider(a.Provider)
	if r == nil {
		return p, errGone, nil // taken out of the rules meanwhile: the payment comes up again
	}
	ans := e.ask(ctx, r, provider.Query{
		Key: a.Key, Reference: a.Reference, Operation: p.Operation, Method: p.Method, SubmittedAt: a.StartedAt,
	})
	if err := ctx.Err(); err != nil {
		return p, nil, err // given up by us: says nothing
	}
	e.noteCode(r.name, "lookup", p.ID, ans.err)
	if ans.err == nil && !r.knows(a) && ans.Key != a.Key {
		ans = answer{err: errElsewhere}
	}
	d, err := e.update(ctx, p, func(d *draft) {
		d.err = failpoint.Err(failpoint.LookupAnswered)
		e.concludeLookup(d, number, ans, decision)
	})
	if err != nil {
		return p, nil, err
	}
	if d.started() {
		e.handOver(ctx, d.p, decision, false)
		p, err = e.store.Get(ctx, p.ID)
		return p, nil, err
	}
	return d.p, ans.err, nil
}

// mayResend reports whether a payment in doubt may be sent again under the key of its last attempt: the
// provider promises that to be harmless, and asking has not helped or is not possible.
func (e *Engine) mayResend(p *payment.Payment) bool {
	if p.Status != payment.InDoubt || mismatched(p) > 0 {
		return false
	}
	a := p.Current()
	r, c := e.provider(a.Provider), e.capability(a.Provider, &p.Request)
	if !r.knows(a) || c == nil || !c.Recovery.ResendSameKey || a.Status != payment.AttemptInDoubt || a.NoResend {
		return false
	}
	now := e.now()
	if _, _, back := e.steps.notice(e.clock); a.DeadlineAt.Before(a.StartedAt) || a.StartedAt.Before(back) || a.StartedAt.After(now) {
		return false // the clock was put back since (see setRight): nobody knows how old it is
	}
	bound := resendUnknown
	if r.keyRetention > 0 {
		bound = r.keyRetention - r.timeout - deadlineGrace // it must arrive before the key is forgotten
	}
	if p.Operation == payment.PayIn {
		bound = min(bound, resendPayIn)
	}
	return now.Sub(a.StartedAt) < bound && (!e.askable(p, a) || a.Code == codeAbsent)
}

// resend hands the last attempt over again under its own key. That it does so is durable first, so that the
// time after which its absence would be proof begins anew.
func (e *Engine) resend(ctx context.Context, p *payment.Payment, decision *payment.Decision) error {
	number := len(p.Attempts)
	r := e.provider(p.Current().Provider)
	if !r.knows(p.Current()) {
		return nil // taken out of the rules, or changed, meanwhile: the payment comes up again
	}
	d, err := e.update(ctx, p, func(d *draft) {
		a := d.p.Current()
		if d.p.Status != payment.InDoubt || a.Number != number || a.Status != payment.AttemptInDoubt {
			return
		}
		deadline := d.now.Add(r.timeout)
		d.add(payment.EventLookup, payment.EventData{
			Attempt: number, Code: codeResend, Message: "sent again under the same key", DeadlineAt: deadline,
		})
		d.lookAt(deadline.Add(deadlineGrace))
	})
	if err == nil && len(d.events) > 0 {
		failpoint.Pass(failpoint.ResendStored)
		e.handOver(ctx, d.p, decision, true)
	}
	return err
}

// Refresh looks a payment up at its provider now and returns it; one that is being handed over it returns as it
// stands. A look that is under way already is waited for.
func (e *Engine) Refresh(ctx context.Context, id string) (*payment.Payment, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	p, err := e.store.Get(ctx, id)
	if err != nil || len(p.Attempts) == 0 || p.Status == payment.Processing {
		return p, err
	}
	if err := e.busy.wait(ctx, id); err != nil {
		return nil, err
	}
	defer e.done(id)
	if p, err = e.store.Get(ctx, id); err != nil {
		return nil, err
	}
	decision, err := e.Decision(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err = e.look(ctx, p, decision, p.NextLookupAt)
	return handedOut(p), err
}

// Decision returns the stored decision of a payment.
func (e *Engine) Decision(ctx context.Context, id string) (*payment.Decision, error) {
	events, err := e.store.Events(ctx, id, 1, 1)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 || events[0].Data.Decision == nil {
		return nil, errors.Join(store.ErrCorrupt, errors.New("payment "+id+" has no decision as its second event"))
	}
	return events[0].Data.Decision, nil
}
