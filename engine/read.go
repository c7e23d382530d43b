package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// Get returns a payment, or ErrNotFound.
func (e *Engine) Get(ctx context.Context, id string) (*payment.Payment, error) {
	return e.store.Get(ctx, id)
}

// List returns payments, newest first.
func (e *Engine) List(ctx context.Context, f store.Filter) (store.Page, error) {
	return e.store.List(ctx, f)
}

// History returns a payment's events after a sequence number (0 = from the first), at most limit.
func (e *Engine) History(ctx context.Context, id string, after int64, limit int) ([]payment.Event, error) {
	return e.store.Events(ctx, id, after, limit)
}

// Decide answers what the rules say about a payment now, without paying. The request need not be complete.
func (e *Engine) Decide(_ context.Context, req payment.Request) (payment.Decision, error) {
	req = req.WithDefaults()
	now := e.now()
	s := e.current(now)
	return s.rules.Decide(&req, e.routingFacts(s, now, "")), nil
}

// Explain is Decide with every route that was looked at, and why it did or did not match.
func (e *Engine) Explain(_ context.Context, req payment.Request) (routing.Explanation, error) {
	req = req.WithDefaults()
	now := e.now()
	s := e.current(now)
	return s.rules.Explain(&req, e.routingFacts(s, now, "")), nil
}

// Rules returns the rules in force.
func (e *Engine) Rules() *routing.Rules { return e.state.Load().rules }

// RulesWarnings returns what there is to warn of the rules in force: what Load found, and what Check found about the
// running providers: candidates that can take nothing of what their route lets through, methods that no route covers.
func (e *Engine) RulesWarnings() routing.Diagnostics { return slices.Clone(e.state.Load().warnings) }

// RulesLoadedAt returns when the rules in force were put into force.
func (e *Engine) RulesLoadedAt() time.Time { return e.state.Load().loadedAt }

// eventsPage bounds how many events are read from the store at once; eventsPoll is how often other routers'
// events are looked for.
const (
	eventsPage = 256
	eventsPoll = time.Second
)

// Events yields the events of all payments after a cursor ("" = from the first; a FeedEvent's Cursor to go on
// after it; EventsEnd for those still to come), and waits for further ones until ctx ends or the engine closes.
func (e *Engine) Events(ctx context.Context, after string) iter.Seq2[store.FeedEvent, error] {
	return func(yield func(store.FeedEvent, error) bool) {
		for {
			changed := e.watchers.changed()
			page, err := e.store.Feed(ctx, after, eventsPage)
			if err != nil {
				if ctx.Err() == nil {
					yield(store.FeedEvent{}, err)
				}
				return
			}
			for _, ev := range page {
				if !yield(ev, nil) {
					return
				}
				after = ev.Cursor
			}
			if len(page) == 0 && !e.waitForEvents(ctx, changed) {
				return
			}
		}
	}
}

