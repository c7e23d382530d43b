package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

// lay lays a fault on the sandbox.
func (d driver) lay(fault string) {
	d.Helper()
	d.control("POST", "faults", fault, nil)
}

func TestFaultsOnTheAnswer(t *testing.T) {
	t.Parallel()
	d := serve(t, toyOptions())
	for _, tc := range []struct {
		fault    string
		executed bool
		want     func(reply) bool
	}{
		{`{"on":"create","do":"drop_before"}`, false, func(r reply) bool { return errors.Is(r.Err, io.EOF) }},
		{`{"on":"create","do":"drop_after"}`, true, func(r reply) bool { return errors.Is(r.Err, syscall.ECONNRESET) }},
		{`{"on":"create","do":"delay","delay_ms":1}`, true, func(r reply) bool { return r.Status == 201 }},
		{`{"on":"create","do":"delay_after","delay_ms":1}`, true, func(r reply) bool { return r.Status == 201 }},
		{`{"on":"create","do":"answer","status":500,"body":"oops"}`, false, func(r reply) bool {
			return r.Status == 500 && r.Body == "oops" && strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain")
		}},
		{`{"on":"create","do":"answer","status":502,"body":"<html>bad gateway</html>"}`, false, func(r reply) bool {
			return r.Status == 502 && strings.HasPrefix(r.Header.Get("Content-Type"), "text/html")
		}},
		{`{"on":"create","do":"answer","status":200}`, false, func(r reply) bool { return r.Status == 200 && r.Body == "" }},
		{`{"on":"create","do":"answer","status":204}`, false, func(r reply) bool { return r.Status == 204 }},
		{`{"on":"create","do":"answer"}`, false, func(r reply) bool { return r.Status == 503 }},
		{`{"on":"create","do":"answer_after","status":500,"body":"{}"}`, true, func(r reply) bool {
			return r.Status == 500 && r.Body == "{}" && r.Header.Get("Content-Type") == "application/json"
		}},
		{`{"on":"create","do":"garble"}`, true, func(r reply) bool {
			return r.Status == 201 && strings.HasPrefix(r.Body, `{"id":"toy-`) && !json.Valid([]byte(r.Body))
		}},
	} {
		d.control("POST", "reset", "", nil)
		d.lay(tc.fault)
		if got := d.create("k1"); !tc.want(got) {
			t.Errorf("%s: %+v", tc.fault, got)
		}
		if executed := len(d.ledger()) == 1; executed != tc.executed {
			t.Errorf("%s: executed %t, want %t", tc.fault, executed, tc.executed)
		}
		if got := d.create("k2"); got.Status != http.StatusCreated {
			t.Errorf("%s: the call after it suffers too: %+v", tc.fault, got)
		}
	}
}

func TestFaultsOnEveryKind(t *testing.T) {
	t.Parallel()
	o := toyOptions()
	for _, k := range sandbox.Kinds() {
		o.Endpoints = append(o.Endpoints, sandbox.Endpoint[toy]{
			Kind: k, Method: "GET", Path: "/kind/" + string(k), Handle: func(c *toyCall) sandbox.Answer { return sandbox.JSON(200, k) },
		})
	}
	d := serve(t, o)
	for _, k := range sandbox.Kinds() {
		d.lay(`{"on":"` + string(k) + `","do":"answer","status":418,"times":2}`)
	}
	for _, k := range sandbox.Kinds() {
		var got []int
		for range 3 {
			got = append(got, d.send("GET", "/kind/"+string(k), "").Status)
		}
		if !slices.Equal(got, []int{418, 418, 200}) {
			t.Errorf("%s: statuses %v, want the first 2 of 3 to be 418", k, got)
		}
	}
}

