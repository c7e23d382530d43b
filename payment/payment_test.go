package payment_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cauce-pay/cauce/payment"
)

// The transitions are those that docs/state_machine.md draws: the first drawing there is the payment's.
func TestTransitions(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/state_machine.md")
	if err != nil {
		t.Fatal(err)
	}
	_, drawing, _ := strings.Cut(string(page), "```mermaid")
	drawing, _, _ = strings.Cut(drawing, "```")
	drawn := map[[2]payment.Status]bool{}
	for _, m := range regexp.MustCompile(`(\w+) --> (\w+)`).FindAllStringSubmatch(drawing, -1) {
		drawn[[2]payment.Status{payment.Status(m[1]), payment.Status(m[2])}] = true
	}
	lawful := 0
	for _, from := range payment.Statuses() {
		for _, to := range payment.Statuses() {
			if from.CanBecome(to) {
				lawful++
			}
			if got := from.CanBecome(to); got != drawn[[2]payment.Status{from, to}] {
				t.Errorf("%s --> %s: lawful %t, drawn %t", from, to, got, !got)
			}
		}
		if !from.Known() {
			t.Errorf("%s is not known", from)
		}
	}
	if lawful != len(drawn) {
		t.Errorf("%d transitions are drawn, %d are lawful", len(drawn), lawful)
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

// Each event changes exactly what is said here, and when the payment was changed.
func TestApplyChanges(t *testing.T) {
	t.Parallel()
	type data = payment.EventData
	r, later := payIn(), at.Add(time.Hour)
	failure := func(code string) *payment.Failure { return &payment.Failure{Code: code, Message: "m"} }
	steps := []struct {
		event  payment.Event
		change func(p *payment.Payment, at time.Time)
	}{
		{event(payment.EventCreated, data{Payment: "pay_1", IdempotencyKey: "k", Request: &r}), func(p *payment.Payment, at time.Time) {
			*p = payment.Payment{ID: "pay_1", IdempotencyKey: "k", Request: r, Status: payment.Processing, CreatedAt: at, Attempts: []payment.Attempt{}}
		}},
		{event(payment.EventDecided, data{Decision: &payment.Decision{Route: "pse", Rules: "abc"}}), func(p *payment.Payment, _ time.Time) {
			p.Route, p.Rules = "pse", "abc"
		}},
		{event(payment.EventAttemptStarted, data{Attempt: 1, Provider: "acme", Key: "key-1", Account: "a1", DeadlineAt: later}), func(p *payment.Payment, at time.Time) {
			p.Provider = "acme"
			p.Attempts = []payment.Attempt{{Number: 1, Provider: "acme", Key: "key-1", Account: "a1", Status: payment.AttemptProcessing, StartedAt: at, DeadlineAt: later}}
		}},
		{event(payment.EventAttemptEnded, data{Attempt: 1, AttemptStatus: payment.AttemptFailed, Code: "c", Message: "m", Reference: "ref-1"}),
			func(p *payment.Payment, at time.Time) {
				a := &p.Attempts[0]
				a.Status, a.Code, a.Message, a.Reference, a.EndedAt = payment.AttemptFailed, "c", "m", "ref-1", at
				p.ProviderReference = "ref-1"
			}},
		{event(payment.EventAttemptStarted, data{Attempt: 2, Provider: "bravo", Key: "key-2", DeadlineAt: later}), func(p *payment.Payment, at time.Time) {
			p.Provider, p.ProviderReference = "bravo", ""
			p.Attempts = append(p.Attempts, payment.Attempt{
				Number: 2, Provider: "bravo", Key: "key-2", Status: payment.AttemptProcessing, StartedAt: at, DeadlineAt: later,
			})
		}},
		{event(payment.EventAttemptEnded, data{Attempt: 2, AttemptStatus: payment.AttemptInDoubt, Code: "unknown", NoResend: true}), func(p *payment.Payment, at time.Time) {
			a := &p.Attempts[1]
			a.Status, a.Code, a.EndedAt, a.NoResend = payment.AttemptInDoubt, "unknown", at, true // for good
		}},
		{event(payment.EventInDoubt, data{Attempt: 2, Failure: failure("unknown")}), func(p *payment.Payment, _ time.Time) {
			p.Status, p.Failure = payment.InDoubt, failure("unknown")
		}},
		{event(payment.EventLookup, data{Attempt: 2, Message: "sent again", DeadlineAt: later.Add(1)}), func(p *payment.Payment, _ time.Time) {
			p.Attempts[1].Code, p.Attempts[1].Message, p.Attempts[1].DeadlineAt = "", "sent again", later.Add(1)
		}},
		{event(payment.EventLookup, data{Attempt: 2, AttemptStatus: payment.AttemptFailed}), func(p *payment.Payment, _ time.Time) {
			p.Attempts[1].Status = payment.AttemptFailed
		}},
		{event(payment.EventAttemptStarted, data{Attempt: 3, Provider: "carla", Key: "key-3"}), func(p *payment.Payment, at time.Time) {
			p.Status, p.Failure, p.Provider = payment.Processing, nil, "carla"
			p.Attempts = append(p.Attempts, payment.Attempt{Number: 3, Provider: "carla", Key: "key-3", Status: payment.AttemptProcessing, StartedAt: at})
		}},
		{event(payment.EventLookup, data{Attempt: 1, Reference: "ref-1b"}), func(p *payment.Payment, _ time.Time) {
			p.Attempts[0].Reference = "ref-1b"
		}},
		{event(payment.EventPending, data{Attempt: 3, Action: payment.Redirect("https://bank.example"), ExpiresAt: later}), func(p *payment.Payment, _ time.Time) {
			p.Status, p.Action, p.ExpiresAt, p.Attempts[2].URLGiven = payment.Pending, payment.Redirect("https://bank.example"), later, true
		}},
		{event(payment.EventPending, data{Attempt: 3}), func(p *payment.Payment, _ time.Time) { p.Action = nil }},
		{event(payment.EventNotification, data{Attempt: 3}), func(p *payment.Payment, at time.Time) { p.NotifiedAt = at }},
		{event(payment.EventMismatch, data{Attempt: 3, Field: "amount"}), func(*payment.Payment, time.Time) {}},
		{event(payment.EventMismatch, data{Attempt: 3, Failure: failure("mismatch")}), func(p *payment.Payment, _ time.Time) { p.Failure = failure("mismatch") }},
		{event(payment.EventExpired, data{Attempt: 3, Failure: failure("expired")}), func(p *payment.Payment, _ time.Time) {
			p.Status, p.Failure = payment.Expired, failure("expired")
		}},
		{event(payment.EventLookup, data{Attempt: 1, AttemptStatus: payment.AttemptSucceeded}), func(p *payment.Payment, _ time.Time) {
			p.Attempts[0].Status = payment.AttemptSucceeded
		}},
		{event(payment.EventLateSuccess, data{Attempt: 1}), func(p *payment.Payment, _ time.Time) {
			p.Status, p.Failure, p.Provider, p.ProviderReference = payment.Succeeded, nil, "acme", "ref-1b"
		}},
		{event(payment.EventDoublePayment, data{Attempt: 3}), func(*payment.Payment, time.Time) {}},
	}
	p := &payment.Payment{}
	for i, step := range steps {
		want, e := p.Clone(), step.event
		e.Seq, e.At = p.Seq+1, at.Add(time.Duration(i)*time.Second)
		step.change(want, e.At)
		want.Seq, want.UpdatedAt = e.Seq, e.At
		if err := p.Apply(e); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(p, want) {
			t.Fatalf("after event %d (%s)\n got %+v\nwant %+v", e.Seq, e.Type, p, want)
		}
	}
	for number := range 5 {
		if a := p.Attempt(number); (a != nil) != (number >= 1 && number <= 3) || a != nil && (a.Number != number || p.AttemptByKey(a.Key) != a) {
			t.Errorf("attempt %d is %+v", number, a)
		}
	}
	if p.Current().Number != 3 || p.AttemptByKey("key-4") != nil || (&payment.Payment{}).Current() != nil {
		t.Error("an attempt is taken for another")
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	ended := func(s payment.AttemptStatus) payment.Event {
		return event(payment.EventAttemptEnded, payment.EventData{Attempt: 1, AttemptStatus: s, Reference: "ref-1", Code: "c", Message: "m"})
	}
	failure := &payment.Failure{Code: "c", Message: "m"}

	t.Run("resolved by a person", func(t *testing.T) {
		t.Parallel()
		p := fold(t, begun(ended(payment.AttemptInDoubt), event(payment.EventInDoubt, payment.EventData{Attempt: 1, Failure: failure}),
			event(payment.EventResolved, payment.EventData{Attempt: 1, Status: payment.Rejected, AttemptStatus: payment.AttemptRejected, Failure: failure}))...)
		if p.Status != payment.Rejected || p.Attempts[0].Status != payment.AttemptRejected {
			t.Errorf("got %+v", p)
		}
	})

	pending := begun(ended(payment.AttemptPending))
	doubt := begun(ended(payment.AttemptInDoubt), event(payment.EventInDoubt, payment.EventData{Attempt: 1, Failure: failure}))
	rejected := begun(ended(payment.AttemptRejected), event(payment.EventRejected, payment.EventData{Attempt: 1, Failure: failure}))
	succeeded := begun(ended(payment.AttemptSucceeded), event(payment.EventSucceeded, payment.EventData{Attempt: 1}))
	created := begun()[0]
	refused := []struct {
		name  string
		after []payment.Event
		event payment.Event
	}{
		{"a first event that is not created", nil, begun()[1]},
		{"an event out of sequence", pending, payment.Event{Seq: 9, Type: payment.EventNotification}},
		{"an event a second time", pending, payment.Event{Seq: 4, Type: payment.EventNotification}},
		{"an unknown type", pending, event("refunded", payment.EventData{})},
		{"created without a request", nil, event(payment.EventCreated, payment.EventData{Payment: "pay_1"})},
		{"created again", pending, created},
		{"created again in doubt", doubt, created},
		{"decided without a decision", pending, event(payment.EventDecided, payment.EventData{})},
		{"an attempt beside a live one", pending, event(payment.EventAttemptStarted, payment.EventData{Attempt: 2})},
		{"an attempt beside one that succeeded", succeeded[:4], event(payment.EventAttemptStarted, payment.EventData{Attempt: 2})},
		{"an attempt beside an earlier one that came alive", append(slices.Clone(rejected[:4]),
			event(payment.EventAttemptStarted, payment.EventData{Attempt: 2}),
			event(payment.EventAttemptEnded, payment.EventData{Attempt: 2, AttemptStatus: payment.AttemptFailed}),
			event(payment.EventLookup, payment.EventData{Attempt: 1, AttemptStatus: payment.AttemptPending})),
			event(payment.EventAttemptStarted, payment.EventData{Attempt: 3})},
		{"an attempt out of order", rejected[:4], event(payment.EventAttemptStarted, payment.EventData{Attempt: 3})},
		{"an attempt of a payment that is final", rejected, event(payment.EventAttemptStarted, payment.EventData{Attempt: 2})},
		{"an answer to no attempt", pending, event(payment.EventAttemptEnded, payment.EventData{Attempt: 2})},
		{"an older answer about an attempt that succeeded", succeeded,
			event(payment.EventLookup, payment.EventData{Attempt: 1, AttemptStatus: payment.AttemptPending})},
		{"a URL of no attempt", pending, event(payment.EventPending, payment.EventData{Action: payment.Redirect("https://bank.example")})},
		{"a success of no attempt", pending, event(payment.EventSucceeded, payment.EventData{})},
		{"a success of an attempt that is not there", pending, event(payment.EventSucceeded, payment.EventData{Attempt: 2})},
		{"a no to an attempt that is not there", pending, event(payment.EventRejected, payment.EventData{Attempt: 2})},
		{"a no after success", succeeded, event(payment.EventRejected, payment.EventData{Attempt: 1})},
		{"another no after a no", rejected, event(payment.EventExpired, payment.EventData{Attempt: 1})},
		{"a success after a no that is not called late", rejected, event(payment.EventSucceeded, payment.EventData{Attempt: 1})},
		{"a late success of what is not final", pending, event(payment.EventLateSuccess, payment.EventData{Attempt: 1})},
		{"a late success after success", succeeded, event(payment.EventLateSuccess, payment.EventData{Attempt: 1})},
		{"resolved without doubt", pending, event(payment.EventResolved, payment.EventData{Attempt: 1, Status: payment.Failed})},
		{"resolved to nothing", doubt, event(payment.EventResolved, payment.EventData{Attempt: 1})},
		{"resolved to what is not final", doubt, event(payment.EventResolved, payment.EventData{Attempt: 1, Status: payment.Processing})},
		{"resolved for no attempt", doubt, event(payment.EventResolved, payment.EventData{Status: payment.Failed})},
	}
	for _, c := range refused {
		t.Run(c.name+" is refused and changes nothing", func(t *testing.T) {
			t.Parallel()
			p := fold(t, c.after...)
			before := *p.Clone()
			if c.event.Seq == 0 {
				c.event.Seq = p.Seq + 1
			}
			if err := p.Apply(c.event); err == nil || !reflect.DeepEqual(before, *p) {
				t.Errorf("error %v, payment %+v", err, p)
			}
		})
	}
}

// Whatever events arrive: the fold never panics, follows the table, never begins an attempt while another could move
// money, never takes a success back, and an event that is refused changes nothing.
func TestApplyAnything(t *testing.T) {
	t.Parallel()
	types := []payment.EventType{
		payment.EventCreated, payment.EventDecided, payment.EventAttemptStarted, payment.EventAttemptEnded, payment.EventLookup,
		payment.EventNotification, payment.EventPending, payment.EventInDoubt, payment.EventAbandoned, payment.EventMismatch,
		payment.EventSucceeded, payment.EventRejected, payment.EventExpired, payment.EventFailed, payment.EventLateSuccess,
		payment.EventDoublePayment, payment.EventResolved,
	}
	attempts := []payment.AttemptStatus{
		"", payment.AttemptPending, payment.AttemptSucceeded, payment.AttemptRejected, payment.AttemptExpired, payment.AttemptFailed,
		payment.AttemptInDoubt, payment.AttemptAbandoned,
	}
	rapid.Check(t, func(t *rapid.T) {
		r := payIn()
		p := &payment.Payment{}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			before := p.Clone()
			e := payment.Event{Seq: p.Seq + 1, Type: rapid.SampledFrom(types).Draw(t, "type"), At: at, Data: payment.EventData{
				Payment: "pay_1", Request: &r, Decision: &payment.Decision{}, Action: payment.Redirect("https://bank.example"),
				Attempt: rapid.IntRange(0, 4).Draw(t, "attempt"), AttemptStatus: rapid.SampledFrom(attempts).Draw(t, "attempt status"),
				Status: rapid.SampledFrom(payment.Statuses()).Draw(t, "status"),
			}}
			if p.Seq == 0 {
				e.Type = payment.EventCreated
			}
			err := p.Apply(e)
			switch {
			case err != nil && !reflect.DeepEqual(before, p):
				t.Fatalf("refused with %v, but changed", err)
			case err != nil:
				continue
			case p.Status != before.Status && before.Seq > 0 && !before.Status.CanBecome(p.Status):
				t.Fatalf("%s became %s", before.Status, p.Status)
			case p.Action != nil && (p.Status != payment.Pending || !slices.ContainsFunc(p.Attempts, func(a payment.Attempt) bool { return a.URLGiven })):
				t.Fatalf("%s with an action, attempts %+v", p.Status, p.Attempts)
			}
			for i, a := range before.Attempts {
				switch now := p.Attempts[i]; {
				case len(p.Attempts) > len(before.Attempts) && (a.Status.Live() || a.Status == payment.AttemptSucceeded):
					t.Fatalf("attempt %d was %s when attempt %d began", a.Number, a.Status, len(p.Attempts))
				case a.Status == payment.AttemptSucceeded && now.Status != payment.AttemptSucceeded, a.URLGiven && !now.URLGiven:
					t.Fatalf("attempt %+v became %+v", a, now)
				}
			}
		}
	})
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	in, out, failure := payIn(), payOut(), &payment.Failure{Code: "c", Message: "m", Field: "payer.bank"}
	data := payment.EventData{
		Payment: "pay_1", IdempotencyKey: "k", Request: &out, Attempt: 1, Provider: "acme", Key: "key-1", Account: "a1", DeadlineAt: at,
		AttemptStatus: payment.AttemptPending, Status: payment.Rejected, Code: "c", Message: "m", Reference: "ref",
		Action: payment.Redirect("https://bank.example/?a=1&b=<2>"), ExpiresAt: at, Failure: failure, Field: "amount", Ours: "1.00", Theirs: "2.00", Note: "n", NoResend: true,
		Decision: &payment.Decision{
			Route: "pse", Reject: "no", Strategy: "priority", Rules: "abc", Providers: []string{"acme"},
			Candidates: []payment.Candidate{{Provider: "acme", Eligible: true, Reason: "ok"}}, Faults: map[string]string{"odd": "overflow"},
			Failover:  payment.Failover{On: []string{"invalid"}, MaxAttempts: 2, Within: payment.Duration(30 * time.Second)},
			DecidedAt: at, Snapshot: map[string]payment.Health{"acme": {Unhealthy: true, Paused: true, Reason: "r"}},
		},
	}
	p := payment.Payment{
		ID: "pay_1", IdempotencyKey: "k", Status: payment.Pending, Request: in, Route: "pse", Provider: "acme", ProviderReference: "ref",
		Action: data.Action, Failure: failure, ExpiresAt: at, CreatedAt: at, UpdatedAt: at, Rules: "abc", NotifiedAt: at, Seq: 5, NextLookupAt: at,
		Attempts: []payment.Attempt{{
			Number: 1, Provider: "acme", Key: "key-1", Status: payment.AttemptPending, Code: "c", Message: "m", Reference: "ref",
			Account: "a1", StartedAt: at, DeadlineAt: at, EndedAt: at, URLGiven: true, NoResend: true,
		}},
	}
	for _, v := range []any{data, *data.Decision, p, p.Attempts[0], payment.Event{Seq: 1, Type: payment.EventCreated, At: at, Data: data}} {
		for i := range reflect.ValueOf(v).NumField() {
			if reflect.ValueOf(v).Field(i).IsZero() {
				t.Errorf("the test fills %T.%s with nothing", v, reflect.TypeOf(v).Field(i).Name)
			}
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(reflect.TypeOf(v))
		if err := json.Unmarshal(b, back.Interface()); err != nil || !reflect.DeepEqual(back.Elem().Interface(), v) {
			t.Errorf("%s came back as %+v, %v", b, back.Elem(), err)
		}
	}

	b, err := json.Marshal(payment.Decision{})
	if err != nil || !strings.Contains(string(b), `"route":null,"reject":null`) {
		t.Errorf("a decision without a route is %s, %v", b, err)
	}
	for text, want := range map[string]payment.Nullable{`null`: "", `""`: "", `"a"`: "a"} {
		n := payment.Nullable("before")
		if err := json.Unmarshal([]byte(text), &n); err != nil || n != want {
			t.Errorf("%s is %q, %v", text, n, err)
		}
	}
	var d payment.Duration
	if json.Unmarshal([]byte(`1`), new(payment.Nullable)) == nil || json.Unmarshal([]byte(`"soon"`), &d) == nil {
		t.Error("what is neither text nor a duration was read")
	}
	if b, err := json.Marshal(payment.Duration(90 * time.Second)); err != nil || string(b) != `"1m30s"` {
		t.Errorf("90 seconds are %s, %v", b, err)
	}
}
