package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// example is the document's own request.
const example = `{
    "amount": 1000,
    "country": "CO",
    "currency": "COP",
    "payment_method": "pse",
    "merchant_order_reference": "ORDER-2026-0010",
    "merchant_transaction_reference": "TRX-2026-0010",
    "merchant_customer_id": "customer@email.com",
    "customer_ip": "120.29.48.92",
    "fields": {
        "first_name": "Jon",
        "last_name": "Snow",
        "document_type": "CC",
        "document_number": "123456789",
        "bank_code": "1062",
        "email": "jonsnow@email.com",
        "phone": "669548354",
        "address": "Calle 123 #45-67"
    },
    "return_urls": {
        "success_url": "https://merchant.com/payment-success",
        "failure_url": "https://merchant.com/payment-failure",
        "cancel_url": "https://merchant.com/payment-cancelled"
    }
}`

// tester is a client of the sandbox, with a token, and the merchant that is called back.
type tester struct {
	*testing.T
	url, token string
}

func setup(t *testing.T) *tester {
	t.Helper()
	kit, err := open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(kit)
	merchant := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(func() { kit.Close(); server.Close(); merchant.Close() })
	d := &tester{T: t, url: server.URL}
	d.control("webhook", `{"url":"`+merchant.URL+`"}`)
	d.issue()
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
	// A merchant's page is not ours to open.
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
	if at := resp.Header.Get("Location"); at != "" {
		return resp.StatusCode, at
	}
	return resp.StatusCode, string(got)
}

func (d *tester) control(path, body string) {
	d.Helper()
	if status, answer := d.send("POST", "/_sandbox/"+path, body, nil); status/100 != 2 {
		d.Fatalf("%s %s: %d %s", path, body, status, answer)
	}
}

func (d *tester) mode(name, value string) {
	d.Helper()
	d.control("mode", fmt.Sprintf(`{"name":%q,"value":%q}`, name, value))
}

