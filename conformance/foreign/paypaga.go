package foreign

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PayPaga simulates PayPaga V2's pay-ins by PSE. What its page "Colombia PSE" leaves open is taken from the pages of
// its siblings and of V1, and where those differ from the one that fits V2's page least.
func PayPaga() *Simulator { return newSimulator(&payPaga{}) }

type payPaga struct{ references int }

const payIns = "/v2/transactions/pay-in"

func (*payPaga) kind(method, path string) string {
	id, one := strings.CutPrefix(path, payIns+"/")
	switch {
	case method == http.MethodPost && path == "/oauth2/token":
		return "token"
	case method == http.MethodPost && path == payIns:
		return "create"
	case method == http.MethodGet && id == "config":
		return "banks"
	case method == http.MethodGet && (path == payIns || one && !strings.Contains(id, "/")):
		return "lookup"
	case strings.HasPrefix(path, "/v2/test/transactions/pay-in/") && strings.HasSuffix(path, "/status"):
		return "override"
	}
	return ""
}

func (p *payPaga) serve(s *Simulator, c *call) answer {
	if c.kind == "token" {
		return payPagaToken(s, c)
	}
	if !s.authorized(c) {
		return payPagaError(http.StatusUnauthorized, "UNAUTHORIZED", "The access token is missing, invalid or expired.", nil)
	}
	switch {
	case c.kind == "create":
		return p.create(s, c)
	case c.kind == "banks":
		return payPagaConfig(c)
	case c.kind == "override":
		return payPagaOverride(s, c)
	case c.URL.Path == payIns:
		return payPagaSearch(s, c)
	}
	if ch := s.byID(c.last()); ch != nil {
		return reply(http.StatusOK, payPagaTransaction(ch))
	}
	return payPagaError(http.StatusNotFound, "NOT_FOUND", "The transaction was not found.", nil)
}

// payPagaToken takes the client's credentials in the body, as V1's page on OAuth says. V2's AuthFailed is not known:
// here it has the envelope of all other errors, not OAuth's.
func payPagaToken(s *Simulator, c *call) answer {
	form := c.form()
	switch {
	case form.Get("grant_type") != "client_credentials":
		return payPagaError(http.StatusBadRequest, "BAD_REQUEST", "Unsupported grant type.", nil)
	case form.Get("client_id") != ClientID || form.Get("client_secret") != ClientSecret:
		return payPagaError(http.StatusUnauthorized, "UNAUTHORIZED", "Client authentication failed.", nil)
	}
	return reply(http.StatusOK, map[string]any{"access_token": s.issue(5 * time.Minute), "expires_in": 300, "token_type": "Bearer"})
}

// payPagaError is the envelope of the page "Errors". What stands in details is not known: here an object by field.
func payPagaError(status int, code, message string, details map[string]any) answer {
	if details == nil {
		details = map[string]any{}
	}
	return reply(status, map[string]any{
		"error": map[string]any{"code": code, "message": message, "details": details}, "timestamp": "2026-06-09T11:31:18-05:00",
	})
}

// payPagaRule is a row of "Required Fields" or "Document types". The patterns are those that V1's page and the
// configuration print, from which the page "Colombia PSE" has lost two stars and a backslash.
type payPagaRule struct {
	least, most int
	pattern     string
}

func (r payPagaRule) holds(value string) bool {
	n := len([]rune(value))
	return n >= r.least && n <= r.most && regexp.MustCompile(r.pattern).MatchString(value)
}

var (
	payPagaFields = map[string]payPagaRule{
		"first_name": {2, 25, `^\p{L}*(?:[ '-]\p{L}+)*$`}, "last_name": {2, 25, `^\p{L}*(?:[ '-]\p{L}+)*$`},
		"document_type": {2, 2, `^(CC|CE|PP|TE)$`}, "document_number": {6, 15, `^[a-zA-Z0-9]+$`}, "bank_code": {4, 4, `^\d+$`},
		"email": {5, 50, `^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$`}, "phone": {8, 10, `^\d+$`},
		"address": {2, 64, `^[\p{L}0-9][\p{L}0-9\s,'#/.°-]+$`},
	}
	payPagaDocuments = map[string]payPagaRule{
		"CC": {6, 10, `^\d+$`}, "CE": {6, 10, `^[a-zA-Z0-9]+$`}, "PP": {7, 12, `^[a-zA-Z0-9]+$`}, "TE": {6, 15, `^[a-zA-Z0-9]+$`},
	}
	payPagaBanks = strings.Fields(`1289 1070 1062 1047 1069 1814 1286 1804 1023 1816 1059 1052 1051 1637 1801 1815 1040 1066 1002 1303
		1121 1803 1032 1071 1060 1065 1808 1009 1507 1809 1001 1012 1006 1370 1292 1097 1551 1802 1558 1063 1283 1811 1019 1013 1007 1061 1812`)
	payPagaReference = regexp.MustCompile(`^[A-Za-z0-9_-]{1,45}$`)
	wholeNumber      = regexp.MustCompile(`^[1-9]\d{0,14}$`)
)

