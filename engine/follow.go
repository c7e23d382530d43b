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
	// windowGrace is added to the end of a URL's life before the last look at it.
	windowGrace = time.Minute
)

// codeAbsent is the code of an attempt that its provider did not know when it was last asked.
const codeAbsent = "absent"

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

// afterwards says when a finished payment is looked at once more: when the last URL that a payer may still
// hold, or that an abandoned attempt left behind, cannot be paid any more. Zero = never.
func (e *Engine) afterwards(d *draft) time.Time {
	var last time.Time
	for i := range d.p.Attempts {
		a := &d.p.Attempts[i]
		if a.Status == payment.AttemptSucceeded || !a.URLGiven && a.Status != payment.AttemptAbandoned || !e.askable(d.p, a) {
			continue
		}
		if end := e.windowEnd(d.p, a); end.After(last) {
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
	outcome, err := r.Lookup(ctx, q)
	ans := r.answer(ctx, outcome, err)
	e.noteHealth(r, ans.err)
	return ans
}

// follow takes one payment a step further: it is called when the payment's next look is due.
func (e *Engine) follow(ctx context.Context, id string) error {
	p, err := e.store.Get(ctx, id)
	if err != nil {
		return err
	}
	if p.Status == payment.Processing {
		if p, err = e.recover(ctx, p); err != nil || p.Status == payment.Processing {
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

// recover takes up a payment whose hand-over this or another process left without storing its answer. While
// the call may still be running it only waits.
func (e *Engine) recover(ctx context.Context, p *payment.Payment) (*payment.Payment, error) {
	return e.update(ctx, p, func(d *draft) {
		a := d.p.Current()
		switch {
		case d.p.Status != payment.Processing || a == nil || a.Status != payment.AttemptProcessing:
		case d.now.Before(a.DeadlineAt.Add(deadlineGrace)):
			d.lookAt(a.DeadlineAt.Add(deadlineGrace))
		default:
			message := "the router stopped before the provider's answer was stored"
			d.add(payment.EventAttemptEnded, payment.EventData{
				Attempt: a.Number, AttemptStatus: payment.AttemptInDoubt, Code: payment.CodeUnknown, Message: message,
			})
			e.doubt(d, &payment.Failure{Code: payment.CodeUnknown, Message: message})
		}
	})
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
	return e.update(ctx, p, e.reschedule)
}

// lookUpAttempt asks about one attempt and stores what that means.
func (e *Engine) lookUpAttempt(ctx context.Context, p *payment.Payment, number int, decision *payment.Decision) (*payment.Payment, error) {
	a := p.Attempt(number)
	ans := e.ask(ctx, e.providers[a.Provider], provider.Query{
		Key: a.Key, Reference: a.Reference, Operation: p.Operation, Method: p.Method, SubmittedAt: a.StartedAt,
	})
	if err := ctx.Err(); err != nil {
		return p, err // given up by us: says nothing
	}
	p, err := e.update(ctx, p, func(d *draft) { e.concludeLookup(d, number, ans, decision) })
	if err == nil && p.Status == payment.Processing && p.Current().Status == payment.AttemptProcessing && p.Current().Number > number {
		e.handOver(ctx, p, decision, false)
		return e.store.Get(ctx, p.ID)
	}
	return p, err
}

// concludeLookup drafts what a look-up means.
func (e *Engine) concludeLookup(d *draft, number int, ans answer, decision *payment.Decision) {
	a := d.p.Attempt(number)
	current := number == len(d.p.Attempts)
	switch {
	case a.Status == payment.AttemptProcessing:
		return // its hand-over is under way
	case ans.err != nil:
		if d.p.Status == payment.InDoubt && current {
			e.evidence(d, a, payment.EventData{Attempt: number, Code: string(ans.err.Code), Message: ans.err.Message, Reference: ans.err.Reference})
		}
		e.reschedule(d)
		return
	case ans.Status == provider.Absent:
		e.concludeAbsent(d, number, ans, decision)
		return
	case e.mismatch(d, a, ans.Outcome):
		e.reschedule(d)
		return
	}
	a = d.p.Attempt(number)
	before, status := a.Status, attemptStatus[ans.Status]
	if status != before || ans.Code != a.Code || ans.Reference != "" && ans.Reference != a.Reference {
		if before == payment.AttemptAbandoned && status == payment.AttemptPending {
			status = before // nobody was given its URL
		}
		d.add(payment.EventLookup, payment.EventData{
			Attempt: number, AttemptStatus: status, Code: ans.Code, Message: ans.Message, Reference: ans.Reference,
		})
	}
	switch {
	case ans.Status == provider.Succeeded && before == payment.AttemptSucceeded:
		e.reschedule(d)
	case ans.Status == provider.Succeeded && d.p.Status == payment.Succeeded:
		d.add(payment.EventDoublePayment, payment.EventData{Attempt: number, Provider: a.Provider, Reference: ans.Reference})
		e.log.Error("a payment succeeded twice", "payment", d.p.ID, "attempt", number)
		e.reschedule(d)
	case ans.Status == provider.Succeeded && d.p.Status.Final():
		d.add(payment.EventLateSuccess, payment.EventData{Attempt: number, Provider: a.Provider, Reference: ans.Reference, Code: ans.Code})
		e.log.Warn("a payment succeeded late", "payment", d.p.ID, "attempt", number)
		e.reschedule(d)
	case ans.Status == provider.Succeeded:
		e.settle(d, number, ans.Outcome)
	case d.p.Status.Final() || !current:
		e.reschedule(d)
	default:
		e.concludeCurrent(d, number, ans, decision)
	}
}

// concludeCurrent drafts what a look-up of an unfinished payment's last attempt means, success apart.
func (e *Engine) concludeCurrent(d *draft, number int, ans answer, decision *payment.Decision) {
	o := ans.Outcome
	switch {
	case o.Status == provider.Failed && d.p.Status == payment.InDoubt && !d.p.Attempt(number).URLGiven:
		e.nextOrFail(d, number, provider.CodeUnavailable, payment.EventData{Code: o.Code, Message: o.Message}, decision)
	case d.p.Status == payment.Pending && o.Status == provider.Pending && (d.p.Action != nil || o.Action == nil),
		d.p.Status == payment.Pending && o.Status == provider.Authorized && d.p.Action == nil:
		e.reschedule(d) // nothing that the payer must know
	default:
		e.settle(d, number, o)
	}
}

// concludeAbsent drafts what it means that a provider does not know an attempt: nothing, until its plugin's
// absent_after has passed since the call could last have arrived.
func (e *Engine) concludeAbsent(d *draft, number int, ans answer, decision *payment.Decision) {
	a := d.p.Attempt(number)
	data := payment.EventData{Attempt: number, Code: codeAbsent, Message: orElse(ans.Message, "the provider does not know this attempt (yet)")}
	c := e.capability(a.Provider, &d.p.Request)
	proof := c != nil && c.Recovery.AbsentAfter > 0 && d.now.Sub(a.DeadlineAt) >= time.Duration(c.Recovery.AbsentAfter)
	if number != len(d.p.Attempts) || d.p.Status != payment.InDoubt || a.Code == payment.CodeMismatch || !proof {
		if d.p.Status == payment.InDoubt && a.Code != payment.CodeMismatch {
			e.evidence(d, a, data)
		}
		e.reschedule(d)
		return
	}
	data.AttemptStatus = payment.AttemptFailed
	data.Message = "the provider does not know this attempt " + c.Recovery.AbsentAfter.String() + " after the call, which proves that it was not executed"
	d.add(payment.EventLookup, data)
	e.nextOrFail(d, number, provider.CodeUnavailable, data, decision)
}

// reschedule says when the payment is looked at next when nothing else changed, and closes an unanswered
// redirect pay-in once the URL that nobody was given cannot be paid any more.
func (e *Engine) reschedule(d *draft) {
	a := d.p.Current()
	switch {
	case d.p.Status.Final():
		if a != nil && a.Status.Live() { // an abandoned attempt succeeded while another was under way
			d.lookAt(e.nextLookup(d, a.Number))
			return
		}
		d.lookAt(e.afterwards(d))
	case a == nil || a.Status == payment.AttemptProcessing:
	case a.Code == payment.CodeMismatch:
		d.lookAt(time.Time{})
	case d.p.Status == payment.InDoubt && e.orphaned(d, a):
		message := "no answer came, nobody was given its URL, and it cannot be paid any more"
		d.add(payment.EventLookup, payment.EventData{Attempt: a.Number, AttemptStatus: payment.AttemptExpired, Code: "unanswered", Message: message})
		d.add(payment.EventExpired, payment.EventData{Attempt: a.Number, Failure: &payment.Failure{Code: "unanswered", Message: message}})
		d.lookAt(time.Time{})
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
	if p.Status != payment.InDoubt || p.Failure != nil && p.Failure.Code == payment.CodeMismatch {
		return false
	}
	a := p.Current()
	c := e.capability(a.Provider, &p.Request)
	if c == nil || !c.Recovery.ResendSameKey || a.Status != payment.AttemptInDoubt {
		return false
	}
	now := e.now()
	if p.Operation == payment.PayIn && now.Sub(a.StartedAt) > resendPayIn {
		return false
	}
	if keep := e.providers[a.Provider].keyRetention; keep > 0 && now.Sub(a.StartedAt) > keep {
		return false
	}
	return !e.askable(p, a) || a.Code == codeAbsent
}

// resend hands the last attempt over again under its own key. That it does so is durable first, so that the
// time after which its absence would be proof begins anew.
func (e *Engine) resend(ctx context.Context, p *payment.Payment, decision *payment.Decision) error {
	number := len(p.Attempts)
	sent := false
	p, err := e.update(ctx, p, func(d *draft) {
		a := d.p.Current()
		if sent = d.p.Status == payment.InDoubt && a.Number == number && a.Status == payment.AttemptInDoubt; !sent {
			return
		}
		deadline := d.now.Add(e.providers[a.Provider].timeout)
		d.add(payment.EventLookup, payment.EventData{
			Attempt: number, Code: "resend", Message: "sent again under the same key", DeadlineAt: deadline,
		})
		d.lookAt(deadline.Add(deadlineGrace))
	})
	if err == nil && sent {
		e.handOver(ctx, p, decision, true)
	}
	return err
}

// Refresh looks a payment up at its provider now and returns it.
func (e *Engine) Refresh(ctx context.Context, id string) (*payment.Payment, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	p, err := e.store.Get(ctx, id)
	if err != nil || len(p.Attempts) == 0 || p.Status == payment.Processing {
		return p, err
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