func TestFaultsQueue(t *testing.T) {
	t.Parallel()
	d := serve(t, toyOptions())
	shop := &listener{}
	d.listen(shop)
	d.lay(`{"on":"create","do":"answer","status":500,"times":2}`)
	d.lay(`{"on":"create","do":"drop_after"}`)
	d.lay(`{"on":"create","do":"webhook_first","times":3}`)
	if got := d.send("GET", "/_sandbox/faults", ""); strings.Count(got.Body, `"on":"create"`) != 3 {
		t.Errorf("faults that wait: %s", got.Body)
	}
	first, second, third := d.create("k1"), d.create("k2"), d.create("k3")
	if first.Status != 500 || second.Status != 500 || third.Err == nil {
		t.Errorf("want two 500 and a dropped answer: %+v %+v %+v", first, second, third)
	}
	entries := d.ledger()
	if len(entries) != 1 || entries[0].Key != "k3" {
		t.Fatalf("ledger: %s", pretty(entries))
	}
	// One call suffers one fault of its answer and one of its webhook.
	if d.deliveries(); len(shop.received()) != 1 {
		t.Errorf("webhooks %q, want the one before the dropped answer", shop.received())
	}
	d.lay(`{"on":"create","do":"drop_before"}`)
	d.control("DELETE", "faults", "", nil)
	if got := d.create("k4"); got.Status != http.StatusCreated {
		t.Errorf("a cleared fault is suffered: %+v", got)
	}
	for range 1000 {
		d.lay(`{"on":"create","do":"drop_before"}`)
	}
	if got := d.send("POST", "/_sandbox/faults", `{"on":"create","do":"drop_before"}`); got.Status != 400 {
		t.Errorf("fault 1,001: %+v", got)
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	// waiting reports whether the one call to create has come in and taken its fault.
	waiting := func(d driver) func() bool {
		return func() bool {
			counts := map[string]int{}
			d.control("GET", "counts", "", &counts)
			var faults []sandbox.Fault
			d.control("GET", "faults", "", &faults)
			return counts["create"] == 1 && len(faults) == 0
		}
	}
	t.Run("the call executes though its caller has left", func(t *testing.T) {
		t.Parallel()
		d := serve(t, toyOptions())
		d.lay(`{"on":"create","do":"delay","delay_ms":200}`)
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan struct{})
		go func() {
			defer close(left)
			req, _ := http.NewRequestWithContext(ctx, "POST", d.url+"/charges", strings.NewReader(`{"key":"k1","amount":"10.00"}`))
			http.DefaultClient.Do(req)
		}()
		until(t, waiting(d))
		leave()
		<-left
		until(t, func() bool { return len(d.ledger()) == 1 })
	})
	t.Run("delay_after executes first", func(t *testing.T) {
		t.Parallel()
		d := serve(t, toyOptions())
		d.lay(`{"on":"create","do":"delay_after","delay_ms":600000}`)
		answered := make(chan struct{})
		go func() { // ended by the sandbox's Close
			http.Post(d.url+"/charges", "", strings.NewReader(`{"key":"k1","amount":"10.00"}`))
			close(answered)
		}()
		until(t, func() bool { return len(d.ledger()) == 1 })
		select {
		case <-answered:
			t.Error("the answer was not delayed")
		default:
		}
	})
	t.Run("a reset keeps a delayed call from executing", func(t *testing.T) {
		t.Parallel()
		d := serve(t, toyOptions())
		d.lay(`{"on":"create","do":"delay","delay_ms":600000}`)
		done := make(chan error)
		go func() {
			_, err := http.Post(d.url+"/charges", "", strings.NewReader(`{"key":"k1","amount":"10.00"}`))
			done <- err
		}()
		until(t, waiting(d))
		if n := len(d.ledger()); n != 0 {
			t.Errorf("it was executed before the delay: %d", n)
		}
		d.control("POST", "reset", "", nil)
		if err := <-done; err == nil {
			t.Error("the call of before the reset was answered")
		}
		if n := len(d.ledger()); n != 0 {
			t.Errorf("the call of before the reset was executed: %d", n)
		}
	})
}

func TestFaultsOnTheWebhook(t *testing.T) {
	t.Parallel()
	webhook := func(id, claim string) string { return fmt.Sprintf(`{"claim":%q,"id":%q}`, claim, id) }
	for _, tc := range []struct {
		verb                   string
		afterCreate, afterDone []string // the claims received
	}{
		{"webhook_first", []string{"pending"}, []string{"pending", "approved"}},
		{"webhook_twice", nil, []string{"approved", "approved"}},
		{"webhook_never", nil, nil},
		{"webhook_forged", []string{"approved"}, []string{"approved", "approved"}},
	} {
		t.Run(tc.verb, func(t *testing.T) {
			t.Parallel()
			d := serve(t, toyOptions())
			shop := &listener{}
			d.listen(shop)
			check := func(id string, claims []string) {
				t.Helper()
				want := []string{}
				for _, c := range claims {
					want = append(want, webhook(id, c))
				}
				if d.deliveries(); !slices.Equal(shop.received(), want) {
					t.Errorf("webhooks %q, want %q", shop.received(), want)
				}
			}
			d.lay(`{"on":"create","do":"` + tc.verb + `"}`)
			id := d.mustCreate("k1")
			check(id, tc.afterCreate)
			if got := d.ledger()[0].Status; got != sandbox.Pending {
				t.Errorf("the ledger says %s", got)
			}
			d.control("POST", "settle", `{"id":"`+id+`","status":"approved"}`, nil)
			check(id, tc.afterDone)
		})
	}
	t.Run("a charge that is approved at once", func(t *testing.T) {
		t.Parallel()
		for _, verb := range []string{"webhook_first", "webhook_forged"} { // one webhook, and it is true
			d := serve(t, toyOptions())
			shop := &listener{}
			d.listen(shop)
			d.lay(`{"on":"create","do":"` + verb + `"}`)
			d.send("POST", "/charges", `{"key":"k1","amount":"10.00","word":"approve"}`)
			if want := []string{webhook(d.ledger()[0].ID, "approved")}; len(d.deliveries()) != 1 || !slices.Equal(shop.received(), want) {
				t.Errorf("%s: webhooks %q, want %q", verb, shop.received(), want)
			}
		}
	})
	t.Run("without a transaction nothing is sent", func(t *testing.T) {
		t.Parallel()
		d := serve(t, toyOptions())
		shop := &listener{}
		d.listen(shop)
		for _, verb := range []string{"webhook_first", "webhook_twice", "webhook_never", "webhook_forged"} {
			d.lay(`{"on":"create","do":"` + verb + `"}`)
			d.lay(`{"on":"banks","do":"` + verb + `"}`)
			d.send("POST", "/charges", `{}`)
			d.send("GET", "/banks", ``)
		}
		if d.deliveries(); len(shop.received()) != 0 {
			t.Errorf("webhooks %q", shop.received())
		}
	})
}

func TestWebhookFirstComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	d := serve(t, toyOptions())
	received, answer := make(chan struct{}), make(chan struct{})
	d.listen(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(received)
		<-answer
	}))
	d.lay(`{"on":"create","do":"webhook_first"}`)
	created := make(chan reply, 1)
	go func() { created <- d.create("k1") }()
	<-received
	if id := d.ledger()[0].ID; d.send("GET", "/charges/"+id, "").Status != http.StatusOK {
		t.Error("while the webhook is being delivered the transaction cannot be looked up")
	}
	select {
	case got := <-created:
		t.Errorf("the answer came before the webhook was delivered: %+v", got)
	default:
	}
	close(answer)
	if got := <-created; got.Status != http.StatusCreated {
		t.Errorf("after the webhook: %+v", got)
	}
}

func TestWebhookDelivery(t *testing.T) {
	t.Parallel()
	settle := func(d driver) {
		d.Helper()
		d.control("POST", "settle", `{"id":"`+d.mustCreate("k1")+`","status":"approved"}`, nil)
	}
	t.Run("redirects are not followed", func(t *testing.T) {
		t.Parallel()
		d := serve(t, toyOptions())
		elsewhere := &listener{}
		target := httptest.NewServer(elsewhere)
		defer target.Close()
		d.listen(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
		settle(d)
		if got := d.deliveries(); len(got) != 1 || got[0].Status != http.StatusTemporaryRedirect || len(elsewhere.received()) != 0 {
			t.Errorf("deliveries %s, elsewhere %q", pretty(got), elsewhere.received())
		}
	})
	t.Run("a failure is noted", func(t *testing.T) {
		t.Parallel()
		d := serve(t, toyOptions())
		d.control("POST", "webhook", `{"url":"http://127.0.0.1:1/hook"}`, nil)
		settle(d)
		if got := d.deliveries(); len(got) != 1 || !strings.Contains(got[0].Error, "refused") {
			t.Errorf("deliveries %s", pretty(got))
		}
	})
	t.Run("the address of the message wins", func(t *testing.T) {
		t.Parallel()
		own, configured := &listener{}, &listener{}
		target := httptest.NewServer(own)
		defer target.Close()
		o := toyOptions()
		o.Webhook = func(*toyBooks, *toyTx, sandbox.Status) sandbox.Message { return sandbox.Message{URL: target.URL} }
		d := serve(t, o)
		d.listen(configured)
		settle(d)
		if d.deliveries(); len(own.received()) != 1 || len(configured.received()) != 0 {
			t.Errorf("own %q, configured %q", own.received(), configured.received())
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		d := serve(t, toyOptions())
		settle(d)
		if got := d.deliveries(); len(got) != 0 {
			t.Errorf("deliveries %s", pretty(got))
		}
	})
	t.Run("a provider without webhooks", func(t *testing.T) {
		t.Parallel()
		o := toyOptions()
		o.Settle, o.Webhook = nil, nil
		d := serve(t, o)
		d.listen(&listener{})
		settle(d)
		if got := d.deliveries(); len(got) != 0 || d.ledger()[0].Status != sandbox.Approved {
			t.Errorf("deliveries %s, ledger %s", pretty(got), pretty(d.ledger()))
		}
	})
}

// until polls a condition that another goroutine makes true, for at most 10 seconds.
func until(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.After(10 * time.Second); !condition(); {
		select {
		case <-deadline:
			t.Fatal("it did not come about within 10 seconds")
		case <-time.After(2 * time.Millisecond):
		}
	}
}
