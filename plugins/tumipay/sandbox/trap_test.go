package sandbox

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The column "simulator" of the provider's contradictions and traps.

func TestTM01ScaleAndLimits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		unit, method string
		amount       int64
		want         string // in the ledger; "" = refused
	}{
		{"cent", "PSE", 200_000, "2000.00"}, {"cent", "PSE", 199_999, ""}, {"cent", "PSE", 10_000, ""}, // 10,000 pesos, in the wrong unit
		{"peso", "PSE", 2000, "2000.00"}, {"peso", "PSE", 1999, ""}, {"peso", "PSE", 5_000_000, ""}, // 50,000 pesos, in the wrong unit
		{"cent", "EFECTY", 1_000_000, "10000.00"}, {"cent", "EFECTY", 999_999, ""}, {"peso", "EFECTY", 9999, ""},
		{"cent", "ALL_METHODS", 5000, "50.00"}, // the document's example
		{"cent", "CARD", 200_000_000, "2000000.00"}, {"cent", "CARD", 200_000_001, ""}, {"cent", "CARD", 12_345, "123.45"},
	} {
		d := setup(t)
		d.mode("unit", tc.unit)
		status, body := d.create(map[string]any{"amount": tc.amount, "payment_method": tc.method})
		ledger := d.ledger()
		if tc.want == "" && (status != 400 || len(ledger) != 0) || tc.want != "" && (len(ledger) != 1 || ledger[0].Amount.String() != tc.want) {
			t.Errorf("%+v: %d %s, ledger %+v", tc, status, body, ledger)
		}
	}
	d := setup(t)
	d.mode("pse_min", "20000")
	if status, _ := d.create(nil); status != 400 {
		t.Errorf("below the merchant's own limit: %d", status)
	}
}

