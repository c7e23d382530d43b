package sandbox

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

// example is the document's own request, by PSE and of 10,000 pesos.
var example = map[string]any{
	"reference": "3cNPNGbX7meiMppXzVz7g781ysektqq5X", "amount": 1_000_000, "currency": "COP", "country": "CO",
	"payment_method": "PSE", "description": "Test PayIn", "expiration_time": 30,
	"redirect_url": "https://your-domain.com/payment/ok",
}

var exampleCustomer = map[string]any{
	"legal_doc": "1234567890", "legal_doc_type": "CC", "phone_code": "57", "phone_number": "3121234567",
	"email": "john.doe@example.com", "full_name": "John Doe",
}

// tester is a client of the sandbox, and the listener at its ipn_url.
type tester struct {
	*testing.T
	url, ipnURL string

	mu       sync.Mutex
	webhooks []hook
}

// hook is a webhook as it arrived.
type hook struct {
	Status    string         `json:"top_status"`
	Ticket    string         `json:"top_ticket"`
	Reference string         `json:"top_reference"`
	Amount    int64          `json:"top_amount"`
	Currency  string         `json:"top_currency"`
	Method    string         `json:"top_payment_method"`
	User      map[string]any `json:"top_user"`
	header    http.Header
}

func setup(t *testing.T) *tester {
	t.Helper()
	kit, err := open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(kit)
	d := &tester{T: t, url: server.URL}
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h := hook{header: r.Header}
		if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
			t.Error(err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.webhooks = append(d.webhooks, h)
	}))
	d.ipnURL = shop.URL
	t.Cleanup(func() { kit.Close(); server.Close(); shop.Close() })
	return d
}

var headers = map[string]string{
	"Authorization": "Basic dXNlcjpwYXNzd29yZA==", "Token-Top": "tok_test_123", "Content-Type": "application/json",
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
	// A shop's page is not ours to open.
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

// call makes one call of the API with good credentials.
func (d *tester) call(method, path, body string) (int, string) {
	d.Helper()
	return d.send(method, "/api"+path, body, headers)
}

// request is the example with changes, those of customer_data written "customer_data.email"; a nil change leaves
// the field out.
func (d *tester) request(changes map[string]any) string {
	d.Helper()
	in, customer := maps.Clone(example), maps.Clone(exampleCustomer)
	in["ipn_url"], in["customer_data"] = d.ipnURL, customer
	for name, value := range changes {
		into := in
		if field, nested := strings.CutPrefix(name, "customer_data."); nested {
			name, into = field, customer
		}
		if into[name] = value; value == nil {
			delete(into, name)
		}
	}
	body, err := json.Marshal(in)
	if err != nil {
		d.Fatal(err)
	}
	return string(body)
}

func (d *tester) create(changes map[string]any) (int, string) {
	d.Helper()
	return d.call("POST", "/v1/payin", d.request(changes))
}

// answered is what the API answers, of a create and of a look-up together.
type answered struct {
	Code, Status, Message string
	Data                  struct {
		Ticket, Date, Type    string
		PaymentURL            string `json:"payment_url"`
		AccountNumber         string `json:"account_number"`
		Transaction           *echo
		Reference             string
		Amount                int64
		Currency, Status, CUS string
		TypeTransaction       string `json:"type_transaction"`
		ResponseMessage       string `json:"response_message"`
		Customer              map[string]any
		Metadata              json.RawMessage
	}
}

func (d *tester) read(body string) (a answered) {
	d.Helper()
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&a); err != nil || a.Code != "01" || a.Status != "SUCCESS" {
		d.Fatalf("%v in %s", err, body)
	}
	return a
}

func (d *tester) mustCreate(changes map[string]any) answered {
	d.Helper()
	status, body := d.create(changes)
	if status != http.StatusOK {
		d.Fatalf("create: %d %s", status, body)
	}
	return d.read(body)
}

