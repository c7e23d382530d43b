package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/paypaga/sandbox"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/plugintest"
	"github.com/cauce-pay/cauce/provider/sandbox/sandboxtest"
)

// simulator is the plugin's own sandbox.
type simulator struct{ *sandboxtest.Simulator }

func newSimulator(t testing.TB) *simulator {
	t.Helper()
	return &simulator{sandboxtest.Start(t, sandbox.New)}
}

// page opens a pay-in's page as a payer does and presses a button of it.
func (s *simulator) page(o provider.Outcome, decision string) {
	s.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(o.Action.URL)
	if err != nil {
		s.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || !strings.Contains(string(page), "1,000.00") {
		s.Fatalf("the bank's page: %d %s", resp.StatusCode, page)
	}
	resp, err = browser.PostForm(o.Action.URL, url.Values{"decision": {decision}})
	if err != nil {
		s.Fatal(err)
	}
	resp.Body.Close()
	want := exampleAttempt().Payment.ReturnURL
	if decision == "decline" {
		want = exampleAttempt().Payment.FailureURL
	}
	if back := resp.Header.Get("Location"); back != want {
		s.Errorf("the payer was sent to %q (%d)", back, resp.StatusCode)
	}
}

// attempt is a hand-over under a key of the engine's form.
func attempt() provider.Attempt {
	a := exampleAttempt()
	a.Key = "0123456789abcdefghij"
	return a
}

func (s *simulator) mustSubmit(p provider.Provider) provider.Outcome {
	s.Helper()
	o, err := p.Submit(s.Context(), attempt())
	if err != nil || o.Status != provider.Pending || o.Action == nil || o.ExpiresAt.IsZero() {
		s.Fatalf("got %+v, %v", o, err)
	}
	return o
}

func TestLife(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		act    func(*simulator, provider.Outcome)
		want   provider.Status
		ledger string
	}{
		{"approved", func(s *simulator, o provider.Outcome) { s.page(o, "approve") }, provider.Succeeded, "approved"},
		{"declined", func(s *simulator, o provider.Outcome) { s.page(o, "decline") }, provider.Rejected, "rejected"},
		{"forgotten", func(s *simulator, _ provider.Outcome) { s.Post("clock", map[string]any{"advance_s": 60*60*60 + 1}) }, provider.Expired, "expired"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			if err := p.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			o := s.mustSubmit(p)
			tc.act(s, o)
			for _, q := range []provider.Query{{Key: attempt().Key}, {Reference: o.Reference}, {Key: attempt().Key, Reference: o.Reference}} {
				found, err := p.Lookup(t.Context(), q)
				if err != nil || found.Status != tc.want || found.Key != attempt().Key || found.Amount != attempt().Payment.Amount || found.Reference != o.Reference {
					t.Errorf("%+v: %+v, %v; want %s", q, found, err, tc.want)
				}
			}
			if got := s.Ledger(); len(got) != 1 || got[0] != (sandboxtest.Entry{ID: o.Reference, Key: attempt().Key, Operation: payment.PayIn, Amount: "1000.00", Status: tc.ledger}) {
				t.Errorf("ledger %v", got)
			}
			if tc.want != provider.Expired { // which is not called back
				if told := s.Follow(p); told.Status != tc.want {
					t.Errorf("the webhook leads to %+v", told)
				}
			}
		})
	}
}

