package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
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

// What the document's examples hold.
const (
	clientID      = "m3cWBwqft9IcXcnlKOIzkZy89WSHp9RjyAjPoZ0M"
	clientSecret  = "g4dGSxBwkmwcRRQsanVPwNxfpAwzv3nJ7rY9HZyq9c8DCc5TF7kgDje9sCAQlTGrnp6FfaIArBqLGMa8IJ6J2GY7pOUI0GsA3dl4fW0OLroUdaeVOI77JcbOTV6KCCxX"
	exampleKey    = "some-random-and-unique-token-12f12"
	exampleToken  = "bpm-h1q2kyqdoshji95bm14fxfie3f7j"
	exampleOrigin = "Test API client 1"
	stagingURL    = "https://staging.apiv2.tpaga.co"
	productionURL = "https://production.apiv2.tpaga.co"
)

// exampleAttempt asks for the payment of the document's example.
func exampleAttempt() provider.Attempt {
	return provider.Attempt{Key: exampleKey, PaymentID: "external_unique_token_12dd3", Number: 1, Payment: payment.Request{
		Operation: payment.Bill, Method: payment.BillPayment, Amount: payment.Pesos(12300), Currency: "COP", Country: "CO",
		Bill: payment.BillTarget{Biller: "etb", Reference: "111100005555"},
	}}
}

func lookupOf(key string) provider.Query {
	return provider.Query{Key: key, Operation: payment.Bill, Method: payment.BillPayment}
}

// quoted is what an answer may hold and no error may repeat.
const quoted = "factura 3057788996 de Miguel"

// secrets are what no error and no outcome may quote.
var secrets = []string{clientID, clientSecret, "JWT-", "Basic", "3057788996", "Miguel"}

func quotesNothing(t testing.TB, text string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%q is quoted: %s", secret, text)
		}
	}
}

// codeOf returns err's code, and fails the test when err quotes a secret or says nothing.
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

// document is Tpaga as its document describes it, without any state: the same request gets the same answer.
type document struct {
	*httptest.Server

	mu         sync.Mutex
	calls      []call
	tokens     int // issued
	pay        func(n int) answer
	get        answer
	bill       answer
	balance    answer
	agreements func(page string) answer
	revoke     int // status
}

