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
	clientID      = "the-client"
	clientSecret  = "the-client's-secret"
	transactionID = "20260205-1606-4c98-9954-07972623401d"
	reference     = "TRX-2026-0010"
	payURL        = "https://pay.com/v2/pay/20260205-1606-4c98-9954-07972623401d"
)

// exampleAttempt asks for the pay-in of the document's example.
func exampleAttempt() provider.Attempt {
	return provider.Attempt{Key: reference, PaymentID: "pay_1", Number: 1, Payment: payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(1000), Currency: "COP", Country: "CO", Reference: "ORDER-2026-0010",
		Payer: payment.Party{
			Kind: payment.Natural, FirstName: "Jon", LastName: "Snow", Document: payment.Document{Type: payment.CC, Number: "123456789"},
			Email: "jonsnow@email.com", Phone: "669548354", Address: "Calle 123 #45-67", IP: "120.29.48.92", ID: "customer@email.com", Bank: "1062",
		},
		ReturnURL: "https://merchant.com/payment-success", FailureURL: "https://merchant.com/payment-failure",
		CancelURL: "https://merchant.com/payment-cancelled",
	}}
}

// personal is what no error may quote.
var personal = []string{"Jon", "Snow", "jonsnow@email.com", "669548354", "123456789", "Calle 123", clientID, clientSecret, "JWT-"}

// codeOf returns err's code, and fails the test when err quotes a secret or personal data.
func codeOf(t testing.TB, err error) provider.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	e := provider.AsError(err)
	quotesNothing(t, err.Error()+fmt.Sprintf("%+v", *e))
	if e.Message == "" {
		t.Errorf("the error says nothing: %#v", e)
	}
	return e.Code
}

func quotesNothing(t testing.TB, text string) {
	t.Helper()
	for _, secret := range personal {
		if strings.Contains(text, secret) {
			t.Errorf("%q is quoted: %s", secret, text)
		}
	}
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

// refusalOf is PayPaga's envelope of an error.
func refusalOf(status int, code, details string) answer {
	return answer{status, fmt.Sprintf(`{"error":{"code":%q,"message":"Jon Snow may not","details":%s}}`, code, details)}
}

// call is a request as it arrived.
type call struct {
	method, uri, authorization, body string
	header                           http.Header
}

// document is PayPaga as its documents describe it, without any state: the same request gets the same answer.
type document struct {
	*httptest.Server

	mu     sync.Mutex
	calls  []call
	tokens int // issued
	create answer
	get    answer
	search answer
	config answer
}

func newDocument(t testing.TB) *document {
	t.Helper()
	d := &document{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth2/token", d.issue)
	mux.HandleFunc("POST /v2/transactions/pay-in", d.record(func() answer { return d.create.or(201, read(t, "payin_answer.json")) }))
	mux.HandleFunc("GET /v2/transactions/pay-in", d.record(func() answer {
		return d.search.or(200, `{"data":[`+read(t, "transaction.json")+`],"meta":{"total":1}}`)
	}))
	mux.HandleFunc("GET /v2/transactions/pay-in/{id}", d.record(func() answer { return d.get.or(200, read(t, "transaction.json")) }))
	mux.HandleFunc("GET /v2/transactions/pay-in/config", d.record(func() answer { return d.config.or(200, `{"currency":"COP"}`) }))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s is not in the documents", r.Method, r.URL)
		w.WriteHeader(404)
	})
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Server.Close)
	return d
}

// issue takes the credentials from the form only.
func (d *document) issue(w http.ResponseWriter, r *http.Request) {
	_, _, basic := r.BasicAuth()
	r.ParseForm()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tokens++
	if basic || r.PostForm.Encode() != "client_id=the-client&client_secret=the-client%27s-secret&grant_type=client_credentials" {
		w.WriteHeader(401)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":"JWT-%d","expires_in":300,"token_type":"Bearer"}`, d.tokens)
}

func (d *document) record(handle func() answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		d.calls = append(d.calls, call{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), string(body), r.Header})
		a := handle()
		d.mu.Unlock()
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	}
}

// arrived lists the calls of a method.
func (d *document) arrived(method string) (calls []call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if c.method == method {
			calls = append(calls, c)
		}
	}
	return calls
}

// sent reads the only create that arrived.
func (d *document) sent(t testing.TB) (body payInRequest) {
	t.Helper()
	calls := d.arrived("POST")
	if len(calls) != 1 {
		t.Fatalf("%d creates arrived", len(calls))
	}
	if err := json.Unmarshal([]byte(calls[0].body), &body); err != nil {
		t.Fatal(err)
	}
	return body
}

// record is a look-up's answer with some values changed; nil leaves one out.
func record(t testing.TB, changes map[string]any) string {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal([]byte(read(t, "transaction.json")), &values); err != nil {
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

// configAt is the configuration of a merchant at base.
func configAt(base string) provider.Config {
	return provider.Config{"base_url": base, "client_id": clientID, "client_secret": clientSecret}
}

// noon is where the clock of the tests stands.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// at returns the provider, configured for base, on a clock that stands still.
func at(t testing.TB, base string) *paypaga {
	t.Helper()
	p := &paypaga{now: func() time.Time { return noon }}
	if err := p.Configure(t.Context(), configAt(base)); err != nil {
		t.Fatal(err)
	}
	return p
}
