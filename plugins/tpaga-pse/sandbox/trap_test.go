package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// The column "simulator" of the provider's contradictions and traps.

func TestTP01DuplicateIs408(t *testing.T) {
	t.Parallel()
	d := setup(t)
	c := d.mustCreate(nil)
	other := map[string]any{"amount": "20000.00"} // whatever else the call says
	if status, body := d.create(other); status != 408 || body != `{"error_message":"El cobro ya existe."}` {
		t.Errorf("by default: %d %s", status, body)
	}
	d.mode("duplicate", "charge")
	status, body := d.create(other)
	if got := d.read(body); status != 408 || got.Token != c.Token || got.Amount != c.Amount || got.Status != "pending" {
		t.Errorf("with the charge: %d %s", status, body)
	}
	if n := len(d.ledger()); n != 1 {
		t.Errorf("%d charges were executed", n)
	}
	d.control("faults", `{"on":"create","do":"answer","status":408,"body":"Request Timeout"}`)
	if status, body := d.create(map[string]any{"order_id": "proxied"}); status != 408 || body != "Request Timeout" {
		t.Errorf("of a proxy: %d %s", status, body)
	}
	if n := len(d.ledger()); n != 1 {
		t.Errorf("the proxy's call was executed: %d charges", n)
	}
}

func TestTP02TimeoutCreatesAFailedCharge(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct {
		http         int
		status, code string
	}{
		"rejected": {201, "rejected", "FAIL_TRANSACTIONNOTALLOWED"},
		"failed":   {409, "failed", "FAIL_BANKUNREACHEABLE"},
		"timeout":  {502, "failed", "FAIL_TIMEOUT"},
	} {
		d := setup(t)
		d.mode("registration", mode)
		status, body := d.create(nil)
		c := d.read(body)
		if status != want.http || c.Status != want.status || text(c.ReturnCode) != want.code || c.BankURL != nil || c.TraceabilityCode != nil {
			t.Errorf("%s: %d %s", mode, status, body)
		}
		if _, again := d.call("GET", "/charge/"+c.Token, ""); again != body {
			t.Errorf("%s: the look-up answers %s", mode, again)
		}
		d.mode("registration", "accepted")
		if status, body := d.create(nil); status != 408 {
			t.Errorf("%s: a resend gets %d %s", mode, status, body)
		}
		if ledger, hooks := d.ledger(), d.received(); len(ledger) != 0 || len(hooks) != 0 {
			t.Errorf("%s: ledger %+v, webhooks %q", mode, ledger, hooks)
		}
	}
}

func TestTP03WebhookBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.control("faults", `{"on":"create","do":"webhook_first"}`)
	c := d.mustCreate(nil)
	d.mu.Lock() // without waiting for anything: the answer is here, so the webhook was
	defer d.mu.Unlock()
	if want := []string{`{"charge_token": "` + c.Token + `"}`}; !slices.Equal(d.webhooks, want) {
		t.Errorf("webhooks %q, want %q", d.webhooks, want)
	}
}

func TestTP04LiteralWebhook(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("webhook_body", "literal")
	c := d.mustCreate(nil)
	d.settle(c.Token, "rejected")
	want := "{\n      {'charge_token': '" + c.Token + "'}\n  }"
	if got := d.received(); len(got) != 1 || got[0] != want || json.Valid([]byte(got[0])) {
		t.Errorf("webhooks %q, want %q", got, want)
	}
}

func TestTP05AuthorizedAndSettled(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct {
		statuses []string // after each approval
		webhooks []int    // in all, after each approval
	}{
		"at_once":          {[]string{"settled", "settled"}, []int{2, 4}},
		"authorized_first": {[]string{"authorized", "settled"}, []int{1, 2}},
		"settled_first":    {[]string{"settled", "authorized"}, []int{1, 2}},
	} {
		d := setup(t)
		d.mode("settlement", mode)
		c := d.mustCreate(nil)
		for i := range want.statuses {
			d.settle(c.Token, "approved")
			got := d.get(c.Token)
			if hooks := d.received(); got.Status != want.statuses[i] || text(got.TransactionState) != "OK" || len(hooks) != want.webhooks[i] {
				t.Errorf("%s, approval %d: %s with %q, want %s with %d webhooks", mode, i+1, got.Status, hooks, want.statuses[i], want.webhooks[i])
			}
		}
		if e := d.ledger(); len(e) != 1 || e[0].Status != "approved" {
			t.Errorf("%s: ledger %+v", mode, e)
		}
	}
	d := setup(t)
	d.control("faults", `{"on":"create","do":"webhook_twice"}`)
	d.settle(d.mustCreate(nil).Token, "approved")
	if got := d.received(); len(got) != 4 {
		t.Errorf("each of two webhooks twice: %q", got)
	}
}

