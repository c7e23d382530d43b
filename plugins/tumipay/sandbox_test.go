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
	"github.com/cauce-pay/cauce/plugins/tumipay/sandbox"
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
	if resp.StatusCode != 200 || !strings.Contains(string(page), "10,000.00") {
		s.Fatalf("the page: %d %s", resp.StatusCode, page)
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

// attempt is a hand-over by a method under a key of the engine's form.
func (s *simulator) attempt(m payment.Method) provider.Attempt {
	a := exampleAttempt()
	a.Key, a.NotificationURL = "0123456789abcdefghij", s.Router+"/v1/notifications/tumipay/secret"
	a.Payment.Method, a.Payment.Amount = m, payment.Pesos(10_000)
	return a
}

func (s *simulator) mustSubmit(p provider.Provider, a provider.Attempt) provider.Outcome {
	s.Helper()
	o, err := p.Submit(s.Context(), a)
	if err != nil || o.Status != provider.Pending || o.Action == nil || o.Key != a.Key || o.Amount != a.Payment.Amount || o.Currency != "COP" {
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
		{"approved", func(s *simulator, o provider.Outcome) { s.page(o, "approve") }, provider.Succeeded, "APPROVED", "approved"},
		{"declined", func(s *simulator, o provider.Outcome) { s.page(o, "decline") }, provider.Rejected, "REJECTED", "rejected"},
		{"forgotten", func(s *simulator, _ provider.Outcome) { s.Post("clock", map[string]any{"advance_s": 1801}) }, provider.Expired, "EXPIRED", "expired"},
	} {
		for method := range words {
			t.Run(tc.name+" by "+string(method), func(t *testing.T) {
				t.Parallel()
				s := newSimulator(t)
				p := at(t, s.URL)
				o := s.mustSubmit(p, s.attempt(method))
				if found, err := p.Lookup(t.Context(), provider.Query{Key: o.Key}); err != nil || found.Status != provider.Pending || found.Reference != o.Reference {
					t.Fatalf("looked up: %+v, %v", found, err)
				}
				tc.act(s, o)
				for _, q := range []provider.Query{{Key: o.Key}, {Reference: o.Reference}, {Key: o.Key, Reference: o.Reference}} {
					found, err := p.Lookup(t.Context(), q)
					if err != nil || found.Status != tc.want || found.Code != tc.code || found.Key != o.Key || found.Amount != o.Amount || found.Action != nil {
						t.Errorf("%+v: got %+v, %v; want %s", q, found, err, tc.want)
					}
				}
				if got := s.Ledger(); len(got) != 1 || got[0] != (sandboxtest.Entry{ID: o.Reference, Key: o.Key, Operation: payment.PayIn, Amount: "10000.00", Status: tc.ledger}) {
					t.Errorf("ledger %v", got)
				}
				if told := s.Follow(p); told.Status != tc.want {
					t.Errorf("the webhook leads to %+v", told)
				}
			})
		}
	}
}

// Every unit, version and form of base URL; a wrong unit does not go unnoticed.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		unit, theirs, version, base string
		want                        provider.Code
	}{
		{"cent", "cent", "v1", "", ""}, {"cent", "cent", "v2", "/production/api", ""}, {"peso", "peso", "v1", "/production", ""},
		{"peso", "peso", "v2", "/api/", ""}, {"peso", "cent", "v1", "", provider.CodeInvalid},
	} {
		s := newSimulator(t)
		s.Mode("unit", tc.theirs)
		p := at(t, s.URL+tc.base, "amount_unit", tc.unit, "api_version", tc.version)
		if err := p.Check(t.Context()); err != nil {
			t.Errorf("%+v: %v", tc, err)
		}
		o, err := p.Submit(t.Context(), s.attempt(payment.PSE))
		if codeOf(t, err) != tc.want || err == nil && o.Amount != payment.Pesos(10_000) {
			t.Errorf("%+v: %+v, %v", tc, o, err)
		}
		ledger := s.Ledger()
		if tc.want == "" && (len(ledger) != 1 || ledger[0].Amount != "10000.00") || tc.want != "" && len(ledger) != 0 {
			t.Errorf("%+v: ledger %v", tc, ledger)
		}
	}
	s := newSimulator(t)
	for _, wrong := range []string{"password", "token_top"} {
		if err := at(t, s.URL, wrong, "wrong").Check(t.Context()); codeOf(t, err) != provider.CodeUnauthorized {
			t.Errorf("wrong %s: %v", wrong, err)
		}
	}
	banks, err := at(t, s.URL).Banks(t.Context(), payment.PSE)
	if err != nil || len(banks) < 5 {
		t.Errorf("banks %v, %v", banks, err)
	}
}

