package engine

import (
	"context"
	"errors"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// The schedule of look-ups: the first soon after the hand-over, then whenever half of the attempt's age has
// passed again (seconds, then minutes, then hours), give or take a tenth, for ever.
const (
	firstLookPending = 10 * time.Second // a payer needs a moment
	firstLookInDoubt = 2 * time.Second
	longestPauseDay  = 15 * time.Minute // in the first day
	longestPauseWeek = time.Hour        // in the first week
	longestPause     = 6 * time.Hour

	// youngAtMost bounds the age of what began while the clock was ahead, for the pauses.
	youngAtMost = 10 * time.Minute

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
	next := d.now.Add(e.pause(age(d.now, a.StartedAt), first))
	if end := e.windowEnd(d.p, a); a.Status == payment.AttemptInDoubt && end.After(d.now) && end.Before(next) {
		next = end
	}
	return next
}

// age returns how old something is that began at a time. Where that is still to come the clock was ahead then, and nobody
// knows: it counts as young.
func age(now, began time.Time) time.Duration {
	if began.After(now) {
		return min(began.Sub(now), youngAtMost)
	}
	return now.Sub(began)
}

// pause returns how long to wait before something of that age is tried again: half of its age, at least first, give
// or take a tenth.
func (e *Engine) pause(age, first time.Duration) time.Duration {
	pause := min(max(first, age/2), longest(age))
	var random [1]byte
	e.read(random[:])
	return pause + pause*(time.Duration(random[0])-128)/1280
}

// longest bounds the pauses at an age.
func longest(age time.Duration) time.Duration {
	switch {
	case age < 24*time.Hour:
		return longestPauseDay
	case age < 7*24*time.Hour:
		return longestPauseWeek
	}
	return longestPause
}

// hasten brings the looks forward that are further away than the schedule ever sets them: they were set while the
// clock was ahead. So were, perhaps, the ends of leases; those of what is due now it ends.
func (e *Engine) hasten(ctx context.Context) {
	now := e.now()
	for _, status := range []payment.Status{payment.Processing, payment.Pending, payment.InDoubt} {
		filter := store.Filter{Status: status, Limit: 500}
		for ctx.Err() == nil {
			page, err := e.store.List(ctx, filter)
			if err != nil {
				e.log.Error("the unfinished payments could not be read", "error", err)
				return
			}
			for _, p := range page.Payments {
				a := p.Current()
				wait := p.NextLookupAt.Sub(now)
				if a == nil || wait > 0 && wait <= longest(age(now, a.StartedAt))*5/4 && !e.ageless(*a) {
					continue
				}
				p.NextLookupAt = now
				if err := e.schedule(ctx, p); err != nil && !errors.Is(err, store.ErrConflict) {
					e.log.Error("a payment's next look could not be brought forward", "payment", p.ID, "error", err)
				}
			}
			if filter.Cursor = page.Next; filter.Cursor == "" {
				break
			}
		}
	}
}

// windowEnd is when an attempt's URL can be paid no more; zero where that is not known.
func (e *Engine) windowEnd(p *payment.Payment, a *payment.Attempt) time.Time {
	if p.Operation != payment.PayIn {
		return time.Time{}
	}
	var end time.Time
	if a.Number == len(p.Attempts) && a.URLGiven && !p.ExpiresAt.IsZero() {
		end = p.ExpiresAt.Add(windowGrace)
	} else if c := e.capability(a.Provider, &p.Request); c != nil && c.Recovery.ExpiresAfter != 0 {
		end = a.DeadlineAt.Add(time.Duration(c.Recovery.ExpiresAfter))
	} else {
		return time.Time{}
	}
	if steady, ahead, _ := e.steps.notice(e.clock); ahead { // then it may have more time than the clock says
		if later := e.now().Add(end.Sub(a.StartedAt) - steady); later.After(end) {
			return later
		}
	}
	return end
}

// afterwards says when a finished payment is looked at once more: while an attempt is still open, and when the
// last URL that a payer may hold, or that an abandoned attempt left behind, cannot be paid any more. unanswered
// tells that the look that was due now gave no final answer. Zero = never.
func (e *Engine) afterwards(d *draft, unanswered bool) time.Time {
	var last time.Time
	for i := range d.p.Attempts {
		a := &d.p.Attempts[i]
		if a.Status == payment.AttemptSucceeded || a.Code == payment.CodeMismatch && a.Status == payment.AttemptInDoubt ||
			e.provider(a.Provider) != nil && !e.askable(d.p, a) { // one that is out of the rules may come back
			continue
		}
		end := e.windowEnd(d.p, a)
		again := unanswered || !d.final && a.Number < len(d.p.Attempts) // nobody knows whether that one was answered
		switch {
		case a.Status.Live(), (a.URLGiven || a.Status == payment.AttemptAbandoned) && (end.IsZero() || again && !end.After(d.now)):
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
		next := e.afterwards(d, unanswered)
		if d.final && next.IsZero() && d.looked.After(d.now) {
			next = d.looked // another attempt's provider has not answered
		}
		d.lookAt(next)
	case mismatched(d.p) > 0:
		d.lookAt(time.Time{}) // a person has to resolve it
	default:
		next := e.nextLookup(d, a.Number)
		if d.p.Status == payment.InDoubt && d.looked.After(d.now) && d.looked.Before(next) && !d.looked.Equal(a.DeadlineAt.Add(deadlineGrace)) {
			next = d.looked // a look out of turn (Refresh, a webhook) does not put off the one that may send it again
		}
		d.lookAt(next)
	}
}

// unpayable reports whether an attempt's URL can certainly not be paid any more.
func (e *Engine) unpayable(d *draft, a *payment.Attempt) bool {
	end := e.windowEnd(d.p, a)
	return !end.IsZero() && !d.now.Before(end)
}

func (e *Engine) orphaned(d *draft, a *payment.Attempt) bool { return !a.URLGiven && e.unpayable(d, a) }
