package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// payin is TumiPay's record of a pay-in, where it stands apart.
type payin struct {
	Reference   string        `json:"reference"`
	Units       int64         `json:"units"` // the amount, in the API's unit
	Cents       bool          `json:"cents"` // which that unit is
	Currency    string        `json:"currency"`
	Method      string        `json:"method"`
	Description string        `json:"description"`
	Customer    customer      `json:"customer"`
	Bank        string        `json:"bank"` // of a direct pay-in by PSE
	Life        time.Duration `json:"life"`
	IPNURL      string        `json:"ipn_url"`
	RedirectURL string        `json:"redirect_url"`
	Token       string        `json:"token"` // the merchant's, which signs the webhooks
	CUS         string        `json:"cus"`   // PSE's tracking code
}

type customer struct {
	LegalDoc     string `json:"legal_doc"`
	LegalDocType string `json:"legal_doc_type"`
	PhoneCode    string `json:"phone_code"`
	PhoneNumber  string `json:"phone_number"`
	Email        string `json:"email"`
	FullName     string `json:"full_name"`
}

// approving are the e-mails whose pay-ins succeed by themselves.
var approving = map[string]bool{"approved@tumipay.co": true, "tumipay@tumipay.co": true}

// create is POST /v1/payin and /v2/payin.
func create(c *call) sandbox.Answer {
	in, sum, fault := readPayin(c)
	if fault != "" {
		return refused(c, fault)
	}
	if c.ByKey(in.Reference) != nil {
		switch c.Mode("duplicate") {
		case "refused":
			return refused(c, "La referencia ya existe")
		case "409":
			return failed(http.StatusConflict, "La referencia ya existe")
		}
	}
	direct := strings.Contains(c.Request.URL.Path, "/v2/") && in.Method == "PSE" && in.Bank != ""
	t := c.Add(transaction{
		Entry: sandbox.Entry{
			ID: newTicket(c), Key: in.Reference, Operation: payment.PayIn, Amount: sum, Currency: in.Currency, Status: sandbox.Pending,
		},
		ExpiresAt: c.Now.Add(in.Life),
		Detail:    in,
	})
	answer := success(made(c, t, direct))
	if c.Mode("webhooks") == "changes" {
		c.Notify(t, t.Status)
	}
	switch {
	case approving[in.Customer.Email]:
		c.Settle(t, sandbox.Approved)
	case c.Mode("emails") == "strict":
		c.Settle(t, sandbox.Rejected)
	}
	return answer
}

// newTicket is 15 characters in one place of the document and a UUID in another (TM-13).
func newTicket(c *call) string {
	h := sandbox.RandomHex(32)
	if c.Mode("ticket") == "uuid" {
		return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
	}
	return h[:15]
}

// made is the data of the answer to a create. A direct one has no echo.
func made(c *call, t *transaction, direct bool) any {
	d := t.Detail
	if direct {
		return map[string]string{"ticket": t.ID, "payment_url": c.PageURL(t.ID), "type": "pse_payment"}
	}
	data := struct {
		Ticket        string `json:"ticket"`
		Date          string `json:"date"`
		PaymentURL    string `json:"payment_url,omitzero"`
		AccountNumber string `json:"account_number,omitzero"`
		Transaction   echo   `json:"transaction"`
	}{
		Ticket: t.ID, Date: bogota(t.CreatedAt), PaymentURL: c.PageURL(t.ID) + "?s=" + t.ID,
		Transaction: echo{d.Reference, d.Units, d.Currency, d.Method, d.RedirectURL, d.IPNURL, d.Description},
	}
	if d.Method == "BREB" {
		data.AccountNumber = "@TUMI" + strings.ToUpper(t.ID[:8])
		if c.Mode("breb") == "key" {
			data.PaymentURL = ""
		}
	}
	switch c.Mode("echo") { // TM-11
	case "reference":
		data.Transaction.Reference = "1" + d.Reference
	case "currency":
		data.Transaction.Currency = "PEN"
	}
	return data
}

// echo is what the answer to a create repeats of the request.
type echo struct {
	Reference     string `json:"reference"`
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	PaymentMethod string `json:"payment_method"`
	RedirectURL   string `json:"redirect_url"`
	IPNURL        string `json:"ipn_url"`
	Description   string `json:"description"`
}

// bogota writes a time as the API does, without its zone (TM-12).
func bogota(t time.Time) string {
	return t.In(time.FixedZone("America/Bogota", -5*60*60)).Format(time.DateTime)
}

// lookUp is GET /v1/transaction/{id}, a ticket or a reference. A body is ignored (TM-15).
func lookUp(c *call) sandbox.Answer {
	id := c.Request.PathValue("id")
	t := c.ByID(id)
	if t == nil {
		t = c.ByKey(id)
	}
	switch {
	case t != nil:
		return success(record(c.Books, t))
	case c.Mode("unknown") == "200":
		return failed(http.StatusOK, "Transacción no encontrada")
	}
	return failed(http.StatusNotFound, "Transacción no encontrada")
}

