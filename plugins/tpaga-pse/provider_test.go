package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

func TestInfo(t *testing.T) {
	t.Parallel()
	info := New().Info()
	if err := info.Validate(); err != nil {
		t.Fatal(err)
	}
	if _, ok := provider.WithNotifications(New()); !ok {
		t.Error("it declares no notifications")
	}
	if _, ok := provider.WithBanks(New()); !ok {
		t.Error("it declares no banks")
	}
	c := payment.CapabilityFor(info.Capabilities, payment.PayIn, payment.PSE)
	if c == nil || c.AmountMin != payment.Pesos(1000) || c.AmountMax != payment.Pesos(40_000_000) {
		t.Fatalf("got %+v", c)
	}
	want := payment.Recovery{ResendSameKey: true, AbandonIfUnanswered: true, ExpiresAfter: payment.Duration(45 * time.Minute)}
	if c.Recovery != want {
		t.Errorf("recovery %+v, want %+v", c.Recovery, want)
	}
	secrets := info.Config.Secrets(configAt("x"))
	if !slices.Equal(secrets, []string{clientSecret}) {
		t.Errorf("secrets %v", secrets)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	t.Run("limits are the merchant's", func(t *testing.T) {
		t.Parallel()
		p := New()
		c := configAt("https://staging.apiv2.tpaga.co/")
		c["min_amount"], c["max_amount"] = "5000.50", "6000"
		if err := p.Configure(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if got := p.Info().Capabilities[0]; got.AmountMin != payment.MoneyOfMinor(500050) || got.AmountMax != payment.Pesos(6000) {
			t.Errorf("%s to %s", got.AmountMin, got.AmountMax)
		}
	})
	for _, tc := range []struct {
		name, attribute, value, says string
	}{
		{"no base_url", "base_url", "", "required"},
		{"a base_url that is none", "base_url", "staging.apiv2.tpaga.co", "no absolute"},
		{"a base_url with the API's path", "base_url", "https://staging.apiv2.tpaga.co/api/pse/v1", "root of the host"},
		{"a base_url with a query", "base_url", "https://staging.apiv2.tpaga.co?a=b", "root of the host"},
		{"a base_url with a fragment", "base_url", "https://staging.apiv2.tpaga.co#a", "root of the host"},
		{"a base_url with a user", "base_url", "https://a:Miguel@staging.apiv2.tpaga.co", "root of the host"},
		{"no client_id", "client_id", "", "required"},
		{"no client_secret", "client_secret", "", "required"},
		{"a limit that is no amount", "min_amount", "1,000", "no amount"},
		{"a negative limit", "min_amount", "-1", "negative"},
		{"limits the wrong way round", "max_amount", "999.99", "less than min_amount"},
		{"an unknown attribute", "token", "x", "not known"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := configAt("https://staging.apiv2.tpaga.co")
			c[tc.attribute] = tc.value
			err := New().Configure(t.Context(), c)
			var faults *provider.ConfigError
			if !errors.As(err, &faults) || len(faults.Faults) != 1 || faults.Faults[0].Name != tc.attribute {
				t.Fatalf("got %v, want one fault of %s", err, tc.attribute)
			}
			codeOf(t, err)
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v does not say %q", err, tc.says)
			}
		})
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	t.Run("200 hand-overs at once share one", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		p := at(t, d.URL)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if _, err := p.Submit(t.Context(), exampleAttempt()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := d.count("POST", "/charge"); d.tokens != 1 || n != 200 {
			t.Errorf("%d tokens for %d charges", d.tokens, n)
		}
	})
	t.Run("refused once, it is replaced and the same charge asked for again", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		d.charge = func(n int) answer {
			if n == 1 {
				return answer{401, `{"error_message":"Invalid authorization token provided"}`}
			}
			return answer{}
		}
		o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
		if codeOf(t, err) != "" || o.Status != provider.Pending {
			t.Fatalf("got %+v, %v", o, err)
		}
		if len(d.calls) != 2 || d.calls[0].body != d.calls[1].body || d.tokens != 2 ||
			d.calls[0].authorization != "Bearer JWT-1" || d.calls[1].authorization != "Bearer JWT-2" {
			t.Errorf("%d tokens, calls %+v", d.tokens, d.calls)
		}
	})
	t.Run("is kept until it expires", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		p := newTpaga(func() time.Time { return now })
		if err := p.Configure(t.Context(), configAt(d.URL)); err != nil {
			t.Fatal(err)
		}
		for i, step := range []struct {
			wait time.Duration
			want int
		}{{0, 1}, {59 * time.Minute, 1}, {time.Minute, 2}} {
			now = now.Add(step.wait)
			if err := p.Check(t.Context()); err != nil || d.tokens != step.want {
				t.Errorf("step %d: %d tokens, want %d: %v", i, d.tokens, step.want, err)
			}
		}
	})
	t.Run("wrong credentials are unauthorized, and no charge is asked for", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		p := New()
		c := configAt(d.URL)
		c["client_secret"] = "JWT-wrong"
		if err := p.Configure(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeUnauthorized || len(d.calls) != 0 {
			t.Errorf("a hand-over: %v, calls %v", err, d.calls)
		}
		if err := p.Check(t.Context()); codeOf(t, err) != provider.CodeUnauthorized {
			t.Errorf("a check: %v", err)
		}
	})
	t.Run("is revoked by Close", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{200, 404} {
			d := newDocument(t)
			d.revoke = status
			p := at(t, d.URL)
			if err := p.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(t.Context()); err != nil {
				t.Errorf("status %d: %v", status, err)
			}
			last := d.calls[len(d.calls)-1]
			if want := "client_id=" + clientID + "&client_secret=" + clientSecret + "&token=JWT-1"; last.path != "/o/revoke_token/" ||
				last.body != want || last.contentType != "application/x-www-form-urlencoded" || last.authorization != "" {
				t.Errorf("got %+v", last)
			}
		}
		if err := New().Close(t.Context()); err != nil {
			t.Errorf("closed before it was configured: %v", err)
		}
	})
}

