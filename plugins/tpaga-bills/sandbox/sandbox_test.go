package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

// example is the document's own request.
var example = map[string]any{
	"idempotency_token": "some-random-and-unique-token-12f12", "amount": 12300, "utility_provider": "etb",
	"short_bill_reference": "111100005555", "payment_token": "external_unique_token_12dd3", "payment_origin": "Test API client 1",
}

// tester is a client of the sandbox, with a token.
type tester struct {
	*testing.T
	url, authorization string
}

func setup(t *testing.T) *tester {
	t.Helper()
	kit, err := open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(kit)
	t.Cleanup(func() { kit.Close(); server.Close() })
	d := &tester{T: t, url: server.URL}
	d.authorization = d.issue()
	return d
}

func (d *tester) send(method, path, body string, header map[string]string) (int, string) {
	d.Helper()
	req, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
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

func (d *tester) issue() string {
	d.Helper()
	status, body := d.send("POST", "/o/token/", "grant_type=client_credentials", map[string]string{
		"Authorization": "Basic aWQ6c2VjcmV0", "Content-Type": "application/x-www-form-urlencoded",
	})
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		Scope       string `json:"scope"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || answer.TokenType != "Bearer" ||
		answer.ExpiresIn != 3600 || answer.Scope != "read write" {
		d.Fatalf("token: %d %s", status, body)
	}
	return "Bearer " + answer.AccessToken
}

// call makes one call of the API.
func (d *tester) call(method, path, body string) (int, string) {
	d.Helper()
	return d.send(method, "/api/gateway_bill_payment/v1"+path, body, map[string]string{"Authorization": d.authorization})
}

// pay sends the example with changes; a nil change leaves the field out.
func (d *tester) pay(changes map[string]any) (int, string) {
	d.Helper()
	in := maps.Clone(example)
	maps.Copy(in, changes)
	maps.DeleteFunc(in, func(_ string, v any) bool { return v == nil })
	body, err := json.Marshal(in)
	if err != nil {
		d.Fatal(err)
	}
	return d.call("POST", "/pay_bill", string(body))
}

func (d *tester) object(body string) (fields map[string]any) {
	d.Helper()
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		d.Fatalf("%v in %s", err, body)
	}
	return fields
}

func (d *tester) control(call, body string) string {
	d.Helper()
	method := "POST"
	if body == "" {
		method = "GET"
	}
	status, answer := d.send(method, "/_sandbox/"+call, body, nil)
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

func TestPay(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.pay(nil)
	got := d.object(body)
	token, _ := got["token"].(string)
	// The document's answer, field by field; the token differs from one payment to the next.
	want := map[string]any{
		"token": token, "idempotency_token": "some-random-and-unique-token-12f12", "short_bill_reference": "111100005555",
		"utility_provider": "etb", "amount": 12300.0, "payment_token": "external_unique_token_12dd3", "payment_origin": "Test API client 1",
		"route": "MOVILRED", "external_gateway_auth_code": nil, "gateway_bill_payment_token": nil, "status": "AUTHORIZED",
		"result_code": nil, "bank_transaction_id": "dummy_bank_tx_id", "payment_provider_data": map[string]any{},
	}
	if status != 200 || !reflect.DeepEqual(got, want) || !regexp.MustCompile(`^bpm-[0-9a-z]{28}$`).MatchString(token) {
		t.Errorf("%d %v\nwant %v", status, got, want)
	}
	if _, again := d.call("GET", "/bill_payment_transactions/some-random-and-unique-token-12f12", ""); again != body {
		t.Errorf("the look-up answers\n%s\nwant\n%s", again, body)
	}
	e := d.ledger()
	if len(e) != 1 || e[0].ID != token || e[0].Key != "some-random-and-unique-token-12f12" || e[0].Amount.String() != "12300.00" ||
		e[0].Operation != "bill" || e[0].Currency != "COP" || e[0].Status != "approved" {
		t.Errorf("ledger %+v", e)
	}
}

// Every row of the document's test data for payments, and what cannot be paid because it cannot be queried.
func TestPayTestData(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for i, tc := range []struct {
		reference string
		http      int
		status    string
		result    any
		ledger    string
	}{
		{"111100005555", 200, "AUTHORIZED", nil, "approved"},
		{"000000", 200, "AUTHORIZED", nil, "approved"},
		{"111100001111", 409, "IN_PROGRESS", nil, "pending"},
		{"111100003333", 503, "REJECTED", 90.0, ""},
		{"111100004444", 502, "UNKNOWN", 16.0, "unknown"},
		{"dummy422-already-paid-bill", 503, "REJECTED", 84.0, ""},
		{"dummy422-does-not-exist", 503, "REJECTED", 82.0, ""},
		{"dummy412", 503, "REJECTED", 15.0, ""},
		{"any other bill", 200, "AUTHORIZED", nil, "approved"},
	} {
		for _, biller := range firstAgreements {
			key := fmt.Sprint(i, biller.ID)
			before := len(d.ledger())
			status, body := d.pay(map[string]any{"short_bill_reference": tc.reference, "utility_provider": biller.ID, "idempotency_token": key})
			got := d.object(body)
			if status != tc.http || got["status"] != tc.status || got["result_code"] != tc.result || got["idempotency_token"] != key {
				t.Errorf("%s of %s: %d %s", tc.reference, biller.ID, status, body)
			}
			if status, again := d.pay(map[string]any{"short_bill_reference": "1", "idempotency_token": key}); status != 409 || again != body {
				t.Errorf("%s of %s, again: %d %s", tc.reference, biller.ID, status, again)
			}
			if status, again := d.call("GET", "/bill_payment_transactions/"+url.PathEscape(key), ""); status != 200 || again != body {
				t.Errorf("%s of %s, looked up: %d %s", tc.reference, biller.ID, status, again)
			}
			e := d.ledger()[before:]
			if tc.ledger == "" && len(e) != 0 || tc.ledger != "" && (len(e) != 1 || string(e[0].Status) != tc.ledger || e[0].Key != key) {
				t.Errorf("%s of %s: ledger %+v", tc.reference, biller.ID, e)
			}
		}
	}
}

// Every row of the document's test data for queries.
func TestBillTestData(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, tc := range []struct {
		reference string
		http      int
		want      string // with the biller for %s
	}{
		{"111100005555", 200, `{"amount":"12300.00","payable_until":"2022-08-09","short_bill_reference":"111100005555","utility_provider":"%s"}`},
		{"000000", 200, `{"amount":"12300.00","payable_until":"2022-08-09","short_bill_reference":"000000","utility_provider":"%s"}`},
		{"dummy412", 412, `{"error_message":"There is no bill_payment_provider enabled"}`},
		{"dummy422-does-not-exist", 422, `{"error_message":"There is no bill that matches the given bill_payment_provider and bill_reference","billcheck_error_code":"bill_does_not_exist"}`},
		{"dummy422-expired-bill", 422, `{"error_message":"Bill has expired","billcheck_error_code":"expired_bill"}`},
		{"dummy422-already-paid-bill", 422, `{"error_message":"This bill number has already been paid","billcheck_error_code":"already_paid_bill"}`},
		{"dummy422-try-again", 422, `{"error_message":"Please try again later","billcheck_error_code":"try_again_later"}`},
		{"dummy422-cannot-be-paid", 422, `{"error_message":"Tpaga is having issues with the bill payment service","billcheck_error_code":"bill_cannot_be_paid"}`},
		{strings.Repeat("ñ", 20), 200, `{"amount":"12300.00","payable_until":"2022-08-09","short_bill_reference":"` + strings.Repeat("ñ", 20) + `","utility_provider":"%s"}`},
		{strings.Repeat("ñ", 21), 422, `{"error_message":"Asegúrese de que este campo no tenga más de 20 caracteres.","billcheck_error_code":"invalid_field_length","field":"short_bill_reference"}`},
	} {
		for _, biller := range firstAgreements {
			want, status := tc.want, tc.http
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, biller.ID)
			}
			if !biller.Queriable {
				want, status = `{"error_message":"There is no bill_payment_provider enabled"}`, 412
			}
			if got, body := d.call("GET", "/utility_providers/"+biller.ID+"/bills/"+url.PathEscape(tc.reference), ""); got != status || body != want {
				t.Errorf("%s of %s: %d %s\nwant %d %s", tc.reference, biller.ID, got, body, status, want)
			}
		}
	}
	if status, body := d.call("GET", "/utility_providers/nobody/bills/1", ""); status != 422 || !strings.Contains(body, "bill_does_not_exist") {
		t.Errorf("of nobody: %d %s", status, body)
	}
}

func TestPayRefusals(t *testing.T) {
	t.Parallel()
	d := setup(t)
	long := func(n int) string { return strings.Repeat("ñ", n) }
	for _, tc := range []struct {
		field string
		value any
		want  string
	}{
		{"idempotency_token", "", "Este campo no puede estar en blanco."},
		{"idempotency_token", long(129), "Asegúrese de que este campo no tenga más de 128 caracteres."},
		{"idempotency_token", 7, "No es una cadena válida."},
		{"amount", "12300", "Introduzca un número entero válido."},
		{"amount", 12300.5, "Introduzca un número entero válido."},
		{"amount", json.RawMessage("12300.0"), "Introduzca un número entero válido."},
		{"amount", json.RawMessage("1e4"), "Introduzca un número entero válido."},
		{"amount", json.RawMessage("null"), "Introduzca un número entero válido."},
		{"amount", json.RawMessage("99999999999999999999"), "Introduzca un número entero válido."},
		{"amount", json.RawMessage("9999999999999999999"), "Introduzca un número entero válido."},
		{"amount", json.RawMessage("999999999999999999"), "Asegúrese de que este valor es menor o igual a 99999999999999."},
		{"amount", 0, "Asegúrese de que este valor es mayor o igual a 1."},
		{"amount", -12300, "Asegúrese de que este valor es mayor o igual a 1."},
		{"utility_provider", "nobody", "Objeto con id=nobody no existe."},
		{"utility_provider", "biller_7", "Objeto con id=biller_7 no existe."},
		{"utility_provider", "biller_1", "Objeto con id=biller_1 no existe."},
		{"utility_provider", long(65), "Asegúrese de que este campo no tenga más de 64 caracteres."},
		{"short_bill_reference", long(21), "Asegúrese de que este campo no tenga más de 20 caracteres."},
		{"payment_origin", long(65), "Asegúrese de que este campo no tenga más de 64 caracteres."},
		{"payment_token", long(256), "Asegúrese de que este campo no tenga más de 255 caracteres."},
		{"payment_token", json.RawMessage("null"), "Este campo no puede ser nulo."},
	} {
		status, body := d.pay(map[string]any{tc.field: tc.value})
		if got := d.object(body); status != 422 || got["error_message"] != tc.want || got["field"] != tc.field {
			t.Errorf("%s %v: %d %s", tc.field, tc.value, status, body)
		}
	}
	for field := range example {
		status, body := d.pay(map[string]any{field: nil})
		if got := d.object(body); status != 422 || got["error_message"] != "Este campo es requerido." || got["field"] != field {
			t.Errorf("without %s: %d %s", field, status, body)
		}
	}
	for _, body := range []string{"", "{", "[]", `"x"`, "null"} {
		if status, got := d.call("POST", "/pay_bill", body); status != 422 || !strings.Contains(got, "non_field_errors") {
			t.Errorf("body %q: %d %s", body, status, got)
		}
	}
	if n := len(d.ledger()); n != 0 {
		t.Errorf("%d bills were paid", n)
	}
	for field, value := range map[string]any{
		"idempotency_token": long(128), "short_bill_reference": long(20), "payment_origin": long(64), "payment_token": long(255), "x": 1,
	} {
		if status, body := d.pay(map[string]any{"idempotency_token": field, field: value}); status != 200 {
			t.Errorf("%s at its limit: %d %s", field, status, body)
		}
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	d := setup(t)
	if status, body := d.send("POST", "/o/token/", "grant_type=client_credentials", map[string]string{"Authorization": "Basic aWQ6d3Jvbmc="}); status != 401 {
		t.Errorf("the secret wrong: %d %s", status, body)
	}
	endpoints := []string{
		"GET /merchant/balance", "GET /utility_providers", "GET /utility_providers/etb/bills/1", "POST /pay_bill", "GET /bill_payment_transactions/1",
	}
	all := func(want int) {
		t.Helper()
		for _, e := range endpoints {
			method, path, _ := strings.Cut(e, " ")
			if status, body := d.call(method, path, "{}"); status != want || !strings.Contains(body, "error_message") {
				t.Errorf("%s: %d %s, want %d", e, status, body, want)
			}
		}
	}
	d.mode("permission", "denied")
	all(403)
	d.mode("permission", "granted")
	d.control("clock", `{"advance_s":3600}`)
	all(401)
	d.authorization = "Basic a2V5" // "key" (TB-13)
	all(401)
	d.mode("auth", "api_key")
	if status, body := d.call("GET", "/merchant/balance", ""); status != 200 {
		t.Errorf("an api-key: %d %s", status, body)
	}
	for _, bad := range []string{"", "Basic", "Basic ", "Basic d3Jvbmc=", "Basic *", d.issue()} {
		d.authorization = bad
		if status, _ := d.call("GET", "/merchant/balance", ""); status != 401 {
			t.Errorf("%q: %d", bad, status)
		}
	}
}

func TestAgreements(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.call("GET", "/utility_providers", "")
	var got struct {
		Agreements []map[string]any `json:"service_providers"`
		Categories []category       `json:"categories"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	etb := map[string]any{
		"id": "etb", "name": "ETB", "ean13_biller_code": "7707181500017", "is_scannable": true, "cost_is_editable": false, "is_queriable": true,
		"style": map[string]any{
			"title":       "ETB",
			"icon_url":    "https://s3.amazonaws.com/tpaga-wallet-resources/android/promotions/bill_payment_promotion/etb_icono.png",
			"description": "", "placeholder": "Referencia de Pago",
		},
	}
	if len(got.Agreements) != 6 || !reflect.DeepEqual(got.Agreements[1], etb) {
		t.Errorf("%d agreements, the second %v", len(got.Agreements), got.Agreements[1])
	}
	listed := map[string]bool{}
	for _, c := range got.Categories {
		for _, id := range c.Agreements {
			listed[id] = true
		}
	}
	for _, a := range firstAgreements {
		if !listed[a.ID] {
			t.Errorf("%s is in no category", a.ID)
		}
	}

	d.mode("agreements", "1201")
	seen := map[string]bool{}
	for query, want := range map[string]int{
		"": 500, "?page=1": 500, "?page=2&per_page=500": 500, "?page=3": 201, "?page=4": 0, "?page=1000000": 0, "?page=13&per_page=100": 1,
	} {
		status, body := d.call("GET", "/utility_providers"+query, "")
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 || len(got.Agreements) != want {
			t.Errorf("%q: %d with %d agreements, want %d", query, status, len(got.Agreements), want)
		}
		for _, a := range got.Agreements {
			seen[a["id"].(string)] = true
		}
	}
	if len(seen) != 1201 {
		t.Errorf("%d agreements on all pages", len(seen))
	}
	for _, query := range []string{"?page=0", "?page=x", "?page=-1", "?per_page=501", "?per_page=0"} {
		if status, body := d.call("GET", "/utility_providers"+query, ""); status != 422 {
			t.Errorf("%q: %d %s", query, status, body)
		}
	}
	for biller, want := range map[string]int{"biller_1201": 200, "biller_7": 200, "biller_1202": 422, "biller_6": 422, "biller_07": 422, "biller_0": 422, "biller_-1": 422, "biller_7x": 422} {
		if status, _ := d.call("GET", "/utility_providers/"+biller+"/bills/1", ""); status != want {
			t.Errorf("a bill of %s: %d, want %d", biller, status, want)
		}
	}
}

func TestModesAreChecked(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for name, values := range map[string][]string{
		"balance": {"-1", "x", "1.5", "99999999999999999"}, "max_loan": {"-1"}, "agreements": {"-1", "100001", "x"},
		"bill_amount": {"0", "-1", "x", "1.001"}, "slash": {"never"},
	} {
		for _, value := range values {
			if status, body := d.send("POST", "/_sandbox/mode", `{"name":"`+name+`","value":"`+value+`"}`, nil); status != 400 {
				t.Errorf("%s %s: %d %s", name, value, status, body)
			}
		}
	}
}

func (d *tester) balance() float64 {
	d.Helper()
	status, body := d.call("GET", "/merchant/balance", "")
	got := d.object(body)
	if status != 200 || len(got) != 2 {
		d.Fatalf("%d %s", status, body)
	}
	return got["balance"].(float64)
}

func TestBalance(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("balance", "30000")
	for i, step := range []struct {
		reference string
		want      float64
	}{{"111100005555", 17700}, {"111100003333", 17700}, {"111100001111", 5400}, {"1", 5400}} {
		d.pay(map[string]any{"idempotency_token": fmt.Sprint(i), "short_bill_reference": step.reference})
		if got := d.balance(); got != step.want {
			t.Errorf("after %s: %v, want %v", step.reference, got, step.want)
		}
	}
	if status, body := d.pay(map[string]any{"idempotency_token": "new"}); status != 402 {
		t.Errorf("without funds: %d %s", status, body)
	}
	if status, body := d.call("GET", "/utility_providers/etb/bills/1", ""); status != 402 { // TB-12
		t.Errorf("a query without funds: %d %s", status, body)
	}
	d.mode("max_loan", "6900")
	if status, body := d.pay(map[string]any{"idempotency_token": "new"}); status != 200 || d.balance() != -6900 {
		t.Errorf("with a loan: %d %s, balance %v", status, body, d.balance())
	}
	pending := d.ledger()[1].ID
	for i, step := range []struct {
		status string
		want   float64
	}{{"rejected", 5400}, {"rejected", 5400}, {"approved", -6900}, {"approved", -6900}} {
		d.control("settle", `{"id":"`+pending+`","status":"`+step.status+`"}`)
		if got := d.balance(); got != step.want {
			t.Errorf("step %d, %s: %v, want %v", i, step.status, got, step.want)
		}
	}
}

func TestUnknownIsSettled(t *testing.T) {
	t.Parallel()
	for decision, want := range map[string]struct {
		status string
		result any
	}{"approved": {"AUTHORIZED", nil}, "rejected": {"REJECTED", 90.0}} {
		d := setup(t)
		d.pay(map[string]any{"idempotency_token": "1", "short_bill_reference": "111100004444"})
		d.control("settle", `{"id":"`+d.ledger()[0].ID+`","status":"`+decision+`"}`)
		_, body := d.call("GET", "/bill_payment_transactions/1", "")
		if got := d.object(body); got["status"] != want.status || got["result_code"] != want.result || string(d.ledger()[0].Status) != decision {
			t.Errorf("%s: %s, ledger %+v", decision, body, d.ledger())
		}
	}
}

func TestPaidOnce(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.mode("paid", "once")
	for i, tc := range []struct {
		biller, reference string
		want              int
	}{{"etb", "1", 200}, {"etb", "1", 503}, {"codensa", "1", 200}, {"etb", "2", 200}, {"etb", "111100005555", 200}, {"etb", "111100005555", 200}} {
		status, body := d.pay(map[string]any{"idempotency_token": fmt.Sprint(i), "utility_provider": tc.biller, "short_bill_reference": tc.reference})
		if status != tc.want || status == 503 && d.object(body)["result_code"] != 84.0 {
			t.Errorf("%d: %d %s", i+1, status, body)
		}
	}
	if status, body := d.call("GET", "/utility_providers/etb/bills/1", ""); status != 422 || !strings.Contains(body, "already_paid_bill") {
		t.Errorf("a query: %d %s", status, body)
	}
}

func TestStateOutlivesTheSandbox(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "bills.state")
	now := func() time.Time { return time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC) }
	first, err := open(state, now)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(first)
	d := &tester{T: t, url: server.URL}
	d.authorization = d.issue()
	d.pay(map[string]any{"short_bill_reference": "111100001111"})
	d.pay(map[string]any{"idempotency_token": "2"})
	d.control("settle", `{"id":"`+d.ledger()[0].ID+`","status":"rejected"}`)
	_, before := d.call("GET", "/bill_payment_transactions/2", "")
	server.Close() // and no Close of the sandbox, as after kill -9

	second, err := open(state, now)
	if err != nil {
		t.Fatal(err)
	}
	server = httptest.NewServer(second)
	defer server.Close()
	defer second.Close()
	d.url = server.URL
	if _, after := d.call("GET", "/bill_payment_transactions/2", ""); after != before || d.balance() != 10_000_000_000-12300 {
		t.Errorf("after the restart\n%s\nbefore\n%s\nbalance %v", after, before, d.balance())
	}
	if status, body := d.pay(nil); status != 409 || d.object(body)["status"] != "REJECTED" {
		t.Errorf("its token is free again: %d %s", status, body)
	}
}