// Every fault of a hand-over: what the plugin says of it, what really happened, and what a look-up then tells.
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
		{"answer 429", map[string]any{"do": "answer", "status": 429}, provider.CodeUnavailable, 0},
		{"answer 422", map[string]any{"do": "answer", "status": 422, "body": `{"code":"02"}`}, provider.CodeInvalid, 0},
		{"answer 200 with another code", map[string]any{"do": "answer", "status": 200, "body": `{"code":"02"}`}, provider.CodeUnavailable, 0},
		{"answer 408", map[string]any{"do": "answer", "status": 408}, provider.CodeUnknown, 0},
		{"an empty 200", map[string]any{"do": "answer", "status": 200}, provider.CodeUnknown, 0},
		{"answer_after 200 with another code", map[string]any{"do": "answer_after", "status": 200, "body": `{"code":"02"}`}, provider.CodeUnknown, 1},
		{"answer_after 400", map[string]any{"do": "answer_after", "status": 400, "body": `{"code":"02"}`}, provider.CodeUnknown, 1},
		{"answer_after 429", map[string]any{"do": "answer_after", "status": 429}, provider.CodeUnknown, 1},
		{"answer_after 500", map[string]any{"do": "answer_after", "status": 500}, provider.CodeUnknown, 1},
		{"answer_after 502 with a page", map[string]any{"do": "answer_after", "status": 502, "body": "<html>"}, provider.CodeUnknown, 1},
		{"answer_after 200 with nothing", map[string]any{"do": "answer_after", "status": 200}, provider.CodeUnknown, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
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
			a := s.attempt(payment.PSE)
			_, err := p.Submit(ctx, a)
			if codeOf(t, err) != tc.want {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			s.AwaitLedger(tc.executed)
			want := map[int]provider.Status{0: provider.Absent, 1: provider.Pending}[tc.executed]
			if o, err := p.Lookup(t.Context(), provider.Query{Key: a.Key}); err != nil || o.Status != want {
				t.Errorf("looked up: %+v, %v; want %s", o, err, want)
			}
		})
	}
}

// Whatever happens to a look-up, it claims nothing; the next one is clear again.
func TestFaultsOfALookup(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]map[string]any{
		"drop_before": {"do": "drop_before"}, "drop_after": {"do": "drop_after"}, "garble": {"do": "garble"},
		"answer 503": {"do": "answer"}, "answer 401": {"do": "answer", "status": 401},
		"answer_after 500": {"do": "answer_after", "status": 500}, "answer 200 with nothing": {"do": "answer", "status": 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			p := at(t, s.URL)
			o := s.mustSubmit(p, s.attempt(payment.PSE))
			fault["on"], fault["times"] = "lookup", 2 // Go asks again over a connection that breaks
			s.Fault(fault)
			want := provider.CodeUnknown
			if fault["status"] == 401 {
				want = provider.CodeUnauthorized
			}
			if found, err := p.Lookup(t.Context(), provider.Query{Key: o.Key}); codeOf(t, err) != want {
				t.Errorf("got %+v, %v; want %s", found, err, want)
			}
			s.Post("reset", nil)
			if found, err := p.Lookup(t.Context(), provider.Query{Key: o.Key}); err != nil || found.Status != provider.Absent {
				t.Errorf("after it: %+v, %v", found, err)
			}
		})
	}
}

