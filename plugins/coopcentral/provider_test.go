package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func TestInfo(t *testing.T) {
	t.Parallel()
	for unit, decimals := range map[string]int{"": 0, "peso": 0, "cent": 2} {
		p := newCoopcentral(time.Now)
		if unit != "" {
			p = at(t, productionURL, "amount_unit", unit)
		}
		info := p.Info()
		if err := info.Validate(); err != nil {
			t.Error(err)
		}
		c := info.Capabilities[0]
		if c.Decimals != decimals || c.Limits != nil || slices.Contains(c.Required, "description") {
			t.Errorf("%q: %+v", unit, c)
		}
		want := payment.Recovery{LookupByKey: true, ResendSameKey: true} // the document has no answer that proves absence
		if c.Recovery != want || info.KeyRetention != 0 {
			t.Errorf("recovery %+v, keys kept %s", c.Recovery, info.KeyRetention)
		}
	}
	if secrets := New().Info().Config.Secrets(configAt(stagingURL, "origin_account", "x")); !slices.Equal(secrets, []string{accessToken}) {
		t.Errorf("secrets %q", secrets)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		config provider.Config
		faults []string
	}{
		{configAt(productionURL), nil},
		{configAt(productionURL+"/", "amount_unit", "cent", "auth_scheme", "none", "origin_account", "x", "allow_staging_transfers", "true"), nil},
		{provider.Config{}, []string{"base_url", "token", "amount_unit"}},
		{configAt(productionURL, "bank_slugs", "1007"), []string{"bank_slugs"}},
		{configAt(productionURL, "bank_slugs", "nequi=nequi"), []string{"bank_slugs"}},
		{configAt("staging.banking-gateway.tpaga.co", "amount_unit", "centavo"), []string{"base_url", "amount_unit"}},
		{configAt(stagingURL + basePath), []string{"base_url"}},
		{configAt(stagingURL + "?a=b"), []string{"base_url"}},
		{configAt("https://user:pass@staging.banking-gateway.tpaga.co"), []string{"base_url"}},
		{configAt(stagingURL, "allow_staging_transfers", "yes"), []string{"allow_staging_transfers"}},
		{configAt(stagingURL, "client_id", "x"), []string{"client_id"}},
	} {
		p := newCoopcentral(time.Now)
		err := p.Configure(t.Context(), tc.config)
		var faulty *provider.ConfigError
		var names []string
		if errors.As(err, &faulty) {
			for _, f := range faulty.Faults {
				names = append(names, f.Name)
			}
			quotesNothing(t, err.Error())
		}
		if !slices.Equal(names, tc.faults) || (err == nil) != (tc.faults == nil) {
			t.Errorf("%v: %v, want faults of %q", tc.config, err, tc.faults)
		}
		if err != nil && p.api != nil {
			t.Errorf("%v: a client was made of a faulty configuration", tc.config)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	for _, tc := range []struct {
		answer
		want provider.Code
	}{
		{answer{}, ""},
		{answer{401, `{"error_message":"` + accessToken + `"}`}, provider.CodeUnauthorized},
		{answer{403, ""}, provider.CodeUnauthorized},
		{answer{500, ""}, provider.CodeUnavailable},
		{answer{404, "<html>"}, provider.CodeUnavailable},
		{answer{200, "<html>"}, provider.CodeUnavailable},
		{answer{200, `{"banks":[]}`}, provider.CodeUnavailable},
		{answer{200, `{"banks":[{"name":"BBVA"}]}`}, provider.CodeUnavailable},
	} {
		d.answers(func(d *document) { d.banks = tc.answer })
		if got := codeOf(t, p.Check(t.Context())); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.answer, got, tc.want)
		}
	}
	if n := len(d.arrived("/banks")); n != 8 {
		t.Errorf("%d requests, want one for each check: a cached list proves nothing", n)
	}
	d.Close()
	if got := codeOf(t, p.Check(t.Context())); got != provider.CodeUnavailable {
		t.Errorf("nobody there: %q", got)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	record := func(status string) answer { return answer{200, example(t, map[string]any{"status": status})} }
	for _, tc := range []struct {
		answer
		status provider.Status
		code   provider.Code
	}{
		{answer{}, provider.Pending, ""},
		{record("pending"), provider.Pending, ""},
		{record("approved"), provider.Succeeded, ""},
		{record("rejected"), provider.Rejected, ""},
		{record("failed"), "", provider.CodeUnknown},
		{record("APPROVED"), "", provider.CodeUnknown},
		{record("settled"), "", provider.CodeUnknown},
		{record(""), "", provider.CodeUnknown},
		{answer{200, example(t, map[string]any{"status": nil})}, "", provider.CodeUnknown},
		{answer{200, example(t, map[string]any{"amount": nil})}, "", provider.CodeUnknown},
		{answer{200, example(t, map[string]any{"amount": "much"})}, "", provider.CodeUnknown},
		{answer{200, example(t, map[string]any{"amount": 0, "status": "approved"})}, "", provider.CodeUnknown},
		{answer{200, example(t, map[string]any{"amount": "0.00", "status": "approved"})}, "", provider.CodeUnknown},
		{answer{200, example(t, map[string]any{"idempotency_token": nil})}, "", provider.CodeUnknown},
		{answer{200, `{}`}, "", provider.CodeUnknown},
		{answer{200, ``}, "", provider.CodeUnknown},
		{answer{200, read(t, "transfer_answer.json")[:200]}, "", provider.CodeUnknown},
		{answer{200, `<html>Jovita`}, "", provider.CodeUnknown},
		{answer{201, read(t, "transfer_answer.json")}, "", provider.CodeUnknown},
		{answer{401, ""}, "", provider.CodeUnauthorized},
		{answer{403, ""}, "", provider.CodeUnauthorized},
		{answer{404, ""}, provider.Absent, ""},
		{answer{404, `{"error_message":"` + exampleKey + `"}`}, provider.Absent, ""},
		{answer{422, `{"field":"idempotency_token"}`}, provider.Absent, ""},
		{answer{429, ""}, "", provider.CodeUnknown},
		{answer{500, ""}, "", provider.CodeUnknown},
		{answer{503, read(t, "transfer_answer.json")}, "", provider.CodeUnknown},
	} {
		d.answers(func(d *document) { d.get = tc.answer })
		o, err := p.Lookup(t.Context(), lookupOf(exampleKey))
		if o.Status != tc.status || codeOf(t, err) != tc.code {
			t.Errorf("%.200v: %+v, %v; want %q %q", tc.answer, o, err, tc.status, tc.code)
		}
		if err == nil && o.Status != provider.Absent && (o.Key != exampleKey || o.Amount != payment.Pesos(5211470) || o.Currency != "") {
			t.Errorf("the echoes are not what was echoed: %+v", o)
		}
	}
	if _, err := p.Lookup(t.Context(), provider.Query{Reference: "x"}); codeOf(t, err) != provider.CodeUnknown {
		t.Errorf("without a key: %v", err)
	}
	d.Close()
	if _, err := p.Lookup(t.Context(), lookupOf(exampleKey)); codeOf(t, err) != provider.CodeUnknown {
		t.Errorf("nobody there: %v", err)
	}
}

func TestResultMessageIsMasked(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.get = answer{200, example(t, map[string]any{
		"status": "rejected", "result_message": "Cuenta 68653284571 de Jovita Ducuara Prieto (CC 11111158, origen 891000845) inactiva",
	})}
	o, err := at(t, d.URL).Lookup(t.Context(), lookupOf(exampleKey))
	if err != nil || o.Code != "rejected" || o.Message != "Cuenta *** de *** (CC ***, origen ***) inactiva" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestParseNotification(t *testing.T) {
	t.Parallel()
	p := New().(provider.ProviderWithNotifications)
	parse := func(body string) ([]provider.Query, error) {
		return p.ParseNotification(t.Context(), provider.Notification{Method: "POST", Body: []byte(body)})
	}
	got, err := parse(read(t, "webhook.json"))
	if want := []provider.Query{lookupOf(exampleKey)}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, body := range []string{
		"", "{", "[]", `{}`, `{"transaction_token":""}`, `{"transaction_token":null}`, `{"transaction_token":7}`,
		`{"transaction_token":"a\nb"}`, `{"transaction_token":"` + strings.Repeat("x", 256) + `"}`, `{"token":"68653284571"}`,
	} {
		if got, err := parse(body); codeOf(t, err) != provider.CodeInvalid {
			t.Errorf("%.60s: %+v, %v", body, got, err)
		}
	}
}

// historyOf is a page of n transfers, numbered on from first.
func historyOf(t testing.TB, first, n int) answer {
	rows := make([]json.RawMessage, n)
	for i := range rows {
		rows[i] = json.RawMessage(example(t, map[string]any{"idempotency_token": fmt.Sprint("t", first+i)}))
	}
	b, err := json.Marshal(map[string]any{"transactions": rows})
	if err != nil {
		t.Fatal(err)
	}
	return answer{200, string(b)}
}

func TestStatement(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	p := at(t, d.URL)
	created := time.Date(2024, 3, 13, 18, 37, 52, 0, time.UTC)
	line := provider.StatementLine{Key: exampleKey, Amount: payment.Pesos(5211470), Status: provider.Pending, Code: "pending", CreatedAt: created}
	other := line
	other.Key = "another-random-and-unique-token8765"
	got, err := p.Statement(t.Context(), "")
	if want := (provider.StatementPage{Lines: []provider.StatementLine{line, other}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the document's example: %+v, %v\nwant %+v", got, err, want)
	}
	if calls := d.arrived("/transactions"); calls[0].query != "" {
		t.Errorf("the first page was asked for with %q", calls[0].query)
	}

	t.Run("an unknown word and a missing date keep the rest of the line", func(t *testing.T) {
		d.answers(func(d *document) {
			d.history = func(string) answer {
				return answer{200, `{"transactions":[` + example(t, map[string]any{"status": "returned", "created_at": nil}) + `]}`}
			}
		})
		got, err := p.Statement(t.Context(), "")
		want := provider.StatementLine{Key: exampleKey, Amount: payment.Pesos(5211470), Code: "returned"}
		if err != nil || len(got.Lines) != 1 || got.Lines[0] != want {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("errors", func(t *testing.T) {
		for _, tc := range []struct {
			answer
			want provider.Code
		}{
			{answer{401, ""}, provider.CodeUnauthorized},
			{answer{403, ""}, provider.CodeUnauthorized},
			{answer{422, `{"field":"origin_account_token"}`}, provider.CodeUnavailable},
			{answer{404, ""}, provider.CodeUnavailable},
			{answer{500, ""}, provider.CodeUnavailable},
			{answer{200, "Jovita"}, provider.CodeUnavailable},
			{answer{200, `{"transactions":[` + example(t, map[string]any{"amount": nil}) + `]}`}, provider.CodeUnavailable},
			{answer{200, `{"transactions":[` + example(t, map[string]any{"idempotency_token": nil}) + `]}`}, provider.CodeUnavailable},
		} {
			d.answers(func(d *document) { d.history = func(string) answer { return tc.answer } })
			if got, err := p.Statement(t.Context(), ""); codeOf(t, err) != tc.want {
				t.Errorf("%.60v: %+v, %v", tc.answer, got, err)
			}
		}
		for _, page := range []string{"0", "1", "-1", "x"} {
			if _, err := p.Statement(t.Context(), page); codeOf(t, err) != provider.CodeInvalid {
				t.Errorf("page %q: %v", page, err)
			}
		}
	})
}

func TestStatementPages(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]answer{
		"a short page": historyOf(t, 40, 5), "an empty page": historyOf(t, 0, 0), "404": {404, ""}, "422": {422, `{"field":"page"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			d.history = func(page string) answer {
				switch page {
				case "":
					return historyOf(t, 0, 20)
				case "2":
					return historyOf(t, 20, 20)
				}
				return end
			}
			p := at(t, d.URL)
			keys, pages := map[string]bool{}, []string{}
			for page := ""; ; {
				pages = append(pages, page)
				got, err := p.Statement(t.Context(), page)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range got.Lines {
					keys[l.Key] = true
				}
				if page = got.Next; page == "" {
					break
				}
			}
			want := 40
			if name == "a short page" {
				want = 45
			}
			if len(keys) != want || !slices.Equal(pages, []string{"", "2", "3"}) {
				t.Errorf("%d transfers on pages %q", len(keys), pages)
			}
		})
	}
}

func TestBanks(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.banks = answer{200, `{"banks":[{"name":"NEQUI","slug":"nequi"},{"name":"BBVA","slug":"bbva"},{"name":"Bancolombia","slug":"b-7"},{"name":"","slug":""}]}`}
	p := at(t, d.URL)
	got, err := p.Banks(t.Context(), payment.BankTransfer)
	if want := []provider.Bank{{Code: "1013", Name: "BBVA"}, {Code: "1507", Name: "NEQUI"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := p.Banks(t.Context(), payment.PSE); codeOf(t, err) != provider.CodeInvalid {
		t.Errorf("banks for pse: %v", err)
	}
	seen := map[string]string{}
	for code, slug := range slugs {
		if other, twice := seen[slug]; twice || len(code) != 4 || slug == "" {
			t.Errorf("%s: slug %q, which %s has too", code, slug, other)
		}
		seen[slug] = code
	}
}

func TestBanksAreKeptForADay(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	p := newCoopcentral(func() time.Time { return now })
	if err := p.Configure(t.Context(), configAt(d.URL)); err != nil {
		t.Fatal(err)
	}
	nequi := answer{200, `{"banks":[{"name":"NEQUI","slug":"nequi"}]}`}
	for _, step := range []struct {
		why      string
		after    time.Duration
		answer   answer
		code     provider.Code
		want     string // the first bank's name
		requests int    // in all
	}{
		{"nothing is known yet", 0, answer{500, ""}, provider.CodeUnavailable, "", 1},
		{"a failure is not kept", 0, answer{401, ""}, provider.CodeUnauthorized, "", 2},
		{"the first list", 0, answer{}, "", "BBVA", 3},
		{"a second too early", 24*time.Hour - time.Second, nequi, "", "BBVA", 3},
		{"no newer list can be had", time.Second, answer{503, ""}, "", "BBVA", 4},
		{"which is not tried again at once", time.Minute - time.Second, nequi, "", "BBVA", 4},
		{"but after a minute", time.Second, answer{200, `{"banks":[]}`}, "", "BBVA", 5},
		{"until there is one", time.Minute, nequi, "", "NEQUI", 6},
	} {
		now = now.Add(step.after)
		d.answers(func(d *document) { d.banks = step.answer })
		got, err := p.Banks(t.Context(), payment.BankTransfer)
		if codeOf(t, err) != step.code || len(got) > 0 && got[0].Name != step.want || (len(got) == 0) != (step.want == "") {
			t.Errorf("%s: %+v, %v", step.why, got, err)
		}
		if n := len(d.arrived("/banks")); n != step.requests {
			t.Errorf("%s: %d requests, want %d", step.why, n, step.requests)
		}
	}
}

func TestConcurrentCallersShareOneRequest(t *testing.T) {
	t.Parallel()
	const callers = 50
	release := make(chan struct{})
	var mu sync.Mutex
	requests := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests++
		mu.Unlock()
		<-release
		fmt.Fprint(w, `{"banks":[{"name":"BBVA","slug":"bbva"}]}`)
	}))
	t.Cleanup(s.Close)
	p := at(t, s.URL)
	var ready, done sync.WaitGroup
	for range callers {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			if got, err := p.Banks(t.Context(), payment.BankTransfer); err != nil || len(got) != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	ready.Wait()
	close(release)
	done.Wait()
	if requests != 1 {
		t.Errorf("%d callers made %d requests", callers, requests)
	}
}

// A list that hangs holds nobody up for longer than the call has, and ends with the provider.
func TestHangingListOfBanks(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	}))
	t.Cleanup(s.Close)
	p := at(t, s.URL)
	if _, err := p.Submit(expired(t), exampleAttempt()); codeOf(t, err) != provider.CodeUnavailable || !strings.Contains(err.Error(), "nothing was sent") {
		t.Errorf("%v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	case <-time.After(banksFetchTimeout / 2):
		t.Error("the request outlives the provider")
	}
}
