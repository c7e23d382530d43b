package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// answer is what came of one call about an attempt: an outcome, or an error.
type answer struct {
	provider.Outcome
	err *provider.Error
}

// handOver submits the payment's current attempt, whose intent is durable, and goes on to further candidates
// as far as that is safe. resend tells that this attempt was sent before. The caller has the payment's turn.
func (e *Engine) handOver(ctx context.Context, p *payment.Payment, decision *payment.Decision, resend bool) {
	for {
		number := len(p.Attempts)
		ans := e.submit(ctx, p, resend)
		d, err := e.update(ctx, p, func(d *draft) { e.concludeSubmit(d, number, ans, decision) })
		if err != nil {
			// The answer is not durable: recovery takes it up as an attempt in doubt.
			e.log.Error("the answer of a provider could not be stored", "payment", p.ID, "error", err)
			return
		}
		if !d.started() {
			return
		}
		p, resend = d.p, false
	}
}

// submit makes the one call that can move money. Once begun it is not given up before the attempt's deadline,
// whoever goes away; and it never begins after that, when somebody else may have taken the attempt up.
func (e *Engine) submit(ctx context.Context, p *payment.Payment, resend bool) answer {
	a := p.Current()
	r := e.providers[a.Provider]
	if r == nil {
		return answer{err: provider.Errorf(provider.CodeUnavailable, "provider %q is not configured any more", a.Provider)}
	}
	left := min(r.timeout, a.DeadlineAt.Sub(e.now()))
	if left <= 0 {
		return answer{err: provider.Errorf(provider.CodeUnknown, "the router was held up until the attempt's deadline had passed")}
	}
	ctx, cancel := e.withTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	r.inFlight.Add(1)
	defer r.inFlight.Add(-1)
	outcome, err := guarded(ctx, func() (provider.Outcome, error) {
		return r.Submit(ctx, provider.Attempt{
			Key: a.Key, PaymentID: p.ID, Number: a.Number, Payment: p.Request,
			NotificationURL: r.notificationURL, Resend: resend,
		})
	})
	ans := r.answer(ctx, outcome, err)
	if ans.err == nil && ans.Status == provider.Absent {
		ans.err = provider.Errorf(provider.CodeUnknown, "the provider answered a hand-over with %q", ans.Status)
	}
	e.noteHealth(r, ans.err)
	return ans
}

// answerGrace is how long a provider may still answer after its deadline, before its call is left behind.
const answerGrace = 500 * time.Millisecond

// guarded calls a provider so that it can neither end the process by a panic nor hold its caller beyond the
// deadline.
func guarded(ctx context.Context, call func() (provider.Outcome, error)) (provider.Outcome, error) {
	type result struct {
		provider.Outcome
		err error
	}
	answered := make(chan result, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				answered <- result{err: provider.Errorf(provider.CodeUnknown, "the provider panicked: %v", r)}
			}
		}()
		outcome, err := call()
		answered <- result{outcome, err}
	}()
	select {
	case r := <-answered:
		return r.Outcome, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-answered:
		return r.Outcome, r.err
	case <-time.After(answerGrace):
		return provider.Outcome{}, context.Cause(ctx)
	}
}

// Codes that the engine gives an attempt. A provider's own code never equals one of them.
const (
	codeAbsent = "absent" // its provider did not know it when it was last asked
	codeResend = "resend" // it is being sent again
)

