package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/cauce-pay/cauce/payment"
)

// wireForm says how one provider writes amounts, documents and persons (facts: the fields and types of its document's
// create call). What stands in none of the maps it cannot take, and must never be sent.
type wireForm struct {
	provider, plugin, settings string
	request                    string            // the fields of a payment but amount, document, kind and metadata
	person                     string            // who has the document: payer or payee
	key                        string            // path of the attempt's key in the body
	amount                     string            // path of the amount
	amounts                    map[string]string // the amount's bytes, by the exact amount
	document                   string            // path of the document's type; "" = it takes none
	documents                  map[string]string // the type's bytes, by our word
	number                     string            // path of the document's number
	kind                       string            // path of the person's kind; "" = it takes none
	kinds                      map[string]string // the kind's bytes, by our word
}

const (
	wirePayIn = `"operation":"payin","method":"pse","reference":"ORDER-1001","description":"Compra de producto ABC",` +
		`"return_url":"https://shop.example/return","failure_url":"https://shop.example/no","cancel_url":"https://shop.example/back"`
	wirePayer = `"first_name":"Miguel","last_name":"Rodriguez","email":"miguel@example.com","phone":"3057788996",` +
		`"address":"Calle 123 # 45-67","ip":"120.29.48.92","id":"customer-77","bank":"1022"`
	wirePayOut = `"operation":"payout","method":"bank_transfer","reference":"PAYROLL-7","description":"transaction-approved"`
	wirePayee  = `"name":"Jovita Ducuara Prieto","bank":"1013","account":{"type":"savings","number":"68653284571"}`
	wireBill   = `"operation":"bill","method":"bill","reference":"BILL-7","bill":{"biller":"etb","reference":"000000"}`
)

// wireForms are the tables of the providers' documents.
var wireForms = []wireForm{
	{
		provider: "tpaga-pse", plugin: "tpaga-pse", request: wirePayIn, person: `"payer":{` + wirePayer, key: "order_id",
		amount: "amount", amounts: map[string]string{"10000.00": `"10000.00"`, "10000.50": `"10000.50"`, "10000.05": `"10000.05"`},
		document: "document_type", number: "document_number",
		documents: map[string]string{"CC": `"CC"`, "CE": `"CE"`, "NIT": `"NIT"`, "TI": `"TI"`, "PP": `"PP"`},
		kind:      "user_type", kinds: map[string]string{"natural": `"NATURAL"`, "legal": `"LEGAL"`},
	},
	{
		provider: "tpaga-bills", plugin: "tpaga-bills", request: wireBill, person: `"payer":{` + wirePayer, key: "idempotency_token",
		amount: "amount", amounts: map[string]string{"10000.00": `10000`},
	},
	{
		provider: "coopcentral", plugin: "coopcentral", settings: `amount_unit = "peso"`, request: wirePayOut, person: `"payee":{` + wirePayee,
		key: "idempotency_token", amount: "amount", amounts: map[string]string{"10000.00": `"10000"`},
		document: "dest_account_owner_identification_type", number: "dest_account_owner_identification_number",
		documents: map[string]string{"CC": `"CC"`, "CE": `"CE"`, "NIT": `"NIT"`, "PP": `"PA"`},
	},
	{
		provider: "coopcentral-cents", plugin: "coopcentral", settings: `amount_unit = "cent"`, request: wirePayOut, person: `"payee":{` + wirePayee,
		key: "idempotency_token", amount: "amount",
		amounts:  map[string]string{"10000.00": `"1000000"`, "10000.50": `"1000050"`, "10000.05": `"1000005"`},
		document: "dest_account_owner_identification_type", number: "dest_account_owner_identification_number",
		documents: map[string]string{"CC": `"CC"`, "CE": `"CE"`, "NIT": `"NIT"`, "PP": `"PA"`},
	},
	{
		provider: "paypaga", plugin: "paypaga", request: wirePayIn, person: `"payer":{` + strings.Replace(wirePayer, "1022", "1013", 1),
		key: "merchant_transaction_reference", amount: "amount", amounts: map[string]string{"10000.00": `10000`},
		document: "fields.document_type", number: "fields.document_number",
		documents: map[string]string{"CC": `"CC"`, "CE": `"CE"`, "PP": `"PP"`, "TE": `"TE"`},
		kinds:     map[string]string{"natural": ""},
	},
	{
		provider: "tumipay", plugin: "tumipay", settings: `amount_unit = "peso"`, request: wirePayIn, person: `"payer":{` + wirePayer,
		key: "reference", amount: "amount", amounts: map[string]string{"10000.00": `10000`},
		document: "customer_data.legal_doc_type", number: "customer_data.legal_doc",
		documents: map[string]string{"CC": `"CC"`, "CE": `"CE"`, "PP": `"PPN"`},
		kinds:     map[string]string{"natural": ""},
	},
	{
		provider: "tumipay-cents", plugin: "tumipay", settings: "amount_unit = \"cent\"\n    api_version = \"v2\"", request: wirePayIn,
		person: `"payer":{` + wirePayer, key: "reference", amount: "amount",
		amounts:  map[string]string{"10000.00": `1000000`, "10000.50": `1000050`, "10000.05": `1000005`},
		document: "customer_data.legal_doc_type", number: "customer_data.legal_doc",
		documents: map[string]string{"CC": `"CC"`, "CE": `"CE"`, "PP": `"PPN"`},
		kind:      "customer_data.person_type", kinds: map[string]string{"natural": `"NATURAL"`},
	},
}

