package engine

import (
	"context"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

const (
	// maxWarm bounds the payments that warm reads, the newest.
	maxWarm = 20_000
	// warmLag is how long a payment may have been made before what is counted of it.
	warmLag  = 2 * time.Hour
	warmPage = 200
)

// warm counts what the stored payments tell of the time before an instant, so that a restart forgets neither the
// success rates nor the latencies. It runs beside the payments: meanwhile decisions know less.
func (e *Engine) warm(ctx context.Context, rates []routing.SuccessRate, before time.Time) {
	window := time.Duration(0)
	for _, s := range rates {
		window = max(window, s.Window)
	}
	since := before.Add(-window)
	filter := store.Filter{CreatedAfter: since.Add(-warmLag), CreatedBefore: before, Limit: warmPage}
	for range maxWarm / warmPage {
		page, err := e.store.List(ctx, filter)
		for _, p := range page.Payments {
			if err == nil {
				err = e.warmPayment(ctx, rates, p, since, before)
			}
		}
		if err != nil {
			if ctx.Err() == nil {
				e.log.Warn("how the providers did before could not be read: their success rates begin anew", "error", err)
			}
			return
		}
		if filter.Cursor = page.Next; filter.Cursor == "" {
			return
		}
	}
}

// warmPayment counts what one payment tells.
func (e *Engine) warmPayment(ctx context.Context, rates []routing.SuccessRate, p *payment.Payment, since, before time.Time) error {
	if p.UpdatedAt.Before(since) {
		return nil
	}
	events, err := e.store.Events(ctx, p.ID, 0, eventsPage)
	calls := map[int]payment.Event{} // the hand-overs that have begun, by attempt
	for _, ev := range events {
		a := p.Attempt(ev.Data.Attempt)
		if a == nil || !ev.At.Before(before) {
			continue
		}
		if !ev.At.Before(since) {
			e.tally(rates, a.Provider, &p.Request, ev)
		}
		switch ev.Type {
		case payment.EventAttemptStarted:
			calls[a.Number] = ev
		case payment.EventAttemptEnded:
			if isOurStop(ev.Data) {
				delete(calls, a.Number)
				continue
			}
			if !hasRate(rates, recently) { // a reload: the statistics know
				continue
			}
			s := e.statistics.of(a.Provider)
			s.ended(ev.At, before, handoverOutcome(ev.Data.AttemptStatus, ev.Data.Code))
			if begun, ok := calls[a.Number]; ok && !ev.At.After(begun.Data.DeadlineAt) {
				s.took(ev.At, before, ev.At.Sub(begun.At))
			}
			delete(calls, a.Number)
		}
	}
	return err
}
