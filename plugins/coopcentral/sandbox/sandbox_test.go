package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

// example is the document's own request, but for the account that pays.
var example = map[string]any{
	"dest_account_owner_full_name":             "Jovita Ducuara Prieto",
	"dest_account_owner_identification_type":   "CC",
	"dest_account_owner_identification_number": "11111158",
	"dest_account_type":                        "saving_account",
	"dest_account_number":                      "68653284571",
	"amount":                                   5211470,
	"dest_bank":                                "bbva",
	"idempotency_token":                        "some-random-and-unique-token8765",
	"description":                              "Transaction description",
}

const exampleToken = "some-random-and-unique-token8765"

// tester is a client of the sandbox, with a token, and its webhook endpoint.
type tester struct {
	*testing.T
	url, authorization string

	mu       sync.Mutex
	webhooks []string
}

func setup(t *testing.T) *tester {
	t.Helper()
	now := time.Date(2024, 3, 13, 18, 37, 52, 0, time.UTC)
	kit, err := open("", func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(kit)
	d := &tester{T: t, url: server.URL, authorization: "Token good"}
	client := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.webhooks = append(d.webhooks, string(body))
	}))
	t.Cleanup(func() { kit.Close(); server.Close(); client.Close() })
	d.control("webhook", `{"url":"`+client.URL+`"}`)
	return d
}

func (d *tester) send(method, path, body string) (int, string) {
	d.Helper()
	req, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	req.Header.Set("Authorization", d.authorization)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		d.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

// call makes one call of the API.
func (d *tester) call(method, path, body string) (int, string) {
	d.Helper()
	return d.send(method, basePath+path, body)
}

// create sends the example with changes; a nil change leaves the field out.
func (d *tester) create(changes map[string]any) (int, string) {
	d.Helper()
	in := maps.Clone(example)
	maps.Copy(in, changes)
	maps.DeleteFunc(in, func(_ string, v any) bool { return v == nil })
	body, err := json.Marshal(in)
	if err != nil {
		d.Fatal(err)
	}
	return d.call("POST", "/transactions/create", string(body))
}

func (d *tester) mustCreate(changes map[string]any) map[string]any {
	d.Helper()
	status, body := d.create(changes)
	if status != http.StatusCreated {
		d.Fatalf("create %v: %d %s", changes, status, body)
	}
	return d.read(body)
}

func (d *tester) read(body string) (fields map[string]any) {
	d.Helper()
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		d.Fatalf("%v in %s", err, body)
	}
	return fields
}

func (d *tester) get(token string) map[string]any {
	d.Helper()
	status, body := d.call("GET", "/transactions/"+token, "")
	if status != 200 {
		d.Fatalf("look-up: %d %s", status, body)
	}
	return d.read(body)
}

func (d *tester) control(call, body string) string {
	d.Helper()
	method := "POST"
	if body == "" {
		method = "GET"
	}
	status, answer := d.send(method, "/_sandbox/"+call, body)
	if status != 200 {
		d.Fatalf("%s %s: %d %s", call, body, status, answer)
	}
	return answer
}

func (d *tester) mode(name, value string) {
	d.Helper()
	d.control("mode", `{"name":"`+name+`","value":"`+value+`"}`)
}

func (d *tester) ledger() (entries []sandbox.Entry) {
	d.Helper()
	if err := json.Unmarshal([]byte(d.control("ledger", "")), &entries); err != nil {
		d.Fatal(err)
	}
	return entries
}

// received waits for the webhooks under way and returns all that came.
func (d *tester) received() []string {
	d.Helper()
	d.control("webhooks", "")
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.webhooks)
}

// The document's answer, byte for byte but for white space and the order of its fields.
const exampleAnswer = `{"dest_account_owner_full_name":"Jovita Ducuara Prieto","dest_account_owner_identification_type":"CC",` +
	`"dest_account_owner_identification_number":"11111158","dest_account_type":"saving_account","dest_account_number":"68653284571",` +
	`"amount":5211470,"status":"pending","fee_amount":0,"dest_bank":"bbva","origin_account_number":"891000845",` +
	`"origin_account_type":"electronic_deposit","origin_account_owner_identification_number":"589632154",` +
	`"idempotency_token":"some-random-and-unique-token8765","result_message":null,"description":"Transaction description",` +
	`"created_at":"2024-03-13T18:37:52.000000Z"}`