// changed is an example of the document with some values changed; nil leaves one out.
func changed(t testing.TB, name string, changes map[string]any) string {
	t.Helper()
	var values map[string]any
	d := json.NewDecoder(strings.NewReader(read(t, name)))
	d.UseNumber()
	if err := d.Decode(&values); err != nil {
		t.Fatal(err)
	}
	maps.Copy(values, changes)
	maps.DeleteFunc(values, func(name string, _ any) bool { v, is := changes[name]; return is && v == nil })
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// record is the document's answer about a payment, with some values changed.
func record(t testing.TB, changes map[string]any) string {
	t.Helper()
	return changed(t, "pay_answer.json", changes)
}

// agreementsOf is the answer with these agreements, each "id", "id editable" or "id unqueriable".
func agreementsOf(list ...string) answer {
	rows := make([]map[string]any, len(list))
	for i, text := range list {
		id, kind, _ := strings.Cut(text, " ")
		rows[i] = map[string]any{
			"id": id, "name": strings.ToUpper(id), "cost_is_editable": kind == "editable", "is_queriable": kind != "unqueriable",
		}
	}
	b, _ := json.Marshal(map[string]any{"service_providers": rows, "categories": []any{}})
	return answer{200, string(b)}
}

func newDocument(t testing.TB) *document {
	t.Helper()
	d := &document{revoke: 200}
	mux := http.NewServeMux()
	root := "/api/gateway_bill_payment/v1"
	mux.HandleFunc("POST /o/token/{$}", d.issue)
	mux.HandleFunc("POST /o/revoke_token/{$}", d.note(func(call) answer { return answer{d.revoke, ""} }))
	mux.HandleFunc("GET "+root+"/merchant/balance", d.note(func(call) answer { return d.balance.or(200, read(t, "balance_answer.json")) }))
	mux.HandleFunc("GET "+root+"/utility_providers", d.note(func(c call) answer {
		q, _ := url.ParseQuery(c.query)
		var a answer
		if d.agreements != nil {
			a = d.agreements(q.Get("page"))
		}
		list := agreementsOf("movistar_fijo", "etb", "codensa", "claro_movil", "card editable", "toll unqueriable", "a/b?c")
		return a.or(200, list.body)
	}))
	mux.HandleFunc("GET "+root+"/utility_providers/{biller}/bills/{reference}", d.noteRequest(func(r *http.Request) answer {
		return d.bill.or(200, changed(t, "bill_answer.json", map[string]any{
			"utility_provider": r.PathValue("biller"), "short_bill_reference": r.PathValue("reference"),
		}))
	}))
	mux.HandleFunc("POST "+root+"/pay_bill", d.note(func(call) answer {
		var a answer
		if d.pay != nil {
			a = d.pay(len(d.arrivedLocked("/pay_bill")))
		}
		return a.or(200, read(t, "pay_answer.json"))
	}))
	mux.HandleFunc("GET "+root+"/bill_payment_transactions/{token}", d.note(func(call) answer {
		return d.get.or(200, read(t, "pay_answer.json"))
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s is not in the document", r.Method, r.URL)
		w.WriteHeader(404)
	})
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Close)
	return d
}

func (d *document) issue(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != clientID || secret != clientSecret || r.PostFormValue("grant_type") != "client_credentials" {
		w.WriteHeader(401)
		return
	}
	d.mu.Lock()
	d.tokens++
	n := d.tokens
	d.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":"JWT-%d","token_type":"Bearer","expires_in":3600,"scope":"read write"}`, n)
}

func (d *document) note(handle func(call) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := d.arrival(r)
		d.mu.Lock()
		a := handle(c)
		d.mu.Unlock()
		a.write(w)
	}
}

func (d *document) noteRequest(handle func(*http.Request) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d.arrival(r)
		d.mu.Lock()
		a := handle(r)
		d.mu.Unlock()
		a.write(w)
	}
}

func (d *document) arrival(r *http.Request) call {
	body, _ := io.ReadAll(r.Body)
	c := call{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, c)
	return c
}

func (a answer) write(w http.ResponseWriter) {
	if strings.HasPrefix(a.body, "{") {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// answers sets what Tpaga answers from now on.
func (d *document) answers(set func(d *document)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	set(d)
}

// arrived returns the calls whose path has that in it.
func (d *document) arrived(part string) []call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.arrivedLocked(part)
}

func (d *document) arrivedLocked(part string) (list []call) {
	for _, c := range d.calls {
		if strings.Contains(c.path, part) {
			list = append(list, c)
		}
	}
	return list
}

// configAt is the configuration of an account at base, with some attributes changed.
func configAt(base string, changes ...string) provider.Config {
	c := provider.Config{"base_url": base, "client_id": clientID, "client_secret": clientSecret, "payment_origin": exampleOrigin}
	for i := 0; i < len(changes); i += 2 {
		c[changes[i]] = changes[i+1]
	}
	return c
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// at returns the provider, configured for base, on a clock that stands still.
func at(t testing.TB, base string, changes ...string) *bills {
	t.Helper()
	p := newBills(func() time.Time { return noon })
	if err := p.Configure(t.Context(), configAt(base, changes...)); err != nil {
		t.Fatal(err)
	}
	return p
}

// redirected is a provider configured for base whose calls arrive at d.
func redirected(t testing.TB, d *document, base string, changes ...string) *bills {
	t.Helper()
	p := at(t, base, changes...)
	c := p.config
	c.baseURL = d.URL
	p.api = newClient(c, p.now)
	return p
}

// answering is a provider whose payments are all answered so.
func answering(t testing.TB, status int, body string) (*document, *bills) {
	t.Helper()
	d := newDocument(t)
	d.pay = func(int) answer { return answer{status, body} }
	return d, at(t, d.URL)
}
