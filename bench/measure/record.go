package measure

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// Request is the payment that is made again and again.
func Request() payment.Request {
	return payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(20000), Tax: payment.Pesos(3193),
		Reference: "ORDER-1001", Description: "Compra de producto ABC",
		Payer: payment.Party{
			Kind: payment.Natural, Name: "Miguel Rodriguez", Document: payment.Document{Type: payment.CC, Number: "1020304050"},
			Email: "miguel@example.com", Phone: "3057788996", Bank: "1022",
		},
		ReturnURL: "https://shop.example/return",
	}.WithDefaults()
}

// AttemptKey returns a key of its own for each n. Like real ones, they are in no order.
func AttemptKey(n int64) string { return fmt.Sprintf("%020d", uint64(n)*0x9E3779B97F4A7C15) }

// Intent returns payment n as the engine stores it before it hands it to the provider `instant`, at that time.
func Intent(n int64, at time.Time) (*payment.Payment, []payment.Event, error) {
	req, key := Request(), AttemptKey(n)
	at = at.UTC().Round(0)
	p := &payment.Payment{}
	events, err := fold(p, at,
		payment.Event{Type: payment.EventCreated, Data: payment.EventData{
			Payment: fmt.Sprintf("pay_%026d", n), IdempotencyKey: "bench-" + key, Request: &req,
		}},
		payment.Event{Type: payment.EventDecided, Data: payment.EventData{Decision: &payment.Decision{
			Route: "all", Strategy: "priority", Rules: strings.Repeat("0", 64), Providers: []string{"instant"},
			Candidates: []payment.Candidate{{Provider: "instant", Eligible: true, Reason: "ok"}}, DecidedAt: at,
		}}},
		payment.Event{Type: payment.EventAttemptStarted, Data: payment.EventData{
			Attempt: 1, Provider: "instant", Key: key, DeadlineAt: at.Add(20 * time.Second),
		}},
	)
	p.NextLookupAt = at.Add(22 * time.Second)
	return p, events, err
}

// Outcome moves an Intent's payment on by what the engine stores when the provider has taken it.
func Outcome(p *payment.Payment) ([]payment.Event, error) {
	reference := "instant-" + p.Attempts[0].Key
	p.NextLookupAt = time.Time{}
	return fold(p, time.Now().UTC().Round(0),
		payment.Event{Type: payment.EventAttemptEnded, Data: payment.EventData{
			Attempt: 1, AttemptStatus: payment.AttemptSucceeded, Reference: reference,
		}},
		payment.Event{Type: payment.EventSucceeded, Data: payment.EventData{Attempt: 1, Provider: "instant", Reference: reference}},
	)
}

func fold(p *payment.Payment, at time.Time, events ...payment.Event) ([]payment.Event, error) {
	var errs []error
	for i := range events {
		events[i].Seq, events[i].At = p.Seq+1, at
		errs = append(errs, p.Apply(events[i]))
	}
	return events, errors.Join(errs...)
}
