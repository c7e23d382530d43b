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

// example is the document's own request.
var example = map[string]any{
	"bank_code": "1022", "order_id": "abc-123", "amount": "10000.0", "vat_amount": "10.0",
	"description": "Compra de producto ABC", "user_type": "NATURAL", "buyer_email": "demo@demo.com",
	"buyer_full_name": "Miguel Rodriguez", "document_type": "CE", "document_number": "987654321",
	"redirect_url": "http://where-to-go-after-finish-payment-at-pse.com", "buyer_phone_number": "3057788996",
}

// tester is a client of the sandbox, with a token, and its shop.
type tester struct {
	*testing.T
	url, token string

	mu       sync.Mutex
	webhooks []string
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
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.webhooks = append(d.webhooks, string(body))
	}))
	t.Cleanup(func() { kit.Close(); server.Close(); shop.Close() })
	d.control("webhook", `{"url":"`+shop.URL+`"}`)
	d.token = d.issue()
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
	return answer.AccessToken
}

// call makes one call of the API with the token.
func (d *tester) call(method, path, body string) (int, string) {
	d.Helper()
	return d.send(method, "/api/pse/v1/public"+path, body, map[string]string{"Authorization": "Bearer " + d.token})
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
	return d.call("POST", "/charge", string(body))
}

// shown is a charge as the API shows it.
type shown struct {
	Token string
	charge
}

func (d *tester) read(body string) (c shown) {
	d.Helper()
	raw := struct {
		Token string `json:"token"`
		charge
	}{}
	if err := json.Unmarshal([]byte(body), &raw); err != nil {
		d.Fatalf("%v in %s", err, body)
	}
	return shown{raw.Token, raw.charge}
}

func (d *tester) mustCreate(changes map[string]any) shown {
	d.Helper()
	status, body := d.create(changes)
	if status != http.StatusCreated {
		d.Fatalf("create: %d %s", status, body)
	}
	return d.read(body)
}

