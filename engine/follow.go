package engine

import (
	"context"
	"errors"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// The schedule of look-ups: the first soon after the hand-over, then whenever half of the attempt's age has
// passed again (seconds, then minutes, then hours), give or take a tenth, for ever.
const (
	firstLookPending = 10 * time.Second // a payer needs a moment
	firstLookInDoubt = 2 * time.Second
	longestPauseDay  = 15 * time.Minute // in the first day
	longestPauseWeek = time.Hour        // in the first week
	longestPause     = 6 * time.Hour

	// deadlineGrace is added to a call's deadline before anything is asked about an attempt whose call may,
	// after a crash, still be running.
	deadlineGrace = 2 * time.Second
	// resendPayIn bounds how long an unanswered redirect pay-in is sent again: later its payer has gone.
	resendPayIn = 10 * time.Minute
	// resendUnknown bounds how long anything is sent again where it is not known how long the provider remembers a key.
	resendUnknown = 24 * time.Hour
	// followLate bounds how long a finished payment is followed for a late success, where its provider does not
	// answer, or does not say how long its URL lives.
	followLate = 7 * 24 * time.Hour
	// windowGrace is added to the end of a URL's life before the last look at it.
	windowGrace = time.Minute
)

// nextLookup says when an attempt is looked at next.
func (e *Engine) nextLookup(d *draft, number int) time.Time {
	a := d.p.Attempt(number)
	first := firstLookInDoubt
	if a.Status == payment.AttemptPending {
		first = firstLookPending
	}
	age := d.now.Sub(a.StartedAt)
	longest := longestPause
	switch {
	case age < 24*time.Hour:
		longest = longestPauseDay
	case age < 7*24*time.Hour:
		longest = longestPauseWeek
	}
	pause := min(max(first, age/2), longest)
	var random [1]byte
	e.read(random[:])
	pause += pause * (time.Duration(random[0]) - 128) / 1280
	next := d.now.Add(pause)
	if end := e.windowEnd(d.p, a); a.Status == payment.AttemptInDoubt && end.After(d.now) && end.Before(next) {
		next = end
	}
	return next
}

// windowEnd is when an attempt's URL can be paid no more; zero where that is not known.
func (e *Engine) windowEnd(p *payment.Payment, a *payment.Attempt) time.Time {
	if p.Operation != payment.PayIn {
		return time.Time{}
	}
	if a.Number == len(p.Attempts) && a.URLGiven && !p.ExpiresAt.IsZero() {
		return p.ExpiresAt.Add(windowGrace)
	}
	c := e.capability(a.Provider, &p.Request)
	if c == nil || c.Recovery.ExpiresAfter == 0 {
		return time.Time{}
	}
	return a.DeadlineAt.Add(time.Duration(c.Recovery.ExpiresAfter))
}

// afterwards says when a finished payment is looked at once more: while an attempt is still open, and when the
// last URL that a payer may hold, or that an abandoned attempt left behind, cannot be paid any more. unanswered
// tells that the look that was due now gave no final answer. Zero = never.
func (e *Engine) afterwards(d *draft, unanswered bool) time.Time {
	var last time.Time
	for i := range d.p.Attempts {
		a := &d.p.Attempts[i]
		if a.Status == payment.AttemptSucceeded || a.Code == payment.CodeMismatch || !e.askable(d.p, a) {
			continue
		}
		end := e.windowEnd(d.p, a)
		switch {
		case a.Status.Live(), (a.URLGiven || a.Status == payment.AttemptAbandoned) && (end.IsZero() || unanswered && !end.After(d.now)):
			if d.now.Sub(a.StartedAt) < followLate || a.Status.Live() {
				end = e.nextLookup(d, a.Number)
			}
		case !a.URLGiven && a.Status != payment.AttemptAbandoned:
			continue
		}
		if end.After(last) {
			last = end
		}
	}
	if !last.After(d.now) {
		return time.Time{}
	}
	return last
}

// askable reports whether the attempt's provider can be asked about it.
func (e *Engine) askable(p *payment.Payment, a *payment.Attempt) bool {
	c := e.capability(a.Provider, &p.Request)
	return c != nil && (a.Reference != "" || c.Recovery.LookupByKey)
}

// ask looks one attempt up at its provider. No money moves.
func (e *Engine) ask(ctx context.Context, r *running, q provider.Query) answer {
	ctx, cancel := e.withTimeout(ctx, r.timeout)
	defer cancel()
	outcome, err := guarded(ctx, func() (provider.Outcome, error) { return r.Lookup(ctx, q) })
	ans := r.answer(ctx, outcome, err)
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
	if c := p.Current(); c != nil && c.Status == payment.AttemptProcessing {
		if p, err = e.recover(ctx, p); err != nil || p.Current().Status == payment.AttemptProcessing {
			return err
		}
	}
	decision, err := e.Decision(ctx, id)
	if err != nil {
		return err
	}
	if p, err = e.lookUp(ctx, p, decision); err != nil {
		return err
	}
	if e.mayResend(p) {
		return e.resend(ctx, p, decision)
	}
	return nil
}

// recover takes up an attempt whose hand-over this or another process left without storing its answer. While
// the call may still be running it only waits.
func (e *Engine) recover(ctx context.Context, p *payment.Payment) (*payment.Payment, error) {
	d, err := e.update(ctx, p, func(d *draft) {
		a := d.p.Current()
		if a.Status == payment.AttemptProcessing && !d.now.Before(a.DeadlineAt.Add(deadlineGrace)) {
			message := "the router stopped before the provider's answer was stored"
			d.add(payment.EventAttemptEnded, payment.EventData{
				Attempt: a.Number, AttemptStatus: payment.AttemptInDoubt, Code: payment.CodeUnknown, Message: message,
			})
			if d.p.Status == payment.Processing {
				d.add(payment.EventInDoubt, payment.EventData{
					Attempt: a.Number, Failure: &payment.Failure{Code: payment.CodeUnknown, Message: message},
				})
			}
		}
		e.reschedule(d)
	})
	if err != nil {
		return nil, err
	}
	return d.p, nil
}

// lookUp asks about every attempt of the payment that could still have moved money, and stores what that
// means. It never hands anything over, except to the next candidate when the last attempt proves not executed.
func (e *Engine) lookUp(ctx context.Context, p *payment.Payment, decision *payment.Decision) (*payment.Payment, error) {
	asked := false
	for number := 1; number <= len(p.Attempts); number++ {
		a := p.Attempt(number)
		open := a.Status == payment.AttemptPending || a.Status == payment.AttemptInDoubt ||
			a.Status == payment.AttemptAbandoned || a.URLGiven && a.Status != payment.AttemptSucceeded
		if !open || !e.askable(p, a) {
			continue
		}
		asked = true
		var err error
		if p, err = e.lookUpAttempt(ctx, p, number, decision); err != nil {
			return p, err
		}
	}
	if asked {
		return p, nil
	}
	d, err := e.update(ctx, p, func(d *draft) {
		if !e.closeOrphan(d) {
			e.reschedule(d)
		}
	})
	if err != nil {
		return p, err
	}
	return d.p, nil
}

// lookUpAttempt asks about one attempt and stores what that means. The caller has the payment's turn.
func (e *Engine) lookUpAttempt(ctx context.Context, p *payment.Payment, number int, decision *payment.Decision) (*payment.Payment, error) {
	a := p.Attempt(number)
	ans := e.ask(ctx, e.providers[a.Provider], provider.Query{
		Key: a.Key, Reference: a.Reference, Operation: p.Operation, Method: p.Method, SubmittedAt: a.StartedAt,
	})
	if err := ctx.Err(); err != nil {
		return p, err // given up by us: says nothing
	}
	d, err := e.update(ctx, p, func(d *draft) { e.concludeLookup(d, number, ans, decision) })
	if err != nil {
		return p, err
	}
	if d.started() {
		e.handOver(ctx, d.p, decision, false)
		return e.store.Get(ctx, p.ID)
	}
	return d.p, nil
}

// concludeLookup drafts what a look-up means.
func (e *Engine) concludeLookup(d *draft, number int, ans answer, decision *payment.Decision) {
	a := d.p.Attempt(number)
	current := number == len(d.p.Attempts)
	switch {
	case a.Status == payment.AttemptProcessing:
		return // its hand-over is under way
	case ans.err != nil:
		if d.p.Status == payment.InDoubt && current && a.Code != payment.CodeMismatch {
			e.evidence(d, a, payment.EventData{Attempt: number, Code: string(ans.err.Code), Message: ans.err.Message, Reference: ans.err.Reference})
		}
		e.rescheduleAfter(d, true)
		return
	case ans.Status == provider.Absent:
		e.concludeAbsent(d, number, ans, decision)
		return
	case e.mismatch(d, a, ans.Outcome):
		e.reschedule(d)
		return
	}
	before, status := a.Status, attemptStatus[ans.Status]
	if before == payment.AttemptAbandoned && status == payment.AttemptPending {
		status = before // nobody was given its URL
	}
	if status != before || ans.Code != "" && ans.Code != a.Code || ans.Reference != "" && ans.Reference != a.Reference {
		d.add(payment.EventLookup, payment.EventData{
			Attempt: number, AttemptStatus: status, Code: ans.Code, Message: ans.Message, Reference: ans.Reference,
		})
	}
	switch {
	case ans.Status == provider.Succeeded:
		e.concludeSuccess(d, number, before, ans.Outcome)
	case d.p.Status.Final() || !current || mismatched(d.p) > 0:
		e.rescheduleAfter(d, ans.Status == provider.Pending || ans.Status == provider.Authorized)
	default:
		e.concludeCurrent(d, number, ans, decision)
	}
}

// concludeCurrent drafts what a look-up of an unfinished payment's last attempt means, success apart.
func (e *Engine) concludeCurrent(d *draft, number int, ans answer, decision *payment.Decision) {
	o := ans.Outcome
	switch {
	case o.Status == provider.Failed && e.mayGoOn(d, number):
		e.nextOrFail(d, number, provider.CodeUnavailable, payment.EventData{Code: o.Code, Message: o.Message}, decision)
	case d.p.Status == payment.Pending && o.Status == provider.Pending && (d.p.Action != nil || o.Action == nil),
		d.p.Status == payment.Pending && o.Status == provider.Authorized && d.p.Action == nil:
		e.reschedule(d) // nothing that the payer must know
	default:
		e.settle(d, number, o)
	}
}

// mayGoOn reports whether another candidate may be tried once the attempt proves not executed: it is the last
// one, the payment is in doubt about it, nobody was given its URL, and no resend of it may still be running.
func (e *Engine) mayGoOn(d *draft, number int) bool {
	a := d.p.Attempt(number)
	return number == len(d.p.Attempts) && d.p.Status == payment.InDoubt && mismatched(d.p) == 0 && !a.URLGiven &&
		(a.Code != codeResend || !d.now.Before(a.DeadlineAt))
}

// concludeAbsent drafts what it means that a provider does not know an attempt: nothing, until its plugin's
// absent_after has passed since the call could last have arrived.
func (e *Engine) concludeAbsent(d *draft, number int, ans answer, decision *payment.Decision) {
	a := d.p.Attempt(number)
	data := payment.EventData{Attempt: number, Code: codeAbsent, Message: orElse(ans.Message, "the provider does not know this attempt (yet)")}
	c := e.capability(a.Provider, &d.p.Request)
	proof := c != nil && c.Recovery.AbsentAfter > 0 && d.now.Sub(a.DeadlineAt) >= time.Duration(c.Recovery.AbsentAfter)
	if !proof || !e.mayGoOn(d, number) {
		if d.p.Status == payment.InDoubt && a.Code != payment.CodeMismatch {
			e.evidence(d, a, data)
		}
		if !e.closeOrphan(d) {
			e.reschedule(d)
		}
		return
	}
	data.AttemptStatus = payment.AttemptFailed
	data.Message = "the provider does not know this attempt " + c.Recovery.AbsentAfter.String() + " after the call, which proves that it was not executed"
	d.add(payment.EventLookup, data)
	e.nextOrFail(d, number, provider.CodeUnavailable, data, decision)
}

// closeOrphan ends an unanswered redirect pay-in once the URL that nobody was given cannot be paid any more.
func (e *Engine) closeOrphan(d *draft) bool {
	a := d.p.Current()
	if a == nil || d.p.Status != payment.InDoubt || a.Status != payment.AttemptInDoubt || mismatched(d.p) > 0 || !e.orphaned(d, a) {
		return false
	}
	data := payment.EventData{
		Attempt: a.Number, AttemptStatus: payment.AttemptExpired, Code: "unanswered",
		Message: "no answer came, nobody was given its URL, and it cannot be paid any more",
	}
	d.add(payment.EventLookup, data)
	d.add(payment.EventExpired, payment.EventData{Attempt: data.Attempt, Failure: &payment.Failure{Code: data.Code, Message: data.Message}})
	e.reschedule(d)
	return true
}

// reschedule says when the payment is looked at next.
func (e *Engine) reschedule(d *draft) { e.rescheduleAfter(d, false) }

// rescheduleAfter is reschedule after a look-up that gave no final answer (unanswered).
func (e *Engine) rescheduleAfter(d *draft, unanswered bool) {
	a := d.p.Current()
	switch {
	case a == nil:
		d.lookAt(time.Time{})
	case a.Status == payment.AttemptProcessing:
		d.lookAt(a.DeadlineAt.Add(deadlineGrace))
	case d.p.Status.Final():
		d.lookAt(e.afterwards(d, unanswered))
	case mismatched(d.p) > 0:
		d.lookAt(time.Time{}) // a person has to resolve it
	default:
		d.lookAt(e.nextLookup(d, a.Number))
	}
}

func (e *Engine) orphaned(d *draft, a *payment.Attempt) bool {
	end := e.windowEnd(d.p, a)
	return !a.URLGiven && !end.IsZero() && !d.now.Before(end)
}

// mayResend reports whether a payment in doubt may be sent again under the key of its last attempt: the
// provider promises that to be harmless, and asking has not helped or is not possible.
func (e *Engine) mayResend(p *payment.Payment) bool {
	if p.Status != payment.InDoubt || mismatched(p) > 0 {
		return false
	}
	a := p.Current()
	c := e.capability(a.Provider, &p.Request)
	if c == nil || !c.Recovery.ResendSameKey || a.Status != payment.AttemptInDoubt {
		return false
	}
	r := e.providers[a.Provider]
	bound := resendUnknown
	if r.keyRetention > 0 {
		bound = r.keyRetention - r.timeout - deadlineGrace // it must arrive before the key is forgotten
	}
	if p.Operation == payment.PayIn {
		bound = min(bound, resendPayIn)
	}
	return e.now().Sub(a.StartedAt) < bound && (!e.askable(p, a) || a.Code == codeAbsent)
}

// resend hands the last attempt over again under its own key. That it does so is durable first, so that the
// time after which its absence would be proof begins anew.
func (e *Engine) resend(ctx context.Context, p *payment.Payment, decision *payment.Decision) error {
	number := len(p.Attempts)
	d, err := e.update(ctx, p, func(d *draft) {
		a := d.p.Current()
		if d.p.Status != payment.InDoubt || a.Number != number || a.Status != payment.AttemptInDoubt {
			return
		}
		deadline := d.now.Add(e.providers[a.Provider].timeout)
		d.add(payment.EventLookup, payment.EventData{
			Attempt: number, Code: codeResend, Message: "sent again under the same key", DeadlineAt: deadline,
		})
		d.lookAt(deadline.Add(deadlineGrace))
	})
	if err == nil && len(d.events) > 0 {
		e.handOver(ctx, d.p, decision, true)
	}
	return err
}

// Refresh looks a payment up at its provider now and returns it. While it is being handed over or looked up
// already, Refresh returns it as it stands.
func (e *Engine) Refresh(ctx context.Context, id string) (*payment.Payment, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	p, err := e.store.Get(ctx, id)
	if err != nil || len(p.Attempts) == 0 || p.Status == payment.Processing || !e.busy.try(id) {
		return p, err
	}
	defer e.done(id)
	if p, err = e.store.Get(ctx, id); err != nil {
		return nil, err
	}
	decision, err := e.Decision(ctx, id)
	if err != nil {
		return nil, err
	}
	return e.lookUp(ctx, p, decision)
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
