package payment_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cauce-pay/cauce/payment"
)

// The lawful transitions, written a second time: a change of the table is a change of the contract.
func TestTransitions(t *testing.T) {
	t.Parallel()
	lawful := map[payment.Status]map[payment.Status]bool{}
	for _, s := range payment.Statuses() {
		lawful[s] = map[payment.Status]bool{}
	}
	allow := func(from payment.Status, to ...payment.Status) {
		for _, s := range to {
			lawful[from][s] = true
		}
	}
	allow(payment.Processing, payment.Pending, payment.Succeeded, payment.Rejected, payment.Expired, payment.Failed, payment.InDoubt)
	allow(payment.Pending, payment.Succeeded, payment.Rejected, payment.Expired, payment.Failed, payment.InDoubt)
	allow(payment.InDoubt, payment.Processing, payment.Pending, payment.Succeeded, payment.Rejected, payment.Expired, payment.Failed)
	allow(payment.Rejected, payment.Succeeded)
	allow(payment.Expired, payment.Succeeded)
	allow(payment.Failed, payment.Succeeded)
	for _, from := range payment.Statuses() {
		for _, to := range payment.Statuses() {
			if got := from.CanBecome(to); got != lawful[from][to] {
				t.Errorf("%s -> %s is allowed: %t", from, to, got)
			}
		}
		if !from.Known() {
			t.Errorf("%s is not known", from)
		}
	}
	if payment.Status("").Known() || payment.Status("paid").Known() {
		t.Error("an unknown status is known")
	}
}

var at = time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)