func TestCreate(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.create(map[string]any{"origin_account": "<origin-account-token>"})
	if status != 201 || body != exampleAnswer {
		t.Errorf("%d\n%s\nwant\n%s", status, body, exampleAnswer)
	}
	if status, again := d.call("GET", "/transactions/"+exampleToken, ""); status != 200 || again != body {
		t.Errorf("the look-up answers %d\n%s", status, again)
	}
	got := d.ledger()
	if len(got) != 1 || got[0].Key != exampleToken || got[0].Amount.String() != "5211470.00" ||
		got[0].Operation != "payout" || got[0].Currency != "COP" || got[0].Status != "pending" {
		t.Errorf("ledger %+v", got)
	}
	if hooks := d.received(); len(hooks) != 0 {
		t.Errorf("webhooks of a pending transfer: %q", hooks)
	}
}

func TestCreateRefusals(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, tc := range []struct {
		field string
		value any
	}{
		{"dest_account_owner_full_name", ""},
		{"dest_account_owner_full_name", 7},
		{"dest_account_owner_identification_type", "PP"},
		{"dest_account_owner_identification_type", "cc"},
		{"dest_account_owner_identification_number", ""},
		{"dest_account_type", "savings"},
		{"dest_account_number", ""},
		{"dest_account_number", 68653284571},
		{"amount", "12c"},
		{"amount", ""},
		{"amount", 0},
		{"amount", -5},
		{"amount", "1.234"},
		{"amount", 1e30},
		{"dest_bank", "BBVA"},
		{"dest_bank", "nowhere"},
		{"idempotency_token", ""},
		{"description", 7},
		{"origin_account", []string{}},
	} {
		status, body := d.create(map[string]any{tc.field: tc.value})
		if got := d.read(body); status != 422 || got["field"] != tc.field || got["error_code"] != "invalid_data" || got["error_message"] == "" {
			t.Errorf("%s %v: %d %s", tc.field, tc.value, status, body)
		}
	}
	optional := []string{"description", "origin_account"}
	for field := range example {
		if slices.Contains(optional, field) {
			continue
		}
		for _, changes := range []map[string]any{{field: nil}, {field: json.RawMessage("null")}} {
			if status, body := d.create(changes); status != 422 || d.read(body)["field"] != field {
				t.Errorf("without %s: %d %s", field, status, body)
			}
		}
	}
	for _, body := range []string{"", "{", "[]", `"x"`, "null"} {
		if status, got := d.call("POST", "/transactions/create", body); status != 422 || d.read(got)["field"] != nil {
			t.Errorf("body %q: %d %s", body, status, got)
		}
	}
	if n := len(d.ledger()); n != 0 {
		t.Errorf("%d transfers were executed", n)
	}
}