func TestLookupAnswers(t *testing.T) {
	t.Parallel()
	// Whatever a look-up meets, it claims nothing about the charge, but may about our credentials.
	for _, status := range []int{201, 302, 400, 401, 403, 405, 408, 409, 429, 500, 502, 503, 504} {
		d := newDocument(t)
		d.get = answer{status, `{"error_message":"demo@demo.com"}`}
		o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Key: orderID, Reference: chargeToken})
		want := provider.CodeUnknown
		if status == 401 || status == 403 {
			want = provider.CodeUnauthorized
		}
		if codeOf(t, err) != want || o != (provider.Outcome{}) {
			t.Errorf("%d: got %+v, %v", status, o, err)
		}
	}
	for _, status := range []int{404, 422} {
		d := newDocument(t)
		d.get = answer{status, "<html>"}
		o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Key: orderID, Reference: chargeToken})
		if err != nil || o.Status != provider.Absent {
			t.Errorf("%d: got %+v, %v", status, o, err)
		}
	}
	d := newDocument(t)
	p := at(t, d.URL)
	for _, q := range []provider.Query{{}, {Key: orderID}, {Reference: "../banks"}, {Reference: "pse-" + strings.Repeat("0", 300)}} {
		if _, err := p.Lookup(t.Context(), q); codeOf(t, err) != provider.CodeUnknown {
			t.Errorf("%+v: got %v", q, err)
		}
	}
	if len(d.calls) != 0 {
		t.Errorf("calls %v", d.calls)
	}
	d.Server.Close()
	if _, err := p.Lookup(t.Context(), provider.Query{Reference: chargeToken}); codeOf(t, err) != provider.CodeUnknown {
		t.Errorf("unreachable: got %v; that the look-up was not sent says nothing about the charge", err)
	}
}

