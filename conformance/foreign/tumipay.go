package foreign

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TumiPay simulates TumiPay's pay-ins in Colombia, below TumiPayBase: a staging base that says production is the provider's
// own ("Introduction"). Its amounts are cents, as the page "PayIn" says.
func TumiPay() *Simulator { return newSimulator(tumiPay{}) }

type tumiPay struct{}

// TumiPayBase is the path of its base URL.
const TumiPayBase = "/production/api"

func (tumiPay) kind(method, path string) string {
	rest, ok := strings.CutPrefix(path, TumiPayBase+"/")
	version, what, _ := strings.Cut(rest, "/")
	switch {
	case !ok || version != "v1" && version != "v2":
	case method == http.MethodPost && what == "payin":
		return "create"
	case method == http.MethodGet && version == "v1" && what == "pse/banks":
		return "banks"
	case method == http.MethodGet && version == "v1" && what == "merchant/me":
		return "balance"
	case method == http.MethodGet && version == "v1" && strings.HasPrefix(what, "transaction/"):
		return "lookup"
	}
	return ""
}

func (t tumiPay) serve(s *Simulator, c *call) answer {
	id, secret, _ := c.BasicAuth()
	switch {
	case id != ClientID || secret != ClientSecret || c.Header.Get("Token-Top") != Token:
		return tumiPayError(http.StatusUnauthorized, "07", "No autorizado", nil)
	case !strings.HasPrefix(c.Header.Get("Content-Type"), "application/json"):
		// "Authentication" counts Content-Type among the headers that every call has to have, those without a body too.
		return tumiPayError(http.StatusUnsupportedMediaType, "08", "Content-Type inválido", nil)
	}
	switch c.kind {
	case "create":
		return t.create(s, c)
	case "banks":
		return tumiPaySuccess(http.StatusOK, tumiPayBanks)
	case "balance":
		return tumiPaySuccess(http.StatusOK, map[string]any{
			"name": "Comercio de prueba", "nit": 900123456, "email": "comercio@example.com", "currency": "COP", "wallet": 123456789,
		})
	}
	// "the path value may be TumiPay's ticket or our reference" (post-search-transactions)
	ch := s.find(func(ch *charge) bool { return ch.id == c.last() || ch.key == c.last() })
	if ch == nil {
		return tumiPayError(http.StatusNotFound, "04", "Transacción no encontrada", nil)
	}
	return tumiPaySuccess(http.StatusOK, tumiPayTransaction(ch))
}

var tumiPayBanks = []map[string]any{
	{"code": "0", "name": "A continuación seleccione su banco", "image": nil}, {"code": "1077", "name": "BANKA", "image": nil},
	{"code": "1007", "name": "BANCOLOMBIA", "image": "https://cdn.example/bancolombia.png"},
	{"code": "1022", "name": "BANCO UNION COLOMBIANO", "image": ""}, {"code": "1507", "name": "NEQUI", "image": nil},
}