func TestTM02BothVersions(t *testing.T) {
	t.Parallel()
	d := setup(t)
	direct := map[string]any{"customer_data.bank": "1077", "customer_data.person_type": "NATURAL"}
	if a := d.mustCreate(direct); a.Data.Transaction == nil || a.Data.Type != "" {
		t.Errorf("v1 answers with its own page: %+v", a.Data)
	}
	for name, tc := range map[string]struct {
		changes map[string]any
		direct  bool
	}{
		"hosted": {nil, false},
		"direct": {direct, true},
		"card":   {map[string]any{"customer_data.bank": "1077", "customer_data.person_type": "JURIDICA", "payment_method": "CARD"}, false},
	} {
		changes := map[string]any{"reference": name}
		for k, v := range tc.changes {
			changes[k] = v
		}
		status, body := d.call("POST", "/v2/payin", d.request(changes))
		a := d.read(body)
		if status != 200 || (a.Data.Type == "pse_payment") != tc.direct || (a.Data.Transaction == nil) != tc.direct || a.Data.PaymentURL == "" {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestTM03Bases(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for base, want := range map[string]int{"/api": 200, "/production/api": 200, "/api/api": 404, "/production/api/api": 404, "": 404, "/production": 404} {
		if status, _ := d.send("GET", base+"/v1/merchant/me", "", headers); status != want {
			t.Errorf("%q: %d, want %d", base, status, want)
		}
		body := d.request(map[string]any{"reference": "r" + strings.ReplaceAll(base, "/", "-")})
		if status, _ := d.send("POST", base+"/v1/payin", body, headers); status != want {
			t.Errorf("POST %q: %d, want %d", base, status, want)
		}
	}
}

func TestTM04EveryWord(t *testing.T) {
	t.Parallel()
	for mode, tc := range map[string]struct {
		settle string
		words  []string
	}{
		"pending_word":  {"", []string{"PENDING", "CREATED"}},
		"approved_word": {"approved", []string{"APPROVED", "COMPLETED"}},
		"rejected_word": {"rejected", []string{"REJECTED", "DECLINED", "FAILED", "CANCELLED", "ERROR"}},
	} {
		for _, word := range tc.words {
			d := setup(t)
			d.mode(mode, word)
			a := d.mustCreate(nil)
			if tc.settle != "" {
				d.settle(a.Data.Ticket, tc.settle)
				if hooks := d.received(); len(hooks) != 1 || hooks[0].Status != word {
					t.Errorf("%s: webhooks %+v", word, hooks)
				}
			}
			if got := d.get(a.Data.Ticket); got.Data.Status != word { // TM-05: and d.read asks for SUCCESS around it
				t.Errorf("%s: %+v", word, got.Data)
			}
		}
	}
}

func TestTM06NumbersAndEmptyLists(t *testing.T) {
	t.Parallel()
	d := setup(t)
	got := d.get(d.mustCreate(nil).Data.Ticket)
	if got.Data.Customer["legal_doc"] != json.Number("1234567890") || got.Data.Customer["phone_number"] != json.Number("3121234567") ||
		got.Data.Customer["phone_code"] != "57" || string(got.Data.Metadata) != "[]" || got.Data.TypeTransaction != "Recaudo" {
		t.Errorf("%+v", got.Data)
	}
	passport := d.mustCreate(map[string]any{"reference": "p", "customer_data.legal_doc": "AB1234", "customer_data.legal_doc_type": "PPN"})
	if got := d.get(passport.Data.Ticket).Data.Customer["legal_doc"]; got != "AB1234" {
		t.Errorf("a passport's number is %v", got)
	}
	word := d.mustCreate(map[string]any{"reference": "w", "customer_data.legal_doc": "true", "customer_data.legal_doc_type": "PPN"})
	if got := d.get(word.Data.Ticket).Data.Customer["legal_doc"]; got != "true" {
		t.Errorf("a number that is a word of JSON is %v", got)
	}
	zero := d.mustCreate(map[string]any{"reference": "z", "customer_data.legal_doc": "0123"})
	if got := d.get(zero.Data.Ticket).Data.Customer["legal_doc"]; got != "0123" { // 0123 is no JSON number
		t.Errorf("a number with a zero before it is %v", got)
	}
}

// The vector that was computed for the signature, and what it does not cover.
func TestTM07Signature(t *testing.T) {
	t.Parallel()
	const vector = "8a488801ac02fd68beffbf039178a67d17bfea86e2591f3348e32c923cb3d488"
	if got := signature("tok_test_123", "49e3c70f-49d2-11ef-a534-02530a7dec0f", "ef3bc5cc-1a08-41c8-9e3b-449b95ac5eb6"); got != vector {
		t.Errorf("%s", got)
	}
	d := setup(t)
	d.control("faults", `{"on":"create","do":"webhook_forged"}`)
	a := d.mustCreate(nil)
	d.settle(a.Data.Ticket, "rejected")
	hooks := d.received()
	want := signature("tok_test_123", a.Data.Ticket, a.Data.Transaction.Reference)
	if len(hooks) != 2 || hooks[0].Status != "APPROVED" || hooks[1].Status != "REJECTED" {
		t.Fatalf("webhooks %+v", hooks)
	}
	for _, h := range hooks {
		if h.header.Get("x-trx-signature") != want {
			t.Errorf("%s is signed %q", h.Status, h.header.Get("x-trx-signature"))
		}
	}
	d.mode("signature", "wrong")
	d.settle(a.Data.Ticket, "approved")
	d.mode("signature", "missing")
	d.settle(a.Data.Ticket, "approved")
	hooks = d.received()
	if got := hooks[2].header.Get("x-trx-signature"); len(got) != len(want) || got == want {
		t.Errorf("a wrong one: %q", got)
	}
	if got := hooks[3].header.Values("x-trx-signature"); len(got) != 0 {
		t.Errorf("a missing one: %q", got)
	}
}

// Minutes, on the sandbox's clock: see TestExpiry too.
func TestTM10Minutes(t *testing.T) {
	t.Parallel()
	d := setup(t)
	a := d.mustCreate(map[string]any{"expiration_time": 2})
	d.control("clock", `{"advance_s":119}`)
	if got := d.get(a.Data.Ticket).Data.Status; got != "PENDING" {
		t.Errorf("after 119 s: %s", got)
	}
	d.control("clock", `{"advance_s":1}`)
	if got := d.get(a.Data.Ticket).Data.Status; got != "EXPIRED" {
		t.Errorf("after 120 s: %s", got)
	}
}

func TestTM11WrongEcho(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{"exact": "r COP", "reference": "1r COP", "currency": "r PEN"} {
		d := setup(t)
		d.mode("echo", mode)
		a := d.mustCreate(map[string]any{"reference": "r"})
		if got := a.Data.Transaction.Reference + " " + a.Data.Transaction.Currency; got != want {
			t.Errorf("%s: %s", mode, got)
		}
		if got := d.get("r"); got.Data.Ticket != a.Data.Ticket || got.Data.Currency != "COP" {
			t.Errorf("%s: the record is %+v", mode, got.Data)
		}
	}
}

func TestTM12TimesOfBogota(t *testing.T) {
	t.Parallel()
	if got := bogota(time.Date(2025, 10, 15, 22, 58, 36, 0, time.UTC)); got != "2025-10-15 17:58:36" {
		t.Errorf("%s", got)
	}
	d := setup(t)
	a := d.mustCreate(nil)
	if form := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`); !form.MatchString(a.Data.Date) || d.get(a.Data.Ticket).Data.Date != a.Data.Date {
		t.Errorf("%q", a.Data.Date)
	}
}

func TestTM13BothFormsOfATicket(t *testing.T) {
	t.Parallel()
	for mode, form := range map[string]string{"short": `^[0-9a-f]{15}$`, "uuid": `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`} {
		d := setup(t)
		d.mode("ticket", mode)
		a := d.mustCreate(nil)
		if !regexp.MustCompile(form).MatchString(a.Data.Ticket) || d.get(a.Data.Ticket).Data.Reference != example["reference"] {
			t.Errorf("%s: %q", mode, a.Data.Ticket)
		}
	}
}

func TestTM14NoNIT(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for kind, want := range map[string]int{"CC": 200, "CE": 200, "PPN": 200, "NIT": 400, "TI": 400, "PA": 400} {
		if status, body := d.create(map[string]any{"reference": kind, "customer_data.legal_doc_type": kind}); status != want {
			t.Errorf("%s: %d %s", kind, status, body)
		}
	}
}

func TestTM15BodyOfALookupIsIgnored(t *testing.T) {
	t.Parallel()
	d := setup(t)
	a := d.mustCreate(nil)
	for _, body := range []string{"", "{}", `{"ticket":"another"}`, "no JSON"} {
		if status, answer := d.call("GET", "/v1/transaction/"+a.Data.Ticket, body); status != 200 || d.read(answer).Data.Ticket != a.Data.Ticket {
			t.Errorf("%q: %d %s", body, status, answer)
		}
	}
}

func TestTM16Recaudo(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.settle(d.mustCreate(nil).Data.Ticket, "approved")
	if hooks := d.received(); len(hooks) != 1 || hooks[0].Method != "RECAUDO" {
		t.Errorf("%+v", hooks)
	}
}

func TestTM17ThePayerPaysAnotherAmount(t *testing.T) {
	t.Parallel()
	for unit, amounts := range map[string][2]int64{"cent": {1_000_000, 1_100_000}, "peso": {10_000, 11_000}} {
		d := setup(t)
		d.mode("unit", unit)
		d.mode("payer_amount", "changed")
		a := d.mustCreate(map[string]any{"payment_method": "BREB", "amount": amounts[0]})
		if !strings.HasPrefix(a.Data.AccountNumber, "@TUMI") || a.Data.PaymentURL == "" {
			t.Errorf("%s: %+v", unit, a.Data)
		}
		d.settle(a.Data.Ticket, "approved")
		if got := d.get(a.Data.Ticket); got.Data.Amount != amounts[1] || got.Data.Status != "APPROVED" {
			t.Errorf("%s: %+v", unit, got.Data)
		}
		if got, hooks := d.ledger(), d.received(); got[0].Amount.String() != "11000.00" || len(hooks) != 1 || hooks[0].Amount != amounts[1] {
			t.Errorf("%s: ledger %+v, webhooks %+v", unit, got, hooks)
		}
	}
	d := setup(t)
	d.mode("breb", "key")
	if a := d.mustCreate(map[string]any{"payment_method": "BREB"}); a.Data.PaymentURL != "" || a.Data.AccountNumber == "" {
		t.Errorf("key only: %+v", a.Data)
	}
}

func TestTM20EveryMethodOfEveryPage(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for i, method := range []string{"PSE", "EFECTY", "CARD", "BREB", "ALL_METHODS", "TRANSFIYA", "CASH"} {
		a := d.mustCreate(map[string]any{"reference": fmt.Sprint("r", i), "payment_method": method})
		if a.Data.Transaction.PaymentMethod != method || (a.Data.AccountNumber != "") != (method == "BREB") {
			t.Errorf("%s: %+v", method, a.Data)
		}
	}
}

// Neither path that resolves a Bre-B key (TM-18), nor pay-outs with their magic descriptions (TM-19), is simulated.
func TestTM18TM19NoPayOuts(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, call := range []string{"GET /v1/breb/x/resolve", "GET /v1/breb/key/x/resolve", "POST /v1/payout"} {
		method, path, _ := strings.Cut(call, " ")
		if status, _ := d.call(method, path, "{}"); status != 404 {
			t.Errorf("%s: %d", call, status)
		}
	}
	if a := d.mustCreate(map[string]any{"description": "APPROVED"}); d.get(a.Data.Ticket).Data.Status != "PENDING" {
		t.Error("a description decided on a pay-in")
	}
}

func TestTM21TestBank(t *testing.T) {
	t.Parallel()
	d := setup(t)
	if _, body := d.call("GET", "/v1/pse/banks", ""); !strings.Contains(body, `{"code":"1077","name":"BANKA"`) {
		t.Errorf("%s", body)
	}
}
