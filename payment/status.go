package payment

import "slices"

// Status is where a payment stands. docs/state_machine.md draws the life of a payment.
type Status string

// The statuses of a payment.
const (
	Processing Status = "processing" // being decided or handed over
	Pending    Status = "pending"    // a provider has it; the payer or a bank must act
	Succeeded  Status = "succeeded"  // final
	Rejected   Status = "rejected"   // final: payer, bank, provider or a rule said no
	Expired    Status = "expired"    // final: nobody acted in time
	Failed     Status = "failed"     // final: no provider could take it
	InDoubt    Status = "in_doubt"   // a provider may or may not have executed it; being resolved
)

// transitions is the state machine: from each status, where a payment may go next. A success found later at
// the provider wins over rejected, expired and failed: hosted pages let a payer try again after a no.
var transitions = map[Status][]Status{
	"":         {Processing},
	Processing: {Pending, Succeeded, Rejected, Expired, Failed, InDoubt},
	Pending:    {Succeeded, Rejected, Expired, Failed, InDoubt},
	InDoubt:    {Processing, Pending, Succeeded, Rejected, Expired, Failed},
	Succeeded:  nil,
	Rejected:   {Succeeded},
	Expired:    {Succeeded},
	Failed:     {Succeeded},
}

// Statuses lists every status in the order of a payment's life.
func Statuses() []Status {
	return []Status{Processing, Pending, Succeeded, Rejected, Expired, Failed, InDoubt}
}

// Known reports whether s is a status of this package.
func (s Status) Known() bool { _, ok := transitions[s]; return ok && s != "" }

// Final reports whether s ends a payment (but see CanBecome for late success).
func (s Status) Final() bool {
	return s == Succeeded || s == Rejected || s == Expired || s == Failed
}

// CanBecome reports whether a payment may go from s to next.
func (s Status) CanBecome(next Status) bool { return slices.Contains(transitions[s], next) }

// AttemptStatus is where one hand-over stands.
type AttemptStatus string

// The statuses of an attempt.
const (
	AttemptProcessing AttemptStatus = "processing" // the call to the provider is (or was, before a crash) under way
	AttemptPending    AttemptStatus = "pending"    // the provider has it; the payer or a bank must act
	AttemptSucceeded  AttemptStatus = "succeeded"  // the provider executed it
	AttemptRejected   AttemptStatus = "rejected"   // a final no: nothing moved
	AttemptExpired    AttemptStatus = "expired"    // nobody acted in time: nothing moved
	AttemptFailed     AttemptStatus = "failed"     // certainly not executed
	AttemptInDoubt    AttemptStatus = "in_doubt"   // perhaps executed
	AttemptAbandoned  AttemptStatus = "abandoned"  // perhaps recorded by the provider, but its URL was never given to anybody
)

// Live reports whether an attempt in this status could still move money.
func (s AttemptStatus) Live() bool {
	return s == AttemptProcessing || s == AttemptPending || s == AttemptInDoubt
}
