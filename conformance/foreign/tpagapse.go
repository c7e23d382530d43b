package foreign

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// TpagaPSE simulates Tpaga's PSE charges, below /api/pse/v1. A charge at bank 1080 is refused with 409, one at 1081 with
// 502; both are recorded as failed.
func TpagaPSE() *Simulator { return newSimulator(&tpagaPSE{}) }

type tpagaPSE struct{ traced int }

const pseBase = "/api/pse/v1/public/"

func (*tpagaPSE) kind(method, path string) string {
	if kind := tpagaTokenKind(method, path); kind != "" {
		return kind
	}
	rest, ok := strings.CutPrefix(path, pseBase)
	switch token, one := strings.CutPrefix(rest, "charge/"); {
	case !ok:
	case method == http.MethodGet && rest == "banks":
		return "banks"
	case method == http.MethodPost && rest == "charge":
		return "create"
	case method == http.MethodGet && one && token != "":
		return "lookup"
	}
	return ""
}

func (p *tpagaPSE) serve(s *Simulator, c *call) answer {
	if c.kind == "token" || c.kind == "revoke" {
		return tpagaToken(s, c)
	}
	if !s.authorized(c) {
		return tpagaUnauthorized
	}
	switch c.kind {
	case "banks":
		return reply(http.StatusOK, pseBanks)
	case "create":
		return p.create(s, c)
	}
	ch := s.byID(c.last())
	if ch == nil {
		// "Get Query charge" lists no 404 among its answers; what is left for a token that nobody knows is 422.
		return tpagaInvalid("token", c.last(), "Objeto con token="+c.last()+" no existe.")
	}
	return answer{status: http.StatusOK, body: pseCharge(ch)}
}

// pseBanks are of the staging list: test entries, codes of one, five and six digits, and an entry that is no bank.
var pseBanks = []map[string]any{
	{"code": "0", "name": "A continuación seleccione su banco"},
	{"code": "5016", "name": "ALIANZA FIDUCIARIA S A"},
	{"code": "1558", "name": "BAN100"},
	{"code": "1059", "name": "BANCAMIA"},
	{"code": "1040", "name": "BANCO AGRARIO"},
	{"code": "1081", "name": "BANCO AGRARIO DESARROLLO"},
	{"code": "1080", "name": "BANCO AGRARIO QA DEFECTOS"},
	{"code": "10322", "name": "BANCO CAJA SOCIAL"},
	{"code": "1051", "name": "BANCO DAVIVIENDA"},
	{"code": "1022", "name": "BANCO UNION COLOMBIANO"},
	{"code": "1007", "name": "BANCOLOMBIA QA"},
	{"code": "10071", "name": "BANCOLOMBIA DATAPOWER"},
	{"code": "1013", "name": "BANCO BBVA COLOMBIA S.A.", "enabled": true},
	{"code": "121212", "name": "Prueba Steve"},
}