// get looks a pay-in up by its ticket or reference.
func (d *tester) get(id string) answered {
	d.Helper()
	status, body := d.call("GET", "/v1/transaction/"+id, "")
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

func (d *tester) settle(ticket, status string) {
	d.Helper()
	d.control("settle", `{"id":"`+ticket+`","status":"`+status+`"}`)
}

func (d *tester) ledger() (entries []sandbox.Entry) {
	d.Helper()
	if err := json.Unmarshal([]byte(d.control("ledger", "")), &entries); err != nil {
		d.Fatal(err)
	}
	return entries
}

// received waits for the webhooks under way and returns all that came.
func (d *tester) received() []hook {
	d.Helper()
	d.control("webhooks", "")
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.webhooks)
}

func TestHeadersAreRequired(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, tc := range []struct {
		name, value string
		want        int
	}{
		{"Authorization", "", 401},
		{"Authorization", "Bearer x", 401},
		{"Authorization", "Basic dXNlcjo=", 401},         // user:
		{"Authorization", "Basic dXNlcjp3cm9uZw==", 401}, // user:wrong
		{"Authorization", "Basic YTpi", 200},             // any other
		{"Token-Top", "", 401},
		{"Token-Top", "wrong", 401},
		{"Token-Top", "any", 200},
		{"Content-Type", "", 415},
		{"Content-Type", "text/plain", 415},
		{"Content-Type", "application/json; charset=utf-8", 200},
	} {
		header := maps.Clone(headers)
		if header[tc.name] = tc.value; tc.value == "" {
			delete(header, tc.name)
		}
		for _, path := range []string{"/api/v1/merchant/me", "/api/v1/pse/banks"} {
			if status, body := d.send("GET", path, "", header); status != tc.want {
				t.Errorf("%s with %s %q: %d %s", path, tc.name, tc.value, status, body)
			}
		}
		if status, _ := d.send("GET", "/api/v1/transaction/x", "", header); tc.want != 200 && status != tc.want {
			t.Errorf("look-up with %s %q: %d", tc.name, tc.value, status)
		}
		if status, _ := d.send("POST", "/api/v1/payin", "{}", header); tc.want != 200 && status != tc.want {
			t.Errorf("create with %s %q: %d", tc.name, tc.value, status)
		}
	}
	d.mode("permission", "denied")
	if status, _ := d.create(nil); status != 403 {
		t.Errorf("denied: %d", status)
	}
	if n := len(d.ledger()); n != 0 {
		t.Errorf("%d pay-ins", n)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	d := setup(t)
	a := d.mustCreate(nil)
	want := echo{
		Reference: example["reference"].(string), Amount: 1_000_000, Currency: "COP", PaymentMethod: "PSE",
		RedirectURL: "https://your-domain.com/payment/ok", IPNURL: d.ipnURL, Description: "Test PayIn",
	}
	if a.Data.Transaction == nil || *a.Data.Transaction != want {
		t.Errorf("echo %+v, want %+v", a.Data.Transaction, want)
	}
	if !regexp.MustCompile(`^[0-9a-f]{15}$`).MatchString(a.Data.Ticket) || !strings.HasPrefix(a.Data.PaymentURL, d.url+"/") || a.Data.AccountNumber != "" {
		t.Errorf("%+v", a.Data)
	}
	if got := d.ledger(); len(got) != 1 || got[0].ID != a.Data.Ticket || got[0].Key != want.Reference || got[0].Operation != "payin" ||
		got[0].Amount.String() != "10000.00" || got[0].Currency != "COP" || got[0].Status != sandbox.Pending {
		t.Errorf("ledger %+v", got)
	}
	if hooks := d.received(); len(hooks) != 0 {
		t.Errorf("webhooks %+v", hooks)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, field := range []string{
		"reference", "amount", "currency", "country", "payment_method", "ipn_url", "redirect_url", "customer_data",
		"customer_data.legal_doc", "customer_data.legal_doc_type", "customer_data.phone_code", "customer_data.phone_number",
		"customer_data.email", "customer_data.full_name",
	} {
		if status, body := d.create(map[string]any{field: nil}); status != 400 || !strings.Contains(body, "El campo "+field+" ") || !strings.Contains(body, `"code":"02"`) {
			t.Errorf("without %s: %d %s", field, status, body)
		}
	}
	for _, tc := range []struct {
		field string
		value any
	}{
		{"reference", ""}, {"reference", 7},
		{"amount", "1000000"}, {"amount", 1000000.5}, {"amount", 0}, {"amount", -1}, {"amount", 1e18}, {"amount", true},
		{"currency", "USD"}, {"country", "PE"}, {"payment_method", "pse"}, {"payment_method", "NEQUI"},
		{"expiration_time", "30"}, {"expiration_time", 0}, {"expiration_time", -5}, {"expiration_time", 1.5},
		{"ipn_url", "here"}, {"redirect_url", "ftp://x"}, {"customer_data", "John"}, {"description", 7},
		{"customer_data.legal_doc", 1234567890}, {"customer_data.phone_number", 3121234567}, {"customer_data.legal_doc_type", "PP"},
		{"customer_data.email", "john"}, {"customer_data.bank", "9999"}, {"customer_data.bank", "0"},
	} {
		if status, body := d.create(map[string]any{tc.field: tc.value}); status != 400 || !strings.Contains(body, "El campo "+tc.field+" ") {
			t.Errorf("%s %v: %d %s", tc.field, tc.value, status, body)
		}
	}
	if status, _ := d.create(map[string]any{"customer_data.bank": "1077"}); status != 400 {
		t.Errorf("a bank without person_type: %d", status)
	}
	for _, body := range []string{"", "[]", "null", "{"} {
		if status, answer := d.call("POST", "/v1/payin", body); status != 400 {
			t.Errorf("%q: %d %s", body, status, answer)
		}
	}
	for _, status := range []string{"422", "200"} {
		d.mode("refusal", status)
		if got, body := d.create(map[string]any{"amount": 1}); status != map[int]string{422: "422", 200: "200"}[got] || !strings.Contains(body, `"code":"02"`) {
			t.Errorf("refusal %s: %d %s", status, got, body)
		}
	}
	if n := len(d.ledger()); n != 0 {
		t.Errorf("%d pay-ins", n)
	}
}

func TestDuplicate(t *testing.T) {
	t.Parallel()
	d := setup(t)
	first := d.mustCreate(nil)
	if status, body := d.create(nil); status != 400 || !strings.Contains(body, "ya existe") {
		t.Errorf("by default: %d %s", status, body)
	}
	d.mode("duplicate", "409")
	if status, _ := d.create(nil); status != 409 {
		t.Errorf("409: %d", status)
	}
	if n := len(d.ledger()); n != 1 {
		t.Errorf("%d pay-ins", n)
	}
	d.mode("duplicate", "second")
	second := d.mustCreate(nil)
	if got := d.ledger(); len(got) != 2 || first.Data.Ticket == second.Data.Ticket || got[1].Key != got[0].Key {
		t.Errorf("second: %+v", got)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	for decision, want := range map[string]struct {
		status sandbox.Status
		word   string
	}{"approve": {sandbox.Approved, "APPROVED"}, "decline": {sandbox.Rejected, "REJECTED"}} {
		d := setup(t)
		a := d.mustCreate(map[string]any{"customer_data.bank": "1077", "customer_data.person_type": "NATURAL"})
		path := strings.TrimPrefix(a.Data.PaymentURL, d.url)
		if status, body := d.send("GET", path, "", nil); status != 200 || !strings.Contains(body, "10,000.00") || !strings.Contains(body, "BANKA") {
			t.Errorf("page: %d %s", status, body)
		}
		status, _ := d.send("POST", path, url.Values{"decision": {decision}}.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
		if status != 303 {
			t.Errorf("%s: %d", decision, status)
		}
		if got := d.get(a.Data.Ticket); got.Data.Status != want.word || (got.Data.CUS != "") != (decision == "approve") {
			t.Errorf("%s: %+v", decision, got.Data)
		}
		if got := d.ledger(); got[0].Status != want.status {
			t.Errorf("%s: ledger %+v", decision, got)
		}
		if hooks := d.received(); len(hooks) != 1 || hooks[0].Status != want.word {
			t.Errorf("%s: webhooks %+v", decision, hooks)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		changes map[string]any
		life    time.Duration
	}{
		{nil, 30 * time.Minute},
		{map[string]any{"expiration_time": 1}, time.Minute},
		{map[string]any{"expiration_time": nil}, 12 * time.Hour},
		{map[string]any{"expiration_time": nil, "payment_method": "BREB"}, 15 * time.Minute},
	} {
		now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		var mu sync.Mutex
		kit, err := open("", func() time.Time { mu.Lock(); defer mu.Unlock(); return now })
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(kit)
		d := &tester{T: t, url: server.URL, ipnURL: "http://127.0.0.1:1/"}
		a := d.mustCreate(tc.changes)
		step := func(by time.Duration) string {
			mu.Lock()
			now = now.Add(by)
			mu.Unlock()
			return d.get(a.Data.Ticket).Data.Status
		}
		if before, after := step(tc.life-time.Second), step(time.Second); before != "PENDING" || after != "EXPIRED" {
			t.Errorf("%v: %s, then %s", tc.changes, before, after)
		}
		kit.Close()
		server.Close()
	}
}

func TestMagicEmails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ mode, email, want string }{
		{"page", "approved@tumipay.co", "APPROVED"}, {"page", "tumipay@tumipay.co", "APPROVED"}, {"page", "john.doe@example.com", "PENDING"},
		{"strict", "approved@tumipay.co", "APPROVED"}, {"strict", "john.doe@example.com", "REJECTED"},
	} {
		d := setup(t)
		d.mode("emails", tc.mode)
		a := d.mustCreate(map[string]any{"customer_data.email": tc.email})
		if got := d.get(a.Data.Ticket).Data.Status; got != tc.want || a.Data.PaymentURL == "" {
			t.Errorf("%+v: %s", tc, got)
		}
		if hooks := d.received(); (len(hooks) == 1) != (tc.want != "PENDING") {
			t.Errorf("%+v: webhooks %+v", tc, hooks)
		}
	}
}

func TestWebhookGoesToTheRequestsURL(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.control("webhook", `{"url":"http://127.0.0.1:1/elsewhere"}`)
	d.mode("webhooks", "changes")
	a := d.mustCreate(nil)
	if hooks := d.received(); len(hooks) != 1 || hooks[0].Status != "PENDING" {
		t.Errorf("when it is made: %+v", hooks)
	}
	d.settle(a.Data.Ticket, "approved")
	hooks := d.received()
	if len(hooks) != 2 {
		t.Fatalf("webhooks %+v", hooks)
	}
	h := hooks[1]
	if h.Status != "APPROVED" || h.Ticket != a.Data.Ticket || h.Reference != example["reference"] || h.Amount != 1_000_000 || h.Currency != "COP" ||
		h.User["legal_doc"] != "1234567890" || h.header.Get("User-Agent") != "Tumipay/1.1" {
		t.Errorf("%+v", h)
	}
}

func TestBanksAndMerchant(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.call("GET", "/v1/pse/banks", "")
	var list struct {
		Code string
		Data []bank
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 || list.Code != "01" || !slices.Equal(list.Data, banks) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := d.call("GET", "/v1/merchant/me", ""); status != 200 || !strings.Contains(body, `"wallet":0`) || !strings.Contains(body, `"nit"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestUnknownTransaction(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, status := range []string{"404", "200"} {
		d.mode("unknown", status)
		if got, body := d.call("GET", "/v1/transaction/nobody", ""); (got == 404) != (status == "404") || !strings.Contains(body, `"code":"02"`) {
			t.Errorf("%s: %d %s", status, got, body)
		}
	}
}

func TestStateOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state")
	var ticket string
	for i, want := range []string{"PENDING", "EXPIRED"} {
		kit, err := open(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(kit)
		d := &tester{T: t, url: server.URL, ipnURL: "http://127.0.0.1:1/"}
		if i == 0 {
			ticket = d.mustCreate(nil).Data.Ticket
		} else {
			d.control("clock", `{"advance_s":1801}`)
		}
		if got := d.get(ticket); got.Data.Status != want || got.Data.Amount != 1_000_000 {
			t.Errorf("%+v, want %s", got.Data, want)
		}
		server.Close()
		kit.Close()
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for _, name := range []string{"pse_min", "efecty_min", "max_amount"} {
		for _, value := range []string{"-1", "much"} {
			if status, body := d.send("POST", "/_sandbox/mode", `{"name":"`+name+`","value":"`+value+`"}`, nil); status != 400 {
				t.Errorf("%s %s: %d %s", name, value, status, body)
			}
		}
	}
}