// fold applies events, numbered in order, and returns the payment.
func fold(t *testing.T, events ...payment.Event) *payment.Payment {
	t.Helper()
	p := &payment.Payment{}
	for i, e := range events {
		e.Seq, e.At = int64(i+1), at.Add(time.Duration(i)*time.Second)
		if err := p.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func event(t payment.EventType, d payment.EventData) payment.Event {
	return payment.Event{Type: t, Data: d}
}

func begun(extra ...payment.Event) []payment.Event {
	r := payIn()
	return append([]payment.Event{
		event(payment.EventCreated, payment.EventData{Payment: "pay_1", IdempotencyKey: "k", Request: &r}),
		event(payment.EventDecided, payment.EventData{Decision: &payment.Decision{Route: "pse", Rules: "abc"}}),
		event(payment.EventAttemptStarted, payment.EventData{Attempt: 1, Provider: "acme", Key: "key-1", DeadlineAt: at.Add(time.Minute)}),
	}, extra...)
}

func TestApply(t *testing.T) {
	t.Parallel()
	ended := func(s payment.AttemptStatus) payment.Event {
		return event(payment.EventAttemptEnded, payment.EventData{Attempt: 1, AttemptStatus: s, Reference: "ref-1", Code: "c", Message: "m"})
	}
	failure := &payment.Failure{Code: "c", Message: "m"}

	t.Run("from the request to the URL to success", func(t *testing.T) {
		t.Parallel()
		p := fold(t, begun(ended(payment.AttemptPending),
			event(payment.EventPending, payment.EventData{Attempt: 1, Action: payment.Redirect("https://bank.example"), ExpiresAt: at.Add(time.Hour)}))...)
		if p.Status != payment.Pending || p.Action.URL != "https://bank.example" || !p.Attempts[0].URLGiven || p.ProviderReference != "ref-1" ||
			p.Route != "pse" || p.Rules != "abc" || p.CreatedAt != at || p.UpdatedAt != at.Add(4*time.Second) || p.Seq != 5 {
			t.Errorf("got %+v", p)
		}
		next := payment.Event{Seq: 6, Type: payment.EventSucceeded, At: at.Add(time.Hour), Data: payment.EventData{Attempt: 1}}
		if err := p.Apply(next); err != nil || p.Status != payment.Succeeded || p.Action != nil {
			t.Errorf("got %+v, %v", p, err)
		}
	})
	t.Run("a late success wins", func(t *testing.T) {
		t.Parallel()
		p := fold(t, begun(ended(payment.AttemptRejected), event(payment.EventRejected, payment.EventData{Attempt: 1, Failure: failure}),
			event(payment.EventLateSuccess, payment.EventData{Attempt: 1}))...)
		if p.Status != payment.Succeeded || p.Failure != nil {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("a second attempt", func(t *testing.T) {
		t.Parallel()
		p := fold(t, begun(ended(payment.AttemptFailed),
			event(payment.EventAttemptStarted, payment.EventData{Attempt: 2, Provider: "bravo", Key: "key-2"}))...)
		if p.Provider != "bravo" || p.ProviderReference != "" || len(p.Attempts) != 2 || p.Current().Key != "key-2" || p.AttemptByKey("key-1").Number != 1 {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("resolved by a person", func(t *testing.T) {
		t.Parallel()
		p := fold(t, begun(ended(payment.AttemptInDoubt), event(payment.EventInDoubt, payment.EventData{Attempt: 1, Failure: failure}),
			event(payment.EventResolved, payment.EventData{Attempt: 1, Status: payment.Rejected, AttemptStatus: payment.AttemptRejected, Failure: failure}))...)
		if p.Status != payment.Rejected || p.Attempts[0].Status != payment.AttemptRejected {
			t.Errorf("got %+v", p)
		}
	})

	refused := map[string]payment.Event{
		"out of sequence":                 {Seq: 9, Type: payment.EventNotification},
		"an unknown type":                 {Seq: 5, Type: "refunded"},
		"created without a request":       {Seq: 5, Type: payment.EventCreated},
		"created again":                   {Seq: 5, Type: payment.EventCreated, Data: payment.EventData{Request: &payment.Request{}}},
		"decided without a decision":      {Seq: 5, Type: payment.EventDecided},
		"an attempt beside a live one":    {Seq: 5, Type: payment.EventAttemptStarted, Data: payment.EventData{Attempt: 2}},
		"an attempt out of order":         {Seq: 5, Type: payment.EventAttemptStarted, Data: payment.EventData{Attempt: 3}},
		"an answer to no attempt":         {Seq: 5, Type: payment.EventAttemptEnded, Data: payment.EventData{Attempt: 2}},
		"resolved to nothing":             {Seq: 5, Type: payment.EventResolved, Data: payment.EventData{Attempt: 1}},
		"late success of an unfinished":   {Seq: 5, Type: payment.EventType("late"), Data: payment.EventData{}},
		"resolved to what is not allowed": {Seq: 5, Type: payment.EventResolved, Data: payment.EventData{Attempt: 1, Status: payment.Processing}},
	}
	for name, e := range refused {
		t.Run(name+" is refused and changes nothing", func(t *testing.T) {
			t.Parallel()
			p := fold(t, begun(ended(payment.AttemptPending))...)
			before := *p.Clone()
			if err := p.Apply(e); err == nil || !reflect.DeepEqual(before, *p) {
				t.Errorf("error %v, payment %+v", err, p)
			}
		})
	}
}

// Whatever events arrive: the fold never panics, follows the table, never has two live attempts, and an event that
// is refused changes nothing.
func TestApplyAnything(t *testing.T) {
	t.Parallel()
	types := []payment.EventType{
		payment.EventDecided, payment.EventAttemptStarted, payment.EventAttemptEnded, payment.EventLookup, payment.EventNotification,
		payment.EventPending, payment.EventInDoubt, payment.EventAbandoned, payment.EventMismatch, payment.EventSucceeded, payment.EventRejected,
		payment.EventExpired, payment.EventFailed, payment.EventLateSuccess, payment.EventDoublePayment, payment.EventResolved,
	}
	attempts := []payment.AttemptStatus{
		"", payment.AttemptPending, payment.AttemptSucceeded, payment.AttemptRejected, payment.AttemptExpired, payment.AttemptFailed,
		payment.AttemptInDoubt, payment.AttemptAbandoned,
	}
	rapid.Check(t, func(t *rapid.T) {
		r := payIn()
		p := &payment.Payment{}
		if err := p.Apply(payment.Event{Seq: 1, Type: payment.EventCreated, At: at, Data: payment.EventData{Payment: "pay_1", Request: &r}}); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			before := p.Clone()
			err := p.Apply(payment.Event{Seq: p.Seq + 1, Type: rapid.SampledFrom(types).Draw(t, "type"), At: at, Data: payment.EventData{
				Attempt: rapid.IntRange(0, 4).Draw(t, "attempt"), AttemptStatus: rapid.SampledFrom(attempts).Draw(t, "attempt status"),
				Status: rapid.SampledFrom(payment.Statuses()).Draw(t, "status"), Decision: &payment.Decision{},
				Action: payment.Redirect("https://bank.example"),
			}})
			switch {
			case err != nil && !reflect.DeepEqual(before, p):
				t.Fatalf("refused with %v, but changed", err)
			case err == nil && p.Status != before.Status && !before.Status.CanBecome(p.Status):
				t.Fatalf("%s became %s", before.Status, p.Status)
			case p.Action != nil && p.Status != payment.Pending:
				t.Fatalf("%s with an action", p.Status)
			}
			for i := range p.Attempts[:max(len(p.Attempts)-1, 0)] {
				if before.Attempts[i].Status.Live() != p.Attempts[i].Status.Live() && len(p.Attempts) > len(before.Attempts) {
					t.Fatalf("attempt %d was live when attempt %d began", i+1, len(p.Attempts))
				}
			}
		}
	})
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	p := fold(t, begun(
		event(payment.EventAttemptEnded, payment.EventData{Attempt: 1, AttemptStatus: payment.AttemptPending, Reference: "r"}),
		event(payment.EventPending, payment.EventData{Attempt: 1, Action: payment.Redirect("https://bank.example")}))...)
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back payment.Payment
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(*p, back) {
		t.Errorf("%s came back as %+v, %v", b, back, err)
	}
	d := payment.Decision{Providers: []string{"a"}, Candidates: []payment.Candidate{{Provider: "a", Eligible: true, Reason: "ok"}},
		Failover: payment.Failover{On: []string{"invalid"}, MaxAttempts: 2, Within: payment.Duration(30 * time.Second)}}
	b, err = json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil || fields["route"] != nil || fields["reject"] != nil ||
		fields["failover"].(map[string]any)["within"] != "30s" {
		t.Errorf("a decision without a route is %s, %v", b, err)
	}
	var again payment.Decision
	if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(d, again) {
		t.Errorf("it came back as %+v, %v", again, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := payment.Capability{
		Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, DocumentTypes: []payment.DocumentType{payment.CC, payment.CE},
		AmountMin: payment.Pesos(1000), AmountMax: payment.Pesos(40_000), Required: []string{"payer.name", "payer.bank"},
		Limits: []payment.FieldLimit{{Field: "payer.name", MinLength: 2, MaxLength: 25}, {Field: "payer.phone", Pattern: `\d{8,10}`}},
	}
	cases := []struct {
		name   string
		change func(*payment.Request)
		field  string // of the only refusal; "" = it is taken
	}{
		{"as it is", func(*payment.Request) {}, ""},
		{"at the minimum", func(r *payment.Request) { r.Amount = payment.Pesos(1000) }, ""},
		{"at the maximum", func(r *payment.Request) { r.Amount = payment.Pesos(40_000) }, ""},
		{"below the minimum", func(r *payment.Request) { r.Amount = payment.Pesos(999) }, "amount"},
		{"above the maximum", func(r *payment.Request) { r.Amount = payment.Pesos(40_001) }, "amount"},
		{"cents", func(r *payment.Request) { r.Amount = payment.MoneyOfMinor(200_050) }, "amount"},
		{"another currency", func(r *payment.Request) { r.Currency = "USD" }, "currency"},
		{"another method", func(r *payment.Request) { r.Method = payment.Efecty }, "method"},
		{"another document", func(r *payment.Request) { r.Payer.Document.Type = payment.NIT }, "payer.document.type"},
		{"no document", func(r *payment.Request) { r.Payer.Document = payment.Document{} }, ""},
		{"no bank", func(r *payment.Request) { r.Payer.Bank = "" }, "payer.bank"},
		{"first and last name will do", func(r *payment.Request) { r.Payer.Name, r.Payer.FirstName, r.Payer.LastName = "", "Ana", "Gil" }, ""},
		{"a name too long", func(r *payment.Request) { r.Payer.Name = "Maximiliano de la Concepción" }, "payer.name"},
		{"a name too short", func(r *payment.Request) { r.Payer.Name = "Ñ" }, "payer.name"},
		{"a phone that is only partly digits", func(r *payment.Request) { r.Payer.Phone = "3057788996x" }, "payer.phone"},
		{"no phone", func(r *payment.Request) { r.Payer.Phone = "" }, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := payIn()
			r.Payer.Phone = "3057788996"
			tc.change(&r)
			got := c.Refusals(&r)
			if tc.field == "" && len(got) != 0 || tc.field != "" && (len(got) != 1 || got[0].Field != tc.field || got[0].Reason == "") {
				t.Errorf("got %+v, want one about %q", got, tc.field)
			}
		})
	}
	if payment.CapabilityFor([]payment.Capability{c}, payment.PayOut, payment.BankTransfer) != nil {
		t.Error("a capability was found for an operation that is not there")
	}
}
