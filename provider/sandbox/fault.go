package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Verb is what a fault does.
type Verb string

// The verbs. The first seven change the answer; the others change the webhooks of the transaction that the call
// creates or finds, and do nothing where there is none.
const (
	DropBefore    Verb = "drop_before"    // close without executing
	DropAfter     Verb = "drop_after"     // execute, reset the connection without answering
	Delay         Verb = "delay"          // wait, then execute and answer, also when the caller has left
	DelayAfter    Verb = "delay_after"    // execute, wait, then answer
	AnswerInstead Verb = "answer"         // give status and body, execute nothing
	AnswerAfter   Verb = "answer_after"   // execute, then give status and body
	Garble        Verb = "garble"         // execute, answer half a body
	WebhookFirst  Verb = "webhook_first"  // the webhook is delivered before the answer
	WebhookTwice  Verb = "webhook_twice"  // each of its webhooks comes twice
	WebhookNever  Verb = "webhook_never"  // none comes
	WebhookForged Verb = "webhook_forged" // after the answer comes one that claims success
)

var (
	answerVerbs  = []Verb{DropBefore, DropAfter, Delay, DelayAfter, AnswerInstead, AnswerAfter, Garble}
	webhookVerbs = []Verb{WebhookFirst, WebhookTwice, WebhookNever, WebhookForged}
)

// Fault makes the next calls of a kind go wrong.
type Fault struct {
	On      Kind   `json:"on"`
	Do      Verb   `json:"do"`
	Times   int    `json:"times"`             // how many calls; 1 where absent, at most 1,000,000
	Status  int    `json:"status,omitzero"`   // of answer and answer_after: 200 to 599; 503 where absent
	Body    string `json:"body,omitzero"`     // of answer and answer_after
	DelayMS int    `json:"delay_ms,omitzero"` // of delay and delay_after: at most 600,000; 1,000 where absent
}

// Bounds of faults.
const (
	maxFaults  = 1_000 // waiting
	maxTimes   = 1_000_000
	maxDelayMS = 600_000
)

func (f Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// prepare fills in the defaults and checks the rest.
func (f *Fault) prepare() error {
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Status == 0 && (f.Do == AnswerInstead || f.Do == AnswerAfter) {
		f.Status = http.StatusServiceUnavailable
	}
	if f.DelayMS == 0 && (f.Do == Delay || f.Do == DelayAfter) {
		f.DelayMS = 1_000
	}
	switch verbs := slices.Concat(answerVerbs, webhookVerbs); {
	case !slices.Contains(Kinds(), f.On):
		return fmt.Errorf("on is %.40q; it is one of %s", f.On, list(Kinds()))
	case !slices.Contains(verbs, f.Do):
		return fmt.Errorf("do is %.40q; it is one of %s", f.Do, list(verbs))
	case f.Times < 1 || f.Times > maxTimes:
		return fmt.Errorf("times is %d; it is 1 to %d", f.Times, maxTimes)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status is %d; it is 200 to 599", f.Status)
	case f.DelayMS < 0 || f.DelayMS > maxDelayMS:
		return fmt.Errorf("delay_ms is %d; it is 1 to %d", f.DelayMS, maxDelayMS)
	}
	return nil
}

// faults wait for their calls, in the order in which they came.
type faults []Fault

// take uses up one time of the first fault of that kind with one of the verbs; the zero Fault where none waits.
func (l *faults) take(kind Kind, verbs []Verb) Fault {
	i := slices.IndexFunc(*l, func(f Fault) bool { return f.On == kind && slices.Contains(verbs, f.Do) })
	if i < 0 {
		return Fault{}
	}
	f := (*l)[i]
	if (*l)[i].Times--; (*l)[i].Times == 0 {
		*l = slices.Delete(*l, i, i+1)
	}
	return f
}
