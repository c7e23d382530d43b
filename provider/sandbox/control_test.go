package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	o := toyOptions()
	o.Now = newClock().Now
	d := serve(t, o)

	if got := d.send("GET", "/_sandbox/ledger", ""); got.Body != "[]" {
		t.Errorf("an empty ledger is %q, want []", got.Body)
	}
	id := d.mustCreate("k1")
	d.send("POST", "/charges", `{"key":"refused","amount":"10.00","word":"refuse"}`)
	d.send("POST", "/charges", `{"key":"","amount":"10.00"}`)
	want := `[{"id":"` + id + `","key":"k1","operation":"payin","amount":"10.00","currency":"COP","status":"pending","created_at":"2026-11-20T10:00:00Z"}]`
	if got := d.send("GET", "/_sandbox/ledger", ""); got.Body != want {
		t.Errorf("ledger\n%s\nwant\n%s", got.Body, want)
	}
	if got := d.send("POST", "/charges", `{"key":"refused","amount":"1.00"}`); got.Status != http.StatusConflict {
		t.Errorf("the key of a refused transaction is not remembered: %+v", got)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	d := serve(t, toyOptions())
	shop := &listener{}
	d.listen(shop)
	id := d.mustCreate("k1")
	var want []string
	for _, status := range []string{"rejected", "approved", "expired"} { // hosted pages let a payer try again after a no
		var entry sandbox.Entry
		d.control("POST", "settle", `{"id":"`+id+`","status":"`+status+`"}`, &entry)
		if entry.ID != id || string(entry.Status) != status || string(d.ledger()[0].Status) != status {
			t.Errorf("settled to %s: %+v", status, entry)
		}
		if got := d.send("GET", "/charges/"+id, ""); !strings.Contains(got.Body, "moved to "+status) {
			t.Errorf("the provider's own record after %s: %s", status, got.Body)
		}
		want = append(want, `{"claim":"`+status+`","id":"`+id+`"}`)
		if d.deliveries(); !slices.Equal(shop.received(), want) {
			t.Errorf("webhooks %q, want %q", shop.received(), want)
		}
	}
	if got := shop.header.Get("X-Toy") + shop.header.Get("Content-Type"); got != "yesapplication/json" {
		t.Errorf("webhook's header: %v", shop.header)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	d := serve(t, toyOptions())
	var refused struct{ ID string }
	json.Unmarshal([]byte(d.send("POST", "/charges", `{"key":"refused","amount":"10.00","word":"refuse"}`).Body), &refused)
	for _, tc := range []struct {
		call, body string
		status     int
		says       string
	}{
		{"POST faults", `{"on":"creat","do":"delay"}`, 400, `on is "creat"; it is one of token, create, lookup, banks, balance, billers, bill, statement`},
		{"POST faults", `{"on":"other","do":"delay"}`, 400, `on is "other"`},
		{"POST faults", `{"on":"create","do":"explode"}`, 400, `do is "explode"; it is one of drop_before, drop_after, delay, delay_after, answer, answer_after, garble, webhook_first, webhook_twice, webhook_never, webhook_forged`},
		{"POST faults", `{"on":"create","do":"delay","time":3}`, 400, `unknown field "time"`},
		{"POST faults", `{"on":"create","do":"delay","times":-1}`, 400, "times is -1; it is 1 to 1000000"},
		{"POST faults", `{"on":"create","do":"answer","status":99}`, 400, "status is 99; it is 200 to 599"},
		{"POST faults", `{"on":"create","do":"delay","delay_ms":600001}`, 400, "delay_ms is 600001; it is 1 to 600000"},
		{"POST faults", `[]`, 400, "the body must be"},
		{"POST faults", ``, 400, "the body must be"},
		{"POST faults", `{"on":"create","do":"delay"} {}`, 400, "nothing after it"},
		{"POST settle", `{"id":"nobody","status":"approved"}`, 404, `no transaction has the id "nobody"; GET /_sandbox/ledger lists them`},
		{"POST settle", `{"id":"` + refused.ID + `","status":"approved"}`, 404, "no transaction has the id"},
		{"POST settle", `{"id":"nobody","status":"pending"}`, 400, `status is "pending"; it is one of approved, rejected, expired`},
		{"POST webhook", `{"url":"ftp://shop.example"}`, 400, "absolute http or https URL"},
		{"POST webhook", `{"url":"/hook"}`, 400, "absolute http or https URL"},
		{"POST clock", `{"advance_s":-1}`, 400, "the clock only goes forward"},
		{"POST clock", `{"advance_s":1.5}`, 400, "whole seconds"},
		{"POST clock", `{"advance_s":9223372036854775807}`, 400, "at most 100 years"},
		{"POST mode", `{"name":"colour","value":"red"}`, 400, `there is no mode "colour"; there are bank, limit`},
		{"POST mode", `{"name":"bank","value":"green"}`, 400, `"green" is no value of mode bank; it is one of red, blue`},
		{"POST mode", `{"name":"limit","value":"much"}`, 400, `"much" is no value of mode limit: payment: not an amount`},
		{"GET settle", ``, 404, "there is no GET /_sandbox/settle; below /_sandbox/ there are DELETE faults, GET counts"},
	} {
		method, call, _ := strings.Cut(tc.call, " ")
		got := d.send(method, "/_sandbox/"+call, tc.body)
		var answer struct{ Error string }
		if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || got.Status != tc.status || !strings.Contains(answer.Error, tc.says) {
			t.Errorf("%s %s: %d %s\nwant %d with %s", tc.call, tc.body, got.Status, got.Body, tc.status, tc.says)
		}
	}
	if got := d.send("POST", "/charges", strings.Repeat("x", 1<<20+1)); got.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of more than 1 MiB: %+v", got)
	}
}