// wireAmounts are the forms in which a caller may write an amount.
var wireAmounts = []struct{ written, exact string }{
	{`"10000"`, "10000.00"}, {`"10000.0"`, "10000.00"}, {`"10000.00"`, "10000.00"}, {`10000`, "10000.00"}, {`10000.00`, "10000.00"},
	{`"10000.5"`, "10000.50"}, {`10000.50`, "10000.50"}, {`"10000.05"`, "10000.05"},
}

const wireNumber = "1020304050"

// TestWire walks every provider, amount form, document type and kind of person, and compares the bytes that reach the
// provider with what its document says. What it cannot take must be refused before anything is sent.
func TestWire(t *testing.T) {
	t.Parallel()
	api, sandboxes := startWireDev(t)
	for _, form := range wireForms {
		t.Run(form.provider, func(t *testing.T) {
			t.Parallel()
			var cases sync.WaitGroup
			slots := make(chan struct{}, 8)
			sent := make(chan wireCase, len(wireAmounts)*len(payment.DocumentTypes())*2)
			for _, amount := range wireAmounts {
				for _, document := range payment.DocumentTypes() {
					for _, kind := range []string{"natural", "legal"} {
						c := wireCase{written: amount.written, exact: amount.exact, document: string(document), kind: kind}
						slots <- struct{}{}
						cases.Go(func() {
							defer func() { <-slots }()
							c.payment = form.pay(t, api, c)
							sent <- c
						})
					}
				}
			}
			cases.Wait()
			close(sent)
			bodies := form.bodies(t, sandboxes[form.plugin])
			for c := range sent {
				form.compare(t, c, bodies)
			}
		})
	}
}

type wireCase struct {
	written, exact, document, kind string
	payment                        payment.Payment
}

// startWireDev starts the router, every plugin and its simulator; each provider gets what names it.
func startWireDev(t *testing.T) (api *world, sandboxes map[string]string) {
	t.Helper()
	var rules strings.Builder
	for _, f := range wireForms {
		rules.WriteString(f.block(f.provider, fmt.Sprintf("env(%q)", variable(f.plugin, "base_url")), ""))
		fmt.Fprintf(&rules, "route %q {\n  when = \"metadata.to == '%[1]s'\"\n  providers = [%[1]q]\n}\n", f.provider)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "routing.hcl")
	if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p, m := startProcess(t, `API +(http://\S+)`, nil, "router", "dev", "-c", path, "-data", filepath.Join(dir, "data"), "-listen", "127.0.0.1:0")
	w := &world{url: m[1], client: newClient(t)}
	waitUntil(t.Context(), t, func() bool { return strings.Contains(p.output(), "Ctrl-C stops it") })
	sandboxes = map[string]string{}
	for _, m := range regexp.MustCompile(`provider (\S+) is simulated at (\S+)`).FindAllStringSubmatch(p.output(), -1) {
		sandboxes[m[1]] = m[2]
	}
	return w, sandboxes
}