// record is a pay-in as a look-up shows it: numbers where the request had texts, [] for an empty object (TM-06).
func record(b *books, t *transaction) any {
	d := t.Detail
	var cus *string
	if d.CUS != "" {
		cus = &d.CUS
	}
	return struct {
		Ticket          string         `json:"ticket"`
		Reference       string         `json:"reference"`
		Amount          int64          `json:"amount"`
		Currency        string         `json:"currency"`
		TypeTransaction string         `json:"type_transaction"`
		Customer        map[string]any `json:"customer"`
		Status          string         `json:"status"`
		ResponseMessage string         `json:"response_message"`
		Date            string         `json:"date"`
		CUS             *string        `json:"cus"`
		Metadata        []any          `json:"metadata"`
	}{
		t.ID, d.Reference, d.Units, d.Currency, "Recaudo", map[string]any{
			"legal_doc": numeric(d.Customer.LegalDoc), "legal_doc_type": d.Customer.LegalDocType,
			"phone_code": d.Customer.PhoneCode, "phone_number": numeric(d.Customer.PhoneNumber),
			"email": d.Customer.Email, "full_name": d.Customer.FullName,
		}, word(b, t.Status), messages[t.Status], bogota(t.CreatedAt), cus, []any{},
	}
}

// numeric is a text as a JSON number, where it can be one.
func numeric(s string) any {
	if n := json.Number(s); json.Valid([]byte(s)) && n != "" && s[0] >= '0' && s[0] <= '9' {
		return n
	}
	return s
}

// word is the API's for a status.
func word(b *books, s sandbox.Status) string {
	switch s {
	case sandbox.Pending:
		return b.Mode("pending_word")
	case sandbox.Approved:
		return b.Mode("approved_word")
	case sandbox.Rejected:
		return b.Mode("rejected_word")
	}
	return "EXPIRED"
}

var messages = map[sandbox.Status]string{
	sandbox.Pending:  "Transacción pendiente",
	sandbox.Approved: "Transacción aprobada",
	sandbox.Rejected: "Transacción rechazada",
	sandbox.Expired:  "Transacción expirada",
}

// settle puts the pay-in right after its payer, or time, has decided.
func settle(b *books, t *transaction) {
	if t.Status == sandbox.Approved {
		t.Detail.CUS = fmt.Sprint(3416207 + len(b.Transactions()))
		if b.Mode("payer_amount") == "changed" { // TM-17
			more := payment.Pesos(1000).Minor()
			t.Amount = payment.MoneyOfMinor(t.Amount.Minor() + more)
			if !t.Detail.Cents {
				more /= 100
			}
			t.Detail.Units += more
		}
	}
	b.Notify(t, t.Status)
}

// webhook tells everything, and its signature covers the merchant's token, the ticket and the reference only (TM-07).
func webhook(b *books, t *transaction, claim sandbox.Status) sandbox.Message {
	d := t.Detail
	body, _ := json.Marshal(map[string]any{ // texts and a number always can be
		"top_status": word(b, claim), "top_ticket": t.ID, "top_reference": d.Reference, "top_amount": d.Units,
		"top_currency": d.Currency, "top_payment_method": "RECAUDO", // TM-16
		"top_bank_name": bankNames[d.Bank], "top_response_message": messages[claim], "top_user": d.Customer,
		"top_card": nil, "top_user_email": d.Customer.Email, "top_user_phone": d.Customer.PhoneNumber, "top_extra_params1": nil,
	})
	m := sandbox.Message{URL: d.IPNURL, Body: body, Header: http.Header{"User-Agent": {"Tumipay/1.1"}}}
	switch b.Mode("signature") {
	case "valid":
		m.Header.Set("x-trx-signature", signature(d.Token, t.ID, d.Reference))
	case "wrong":
		m.Header.Set("x-trx-signature", signature("wrong", t.ID, d.Reference))
	}
	return m
}

// signature is a webhook's x-trx-signature, as a public integrator computes it.
func signature(token, ticket, reference string) string {
	sum := sha256.Sum256(sandbox.JSON(0, struct {
		Token     string `json:"token"`
		Ticket    string `json:"ticket"`
		Reference string `json:"reference"`
	}{token, ticket, reference}).Body)
	return hex.EncodeToString(sum[:])
}

func page(_ *books, t *transaction) sandbox.Page {
	d := t.Detail
	p := sandbox.Page{Merchant: "Comercio de prueba", Description: d.Description, Bank: "TumiPay", ReturnURL: d.RedirectURL}
	if d.Bank != "" {
		p.Bank = bankNames[d.Bank]
	}
	return p
}
