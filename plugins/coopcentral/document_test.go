package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

//go:embed testdata
var testdata embed.FS

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := testdata.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	accessToken = "c0b0ae3d9f5f4fe7a1a8b4cf2d6e7a90"
	// What the document's examples hold.
	exampleKey    = "some-random-and-unique-token8765"
	originAccount = "<origin-account-token>"
	stagingURL    = "https://staging.banking-gateway.tpaga.co"
	productionURL = "https://production.banking-gateway.tpaga.co"
)

// exampleAttempt asks for the transfer of the document's example.
func exampleAttempt() provider.Attempt {
	return provider.Attempt{Key: exampleKey, PaymentID: "pay_1", Number: 1, Payment: payment.Request{
		Operation: payment.PayOut, Method: payment.BankTransfer, Amount: payment.Pesos(5211470), Currency: "COP", Country: "CO",
		Description: "Some descriptive text",
		Payee: payment.Party{
			Name: "Jovita Ducuara Prieto", Document: payment.Document{Type: payment.CC, Number: "11111158"}, Bank: "1013",
			Account: payment.Account{Type: payment.Savings, Number: "68653284571"},
		},
	}}
}

func lookupOf(key string) provider.Query {
	return provider.Query{Key: key, Operation: payment.PayOut, Method: payment.BankTransfer}
}

// personal is what no error and no outcome may quote.
var personal = []string{"Jovita", "Ducuara", "11111158", "68653284571", accessToken, originAccount, "891000845", "589632154"}

func quotesNothing(t testing.TB, text string) {
	t.Helper()
	for _, secret := range personal {
		if strings.Contains(text, secret) {
			t.Errorf("%q is quoted: %s", secret, text)
		}
	}
}

// codeOf returns err's code, and fails the test when err quotes a secret or personal data or says nothing.
func codeOf(t testing.TB, err error) provider.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	e := provider.AsError(err)
	quotesNothing(t, fmt.Sprintf("%v %+v", err, *e))
	if e.Message == "" {
		t.Errorf("the error says nothing: %#v", e)
	}
	return e.Code
}

// answer is one HTTP answer; the zero value is the document's own.
type answer struct {
	status int
	body   string
}

func (a answer) or(status int, body string) answer {
	if a == (answer{}) {
		return answer{status, body}
	}
	return a
}

// call is a request as it arrived.
type call struct {
	method, path, query, authorization, contentType, body string
}

// document is the API as its document describes it, without any state: the same request gets the same answer.
type document struct {
	*httptest.Server
	t testing.TB

	mu      sync.Mutex
	calls   []call
	create  answer
	get     answer
	banks   answer
	history func(page string) answer
}

// example is the document's answer about a transfer, with some values changed; nil leaves one out.
func example(t testing.TB, changes map[string]any) string {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal([]byte(read(t, "transfer_answer.json")), &values); err != nil {
		t.Fatal(err)
	}
	maps.Copy(values, changes)
	maps.DeleteFunc(values, func(name string, _ any) bool { v, changed := changes[name]; return changed && v == nil })
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func newDocument(t testing.TB) *document {
	t.Helper()
	d := &document{t: t}
	mux := http.NewServeMux()
	const root = "/api/coopcentral/v1/interbanks"
	mux.HandleFunc("GET "+root+"/banks", d.record(func(call) answer { return d.banks.or(200, read(t, "banks_answer.json")) }))
	mux.HandleFunc("POST "+root+"/transactions/create", d.record(func(call) answer {
		return d.create.or(201, read(t, "transfer_answer.json"))
	}))
	mux.HandleFunc("GET "+root+"/transactions/{token}", d.record(func(call) answer {
		return d.get.or(200, read(t, "transfer_answer.json"))
	}))
	mux.HandleFunc("GET "+root+"/transactions", d.record(func(c call) answer {
		if d.history == nil {
			return answer{200, read(t, "history_answer.json")}
		}
		_, page, _ := strings.Cut(c.query, "page=")
		return d.history(page)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s is not in the document", r.Method, r.URL)
		w.WriteHeader(404)
	})
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Server.Close)
	return d
}

func (d *document) record(handle func(call) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c := call{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}
		d.mu.Lock()
		d.calls = append(d.calls, c)
		a := handle(c)
		d.mu.Unlock()
		if strings.HasPrefix(a.body, "{") {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}
}

// answers sets what the API answers from now on.
func (d *document) answers(set func(d *document)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	set(d)
}

// arrived returns the calls whose path ends so.
func (d *document) arrived(suffix string) (list []call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if strings.HasSuffix(c.path, suffix) {
			list = append(list, c)
		}
	}
	return list
}

// configAt is the configuration of an account at base, with some attributes changed.
func configAt(base string, changes ...string) provider.Config {
	c := provider.Config{"base_url": base, "token": accessToken, "amount_unit": "peso"}
	for i := 0; i < len(changes); i += 2 {
		c[changes[i]] = changes[i+1]
	}
	return c
}

// at returns the provider, configured for base, on a clock that stands still.
func at(t testing.TB, base string, changes ...string) *coopcentral {
	t.Helper()
	p := newCoopcentral(func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) })
	if err := p.Configure(t.Context(), configAt(base, changes...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(t.Context()) })
	return p
}

// redirected is a provider configured for base whose calls arrive at d.
func redirected(t testing.TB, d *document, base string, changes ...string) *coopcentral {
	t.Helper()
	p := at(t, base, changes...)
	p.api.rest = rest.New(d.URL)
	return p
}
