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

const (
	password = "p4ss-of-the-merchant"
	tokenTop = "tok_test_123"
	// What the document's examples hold.
	reference  = "3cNPNGbX7meiMppXzVz7g781ysektqq5X"
	ticket     = "8BNsCFva1NKPqy2"
	paymentURL = "https://link.staging.tumipay.co/payments/main?s=8BNsCFva1NKPqy2"
	stagingURL = "https://api-empresas.staging.tumipay.co/production/api"
)

// exampleAttempt asks for the pay-in of the document's example.
func exampleAttempt() provider.Attempt {
	return provider.Attempt{
		Key: reference, PaymentID: "pay_1", Number: 1, NotificationURL: "https://your-domain.com/webhook",
		Payment: payment.Request{
			Operation: payment.PayIn, Method: payment.Any, Amount: payment.Pesos(50), Currency: "COP", Country: "CO",
			Description: "Test PayIn", ReturnURL: "https://your-domain.com/payment/ok",
			Payer: payment.Party{
				Name: "John Doe", Document: payment.Document{Type: payment.CC, Number: "1234567890"},
				Email: "john.doe@example.com", Phone: "3121234567",
			},
		},
	}
}

// personal is what no error and no outcome may quote.
var personal = []string{"John", "Doe", "1234567890", "3121234567", "example.com", password, tokenTop}

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

func (a answer) or(body string) answer {
	if a == (answer{}) {
		return answer{200, body}
	}
	return a
}

// call is a request as it arrived.
type call struct {
	method, path, body string
	header             http.Header
}

// document is TumiPay as its document describes it, without any state: the same request gets the same answer.
type document struct {
	*httptest.Server

	mu       sync.Mutex
	calls    []call
	create   answer
	get      answer
	banks    answer
	merchant answer
}

// example is the document's answer in a file, with some values of its data changed; nil leaves one out.
func example(t testing.TB, file string, changes map[string]any) string {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal([]byte(read(t, file)), &values); err != nil {
		t.Fatal(err)
	}
	data := values["data"].(map[string]any)
	maps.Copy(data, changes)
	maps.DeleteFunc(data, func(name string, _ any) bool { v, changed := changes[name]; return changed && v == nil })
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// record is the document's answer to a look-up, with some values changed.
func record(t testing.TB, changes map[string]any) answer {
	return answer{200, example(t, "transaction_answer.json", changes)}
}

// notFoundAnswer is how an unknown transaction is taken to be answered.
var notFoundAnswer = answer{404, `{"code":"02","status":"ERROR","message":"Transacción no encontrada","data":[]}`}

func newDocument(t testing.TB) *document {
	t.Helper()
	d := &document{}
	mux := http.NewServeMux()
	for _, version := range []string{"v1", "v2"} {
		mux.HandleFunc("POST /api/"+version+"/payin", d.record(func() answer { return d.create.or(read(t, "payin_answer.json")) }))
	}
	mux.HandleFunc("GET /api/v1/transaction/{id}", d.record(func() answer { return d.get.or(read(t, "transaction_answer.json")) }))
	mux.HandleFunc("GET /api/v1/pse/banks", d.record(func() answer { return d.banks.or(read(t, "banks_answer.json")) }))
	mux.HandleFunc("GET /api/v1/merchant/me", d.record(func() answer {
		return d.merchant.or(`{"code":"01","status":"SUCCESS","data":{"name":"Shop","nit":"900123456","wallet":0}}`)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s is not in the document", r.Method, r.URL)
		w.WriteHeader(404)
	})
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Server.Close)
	return d
}

func (d *document) record(handle func() answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		d.calls = append(d.calls, call{r.Method, r.URL.EscapedPath(), string(body), r.Header.Clone()})
		a := handle()
		d.mu.Unlock()
		if strings.HasPrefix(a.body, "{") {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}
}

// answers sets what TumiPay answers from now on.
func (d *document) answers(set func(d *document)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	set(d)
}

// arrived returns the calls whose path holds part.
func (d *document) arrived(part string) (list []call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if strings.Contains(c.path, part) {
			list = append(list, c)
		}
	}
	return list
}

// sent is the body of the only pay-in that was asked for.
func (d *document) sent(t testing.TB) payinRequest {
	t.Helper()
	calls := d.arrived("/payin")
	if len(calls) != 1 {
		t.Fatalf("%d pay-ins were asked for", len(calls))
	}
	var body payinRequest
	if err := json.Unmarshal([]byte(calls[0].body), &body); err != nil {
		t.Fatal(err)
	}
	return body
}

// configAt is the configuration of an account at base, with some attributes changed.
func configAt(base string, changes ...string) provider.Config {
	c := provider.Config{
		"base_url": base, "username": "shop", "password": password, "token_top": tokenTop, "amount_unit": "cent",
	}
	for i := 0; i < len(changes); i += 2 {
		c[changes[i]] = changes[i+1]
	}
	return c
}

// at returns the provider, configured for base.
func at(t testing.TB, base string, changes ...string) *tumipay {
	t.Helper()
	p := New().(*tumipay)
	if err := p.Configure(t.Context(), configAt(base, changes...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(t.Context()) })
	return p
}
