package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// The statuses of a payment.
const (
	authorized = "AUTHORIZED"
	inProgress = "IN_PROGRESS"
	rejected   = "REJECTED"
	unknown    = "UNKNOWN"
)

// progressTime is how long a payment is in progress.
const progressTime = time.Minute

// maxPesos is more than all bills together can cost.
const maxPesos = 99_999_999_999_999

// billPayment is Tpaga's record of a payment.
type billPayment struct {
	Reference     string `json:"reference"`
	Biller        string `json:"biller"`
	Pesos         int64  `json:"pesos"`
	PaymentToken  string `json:"payment_token"`
	PaymentOrigin string `json:"payment_origin"`
	Status        string `json:"status"`
	ResultCode    int    `json:"result_code"` // 0 = none
	// Spent is what the account had paid out when this was its newest payment.
	Spent int64 `json:"spent"`
}

// shown is a payment as the API shows it, in the order of the document's example.
type shown struct {
	Token            string   `json:"token"`
	IdempotencyToken string   `json:"idempotency_token"`
	Reference        string   `json:"short_bill_reference"`
	Biller           string   `json:"utility_provider"`
	Amount           int64    `json:"amount"`
	PaymentToken     string   `json:"payment_token"`
	PaymentOrigin    string   `json:"payment_origin"`
	Route            string   `json:"route"`
	AuthCode         *string  `json:"external_gateway_auth_code"`
	GatewayToken     *string  `json:"gateway_bill_payment_token"`
	Status           string   `json:"status"`
	ResultCode       *int     `json:"result_code"`
	BankTransaction  *string  `json:"bank_transaction_id"`
	ProviderData     struct{} `json:"payment_provider_data"`
	Message          string   `json:"error_message,omitzero"`
}

var messages = map[string]string{
	inProgress: "The bill payment is being processed in other request, try again later to get a final status",
	rejected:   "The bill payment failed. It's safe to retry the transaction with a new idempotency_token",
	unknown:    "There was an error processing the transaction. Contact Tpaga and do not retry the transaction to avoid duplicated payments",
}

// show answers with the payment. A gateway's page can stand in for the bodies of 502 and 503 (TB-01).
func show(b *books, status int, t *transaction) sandbox.Answer {
	if (status == http.StatusBadGateway || status == http.StatusServiceUnavailable) && b.Mode("gateway") == "html" {
		a := sandbox.Text(status, fmt.Sprintf("<html><body><h1>%d %s</h1></body></html>", status, http.StatusText(status)))
		a.Header.Set("Content-Type", "text/html")
		return a
	}
	d := t.Detail
	s := shown{
		Token: t.ID, IdempotencyToken: t.Key, Reference: d.Reference, Biller: d.Biller, Amount: d.Pesos,
		PaymentToken: d.PaymentToken, PaymentOrigin: d.PaymentOrigin, Route: "MOVILRED", Status: d.Status, Message: messages[d.Status],
	}
	if d.ResultCode != 0 || d.Status == authorized && b.Mode("result_code") == "0" { // TB-09
		s.ResultCode = &d.ResultCode
	}
	if d.Status == authorized {
		s.BankTransaction = ptr("dummy_bank_tx_id")
	}
	return sandbox.JSON(status, s)
}

