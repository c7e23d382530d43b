package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// concludeSubmit drafts what the answer to a hand-over means. It is a pure function of the payment, the answer
// and the decision, so that it can run again when the payment changed meanwhile.
func (e *Engine) concludeSubmit(d *draft, number int, ans answer, decision *payment.Decision) {
	a := d.p.Attempt(number)
	switch {
	case d.p.Status.Final() || mismatched(d.p) > 0 || a.Status != payment.AttemptProcessing && a.Status != payment.AttemptInDoubt:
		e.concludeLate(d, number, ans)
		return
	case ans.err != nil:
		e.concludeError(d, a, ans.err, decision)
		return
	case e.mismatch(d, a, ans.Outcome):
		e.reschedule(d)
		return
	}
	ended := payment.EventData{
		Attempt: number, AttemptStatus: attemptStatus[ans.Status], Code: ans.Code, Message: ans.Message, Reference: ans.Reference,
	}
	d.add(payment.EventAttemptEnded, ended)
	switch ans.Status {
	case provider.Failed:
		e.nextOrFail(d, number, provider.CodeUnavailable, ended, decision)
	case provider.Rejected:
		e.nextOrFail(d, number, provider.CodeDeclined, ended, decision)
	default:
		e.settle(d, number, ans.Outcome)
	}
}

// concludeLate drafts what the answer to a hand-over means when the payment, or the attempt, was closed while it
// was under way. Nothing is handed to anybody else any more; a success is never dropped.
func (e *Engine) concludeLate(d *draft, number int, ans answer) {
	a := d.p.Attempt(number)
	before := a.Status
	switch {
	case before == payment.AttemptSucceeded: // somebody else has learnt it meanwhile
	case ans.err != nil && before == payment.AttemptProcessing:
		status := payment.AttemptFailed
		if ans.err.Code == provider.CodeUnknown {
			status = payment.AttemptInDoubt
		}
		d.add(payment.EventAttemptEnded, payment.EventData{
			Attempt: number, AttemptStatus: status, Code: string(ans.err.Code), Message: ans.err.Message, Reference: ans.err.Reference,
			NoResend: ans.err.NoResend,
		})
	case ans.err != nil || e.mismatch(d, a, ans.Outcome):
	case before == payment.AttemptProcessing || ans.Status == provider.Succeeded:
		d.add(payment.EventAttemptEnded, payment.EventData{
			Attempt: number, AttemptStatus: attemptStatus[ans.Status], Code: ans.Code, Message: ans.Message, Reference: ans.Reference,
		})
		if ans.Status == provider.Succeeded {
			e.concludeSuccess(d, number, ans.Outcome)
			return
		}
	}
	e.reschedule(d)
}

// concludeSuccess drafts what a success of an attempt means for the payment, the attempt's own event being
// drafted already.
func (e *Engine) concludeSuccess(d *draft, number int, o provider.Outcome) {
	data := payment.EventData{Attempt: number, Provider: d.p.Attempt(number).Provider, Reference: o.Reference, Code: o.Code}
	switch {
	case d.p.Status == payment.Succeeded:
		d.add(payment.EventDoublePayment, data)
	case d.p.Status.Final():
		d.add(payment.EventLateSuccess, data)
	case mismatched(d.p) > 0: // for a person
	default:
		e.settle(d, number, o)
		return
	}
	e.reschedule(d)
}

// concludeError drafts what a refused or unclear hand-over means.
func (e *Engine) concludeError(d *draft, a *payment.Attempt, err *provider.Error, decision *payment.Decision) {
	number, ended := a.Number, payment.EventData{
		Attempt: a.Number, Code: string(err.Code), Message: err.Message, Reference: err.Reference, Field: err.Field,
		NoResend: err.NoResend,
	}
	if err == errHeld {
		ended.Code = codeHeld
	}
	if a.Status == payment.AttemptInDoubt {
		// It was sent before: that the resend was refused says nothing about the first hand-over.
		e.evidence(d, a, ended)
		e.doubt(d, nil)
		return
	}
	switch err.Code {
	case provider.CodeUnknown:
		ended.AttemptStatus = payment.AttemptInDoubt
	case provider.CodeDeclined:
		ended.AttemptStatus = payment.AttemptRejected
	default:
		ended.AttemptStatus = payment.AttemptFailed
	}
	if bankIsDown(&d.p.Request, err) {
		ended.Message += "; another provider would not help: the PSE providers reach the bank through one network"
		d.add(payment.EventAttemptEnded, ended)
		d.add(payment.EventFailed, payment.EventData{Attempt: number, Failure: &payment.Failure{
			Code: payment.CodeAttemptsFailed, Message: attemptsFailed(d.p), Field: ended.Field,
		}})
		e.reschedule(d)
		return
	}
	d.add(payment.EventAttemptEnded, ended)
	switch {
	case err.Code != provider.CodeUnknown:
		e.nextOrFail(d, number, err.Code, ended, decision)
	case !e.abandon(d, number, decision):
		e.doubt(d, &payment.Failure{Code: payment.CodeUnknown, Message: err.Message})
	}
}