// php writes JSON as PHP does, whose empty objects are lists: slashes and what is not ASCII are escaped.
func php(status int, body any) answer {
	a := reply(status, body)
	var out bytes.Buffer
	for _, r := range string(a.body) {
		switch {
		case r == '/':
			out.WriteString(`\/`)
		case r < 0x80:
			out.WriteRune(r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	a.body = out.Bytes()
	return a
}

func tumiPaySuccess(status int, data any) answer {
	return php(status, map[string]any{"code": "01", "status": "SUCCESS", "message": "Operación exitosa", "data": data})
}

// tumiPayError has the envelope of a success: the page "Error Codes" is not known, nor the statuses.
func tumiPayError(status int, code, message string, errors any) answer {
	body := map[string]any{"code": code, "status": "ERROR", "message": message, "data": []any{}}
	if errors != nil {
		body["errors"] = errors
	}
	return php(status, body)
}

// tumiPayMethods are the methods of "Request Parameters", each with the least it takes ("post-initiate-transaction").
var tumiPayMethods = map[string]int64{"PSE": 2_000_00, "EFECTY": 10_000_00, "CARD": 2_000_00, "BREB": 2_000_00, "ALL_METHODS": 2_000_00}

const tumiPayMost = 2_000_000_00

var (
	digits           = regexp.MustCompile(`^\d+$`)
	tumiPayReference = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// tumiPayFaults names what is wrong with a request, by field.
func tumiPayFaults(fields map[string]any) map[string]any {
	wrong := map[string]any{}
	is := func(name string, good bool) {
		if !good {
			wrong[name] = []string{"El campo " + name + " no es válido."}
		}
	}
	amount, _ := fields["amount"].(json.Number)
	is("reference", tumiPayReference.MatchString(text(fields, "reference")))
	is("amount", wholeNumber.MatchString(amount.String()))
	is("currency", fields["currency"] == "COP")
	is("country", fields["country"] == "CO")
	_, known := tumiPayMethods[text(fields, "payment_method")]
	is("payment_method", known)
	is("ipn_url", strings.HasPrefix(text(fields, "ipn_url"), "http"))
	is("redirect_url", strings.HasPrefix(text(fields, "redirect_url"), "http"))
	payer, _ := fields["customer_data"].(map[string]any)
	is("customer_data.legal_doc", text(payer, "legal_doc") != "")
	is("customer_data.legal_doc_type", slices.Contains([]string{"CC", "CE", "PPN"}, text(payer, "legal_doc_type")))
	is("customer_data.phone_code", digits.MatchString(text(payer, "phone_code")))
	is("customer_data.phone_number", digits.MatchString(text(payer, "phone_number")))
	is("customer_data.email", mail.MatchString(text(payer, "email")))
	is("customer_data.full_name", text(payer, "full_name") != "")
	if payer["bank"] != nil || payer["person_type"] != nil {
		is("customer_data.bank", digits.MatchString(text(payer, "bank")))
		is("customer_data.person_type", slices.Contains([]string{"NATURAL", "JURIDICA"}, text(payer, "person_type")))
	}
	if minutes, ok := fields["expiration_time"]; ok {
		n, _ := minutes.(json.Number)
		is("expiration_time", wholeNumber.MatchString(n.String()))
	}
	return wrong
}

func (tumiPay) create(s *Simulator, c *call) answer {
	fields := c.object()
	if wrong := tumiPayFaults(fields); len(wrong) > 0 {
		return tumiPayError(http.StatusUnprocessableEntity, "02", "Los datos no son válidos", wrong)
	}
	cents, _ := fields["amount"].(json.Number).Int64()
	method := text(fields, "payment_method")
	switch {
	case s.byKey(text(fields, "reference")) != nil:
		// What a repeated reference gets is not documented: here a status that elsewhere would mean a faulty request.
		return tumiPayError(http.StatusBadRequest, "14", "La referencia ya fue utilizada", nil)
	case cents < tumiPayMethods[method] || cents > tumiPayMost:
		// A business refusal comes as 200: the envelope's code decides, "01" alone is success.
		return tumiPayError(http.StatusOK, "05", "El valor está fuera de los límites permitidos", nil)
	}
	minutes := 720
	if method == "BREB" {
		minutes = 15
	}
	if n, ok := fields["expiration_time"].(json.Number); ok {
		minutes, _ = strconv.Atoi(n.String())
	}
	ch := &charge{
		id: strings.ToUpper(letters(15)), key: text(fields, "reference"), operation: "payin", cents: cents, fields: fields,
		expires: s.now().Add(time.Duration(minutes) * time.Minute), hook: text(fields, "ipn_url"),
	}
	back := text(fields, "redirect_url")
	ch.returns = map[string]string{"approved": back, "rejected": back}
	payer := fields["customer_data"].(map[string]any)
	if strings.EqualFold(text(payer, "email"), "approved@tumipay.co") { // "Testing"; its other half, that all others are rejected, would leave the page without use
		ch.status = "approved"
	}
	s.enter(c, ch)
	echo := map[string]any{}
	for _, name := range []string{"reference", "amount", "currency", "payment_method", "redirect_url", "ipn_url", "description"} {
		echo[name] = fields[name]
	}
	made := map[string]any{
		"ticket": ch.id, "date": tumiPayDate(ch.created), "payment_url": pageURL(c, "/payments/main", ch) + "&s=" + ch.id,
		"transaction": echo,
	}
	if payer["bank"] != nil && strings.Contains(c.URL.Path, "/v2/") { // straight to the bank, without an echo ("Back to back")
		made = map[string]any{"ticket": ch.id, "payment_url": pageURL(c, "/PSEUserRegister/StartTransaction.htm", ch), "type": "pse_payment"}
	}
	return tumiPaySuccess(http.StatusCreated, made) // the status of a success is not documented for this call: something was created
}

func tumiPayDate(t time.Time) string { return t.In(bogota).Format(time.DateTime) }

// tumiPayTransaction answers a search, in the words of its own list: COMPLETED and FAILED, where webhooks have others.
func tumiPayTransaction(ch *charge) map[string]any {
	payer := ch.fields["customer_data"].(map[string]any)
	number := func(name string) json.Number { return json.Number(strings.TrimLeft(text(payer, name), "0")) }
	customer := map[string]any{"full_name": payer["full_name"], "email": payer["email"], "legal_doc_type": payer["legal_doc_type"], "phone_code": payer["phone_code"]}
	customer["phone_number"] = number("phone_number") // a string in requests, a number here, as in the example
	if digits.MatchString(text(payer, "legal_doc")) {
		customer["legal_doc"] = number("legal_doc")
	}
	return map[string]any{
		"ticket": ch.id, "reference": ch.key, "amount": ch.cents, "currency": "COP", "type_transaction": "Recaudo", "customer": customer,
		"status":           map[string]string{"pending": "PENDING", "approved": "COMPLETED", "rejected": "FAILED", "expired": "EXPIRED"}[ch.status],
		"response_message": nil, "date": tumiPayDate(ch.created), "cus": nil, "metadata": []any{},
	}
}

// notices are sent on each change, the creation among them ("Webhooks").
func (tumiPay) notices(_ *Simulator, ch *charge) []notice {
	payer := ch.fields["customer_data"].(map[string]any)
	token := Token
	if ch.forged {
		token = "guessed"
	}
	signed := sha256.Sum256(fmt.Appendf(nil, `{"token":%q,"ticket":%q,"reference":%q}`, token, ch.id, ch.key))
	return []notice{{
		header: map[string]string{"x-trx-signature": hex.EncodeToString(signed[:]), "User-Agent": "Tumipay/1.1"},
		body: map[string]any{
			"top_status": map[string]string{"pending": "PENDING", "approved": "APPROVED", "rejected": "DECLINED", "expired": "EXPIRED"}[ch.status],
			"top_ticket": ch.id, "top_reference": ch.key, "top_amount": ch.cents, "top_currency": "COP", "top_payment_method": "RECAUDO",
			"top_bank_name": nil, "top_response_message": "", "top_user": payer, "top_card": nil, "top_user_email": payer["email"],
			"top_user_phone": payer["phone_number"], "top_extra_params1": nil,
		},
	}}
}
