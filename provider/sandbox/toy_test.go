package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// toy is the smallest provider that uses everything: keyed charges that a payer confirms on the bank's page and
// that expire after 30 minutes, with webhooks that carry the status.
type toy struct {
	Word     string `json:"word"`
	Shown    string `json:"shown"`
	ReturnTo string `json:"return_to"`
}

type (
	toyCall  = sandbox.Call[toy]
	toyBooks = sandbox.Books[toy]
	toyTx    = sandbox.Transaction[toy]
)

func toyOptions() sandbox.Options[toy] {
	return sandbox.Options[toy]{
		Name: "toy",
		Endpoints: append([]sandbox.Endpoint[toy]{
			{Kind: sandbox.Create, Method: "POST", Path: "/charges", Handle: createToy},
			{Kind: sandbox.Lookup, Method: "GET", Path: "/charges/{id}", Handle: lookUpToy},
			{Kind: sandbox.Banks, Method: "GET", Path: "/banks", Handle: func(c *toyCall) sandbox.Answer {
				return sandbox.JSON(http.StatusOK, []string{c.Mode("bank")})
			}},
		}, sandbox.OAuthEndpoints[toy](sandbox.OAuth{
			TokenPath: "/o/token/{$}", RevokePath: "/o/revoke_token/{$}", Lifetime: time.Hour, Scope: "read write",
		})...),
		Settle: func(b *toyBooks, t *toyTx) {
			t.Detail.Word = "moved to " + string(t.Status)
			b.Notify(t, t.Status)
		},
		Webhook: func(_ *toyBooks, t *toyTx, claim sandbox.Status) sandbox.Message {
			body, _ := json.Marshal(map[string]string{"id": t.ID, "claim": string(claim)})
			return sandbox.Message{Body: body, Header: http.Header{"X-Toy": {"yes"}}}
		},
		Page: func(_ *toyBooks, t *toyTx) sandbox.Page {
			return sandbox.Page{Merchant: "Toy shop", Bank: "Toy bank", Description: t.Detail.Shown, ReturnURL: t.Detail.ReturnTo}
		},
		Modes: []sandbox.Mode{
			{Name: "bank", Doc: "the one bank", Default: "red", OneOf: []string{"red", "blue"}},
			{Name: "limit", Doc: "the largest amount", Default: "10.00", Check: func(v string) error {
				_, err := payment.ParseMoney(v)
				return err
			}},
		},
	}
}

func createToy(c *toyCall) sandbox.Answer {
	var in struct {
		Key    string        `json:"key"`
		Amount payment.Money `json:"amount"`
		toy
	}
	if err := json.Unmarshal(c.Body, &in); err != nil || in.Key == "" {
		return sandbox.JSON(http.StatusUnprocessableEntity, map[string]string{"error": "key and amount"})
	}
	if t := c.ByKey(in.Key); t != nil {
		return sandbox.JSON(http.StatusConflict, map[string]string{"id": t.ID})
	}
	t := c.Add(sandbox.Transaction[toy]{
		Entry: sandbox.Entry{
			ID: "toy-" + sandbox.RandomHex(8), Key: in.Key, Operation: payment.PayIn, Amount: in.Amount, Currency: "COP",
			Status: sandbox.Pending,
		},
		Refused:   in.Word == "refuse",
		ExpiresAt: c.Now.Add(30 * time.Minute),
		Detail:    in.toy,
	})
	if in.Word == "approve" {
		c.Settle(t, sandbox.Approved)
	}
	return sandbox.JSON(http.StatusCreated, map[string]string{"id": t.ID, "url": c.PageURL(t.ID)})
}

func lookUpToy(c *toyCall) sandbox.Answer {
	t := c.ByID(c.Request.PathValue("id"))
	if t == nil {
		return sandbox.JSON(http.StatusNotFound, map[string]string{"error": "unknown"})
	}
	return sandbox.JSON(http.StatusOK, map[string]string{"id": t.ID, "status": string(t.Status), "word": t.Detail.Word})
}

// driver drives a sandbox over HTTP.
type driver struct {
	*testing.T
	url string
}

func serve(t *testing.T, o sandbox.Options[toy]) driver {
	t.Helper()
	kit, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(kit)
	t.Cleanup(func() {
		if err := kit.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return driver{t, server.URL}
}

// reply is an answer, or the reason why there was none.
type reply struct {
	Status int
	Header http.Header
	Body   string
	Err    error
}

func (d driver) send(method, path, body string, header ...string) reply {
	d.Helper()
	req, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	// A transport of its own: a connection used before may be retried by net/http when it is dropped.
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{Err: err}
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{Err: err}
	}
	return reply{Status: resp.StatusCode, Header: resp.Header, Body: string(got)}
}

// control makes a control call that must be answered with 200, and decodes the answer.
func (d driver) control(method, call, body string, into any) {
	d.Helper()
	got := d.send(method, "/_sandbox/"+call, body)
	if got.Err != nil || got.Status != http.StatusOK {
		d.Fatalf("%s %s %s: %+v", method, call, body, got)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(got.Body), into); err != nil {
			d.Fatalf("%s %s: %v in %s", method, call, err, got.Body)
		}
	}
}

func (d driver) create(key string) reply {
	d.Helper()
	return d.send("POST", "/charges", `{"key":"`+key+`","amount":"10.00"}`)
}

// mustCreate creates a charge and returns its id.
func (d driver) mustCreate(key string) string {
	d.Helper()
	var out struct{ ID string }
	got := d.create(key)
	if err := json.Unmarshal([]byte(got.Body), &out); err != nil || got.Status != http.StatusCreated {
		d.Fatalf("create %s: %+v", key, got)
	}
	return out.ID
}

func (d driver) ledger() []sandbox.Entry {
	d.Helper()
	var entries []sandbox.Entry
	d.control("GET", "ledger", "", &entries)
	return entries
}

func (d driver) deliveries() []sandbox.Delivery {
	d.Helper()
	var list []sandbox.Delivery
	d.control("GET", "webhooks", "", &list)
	return list
}

// listener is a shop that receives webhooks.
type listener struct {
	mu     sync.Mutex
	bodies []string
	header http.Header
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bodies = append(l.bodies, string(body))
	l.header = r.Header
}

func (l *listener) received() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.bodies...)
}

// listen plugs a listener into the sandbox.
func (d driver) listen(h http.Handler) {
	d.Helper()
	shop := httptest.NewServer(h)
	d.Cleanup(shop.Close)
	d.control("POST", "webhook", `{"url":"`+shop.URL+`/hook"}`, nil)
}

// clock is a wall clock that only moves when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

func pretty(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	enc.Encode(v)
	return b.String()
}
