package payment

import (
	"fmt"
	"slices"
	"time"
)

// Payment is what a caller asked for, once, under one idempotency key, and what became of it. Apart from
// NextLookupAt it is the fold of its events (Apply). Its JSON form is the payment of the HTTP API.
type Payment struct {
	ID             string `json:"id"` // "pay_" and 26 characters; sorts by time of creation
	IdempotencyKey string `json:"idempotency_key"`
	Status         Status `json:"status"`
	Request
	Route             string    `json:"route,omitzero"`
	Provider          string    `json:"provider,omitzero"`           // of the last attempt
	ProviderReference string    `json:"provider_reference,omitzero"` // the provider's own id of it
	Action            *Action   `json:"action,omitempty"`            // while the payer must act
	Failure           *Failure  `json:"failure,omitempty"`           // of rejected, expired, failed and in_doubt payments
	ExpiresAt         time.Time `json:"expires_at,omitzero"`
	CreatedAt         time.Time `json:"created_at"`
	UpdatedAt         time.Time `json:"updated_at"`
	Rules             string    `json:"rules,omitzero"` // content hash of the rules that decided
	Attempts          []Attempt `json:"attempts"`
	// NotifiedAt is when the last webhook about the payment arrived.
	NotifiedAt time.Time `json:"notified_at,omitzero"`
	// Seq is the number of the payment's last event.
	Seq int64 `json:"seq"`
	// NextLookupAt is when the engine asks a provider about this payment next; zero when it is final.
	NextLookupAt time.Time `json:"next_lookup_at,omitzero"`
}

// Action is what the payer must do: follow the URL.
type Action struct {
	Type string `json:"type"` // "redirect"
	URL  string `json:"url"`
}

// Redirect returns the action of sending the payer to url.
func Redirect(url string) *Action { return &Action{Type: "redirect", URL: url} }

// Failure says why a payment did not succeed, or is in doubt. Code is one of the Code constants below or the
// provider's own word; Field names the request's field at fault, where one is.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitzero"`
}

// Failure codes that the engine itself gives.
const (
	CodeNoRoute        = "no_route"        // failed: no route matched
	CodeNoCandidate    = "no_candidate"    // failed: every candidate was screened out
	CodeAttemptsFailed = "attempts_failed" // failed: no candidate took it
	CodeRule           = "rule"            // rejected: by a route's reject, its text as message
	CodeDeclined       = "declined"        // rejected: by the provider, the bank or the payer
	CodeUnknown        = "unknown"         // in_doubt: no clear answer
	CodeMismatch       = "mismatch"        // in_doubt: the provider's record differs from ours
)

// Attempt is one hand-over of a payment to one provider.
type Attempt struct {
	Number    int           `json:"number"` // from 1
	Provider  string        `json:"provider"`
	Key       string        `json:"key"` // 20 characters of [0-9a-v]; the same for every resend of this attempt
	Status    AttemptStatus `json:"status"`
	Code      string        `json:"code,omitzero"`
	Message   string        `json:"message,omitzero"`
	Reference string        `json:"reference,omitzero"` // the provider's own id of it
	// Account tells which account at the provider it was handed over to, as a fingerprint of plugin and configuration.
	Account   string    `json:"account,omitzero"`
	StartedAt time.Time `json:"started_at"`
	// DeadlineAt is when the call that hands it over is given up at the latest: after a crash, nothing is
	// asked about the attempt before then, because the call may still be running.
	DeadlineAt time.Time `json:"deadline_at"`
	EndedAt    time.Time `json:"ended_at,omitzero"` // when the call ended, not the payment
	// URLGiven tells that the payer's URL of this attempt was made visible to the caller.
	URLGiven bool `json:"url_given,omitzero"`
	// NoResend tells that the attempt is not sent again: the provider said that it has its key, or the clock was put back
	// since it began, so that the provider may have forgotten it.
	NoResend bool `json:"no_resend,omitzero"`
}

// Current returns the last attempt, or nil when there is none yet.
func (p *Payment) Current() *Attempt {
	if len(p.Attempts) == 0 {
		return nil
	}
	return &p.Attempts[len(p.Attempts)-1]
}

// Attempt returns the attempt with that number, or nil.
func (p *Payment) Attempt(number int) *Attempt {
	if number < 1 || number > len(p.Attempts) {
		return nil
	}
	return &p.Attempts[number-1]
}

// AttemptByKey returns the attempt with that key, or nil.
func (p *Payment) AttemptByKey(key string) *Attempt {
	for i := range p.Attempts {
		if p.Attempts[i].Key == key {
			return &p.Attempts[i]
		}
	}
	return nil
}

// Clone returns a copy that shares nothing changeable with p.
func (p *Payment) Clone() *Payment {
	c := *p
	c.Attempts = slices.Clone(p.Attempts)
	return &c // Metadata, Action and Failure are never changed in place
}

// Apply adds one event to the payment. It refuses an event that is out of sequence or a transition that the
// state machine does not know; the payment is then unchanged.
func (p *Payment) Apply(e Event) error {
	if e.Seq != p.Seq+1 {
		return fmt.Errorf("payment %s: event %d (%s) cannot follow event %d", p.ID, e.Seq, e.Type, p.Seq)
	}
	next := p.Clone()
	if err := next.apply(e); err != nil {
		return fmt.Errorf("payment %s: event %d (%s): %w", p.ID, e.Seq, e.Type, err)
	}
	next.Seq = e.Seq
	next.UpdatedAt = e.At
	*p = *next
	return nil
}

