package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cauce-pay/cauce/internal/failpoint"
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
		ans := e.submit(ctx, p, decision, resend)
		d, err := e.update(ctx, p, func(d *draft) {
			d.err = failpoint.Err(failpoint.AnswerRead)
			e.concludeSubmit(d, number, ans, decision)
		})
		if err != nil {
			// The answer is not durable: recovery takes it up as an attempt in doubt.
			e.log.Error("the answer of a provider could not be stored", "payment", p.ID, "error", err)
			return
		}
		failpoint.Pass(failpoint.AnswerStored)
		if !d.started() {
			return
		}
		failpoint.Pass(failpoint.NextStored)
		p, resend = d.p, false
	}
}

// submit makes the one call that can move money. Once begun it is not given up before the attempt's deadline,
// whoever goes away; and it never begins after that, when somebody else may have taken the attempt up.
func (e *Engine) submit(ctx context.Context, p *payment.Payment, decision *payment.Decision, resend bool) answer {
	a := p.Current()
	r := e.holder(a)
	switch {
	case r != nil:
	case resend:
		return answer{err: errElsewhere}
	default:
		return answer{err: provider.Errorf(provider.CodeUnavailable, "provider %q was changed or taken out of the rules before the hand-over", a.Provider)}
	}
	left := min(r.timeout, a.DeadlineAt.Sub(e.now()))
	if left <= 0 {
		return answer{err: provider.Errorf(provider.CodeUnknown, "the router was held up until the attempt's deadline had passed")}
	}
	ctx, cancel := e.withTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	call, ok := e.begins(r, func() bool { return !resend && e.mayGoElsewhere(p, decision) })
	if !ok {
		return answer{err: errHeld}
	}
	began := monotonic(e.clock)
	until := e.now().Add(left - 2*startPoll)
	failpoint.Pass(failpoint.AttemptSent)
	send := func() (provider.Outcome, error) {
		return r.Submit(ctx, provider.Attempt{
			Key: a.Key, PaymentID: p.ID, Number: a.Number, Payment: p.Request,
			NotificationURL: r.notificationURL, Resend: resend,
		})
	}
	outcome, err := guarded(ctx, e.crew, send)
	for neverReached(err) && e.awaitStart(ctx, p, decision, until) {
		outcome, err = guarded(ctx, e.crew, send)
	}
	ans := r.answer(ctx, outcome, err)
	if ans.err == nil && ans.Status == provider.Absent {
		ans.err = provider.Errorf(provider.CodeUnknown, "the provider answered a hand-over with %q", ans.Status)
	}
	ended, took := e.now(), monotonic(e.clock)-began
	r.statistics.handovers.add(took)
	r.statistics.took(ended, ended, took)
	e.ended(r, call, &p.Request, ans)
	e.noteCode(r.name, "submit", p.ID, ans.err)
	return ans
}

// neverReached reports whether the call did not reach the provider, which says so in both ways.
func neverReached(err error) bool {
	var e *provider.Error
	return err != nil && errors.As(err, &e) && e.Code == provider.CodeUnavailable && errors.Is(e, provider.ErrNotRunning)
}

// mayGoElsewhere reports whether another candidate is tried where the current attempt's provider is unavailable.
func (e *Engine) mayGoElsewhere(p *payment.Payment, decision *payment.Decision) bool {
	next, _ := e.nextCandidate(e.draft(p), decision)
	return next != nil && slices.Contains(decision.Failover.On, string(provider.CodeUnavailable))
}

// startPoll is how often a provider whose process is being started again is tried.
const startPoll = 100 * time.Millisecond

// awaitStart waits a little for the provider of the payment's current attempt, which the attempt has not reached. It does
// not where another candidate may be tried instead, nor up to the call's deadline: what was never sent is no doubt.
func (e *Engine) awaitStart(ctx context.Context, p *payment.Payment, decision *payment.Decision, until time.Time) bool {
	if e.mayGoElsewhere(p, decision) || !e.now().Before(until) {
		return false
	}
	awake := make(chan struct{})
	defer e.clock.AfterFunc(startPoll, func() { close(awake) })()
	select {
	case <-awake:
		return true
	case <-ctx.Done():
		return false
	}
}

// answerGrace is how long a provider may still answer after its deadline, before its call is left behind.
const answerGrace = 500 * time.Millisecond

// guarded calls a provider so that it can neither end the process by a panic nor hold its caller beyond the
// deadline.
func guarded[T any](ctx context.Context, c *crew, call func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	answered := make(chan result, 1)
	c.run(func() {
		defer func() {
			if r := recover(); r != nil {
				answered <- result{err: provider.Errorf(provider.CodeUnknown, "the provider panicked: %v", r)}
			}
		}()
		value, err := call()
		answered <- result{value, err}
	})
	select {
	case r := <-answered:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-answered:
		return r.value, r.err
	case <-time.After(answerGrace):
		var none T
		return none, context.Cause(ctx)
	}
}

// Codes that the engine gives an attempt. A provider's own code never equals one of them.
const (
	codeAbsent = "absent" // its provider did not know it when it was last asked
	codeResend = "resend" // it is being sent again
	codeHeld   = "held"   // it was not sent: another payment tried whether its provider works again
)

// errHeld is the answer to an attempt that is not sent because a half-open breaker has its trial.
var errHeld = provider.Errorf(provider.CodeUnavailable, "its breaker is open, and another payment tries whether it works again")

// never is the year in which what never expires does, as providers write it. JSON has no later ones.
const never = 9999

// answer brings what a provider returned into one form; whatever is not clear is unknown.
func (r *running) answer(ctx context.Context, outcome provider.Outcome, err error) answer {
	if err != nil {
		failed := provider.AsError(err)
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			failed = &provider.Error{ // what it had learnt before that holds
				Code: provider.CodeUnknown, Message: fmt.Sprintf("no answer within %s", r.timeout), Reference: failed.Reference, NoResend: failed.NoResend,
			}
		}
		return answer{err: failed}
	}
	switch outcome.Code {
	case payment.CodeMismatch, codeAbsent, codeResend, codeHeld:
		outcome.Code = "provider: " + outcome.Code
	}
	if year := outcome.ExpiresAt.UTC().Year(); year < 1 || year >= never {
		outcome.ExpiresAt = time.Time{}
	}
	if outcome.Status == provider.Succeeded && outcome.Key == "" && outcome.Reference == "" {
		return answer{err: provider.Errorf(provider.CodeUnknown, "the plugin answered with a success that names no payment, by key or by reference")}
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