// A reference that is known is never taken for a refusal, in whatever form that is said.
func TestKnownReference(t *testing.T) {
	t.Parallel()
	for _, refusal := range []string{"400", "422", "200", "409"} {
		s := newSimulator(t)
		if refusal == "409" {
			s.Mode("duplicate", "409")
		} else {
			s.Mode("refusal", refusal)
		}
		p := at(t, s.URL)
		o := s.mustSubmit(p, s.attempt(payment.PSE))
		_, err := p.Submit(t.Context(), s.attempt(payment.PSE))
		if codeOf(t, err) != provider.CodeUnknown || refusal != "409" && provider.AsError(err).Reference != o.Reference {
			t.Errorf("%s: %v", refusal, err)
		}
		s.AwaitLedger(1)
	}
}

// What the sandbox answers by itself, in each of its modes.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode, value string
		method      payment.Method
		status      provider.Status
		code        provider.Code
		url         bool
	}{
		{"permission", "denied", payment.PSE, "", provider.CodeUnauthorized, false},
		{"pse_min", "10000.01", payment.PSE, "", provider.CodeInvalid, false},
		{"refusal", "200", payment.PSE, provider.Pending, "", true},
		{"ticket", "uuid", payment.PSE, provider.Pending, "", true},
		{"breb", "key", payment.BreB, provider.Pending, "", false},
		{"breb", "url", payment.BreB, provider.Pending, "", true},
		{"pending_word", "CREATED", payment.Any, provider.Pending, "", true},
	} {
		t.Run(tc.mode+" "+tc.value, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			s.Mode(tc.mode, tc.value)
			p := at(t, s.URL)
			o, err := p.Submit(t.Context(), s.attempt(tc.method))
			if codeOf(t, err) != tc.code || o.Status != tc.status || (o.Action != nil) != tc.url {
				t.Fatalf("got %+v, %v; want %q, %q", o, err, tc.status, tc.code)
			}
			if tc.method == payment.BreB && !strings.Contains(o.Message, "Bre-B key @TUMI") {
				t.Errorf("how to pay is not told: %+v", o)
			}
			if found, err := p.Lookup(t.Context(), provider.Query{Key: o.Key, Reference: o.Reference}); err == nil && found.Status != tc.status {
				t.Errorf("looked up: %+v", found)
			}
		})
	}
	t.Run("a bank of its own page", func(t *testing.T) {
		t.Parallel()
		s := newSimulator(t)
		p := at(t, s.URL, "api_version", "v2")
		a := s.attempt(payment.PSE)
		a.Payment.Payer.Bank = "1077"
		o, err := p.Submit(t.Context(), a)
		if err != nil || o.Action == nil || o.Reference == "" || o.Key != "" {
			t.Errorf("direct: %+v, %v", o, err)
		}
		a.Key, a.Payment.Payer.Bank = "another-key", "9999"
		if _, err := p.Submit(t.Context(), a); codeOf(t, err) != provider.CodeInvalid {
			t.Errorf("a bank that does not exist: %v", err)
		}
		s.AwaitLedger(1)
	})
	for value, want := range map[string]provider.Outcome{"reference": {Key: "1"}, "currency": {Currency: "PEN"}} {
		s := newSimulator(t)
		s.Mode("echo", value)
		o, err := at(t, s.URL).Submit(t.Context(), s.attempt(payment.PSE))
		if err != nil || want.Key != "" && o.Key != "1"+s.attempt(payment.PSE).Key || want.Currency != "" && o.Currency != "PEN" {
			t.Errorf("echo of another %s: %+v, %v", value, o, err)
		}
	}
	s := newSimulator(t)
	s.Mode("payer_amount", "changed")
	p := at(t, s.URL)
	s.page(s.mustSubmit(p, s.attempt(payment.BreB)), "approve")
	if told := s.Follow(p); told.Status != provider.Succeeded || told.Amount != payment.Pesos(11_000) {
		t.Errorf("the payer paid more: %+v", told)
	}
}