// The plugin's own clock stands still, so that only the refusal tells that the token is over.
func TestOverTheLifeOfAToken(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := at(t, s.URL)
	o := s.mustSubmit(p)
	s.Post("clock", map[string]any{"advance_s": 301})
	if found, err := p.Lookup(t.Context(), provider.Query{Reference: o.Reference}); err != nil || found.Status != provider.Pending {
		t.Errorf("got %+v, %v", found, err)
	}
	s.Post("clock", map[string]any{"advance_s": 301})
	a := attempt()
	a.Key = "jihgfedcba9876543210"
	if _, err := p.Submit(t.Context(), a); err != nil {
		t.Error(err)
	}
	if counts := s.Counts(); counts["token"] != 3 || counts["create"] != 3 {
		t.Errorf("counts %v, want one token more after each one's end", counts)
	}
	s.AwaitLedger(2)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Every fault of a hand-over: what the plugin says of it, what really happened, and that a look-up by key finds it.
func TestFaultsOfAHandOver(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		fault    map[string]any
		want     provider.Code
		executed int
	}{
		{"drop_before", map[string]any{"do": "drop_before"}, provider.CodeUnknown, 0},
		{"drop_after", map[string]any{"do": "drop_after"}, provider.CodeUnknown, 1},
		{"delay", map[string]any{"do": "delay", "delay_ms": 1000}, provider.CodeUnknown, 1},
		{"delay_after", map[string]any{"do": "delay_after", "delay_ms": 60_000}, provider.CodeUnknown, 1},
		{"garble", map[string]any{"do": "garble"}, provider.CodeUnknown, 1},
		{"answer 500", map[string]any{"do": "answer", "status": 500}, provider.CodeUnknown, 0},
		{"answer 400", map[string]any{"do": "answer", "status": 400}, provider.CodeInvalid, 0},
		{"answer 429", map[string]any{"do": "answer", "status": 429}, provider.CodeUnavailable, 0},
		{"answer 402", map[string]any{"do": "answer", "status": 402}, provider.CodeUnavailable, 0},
		{"answer_after 402", map[string]any{"do": "answer_after", "status": 402}, provider.CodeUnknown, 1},
		{"answer_after 409", map[string]any{"do": "answer_after", "status": 409}, provider.CodeUnknown, 1},
		{"answer_after 503", map[string]any{"do": "answer_after", "status": 503, "body": "<html>"}, provider.CodeUnknown, 1},
		{"answer_after 201 with nothing", map[string]any{"do": "answer_after", "status": 201}, provider.CodeUnknown, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			if err := p.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			tc.fault["on"] = "create"
			s.Fault(tc.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if strings.HasPrefix(tc.name, "delay") {
				go func() {
					s.Await("the request", func() bool { return s.Counts()["create"] == 1 })
					cancel()
				}()
			}
			_, err := p.Submit(ctx, attempt())
			if codeOf(t, err) != tc.want {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			s.AwaitLedger(tc.executed)
			want := []provider.Status{provider.Absent, provider.Pending}[tc.executed]
			if o, err := p.Lookup(t.Context(), provider.Query{Key: attempt().Key}); err != nil || o.Status != want {
				t.Errorf("looked up: %+v, %v; want %s", o, err, want)
			}
			if tc.executed == 0 {
				return
			}
			again := attempt()
			again.Resend = true
			if _, err := p.Submit(t.Context(), again); codeOf(t, err) != provider.CodeUnknown || provider.AsError(err).Reference == "" {
				t.Errorf("sent again: %v", err)
			}
			s.AwaitLedger(1)
		})
	}
}

// Whatever happens to the token request, the pay-in was not asked for.
func TestFaultsOfTheToken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault map[string]any
		want  provider.Code
	}{
		"drop_before": {map[string]any{"do": "drop_before"}, provider.CodeUnavailable},
		"drop_after":  {map[string]any{"do": "drop_after"}, provider.CodeUnavailable},
		"delay":       {map[string]any{"do": "delay", "delay_ms": 60_000}, provider.CodeUnavailable},
		"garble":      {map[string]any{"do": "garble"}, provider.CodeUnavailable},
		"answer 503":  {map[string]any{"do": "answer", "status": 503}, provider.CodeUnavailable},
		"answer 401":  {map[string]any{"do": "answer", "status": 401}, provider.CodeUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			tc.fault["on"] = "token"
			s.Fault(tc.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if name == "delay" {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			}
			defer cancel()
			if _, err := p.Submit(ctx, attempt()); codeOf(t, err) != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			s.AwaitLedger(0)
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A check that is not answered says that PayPaga cannot be reached, not that anything is in doubt.
func TestFaultsOfACheck(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := at(t, s.URL)
	for _, do := range []string{"drop_before", "drop_after"} {
		s.Fault(map[string]any{"on": "banks", "do": do, "times": 2}) // a GET on a connection that breaks is made once more
		if err := p.Check(t.Context()); codeOf(t, err) != provider.CodeUnavailable {
			t.Errorf("%s: %v", do, err)
		}
		s.Post("reset", nil)
	}
}

// Whatever happens to a look-up, it claims nothing.
func TestFaultsOfALookup(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault map[string]any
		want  provider.Code
	}{
		"drop_before":             {map[string]any{"do": "drop_before"}, provider.CodeUnknown},
		"drop_after":              {map[string]any{"do": "drop_after"}, provider.CodeUnknown},
		"delay":                   {map[string]any{"do": "delay", "delay_ms": 60_000}, provider.CodeUnknown},
		"garble":                  {map[string]any{"do": "garble"}, provider.CodeUnknown},
		"answer 503":              {map[string]any{"do": "answer"}, provider.CodeUnknown},
		"answer 401":              {map[string]any{"do": "answer", "status": 401}, provider.CodeUnauthorized},
		"answer 200 with nothing": {map[string]any{"do": "answer", "status": 200}, provider.CodeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			o := s.mustSubmit(p)
			for _, q := range []provider.Query{{Key: attempt().Key}, {Reference: o.Reference}} {
				// Twice: after a 401, and after a GET on a connection that breaks, the same is asked once more.
				tc.fault["on"], tc.fault["times"] = "lookup", 2
				s.Fault(tc.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				if name == "delay" {
					cancel()
					ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
				}
				defer cancel()
				if found, err := p.Lookup(ctx, q); codeOf(t, err) != tc.want {
					t.Errorf("got %+v, %v; want %s", found, err, tc.want)
				}
			}
		})
	}
}

// A webhook is a hint: a forged, early or repeated one leads to a look-up that tells the truth.
func TestFaultsOfTheWebhook(t *testing.T) {
	t.Parallel()
	for fault, webhooks := range map[string]int{"webhook_forged": 1, "webhook_first": 1, "webhook_twice": 2} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			s.Fault(map[string]any{"on": "create", "do": fault})
			o := s.mustSubmit(p)
			want := provider.Pending
			if fault == "webhook_twice" {
				want = provider.Succeeded
				s.Settle(o.Reference, "approved")
			}
			for range webhooks {
				if told := s.Follow(p); told.Status != want || told.Key != attempt().Key {
					t.Errorf("it leads to %+v, want %s", told, want)
				}
			}
		})
	}
}

