package engine

import (
	"slices"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// observe takes notice of what has become durable: it counts, and raises the alarm where a person has to act.
func (e *Engine) observe(d *draft) {
	for _, ev := range d.events {
		name := ev.Data.Provider
		if a := d.p.Attempt(ev.Data.Attempt); a != nil {
			name = a.Provider
		}
		switch ev.Type {
		case payment.EventAttemptEnded:
			outcome := string(ev.Data.AttemptStatus)
			if slices.Contains(provider.Codes(), provider.Code(ev.Data.Code)) {
				outcome = ev.Data.Code
			}
			e.metrics.attempts.add(name, outcome)
			e.countFailure(d, name, ev.Data)
		case payment.EventMismatch, payment.EventLateSuccess, payment.EventDoublePayment:
			e.metrics.alarms.add(name, string(ev.Type))
			e.log.Error("a payment needs a person: "+string(ev.Type), "payment", d.p.ID, "provider", name, "attempt", ev.Data.Attempt, "field", ev.Data.Field)
		}
		switch ev.Type {
		case payment.EventPending, payment.EventInDoubt, payment.EventRejected, payment.EventExpired, payment.EventFailed:
			e.metrics.payments.add("", string(ev.Type))
		case payment.EventSucceeded, payment.EventLateSuccess:
			e.metrics.payments.add("", string(payment.Succeeded))
			e.outcomes.add(e.state.Load().rates, name, &d.p.Request, d.now, true)
		case payment.EventResolved:
			e.metrics.payments.add("", string(ev.Data.Status))
		}
	}
}

// countFailure counts an attempt that the provider itself failed; doubt is one.
func (e *Engine) countFailure(d *draft, providerName string, data payment.EventData) {
	err := &provider.Error{Code: provider.Code(data.Code), Message: data.Message, Field: data.Field}
	switch {
	case data.AttemptStatus != payment.AttemptFailed && data.AttemptStatus != payment.AttemptInDoubt,
		err.Code == provider.CodeInvalid, err.Code == provider.CodeDeclined, bankIsDown(&d.p.Request, err):
		return
	}
	e.outcomes.add(e.state.Load().rates, providerName, &d.p.Request, d.now, false)
}
