package foreign

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Coopcentral simulates Tpaga's transfers through Coopcentral, below /api/coopcentral/v1/interbanks. Its amounts are
// cents. A transfer to an account of zeros only is refused with 409.
func Coopcentral() *Simulator { return newSimulator(coopcentral{}) }

type coopcentral struct{}

const interbanks = "/api/coopcentral/v1/interbanks/"

func (coopcentral) kind(method, path string) string {
	rest, ok := strings.CutPrefix(path, interbanks)
	token, one := strings.CutPrefix(rest, "transactions/")
	switch {
	case !ok:
	case method == http.MethodPost && rest == "transactions/create":
		return "create"
	case method == http.MethodGet && rest == "banks":
		return "banks"
	case method == http.MethodGet && rest == "transactions":
		return "statement"
	case method == http.MethodGet && one && token != "":
		return "lookup"
	}
	return ""
}

func (k coopcentral) serve(s *Simulator, c *call) answer {
	// Three examples send the token alone, one and the text "the token-based scheme": here the scheme is demanded.
	if c.Header.Get("Authorization") != "Token "+Token {
		a := reply(http.StatusUnauthorized, map[string]any{"detail": "Token inválido."})
		a.header = map[string]string{"WWW-Authenticate": "Token"}
		return a
	}
	switch c.kind {
	case "banks":
		return reply(http.StatusOK, map[string]any{"banks": coopcentralBanks})
	case "create":
		return k.create(s, c)
	case "statement":
		return coopcentralHistory(s, c)
	}
	ch := s.byKey(c.last())
	if ch == nil {
		// "Get transaction information" lists no 404 among its answers; what is left for an unknown token is 422.
		return coopcentralInvalid("idempotency_token", "transaction_does_not_exist", "La transacción no existe.")
	}
	return reply(http.StatusOK, coopcentralTransfer(ch))
}

// coopcentralBanks have the two slugs of the example, and others that are not the banks' names in small letters.
var coopcentralBanks = []map[string]any{
	{"slug": "bancolombia", "name": "BANCOLOMBIA"}, {"slug": "bbva", "name": "BBVA"},
	{"slug": "banco-caja-social", "name": "BANCO CAJA SOCIAL"}, {"slug": "davivienda", "name": "BANCO DAVIVIENDA S.A.", "is_active": true},
	{"slug": "col-qa-01", "name": "COLTEFINANCIERA"}, {"slug": "nequi", "name": "NEQUI"},
}

// coopcentralInvalid has the three members that a 422 explains itself with.
func coopcentralInvalid(field, code, message string) answer {
	return reply(http.StatusUnprocessableEntity, map[string]any{"error_code": code, "error_message": message, "field": field})
}

// coopcentralFields are the required ones, amount apart, each with the values that it takes: nil is any.
var coopcentralFields = []struct {
	name   string
	values []string
}{
	{"dest_account_owner_full_name", nil}, {"dest_account_owner_identification_type", []string{"CC", "CE", "PA", "NIT"}},
	{"dest_account_owner_identification_number", nil}, {"dest_account_type", []string{"saving_account", "checking_account", "electronic_deposit"}},
	{"dest_account_number", nil}, {"dest_bank", nil}, {"idempotency_token", nil},
}

var zeros = regexp.MustCompile(`^0+$`)

func (coopcentral) create(s *Simulator, c *call) answer {
	fields := c.object()
	for _, f := range coopcentralFields {
		value := text(fields, f.name)
		switch {
		case value == "":
			return coopcentralInvalid(f.name, "required", "Este campo es requerido.")
		case f.values != nil && !slices.Contains(f.values, value):
			return coopcentralInvalid(f.name, "invalid_choice", `"`+value+`" no es una elección válida.`)
		}
	}
	if bank := text(fields, "dest_bank"); !slices.ContainsFunc(coopcentralBanks, func(b map[string]any) bool { return b["slug"] == bank }) {
		return coopcentralInvalid("dest_bank", "does_not_exist", "El banco "+bank+" no existe.")
	}
	// "String" in the table, a number in the example: both are taken. A unit is a cent, so there is no fraction of one.
	if amount := fmt.Sprint(fields["amount"]); !wholeNumber.MatchString(amount) {
		return coopcentralInvalid("amount", "invalid", "Se requiere un número entero válido.")
	}
	if old := s.byKey(text(fields, "idempotency_token")); old != nil {
		return reply(http.StatusAlreadyReported, coopcentralTransfer(old)) // as it stands, whatever was asked for now
	}
	cents, _ := strconv.ParseInt(fmt.Sprint(fields["amount"]), 10, 64)
	ch := &charge{id: "itx_" + letters(20), key: text(fields, "idempotency_token"), operation: "payout", cents: cents, fields: fields}
	switch text(fields, "description") {
	case "transaction-approved":
		ch.status = "approved"
	case "transaction-rejected":
		ch.status = "rejected"
	}
	if zeros.MatchString(text(fields, "dest_account_number")) {
		ch.status = refused
		s.enter(c, ch)
		return reply(http.StatusConflict, coopcentralTransfer(ch))
	}
	s.enter(c, ch)
	return reply(http.StatusCreated, coopcentralTransfer(ch))
}

func coopcentralTransfer(ch *charge) map[string]any {
	out := map[string]any{
		"status": ch.status, "fee_amount": "0.00", "amount": strconv.FormatInt(ch.cents, 10), // both "String" in the table
		"origin_account_number": "891000845", "origin_account_type": "electronic_deposit",
		"origin_account_owner_identification_number": "589632154", "result_message": nil, "error_code": nil, "error_message": nil,
		"field": nil, "description": nil, // the examples' descriptions are not those that were sent either
		"created_at": ch.created.In(bogota).Format("2006-01-02T15:04:05.000000-07:00"), // RFC 3339 with an offset, not the example's Z
	}
	for _, f := range coopcentralFields {
		out[f.name] = ch.fields[f.name]
	}
	switch ch.status {
	case "approved":
		out["result_message"] = "Transacción exitosa"
	case "rejected", "expired":
		out["status"], out["result_message"] = "rejected", "Cuenta inexistente"
	case refused:
		out["status"], out["error_code"], out["error_message"] = "rejected", "transaction_failed", "La transacción falló."
	}
	return out
}

// coopcentralHistory answers twenty a page, those of a page by creation date, the oldest of them first: which end comes
// first is not documented, nor what is after the last page.
func coopcentralHistory(s *Simulator, c *call) answer {
	page := 1
	if given := c.URL.Query().Get("page"); given != "" {
		var err error
		if page, err = strconv.Atoi(given); err != nil || page < 1 {
			return coopcentralInvalid("page", "invalid", "Se requiere un número entero válido.")
		}
	}
	const size = 20
	to := max(len(s.charges)-(page-1)*size, 0)
	list := []map[string]any{}
	for _, ch := range s.charges[max(to-size, 0):to] {
		list = append(list, coopcentralTransfer(ch))
	}
	return reply(http.StatusOK, map[string]any{"transactions": list})
}

// notices are sent when a status is final, and hold our own token in spite of the name.
func (coopcentral) notices(_ *Simulator, ch *charge) []notice {
	if ch.status == "pending" || ch.status == refused {
		return nil
	}
	return []notice{{body: map[string]any{"transaction_token": ch.key, "sent_at": time.Now().Format(time.RFC3339)}}}
}
