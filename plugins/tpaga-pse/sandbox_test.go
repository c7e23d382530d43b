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
	"github.com/cauce-pay/cauce/plugins/tpaga-pse/sandbox"
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

// bankPage opens a charge's bank page as a payer does and presses a button of it.
func (s *simulator) bankPage(o provider.Outcome, decision string) {
	s.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(o.Action.URL)
	if err != nil {
		s.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || !strings.Contains(string(page), "10,000.00") {
		s.Fatalf("the bank's page: %d %s", resp.StatusCode, page)
	}
	resp, err = browser.PostForm(o.Action.URL, url.Values{"decision": {decision}})
	if err != nil {
		s.Fatal(err)
	}
	resp.Body.Close()
	if back := resp.Header.Get("Location"); back != exampleAttempt().Payment.ReturnURL {
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
	if err != nil || o.Status != provider.Pending || o.Action == nil || o.Key != attempt().Key || o.Amount != attempt().Payment.Amount {
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
		code   string
		ledger string
	}{
		{"approved", func(s *simulator, o provider.Outcome) { s.bankPage(o, "approve") }, provider.Succeeded, "settled", "approved"},
		{"declined", func(s *simulator, o provider.Outcome) { s.bankPage(o, "decline") }, provider.Rejected, "charge-rejected", "rejected"},
		{"forgotten", func(s *simulator, _ provider.Outcome) { s.Post("clock", map[string]any{"advance_s": 1801}) }, provider.Rejected, "charge-rejected", "expired"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			banks, err := p.Banks(t.Context(), payment.PSE)
			if err != nil || len(banks) < 5 {
				t.Fatalf("banks %v, %v", banks, err)
			}
			o := s.mustSubmit(p)
			if found, err := p.Lookup(t.Context(), provider.Query{Reference: o.Reference}); err != nil || found.Status != provider.Pending ||
				*found.Action != *o.Action {
				t.Fatalf("looked up: %+v, %v", found, err)
			}
			tc.act(s, o)
			found, err := p.Lookup(t.Context(), provider.Query{Key: o.Key, Reference: o.Reference})
			if err != nil || found.Status != tc.want || found.Code != tc.code || found.Key != o.Key || found.Amount != o.Amount || found.Action != nil {
				t.Errorf("got %+v, %v; want %s", found, err, tc.want)
			}
			if got := s.Ledger(); len(got) != 1 || got[0] != (sandboxtest.Entry{ID: o.Reference, Key: o.Key, Operation: payment.PayIn, Amount: "10000.00", Status: tc.ledger}) {
				t.Errorf("ledger %v", got)
			}
			if told := s.Follow(p); told.Status != tc.want {
				t.Errorf("the webhook leads to %+v", told)
			}
		})
	}
	t.Run("authorized, then settled", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		s.Mode("settlement", "authorized_first")
		p := at(t, s.URL)
		o := s.mustSubmit(p)
		s.bankPage(o, "approve")
		if told := s.Follow(p); told.Status != provider.Authorized || told.Code != "authorized" || told.Action != nil {
			t.Errorf("authorized: %+v; want authorized, not to be paid again", told)
		}
		s.Settle(o.Reference, "approved")
		if told := s.Follow(p); told.Status != provider.Succeeded {
			t.Errorf("settled: %+v", told)
		}
	})
	t.Run("over the life of a token", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		p := at(t, s.URL)
		o := s.mustSubmit(p)
		s.bankPage(o, "approve")
		s.Post("clock", map[string]any{"advance_s": 3601}) // the plugin's own clock stands still
		if found, err := p.Lookup(t.Context(), provider.Query{Reference: o.Reference}); err != nil || found.Status != provider.Succeeded {
			t.Errorf("got %+v, %v", found, err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if counts := s.Counts(); counts["token"] != 2 || counts["create"] != 1 {
			t.Errorf("counts %v, want one token more after the first one's end", counts)
		}
		var requests []struct{ Method, Path string }
		s.Get("requests", &requests)
		if last := requests[len(requests)-1]; last.Method != "POST" || last.Path != "/o/revoke_token/" {
			t.Errorf("the last request is %+v", last)
		}
	})
}

// Every fault of a hand-over: what the plugin says of it, and what really happened.
func TestFaultsOfAHandOver(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		fault     map[string]any
		want      provider.Code
		executed  int
		reference bool // told in spite of it
	}{
		{"drop_before", map[string]any{"do": "drop_before"}, provider.CodeUnknown, 0, false},
		{"drop_after", map[string]any{"do": "drop_after"}, provider.CodeUnknown, 1, false},
		{"delay", map[string]any{"do": "delay", "delay_ms": 1000}, provider.CodeUnknown, 1, false},
		{"delay_after", map[string]any{"do": "delay_after", "delay_ms": 60_000}, provider.CodeUnknown, 1, false},
		{"garble", map[string]any{"do": "garble"}, provider.CodeUnknown, 1, true},
		{"answer 500", map[string]any{"do": "answer", "status": 500}, provider.CodeUnknown, 0, false},
		{"answer 409", map[string]any{"do": "answer", "status": 409}, provider.CodeUnavailable, 0, false},
		{"answer 429", map[string]any{"do": "answer", "status": 429}, provider.CodeUnavailable, 0, false},
		{"answer 422", map[string]any{"do": "answer", "status": 422, "body": `{"field":"bank_code"}`}, provider.CodeInvalid, 0, false},
		{"a proxy's 408", map[string]any{"do": "answer", "status": 408, "body": "Request Timeout"}, provider.CodeUnknown, 0, false},
		{"an empty 201", map[string]any{"do": "answer", "status": 201}, provider.CodeUnknown, 0, false},
		{"answer_after 500", map[string]any{"do": "answer_after", "status": 500}, provider.CodeUnknown, 1, false},
		{"answer_after 503 with a page", map[string]any{"do": "answer_after", "status": 503, "body": "<html>"}, provider.CodeUnknown, 1, false},
		{"answer_after 502 with a page", map[string]any{"do": "answer_after", "status": 502, "body": "<html>"}, provider.CodeUnknown, 1, false},
		{"answer_after 200 with nothing", map[string]any{"do": "answer_after", "status": 200}, provider.CodeUnknown, 1, false},
	}
	for _, tc := range cases {
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
			if reference := provider.AsError(err).Reference; (reference != "") != tc.reference {
				t.Errorf("reference %q", reference)
			} else if tc.reference {
				if o, err := p.Lookup(t.Context(), provider.Query{Reference: reference}); err != nil || o.Key != attempt().Key || o.Action == nil {
					t.Errorf("the reference leads to %+v, %v", o, err)
				}
			}
			// The same attempt again, as the provider allows: it is never executed twice.
			s.Mode("duplicate", "charge")
			again := attempt()
			again.Resend = true
			if o, err := p.Submit(t.Context(), again); err != nil || o.Status != provider.Pending || o.Action == nil {
				t.Errorf("sent again: %+v, %v", o, err)
			}
			s.AwaitLedger(1)
		})
	}
}