func (d *tester) requestToken(form string) (int, string) {
	d.Helper()
	return d.send("POST", "/oauth2/token", form, map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

func (d *tester) issue() {
	d.Helper()
	status, body := d.requestToken("grant_type=client_credentials&client_id=a&client_secret=b")
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || answer.TokenType != "Bearer" || answer.ExpiresIn != 300 {
		d.Fatalf("token: %d %s", status, body)
	}
	d.token = answer.AccessToken
}

// call makes one call of the API with the token.
func (d *tester) call(method, path, body string) (int, string) {
	d.Helper()
	return d.send(method, "/v2/"+path, body, map[string]string{"Authorization": "Bearer " + d.token, "Content-Type": "application/json"})
}

// create sends the example with texts of it replaced: old, new, old, new.
func (d *tester) create(replacements ...string) (int, string) {
	d.Helper()
	return d.call("POST", "transactions/pay-in", strings.NewReplacer(replacements...).Replace(example))
}

// made creates the example and returns its id.
func (d *tester) made() string {
	d.Helper()
	status, body := d.create()
	var answer struct {
		ID string `json:"transaction_id"`
	}
	if json.Unmarshal([]byte(body), &answer) != nil || status != 201 {
		d.Fatalf("%d %s", status, body)
	}
	return answer.ID
}

// webhooks lists the bodies that were posted to the merchant.
func (d *tester) webhooks() (bodies []string) {
	d.Helper()
	_, body := d.send("GET", "/_sandbox/webhooks", "", nil)
	var list []struct{ Body string }
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		d.Fatal(err)
	}
	for _, w := range list {
		bodies = append(bodies, w.Body)
	}
	return bodies
}

// expect fails the test unless the answer has that status and contains every text.
func (d *tester) expect(status int, body string, want int, texts ...string) {
	d.Helper()
	if status != want {
		d.Errorf("%d %s, want %d", status, body, want)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			d.Errorf("%s lacks %s", body, text)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, form := range []string{"", "grant_type=client_credentials", "grant_type=client_credentials&client_id=a&client_secret=wrong", "grant_type=password&client_id=a&client_secret=b"} {
		if status, body := d.requestToken(form); status != 400 && status != 401 {
			t.Errorf("%q: %d %s", form, status, body)
		}
	}
	status, body := d.send("POST", "/oauth2/token", "grant_type=client_credentials", map[string]string{
		"Authorization": "Basic YTpi", "Content-Type": "application/x-www-form-urlencoded"})
	d.expect(status, body, 401) // credentials in the body only
	d.control("clock", `{"advance_s":301}`)
	status, body = d.create()
	d.expect(status, body, 401, `"UNAUTHORIZED"`)
	d.issue()
	d.made()
}

func TestCreate(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.create()
	d.expect(status, body, 201)
	form := regexp.MustCompile(`^\{"transaction_id":"\d{8}-\d{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}","payment_method_reference":129930,` +
		`"expires_at":"[0-9T:.Z-]+","instructions":\{"reference_url":"http://[^"]+"\}\}\s*$`)
	if !form.MatchString(body) {
		t.Error(body)
	}
	status, body = d.create()
	d.expect(status, body, 409, `"MERCHANT_REFERENCE_ALREADY_EXISTS"`, `"details":{}`)
	if _, body = d.send("GET", "/_sandbox/ledger", "", nil); strings.Count(body, `"amount":"1000.00"`) != 1 {
		t.Errorf("ledger %s", body)
	}
	d.mode("duplicate", "second")
	status, body = d.create()
	d.expect(status, body, 201, `129931`)
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	d := setup(t)
	letters := func(n int) string { return strings.Repeat("a", n) }
	for _, tc := range []struct{ old, new, field string }{ // field "" = it is taken
		{"1000", "3724", ""}, {"1000", "193457345", ""}, {"1000", "3724.00", "amount"}, {"1000", "3724.50", "amount"}, {"1000", "1e3", "amount"},
		{"1000", `"1000"`, "amount"}, {"1000", "0", "amount"}, {"1000", "-1", "amount"}, {"1000", "null", "amount"},
		{"Jon\"", `José Luis"`, ""}, {"Jon\"", `D'Angelo-Ñu"`, ""}, {"Jon\"", letters(25) + `"`, ""}, {"Jon\"", letters(26) + `"`, "fields.first_name"},
		{"Jon\"", `J"`, "fields.first_name"}, {"Jon\"", `Jon2"`, "fields.first_name"}, {"Jon\"", `Jose` + "\u0301" + `"`, "fields.first_name"},
		{"Jon\"", `D’Angelo"`, "fields.first_name"}, {"Jon\"", `Jon  Luis"`, "fields.first_name"}, {"Snow", letters(26), "fields.last_name"},
		{`"CC"`, `"NIT"`, "fields.document_type"}, {`"CC"`, `"TI"`, "fields.document_type"}, {`"CC"`, `"cc"`, "fields.document_type"}, {`"CC"`, `"TE"`, ""},
		{"123456789\"", `12345"`, "fields.document_number"}, {"123456789\"", `12345678901"`, "fields.document_number"},
		{"123456789\"", `12345678a"`, "fields.document_number"}, {`"123456789"`, `123456789`, "fields.document_number"},
		{`"1062"`, `"1022"`, "fields.bank_code"}, {`"1062"`, `1062`, "fields.bank_code"}, {`"1062"`, `"1814"`, ""},
		{"jonsnow@email.com", "a@bxcom", "fields.email"}, {"jonsnow@email.com", letters(45) + "@b.com", "fields.email"},
		{"669548354", "3057788996", ""}, {"669548354", "1234567", "fields.phone"}, {"669548354", "12345678901", "fields.phone"}, {"669548354", "+669548354", "fields.phone"},
		{"Calle 123 #45-67", "Calle 1 (bis)", "fields.address"}, {"Calle 123 #45-67", letters(65), "fields.address"}, {"Calle 123 #45-67", "#1", "fields.address"},
		{"TRX-2026-0010", letters(46), "merchant_transaction_reference"}, {"TRX-2026-0010", "a b", "merchant_transaction_reference"}, {"TRX-2026-0010", letters(45), ""},
		{"https://merchant.com/payment-cancelled", "nowhere", "return_urls.cancel_url"}, {`"cancel_url"`, `"pending_url"`, "return_urls.cancel_url"},
		{`"fields"`, `"field"`, "fields"}, {`"customer_ip": "120.29.48.92",`, "", ""}, {"120.29.48.92", "localhost", "customer_ip"},
		{`"country": "CO",`, "", "country"}, {`"amount"`, `"unknown": {}, "amount"`, ""},
	} {
		d.control("reset", "")
		d.issue()
		status, body := d.create(tc.old, tc.new)
		if tc.field == "" {
			d.expect(status, body, 201)
			continue
		}
		d.expect(status, body, 400, `"VALIDATION_ERROR"`, `{"field":"`+tc.field+`",`)
		if _, ledger := d.send("GET", "/_sandbox/ledger", "", nil); strings.TrimSpace(ledger) != "[]" {
			t.Errorf("%s was executed", tc.new)
		}
	}
	for _, text := range []string{"CO\"", "COP\"", "pse\""} {
		status, body := d.create(`"`+text, `"XX"`)
		d.expect(status, body, 400, `"CONFIGURATION_NOT_AVAILABLE"`)
	}
	for _, body := range []string{"", "{", "[]", "null"} {
		status, answer := d.call("POST", "transactions/pay-in", body)
		d.expect(status, answer, 400, `"BAD_REQUEST"`)
	}
	d.mode("top_level", "all")
	status, body := d.create(`"customer_ip": "120.29.48.92",`, "")
	d.expect(status, body, 400, `"customer_ip"`)
}

func TestRetrieveAndSearch(t *testing.T) {
	t.Parallel()
	d := setup(t)
	id := d.made()
	d.create("TRX-2026-0010", "TRX-2")
	status, body := d.call("GET", "transactions/pay-in/"+id, "")
	d.expect(status, body, 200, `"transaction_amount":1000`, `"status":"initiated"`, `"merchant_transaction_reference":"TRX-2026-0010"`,
		`"document_number":123456789`, `"approved_on":null`, `"meta":{}`)
	status, body = d.call("GET", "transactions/pay-in/nobody", "")
	d.expect(status, body, 404, `"NOT_FOUND"`)

	references := regexp.MustCompile(`"merchant_transaction_reference":"([^"]+)"`)
	for _, tc := range []struct {
		mode, query string
		want        []string
	}{
		{"filtered", "", []string{"TRX-2", "TRX-2026-0010"}}, // newest first
		{"filtered", "?merchant_transaction_reference=TRX-2026-0010", []string{"TRX-2026-0010"}},
		{"filtered", "?merchant_transaction_reference=TRX-3", nil},
		{"list", "?merchant_transaction_reference=TRX-2", []string{"TRX-2"}},
		{"ignored", "?merchant_transaction_reference=TRX-3", []string{"TRX-2", "TRX-2026-0010"}},
	} {
		d.mode("search", tc.mode)
		status, body := d.call("GET", "transactions/pay-in"+tc.query, "")
		d.expect(status, body, 200)
		var got []string
		for _, m := range references.FindAllStringSubmatch(body, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, tc.want) || strings.HasPrefix(body, "[") != (tc.mode == "list") {
			t.Errorf("%s %s: %s", tc.mode, tc.query, body)
		}
	}
	d.mode("search", "filtered")
	d.mode("unknown", "404")
	status, body = d.call("GET", "transactions/pay-in?merchant_transaction_reference=TRX-3", "")
	d.expect(status, body, 404)
}

func TestPage(t *testing.T) {
	t.Parallel()
	for decision, want := range map[string]string{"approve": "success", "decline": "failure"} {
		d := setup(t)
		_, body := d.create()
		url := regexp.MustCompile(`"reference_url":"http://[^/]+([^"]+)"`).FindStringSubmatch(body)[1]
		status, page := d.send("GET", url, "", nil)
		d.expect(status, page, 200, "1,000.00", "BANCO FALABELLA", "ORDER-2026-0010")
		_, at := d.send("POST", url, "decision="+decision, map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
		if at != "https://merchant.com/payment-"+want {
			t.Errorf("%s: sent to %q", decision, at)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	d := setup(t)
	id := d.made()
	d.control("clock", fmt.Sprintf(`{"advance_s":%d}`, 60*60*60-60))
	d.issue()
	status, body := d.call("GET", "transactions/pay-in/"+id, "")
	d.expect(status, body, 200, `"initiated"`)
	d.control("clock", `{"advance_s":61}`)
	status, body = d.call("GET", "transactions/pay-in/"+id, "")
	d.expect(status, body, 200, `"status":"expired"`, `"fail_reason":"Transaction expired."`)
	if got := d.webhooks(); got != nil {
		t.Errorf("V1 has no such notice: %q", got)
	}
	d.mode("lifetime", "1m")
	d.mode("expiry_webhook", "sent")
	d.create("TRX-2026-0010", "TRX-2")
	d.control("clock", `{"advance_s":61}`)
	d.call("GET", "transactions/pay-in", "")
	if got := d.webhooks(); len(got) != 1 || !strings.Contains(got[0], `"status":"expired"`) {
		t.Errorf("webhooks %q", got)
	}
}

func TestOverride(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "PUT", "PATCH"} {
		d := setup(t)
		id := d.made()
		path := "test/transactions/pay-in/" + id + "/status"
		status, body := d.call(method, path, `{"status":"initiated"}`)
		d.expect(status, body, 400, `"VALIDATION_ERROR"`)
		status, body = d.call(method, path, `{`)
		d.expect(status, body, 400, `"BAD_REQUEST"`)
		status, body = d.call(method, "test/transactions/pay-in/nobody/status", `{"status":"approved"}`)
		d.expect(status, body, 404, `"NOT_FOUND"`)
		status, body = d.call(method, path, `{"status":"declined","reason":"Test","with_notifications":true}`)
		d.expect(status, body, 200, `"status":"declined"`, `"fail_reason":"Test"`)
		status, body = d.call(method, path, `{"status":"approved"}`)
		d.expect(status, body, 409, `"INVALID_STATUS_TRANSITION"`)
		want := `{"transaction_id":"` + id + `","status":"declined","merchant_id":"comercio-de-prueba","transaction_type":"Payin","merchant_transaction_reference":"TRX-2026-0010"}`
		if got := d.webhooks(); len(got) != 1 || got[0] != want {
			t.Errorf("webhooks %q, want %s", got, want)
		}
		d.control("settle", `{"id":"`+id+`","status":"approved"}`) // a late success
		status, body = d.call("GET", "transactions/pay-in/"+id, "")
		d.expect(status, body, 200, `"status":"approved"`)
	}
	d := setup(t)
	d.call("POST", "test/transactions/pay-in/"+d.made()+"/status", `{"status":"approved","with_notifications":false}`)
	if got := d.webhooks(); got != nil {
		t.Errorf("it was to be quiet: %q", got)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.call("GET", "transactions/pay-in/config?country=CO&payment_method=pse", "")
	d.expect(status, body, 200, `"currency":"COP"`, `"required_fields":[{"name":"first_name"`, `"1814":"GLOBAL66"`, `"TE":"Tarjeta de Extranjería"`)
	status, body = d.call("GET", "transactions/pay-in/config?country=CO&payment_method=nequi", "")
	d.expect(status, body, 400, `"CONFIGURATION_NOT_AVAILABLE"`)
	d.mode("configuration", "disabled")
	status, body = d.create()
	d.expect(status, body, 400, `"CONFIGURATION_NOT_AVAILABLE"`)
}

func TestStateOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state")
	var id string
	for _, first := range []bool{true, false} {
		kit, err := open(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(kit)
		d := &tester{T: t, url: server.URL}
		d.issue()
		if first {
			id = d.made()
		} else {
			status, body := d.call("GET", "transactions/pay-in/"+id, "")
			d.expect(status, body, 200, `"merchant_order_reference":"ORDER-2026-0010"`)
			status, body = d.create()
			d.expect(status, body, 409)
		}
		server.Close()
		if err := kit.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for name, value := range map[string]string{"lifetime": "soon", "duplicate": "third", "rejected_word": "refunded", "nothing": "x"} {
		if status, body := d.send("POST", "/_sandbox/mode", fmt.Sprintf(`{"name":%q,"value":%q}`, name, value), nil); status != 400 {
			t.Errorf("%s %s: %d %s", name, value, status, body)
		}
	}
	d.mode("permission", "denied")
	status, body := d.create()
	d.expect(status, body, 403, `"FORBIDDEN"`)
}