func TestRequestsAndCounts(t *testing.T) {
	t.Parallel()
	o := toyOptions()
	o.Now = newClock().Now
	d := serve(t, o)
	if got := d.send("GET", "/_sandbox/requests", ""); got.Body != "[]" {
		t.Errorf("no requests are %q, want []", got.Body)
	}
	d.control("POST", "faults", `{"on":"create","do":"drop_before"}`, nil)
	d.create("k1")
	d.send("GET", "/banks?page=2", "", "X-Mine", "1")
	d.send("POST", "/o/token/", "grant_type=nothing")
	d.send("GET", "/nowhere", "")

	counts := map[string]int{}
	d.control("GET", "counts", "", &counts)
	want := map[string]int{"create": 1, "banks": 1, "token": 1, "other": 1, "lookup": 0, "balance": 0, "billers": 0, "bill": 0, "statement": 0}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("counts %v, want %v", counts, want)
	}
	var requests []sandbox.Request
	d.control("GET", "requests", "", &requests)
	if len(requests) != 4 {
		t.Fatalf("requests: %s", pretty(requests))
	}
	create, banks := requests[0], requests[1]
	if create.Kind != "create" || create.Method != "POST" || create.Path != "/charges" ||
		create.Body != `{"key":"k1","amount":"10.00"}` || !create.Time.Equal(o.Now()) {
		t.Errorf("a dropped create is recorded as %s", pretty(create))
	}
	if banks.Path != "/banks" || banks.Query != "page=2" || banks.Header.Get("X-Mine") != "1" {
		t.Errorf("a query is recorded as %s", pretty(banks))
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	wall := newClock()
	o := toyOptions()
	o.Now = wall.Now
	d := serve(t, o)
	shop := &listener{}
	d.listen(shop)
	first := d.mustCreate("k1")
	d.control("POST", "clock", `{"advance_s":1799}`, nil)
	second := d.mustCreate("k2")
	if got := d.ledger()[0].Status; got != sandbox.Pending {
		t.Fatalf("a second too early it is %s", got)
	}
	var now struct{ Now time.Time }
	d.control("POST", "clock", `{"advance_s":1}`, &now)
	if want := wall.Now().Add(30 * time.Minute); !now.Now.Equal(want) {
		t.Errorf("the clock shows %s, want %s", now.Now, want)
	}
	entries := d.ledger()
	if entries[0].Status != sandbox.Expired || entries[1].Status != sandbox.Pending {
		t.Errorf("after 30 minutes: %s", pretty(entries))
	}
	d.deliveries() // webhooks under way at once come in any order
	wall.advance(29*time.Minute + 59*time.Second)
	d.deliveries()
	want := []string{`{"claim":"expired","id":"` + first + `"}`, `{"claim":"expired","id":"` + second + `"}`}
	if got := shop.received(); !slices.Equal(got, want) {
		t.Errorf("webhooks of what expired: %q, want %q", got, want)
	}
}

func TestMode(t *testing.T) {
	t.Parallel()
	d := serve(t, toyOptions())
	d.control("POST", "mode", `{"name":"bank","value":"blue"}`, nil)
	d.control("POST", "mode", `{"name":"limit","value":"7.50"}`, nil)
	if got := d.send("GET", "/banks", ""); got.Body != `["blue"]` {
		t.Errorf("the mode does not reach the handler: %s", got.Body)
	}
	got := d.send("GET", "/_sandbox/mode", "").Body
	want := `[{"name":"bank","value":"blue","default":"red","one_of":["red","blue"],"doc":"the one bank"},{"name":"limit","value":"7.50","default":"10.00","doc":"the largest amount"}]`
	if got != want {
		t.Errorf("modes\n%s\nwant\n%s", got, want)
	}
	d.control("POST", "reset", "", nil)
	if got := d.send("GET", "/banks", ""); got.Body != `["red"]` {
		t.Errorf("a reset leaves the mode: %s", got.Body)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	wall := newClock()
	o := toyOptions()
	o.Now = wall.Now
	d := serve(t, o)
	shop := &listener{}
	d.listen(shop)
	id := d.mustCreate("k1")
	d.control("POST", "settle", `{"id":"`+id+`","status":"approved"}`, nil)
	d.deliveries()
	d.control("POST", "faults", `{"on":"create","do":"drop_before","times":5}`, nil)
	d.control("POST", "clock", `{"advance_s":60}`, nil)

	d.control("POST", "reset", "", nil)
	for _, call := range []string{"ledger", "faults", "webhooks", "requests"} {
		if got := d.send("GET", "/_sandbox/"+call, ""); got.Body != "[]" {
			t.Errorf("after a reset %s is %s, want []", call, got.Body)
		}
	}
	counts := map[string]int{}
	if d.control("GET", "counts", "", &counts); counts["create"] != 0 {
		t.Errorf("after a reset the counts are %v", counts)
	}
	again := d.mustCreate("k1")
	if got := d.ledger()[0]; got.ID != again || !got.CreatedAt.Equal(wall.Now()) {
		t.Errorf("after a reset a charge is %+v", got)
	}
	d.control("POST", "settle", `{"id":"`+again+`","status":"approved"}`, nil)
	if d.deliveries(); len(shop.received()) != 2 {
		t.Errorf("after a reset the webhooks go nowhere: %q", shop.received())
	}
}
