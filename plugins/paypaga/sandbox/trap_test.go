package sandbox

import (
	"net/http"
	"strings"
	"testing"
)

// The column "simulator" of the provider's contradictions and traps. TestCreate and TestCreateRefuses have PP-01 to
// PP-05, PP-09, PP-12 and PP-17; TestExpiry has PP-07.

func TestPP06FortySevenBanks(t *testing.T) {
	t.Parallel()
	if len(banks) != 47 || len(bankNames) != 47 {
		t.Errorf("%d banks, %d codes", len(banks), len(bankNames))
	}
}

func TestPP07WithoutExpiresAt(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("expires_at", "missing")
	if status, body := d.create(); status != 201 || strings.Contains(body, "expires_at") {
		t.Errorf("%d %s", status, body)
	}
}

func TestPP08ReferenceOfEitherType(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("reference", "string")
	status, body := d.create()
	d.expect(status, body, 201, `"payment_method_reference":"129930"`)
}

func TestPP10NoTokenNoAnswer(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, path := range []string{"pay-in", "pay-in/1", "pay-in/config"} {
		status, body := d.send(http.MethodGet, "/v2/transactions/"+path, "", nil)
		d.expect(status, body, 401, `{"error":{"code":"UNAUTHORIZED","message":`)
	}
	status, body := d.send(http.MethodPost, "/v2/transactions/pay-in", example, map[string]string{"Authorization": "Bearer x"})
	d.expect(status, body, 401)
}

func TestPP11PP15WhatIsUnknownIsIgnored(t *testing.T) {
	t.Parallel()
	d := setup(t)
	body := strings.Replace(example, `"cancel_url"`, `"pending_url": "https://merchant.com/pending", "cancel_url"`, 1)
	status, answer := d.send(http.MethodPost, "/v2/transactions/pay-in", body, map[string]string{
		"Authorization": "Bearer " + d.token, "DisablePartnerMock": "true",
	})
	d.expect(status, answer, 201)
}

func TestPP14FailedProcessing(t *testing.T) {
	t.Parallel()
	for mode, executed := range map[string]int{"refused": 0, "stored": 1} {
		d := setup(t)
		d.mode("processing", mode)
		status, body := d.create()
		d.expect(status, body, 402)
		if _, ledger := d.send("GET", "/_sandbox/ledger", "", nil); strings.Count(ledger, `"id"`) != executed {
			t.Errorf("%s: ledger %s", mode, ledger)
		}
	}
}

func TestPP16EveryWord(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"initiated", "authorizing", "pending"} {
		d := setup(t)
		d.mode("pending_word", word)
		d.mode("case", "title")
		status, body := d.call("GET", "transactions/pay-in/"+d.made(), "")
		d.expect(status, body, 200, `"status":"`+strings.ToUpper(word[:1])+word[1:]+`"`)
	}
	for _, word := range rejectedWords {
		d := setup(t)
		d.mode("rejected_word", word)
		id := d.made()
		d.control("settle", `{"id":"`+id+`","status":"rejected"}`)
		status, body := d.call("GET", "transactions/pay-in/"+id, "")
		d.expect(status, body, 200, `"status":"`+word+`"`)
	}
}

func TestPP18NumbersForTexts(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.call("GET", "transactions/pay-in/"+d.made(), "")
	d.expect(status, body, 200, `"bank_code":1062`, `"phone":"669548354"`)
}