// A webhook is a hint: a forged, early or repeated one leads to a look-up that tells the truth, and one that is not
// signed right leads to nothing.
func TestFaultsOfTheWebhook(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := at(t, s.URL)
	s.Fault(map[string]any{"on": "create", "do": "webhook_forged"})
	o := s.mustSubmit(p, s.attempt(payment.PSE))
	if told := s.Follow(p); told.Status != provider.Pending {
		t.Errorf("a forged one leads to %+v", told)
	}
	for _, value := range []string{"wrong", "missing"} {
		s.Mode("signature", value)
		s.Settle(o.Reference, "approved")
		if got, err := p.ParseNotification(t.Context(), s.Webhook()); codeOf(t, err) != provider.CodeInvalid {
			t.Errorf("signature %s: %+v, %v", value, got, err)
		}
	}
	s.Post("reset", nil)
	s.Fault(map[string]any{"on": "create", "do": "webhook_first"})
	s.mustSubmit(p, s.attempt(payment.PSE))
	if told := s.Follow(p); told.Status != provider.Pending || told.Key != s.attempt(payment.PSE).Key {
		t.Errorf("an early one leads to %+v", told)
	}
	s.Post("reset", nil)
	s.Fault(map[string]any{"on": "create", "do": "webhook_twice"})
	o = s.mustSubmit(p, s.attempt(payment.PSE))
	s.Settle(o.Reference, "approved")
	for range 2 {
		if told := s.Follow(p); told.Status != provider.Succeeded || told.Reference != o.Reference {
			t.Errorf("a repeated one leads to %+v", told)
		}
	}
}

// The provider's own test data.
func TestTestData(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]provider.Status{
		"approved@tumipay.co": provider.Succeeded, "tumipay@tumipay.co": provider.Succeeded, "john.doe@example.com": provider.Rejected,
	} {
		s := newSimulator(t)
		s.Mode("emails", "strict")
		p := at(t, s.URL)
		a := s.attempt(payment.PSE)
		a.Payment.Payer.Email = email
		s.mustSubmit(p, a)
		if told := s.Follow(p); told.Status != want {
			t.Errorf("%s leads to %+v", email, told)
		}
	}
}

// Over the wire a host gets what the plugin says, word for word.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	p := plugintest.Serve(t, New())
	if err := p.Configure(t.Context(), configAt(s.URL, "pse_min_amount", "9000")); err != nil {
		t.Fatal(err)
	}
	if got := p.Info().Capabilities[0]; got.AmountMin != payment.Pesos(9000) || !got.Recovery.LookupByKey || got.Recovery.ResendSameKey {
		t.Errorf("capability %+v", got)
	}
	lister, ok := provider.WithBanks(p)
	if !ok {
		t.Fatal("it lists no banks")
	}
	if banks, err := lister.Banks(t.Context(), payment.PSE); err != nil || len(banks) < 5 {
		t.Errorf("banks %v, %v", banks, err)
	}
	a := s.attempt(payment.PSE)
	a.Payment.Amount = payment.Pesos(8999)
	if _, err := p.Submit(t.Context(), a); codeOf(t, err) != provider.CodeInvalid || provider.AsError(err).Field != "amount" {
		t.Errorf("too little: %v", err)
	}
	s.page(s.mustSubmit(p, s.attempt(payment.PSE)), "approve")
	hooks, _ := provider.WithNotifications(p)
	if told := s.Follow(hooks); told.Status != provider.Succeeded || told.Key != s.attempt(payment.PSE).Key {
		t.Errorf("the webhook leads to %+v", told)
	}
	s.AwaitLedger(1)
}