func TestCreateTakes(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for i, changes := range []map[string]any{
		{"dest_account_owner_identification_type": "CE"}, {"dest_account_owner_identification_type": "NIT"},
		{"dest_account_type": "checking_account"}, {"dest_account_type": "electronic_deposit"},
		{"description": nil}, {"description": json.RawMessage("null")}, {"amount": "0.01"}, {"amount": 10.5},
		{"dest_account_owner_full_name": strings.Repeat("ñ", 1000)}, {"idempotency_token": strings.Repeat("x", 500)},
	} {
		if changes["idempotency_token"] == nil {
			changes["idempotency_token"] = fmt.Sprint("token", i)
		}
		d.mustCreate(changes)
	}
	if got := d.get("token4")["description"]; got != nil {
		t.Errorf("no description is shown as %v", got)
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	d := setup(t)
	all := func(want int) {
		t.Helper()
		for _, e := range []string{"GET /banks", "POST /transactions/create", "GET /transactions/x", "GET /transactions"} {
			method, path, _ := strings.Cut(e, " ")
			if status, body := d.call(method, path, "{}"); status != want || !strings.Contains(body, "error_message") {
				t.Errorf("%s with %q: %d %s, want %d", e, d.authorization, status, body, want)
			}
		}
	}
	d.mode("permission", "denied")
	all(403)
	d.mode("permission", "granted")
	for _, d.authorization = range []string{"", "Token", "Token ", "Token wrong", "Bearer good", "token good"} {
		all(401)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]struct{ word, message string }{
		"approved": {"approved", "Transacción aprobada"},
		"rejected": {"rejected", "Transacción rechazada por la entidad destino"},
		"expired":  {"rejected", "Transacción vencida"},
	} {
		d := setup(t)
		d.mustCreate(nil)
		d.control("settle", `{"id":"`+d.ledger()[0].ID+`","status":"`+status+`"}`)
		if got := d.get(exampleToken); got["status"] != want.word || got["result_message"] != want.message {
			t.Errorf("%s is shown as %v", status, got)
		}
		if got := d.received(); !slices.Equal(got, []string{`{"transaction_token":"` + exampleToken + `"}`}) {
			t.Errorf("%s: webhooks %q", status, got)
		}
		if e := d.ledger()[0]; string(e.Status) != status {
			t.Errorf("the ledger says %s, want %s", e.Status, status)
		}
	}
}

// Every row of the document's test data.
func TestMagicDescriptions(t *testing.T) {
	t.Parallel()
	for description, want := range map[string]string{
		"transaction-approved": "approved", "transaction-rejected": "rejected",
		"transaction-other": "pending", "my transaction-approved": "pending",
	} {
		for _, mode := range []string{"after", "before"} {
			d := setup(t)
			d.mode("magic", mode)
			first := d.mustCreate(map[string]any{"description": description})["status"]
			if mode == "after" && first != "pending" || mode == "before" && first != want {
				t.Errorf("%s, %s: the 201 says %v", description, mode, first)
			}
			if got := d.get(exampleToken)["status"]; got != want || string(d.ledger()[0].Status) != want {
				t.Errorf("%s, %s: then %v, ledger %+v", description, mode, got, d.ledger())
			}
			if hooks := d.received(); len(hooks) != 1 && want != "pending" || len(hooks) != 0 && want == "pending" {
				t.Errorf("%s, %s: webhooks %q", description, mode, hooks)
			}
		}
	}
}

func TestFailedTransferBurnsItsToken(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("creation", "failed")
	for _, then := range []string{"accepted", "failed"} {
		status, body := d.create(nil)
		if got := d.read(body); status != 409 || got["error_code"] != "transaction_failed" || got["field"] != nil {
			t.Errorf("%d %s", status, body)
		}
		d.mode("creation", then)
	}
	if got := d.get(exampleToken)["status"]; got != "rejected" || len(d.ledger()) != 0 || len(d.received()) != 0 {
		t.Errorf("it is %v; ledger %+v", got, d.ledger())
	}
	d.mode("creation", "accepted")
	d.mustCreate(map[string]any{"idempotency_token": "new"})
}

func TestUnknownToken(t *testing.T) {
	t.Parallel()
	d := setup(t)
	if status, body := d.call("GET", "/transactions/nobody", ""); status != 404 || d.read(body)["error_code"] != "not_found" {
		t.Errorf("by default: %d %s", status, body)
	}
	d.mode("unknown_token", "422")
	if status, body := d.call("GET", "/transactions/nobody", ""); status != 422 || d.read(body)["field"] != "idempotency_token" {
		t.Errorf("in the other mode: %d %s", status, body)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for i := range 45 {
		changes := map[string]any{"idempotency_token": fmt.Sprint("t", i)}
		if i >= 43 {
			changes["origin_account"] = "deposit"
		}
		d.mustCreate(changes)
	}
	tokens := func(query string) (list []string) {
		t.Helper()
		status, body := d.call("GET", "/transactions"+query, "")
		var page struct {
			Transactions []struct {
				Token string `json:"idempotency_token"`
			} `json:"transactions"`
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != 200 || page.Transactions == nil {
			t.Fatalf("%s: %d %s", query, status, body)
		}
		for _, row := range page.Transactions {
			list = append(list, row.Token)
		}
		return list
	}
	want := func(from, to int) (list []string) {
		for i := from; i >= to; i-- {
			list = append(list, fmt.Sprint("t", i))
		}
		return list
	}
	for query, expected := range map[string][]string{
		"": want(42, 23), "?page=1": want(42, 23), "?page=2": want(22, 3), "?page=3": want(2, 0), "?page=4": nil,
		"?origin_account_token=deposit": want(44, 43), "?origin_account_token=other": nil,
	} {
		if got := tokens(query); !slices.Equal(got, expected) {
			t.Errorf("%q: %v, want %v", query, got, expected)
		}
	}
	for _, page := range []string{"0", "-1", "x", "", "99999999999999999"} {
		if status, body := d.call("GET", "/transactions?page="+page, ""); status != 422 || d.read(body)["field"] != "page" {
			t.Errorf("page %q: %d %s", page, status, body)
		}
	}
}

func TestStateOutlivesTheSandbox(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "coopcentral.state")
	first, err := open(state, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(first)
	d := &tester{T: t, url: server.URL, authorization: "Token good"}
	d.mustCreate(map[string]any{"description": "transaction-approved", "origin_account": "deposit"})
	_, before := d.call("GET", "/transactions/"+exampleToken, "")
	server.Close() // and no Close of the sandbox, as after kill -9

	second, err := open(state, nil)
	if err != nil {
		t.Fatal(err)
	}
	server = httptest.NewServer(second)
	defer server.Close()
	defer second.Close()
	d.url = server.URL
	if _, after := d.call("GET", "/transactions/"+exampleToken, ""); after != before || d.read(after)["status"] != "approved" {
		t.Errorf("after the restart\n%s\nbefore\n%s", after, before)
	}
	if status, body := d.create(nil); status != 208 {
		t.Errorf("its token is free again: %d %s", status, body)
	}
}
