// Package provider is the contract of a payment provider: what a plugin must do, and what it may do besides.
//
// A provider is a small core (Provider) and optional abilities (ProviderWithBanks and its like) that Info
// declares. Over the wire every method exists, so nobody asserts the type: ask Banks(p), Bills(p), ... which
// look at Info first.
//
// Whoever implements it writes the mapping between payment's words and the provider's, and nothing else:
// retries, failover, scheduling and storage are the engine's.
package provider

import (
	"context"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// Provider is one account at one payment company. Its methods are called concurrently once Configure has
// returned; each call ends when its context does.
//
// Errors are *Error with a Code that tells the engine what it may do next; any other error is taken as
// CodeUnknown.
type Provider interface {
	// Info describes the provider. Before Configure it holds the defaults; after it, what the configuration made of them.
	Info() Info
	// Configure is called once, before anything else. It checks the values; it makes no call to the provider.
	Configure(ctx context.Context, config Config) error
	// Check tells whether the credentials are good. No money moves.
	Check(ctx context.Context) error
	// Submit hands over one attempt. An answer that is not clear is CodeUnknown, never a guess.
	Submit(ctx context.Context, attempt Attempt) (Outcome, error)
	// Lookup asks what became of an attempt, by key, by reference or both, as far as the provider can. An attempt
	// that the provider does not know (yet) is an Outcome with status Absent, not an error.
	Lookup(ctx context.Context, query Query) (Outcome, error)
	// Close releases what is held (idle connections, tokens that can be revoked) within ctx.
	Close(ctx context.Context) error
}

// Attempt is one hand-over of a payment.
type Attempt struct {
	// Key is the attempt's own key: 20 characters of [0-9a-v], new for every attempt, the same for every resend.
	Key       string
	PaymentID string
	// Number counts the payment's attempts from 1.
	Number  int
	Payment payment.Request
	// NotificationURL is where this provider's webhooks reach the router; "" where it cannot be reached.
	NotificationURL string
	// Resend tells that the identical attempt was sent before and its answer is not known.
	Resend bool
}

// Query names an attempt to look up. At least one of Key and Reference is filled; the rest is filled as far
// as the engine knows it (a query that ParseNotification made has only what the notification said).
type Query struct {
	Key       string
	Reference string
	Operation payment.Operation
	Method    payment.Method
	// SubmittedAt is when the attempt was handed over; zero when not known.
	SubmittedAt time.Time
}

// Status is what a provider says about an attempt.
type Status string

// The statuses of an outcome.
const (
	Pending    Status = "pending"    // the provider has it; the payer or a bank must act
	Authorized Status = "authorized" // the payer has acted and must not pay again; the provider has yet to close it
	Succeeded  Status = "succeeded"  // the money moved
	Rejected   Status = "rejected"   // a final no of payer, bank or provider; nothing moved
	Expired    Status = "expired"    // nobody acted in time; nothing moved
	Failed     Status = "failed"     // certainly not executed, and this attempt never will be
	Absent     Status = "absent"     // Lookup only: the provider does not know it (yet)
)

// Outcome is a provider's clear answer about an attempt. Key, Amount and Currency are what the provider
// echoed, never copied from the request: the engine compares them with ours and takes a difference for a
// mismatch. Leave empty what the provider did not say; a success that has neither Key nor Reference is taken as unknown.
type Outcome struct {
	Status    Status
	Key       string
	Reference string // the provider's own id, needed for the next Lookup where there is no look-up by key
	Amount    payment.Money
	Currency  string
	// Action is what the payer must do; filled on a pending redirect.
	Action *payment.Action
	// Code is the provider's own status word or code, Message its text without personal data.
	Code      string
	Message   string
	ExpiresAt time.Time // when the provider gives up waiting; zero when not known
}

// Notification is a webhook as it arrived.
type Notification struct {
	Method string
	Path   string
	Header map[string][]string
	Body   []byte
}

// ProviderWithNotifications is a provider that calls back.
type ProviderWithNotifications interface {
	Provider
	// ParseNotification reads which attempts a webhook is about. It never says what became of them: the engine
	// looks them up. What cannot be read is CodeInvalid.
	ParseNotification(ctx context.Context, n Notification) ([]Query, error)
}

// Bank is one entry of a provider's list of banks.
type Bank struct {
	Code string // the four-digit PSE code
	Name string // as the provider writes it; never matched on
}

// ProviderWithBanks is a provider that lists the banks it reaches.
type ProviderWithBanks interface {
	Provider
	Banks(ctx context.Context, method payment.Method) ([]Bank, error)
}

// Biller is a company whose bills can be paid.
type Biller struct {
	ID             string
	Name           string
	AmountEditable bool // the payer may pay another amount than the bill's
	Queryable      bool // Bill can tell the amount
}

// BillerPage is one page of billers; Next is "" on the last.
type BillerPage struct {
	Billers []Biller
	Next    string
}

// BillDetail is one bill.
type BillDetail struct {
	Biller         string
	Reference      string
	Amount         payment.Money
	AmountEditable bool
}

// ProviderWithBills is a provider that knows billers and their bills.
type ProviderWithBills interface {
	Provider
	// Billers returns one page; page is "" for the first, else the Next of the page before.
	Billers(ctx context.Context, page string) (BillerPage, error)
	Bill(ctx context.Context, biller, reference string) (BillDetail, error)
}

// Balance is our account at the provider.
type Balance struct {
	Available payment.Money
	Overdraft payment.Money // how far below zero it may go
	Currency  string
}

// ProviderWithBalance is a provider that tells our balance.
type ProviderWithBalance interface {
	Provider
	Balance(ctx context.Context) (Balance, error)
}

// StatementLine is one transaction in the provider's books.
type StatementLine struct {
	Key       string
	Reference string
	Amount    payment.Money
	Currency  string
	Status    Status
	Code      string // the provider's own status word
	CreatedAt time.Time
}

// StatementPage is one page of recent transactions; Next is "" on the last.
type StatementPage struct {
	Lines []StatementLine
	Next  string
}

// ProviderWithStatement is a provider that lists recent transactions, for reconciliation.
type ProviderWithStatement interface {
	Provider
	// Statement returns one page; page is "" for the first, else the Next of the page before.
	Statement(ctx context.Context, page string) (StatementPage, error)
}
