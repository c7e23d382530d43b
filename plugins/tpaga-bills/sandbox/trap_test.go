package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// The column "simulator" of the provider's contradictions and traps. TB-05, TB-07, TB-12, TB-13 and TB-14 are in
// sandbox_test.go.

func TestTB01GatewayPages(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for reference, status := range map[string]int{"111100003333": 503, "111100004444": 502} {
		if got, body := d.pay(map[string]any{"short_bill_reference": reference, "idempotency_token": "json" + reference}); got != status || d.object(body)["status"] == nil {
			t.Errorf("%s in JSON: %d %s", reference, got, body)
		}
	}
	d.mode("gateway", "html")
	for reference, status := range map[string]int{"111100003333": 503, "111100004444": 502, "111100001111": 409, "111100005555": 200} {
		key := "html" + reference
		got, body := d.pay(map[string]any{"short_bill_reference": reference, "idempotency_token": key})
		if html := strings.HasPrefix(body, "<html>"); got != status || html != (status >= 500) {
			t.Errorf("%s: %d %s", reference, got, body)
		}
		if got, body := d.call("GET", "/bill_payment_transactions/"+key, ""); got != 200 || d.object(body)["status"] == nil {
			t.Errorf("%s looked up: %d %s", reference, got, body)
		}
	}
}

func TestTB03BillsWithCents(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("bill_amount", "12300.50")
	if _, body := d.call("GET", "/utility_providers/etb/bills/1", ""); d.object(body)["amount"] != "12300.50" {
		t.Error(body)
	}
	for i, pesos := range []int{12300, 12301} {
		if status, body := d.pay(map[string]any{"amount": pesos, "idempotency_token": fmt.Sprint(i)}); status != 503 || d.object(body)["result_code"] != 8000.0 {
			t.Errorf("%d: %d %s", pesos, status, body)
		}
	}
}

func TestTB04TheAmountIsTheBills(t *testing.T) {
	t.Parallel()
	d := setup(t)
	n := 0
	pay := func(biller, reference string) (int, map[string]any) {
		n++
		status, body := d.pay(map[string]any{"utility_provider": biller, "short_bill_reference": reference, "amount": 50000, "idempotency_token": fmt.Sprint(n)})
		return status, d.object(body)
	}
	for _, tc := range []struct {
		biller, reference string
		fine              bool
	}{
		{"etb", "111100005555", false}, {"etb", "1", false}, {"etb", "111100001111", false}, {"etb", "111100004444", false},
		{"etb", "000000", true}, {"editable_card", "1", true}, {"unqueriable_toll", "1", true}, // TB-19: nothing to compare it with
	} {
		status, got := pay(tc.biller, tc.reference)
		if tc.fine && (status != 200 || got["status"] != "AUTHORIZED") || !tc.fine && (status != 503 || got["status"] != "REJECTED" || got["result_code"] != 8000.0) {
			t.Errorf("%+v: %d %v", tc, status, got)
		}
	}
	if len(d.ledger()) != 3 {
		t.Errorf("ledger %+v", d.ledger())
	}
	d.mode("mismatch", "invalid")
	if status, got := pay("etb", "1"); status != 422 || got["field"] != "amount" || got["result_code"] != 8000.0 || got["status"] != nil {
		t.Errorf("422: %d %v", status, got)
	}
	if status, _ := d.call("GET", fmt.Sprint("/bill_payment_transactions/", n), ""); status != 404 {
		t.Errorf("what was refused with 422 is known: %d", status)
	}
}

func TestTB06SlashAtTheEnd(t *testing.T) {
	t.Parallel()
	d := setup(t)
	paths := []string{"/merchant/balance", "/utility_providers", "/utility_providers/etb/bills/1%2F2"}
	for _, path := range paths {
		_, without := d.call("GET", path, "")
		if status, with := d.call("GET", path+"/", ""); status != 200 || with != without {
			t.Errorf("%s/: %d %s, want %s", path, status, with, without)
		}
	}
	d.mode("slash", "redirect")
	for _, path := range append(paths, "/utility_providers?page=2") {
		req, _ := http.NewRequest("GET", d.url+basePath+path, nil)
		req.Header.Set("Authorization", d.authorization)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		bare, query, paged := strings.Cut(path, "?")
		want := basePath + bare + "/"
		if paged {
			want += "?" + query
		}
		if resp.StatusCode != 301 || resp.Header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want %q", path, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
	if status, _ := d.pay(nil); status != 301 || len(d.ledger()) != 0 {
		t.Errorf("a payment: %d, ledger %+v", status, d.ledger())
	}
	if status, body := d.call("GET", "/utility_providers/etb/bills/1/", ""); status != 200 {
		t.Errorf("with the slash: %d %s", status, body)
	}
}

func TestTB08PayableUntil(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for value, want := range map[string]string{"date": `"payable_until":"2022-08-09",`, "null": `"payable_until":null,`, "absent": ``} {
		d.mode("payable_until", value)
		if _, body := d.call("GET", "/utility_providers/etb/bills/1", ""); body != `{"amount":"12300.00",`+want+`"short_bill_reference":"1","utility_provider":"etb"}` {
			t.Errorf("%s: %s", value, body)
		}
	}
}

func TestTB09ResultCodeOfASuccess(t *testing.T) {
	t.Parallel()
	d := setup(t)
	_, before := d.pay(nil)
	d.mode("result_code", "0")
	_, after := d.call("GET", "/bill_payment_transactions/"+fmt.Sprint(example["idempotency_token"]), "")
	if !strings.Contains(before, `"result_code":null`) || !strings.Contains(after, `"result_code":0,`) {
		t.Errorf("%s\n%s", before, after)
	}
}

func TestTB10TB18KnownToken(t *testing.T) {
	t.Parallel()
	d := setup(t)
	_, first := d.pay(nil)
	others := []map[string]any{{"payment_token": "another"}, {"payment_origin": "another"}, {"amount": 50000}, {"short_bill_reference": "2"}}
	for _, other := range others {
		if status, body := d.pay(other); status != 409 || body != first {
			t.Errorf("%v: %d %s", other, status, body)
		}
	}
	d.mode("known_token", "strict")
	for i, other := range others {
		want := []any{"payment_token", "payment_origin", nil, nil}[i]
		if status, body := d.pay(other); (status == 422) != (want != nil) || d.object(body)["field"] != want {
			t.Errorf("strictly, %v: %d %s", other, status, body)
		}
	}
	if len(d.ledger()) != 1 {
		t.Errorf("ledger %+v", d.ledger())
	}
}

// The first call for it gets 409, as the document's test data say; its end comes by itself, or never.
func TestTB20InProgress(t *testing.T) {
	t.Parallel()
	d := setup(t)
	pay := func(key string) (int, any) {
		status, body := d.pay(map[string]any{"short_bill_reference": "111100001111", "idempotency_token": key})
		return status, d.object(body)["status"]
	}
	if status, word := pay("1"); status != 409 || word != "IN_PROGRESS" {
		t.Errorf("the first call: %d %s", status, word)
	}
	d.mode("progress", "stays")
	pay("2")
	d.control("clock", `{"advance_s":60}`)
	if status, word := pay("1"); status != 409 || word != "AUTHORIZED" {
		t.Errorf("a minute later: %d %s", status, word)
	}
	if status, word := pay("2"); status != 409 || word != "IN_PROGRESS" {
		t.Errorf("what stays: %d %s", status, word)
	}
	if e := d.ledger(); e[0].Status != "approved" || e[1].Status != "pending" {
		t.Errorf("ledger %+v", e)
	}
}