// payPagaFaults names what is wrong with a request, by the path of the field.
func payPagaFaults(fields map[string]any) map[string]any {
	wrong := map[string]any{}
	amount, _ := fields["amount"].(json.Number)
	if !wholeNumber.MatchString(amount.String()) { // "an integer amount with no decimal places. Invalid: 3724.00"
		wrong["amount"] = []string{"must be an integer with no decimal places"}
	}
	for name, want := range map[string]string{"country": "CO", "currency": "COP", "payment_method": "pse"} {
		if fields[name] != want {
			wrong[name] = []string{"is not supported"}
		}
	}
	// Which members are required the page does not say. Here all of its example are, the customer's too.
	for _, name := range []string{"merchant_order_reference", "merchant_customer_id", "customer_ip"} {
		if text(fields, name) == "" {
			wrong[name] = []string{"is required"}
		}
	}
	if !payPagaReference.MatchString(text(fields, "merchant_transaction_reference")) {
		wrong["merchant_transaction_reference"] = []string{"is required, and at most 45 letters, digits, - and _"}
	}
	payer, _ := fields["fields"].(map[string]any)
	for name, rule := range payPagaFields {
		if !rule.holds(text(payer, name)) {
			wrong["fields."+name] = []string{"does not match " + rule.pattern}
		}
	}
	if rule, ok := payPagaDocuments[text(payer, "document_type")]; ok && !rule.holds(text(payer, "document_number")) {
		wrong["fields.document_number"] = []string{"does not match " + rule.pattern}
	}
	if !slices.Contains(payPagaBanks, text(payer, "bank_code")) {
		wrong["fields.bank_code"] = []string{"is not an option"}
	}
	urls, _ := fields["return_urls"].(map[string]any)
	for _, name := range []string{"success_url", "failure_url", "cancel_url"} {
		if !strings.HasPrefix(text(urls, name), "http") {
			wrong["return_urls."+name] = []string{"is not a URL"}
		}
	}
	return wrong
}

func (p *payPaga) create(s *Simulator, c *call) answer {
	fields := c.object()
	if fields == nil {
		return payPagaError(http.StatusBadRequest, "BAD_REQUEST", "The body cannot be parsed.", nil)
	}
	if wrong := payPagaFaults(fields); len(wrong) > 0 {
		return payPagaError(http.StatusBadRequest, "VALIDATION_ERROR", "The request has invalid fields.", wrong)
	}
	reference := text(fields, "merchant_transaction_reference")
	if s.byKey(reference) != nil {
		// By analogy with the page on PayURLs.
		return payPagaError(http.StatusConflict, "MERCHANT_REFERENCE_ALREADY_EXISTS", "The merchant reference already exists.", nil)
	}
	p.references++
	cents, _ := centsOf(fields["amount"])
	now := s.now()
	ch := &charge{
		id: now.Format("20060102-1504") + fmt.Sprintf("-4c98-9954-%012x", letters(6)), key: reference, operation: "payin",
		cents: cents, fields: fields, expires: now.Add(60 * time.Hour),
	}
	urls := fields["return_urls"].(map[string]any)
	ch.returns = map[string]string{"approved": text(urls, "success_url"), "rejected": text(urls, "failure_url")}
	s.enter(c, ch)
	return reply(http.StatusCreated, map[string]any{
		"transaction_id": ch.id, "payment_method_reference": 129930 + p.references,
		"expires_at":   ch.expires.In(bogota).Format(time.RFC3339Nano), // the example is in UTC; RFC 3339 lets it be anywhere
		"instructions": map[string]any{"reference_url": pageURL(c, "/v2/pay/"+ch.id, ch), "qr": nil},
		"status":       "Initiated", // not in the example; new members are no breaking change ("API Reference")
	})
}

// payPagaStatuses are V1's words in V1's capitals, as the page "Colombia PSE" writes "Expired".
var payPagaStatuses = map[string]string{"pending": "Authorizing", "approved": "Approved", "rejected": "Declined", "expired": "Expired"}