// The charge that a 408 names cannot be looked up at once: what is known of it is not lost.
func TestALostLookupOfAnExistingCharge(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.Mode("duplicate", "charge")
	p := at(t, s.URL)
	o := s.mustSubmit(p)
	s.Fault(map[string]any{"on": "lookup", "do": "drop_before", "times": 2})
	_, err := p.Submit(t.Context(), attempt())
	if codeOf(t, err) != provider.CodeUnknown || provider.AsError(err).Reference != o.Reference {
		t.Errorf("got %v with reference %q, want unknown with %q", err, provider.AsError(err).Reference, o.Reference)
	}
}

// Whatever happens to the token request, the charge was not asked for.
func TestFaultsOfTheToken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault map[string]any
		want  provider.Code
	}{
		"drop_before": {map[string]any{"do": "drop_before"}, provider.CodeUnavailable},
		"drop_after":  {map[string]any{"do": "drop_after"}, provider.CodeUnavailable},
		"delay":       {map[string]any{"do": "delay", "delay_ms": 60_000}, provider.CodeUnavailable},
		"delay_after": {map[string]any{"do": "delay_after", "delay_ms": 60_000}, provider.CodeUnavailable},
		"garble":      {map[string]any{"do": "garble"}, provider.CodeUnavailable},
		"answer 503":  {map[string]any{"do": "answer", "status": 503}, provider.CodeUnavailable},
		"answer 400":  {map[string]any{"do": "answer", "status": 400}, provider.CodeUnauthorized},
		"answer 401":  {map[string]any{"do": "answer", "status": 401}, provider.CodeUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			tc.fault["on"] = "token"
			s.Fault(tc.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if strings.HasPrefix(name, "delay") {
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

// Whatever happens to a look-up, it claims nothing; the next one is clear again.
func TestFaultsOfALookup(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]map[string]any{
		"drop_before": {"do": "drop_before"}, "drop_after": {"do": "drop_after"}, "garble": {"do": "garble"},
		"delay": {"do": "delay", "delay_ms": 60_000}, "delay_after": {"do": "delay_after", "delay_ms": 60_000},
		"answer 503": {"do": "answer"}, "answer 401": {"do": "answer", "status": 401},
		"answer_after 500": {"do": "answer_after", "status": 500}, "answer 200 with nothing": {"do": "answer", "status": 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			o := s.mustSubmit(p)
			// Twice: after a 401, and after a GET on a connection that breaks, the same is asked once more.
			fault["on"], fault["times"] = "lookup", 2
			s.Fault(fault)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if strings.HasPrefix(name, "delay") {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			}
			defer cancel()
			want := provider.CodeUnknown
			if name == "answer 401" {
				want = provider.CodeUnauthorized
			}
			if found, err := p.Lookup(ctx, provider.Query{Reference: o.Reference}); codeOf(t, err) != want {
				t.Errorf("got %+v, %v; want %s", found, err, want)
			}
		})
	}
}

// A webhook is a hint: a forged, early or repeated one leads to a look-up that tells the truth.
func TestFaultsOfTheWebhook(t *testing.T) {
	t.Parallel()
	t.Run("forged", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		p := at(t, s.URL)
		s.Fault(map[string]any{"on": "create", "do": "webhook_forged"})
		s.mustSubmit(p)
		if told := s.Follow(p); told.Status != provider.Pending {
			t.Errorf("it leads to %+v", told)
		}
	})
	t.Run("before the answer", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		p := at(t, s.URL)
		s.Fault(map[string]any{"on": "create", "do": "webhook_first"})
		s.mustSubmit(p)
		if told := s.Follow(p); told.Key != attempt().Key {
			t.Errorf("it leads to %+v", told)
		}
	})
	t.Run("twice, in the document's own form", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		p := at(t, s.URL)
		s.Mode("webhook_body", "literal")
		s.Fault(map[string]any{"on": "create", "do": "webhook_twice"})
		o := s.mustSubmit(p)
		s.Settle(o.Reference, "approved")
		for range 2 {
			if told := s.Follow(p); told.Status != provider.Succeeded || told.Reference != o.Reference {
				t.Errorf("it leads to %+v", told)
			}
		}
	})
}

