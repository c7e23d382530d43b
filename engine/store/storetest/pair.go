package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// Intent returns payment number n with what the engine makes durable before its provider can hear of it:
// created, decided, attempt started. It is created n microseconds after at.
func Intent(n int64, at time.Time) (*payment.Payment, []payment.Event) {
	key := fmt.Sprintf("%020d", n)
	d := &draft{at: at.Add(time.Duration(n) * time.Microsecond)}
	d.add(payment.EventCreated, payment.EventData{
		Payment: fmt.Sprintf("pay_%026d", n), IdempotencyKey: "order-" + key,
		Request: &payment.Request{
			Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(10000), Currency: "COP", Country: "CO",
			Tax: payment.Pesos(10), Reference: "ORDER-" + key, Description: "Compra de producto ABC",
			Payer: payment.Party{
				Kind: payment.Natural, Name: "Miguel Rodriguez", Document: payment.Document{Type: payment.CE, Number: "987654321"},
				Email: "demo@demo.com", Phone: "3057788996", Address: "Calle 123 #45-67", IP: "120.29.48.92", Bank: "1022",
			},
			ReturnURL: "https://shop.example/return", Metadata: map[string]string{"shop": "bogota-1"},
		},
	})
	d.add(payment.EventDecided, payment.EventData{Decision: &payment.Decision{
		Route: "pse-retail", Strategy: "priority", Rules: strings.Repeat("0", 64), Providers: []string{"tpaga-pse", "tumipay"},
		Candidates: []payment.Candidate{
			{Provider: "tpaga-pse", Eligible: true, Reason: "takes it"}, {Provider: "tumipay", Eligible: true, Reason: "takes it"},
		},
		Failover:  payment.Failover{On: []string{"unavailable", "invalid"}, MaxAttempts: 3, Within: payment.Duration(30 * time.Second)},
		DecidedAt: d.at,
	}})
	d.add(payment.EventAttemptStarted, payment.EventData{
		Attempt: 1, Provider: "tpaga-pse", Key: key, DeadlineAt: d.at.Add(20 * time.Second),
	})
	d.NextLookupAt = d.at.Add(22 * time.Second)
	return &d.Payment, d.events
}

// Outcome moves an Intent's payment on by what the engine stores when the provider has answered: attempt ended,
// pending. It returns these events.
func Outcome(p *payment.Payment) []payment.Event {
	d := &draft{Payment: *p.Clone(), at: p.UpdatedAt.Add(time.Second)}
	d.add(payment.EventAttemptEnded, payment.EventData{
		Attempt: 1, AttemptStatus: payment.AttemptPending, Reference: "tp-" + p.Attempts[0].Key,
	})
	d.add(payment.EventPending, payment.EventData{
		Attempt: 1, Action: payment.Redirect("https://bank.example/pay/" + p.Attempts[0].Key), ExpiresAt: d.at.Add(15 * time.Minute),
	})
	d.NextLookupAt = d.at.Add(10 * time.Second)
	*p = d.Payment
	return d.events
}