// payPagaTransaction has the members of the transaction that the override of pay-outs answers with.
func payPagaTransaction(ch *charge) map[string]any {
	whole := json.Number(strconv.FormatInt(ch.cents/100, 10))
	out := map[string]any{
		"transaction_id": ch.id, "merchant_transaction_reference": ch.key, "status": payPagaStatuses[ch.status],
		"merchant_order_reference": ch.fields["merchant_order_reference"], "fields": ch.fields["fields"],
		"country": "CO", "currency": "COP", "payment_method": "pse", "initiated_on": ch.created.Format(time.RFC3339Nano),
		"created_on": ch.created.Format(time.RFC3339Nano), "approved_on": nil, "failed_on": nil, "fail_reason": nil, "meta": nil,
		"transaction_amount": whole + ".0", // "amounts must be an integer" is about requests; MoneyAmount is a number
		"fee":                json.Number("1499.41"), "tax": json.Number("2.849e2"),
	}
	switch ch.status {
	case "approved":
		out["approved_on"] = ch.created.Add(time.Minute).Format(time.RFC3339Nano)
	case "rejected":
		out["failed_on"], out["fail_reason"] = ch.created.Add(time.Minute).Format(time.RFC3339Nano), "Rechazada por el banco"
	}
	return out
}

// payPagaSearch answers newest first, a page of ten. Its parameters are named as the members are; those of other names
// are ignored. Neither the list's name nor PaginationMeta's members are known: here they are data and pagination, beside a
// list of links that is empty.
func payPagaSearch(s *Simulator, c *call) answer {
	query := c.URL.Query()
	found := []map[string]any{}
	for _, ch := range slices.Backward(s.charges) {
		out := payPagaTransaction(ch)
		matches := true
		for _, name := range []string{"merchant_transaction_reference", "merchant_order_reference", "status", "transaction_id"} {
			matches = matches && (!query.Has(name) || query.Get(name) == out[name])
		}
		if matches {
			found = append(found, out)
		}
	}
	const size = 10
	page, _ := strconv.Atoi(query.Get("page"))
	from := min(max(page-1, 0)*size, len(found))
	return reply(http.StatusOK, map[string]any{
		"links": []any{}, "data": found[from:min(from+size, len(found))],
		"pagination": map[string]any{"page": max(page, 1), "page_size": size, "total_items": len(found), "total_pages": (len(found) + size - 1) / size},
	})
}

// payPagaConfig has the members that are known of "List available pay-in configurations".
func payPagaConfig(c *call) answer {
	query := c.URL.Query()
	if query.Get("country") != "CO" || query.Get("payment_method") != "pse" {
		return payPagaError(http.StatusBadRequest, "VALIDATION_ERROR", "country and payment_method are required.", nil)
	}
	banks := map[string]string{}
	for _, code := range payPagaBanks {
		banks[code] = "BANCO " + code
	}
	var required []map[string]any
	for name, rule := range payPagaFields {
		field := map[string]any{"name": name, "type": "string", "pattern": rule.pattern, "options": nil}
		if name == "bank_code" {
			field["options"] = banks
		}
		required = append(required, field)
	}
	return reply(http.StatusOK, map[string]any{
		"currency": "COP", "payment_method": "pse", "fee_mode": "both", "fixed_fee": 900, "minimum_fee": nil,
		"percentage_fee": json.Number("1.20"), "required_fields": required,
	})
}

// payPagaOverride is the development utility, by symmetry with that of pay-outs. Any verb does: the page shows none.
func payPagaOverride(s *Simulator, c *call) answer {
	parts := strings.Split(c.URL.Path, "/")
	ch := s.byID(parts[len(parts)-2])
	status := map[string]string{"approved": "approved", "rejected": "rejected", "declined": "rejected", "expired": "expired"}[text(c.object(), "status")]
	switch {
	case ch == nil:
		return payPagaError(http.StatusNotFound, "NOT_FOUND", "The transaction was not found.", nil)
	case status == "" || ch.status != "pending":
		return payPagaError(http.StatusConflict, "INVALID_STATUS_TRANSITION", "The status cannot be changed.", nil)
	}
	ch.status = status
	if notify, ok := c.object()["with_notifications"].(bool); ok && notify {
		s.notify(ch)
	}
	return reply(http.StatusOK, payPagaTransaction(ch))
}

// notices are V1's, with its capitals: TransactionCallbackPayload is not known. V1 sends none about an expiry.
func (*payPaga) notices(_ *Simulator, ch *charge) []notice {
	status := map[string]string{"approved": "Approved", "rejected": "Rejected"}[ch.status]
	if status == "" {
		return nil
	}
	return []notice{{body: map[string]any{
		"merchant_id": 4711, "merchant_transaction_reference": ch.key, "status": status, "transaction_id": ch.id, "transaction_type": "Payin",
	}}}
}
