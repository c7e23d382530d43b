package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	for name, p := range map[string]provider.Provider{
		"before Configure": New(), "production": at(t, productionURL), "staging": at(t, stagingURL), "here": at(t, "http://127.0.0.1:4022"),
	} {
		info := p.Info()
		if err := info.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := provider.WithBills(p); !ok {
			t.Errorf("%s: it declares no bills", name)
		}
		if _, ok := provider.WithBalance(p); !ok {
			t.Errorf("%s: it declares no balance", name)
		}
		c := payment.CapabilityFor(info.Capabilities, payment.Bill, payment.BillPayment)
		want := payment.Recovery{LookupByKey: true, ResendSameKey: true} // the document has no answer that proves absence
		if c == nil || c.Decimals != 0 || c.Recovery != want || info.KeyRetention != 0 || !slices.Equal(c.Required, []string{"bill.biller", "bill.reference"}) {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if secret := New().Info().Config.Secrets(configAt("x")); !slices.Equal(secret, []string{clientSecret}) {
		t.Errorf("secrets %v", secret)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		config provider.Config
		faults []string
	}{
		{configAt(productionURL), nil},
		{configAt(productionURL+"/", "payment_origin", strings.Repeat("é", 64), "allow_unqueried", "true", "auth", "api_key"), nil},
		{provider.Config{}, []string{"base_url", "client_id", "client_secret"}},
		{configAt("staging.apiv2.tpaga.co"), []string{"base_url"}},
		{configAt(stagingURL + basePath), []string{"base_url"}},
		{configAt(stagingURL + "?a=b"), []string{"base_url"}},
		{configAt(stagingURL + "#a"), []string{"base_url"}},
		{configAt("https://a:Miguel@staging.apiv2.tpaga.co", "payment_origin", strings.Repeat("é", 65)), []string{"base_url", "payment_origin"}},
		{configAt(stagingURL, "allow_unqueried", "yes", "auth", "Basic"), []string{"allow_unqueried", "auth"}},
		{configAt(stagingURL, "token", "x"), []string{"token"}},
	} {
		p := New().(*bills)
		err := p.Configure(t.Context(), tc.config)
		var faulty *provider.ConfigError
		var names []string
		if errors.As(err, &faulty) {
			for _, f := range faulty.Faults {
				names = append(names, f.Name)
			}
			if strings.Contains(err.Error(), clientSecret) || strings.Contains(err.Error(), "Miguel") {
				t.Errorf("a secret is quoted: %v", err)
			}
		}
		if !slices.Equal(names, tc.faults) || (err == nil) != (tc.faults == nil) {
			t.Errorf("%v, want faults of %q", err, tc.faults)
		}
		if err != nil && p.api != nil {
			t.Errorf("%v: a client was made of a faulty configuration", err)
		}
	}
	p := New().(*bills)
	c := configAt(stagingURL)
	delete(c, "payment_origin")
	if err := p.Configure(t.Context(), c); err != nil || p.config.paymentOrigin != "CAUCE" {
		t.Errorf("payment_origin is %q by default: %v", p.config.paymentOrigin, err)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	t.Run("200 hand-overs at once share one, and one list of agreements", func(t *testing.T) {
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
		if n, bills, all := len(d.arrived("/pay_bill")), len(d.arrived("/bills/")), len(d.arrived("")); d.tokens != 1 || n != 200 || bills != 200 || all != 401 {
			t.Errorf("%d tokens for %d payments, %d bills and %d calls", d.tokens, n, bills, all)
		}
	})
	t.Run("refused once, it is replaced and the same payment asked for again", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		d.pay = func(n int) answer {
			if n == 1 {
				return answer{401, `{"error_message":"Invalid authorization token provided"}`}
			}
			return answer{}
		}
		o, err := at(t, d.URL).Submit(t.Context(), exampleAttempt())
		if codeOf(t, err) != "" || o.Status != provider.Succeeded {
			t.Fatalf("got %+v, %v", o, err)
		}
		if pay := d.arrived("/pay_bill"); len(pay) != 2 || pay[0].body != pay[1].body || d.tokens != 2 ||
			pay[0].authorization != "Bearer JWT-1" || pay[1].authorization != "Bearer JWT-2" {
			t.Errorf("%d tokens, payments %+v", d.tokens, pay)
		}
	})
	t.Run("is kept until it expires", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		now := noon
		p := newBills(func() time.Time { return now })
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
	t.Run("wrong credentials are unauthorized, and no bill is paid", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		p := at(t, d.URL, "client_secret", "JWT-wrong")
		for name, call := range map[string]func() error{
			"a hand-over": func() error { _, err := p.Submit(t.Context(), exampleAttempt()); return err },
			"a look-up":   func() error { _, err := p.Lookup(t.Context(), lookupOf(exampleKey)); return err },
			"a list":      func() error { _, err := p.Billers(t.Context(), ""); return err },
			"a bill":      func() error { _, err := p.Bill(t.Context(), "etb", "1"); return err },
			"a check":     func() error { return p.Check(t.Context()) },
		} {
			if err := call(); codeOf(t, err) != provider.CodeUnauthorized || len(d.calls) != 0 {
				t.Errorf("%s: %v, calls %v", name, err, d.calls)
			}
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

func TestLookup(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	word := func(status string) answer { return answer{200, record(t, map[string]any{"status": status})} }
	for _, tc := range []struct {
		answer
		status provider.Status
		code   provider.Code
	}{
		{answer{}, provider.Succeeded, ""},
		{word("IN_PROGRESS"), provider.Pending, ""},
		{word("REJECTED"), provider.Failed, ""},
		{word("UNKNOWN"), "", provider.CodeUnknown},
		{answer{401, ""}, "", provider.CodeUnauthorized},
		{answer{403, ""}, "", provider.CodeUnauthorized},
		{answer{404, ""}, provider.Absent, ""},
		{answer{404, `{"error_message":"` + quoted + `"}`}, provider.Absent, ""},
		{answer{422, `{"field":"idempotency_token"}`}, provider.Absent, ""},
		{answer{400, ""}, "", provider.CodeUnknown},
		{answer{402, ""}, "", provider.CodeUnknown},
		{answer{409, "{}"}, "", provider.CodeUnknown},
		{answer{429, ""}, "", provider.CodeUnknown},
		{answer{500, ""}, "", provider.CodeUnknown},
		{answer{503, `<html>`}, "", provider.CodeUnknown},
		{answer{502, record(t, map[string]any{"status": "IN_PROGRESS"})}, provider.Pending, ""},
	} {
		d.answers(func(d *document) { d.get = tc.answer })
		o, err := p.Lookup(t.Context(), lookupOf(exampleKey))
		if o.Status != tc.status || codeOf(t, err) != tc.code {
			t.Errorf("%.100v: %+v, %v; want %q %q", tc.answer, o, err, tc.status, tc.code)
		}
		if o.Status != "" && o.Status != provider.Absent && (o.Key != exampleKey || o.Reference != exampleToken || o.Amount != payment.Pesos(12300)) {
			t.Errorf("the echoes are not what was echoed: %+v", o)
		}
	}
	if c := d.arrived("/bill_payment_transactions/")[0]; c.method != "GET" || c.path != basePath+"/bill_payment_transactions/"+exampleKey || c.query+c.body != "" {
		t.Errorf("called %+v", c)
	}
	before := len(d.arrived(""))
	if _, err := p.Lookup(t.Context(), provider.Query{Reference: exampleToken}); codeOf(t, err) != provider.CodeUnknown || len(d.arrived("")) != before {
		t.Errorf("without a key: %v", err)
	}
	// A payment that Tpaga has named, as UNKNOWN perhaps, is never absent: it would be sent again.
	for _, status := range []int{404, 422} {
		d.answers(func(d *document) { d.get = answer{status, ""} })
		q := lookupOf(exampleKey)
		q.Reference = exampleToken
		if o, err := p.Lookup(t.Context(), q); codeOf(t, err) != provider.CodeUnknown {
			t.Errorf("%d about a payment that it named: %+v, %v", status, o, err)
		}
	}
	d.Close()
	if _, err := p.Lookup(t.Context(), lookupOf(exampleKey)); codeOf(t, err) != provider.CodeUnknown {
		t.Errorf("unreachable: %v; that the look-up was not sent says nothing about the payment", err)
	}
	if _, err := p.Submit(t.Context(), exampleAttempt()); codeOf(t, err) != provider.CodeUnavailable {
		t.Errorf("a hand-over when unreachable: %v", err)
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	for _, tc := range []struct {
		answer
		code provider.Code
		want provider.Balance
	}{
		{answer{}, "", provider.Balance{Currency: "COP"}},
		{answer{200, `{"balance":1500000,"max_loan_amount":200}`}, "", provider.Balance{Available: payment.Pesos(1500000), Overdraft: payment.Pesos(200), Currency: "COP"}},
		{answer{200, `{"balance":-200,"max_loan_amount":200}`}, "", provider.Balance{Available: payment.Pesos(-200), Overdraft: payment.Pesos(200), Currency: "COP"}},
		{answer{200, `{"balance":null,"max_loan_amount":null,"error_message":"` + quoted + `"}`}, provider.CodeUnavailable, provider.Balance{}},
		{answer{200, `{"balance":5}`}, provider.CodeUnavailable, provider.Balance{}},
		{answer{200, `<html>`}, provider.CodeUnavailable, provider.Balance{}},
		{answer{401, ``}, provider.CodeUnauthorized, provider.Balance{}},
		{answer{403, `{}`}, provider.CodeUnauthorized, provider.Balance{}},
		{answer{404, ``}, provider.CodeUnavailable, provider.Balance{}},
		{answer{500, ``}, provider.CodeUnavailable, provider.Balance{}},
	} {
		d.answers(func(d *document) { d.balance = tc.answer })
		got, err := p.Balance(t.Context())
		if codeOf(t, err) != tc.code || got != tc.want {
			t.Errorf("%v: %+v, %v", tc.answer, got, err)
		}
		if err := p.Check(t.Context()); codeOf(t, err) != tc.code {
			t.Errorf("%v: the check says %v", tc.answer, err)
		}
	}
	d.Close()
	if _, err := p.Balance(t.Context()); codeOf(t, err) != provider.CodeUnavailable {
		t.Errorf("nobody there: %v", err)
	}
}

func TestBillers(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	page, err := p.Billers(t.Context(), "")
	want := []provider.Biller{
		{ID: "movistar_fijo", Name: "MOVISTAR_FIJO", Queryable: true}, {ID: "etb", Name: "ETB", Queryable: true},
		{ID: "codensa", Name: "CODENSA", Queryable: true}, {ID: "claro_movil", Name: "CLARO_MOVIL", Queryable: true},
		{ID: "card", Name: "CARD", Queryable: true, AmountEditable: true}, {ID: "toll", Name: "TOLL"}, {ID: "a/b?c", Name: "A/B?C", Queryable: true},
	}
	if err != nil || !slices.Equal(page.Billers, want) || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
	for _, tc := range []struct {
		answer
		want provider.Code
	}{
		{answer{401, ""}, provider.CodeUnauthorized}, {answer{403, ""}, provider.CodeUnauthorized},
		{answer{404, ""}, provider.CodeUnavailable}, {answer{422, ""}, provider.CodeUnavailable}, {answer{500, ""}, provider.CodeUnavailable},
		{answer{200, ""}, provider.CodeUnavailable}, {answer{200, `[]`}, provider.CodeUnavailable}, {agreementsOf(""), provider.CodeUnavailable},
	} {
		d.answers(func(d *document) { d.agreements = func(string) answer { return tc.answer } })
		if got, err := p.Billers(t.Context(), ""); codeOf(t, err) != tc.want || got.Billers != nil {
			t.Errorf("%v: %+v, %v", tc.answer, got, err)
		}
	}
	for _, number := range []string{"0", "1", "-1", "x"} {
		if _, err := p.Billers(t.Context(), number); codeOf(t, err) != provider.CodeInvalid {
			t.Errorf("page %q: %v", number, err)
		}
	}
}

// agreementsFrom is a page of n agreements, numbered on from first.
func agreementsFrom(first, n int) answer {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("biller_", first+i)
	}
	return agreementsOf(ids...)
}

func TestBillersPages(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end  answer
		want int
	}{
		"a short page": {agreementsFrom(1000, 1), 1001}, "an empty page": {agreementsOf(), 1000},
		"404": {answer{404, ""}, 1000}, "422": {answer{422, `{"field":"page"}`}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			d.agreements = func(page string) answer {
				switch page {
				case "1":
					return agreementsFrom(0, 500)
				case "2":
					return agreementsFrom(500, 500)
				}
				return tc.end
			}
			p := at(t, d.URL)
			seen, pages := map[string]bool{}, []string{}
			for page := ""; ; {
				pages = append(pages, page)
				got, err := p.Billers(t.Context(), page)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range got.Billers {
					seen[b.ID] = true
				}
				if page = got.Next; page == "" {
					break
				}
			}
			if len(seen) != tc.want || !slices.Equal(pages, []string{"", "2", "3"}) {
				t.Errorf("%d agreements on pages %q", len(seen), pages)
			}
			if byID, err := p.agreements.get(t.Context()); err != nil || len(byID) != tc.want {
				t.Errorf("%d agreements are kept: %v", len(byID), err)
			}
		})
	}
	t.Run("without end", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		d.agreements = func(string) answer { return agreementsFrom(0, 500) }
		if _, err := at(t, d.URL).agreements.get(t.Context()); codeOf(t, err) != provider.CodeUnavailable || len(d.calls) != maxPages {
			t.Errorf("%v after %d pages", err, len(d.calls))
		}
	})
}

func TestAgreementsAreKeptForADay(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	now := noon
	p := newBills(func() time.Time { return now })
	if err := p.Configure(t.Context(), configAt(d.URL)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		why      string
		after    time.Duration
		answer   answer
		code     provider.Code
		want     int // agreements
		requests int // in all
	}{
		{"nothing is known yet", 0, answer{500, ""}, provider.CodeUnavailable, 0, 1},
		{"a failure is not kept", 0, answer{403, ""}, provider.CodeUnauthorized, 0, 2},
		{"the first list", 0, agreementsFrom(0, 1), "", 1, 3},
		{"a second too early", 24*time.Hour - time.Second, agreementsFrom(0, 2), "", 1, 3},
		{"no newer list can be had", time.Second, answer{503, ""}, "", 1, 4},
		{"which is not tried again at once", time.Minute - time.Second, agreementsFrom(0, 2), "", 1, 4},
		{"but after a minute", time.Second, agreementsOf(), "", 1, 5},
		{"until there is one", time.Minute, agreementsFrom(0, 2), "", 2, 6},
	} {
		now = now.Add(step.after)
		d.answers(func(d *document) { d.agreements = func(string) answer { return step.answer } })
		got, err := p.agreements.get(t.Context())
		if codeOf(t, err) != step.code || len(got) != step.want {
			t.Errorf("%s: %d agreements, %v", step.why, len(got), err)
		}
		if n := len(d.arrived("/utility_providers")); n != step.requests {
			t.Errorf("%s: %d requests, want %d", step.why, n, step.requests)
		}
	}
}

// A list that hangs holds nobody up for longer than the call has, and nothing is paid.
func TestHangingListOfAgreements(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	var once sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/o/token/" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"access_token":"JWT-1","token_type":"Bearer","expires_in":3600}`)
			return
		}
		once.Do(func() { close(arrived) })
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	p := at(t, s.URL)
	ctx, cancel := context.WithCancel(t.Context())
	submit := func(ctx context.Context) <-chan error {
		done := make(chan error, 1)
		go func() { _, err := p.Submit(ctx, exampleAttempt()); done <- err }()
		return done
	}
	first := submit(ctx)
	<-arrived
	waiting, stop := context.WithCancel(t.Context())
	second := submit(waiting)
	stop()
	if err := <-second; codeOf(t, err) != provider.CodeUnavailable || !strings.Contains(err.Error(), "before there was a list") {
		t.Errorf("who waits for the list: %v", err)
	}
	cancel()
	if err := <-first; codeOf(t, err) != provider.CodeUnavailable {
		t.Errorf("who asks for the list: %v", err)
	}
}

// Every row of the document's table of errors of a query.
func TestBill(t *testing.T) {
	t.Parallel()
	coded := func(code, field string) answer {
		return answer{422, `{"error_message":"` + quoted + `","billcheck_error_code":"` + code + `","field":"` + field + `"}`}
	}
	for _, tc := range []struct {
		name string
		answer
		want  provider.Code
		field string
		code  string
	}{
		{"payable", answer{}, "", "", ""},
		{"expired", coded("expired_bill", ""), provider.CodeDeclined, "bill.reference", "422 expired_bill"},
		{"missing", coded("bill_does_not_exist", ""), provider.CodeInvalid, "bill.reference", "422 bill_does_not_exist"},
		{"paid", coded("already_paid_bill", ""), provider.CodeDeclined, "bill.reference", "422 already_paid_bill"},
		{"unpayable", coded("bill_cannot_be_paid", ""), provider.CodeUnavailable, "", "422 bill_cannot_be_paid"},
		{"later", coded("try_again_later", ""), provider.CodeUnavailable, "", "422 try_again_later"},
		{"too long", coded("invalid_field_length", "short_bill_reference"), provider.CodeInvalid, "bill.reference", "422 invalid_field_length short_bill_reference"},
		{"a new code", coded("new_code", "service_provider_id"), provider.CodeInvalid, "bill.biller", "422 new_code service_provider_id"},
		{"an unreadable 422", answer{422, "<html>"}, provider.CodeInvalid, "", "422"},
		{"401", answer{401, ""}, provider.CodeUnauthorized, "", "401"},
		{"402", answer{402, `{"error_message":"` + quoted + `"}`}, provider.CodeExhausted, "", "402"},
		{"403", answer{403, ""}, provider.CodeUnauthorized, "", "403"},
		{"404", answer{404, ""}, provider.CodeUnavailable, "", "404"},
		{"412", answer{412, `{"error_message":"There is no bill_payment_provider enabled"}`}, provider.CodeInvalid, "bill.biller", "412"},
		{"429", answer{429, ""}, provider.CodeUnavailable, "", "429"},
		{"500", answer{500, ""}, provider.CodeUnavailable, "", "500"},
		{"503", answer{503, "<html>"}, provider.CodeUnavailable, "", "503"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			d.bill = tc.answer
			got, err := at(t, d.URL).Bill(t.Context(), "etb", "111100005555")
			if e := provider.AsError(err); codeOf(t, err) != tc.want || err != nil && (e.Field != tc.field || e.ProviderCode != tc.code) {
				t.Errorf("%v (field %q, code %q)", err, e.Field, e.ProviderCode)
			}
			if want := (provider.BillDetail{Biller: "etb", Reference: "111100005555", Amount: payment.Pesos(12300)}); err == nil && got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	t.Run("of nobody", func(t *testing.T) {
		t.Parallel()
		d := newDocument(t)
		p := at(t, d.URL)
		for _, target := range []payment.BillTarget{{Biller: "nobody", Reference: "1"}, {Biller: "", Reference: "1"}, {Biller: "etb"}, {Biller: "toll", Reference: "1"}} {
			if _, err := p.Bill(t.Context(), target.Biller, target.Reference); codeOf(t, err) != provider.CodeInvalid || len(d.arrived("/bills/")) != 0 {
				t.Errorf("%+v: %v", target, err)
			}
		}
	})
}

// Whatever Tpaga sends, nothing panics, and only the document's own words have a meaning.
func FuzzAnswers(f *testing.F) {
	f.Add(200, []byte(read(f, "pay_answer.json")))
	f.Add(503, []byte(`{"status":"REJECTED","result_code":8000}`))
	f.Add(422, []byte(read(f, "bill_error.json")))
	f.Add(200, []byte(`{"idempotency_token":"b","amount":1e400,"status":"AUTHORIZED"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		resp := &rest.Response{Status: status, Body: body}
		r := readReply(resp)
		o, err := r.outcome()
		switch {
		case err != nil && provider.CodeOf(err) != provider.CodeUnknown:
			t.Errorf("an unclear answer is %v", err)
		case err == nil && statuses[r.Status] == "":
			t.Errorf("%q is %+v", r.Status, o)
		case o.Status == provider.Succeeded && (o.Key == "" || o.Amount.IsZero()):
			t.Errorf("%+v cannot be compared", o)
		}
		if paymentError(resp, r) == nil || billError(resp) == nil {
			t.Error("a refusal is no error")
		}
	})
}
