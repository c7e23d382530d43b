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
	clientID     = "OXSXZTIC60nB1ghmPevapPWxNT6twIQUeRVLQaCp"
	clientSecret = "XW7qm73qFohu9vT8zObQ0JNb8tS4UfMIg1iepeLw7VmXAHidyEbZbwFEo4ehYeZ3o3GLuKTJhvICZ3RsIgPyDbNlTWnKsz3gkkGrZ66FZOak0nTqfCVvviho7NNLvwyg"
	chargeToken  = "pse-c542f18edadb441d8b4639edbfb566e5"
	orderID      = "abc-123"
	bankURL      = "https://registro.desarrollo.pse.com.co/PSENF/index.html?enc=CCnGKyvG0W%2bjZeSCRKHPd1UtFV9Ku20LmblpVQAEyoY%3d"
)

// exampleAttempt asks for the charge of the document's example.
func exampleAttempt() provider.Attempt {
	return provider.Attempt{Key: orderID, PaymentID: "pay_1", Number: 1, Payment: payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(10000), Currency: "COP", Country: "CO",
		Tax: payment.Pesos(10), Description: "Compra de producto ABC",
		Payer: payment.Party{
			Kind: payment.Natural, Name: "Miguel Rodriguez", Email: "demo@demo.com", Phone: "3057788996", Bank: "1022",
			Document: payment.Document{Type: payment.CE, Number: "987654321"},
		},
		ReturnURL: "http://where-to-go-after-finish-payment-at-pse.com",
	}}
}

// personal is what no error may quote.
var personal = []string{
	"Miguel", "Rodriguez", "demo@demo.com", "3057788996", "987654321", clientID, clientSecret, "JWT-",
}

// codeOf returns err's code, and fails the test when err quotes a secret or personal data.
func codeOf(t testing.TB, err error) provider.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	e := provider.AsError(err)
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", *e)} {
		for _, secret := range personal {
			if strings.Contains(text, secret) {
				t.Errorf("the error quotes %q: %s", secret, text)
			}
		}
	}
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

// call is a request as it arrived.
type call struct {
	method, path, authorization, contentType, body string
}

// document is Tpaga as its document describes it, without any state: the same request gets the same answer.
type document struct {
	*httptest.Server
	t testing.TB

	mu     sync.Mutex
	calls  []call
	tokens int                // issued
	charge func(n int) answer // answers the nth POST /public/charge, from 1
	get    answer             // answers GET /public/charge/{token}
	banks  answer
	revoke int // status
}

// example is the document's answer about a charge, with some values changed; nil leaves one out.
func example(t testing.TB, changes map[string]any) string {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal([]byte(read(t, "charge_answer.json")), &values); err != nil {
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
	d := &document{t: t, revoke: 200}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /o/token/{$}", d.issue)
	mux.HandleFunc("POST /o/revoke_token/{$}", d.record(func(call) answer { return answer{d.revoke, ""} }))
	mux.HandleFunc("GET /api/pse/v1/public/banks", d.record(func(call) answer {
		return d.banks.or(200, `[{"name":"A continuación seleccione su banco","code":"0"},{"name":"BANCAMIA","code":"1059"},{"name":"BANCO UNION COLOMBIANO","code":"1022"}]`)
	}))
	mux.HandleFunc("POST /api/pse/v1/public/charge", d.record(func(call) answer {
		var a answer
		if d.charge != nil {
			a = d.charge(d.countLocked("POST", "/charge"))
		}
		return a.or(201, read(t, "charge_answer.json"))
	}))
	mux.HandleFunc("GET /api/pse/v1/public/charge/{token}", d.record(func(call) answer {
		return d.get.or(200, read(t, "charge_answer.json"))
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s is not in the document", r.Method, r.URL)
		w.WriteHeader(404)
	})
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Server.Close)
	return d
}

func (a answer) or(status int, body string) answer {
	if a == (answer{}) {
		return answer{status, body}
	}
	return a
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

func (d *document) record(handle func(call) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c := call{r.Method, r.URL.EscapedPath(), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}
		d.mu.Lock()
		d.calls = append(d.calls, c)
		a := handle(c)
		d.mu.Unlock()
		if strings.HasPrefix(a.body, "{") || strings.HasPrefix(a.body, "[") {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}
}

// count says how many calls arrived whose path ends so.
func (d *document) count(method, suffix string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.countLocked(method, suffix)
}

func (d *document) countLocked(method, suffix string) int {
	n := 0
	for _, c := range d.calls {
		if c.method == method && strings.HasSuffix(c.path, suffix) {
			n++
		}
	}
	return n
}

// configAt is the configuration of a merchant at base.
func configAt(base string) provider.Config {
	return provider.Config{"base_url": base, "client_id": clientID, "client_secret": clientSecret}
}

// at returns the provider, configured for base, on a clock that stands still.
func at(t testing.TB, base string) *tpaga {
	t.Helper()
	p := newTpaga(func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) })
	if err := p.Configure(t.Context(), configAt(base)); err != nil {
		t.Fatal(err)
	}
	return p
}
