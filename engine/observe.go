package engine

import (
	"github.com/cauce-pay/cauce/payment"
)

// observe takes notice of what has become durable: it counts, and raises the alarm where a person has to act.
func (e *Engine) observe(d *draft) {
	for _, ev := range d.events {
		name := ev.Data.Provider
		if a := d.p.Attempt(ev.Data.Attempt); a != nil {
			name = a.Provider
		}
		e.tally(e.state.Load().rates, name, &d.p.Request, ev)
		switch ev.Type {
		case payment.EventAttemptStarted:
			if left := d.p.Attempt(ev.Data.Attempt - 1); left != nil {
				e.metrics.failovers.add(left.Provider, handoverOutcome(left.Status, left.Code))
			}
		case payment.EventAttemptEnded:
			if isOurStop(ev.Data) {
				continue
			}
			outcome := handoverOutcome(ev.Data.AttemptStatus, ev.Data.Code)
			e.metrics.attempts.add(name, outcome)
			e.statistics.of(name).ended(ev.At, d.now, outcome)
		case payment.EventMismatch, payment.EventLateSuccess, payment.EventDoublePayment:
			e.metrics.alarms.add(name, string(ev.Type))
			e.log.Error("a payment needs a person: "+string(ev.Type), "payment", d.p.ID, "provider", name, "attempt", ev.Data.Attempt, "field", ev.Data.Field)
		}
		switch ev.Type {
		case payment.EventPending, payment.EventInDoubt, payment.EventRejected, payment.EventExpired, payment.EventFailed:
			e.metrics.payments.add("", string(ev.Type))
		case payment.EventSucceeded, payment.EventLateSuccess:
			e.metrics.payments.add("", string(payment.Succeeded))
		case payment.EventResolved:
			e.metrics.payments.add("", string(ev.Data.Status))
		}
	}
}
