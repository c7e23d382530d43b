// Package sandbox is the kit for simulating a payment provider: a ledger of what was really executed, faults, a
// clock, webhooks, OAuth tokens, a bank's page, and the control protocol by which tests drive all of it.
//
// A provider's sandbox names its endpoints and says what each one executes and answers; the kit does the rest:
//
//	kit, err := sandbox.New(sandbox.Options[charge]{
//		Name: "acme",
//		Endpoints: []sandbox.Endpoint[charge]{
//			{Kind: sandbox.Create, Method: "POST", Path: "/charges", Handle: create},
//			{Kind: sandbox.Lookup, Method: "GET", Path: "/charges/{id}", Handle: lookup},
//		},
//		Webhook: func(_ *sandbox.Books[charge], t *sandbox.Transaction[charge], claim sandbox.Status) sandbox.Message {
//			return sandbox.Message{Body: fmt.Appendf(nil, `{"id":%q,"status":%q}`, t.ID, claim)}
//		},
//	})
//
// charge is the provider's own record of a transaction; it travels as Transaction.Detail. Handlers run one at a
// time, so that "is this key known? then record it" needs no lock. They return their answer as a value, and the
// kit applies the faults around it.
//
// # The control protocol
//
// Bodies and answers are JSON; a mistake is a 400 whose {"error"} says what would be right.
//
//	GET    /_sandbox/ledger    what was executed: [{"id","key","operation","amount","currency","status","created_at"}]
//	POST   /_sandbox/faults    {"on","do","times","status","body","delay_ms"}: the next calls of that kind suffer it
//	GET    /_sandbox/faults    those that wait
//	DELETE /_sandbox/faults    clears them
//	POST   /_sandbox/settle    {"id","status"}: moves a transaction to approved, rejected or expired, and sends the webhook
//	POST   /_sandbox/webhook   {"url"}: where webhooks go, "" = nowhere; kept by reset
//	GET    /_sandbox/webhooks  waits for the webhooks under way (at most 15 s), then lists the newest 1,000
//	POST   /_sandbox/clock     {"advance_s"}: tokens and charges age
//	GET    /_sandbox/mode      the provider's modes; POST {"name","value"} sets one
//	POST   /_sandbox/reset     empty again: no transactions, tokens, faults, requests; clock and modes as at the start
//	GET    /_sandbox/requests  the requests received, oldest first; the newest 10,000 are kept, and at most 64 MiB of bodies
//	GET    /_sandbox/counts    how many of each kind since the start or reset
//
// Faults wait in the order in which they came, one queue for each kind of call. Those that change the answer and
// those that change the webhooks queue apart, so that one call can suffer one of each. See Verb.
//
// With Options.State everything but faults and recorded requests outlives the process, kill -9 included.
package sandbox