func (p *Payment) apply(e Event) error {
	d := e.Data
	if (e.Type == EventCreated) != (e.Seq == 1) {
		return fmt.Errorf("a payment is created by its first event, and by no other")
	}
	switch e.Type {
	case EventCreated:
		if d.Request == nil {
			return fmt.Errorf("it has no request")
		}
		p.ID, p.IdempotencyKey, p.Request = d.Payment, d.IdempotencyKey, *d.Request
		p.CreatedAt, p.Attempts = e.At, []Attempt{}
		return p.become(Processing)
	case EventDecided:
		if d.Decision == nil {
			return fmt.Errorf("it has no decision")
		}
		p.Route, p.Rules = string(d.Decision.Route), d.Decision.Rules
		return nil
	case EventAttemptStarted:
		return p.startAttempt(e)
	case EventAttemptEnded, EventLookup, EventAbandoned:
		return p.updateAttempt(e)
	case EventNotification:
		p.NotifiedAt = e.At
		return nil
	case EventMismatch:
		if d.Failure != nil {
			p.Failure = d.Failure
		}
		return nil
	case EventDoublePayment:
		return nil
	case EventPending, EventInDoubt, EventSucceeded, EventRejected, EventExpired, EventFailed, EventLateSuccess:
		return p.settle(e, statusOf[e.Type])
	case EventResolved:
		if p.Status != InDoubt || !d.Status.Final() {
			return fmt.Errorf("a payment that is %q is not resolved by hand to %q", p.Status, d.Status)
		}
		if err := p.updateAttempt(e); err != nil {
			return err
		}
		return p.settle(e, d.Status)
	}
	return fmt.Errorf("unknown event type")
}

func (p *Payment) become(next Status) error {
	if !p.Status.CanBecome(next) {
		return fmt.Errorf("a payment that is %q cannot become %q", p.Status, next)
	}
	p.Status = next
	return nil
}

func (p *Payment) startAttempt(e Event) error {
	d := e.Data
	if d.Attempt != len(p.Attempts)+1 {
		return fmt.Errorf("attempt %d cannot follow attempt %d", d.Attempt, len(p.Attempts))
	}
	for _, a := range p.Attempts {
		if a.Status.Live() || a.Status == AttemptSucceeded {
			return fmt.Errorf("attempt %d is %s: another one could move money twice", a.Number, a.Status)
		}
	}
	if p.Status != Processing {
		if err := p.become(Processing); err != nil {
			return err
		}
	}
	p.Attempts = append(p.Attempts, Attempt{
		Number: d.Attempt, Provider: d.Provider, Key: d.Key, Status: AttemptProcessing,
		Account: d.Account, StartedAt: e.At, DeadlineAt: d.DeadlineAt,
	})
	p.Provider, p.ProviderReference, p.Action, p.Failure = d.Provider, "", nil, nil
	return nil
}

func (p *Payment) updateAttempt(e Event) error {
	d := e.Data
	a := p.Attempt(d.Attempt)
	if a == nil {
		return fmt.Errorf("there is no attempt %d", d.Attempt)
	}
	if a.Status == AttemptSucceeded && d.AttemptStatus != "" && d.AttemptStatus != AttemptSucceeded {
		return fmt.Errorf("attempt %d succeeded and cannot become %s", a.Number, d.AttemptStatus)
	}
	if d.AttemptStatus != "" {
		a.Status = d.AttemptStatus
	}
	if d.Code != "" || d.Message != "" {
		a.Code, a.Message = d.Code, d.Message
	}
	if d.Reference != "" {
		a.Reference = d.Reference
	}
	a.NoResend = a.NoResend || d.NoResend
	if e.Type == EventAttemptEnded {
		a.EndedAt = e.At
	}
	if !d.DeadlineAt.IsZero() {
		a.DeadlineAt = d.DeadlineAt // it was sent again, or the clock was ahead when it was set
	}
	if a.Number == len(p.Attempts) && a.Reference != "" {
		p.ProviderReference = a.Reference
	}
	return nil
}

func (p *Payment) settle(e Event, next Status) error {
	d := e.Data
	a := p.Attempt(d.Attempt)
	if a == nil && (d.Attempt != 0 || next != Rejected && next != Failed) { // rules alone can reject and fail
		return fmt.Errorf("there is no attempt %d", d.Attempt)
	}
	if p.Status.Final() != (e.Type == EventLateSuccess) {
		return fmt.Errorf("a payment that is %q cannot become %q by this event", p.Status, next)
	}
	// A pending payment may learn its URL or its expiry later.
	if p.Status != Pending || next != Pending {
		if err := p.become(next); err != nil {
			return err
		}
	}
	p.Failure = d.Failure
	p.Action = nil
	if next == Pending {
		p.Action = d.Action
		if d.Action != nil {
			a.URLGiven = true
		}
	}
	if !d.ExpiresAt.IsZero() {
		p.ExpiresAt = d.ExpiresAt
	}
	if next == Succeeded {
		p.Provider, p.ProviderReference = a.Provider, a.Reference
	}
	return nil
}