// answer brings what a provider returned into one form; whatever is not clear is unknown.
func (r *running) answer(ctx context.Context, outcome provider.Outcome, err error) answer {
	if err != nil {
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			err = provider.Errorf(provider.CodeUnknown, "no answer within %s", r.timeout)
		}
		return answer{err: provider.AsError(err)}
	}
	switch outcome.Code {
	case payment.CodeMismatch, codeAbsent, codeResend:
		outcome.Code = "provider: " + outcome.Code
	}
	switch outcome.Status {
	case provider.Pending, provider.Authorized, provider.Succeeded, provider.Rejected, provider.Expired, provider.Failed, provider.Absent:
		return answer{Outcome: outcome}
	}
	return answer{err: &provider.Error{
		Code: provider.CodeUnknown, Message: fmt.Sprintf("the plugin answered with the unknown status %q", outcome.Status),
		Reference: outcome.Reference,
	}}
}

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
	case ans.err != nil && before == payment.AttemptProcessing:
		status := payment.AttemptFailed
		if ans.err.Code == provider.CodeUnknown {
			status = payment.AttemptInDoubt
		}
		d.add(payment.EventAttemptEnded, payment.EventData{
			Attempt: number, AttemptStatus: status, Code: string(ans.err.Code), Message: ans.err.Message, Reference: ans.err.Reference,
		})
	case ans.err != nil || e.mismatch(d, a, ans.Outcome):
	case before == payment.AttemptProcessing || ans.Status == provider.Succeeded:
		d.add(payment.EventAttemptEnded, payment.EventData{
			Attempt: number, AttemptStatus: attemptStatus[ans.Status], Code: ans.Code, Message: ans.Message, Reference: ans.Reference,
		})
		if ans.Status == provider.Succeeded {
			e.concludeSuccess(d, number, before, ans.Outcome)
			return
		}
	}
	e.reschedule(d)
}

// concludeSuccess drafts what a success of an attempt means for the payment, the attempt's own event being
// drafted already.
func (e *Engine) concludeSuccess(d *draft, number int, before payment.AttemptStatus, o provider.Outcome) {
	data := payment.EventData{Attempt: number, Provider: d.p.Attempt(number).Provider, Reference: o.Reference, Code: o.Code}
	switch {
	case before == payment.AttemptSucceeded:
	case d.p.Status == payment.Succeeded:
		d.add(payment.EventDoublePayment, data)
		e.log.Error("a payment succeeded twice", "payment", d.p.ID, "attempt", number)
	case d.p.Status.Final():
		d.add(payment.EventLateSuccess, data)
		e.log.Warn("a payment succeeded late", "payment", d.p.ID, "attempt", number)
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
	if data.Code != a.Code || words(data.Message) != words(a.Message) || data.Reference != "" && data.Reference != a.Reference {
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
	if c == nil || !c.Recovery.AbandonIfUnanswered || a.URLGiven || e.nextCandidate(d, decision) == nil {
		return false
	}
	d.add(payment.EventAbandoned, payment.EventData{
		Attempt: number, AttemptStatus: payment.AttemptAbandoned,
		Message: "no clear answer came and nobody was given its URL, so it cannot be paid",
	})
	return e.startNext(d, decision)
}

// nextOrFail goes on to the next candidate after an attempt that was certainly not executed, or ends the payment.
func (e *Engine) nextOrFail(d *draft, number int, code provider.Code, ended payment.EventData, decision *payment.Decision) {
	if slices.Contains(decision.Failover.On, string(code)) && e.startNext(d, decision) {
		return
	}
	if code == provider.CodeDeclined {
		d.add(payment.EventRejected, payment.EventData{Attempt: number, Failure: declined(ended.Code, ended.Message, ended.Field)})
	} else {
		d.add(payment.EventFailed, payment.EventData{Attempt: number, Failure: &payment.Failure{
			Code: payment.CodeAttemptsFailed, Message: attemptsFailed(d.p), Field: ended.Field,
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
	if a.Code == payment.CodeMismatch {
		return true
	}
	number, t := a.Number, payment.EventLookup
	if a.Status == payment.AttemptProcessing {
		t = payment.EventAttemptEnded
	}
	failure := &payment.Failure{Code: payment.CodeMismatch, Message: "the provider's record differs from ours; a person has to look at it"}
	amount := ""
	if !o.Amount.IsZero() {
		amount = o.Amount.String()
	}
	found := false
	for _, c := range []struct{ field, ours, theirs string }{
		{"key", a.Key, o.Key}, {"amount", d.p.Amount.String(), amount}, {"currency", d.p.Currency, o.Currency},
	} {
		if c.theirs == "" || c.theirs == c.ours {
			continue
		}
		found = true
		data := payment.EventData{Attempt: number, Provider: a.Provider, Field: c.field, Ours: c.ours, Theirs: c.theirs, Reference: o.Reference}
		if d.p.Status == payment.InDoubt {
			data.Failure = failure
		}
		d.add(payment.EventMismatch, data)
	}
	if !found {
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

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
