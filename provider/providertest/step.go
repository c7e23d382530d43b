package providertest

import (
	"fmt"

	"github.com/cauce-pay/cauce/provider"
)

// Step is what one hand-over meets. Build it with Approve, Redirect and their like, or by hand.
type Step struct {
	// Execute records the attempt in the ledger, with Status, before the answer.
	Execute bool
	Status  provider.Status
	// Err is answered instead of the outcome.
	Err error
	// Hang waits until the call's context ends and then answers with its error.
	Hang bool
	// Change alters the answer, not the ledger: a wrong amount, a wrong key.
	Change func(*provider.Outcome)
	// Before runs before anything is executed, After between the execution and the answer. A test blocks a call with
	// them.
	Before, After func(provider.Attempt)
}

// Approve executes at once.
func Approve() Step { return Step{Execute: true, Status: provider.Succeeded} }

// Redirect waits for the payer at a URL; see Settle.
func Redirect() Step { return Step{Execute: true, Status: provider.Pending} }

// Decline records a final no.
func Decline() Step { return Step{Execute: true, Status: provider.Rejected} }

// Refuse executes nothing and answers with an error of that code.
func Refuse(code provider.Code) Step {
	return Step{Err: &provider.Error{Code: code, Message: "refused by the script", ProviderCode: "TEST"}}
}

// Lose executes with that status, and the answer is lost.
func Lose(status provider.Status) Step {
	return Step{Execute: true, Status: status, Err: provider.Errorf(provider.CodeUnknown, "the answer was lost")}
}

// LoseBefore loses the request: nothing is executed, and nobody can know.
func LoseBefore() Step {
	return Step{Err: provider.Errorf(provider.CodeUnknown, "the connection broke")}
}

// Hang executes with that status and answers nothing until the call's deadline.
func Hang(status provider.Status) Step { return Step{Execute: true, Status: status, Hang: true} }

// Die answers with an error that is no provider.Error, as a plugin that crashed does.
func Die(status provider.Status) Step {
	return Step{Execute: true, Status: status, Err: fmt.Errorf("the process ended")}
}

// Misstate executes the redirect and answers with something else than was asked for.
func Misstate(change func(*provider.Outcome)) Step {
	s := Redirect()
	s.Change = change
	return s
}
