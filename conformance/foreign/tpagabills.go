package foreign

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// TpagaBills simulates Tpaga's bill payments, below /api/gateway_bill_payment/v1. It has the agreements of the document's
// example, one whose bills cannot be queried, and the document's test bills. Its account begins with 50,000,000 pesos.
func TpagaBills() *Simulator { return newSimulator(tpagaBills{}) }

type tpagaBills struct{}

const (
	billsBase   = "/api/gateway_bill_payment/v1/"
	billsFunds  = 50_000_000_00
	billsAmount = 12_300_00
)

func (tpagaBills) kind(method, path string) string {
	if kind := tpagaTokenKind(method, path); kind != "" {
		return kind
	}
	rest, ok := strings.CutPrefix(path, billsBase)
	parts := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	switch {
	case !ok:
	case method == http.MethodPost && rest == "pay_bill":
		return "create"
	case method != http.MethodGet:
	case rest == "merchant/balance":
		return "balance"
	case rest == "utility_providers":
		return "billers"
	case len(parts) == 4 && parts[0] == "utility_providers" && parts[2] == "bills":
		return "bill"
	case len(parts) == 2 && parts[0] == "bill_payment_transactions":
		return "lookup"
	}
	return ""
}

func (b tpagaBills) serve(s *Simulator, c *call) answer {
	if c.kind == "token" || c.kind == "revoke" {
		return tpagaToken(s, c)
	}
	if !s.authorized(c) {
		return tpagaUnauthorized
	}
	switch c.kind {
	case "balance":
		return reply(http.StatusOK, map[string]any{"balance": billsLeft(s) / 100, "max_loan_amount": 0, "error_message": nil})
	case "billers":
		return billsAgreements(c)
	case "bill":
		if !strings.HasSuffix(c.URL.Path, "/") {
			// The endpoint is written without a slash at its end, its example with one. Here the example is right, and the other
			// form is sent there.
			a := answer{status: http.StatusMovedPermanently}
			a.header = map[string]string{"Location": c.URL.EscapedPath() + "/", "Content-Type": "text/html; charset=utf-8"}
			return a
		}
		return billsQuery(c)
	case "create":
		return b.pay(s, c)
	}
	if ch := s.byKey(c.last()); ch != nil {
		return answer{status: http.StatusOK, body: billsPayment(ch)}
	}
	// A token that nobody knows is not documented.
	return reply(http.StatusNotFound, map[string]any{"error_message": "No encontrado."})
}

type agreement struct {
	id, name            string
	editable, cannotAsk bool
}

var agreements = []agreement{
	{"acueducto_qa", "Acueducto", false, true}, // its bills cannot be queried
	{"claro_movil", "Claro - Móvil", true, false}, {"etb", "ETB", false, false}, {"movistar_fijo", "Movistar - Fijo", false, false},
	{"codensa", "Codensa", false, false},
}

func agreementOf(id string) *agreement {
	i := slices.IndexFunc(agreements, func(a agreement) bool { return a.id == id })
	if i < 0 {
		return nil
	}
	return &agreements[i]
}

func billsAgreements(c *call) answer {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(c.URL.Query().Get(name)); err == nil && n > 0 {
			return n
		}
		return otherwise
	}
	page, size := number("page", 1), min(number("per_page", 500), 500)
	from := min((page-1)*size, len(agreements))
	list := []map[string]any{}
	for _, a := range agreements[from:min(from+size, len(agreements))] {
		list = append(list, map[string]any{
			"id": a.id, "name": a.name, "style": map[string]any{"title": a.name, "icon_url": "https://cdn.example/" + a.id + ".png", "description": nil},
			"ean13_biller_code": nil, "is_scannable": true, "cost_is_editable": a.editable, "is_queriable": !a.cannotAsk,
		})
	}
	return reply(http.StatusOK, map[string]any{"service_providers": list, "categories": []any{}})
}

// billsRefused are the document's test bills that cannot be paid, and what is said about them.
var billsRefused = map[string][2]string{
	"dummy422-expired-bill":      {"expired_bill", "Bill has expired"},
	"dummy422-does-not-exist":    {"bill_does_not_exist", "There is no bill that matches the given bill_payment_provider and bill_reference"},
	"dummy422-already-paid-bill": {"already_paid_bill", "This bill number has already been paid"},
	"dummy422-cannot-be-paid":    {"bill_cannot_be_paid", "Tpaga is having issues with the bill payment service"},
	"dummy422-try-again":         {"try_again_later", "Please try again later"},
}

// billsPayable are those that can be queried: the test bills of the queries, and those of the payments.
var billsPayable = []string{"111100005555", "000000", "111100001111", "111100003333", "111100004444"}

func billsError(status int, message, code string) answer {
	return reply(status, map[string]any{"error_message": message, "billcheck_error_code": code, "field": nil})
}

