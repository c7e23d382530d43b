package sandbox

import (
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// Status is where a transaction really stands, whatever words the provider has for it.
type Status string

// The statuses.
const (
	Pending  Status = "pending"
	Approved Status = "approved" // the money moved
	Rejected Status = "rejected"
	Expired  Status = "expired"
	Unknown  Status = "unknown" // the provider itself does not know
)

// Entry is one line of the ledger.
type Entry struct {
	ID        string            `json:"id"`  // the provider's own id
	Key       string            `json:"key"` // the caller's key
	Operation payment.Operation `json:"operation"`
	Amount    payment.Money     `json:"amount"` // pesos, whatever unit the provider's API has
	Currency  string            `json:"currency"`
	Status    Status            `json:"status"`
	CreatedAt time.Time         `json:"created_at"`
}

// Transaction is what the provider knows about one call that created something.
type Transaction[T any] struct {
	Entry
	// Refused keeps it out of the ledger: the provider remembers it and its key, but never executed it.
	Refused bool `json:"refused,omitzero"`
	// ExpiresAt is when it is moved from Pending to Expired; zero = never. It is noticed at the next request of any
	// kind.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Webhooks is the fault that its webhooks suffer: WebhookTwice, WebhookNever or "".
	Webhooks Verb `json:"webhooks,omitzero"`
	// Detail is the provider's own record.
	Detail T `json:"detail"`
}

// ledger holds the transactions in the order of their creation.
type ledger[T any] struct {
	list  []*Transaction[T]
	byID  map[string]*Transaction[T]
	byKey map[string]*Transaction[T]
	// nextExpiry is no later than the first expiry of a pending transaction; zero = none expires.
	nextExpiry time.Time
}

func newLedger[T any]() ledger[T] {
	return ledger[T]{byID: map[string]*Transaction[T]{}, byKey: map[string]*Transaction[T]{}}
}

// put adds t, or replaces the transaction with its id.
func (l *ledger[T]) put(t *Transaction[T]) {
	if old, ok := l.byID[t.ID]; ok {
		*old = *t
		t = old
	} else {
		l.list = append(l.list, t)
		l.byID[t.ID] = t
		l.byKey[t.Key] = t
	}
	l.expect(t)
}

func (l *ledger[T]) expect(t *Transaction[T]) {
	if t.Status == Pending && !t.ExpiresAt.IsZero() && (l.nextExpiry.IsZero() || t.ExpiresAt.Before(l.nextExpiry)) {
		l.nextExpiry = t.ExpiresAt
	}
}

// due returns the pending transactions whose time is over, each once.
func (l *ledger[T]) due(now time.Time) []*Transaction[T] {
	if l.nextExpiry.IsZero() || now.Before(l.nextExpiry) {
		return nil
	}
	l.nextExpiry = time.Time{}
	var due []*Transaction[T]
	for _, t := range l.list {
		if t.Status == Pending && !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) {
			due = append(due, t)
		} else {
			l.expect(t)
		}
	}
	return due
}

func (l *ledger[T]) entries() []Entry {
	entries := make([]Entry, 0, len(l.list))
	for _, t := range l.list {
		if !t.Refused {
			entries = append(entries, t.Entry)
		}
	}
	return entries
}