func (d *tester) get(token string) shown {
	d.Helper()
	status, body := d.call("GET", "/charge/"+token, "")
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

func (d *tester) settle(token, status string) {
	d.Helper()
	d.control("settle", `{"id":"`+token+`","status":"`+status+`"}`)
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

func text(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func TestCreate(t *testing.T) {
	t.Parallel()
	d := setup(t)
	status, body := d.create(nil)
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil || status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	// The document's answer, field by field; what differs from one charge to the next is left out.
	want := map[string]any{
		"order_id": "abc-123", "amount": "10000.00", "vat_amount": "10.00", "description": "Compra de producto ABC",
		"user_type": "NATURAL", "bank_code": "1022", "status": "pending", "buyer_email": "demo@demo.com",
		"buyer_full_name": "Miguel Rodriguez", "document_type": "CE", "document_number": "987654321",
		"redirect_url":      "http://where-to-go-after-finish-payment-at-pse.com",
		"traceability_code": "3416207",
		"return_code":       "SUCCESS",
		"transaction_state": nil,
		"rejected_reason":   nil,
		"token":             fields["token"],
		"bank_url":          fields["bank_url"],
	}
	if !maps.Equal(fields, want) {
		t.Errorf("the answer is %v\nwant %v", fields, want)
	}
	token := fields["token"].(string)
	if !regexp.MustCompile(`^pse-[0-9a-f]{32}$`).MatchString(token) {
		t.Errorf("token %q", token)
	}
	if page := fields["bank_url"].(string); !strings.HasPrefix(page, d.url+"/") {
		t.Errorf("bank_url %q is not on the host that was asked", page)
	}
	if _, again := d.call("GET", "/charge/"+token, ""); again != body {
		t.Errorf("the look-up answers\n%s\nwant\n%s", again, body)
	}
	got := d.ledger()
	if len(got) != 1 || got[0].ID != token || got[0].Key != "abc-123" || got[0].Amount.String() != "10000.00" ||
		got[0].Operation != "payin" || got[0].Currency != "COP" || got[0].Status != "pending" {
		t.Errorf("ledger %+v", got)
	}
}

// Every rule and every error text of the document; then those of its framework.
func TestCreateRefusals(t *testing.T) {
	t.Parallel()
	d := setup(t)
	long := strings.Repeat("ñ", 600)
	for _, tc := range []struct {
		field string
		value any
		want  fault
	}{
		{"user_type", "INVALID", fault{`"INVALID" no es una elección válida.`, "user_type", "INVALID"}},
		{"buyer_email", "invalidemail.co", fault{"Introduzca una dirección de correo electrónico válida.", "buyer_email", "invalidemail.co"}},
		{"amount", "12c", fault{"Se requiere un número válido.", "amount", "12c"}},
		{"bank_code", "XXXX", fault{"Objeto con code=XXXX no existe.", "bank_code", "XXXX"}},
		{"vat_amount", "10000.01", fault{"vat_amount no puede ser mayor a amount.", "non_field_errors", "N/A"}},
		{"amount", "40000001.0", fault{"El valor de la transacción debe estar entre 0.00 y 40000000.00.", "amount", "40000001.0"}},
		{"amount", "999", fault{"El valor de la transacción debe estar entre 1000.00 y 40000000.00.", "amount", "999"}},

		{"bank_code", "0", fault{"Objeto con code=0 no existe.", "bank_code", "0"}},
		{"user_type", "natural", fault{`"natural" no es una elección válida.`, "user_type", "natural"}},
		{"document_type", "TE", fault{`"TE" no es una elección válida.`, "document_type", "TE"}},
		{"amount", "1000.001", fault{"Asegúrese de que no haya más de 2 decimales.", "amount", "1000.001"}},
		{"amount", 999.5, fault{"El valor de la transacción debe estar entre 1000.00 y 40000000.00.", "amount", "999.5"}},
		{"amount", "-1", fault{"El valor de la transacción debe estar entre 1000.00 y 40000000.00.", "amount", "-1"}},
		{"amount", []int{1}, fault{"Se requiere un número válido.", "amount", "[1]"}},
		{"vat_amount", "-0.01", fault{"Asegúrese de que este valor es mayor o igual a 0.", "vat_amount", "-0.01"}},
		{"redirect_url", "javascript:alert(1)", fault{"Introduzca una URL válida.", "redirect_url", "javascript:alert(1)"}},
		{"redirect_url", "https:shop.example", fault{"Introduzca una URL válida.", "redirect_url", "https:shop.example"}},
		{"order_id", 17, fault{"No es una cadena válida.", "order_id", "17"}},
		{"order_id", "", fault{"Este campo no puede estar en blanco.", "order_id", ""}},
		{"order_id", json.RawMessage("null"), fault{"Este campo no puede ser nulo.", "order_id", ""}},
		{"order_id", long[:42], fault{"Asegúrese de que este campo no tenga más de 20 caracteres.", "order_id", long[:42]}}, // TP-18
		{"bank_code", long[:72], fault{"Asegúrese de que este campo no tenga más de 35 caracteres.", "bank_code", long[:72]}},
		{"description", long[:162], fault{"Asegúrese de que este campo no tenga más de 80 caracteres.", "description", long[:162]}},
		{"buyer_email", long[:512], fault{"Asegúrese de que este campo no tenga más de 255 caracteres.", "buyer_email", long[:512]}},
		{"buyer_full_name", long[:512], fault{"Asegúrese de que este campo no tenga más de 255 caracteres.", "buyer_full_name", long[:512]}},
		{"document_number", long[:42], fault{"Asegúrese de que este campo no tenga más de 20 caracteres.", "document_number", long[:42]}},
		{"redirect_url", long[:1002], fault{"Asegúrese de que este campo no tenga más de 500 caracteres.", "redirect_url", long[:1002]}},
		{"buyer_phone_number", long[:42], fault{"Asegúrese de que este campo no tenga más de 20 caracteres.", "buyer_phone_number", long[:42]}},
	} {
		status, body := d.create(map[string]any{tc.field: tc.value})
		var got fault
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 422 || got != tc.want {
			t.Errorf("%s %v: %d %s\nwant %+v", tc.field, tc.value, status, body, tc.want)
		}
	}
	for field := range example {
		status, body := d.create(map[string]any{field: nil})
		var got fault
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 422 || got != (fault{"Este campo es requerido.", field, ""}) {
			t.Errorf("without %s: %d %s", field, status, body)
		}
	}
	for _, body := range []string{"", "{", "[]", `"x"`} {
		if status, got := d.call("POST", "/charge", body); status != 422 || !strings.Contains(got, "non_field_errors") {
			t.Errorf("body %q: %d %s", body, status, got)
		}
	}
	if n := len(d.ledger()); n != 0 {
		t.Errorf("%d charges were executed", n)
	}
}

func TestCreateAtTheLimits(t *testing.T) {
	t.Parallel()
	d := setup(t)
	name := strings.Repeat("ñ", 255)
	for i, changes := range []map[string]any{
		{"amount": "1000"}, {"amount": "40000000.00"}, {"amount": 1000.5}, {"vat_amount": "0.00"}, {"vat_amount": "9999.99"},
		{"buyer_full_name": name}, {"description": name[:160]}, {"document_number": name[:40]},
		{"buyer_phone_number": "+57 305 778 8996"},                           // TP-14
		{"redirect_url": "https://shop.example/" + strings.Repeat("x", 479)}, // TP-20 with the example's http
		{"user_type": "LEGAL", "document_type": "NIT"}, {"document_type": "TI"}, {"document_type": "PP"}, {"document_type": "CC"},
	} {
		changes["order_id"] = strings.Repeat("0", 18) + string([]byte{'a' + byte(i), 'z'})
		if status, body := d.create(changes); status != 201 {
			t.Errorf("%v: %d %s", changes, status, body)
		}
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	d := setup(t)
	basic := map[string]string{"Authorization": "Basic aWQ6d3Jvbmc="} // id:wrong
	if status, body := d.send("POST", "/o/token/", "grant_type=client_credentials", basic); status != 401 {
		t.Errorf("the secret wrong: %d %s", status, body)
	}
	endpoints := []string{"GET /banks", "POST /charge", "GET /charge/pse-0"}
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
	d.control("clock", `{"advance_s":3599}`)
	if status, _ := d.call("GET", "/banks", ""); status != 200 {
		t.Errorf("a second before the token expires: %d", status)
	}
	d.control("clock", `{"advance_s":1}`)
	all(401)
	d.token = d.issue()
	revoke := func(form url.Values) int {
		status, _ := d.send("POST", "/o/revoke_token/", form.Encode(), nil)
		return status
	}
	form := url.Values{"token": {d.token}, "client_id": {"id"}, "client_secret": {"secret"}}
	if got := []int{revoke(url.Values{"token": {d.token}}), revoke(form), revoke(form)}; !slices.Equal(got, []int{400, 200, 404}) {
		t.Errorf("revoking badly, well and again: %v", got)
	}
	all(401)
}

func TestPayerDecides(t *testing.T) {
	t.Parallel()
	for decision, want := range map[string]struct{ status, state, reason, ledger string }{
		"approve": {"settled", "OK", "null", "approved"},
		"decline": {"charge-rejected", "NOT_AUTHORIZED", "Transacción no autorizada por el pagador", "rejected"},
	} {
		t.Run(decision, func(t *testing.T) {
			t.Parallel()
			d := setup(t)
			c := d.mustCreate(nil)
			path := strings.TrimPrefix(text(c.BankURL), d.url)
			if status, body := d.send("GET", path, "", nil); status != 200 || !strings.Contains(body, "BANCO UNION COLOMBIANO") ||
				!strings.Contains(body, "10,000.00 COP") || !strings.Contains(body, "Compra de producto ABC") {
				t.Errorf("the bank's page: %d %s", status, body)
			}
			status, _ := d.send("POST", path, "decision="+decision, map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
			got := d.get(c.Token)
			if status != 303 || got.Status != want.status || text(got.TransactionState) != want.state || text(got.RejectedReason) != want.reason {
				t.Errorf("%d, charge %s %s %s", status, got.Status, text(got.TransactionState), text(got.RejectedReason))
			}
			if e := d.ledger()[0]; string(e.Status) != want.ledger {
				t.Errorf("the ledger says %s", e.Status)
			}
		})
	}
}

// A payer may try again on the bank's page after a no.
func TestApprovedAfterADecline(t *testing.T) {
	t.Parallel()
	d := setup(t)
	c := d.mustCreate(nil)
	d.settle(c.Token, "rejected")
	d.settle(c.Token, "approved")
	if got := d.get(c.Token); got.Status != "settled" || got.RejectedReason != nil || d.ledger()[0].Status != "approved" {
		t.Errorf("charge %s, reason %s, ledger %+v", got.Status, text(got.RejectedReason), d.ledger())
	}
	if hooks := d.received(); len(hooks) != 3 {
		t.Errorf("webhooks %q", hooks)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	d := setup(t)
	c := d.mustCreate(nil)
	d.control("clock", `{"advance_s":1799}`)
	if got := d.get(c.Token); got.Status != "pending" {
		t.Errorf("a second before: %s", got.Status)
	}
	d.control("clock", `{"advance_s":1}`)
	got := d.get(c.Token)
	if got.Status != "charge-rejected" || text(got.TransactionState) != "EXPIRED" || text(got.RejectedReason) != "Transacción no concluída en el banco" {
		t.Errorf("after 30 minutes: %+v", got)
	}
	if hooks := d.received(); len(hooks) != 1 || d.ledger()[0].Status != "expired" {
		t.Errorf("webhooks %q, ledger %+v", hooks, d.ledger())
	}
}

func TestStateOutlivesTheSandbox(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "pse.state")
	now := func() time.Time { return time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC) }
	first, err := open(state, now)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(first)
	d := &tester{T: t, url: server.URL}
	d.token = d.issue()
	c := d.mustCreate(nil)
	d.settle(c.Token, "approved")
	_, before := d.call("GET", "/charge/"+c.Token, "")
	server.Close() // and no Close of the sandbox, as after kill -9

	second, err := open(state, now)
	if err != nil {
		t.Fatal(err)
	}
	server = httptest.NewServer(second)
	defer server.Close()
	defer second.Close()
	d.url = server.URL
	if _, after := d.call("GET", "/charge/"+c.Token, ""); after != before || d.read(after).Status != "settled" {
		t.Errorf("after the restart\n%s\nbefore\n%s", after, before)
	}
	if status, _ := d.create(nil); status != 408 {
		t.Errorf("its order_id is free again: %d", status)
	}
}
