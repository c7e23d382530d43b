package sandbox

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// The statuses of a charge.
const (
	pending        = "pending"
	rejected       = "rejected"        // by PSE, at registration
	failed         = "failed"          // not registered
	authorized     = "authorized"      // the payer paid
	chargeRejected = "charge-rejected" // declined or not paid in time
	settled        = "settled"         // Tpaga confirmed it to PSE
)

// charge is Tpaga's record of a charge, as it shows it. The payer's phone number is not among it.
type charge struct {
	OrderID          string        `json:"order_id"`
	Amount           payment.Money `json:"amount"`
	VATAmount        payment.Money `json:"vat_amount"`
	Description      string        `json:"description"`
	UserType         string        `json:"user_type"`
	BankCode         string        `json:"bank_code"`
	Status           string        `json:"status"`
	BuyerEmail       string        `json:"buyer_email"`
	BuyerFullName    string        `json:"buyer_full_name"`
	DocumentType     string        `json:"document_type"`
	DocumentNumber   string        `json:"document_number"`
	RedirectURL      string        `json:"redirect_url"`
	TraceabilityCode *string       `json:"traceability_code"`
	ReturnCode       *string       `json:"return_code"`
	BankURL          *string       `json:"bank_url"`
	TransactionState *string       `json:"transaction_state"`
	RejectedReason   *string       `json:"rejected_reason"`
}

// show answers with the charge under its token.
func show(status int, t *transaction) sandbox.Answer {
	return sandbox.JSON(status, struct {
		Token string `json:"token"`
		charge
	}{t.ID, t.Detail})
}

// create is POST /public/charge.
func create(c *call) sandbox.Answer {
	in, refusal := readCharge(c)
	if refusal != nil {
		return refusal.answer()
	}
	if known := c.ByKey(in.OrderID); known != nil {
		if c.Mode("duplicate") == "charge" {
			return show(http.StatusRequestTimeout, known)
		}
		return message(http.StatusRequestTimeout, "El cobro ya existe.") // 408 is Tpaga's word for it (TP-01)
	}
	t := transaction{
		Entry: sandbox.Entry{
			ID: "pse-" + sandbox.RandomHex(32), Key: in.OrderID, Operation: payment.PayIn,
			Amount: in.Amount, Currency: "COP", Status: sandbox.Pending,
		},
		ExpiresAt: c.Now.Add(chargeLifetime),
		Detail:    in,
	}
	status := register(c, &t)
	return show(status, c.Add(t))
}

// register hands the charge to PSE and returns the HTTP status for how that went. What PSE did not take is
// remembered, with its order_id, but was never executed.
func register(c *call, t *transaction) int {
	refuse := func(status, code, reason string) {
		t.Refused, t.Status = true, sandbox.Rejected
		t.Detail.Status, t.Detail.ReturnCode, t.Detail.RejectedReason = status, &code, &reason
	}
	switch c.Mode("registration") {
	case "rejected":
		refuse(rejected, "FAIL_TRANSACTIONNOTALLOWED", "Transacción no permitida")
		return http.StatusCreated
	case "failed":
		refuse(failed, "FAIL_BANKUNREACHEABLE", "No fue posible comunicarse con el banco")
		return http.StatusConflict
	case "timeout":
		refuse(failed, "FAIL_TIMEOUT", "Tiempo de espera agotado al comunicarse con PSE")
		return http.StatusBadGateway
	}
	padding := 44 // as in the document's example
	if c.Mode("bank_url") == "long" {
		padding = 600
	}
	code, trace := "SUCCESS", fmt.Sprint(3416207+len(c.Transactions())) // counted on from the document's example
	url := c.PageURL(t.ID) + "?enc=" + sandbox.RandomHex(padding)
	t.Detail.Status, t.Detail.ReturnCode, t.Detail.TraceabilityCode, t.Detail.BankURL = pending, &code, &trace, &url
	return http.StatusCreated
}

// lookUp is GET /public/charge/{token}. What an unknown token gets is documented nowhere (TP-19).
func lookUp(c *call) sandbox.Answer {
	token := c.Request.PathValue("token")
	t := c.ByID(token)
	switch {
	case t != nil:
		return show(http.StatusOK, t)
	case c.Mode("unknown_token") == "422":
		return fault{"El cobro no existe.", "token", token}.answer()
	}
	return message(http.StatusNotFound, "El cobro no existe.")
}

// settle puts the charge right after its payer, or time, has decided.
func settle(b *books, t *transaction) {
	var state string
	t.Detail.RejectedReason = nil
	switch t.Status {
	case sandbox.Approved:
		state = "OK"
		approve(b, t)
	case sandbox.Rejected:
		state = "NOT_AUTHORIZED"
		reason := "Transacción no autorizada por el pagador"
		t.Detail.Status, t.Detail.RejectedReason = chargeRejected, &reason
	case sandbox.Expired:
		state = "EXPIRED"
		reason := "Transacción no concluída en el banco"
		t.Detail.Status, t.Detail.RejectedReason = chargeRejected, &reason
	}
	t.Detail.TransactionState = &state
	b.Notify(t, t.Status)
}

// approve moves the charge on; settle sends one webhook after it.
func approve(b *books, t *transaction) {
	first, then := settled, settled
	switch b.Mode("settlement") {
	case "at_once":
		b.Notify(t, t.Status) // of authorized, which is over before anybody can ask
	case "authorized_first":
		first = authorized
	case "settled_first":
		then = authorized
	}
	if t.Detail.Status == first {
		t.Detail.Status = then
	} else {
		t.Detail.Status = first
	}
}

// webhook says which charge it is about and nothing else.
func webhook(b *books, t *transaction, _ sandbox.Status) sandbox.Message {
	body := `{"charge_token": "` + t.ID + `"}`
	if b.Mode("webhook_body") == "literal" {
		body = strings.Join([]string{"{", "      {'charge_token': '" + t.ID + "'}", "  }"}, "\n")
	}
	return sandbox.Message{Body: []byte(body)}
}

func page(_ *books, t *transaction) sandbox.Page {
	return sandbox.Page{
		Merchant: "Tpaga PSE", Description: t.Detail.Description,
		Bank: bankNames[t.Detail.BankCode], ReturnURL: t.Detail.RedirectURL,
	}
}
