// Package store is what the engine asks of a store: payments and their events, made durable together.
//
// The interface is shaped so that an embedded key-value store and a database shared by several routers can
// both stand behind it: uniqueness of idempotency keys, optimistic concurrency and leases on background work
// are the store's, never the caller's memory. storetest is the suite that every store passes.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// Conditions that callers act on. Stores wrap them with what happened and where.
var (
	// ErrNotFound: there is no such payment, or setting.
	ErrNotFound = errors.New("store: not found")
	// ErrKeyTaken: another payment has this idempotency key. Nothing was written; read it with ByKey.
	ErrKeyTaken = errors.New("store: idempotency key taken")
	// ErrConflict: the payment has other events than the caller thought. Nothing was written; read it again.
	ErrConflict = errors.New("store: payment changed meanwhile")
	// ErrFull: there is too little disk space to take new payments. Create refuses; Append still works, so
	// that payments under way are resolved.
	ErrFull = errors.New("store: disk almost full")
	// ErrUnavailable: the store cannot write. Whether the write that met it is durable is not known, so that
	// reads could show what a power loss would take back: every call answers it until the store is opened again.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("store: in use by another process")
	// ErrCorrupt: what was read is not what was written.
	ErrCorrupt = errors.New("store: corrupt")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
	// ErrBadCursor: a cursor that this store did not make.
	ErrBadCursor = errors.New("store: bad cursor")
)

// Store keeps payments. All methods may be called concurrently. When Create, Append, PutNotification,
// PutSetting or InitSetting returns nil, what it wrote survives a power loss.
//
// What a read shows is durable: a payment whose write is still being synced is read as it was before, or after
// the sync.
//
// Payments and events that are handed in are not kept or changed; those handed out are the caller's own.
type Store interface {
	// Create stores a new payment with its first events, in one step. p is the state after those events.
	Create(ctx context.Context, p *payment.Payment, events []payment.Event) error
	// Append stores further events of a payment and the state after them, in one step, if the stored payment's
	// last event is the one before events[0]; else ErrConflict. It ends a lease that Claim gave.
	Append(ctx context.Context, p *payment.Payment, events []payment.Event) error
	// Schedule changes only when a payment is looked up next (zero: never), if its last event is still seq; else
	// ErrConflict. It ends a lease that Claim gave. It need not be durable: a lost schedule only means an earlier look.
	Schedule(ctx context.Context, id string, seq int64, next time.Time) error

	Get(ctx context.Context, id string) (*payment.Payment, error)
	// ByKey finds a payment by its idempotency key.
	ByKey(ctx context.Context, idempotencyKey string) (*payment.Payment, error)
	// ByAttempt finds a payment by the key of any of its attempts.
	ByAttempt(ctx context.Context, attemptKey string) (*payment.Payment, error)
	// ByReference finds a payment by the provider's own reference of any of its attempts.
	ByReference(ctx context.Context, provider, reference string) (*payment.Payment, error)
	// Events returns a payment's events with Seq > after, in order, at most limit.
	Events(ctx context.Context, id string, after int64, limit int) ([]payment.Event, error)
	// List returns payments, newest first.
	List(ctx context.Context, f Filter) (Page, error)

	// Feed returns the events of all payments after a cursor ("" = from the first), at most limit, in an order
	// that is the same for every reader and in which each payment's events keep theirs. An event never appears
	// before a cursor that was already handed out.
	Feed(ctx context.Context, after string, limit int) ([]FeedEvent, error)
	// FeedEnd returns the cursor after which only later events come.
	FeedEnd(ctx context.Context) (string, error)

	// Claim returns the ids of at most limit payments whose NextLookupAt is not after now, the longest due
	// first, and leases them: until now+lease, or until the next Append or Schedule of that payment, no Claim
	// returns them again, from whichever router that shares the store. Opening an embedded store ends all leases.
	Claim(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]string, error)
	// NextDue returns the earliest NextLookupAt of all payments that are not leased; zero when there is none.
	NextDue(ctx context.Context, now time.Time) (time.Time, error)

	// PutNotification keeps a webhook until DeleteNotification: an inbox, so that it can be acknowledged at once.
	PutNotification(ctx context.Context, n Notification) error
	// Notifications returns the oldest kept webhooks after an id ("" = from the first), at most limit.
	Notifications(ctx context.Context, after string, limit int) ([]Notification, error)
	DeleteNotification(ctx context.Context, id string) error

	// Setting reads a value, of at most a mebibyte or so, that is the router's own (not a payment's); ErrNotFound where
	// there is none.
	Setting(ctx context.Context, name string) ([]byte, error)
	PutSetting(ctx context.Context, name string, value []byte) error
	// InitSetting stores value unless the setting exists, and returns what is stored then.
	InitSetting(ctx context.Context, name string, value []byte) ([]byte, error)

	// Health returns nil while new payments can be stored; else ErrFull or ErrUnavailable, with what happened.
	Health() error
	Close() error
}

// Space is the disk space of an embedded store, in bytes.
type Space struct {
	Used     uint64 // by the store
	Free     uint64 // on its file system, for this process
	Capacity uint64 // of its file system
}

// Filter chooses payments. Empty fields choose all.
type Filter struct {
	Status        payment.Status
	Provider      string // of the last attempt
	Reference     string // the caller's reference, exactly
	Operation     payment.Operation
	CreatedAfter  time.Time // inclusive
	CreatedBefore time.Time // exclusive
	Cursor        string    // Page.Next of the page before
	Limit         int       // at least 1
}

// Page is one page of payments; Next is "" on the last. A page before that may be short or empty, too.
type Page struct {
	Payments []*payment.Payment
	Next     string
}

// FeedEvent is an event among all payments' events.
type FeedEvent struct {
	Cursor  string // hand it to Feed to go on after this event
	Payment string // the payment's id
	Event   payment.Event
}

// Notification is a provider's webhook as it arrived.
type Notification struct {
	ID         string // sorts by time of arrival
	Provider   string // the provider's label
	ReceivedAt time.Time
	Method     string
	Path       string
	Header     map[string][]string
	Body       []byte
}