// pay is POST /pay_bill.
func pay(c *call) sandbox.Answer {
	in, refusal := readPayment(c)
	if refusal != nil {
		return *refusal
	}
	if known := c.ByKey(in.key); known != nil {
		if c.Mode("known_token") == "strict" { // TB-18
			if field := in.differsFrom(known.Detail); field != "" {
				return invalid(field, "The %s differs from the one of the first request.", field)
			}
		}
		return show(c.Books, http.StatusConflict, known) // TB-10
	}
	refused := judgeBill(c, in.Biller, in.Reference)
	mismatched := !in.editable && in.Reference != openAmount && payment.Pesos(in.Pesos) != billAmount(c.Books)
	switch {
	case refused == &tooLong:
		return refused.answer(refused.status)
	case refused == nil && mismatched && c.Mode("mismatch") == "invalid": // TB-04
		return failure{
			Message: "The payment value does not match the value for the bill provided by the payment provider.", Field: "amount", ResultCode: 8000,
		}.answer(http.StatusUnprocessableEntity)
	case in.Pesos > funds(c.Books):
		return failure{Message: "You have no funds. Please top up your account and contact our support team to keep operating"}.answer(http.StatusPaymentRequired)
	}
	t := transaction{
		Entry: sandbox.Entry{
			ID: "bpm-" + sandbox.RandomHex(28), Key: in.key, Operation: payment.Bill, Amount: payment.Pesos(in.Pesos), Currency: "COP",
		},
		Detail: in.billPayment,
	}
	status := execute(c, &t, refused, mismatched)
	return show(c.Books, status, c.Add(t))
}

// execute pays the bill, as far as that goes, and returns the HTTP status for it. What is rejected is remembered with
// its token and was never executed.
func execute(c *call, t *transaction, refused *refusedBill, mismatched bool) int {
	t.Detail.Spent = spent(c.Books) + t.Detail.Pesos
	status := http.StatusOK
	t.Status, t.Detail.Status = sandbox.Approved, authorized
	switch {
	case refused != nil:
		status, t.Detail.ResultCode = http.StatusServiceUnavailable, refused.result
	case t.Detail.Reference == isRejected:
		status, t.Detail.ResultCode = http.StatusServiceUnavailable, 90
	case mismatched:
		status, t.Detail.ResultCode = http.StatusServiceUnavailable, 8000
	case t.Detail.Reference == staysPending: // TB-20: on the first call, too
		status, t.Status, t.Detail.Status = http.StatusConflict, sandbox.Pending, inProgress
		if c.Mode("progress") == "ends" {
			t.ExpiresAt = c.Now.Add(progressTime)
		}
	case t.Detail.Reference == isUnknown:
		status, t.Status, t.Detail.Status, t.Detail.ResultCode = http.StatusBadGateway, sandbox.Unknown, unknown, 16
	}
	if status == http.StatusServiceUnavailable {
		t.Refused, t.Status, t.Detail.Status = true, sandbox.Rejected, rejected
		t.Detail.Spent -= t.Detail.Pesos
	}
	return status
}

// settle puts the payment right after it was moved. One that was in progress for its time is authorized.
func settle(b *books, t *transaction) {
	if t.Status == sandbox.Expired {
		t.Status = sandbox.Approved
	}
	was := t.Detail.Status
	t.Detail.Status, t.Detail.ResultCode = authorized, 0
	if t.Status == sandbox.Rejected {
		t.Detail.Status, t.Detail.ResultCode = rejected, 90
	}
	change := int64(0)
	switch {
	case was != rejected && t.Detail.Status == rejected:
		change = -t.Detail.Pesos
	case was == rejected && t.Detail.Status != rejected:
		change = t.Detail.Pesos
	}
	all := b.Transactions()
	newest := all[len(all)-1]
	newest.Detail.Spent += change
	b.Save(newest)
}

// spent is what the account has paid out.
func spent(b *books) int64 {
	all := b.Transactions()
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Detail.Spent
}

func pesosMode(b *books, name string) int64 {
	n, _ := strconv.ParseInt(b.Mode(name), 10, 64) // checked when it was set
	return n
}

// funds is what can still be paid with, in pesos.
func funds(b *books) int64 { return pesosMode(b, "balance") + pesosMode(b, "max_loan") - spent(b) }

// showBalance is GET /merchant/balance.
func showBalance(c *call) sandbox.Answer {
	return sandbox.JSON(http.StatusOK, struct {
		Balance int64 `json:"balance"`
		MaxLoan int64 `json:"max_loan_amount"`
	}{pesosMode(c.Books, "balance") - spent(c.Books), pesosMode(c.Books, "max_loan")})
}