func TestBanks(t *testing.T) {
	t.Parallel()
	t.Run("are those of the answer, but for the entry 0", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		got, err := at(t, d.URL).Banks(t.Context(), payment.PSE)
		if want := []provider.Bank{{Code: "1059", Name: "BANCAMIA"}, {Code: "1022", Name: "BANCO UNION COLOMBIANO"}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("are of PSE only", func(t *testing.T) {
		t.Parallel()
		if _, err := at(t, newDocument(t).URL).Banks(t.Context(), payment.Efecty); codeOf(t, err) != provider.CodeInvalid {
			t.Errorf("got %v", err)
		}
	})
	for _, tc := range []struct {
		answer answer
		want   provider.Code
	}{
		{answer{401, ""}, provider.CodeUnauthorized}, {answer{403, "{}"}, provider.CodeUnauthorized},
		{answer{404, ""}, provider.CodeUnavailable}, {answer{422, `{"error_message":"demo@demo.com","field":"x"}`}, provider.CodeUnavailable},
		{answer{500, ""}, provider.CodeUnavailable}, {answer{503, "<html>"}, provider.CodeUnavailable},
		{answer{200, ""}, provider.CodeUnavailable}, {answer{200, `{"banks":[]}`}, provider.CodeUnavailable},
		{answer{200, `[{"code":1022,"name":"Miguel"}]`}, provider.CodeUnavailable},
	} {
		d := newDocument(t)
		d.banks = tc.answer
		p := at(t, d.URL)
		if got, err := p.Banks(t.Context(), payment.PSE); codeOf(t, err) != tc.want || got != nil {
			t.Errorf("%+v: got %v, %v; want %s", tc.answer, got, err, tc.want)
		}
		if err := p.Check(t.Context()); codeOf(t, err) != tc.want {
			t.Errorf("%+v: the check says %v; want %s", tc.answer, err, tc.want)
		}
	}
}

func TestParseNotification(t *testing.T) {
	t.Parallel()
	other := "pse-" + strings.Repeat("0", 32)
	cases := []struct{ name, body, want string }{
		{"as the table says", `{"charge_token":"` + chargeToken + `"}`, chargeToken},
		{"with more in it", `{"event":"` + other + `","charge_token": "` + chargeToken + `"}`, chargeToken},
		{"a token of another form", `{"charge_token":"CH_9"}`, "CH_9"},
		{"nested", `{"data":{"charge_token":"` + chargeToken + `"}}`, chargeToken},
		{"the document's own example", read(t, "webhook_example.txt"), chargeToken},
		{"a form", "charge_token=" + chargeToken, chargeToken},
		{"empty", "", ""},
		{"another object", `{"status":"settled"}`, ""},
		{"a token that is a path", `{"charge_token":"../../o/token"}`, ""},
		{"a token that is a number", `{"charge_token":1}`, ""},
		{"a token that is too short", `{"charge_token":"","x":"pse-c542f18edadb441d8b4639edbfb566e"}`, ""},
		{"a token that is too long", "pse-c542f18edadb441d8b4639edbfb566e50", ""},
		{"personal data", `{"name":"Miguel"}`, ""},
		{"binary", "\x00\xff{", ""},
	}
	p := New().(provider.ProviderWithNotifications)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := p.ParseNotification(t.Context(), provider.Notification{Method: "POST", Body: []byte(tc.body)})
			if tc.want == "" {
				if codeOf(t, err) != provider.CodeInvalid || got != nil {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			want := []provider.Query{{Reference: tc.want, Operation: payment.PayIn, Method: payment.PSE}}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
		})
	}
}

// Whatever Tpaga sends, nothing panics, and only the document's own words have a meaning.
func FuzzAnswers(f *testing.F) {
	f.Add(200, []byte(read(f, "charge_answer.json")))
	f.Add(408, []byte(`{"token":"`+chargeToken+`"}`))
	f.Add(422, []byte(`{"error_message":"x","field":"bank_code","value":"XXXX"}`))
	f.Add(200, []byte(read(f, "webhook_example.txt")))
	f.Add(201, []byte(`{"token":"a","order_id":"b","amount":1e400,"status":"SETTLED"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		resp := &rest.Response{Status: status, Body: body}
		c, err := readCharge(resp)
		if err == nil {
			var o provider.Outcome
			o, err = c.outcome()
			if err == nil && (o.Amount.IsZero() || o.Key == "" || o.Reference == "" || statuses[o.Code] != o.Status) {
				t.Errorf("%+v is an outcome", o)
			}
		}
		if err != nil && provider.CodeOf(err) != provider.CodeUnknown {
			t.Errorf("an answer that cannot be read is %v", err)
		}
		if chargeError(resp) == nil {
			t.Error("a refusal is no error")
		}
		_, err = New().(*tpaga).ParseNotification(t.Context(), provider.Notification{Body: body})
		if err == nil && !json.Valid(body) && tokenText.Find(body) == nil {
			t.Error("a token was found where there is none")
		}
	})
}