// What the sandbox answers by itself, in each of its modes, at registration.
func TestRegistration(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode, value string
		status      provider.Status
		code        provider.Code
	}{
		{"registration", "rejected", provider.Failed, ""},
		{"registration", "failed", "", provider.CodeUnavailable},
		{"registration", "timeout", provider.Failed, ""},
		{"permission", "denied", "", provider.CodeUnauthorized},
		{"min_amount", "20000", "", provider.CodeInvalid},
		{"bank_url", "long", provider.Pending, ""},
	} {
		t.Run(tc.mode+" "+tc.value, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			s.Mode(tc.mode, tc.value)
			o, err := at(t, s.URL).Submit(t.Context(), attempt())
			if codeOf(t, err) != tc.code || o.Status != tc.status {
				t.Errorf("got %+v, %v; want %q, %q", o, err, tc.status, tc.code)
			}
			s.AwaitLedger(map[bool]int{true: 1}[tc.status == provider.Pending])
		})
	}
	t.Run("a bank that PSE does not reach", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		s.Mode("registration", "failed")
		_, err := at(t, s.URL).Submit(t.Context(), attempt())
		if e := provider.AsError(err); codeOf(t, err) != provider.CodeUnavailable || e.Field != "payer.bank" || e.ProviderCode != "FAIL_BANKUNREACHEABLE" {
			t.Errorf("got %v", err)
		}
		s.AwaitLedger(0)
	})
	t.Run("a bank that does not exist", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		a := attempt()
		a.Payment.Payer.Bank = "9999"
		_, err := at(t, s.URL).Submit(t.Context(), a)
		if e := provider.AsError(err); codeOf(t, err) != provider.CodeInvalid || e.Field != "payer.bank" || e.ProviderCode != "422 bank_code" {
			t.Errorf("got %v", err)
		}
		s.AwaitLedger(0)
	})
}

// Over the wire a host gets what the plugin says, word for word.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := plugintest.Serve(t, New())
	c := configAt(s.URL)
	c["min_amount"] = "9000"
	if err := p.Configure(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := p.Info().Capabilities[0]; got.AmountMin != payment.Pesos(9000) || !got.Recovery.AbandonIfUnanswered {
		t.Errorf("capability %+v", got)
	}
	lister, ok := provider.WithBanks(p)
	if !ok {
		t.Fatal("it lists no banks")
	}
	if banks, err := lister.Banks(t.Context(), payment.PSE); err != nil || len(banks) < 5 {
		t.Errorf("banks %v, %v", banks, err)
	}
	a := attempt()
	a.Payment.Amount = payment.Pesos(8999)
	if _, err := p.Submit(t.Context(), a); codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "amount" {
		t.Errorf("too little: %v", err)
	}
	s.bankPage(s.mustSubmit(p), "approve")
	hooks, _ := provider.WithNotifications(p)
	if told := s.Follow(hooks); told.Status != provider.Succeeded || told.Key != attempt().Key {
		t.Errorf("the webhook leads to %+v", told)
	}
	s.AwaitLedger(1)
}
