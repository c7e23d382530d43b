package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
)

// The column "simulator" of the provider's contradictions and traps.

func TestCC01Scheme(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for authorization, want := range map[string][2]int{"Token good": {200, 200}, "good": {401, 200}, "wrong": {401, 401}, "Token wrong": {401, 401}} {
		d.authorization = authorization
		for i, mode := range []string{"strict", "lenient"} {
			d.mode("auth", mode)
			if status, body := d.call("GET", "/banks", ""); status != want[i] {
				t.Errorf("%q, %s: %d %s", authorization, mode, status, body)
			}
		}
	}
}

func TestCC02CC03AmountsAsNumbersAndTexts(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for token, amount := range map[string]any{"number": 5211470, "text": "5211470"} {
		if _, body := d.create(map[string]any{"idempotency_token": token, "amount": amount}); !strings.Contains(body, `"amount":5211470,`) ||
			!strings.Contains(body, `"fee_amount":0,`) {
			t.Errorf("%s: %s", token, body)
		}
	}
	d.mode("numbers", "string")
	if got := d.get("number"); got["amount"] != "5211470" || got["fee_amount"] != "0" {
		t.Errorf("as texts: %v", got)
	}
	d.mode("unit", "cent")
	d.mustCreate(map[string]any{"idempotency_token": "cents", "amount": "5211470"})
	entries := d.ledger()
	if got := entries[len(entries)-1].Amount.String(); got != "52114.70" {
		t.Errorf("in cents the ledger has %s pesos", got)
	}
	for _, amount := range []any{"10.5", "0", "-9223372036854775808", "9223372036854775807"} {
		if status, body := d.create(map[string]any{"idempotency_token": "x", "amount": amount}); status != 422 || d.read(body)["field"] != "amount" {
			t.Errorf("%v cents: %d %s", amount, status, body)
		}
	}
}

func TestCC04DuplicateIs208(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mustCreate(nil)
	for _, changes := range []map[string]any{nil, {"amount": 1, "dest_bank": "nequi", "dest_account_number": "7"}} {
		status, body := d.create(changes)
		if got := d.read(body); status != 208 || got["amount"] != 5211470.0 || got["dest_bank"] != "bbva" || got["dest_account_number"] != "68653284571" {
			t.Errorf("%v: %d %s", changes, status, body)
		}
	}
	if n := len(d.ledger()); n != 1 {
		t.Errorf("%d transfers were executed", n)
	}
}

func TestCC07MagicWordsDoNothingInProduction(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("environment", "production")
	d.mustCreate(map[string]any{"description": "transaction-approved"})
	if got := d.get(exampleToken)["status"]; got != "pending" || len(d.received()) != 0 {
		t.Errorf("it is %v", got)
	}
}

func TestCC08OriginAccountHasTwoNames(t *testing.T) {
	t.Parallel()
	d := setup(t)
	if status, body := d.create(map[string]any{"origin_account_token": "deposit"}); status != 422 || d.read(body)["field"] != "origin_account_token" {
		t.Errorf("the history's name in a transfer: %d %s", status, body)
	}
	if status, body := d.call("GET", "/transactions?origin_account=deposit", ""); status != 422 || d.read(body)["field"] != "origin_account" {
		t.Errorf("a transfer's name in the history: %d %s", status, body)
	}
}

func TestCC10CC15OtherAPIsWords(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for field, words := range map[string][]string{
		"dest_account_type":                      {"deposito_electronico", "savings_account", "SAVING_ACCOUNT"},
		"dest_account_owner_identification_type": {"TI", "PEP", "PPT", "PP"},
	} {
		for _, word := range words {
			if status, body := d.create(map[string]any{field: word}); status != 422 || d.read(body)["field"] != field {
				t.Errorf("%s %s: %d %s", field, word, status, body)
			}
		}
	}
	d.mustCreate(map[string]any{"dest_account_owner_identification_type": "PA"}) // CC-12
}

func TestCC13TokenLikeAPath(t *testing.T) {
	t.Parallel()
	d := setup(t)
	if status, body := d.call("GET", "/transactions/create", ""); status != 404 {
		t.Errorf("before there is one: %d %s", status, body)
	}
	for _, token := range []string{"create", "a/b"} {
		d.mustCreate(map[string]any{"idempotency_token": token})
		if got := d.get(strings.ReplaceAll(token, "/", "%2F"))["idempotency_token"]; got != token {
			t.Errorf("%s: %v", token, got)
		}
	}
}

func TestCC14SlugsAreTpagasOwn(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.call("GET", "/banks", "")
	var got struct{ Banks []bank }
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	const documented = `{"banks":[{"name":"BBVA","slug":"bbva"},{"name":"BANCO CAJA SOCIAL","slug":"banco-caja-social"},`
	if !strings.HasPrefix(body, documented) {
		t.Errorf("the list does not begin like the document's: %s", body)
	}
	own := 0
	for _, b := range got.Banks {
		if strings.ReplaceAll(strings.ToLower(b.Name), " ", "-") != b.Slug {
			own++
		}
	}
	if own < 5 {
		t.Errorf("%d slugs are not the name's", own)
	}
}

func TestCC16WebhooksOfChanges(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("webhooks", "changes")
	d.mustCreate(nil)
	if hooks := d.received(); len(hooks) != 1 {
		t.Errorf("webhooks of a new transfer: %q", hooks)
	}
}