func billsQuery(c *call) answer {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(c.URL.Path, billsBase), "/"), "/")
	biller, reference := agreementOf(parts[1]), parts[3]
	said, isTest := billsRefused[reference]
	switch {
	case isTest: // before the length rule, which four of them break
		return billsError(http.StatusUnprocessableEntity, said[1], said[0])
	case reference == "dummy412":
		return reply(http.StatusPreconditionFailed, map[string]any{"error_message": "There is no bill_payment_provider enabled"})
	case tooLong(reference, 20):
		return reply(http.StatusUnprocessableEntity, map[string]any{
			"error_message":        "Asegúrese de que este campo no tenga más de 20 caracteres.",
			"billcheck_error_code": "invalid_field_length", "field": "short_bill_reference",
		})
	case biller == nil || biller.cannotAsk || !slices.Contains(billsPayable, reference):
		return billsError(http.StatusUnprocessableEntity, billsRefused["dummy422-does-not-exist"][1], "bill_does_not_exist")
	}
	return reply(http.StatusOK, map[string]any{
		"utility_provider": biller.id, "short_bill_reference": reference, "amount": string(twoPlaces(billsAmount)),
		"error_message": nil, "billcheck_error_code": nil, "field": nil, // payable_until is to go, and has gone
	})
}

// billsLeft is what the account still has.
func billsLeft(s *Simulator) int64 {
	left := int64(billsFunds)
	for _, ch := range s.charges {
		if ch.status == "approved" || ch.status == "pending" || ch.status == "unknown" {
			left -= ch.cents
		}
	}
	return left
}

func (tpagaBills) pay(s *Simulator, c *call) answer {
	fields := c.object()
	for _, f := range []struct {
		name string
		most int
	}{{"idempotency_token", 128}, {"utility_provider", 64}, {"short_bill_reference", 20}, {"payment_origin", 64}, {"payment_token", 255}} {
		if value := text(fields, f.name); value == "" || tooLong(value, f.most) {
			return reply(http.StatusUnprocessableEntity, map[string]any{"error_message": "Este campo no es válido.", "field": f.name})
		}
	}
	amount, _ := fields["amount"].(json.Number)
	if !wholeNumber.MatchString(amount.String()) {
		return reply(http.StatusUnprocessableEntity, map[string]any{"error_message": "Se requiere un entero válido.", "field": "amount"})
	}
	if old := s.byKey(text(fields, "idempotency_token")); old != nil {
		return answer{status: http.StatusConflict, body: billsPayment(old)}
	}
	biller, reference := agreementOf(text(fields, "utility_provider")), text(fields, "short_bill_reference")
	if biller == nil || !slices.Contains(billsPayable, reference) {
		return reply(http.StatusUnprocessableEntity, map[string]any{"error_message": "The bill does not exist.", "field": "short_bill_reference"})
	}
	cents, _ := centsOf(amount)
	if cents > billsLeft(s) {
		return reply(http.StatusPaymentRequired, map[string]any{"error_message": "You have no funds."})
	}
	ch := &charge{id: "bpm-" + letters(28), key: text(fields, "idempotency_token"), operation: "bill", cents: cents, fields: fields, status: "approved"}
	status := http.StatusOK
	switch {
	case reference == "111100001111":
		ch.status, status = "pending", http.StatusConflict
	case reference == "111100004444":
		ch.status, status = "unknown", http.StatusBadGateway
	case reference == "111100003333",
		cents != billsAmount && reference != "000000" && !biller.editable && !biller.cannotAsk: // result_code 8000
		ch.status, status = refused, http.StatusServiceUnavailable
	}
	s.enter(c, ch)
	return answer{status: status, body: billsPayment(ch)}
}

// billsPayment writes a payment in one line, with spaces that the example has too.
func billsPayment(ch *charge) []byte {
	out := map[string]any{
		"token": ch.id, "amount": ch.cents / 100, "route": "PUNTORED", "external_gateway_auth_code": nil, "gateway_bill_payment_token": nil,
		"bank_transaction_id": nil, "payment_provider_data": nil, "result_code": nil, "error_message": nil,
		"created_at": ch.created.In(bogota), // no table lists it
	}
	for _, name := range []string{"idempotency_token", "short_bill_reference", "utility_provider", "payment_token", "payment_origin"} {
		out[name] = ch.fields[name]
	}
	switch ch.status {
	case "approved":
		out["status"], out["result_code"] = "AUTHORIZED", 0 // "0 The transaction succeeded", where the example has null
	case "pending":
		out["status"] = "IN_PROGRESS"
	case "unknown":
		out["status"], out["result_code"] = "UNKNOWN", 16
	default:
		out["status"], out["result_code"], out["error_message"] = "REJECTED", 90, "The transaction was failed."
		if ch.cents != billsAmount && ch.fields["short_bill_reference"] != "000000" {
			out["result_code"] = 8000
		}
	}
	content, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic(fmt.Sprint("foreign: ", err)) // it is made of what JSON gave, and of strings
	}
	return content
}

// notices are none: this API has no webhook.
func (tpagaBills) notices(*Simulator, *charge) []notice { return nil }