func (e *Engine) waitForEvents(ctx context.Context, changed <-chan struct{}) bool {
	poll := make(chan struct{})
	stop := e.clock.AfterFunc(eventsPoll, func() { close(poll) })
	defer stop()
	select {
	case <-changed:
	case <-poll:
	case <-e.stopped:
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

// EventsEnd returns the cursor after which only events come that happen from now on.
func (e *Engine) EventsEnd(ctx context.Context) (string, error) { return e.store.FeedEnd(ctx) }

// ProviderStatus is what the engine knows of one provider.
type ProviderStatus struct {
	Name     string `json:"name"`
	Plugin   string `json:"plugin"`
	Version  string `json:"version"`
	Healthy  bool   `json:"healthy"`
	Paused   bool   `json:"paused"`
	Breaker  string `json:"breaker"`         // closed, open or half_open
	Reason   string `json:"reason,omitzero"` // why it gets no payments, or only those that others do not take
	InFlight int64  `json:"in_flight"`       // hand-overs under way in this process
	// Window is the time until now that Counts, SuccessRate and Latency are about: 30 minutes, also those before a restart.
	Window payment.Duration `json:"window"`
	// Counts are the hand-overs that ended, by the status that they left the attempt in or the error's code, as
	// cauce_attempts_total of WriteMetrics counts them.
	Counts map[string]int64 `json:"counts"`
	// SuccessRate is the share of attempts that succeeded, 0 to 1, counted as the strategy success_rate does: neither
	// payers' faults nor pending attempts are in it, doubt is a failure; nil where there was none.
	SuccessRate *float64 `json:"success_rate"`
	Latency     *Latency `json:"latency,omitempty"` // nil where no hand-over ended
	// Balance is our account at the provider; nil where it tells none, or could not be asked yet.
	Balance *Balance `json:"balance,omitempty"`
}

// Providers returns the providers in the order of the rules. A balance that is older than ten seconds is read anew,
// for at most five; when it cannot be read, the last one stays.
func (e *Engine) Providers(ctx context.Context) []ProviderStatus {
	e.refreshBalances(ctx)
	var out []ProviderStatus
	for _, r := range e.inOrder() {
		now := e.now()
		r.mu.Lock()
		h := r.condition(now)
		s := ProviderStatus{
			Name: r.name, Plugin: r.plugin, Version: r.info.Version, Healthy: !h.Unhealthy, Paused: h.Paused, Breaker: string(r.breaker.State(now)),
			Reason: h.Reason, InFlight: r.inFlight.Load(), Window: payment.Duration(statisticsWindow), Balance: r.balance.last,
		}
		r.mu.Unlock()
		for _, w := range r.terms.Load().Maintenance {
			if w.Contains(now) {
				s.Reason = orElse(s.Reason, "in maintenance "+w.String())
			}
		}
		s.Counts, s.Latency = r.statistics.recent(now)
		s.SuccessRate = e.successRate(r.name, now)
		out = append(out, s)
	}
	return out
}

// NotificationURL is where a provider's webhooks must be sent; "" where it sends none or PublicURL is not set.
func (e *Engine) NotificationURL(providerName string) string {
	if r := e.provider(providerName); r != nil {
		return r.notificationURL
	}
	return ""
}

// Resolve closes a payment in doubt by hand: to succeeded, rejected or failed, with a note that says why.
func (e *Engine) Resolve(ctx context.Context, id string, status payment.Status, note string) (*payment.Payment, error) {
	if status != payment.Succeeded && status != payment.Rejected && status != payment.Failed {
		return nil, fmt.Errorf("%w: %q is none of succeeded, rejected, failed", ErrNotResolvable, status)
	}
	if strings.TrimSpace(note) == "" {
		return nil, fmt.Errorf("%w: a note that says why is required", ErrNotResolvable)
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	if err := e.busy.wait(ctx, id); err != nil {
		return nil, err
	}
	defer e.done(id)
	p, err := e.store.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if p.Status != payment.InDoubt {
		return nil, fmt.Errorf("%w: it is %s, not in_doubt", ErrNotResolvable, p.Status)
	}
	act := AuditEntry{Act: ActResolve, Subject: id, After: string(status), Note: note}
	if err := e.record(ctx, act); err != nil {
		return nil, err
	}
	attemptStatus := map[payment.Status]payment.AttemptStatus{
		payment.Succeeded: payment.AttemptSucceeded, payment.Rejected: payment.AttemptRejected, payment.Failed: payment.AttemptFailed,
	}[status]
	var refused error
	d, err := e.update(ctx, p, func(d *draft) {
		if d.p.Status != payment.InDoubt {
			refused = fmt.Errorf("%w: it is %s, not in_doubt", ErrNotResolvable, d.p.Status)
			return
		}
		refused = nil
		data := payment.EventData{Attempt: doubtful(d.p), Status: status, AttemptStatus: attemptStatus, Note: note}
		if status != payment.Succeeded {
			data.Failure = &payment.Failure{Code: "resolved", Message: note}
		}
		d.add(payment.EventResolved, data)
		for _, a := range d.p.Attempts { // what another one has come to meanwhile
			if a.Status == payment.AttemptSucceeded && a.Number != data.Attempt {
				e.concludeSuccess(d, a.Number, provider.Outcome{Reference: a.Reference, Code: a.Code})
			}
		}
		e.reschedule(d)
	})
	if err := errors.Join(refused, err); err != nil {
		e.notDone(ctx, act, err)
		return nil, err
	}
	return handedOut(d.p), nil
}

// doubtful returns the number of the attempt that a payment is in doubt about: one that a person has to look at
// before one that is only unanswered.
func doubtful(p *payment.Payment) int {
	if n := mismatched(p); n > 0 {
		return n
	}
	return len(p.Attempts)
}
