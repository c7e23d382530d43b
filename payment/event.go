package payment

import "time"

// EventType names a durable fact about a payment.
type EventType string

// The event types.
const (
	EventCreated        EventType = "created"
	EventDecided        EventType = "decided"
	EventAttemptStarted EventType = "attempt_started" // durable before the provider can hear of the attempt
	EventAttemptEnded   EventType = "attempt_ended"
	EventLookup         EventType = "lookup" // an answer that told something new
	EventNotification   EventType = "notification"
	EventPending        EventType = "pending"
	EventInDoubt        EventType = "in_doubt"
	EventAbandoned      EventType = "abandoned"
	EventMismatch       EventType = "mismatch"
	EventSucceeded      EventType = "succeeded"
	EventRejected       EventType = "rejected"
	EventExpired        EventType = "expired"
	EventFailed         EventType = "failed"
	EventLateSuccess    EventType = "late_success"
	EventDoublePayment  EventType = "double_payment"
	EventResolved       EventType = "resolved" // by a person
)

// statusOf gives the status that an event moves its payment to.
var statusOf = map[EventType]Status{
	EventPending: Pending, EventInDoubt: InDoubt, EventSucceeded: Succeeded, EventRejected: Rejected,
	EventExpired: Expired, EventFailed: Failed, EventLateSuccess: Succeeded,
}

// EventFor returns the type of the event that moves a payment to s.
func EventFor(s Status) EventType { return EventType(s) }

// Event is one durable fact about one payment. Seq counts from 1 within the payment.
type Event struct {
	Seq  int64     `json:"seq"`
	Type EventType `json:"type"`
	At   time.Time `json:"at"`
	Data EventData `json:"data"`
}

// EventData is what an event tells; which fields are filled depends on its type. Texts that come from a
// provider are masked before they are put here.
type EventData struct {
	Payment        string        `json:"payment,omitzero"`         // created: the payment's id
	IdempotencyKey string        `json:"idempotency_key,omitzero"` // created
	Request        *Request      `json:"request,omitempty"`        // created
	Decision       *Decision     `json:"decision,omitempty"`       // decided
	Attempt        int           `json:"attempt,omitzero"`         // the attempt that it is about
	Provider       string        `json:"provider,omitzero"`
	Key            string        `json:"key,omitzero"`            // attempt_started: the attempt's key
	Account        string        `json:"account,omitzero"`        // attempt_started: as in Attempt
	DeadlineAt     time.Time     `json:"deadline_at,omitzero"`    // attempt_started; lookup where the attempt is sent again, or where the clock was ahead
	AttemptStatus  AttemptStatus `json:"attempt_status,omitzero"` // attempt_ended, lookup: where the attempt stands now
	Status         Status        `json:"status,omitzero"`         // resolved: what the person decided
	Code           string        `json:"code,omitzero"`
	Message        string        `json:"message,omitzero"`
	Reference      string        `json:"reference,omitzero"` // the provider's own id
	NoResend       bool          `json:"no_resend,omitzero"` // attempt_ended, lookup: as in Attempt
	Action         *Action       `json:"action,omitempty"`   // pending: what the payer must do
	ExpiresAt      time.Time     `json:"expires_at,omitzero"`
	Failure        *Failure      `json:"failure,omitempty"`
	Field          string        `json:"field,omitzero"`  // mismatch: amount, currency, key or reference
	Ours           string        `json:"ours,omitzero"`   // mismatch: what we asked for
	Theirs         string        `json:"theirs,omitzero"` // mismatch: what the provider says
	Note           string        `json:"note,omitzero"`   // resolved: why
}