// block is the form's provider block under a label. baseURL is an expression; attributes stand outside config.
func (f *wireForm) block(label, baseURL, attributes string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "provider %q {\n  plugin = %q\n  %s\n  config {\n    base_url = %s\n", label, f.plugin, attributes, baseURL)
	secrets := []string{"client_id", "client_secret"}
	switch f.plugin {
	case "coopcentral":
		secrets = []string{"token"}
	case "tumipay":
		secrets = []string{"username", "password", "token_top"}
	}
	for _, name := range secrets {
		fmt.Fprintf(&b, "    %s = env(%q, \"simulated\")\n", name, variable(f.plugin, name))
	}
	fmt.Fprintf(&b, "    %s\n  }\n}\n", f.settings)
	return b.String()
}

func (f *wireForm) pay(t *testing.T, api *world, c wireCase) payment.Payment {
	var p payment.Payment
	body := f.body(c)
	key := strings.Join([]string{f.provider, strings.Trim(c.written, `"`), fmt.Sprint(len(c.written)), c.document, c.kind}, " ")
	if status, err := api.call(t.Context(), http.MethodPost, api.url+"/v1/payments", key, body, &p); err != nil || status != http.StatusCreated {
		t.Errorf("%s: %d, %v", body, status, err)
	}
	return p
}

func (f *wireForm) body(c wireCase) string {
	return fmt.Sprintf(`{%s,"amount":%s,"metadata":{"to":%q},%s,"kind":%q,"document":{"type":%q,"number":%q}}}`,
		f.request, c.written, f.provider, f.person, c.kind, c.document, wireNumber)
}

// bodies returns the bodies of the create calls that a sandbox received, by attempt.
func (f *wireForm) bodies(t *testing.T, sandbox string) map[string]string {
	var requests []struct{ Kind, Body string }
	w := &world{client: newClient(t)}
	if status, err := w.call(t.Context(), http.MethodGet, sandbox+"/_sandbox/requests", "", "", &requests); err != nil || status != http.StatusOK {
		t.Fatalf("requests: %d, %v", status, err)
	}
	bodies := map[string]string{}
	for _, r := range requests {
		if r.Kind == "create" {
			bodies[strings.Trim(at(r.Body, f.key), `"`)] = r.Body
		}
	}
	return bodies
}

func (f *wireForm) compare(t *testing.T, c wireCase, bodies map[string]string) {
	amount, takesAmount := f.amounts[c.exact]
	document, takesDocument := f.documents[c.document]
	kind, takesKind := f.kinds[c.kind]
	takes := takesAmount && (takesDocument || f.document == "") && (takesKind || f.kinds == nil)
	name := fmt.Sprintf("amount %s, %s, %s", c.written, c.document, c.kind)
	if len(c.payment.Attempts) == 0 {
		if takes || c.payment.Status != payment.Failed || c.payment.Failure.Code != payment.CodeNoCandidate {
			t.Errorf("%s: not sent; it is %s, %+v", name, c.payment.Status, c.payment.Failure)
		}
		return
	}
	body, sent := bodies[c.payment.Attempts[0].Key]
	if !takes || !sent {
		t.Errorf("%s: want taken: %t; sent: %t %s; it is %s %+v", name, takes, sent, body, c.payment.Status, c.payment.Failure)
		return
	}
	for _, want := range []struct{ path, bytes string }{
		{f.amount, amount}, {f.document, document}, {f.number, `"` + wireNumber + `"`}, {f.kind, kind},
	} {
		if got := at(body, want.path); want.path != "" && got != want.bytes {
			t.Errorf("%s: %s is %s on the wire, want %s", name, want.path, got, want.bytes)
		}
	}
	if f.document == "" && strings.Contains(body, wireNumber) {
		t.Errorf("%s: the document is sent to a provider that takes none: %s", name, body)
	}
}

// at returns the bytes of a member of a JSON object, by its path.
func at(body, path string) string {
	raw := json.RawMessage(body)
	for name := range strings.SplitSeq(path, ".") {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return ""
		}
		raw = members[name]
	}
	return string(raw)
}