// What the sandbox does in its modes, and what the plugin makes of it.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode, value    string
		status, lookup provider.Status
		code           provider.Code
	}{
		{"expires_at", "missing", provider.Pending, provider.Pending, ""},
		{"top_level", "all", provider.Pending, provider.Pending, ""},
		{"reference", "string", provider.Pending, provider.Pending, ""},
		{"search", "list", provider.Pending, provider.Pending, ""},
		{"search", "ignored", provider.Pending, provider.Pending, ""},
		{"unknown", "404", provider.Pending, provider.Pending, ""},
		{"case", "title", provider.Pending, provider.Pending, ""},
		{"configuration", "disabled", "", provider.Absent, provider.CodeUnavailable},
		{"permission", "denied", "", "", provider.CodeUnauthorized},
		{"processing", "refused", "", provider.Absent, provider.CodeUnavailable},
		{"processing", "stored", "", provider.Pending, provider.CodeUnknown},
	} {
		t.Run(tc.mode+" "+tc.value, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			s.Mode(tc.mode, tc.value)
			p := at(t, s.URL)
			o, err := p.Submit(t.Context(), attempt())
			if codeOf(t, err) != tc.code || o.Status != tc.status {
				t.Errorf("got %+v, %v; want %q, %q", o, err, tc.status, tc.code)
			}
			if found, _ := p.Lookup(t.Context(), provider.Query{Key: attempt().Key}); found.Status != tc.lookup {
				t.Errorf("looked up: %+v, want %q", found, tc.lookup)
			}
		})
	}
}

// Over the wire a host gets what the plugin says, word for word.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := plugintest.Serve(t, New())
	if err := p.Configure(t.Context(), configAt(s.URL)); err != nil {
		t.Fatal(err)
	}
	lister, ok := provider.WithBanks(p)
	if !ok {
		t.Fatal("it lists no banks")
	}
	if banks, err := lister.Banks(t.Context(), payment.PSE); err != nil || len(banks) != 47 {
		t.Errorf("banks %v, %v", banks, err)
	}
	a := attempt()
	a.Payment.Payer.Document.Type = payment.NIT
	if _, err := p.Submit(t.Context(), a); codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "payer.document.type" {
		t.Errorf("NIT: %v", err)
	}
	s.page(s.mustSubmit(p), "approve")
	hooks, _ := provider.WithNotifications(p)
	if told := s.Follow(hooks); told.Status != provider.Succeeded || told.Key != attempt().Key {
		t.Errorf("the webhook leads to %+v", told)
	}
	s.AwaitLedger(1)
}