// evidence records an unclear answer about an attempt, if it told something that the last one did not. Numbers in
// its text (ports, request ids) tell nothing.
func (e *Engine) evidence(d *draft, a *payment.Attempt, data payment.EventData) {
	if data.Code != a.Code || words(data.Message) != words(a.Message) || data.Reference != "" && data.Reference != a.Reference || data.NoResend && !a.NoResend {
		d.add(payment.EventLookup, data)
	}
}

func words(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

// abandon gives up an unanswered redirect pay-in whose URL nobody was given, where its provider declares that
// harmless and another candidate is left. It is still followed for a late success.
func (e *Engine) abandon(d *draft, number int, decision *payment.Decision) bool {
	a := d.p.Attempt(number)
	c := e.capability(a.Provider, &d.p.Request)
	if c == nil || d.p.Operation != payment.PayIn || !c.Recovery.AbandonIfUnanswered || a.URLGiven || e.handedElsewhere(a) {
		return false
	}
	next, why := e.nextCandidate(d, decision)
	if next == nil {
		return false
	}
	d.add(payment.EventAbandoned, payment.EventData{
		Attempt: number, AttemptStatus: payment.AttemptAbandoned,
		Message: "no clear answer came and nobody was given its URL, so it cannot be paid",
	})
	return e.startAttempt(d, next, why) // whatever has happened to it meanwhile: the abandoned one is not taken up again
}

// nextOrFail goes on to the next candidate after an attempt that was certainly not executed, or ends the payment.
func (e *Engine) nextOrFail(d *draft, number int, code provider.Code, ended payment.EventData, decision *payment.Decision) {
	if slices.Contains(decision.Failover.On, string(code)) && e.startNext(d, decision) {
		return
	}
	if code == provider.CodeDeclined {
		d.add(payment.EventRejected, payment.EventData{Attempt: number, Failure: declined(ended.Code, ended.Message, ended.Field)})
	} else {
		message := attemptsFailed(d.p)
		if slices.Contains(decision.Failover.On, string(code)) {
			_, why := e.nextCandidate(d, decision)
			message += "; no further candidate: " + why
		}
		d.add(payment.EventFailed, payment.EventData{Attempt: number, Failure: &payment.Failure{
			Code: payment.CodeAttemptsFailed, Message: message, Field: ended.Field,
		}})
	}
	e.reschedule(d)
}

func attemptsFailed(p *payment.Payment) string {
	parts := make([]string, len(p.Attempts))
	for i, a := range p.Attempts {
		parts[i] = a.Provider + ": " + a.Code + ": " + a.Message
	}
	return "no provider took it; " + strings.Join(parts, "; ")
}

func declined(code, message, field string) *payment.Failure {
	if code == "" {
		code = payment.CodeDeclined
	}
	if message == "" {
		message = "the provider said no"
	}
	return &payment.Failure{Code: code, Message: message, Field: field}
}

// attemptStatus is where an outcome leaves its attempt.
var attemptStatus = map[provider.Status]payment.AttemptStatus{
	provider.Pending: payment.AttemptPending, provider.Authorized: payment.AttemptPending,
	provider.Succeeded: payment.AttemptSucceeded, provider.Rejected: payment.AttemptRejected, provider.Expired: payment.AttemptExpired,
	provider.Failed: payment.AttemptFailed,
}

// settle drafts the payment's own status after its attempt's outcome.
func (e *Engine) settle(d *draft, number int, o provider.Outcome) {
	data := payment.EventData{Attempt: number, Provider: d.p.Attempt(number).Provider, Reference: o.Reference, Code: o.Code}
	switch o.Status {
	case provider.Pending, provider.Authorized:
		data.Action, data.ExpiresAt = o.Action, o.ExpiresAt.UTC()
		d.add(payment.EventPending, data)
	case provider.Succeeded:
		d.add(payment.EventSucceeded, data)
	case provider.Rejected:
		data.Failure = declined(o.Code, o.Message, "")
		d.add(payment.EventRejected, data)
	case provider.Expired:
		data.Failure = &payment.Failure{Code: orElse(o.Code, "expired"), Message: orElse(o.Message, "the payer did not act in time")}
		d.add(payment.EventExpired, data)
	case provider.Failed:
		data.Failure = &payment.Failure{Code: orElse(o.Code, payment.CodeAttemptsFailed), Message: orElse(o.Message, "the provider could not execute it")}
		d.add(payment.EventFailed, data)
	}
	e.reschedule(d)
}

// doubt drafts that the payment is in doubt, and when it is looked at next.
func (e *Engine) doubt(d *draft, why *payment.Failure) {
	if d.p.Status != payment.InDoubt {
		d.add(payment.EventInDoubt, payment.EventData{Attempt: d.p.Current().Number, Failure: why})
	}
	e.reschedule(d)
}

// mismatched returns the number of the first attempt whose answer differs from what we asked for and that no
// person has resolved yet; 0 where there is none.
func mismatched(p *payment.Payment) int {
	for _, a := range p.Attempts {
		if a.Code == payment.CodeMismatch && a.Status == payment.AttemptInDoubt {
			return a.Number
		}
	}
	return 0
}

// mismatch compares an answer with what we asked for. A difference is never a success and never resolved by
// itself: it waits for a person.
func (e *Engine) mismatch(d *draft, a *payment.Attempt, o provider.Outcome) bool {
	differences := differs(d.p, a, o)
	forPerson := a.Status == payment.AttemptInDoubt && !d.p.Status.Final() // nobody can resolve what is final
	if a.Code == payment.CodeMismatch && (forPerson || len(differences) > 0) {
		return true
	}
	number, t := a.Number, payment.EventLookup
	if a.Status == payment.AttemptProcessing {
		t = payment.EventAttemptEnded
	}
	failure := &payment.Failure{Code: payment.CodeMismatch, Message: "the provider's record differs from ours; a person has to look at it"}
	for _, data := range differences {
		if d.p.Status == payment.InDoubt {
			data.Failure = failure
		}
		d.add(payment.EventMismatch, data)
	}
	if len(differences) == 0 {
		return false
	}
	d.add(t, payment.EventData{
		Attempt: number, AttemptStatus: payment.AttemptInDoubt, Code: payment.CodeMismatch, Reference: o.Reference, Message: failure.Message,
	})
	if !d.p.Status.Final() && d.p.Status != payment.InDoubt {
		d.add(payment.EventInDoubt, payment.EventData{Attempt: number, Failure: failure})
	}
	return true
}

// differs compares what a provider says about an attempt with what we asked for. Each difference is told as the data
// of a mismatch; what the provider did not say is none.
func differs(p *payment.Payment, a *payment.Attempt, o provider.Outcome) []payment.EventData {
	amount := ""
	if !o.Amount.IsZero() {
		amount = o.Amount.String()
	}
	reference := a.Reference
	if o.Key != "" || reference == "" {
		reference = o.Reference // a provider that names our key may have several of its own
	}
	var out []payment.EventData
	for _, c := range []struct{ field, ours, theirs string }{
		{"key", a.Key, o.Key}, {"reference", reference, o.Reference}, {"amount", p.Amount.String(), amount}, {"currency", p.Currency, o.Currency},
	} {
		if c.theirs != "" && c.theirs != c.ours {
			out = append(out, payment.EventData{
				Attempt: a.Number, Provider: a.Provider, Field: c.field, Ours: c.ours, Theirs: c.theirs, Reference: o.Reference,
			})
		}
	}
	return out
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// concludeLookup drafts what a look-up means.
func (e *Engine) concludeLookup(d *draft, number int, ans answer, decision *payment.Decision) {
	a := d.p.Attempt(number)
	current := number == len(d.p.Attempts)
	switch {
	case a.Status == payment.AttemptProcessing:
		return // its hand-over is under way
	case a.Status == payment.AttemptSucceeded:
		e.reschedule(d) // somebody else has learnt it meanwhile
		return
	case ans.err != nil:
		data := payment.EventData{
			Attempt: number, Code: string(ans.err.Code), Message: ans.err.Message, Reference: ans.err.Reference, NoResend: ans.err.NoResend,
		}
		if d.p.Status == payment.InDoubt && current && a.Code != payment.CodeMismatch {
			e.evidence(d, a, data)
		}
		if ans.err == errElsewhere {
			e.forget(d, a, data)
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
		e.concludeSuccess(d, number, ans.Outcome)
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
	proof := c != nil && !e.handedElsewhere(a) && c.Recovery.AbsentAfter > 0 && e.watched(a.DeadlineAt) >= time.Duration(c.Recovery.AbsentAfter)
	if !proof || !e.mayGoOn(d, number) {
		if d.p.Status == payment.InDoubt && a.Code != payment.CodeMismatch {
			e.evidence(d, a, data)
		}
		e.forget(d, a, data)
		if number != len(d.p.Attempts) || !e.closeOrphan(d) {
			e.reschedule(d)
		}
		return
	}
	data.AttemptStatus = payment.AttemptFailed
	data.Message = "the provider does not know this attempt " + c.Recovery.AbsentAfter.String() + " after the call, which proves that it was not executed"
	d.add(payment.EventLookup, data)
	e.nextOrFail(d, number, provider.CodeUnavailable, data, decision)
}

// forget drafts that a pending payment is for a person where its provider does not know it, although its page cannot be paid
// any more.
func (e *Engine) forget(d *draft, a *payment.Attempt, data payment.EventData) {
	if d.p.Status == payment.Pending && a.Number == len(d.p.Attempts) && a.URLGiven && e.unpayable(d, a) {
		e.evidence(d, a, data)
		e.doubt(d, &payment.Failure{
			Code: payment.CodeUnknown, Message: "its page cannot be paid any more, and the provider does not know what became of it",
		})
	}
}

// closeOrphan ends an unanswered redirect pay-in once the URL that nobody was given cannot be paid any more.
func (e *Engine) closeOrphan(d *draft) bool {
	a := d.p.Current()
	if a == nil || d.p.Status != payment.InDoubt || a.Status != payment.AttemptInDoubt || mismatched(d.p) > 0 || !e.orphaned(d, a) ||
		e.handedElsewhere(a) {
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