// lookUp is GET /bill_payment_transactions/{idempotency_token}. What an unknown token gets is documented nowhere.
func lookUp(c *call) sandbox.Answer {
	t := c.ByKey(c.Request.PathValue("token"))
	switch {
	case t != nil:
		return show(c.Books, http.StatusOK, t)
	case c.Mode("unknown_token") == "422":
		return invalid("idempotency_token", "The bill payment transaction does not exist.")
	}
	return failure{Message: "The bill payment transaction does not exist."}.answer(http.StatusNotFound)
}

// order is what a payment is asked for with.
type order struct {
	billPayment
	key      string
	editable bool
}

func (o order) differsFrom(first billPayment) string {
	switch {
	case o.PaymentToken != first.PaymentToken:
		return "payment_token"
	case o.PaymentOrigin != first.PaymentOrigin:
		return "payment_origin"
	}
	return ""
}

// invalid answers that a field is at fault.
func invalid(field, format string, args ...any) sandbox.Answer {
	return failure{Message: fmt.Sprintf(format, args...), Field: field}.answer(http.StatusUnprocessableEntity)
}

// reader reads the fields of a payment in the order of the document's table and stops at the first fault. Texts that
// the document does not give are those of its framework's Spanish translation (Django REST).
type reader struct {
	fields  map[string]json.RawMessage
	refusal *sandbox.Answer
}

func (r *reader) refuse(field, format string, args ...any) {
	if r.refusal == nil {
		a := invalid(field, format, args...)
		r.refusal = &a
	}
}

// text reads a text of 1 to max characters; 0 = no limit here.
func (r *reader) text(field string, max int) (value string) {
	raw, given := r.fields[field]
	switch {
	case !given:
		r.refuse(field, "Este campo es requerido.")
	case string(raw) == "null":
		r.refuse(field, "Este campo no puede ser nulo.")
	case json.Unmarshal(raw, &value) != nil:
		r.refuse(field, "No es una cadena válida.")
	case value == "":
		r.refuse(field, "Este campo no puede estar en blanco.")
	case max > 0 && utf8.RuneCountInString(value) > max:
		r.refuse(field, "Asegúrese de que este campo no tenga más de %d caracteres.", max)
	}
	return value
}

// pesos reads a whole number greater than 0, which is neither a text nor written with a point (TB-03, TB-14).
func (r *reader) pesos(field string) int64 {
	raw, given := r.fields[field]
	n, err := strconv.ParseInt(string(raw), 10, 64)
	switch {
	case !given:
		r.refuse(field, "Este campo es requerido.")
	case err != nil:
		r.refuse(field, "Introduzca un número entero válido.")
	case n < 1:
		r.refuse(field, "Asegúrese de que este valor es mayor o igual a 1.")
	case n > maxPesos:
		r.refuse(field, "Asegúrese de que este valor es menor o igual a %d.", int64(maxPesos))
	}
	return n
}

// readPayment reads the body of POST /pay_bill by every documented rule but that of the reference's length.
func readPayment(c *call) (order, *sandbox.Answer) {
	r := &reader{}
	if err := json.Unmarshal(c.Body, &r.fields); err != nil || r.fields == nil {
		r.refuse("non_field_errors", "JSON parse error")
		return order{}, r.refusal
	}
	in := order{key: r.text("idempotency_token", 128)}
	in.Pesos = r.pesos("amount")
	in.Biller = r.text("utility_provider", 64)
	found, known := agreementNamed(c, in.Biller)
	if !known {
		r.refuse("utility_provider", "Objeto con id=%s no existe.", in.Biller)
	}
	in.editable = found.Editable || !found.Queriable // nothing tells its bills' amounts (TB-19)
	in.Reference = r.text("short_bill_reference", 0)
	in.PaymentOrigin = r.text("payment_origin", 64)
	in.PaymentToken = r.text("payment_token", 255)
	return in, r.refusal
}