var (
	mail = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s.]+$`)
	// pseFields are those of "Generate a charge" in the order of its table, each with its greatest length.
	pseFields = []struct {
		name string
		most int
	}{
		{"bank_code", 35}, {"order_id", 20}, {"amount", 0}, {"vat_amount", 0}, {"description", 80}, {"user_type", 10},
		{"buyer_email", 255}, {"buyer_full_name", 255}, {"document_type", 20}, {"document_number", 20},
		{"redirect_url", 500}, {"buyer_phone_number", 20},
	}
)

// pseFault returns what is wrong with a request: the field, the value, the text.
func pseFault(fields map[string]any) (string, any, string) {
	for _, f := range pseFields {
		value := fields[f.name]
		if value == nil || value == "" {
			return f.name, value, "Este campo es requerido."
		}
		if _, isAmount := centsOf(value); f.most == 0 && !isAmount {
			return f.name, value, "Se requiere un número válido."
		}
		if f.most == 0 {
			continue
		}
		given, isText := value.(string)
		message := ""
		switch {
		case !isText:
			message = "No es una cadena válida."
		case tooLong(given, f.most):
			message = fmt.Sprintf("Asegúrese de que este campo no tenga más de %d caracteres.", f.most)
		case f.name == "bank_code" && !pseHasBank(given):
			message = "Objeto con code=" + given + " no existe."
		case f.name == "user_type" && given != "NATURAL" && given != "LEGAL",
			f.name == "document_type" && !strings.Contains(" CC CE NIT TI PP ", " "+given+" "):
			message = `"` + given + `" no es una elección válida.`
		case f.name == "buyer_email" && !mail.MatchString(given):
			message = "Introduzca una dirección de correo electrónico válida."
		case f.name == "redirect_url" && !strings.HasPrefix(given, "http"):
			message = "Introduzca una URL válida."
		case f.name == "buyer_phone_number" && strings.HasPrefix(given, "+"): // "avoid to add … the plus (+) sign", as a rule
			message = "Introduzca un número de teléfono válido."
		}
		if message != "" {
			return f.name, given, message
		}
	}
	amount, _ := centsOf(fields["amount"])
	vat, _ := centsOf(fields["vat_amount"])
	switch {
	case amount > 40_000_000_00:
		return "amount", fields["amount"], "El valor de la transacción debe estar entre 0.00 y 40000000.00."
	case amount < 1_000_00:
		return "amount", fields["amount"], "El valor de la transacción debe estar entre 1000.00 y 40000000.00."
	case vat >= amount: // the table's "Decimal < amount" to the letter, not the error's "mayor"
		return "non_field_errors", nil, "vat_amount no puede ser mayor a amount."
	}
	return "", nil, ""
}

func pseHasBank(code string) bool {
	for _, b := range pseBanks {
		if b["code"] == code && code != "0" {
			return true
		}
	}
	return false
}

func (p *tpagaPSE) create(s *Simulator, c *call) answer {
	fields := c.object()
	if fields == nil {
		return reply(http.StatusBadRequest, map[string]any{"detail": "Error de análisis JSON"})
	}
	if field, value, message := pseFault(fields); message != "" {
		return tpagaInvalid(field, value, message)
	}
	order := text(fields, "order_id")
	if s.byKey(order) != nil {
		// "408 The charge already exist": the document shows no body. Here it is an error that does not tell the token.
		return answer{status: http.StatusRequestTimeout, body: tpagaInvalid("order_id", order, "El cobro ya existe.").body}
	}
	p.traced++
	cents, _ := centsOf(fields["amount"])
	fields["traceability_code"] = fmt.Sprint(3_416_207 + p.traced)
	ch := &charge{
		id: "pse-" + fmt.Sprintf("%032x", letters(16)), key: order, operation: "payin", cents: cents, fields: fields,
		expires: s.now().Add(30 * time.Minute), // "the lifetime of a charge within PSE is about 30 minutes"
	}
	back := text(fields, "redirect_url")
	ch.returns = map[string]string{"approved": back, "rejected": back}
	fields["bank_url"] = pageURL(c, "/PSENF/index.html", ch) + "&enc=" + strings.Repeat("CCnGKyvG0W%2bjZeSC", 30)
	status := http.StatusCreated
	switch fields["bank_code"] {
	case "1080":
		status, ch.status = http.StatusConflict, refused
	case "1081":
		status, ch.status = http.StatusBadGateway, refused
	}
	s.enter(c, ch)
	return answer{status: status, body: pseCharge(ch)}
}

// pseCharge writes a charge, indented, with its members by name.
func pseCharge(ch *charge) []byte {
	out := map[string]any{"created_at": ch.created.In(bogota).Format(time.RFC3339Nano)} // no table lists it
	for _, f := range pseFields {
		out[f.name] = ch.fields[f.name]
	}
	vat, _ := centsOf(ch.fields["vat_amount"])
	// "Decimal of maximum two decimal places": a number, where the example has a string.
	out["amount"], out["vat_amount"] = twoPlaces(ch.cents), twoPlaces(vat)
	out["description"] = "Cobro " + ch.key // the example answers with another text than was sent
	out["token"], out["traceability_code"] = ch.id, ch.fields["traceability_code"]
	out["return_code"], out["bank_url"] = "SUCCESS", ch.fields["bank_url"]
	out["transaction_state"], out["rejected_reason"] = nil, nil
	switch ch.status {
	case "pending":
		out["status"], out["transaction_state"] = "pending", "PENDING"
	case "approved":
		out["status"], out["transaction_state"] = "settled", "OK"
	case "rejected":
		out["status"], out["transaction_state"], out["rejected_reason"] = "charge-rejected", "NOT_AUTHORIZED", "Transacción rechazada por la entidad financiera"
	case "expired":
		out["status"], out["transaction_state"], out["rejected_reason"] = "charge-rejected", "EXPIRED", "Transacción no concluída en el banco"
	case refused:
		out["status"], out["return_code"], out["bank_url"] = "failed", "FAIL_TIMEOUT", nil
	}
	content, err := json.MarshalIndent(out, "", "    ")
	if err != nil {
		panic(err) // it is made of what JSON gave, and of strings
	}
	return append(content, '\n')
}

func twoPlaces(cents int64) json.Number {
	return json.Number(fmt.Sprintf("%d.%02d", cents/100, cents%100))
}

// notices sends two for a success, authorized and settled: "a final status (authorized, charge-rejected or settled)".
func (*tpagaPSE) notices(_ *Simulator, ch *charge) []notice {
	one := notice{body: map[string]any{"charge_token": ch.id}}
	switch ch.status {
	case "pending", refused:
		return nil
	case "approved":
		return []notice{one, one}
	}
	return []notice{one}
}