func TestTP06LongBankURL(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("bank_url", "long")
	c := d.mustCreate(nil)
	if n := len(text(c.BankURL)); n <= 500 {
		t.Errorf("bank_url has %d characters", n)
	}
	if status, _ := d.send("GET", strings.TrimPrefix(text(c.BankURL), d.url), "", nil); status != 200 {
		t.Errorf("it opens nothing: %d", status)
	}
}

func TestTP07AmountsAreEchoedWithTwoPlaces(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for order, written := range map[string]any{"a": "10000", "b": "10000.5", "c": 10000.5, "d": "10000.50"} {
		want := "10000.50"
		if written == "10000" {
			want = "10000.00"
		}
		if _, body := d.create(map[string]any{"order_id": order, "amount": written}); !strings.Contains(body, `"amount":"`+want+`"`) {
			t.Errorf("%v: %s", written, body)
		}
	}
}

func TestTP09LimitsAreConfigurable(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("min_amount", "0.00")
	d.mode("max_amount", "500")
	if status, body := d.create(map[string]any{"amount": "500", "vat_amount": "0"}); status != 201 {
		t.Errorf("at the greatest amount: %d %s", status, body)
	}
	if _, body := d.create(map[string]any{"amount": "500.01"}); !strings.Contains(body, "entre 0.00 y 500.00.") {
		t.Errorf("beyond it: %s", body)
	}
	for _, value := range []string{"much", "-1", "1.234"} {
		status, _ := d.send("POST", "/_sandbox/mode", `{"name":"min_amount","value":"`+value+`"}`, nil)
		if status != 400 {
			t.Errorf("min_amount %s: %d", value, status)
		}
	}
}

func TestTP10TaxEqualToTheAmount(t *testing.T) {
	t.Parallel()
	d := setup(t)
	equal := map[string]any{"vat_amount": "10000.00"}
	if status, body := d.create(equal); status != 422 || !strings.Contains(body, "vat_amount no puede ser mayor a amount.") {
		t.Errorf("by default: %d %s", status, body)
	}
	d.mode("vat_equal", "accepted")
	if status, body := d.create(equal); status != 201 {
		t.Errorf("when accepted: %d %s", status, body)
	}
}

func TestTP11ErrorsAreSpanishUTF8(t *testing.T) {
	t.Parallel()
	d := setup(t)
	if _, body := d.create(map[string]any{"bank_code": "<&>", "user_type": "X"}); !strings.Contains(body, "Objeto con code=<&> no existe.") {
		t.Errorf("characters are escaped: %s", body)
	}
	if _, body := d.create(map[string]any{"user_type": "X"}); !strings.Contains(body, "no es una elección válida.") {
		t.Errorf("the accents are not there as they are: %s", body)
	}
}

func TestTP16Banks(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.call("GET", "/banks", "")
	var got []bank
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	for _, want := range []bank{
		{"A continuacion seleccione su banco", "0"}, {"BANCO UNION COLOMBIANO", "1022"}, {"BANCO AGRARIO QA DEFECTOS", "1080"},
		{"BANCO AGRARIO DESARROLLO", "1081"}, {"ALIANZA FIDUCIARIA S A", "5016"}, {"ALIANZA FIDUCIARIA", "1815"},
		{"BANCOLOMBIA", "1007"}, {"UALÁ", "1804"},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("the list lacks %+v", want)
		}
	}
	if len(got) != 52 {
		t.Errorf("%d banks, want 47 of production and 5 of staging", len(got))
	}
	for i, b := range got[1:] {
		c := d.mustCreate(map[string]any{"order_id": "bank" + b.Code, "bank_code": b.Code})
		if _, page := d.send("GET", strings.TrimPrefix(text(c.BankURL), d.url), "", nil); !strings.Contains(page, "Confirm your payment") {
			t.Errorf("bank %d, %s, opens no page", i, b.Code)
		}
	}
}

func TestTP19UnknownToken(t *testing.T) {
	t.Parallel()
	d := setup(t)
	if status, body := d.call("GET", "/charge/pse-0", ""); status != 404 {
		t.Errorf("by default: %d %s", status, body)
	}
	d.mode("unknown_token", "422")
	status, body := d.call("GET", "/charge/pse-0", "")
	if status != 422 || body != `{"error_message":"El cobro no existe.","field":"token","value":"pse-0"}` {
		t.Errorf("in the other mode: %d %s", status, body)
	}
}
