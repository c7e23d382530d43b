package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// payIn is PayPaga's record of a pay-in, where it stands apart.
type payIn struct {
	Country        string    `json:"country"`
	Currency       string    `json:"currency"`
	Method         string    `json:"method"`
	OrderReference string    `json:"order_reference"`
	Reference      string    `json:"reference"`
	CustomerID     string    `json:"customer_id"`
	Fields         fields    `json:"fields"`
	SuccessURL     string    `json:"success_url"`
	FailureURL     string    `json:"failure_url"`
	Word           string    `json:"word"`       // the status, where an override chose it
	DecidedAt      time.Time `json:"decided_at"` // zero = not yet
	Reason         string    `json:"reason"`     // why it failed
	Quiet          bool      `json:"quiet"`      // an override without notifications
}

type fields struct {
	FirstName      string `json:"first_name"`
	LastName       string `json:"last_name"`
	DocumentType   string `json:"document_type"`
	DocumentNumber string `json:"document_number"`
	BankCode       string `json:"bank_code"`
	Email          string `json:"email"`
	Phone          string `json:"phone"`
	Address        string `json:"address"`
}

// create is POST /v2/transactions/pay-in.
func create(c *call) sandbox.Answer {
	in, sum, faults := readPayIn(c)
	switch {
	case in == nil:
		return failed(http.StatusBadRequest, "BAD_REQUEST", "The request could not be parsed.", nil)
	case len(faults) > 0:
		return failed(http.StatusBadRequest, "VALIDATION_ERROR", "The request contains invalid fields.", map[string]any{"errors": faults})
	case in.Country != "CO" || in.Currency != "COP" || in.Method != "pse" || c.Mode("configuration") == "disabled":
		return notConfigured()
	case c.ByKey(in.Reference) != nil && c.Mode("duplicate") == "409":
		return failed(http.StatusConflict, "MERCHANT_REFERENCE_ALREADY_EXISTS", "The merchant transaction reference already exists.", nil)
	case c.Mode("processing") == "refused":
		return processingFailed()
	}
	lifetime, _ := time.ParseDuration(c.Mode("lifetime")) // checked when it was set
	t := c.Add(transaction{
		Entry: sandbox.Entry{
			ID: newID(c.Now), Key: in.Reference, Operation: payment.PayIn, Amount: sum, Currency: in.Currency, Status: sandbox.Pending,
		},
		ExpiresAt: c.Now.Add(lifetime),
		Detail:    *in,
	})
	if c.Mode("processing") == "stored" {
		return processingFailed()
	}
	answer := struct {
		ID           string     `json:"transaction_id"`
		Reference    any        `json:"payment_method_reference"`
		ExpiresAt    *time.Time `json:"expires_at,omitempty"`
		Instructions struct {
			ReferenceURL string `json:"reference_url"`
		} `json:"instructions"`
	}{ID: t.ID, ExpiresAt: &t.ExpiresAt}
	answer.Instructions.ReferenceURL = c.PageURL(t.ID)
	number := 129929 + len(c.Transactions()) // counted on from the document's example
	answer.Reference = number
	if c.Mode("reference") == "string" { // PP-08
		answer.Reference = strconv.Itoa(number)
	}
	if c.Mode("expires_at") == "missing" {
		answer.ExpiresAt = nil
	}
	return sandbox.JSON(http.StatusCreated, answer)
}

// processingFailed is the 402 of PayPaga's table, which gives no code for it.
func processingFailed() sandbox.Answer {
	return failed(http.StatusPaymentRequired, "REQUEST_FAILED", "The request could not be processed.", nil)
}

// newID is a time and hexadecimal digits in the form of a UUID (PP-09).
func newID(now time.Time) string {
	h := sandbox.RandomHex(20)
	return strings.Join([]string{now.Format("20060102-1504"), h[:4], h[4:8], h[8:]}, "-")
}

// retrieve is GET /v2/transactions/pay-in/{id}.
func retrieve(c *call) sandbox.Answer {
	t := c.ByID(c.Request.PathValue("id"))
	if t == nil {
		return notFound()
	}
	return sandbox.JSON(http.StatusOK, show(c.Books, t))
}

// pageSize is how many pay-ins a search answers with at most.
const pageSize = 50

// search is GET /v2/transactions/pay-in: newest first. Its parameters and the names of its members are documented
// nowhere; these follow those of a pay-in.
func search(c *call) sandbox.Answer {
	q := c.Request.URL.Query()
	found := []record{}
	for _, t := range slices.Backward(c.Transactions()) {
		matches := func(name, value string) bool { return !q.Has(name) || q.Get(name) == value }
		filtered := matches("merchant_transaction_reference", t.Detail.Reference) && matches("merchant_order_reference", t.Detail.OrderReference) &&
			matches("transaction_id", t.ID) && matches("status", word(c.Books, t, t.Status))
		if filtered || c.Mode("search") == "ignored" {
			found = append(found, show(c.Books, t))
		}
	}
	total := len(found)
	found = found[:min(total, pageSize)]
	switch {
	case total == 0 && c.Mode("unknown") == "404":
		return notFound()
	case c.Mode("search") == "list":
		return sandbox.JSON(http.StatusOK, found)
	}
	return sandbox.JSON(http.StatusOK, struct {
		Data []record       `json:"data"`
		Meta map[string]int `json:"meta"`
	}{found, map[string]int{"page": 1, "page_size": pageSize, "total": total}})
}

// record is a pay-in as a look-up shows it, with the members of the documents' pay-out.
type record struct {
	ID             string         `json:"transaction_id"`
	OrderReference string         `json:"merchant_order_reference"`
	Reference      string         `json:"merchant_transaction_reference"`
	InitiatedOn    time.Time      `json:"initiated_on"`
	CreatedOn      time.Time      `json:"created_on"`
	ApprovedOn     *time.Time     `json:"approved_on"`
	FailedOn       *time.Time     `json:"failed_on"`
	FailReason     *string        `json:"fail_reason"`
	Country        string         `json:"country"`
	Currency       string         `json:"currency"`
	PaymentMethod  string         `json:"payment_method"`
	Fields         map[string]any `json:"fields"`
	Amount         json.Number    `json:"transaction_amount"`
	Fee            int            `json:"fee"`
	Tax            int            `json:"tax"`
	Status         string         `json:"status"`
	Meta           struct{}       `json:"meta"`
}

func show(b *books, t *transaction) record {
	d := t.Detail
	r := record{
		ID: t.ID, OrderReference: d.OrderReference, Reference: d.Reference, InitiatedOn: t.CreatedAt, CreatedOn: t.CreatedAt,
		Country: d.Country, Currency: d.Currency, PaymentMethod: d.Method, Status: word(b, t, t.Status),
		Amount: json.Number(strconv.FormatInt(t.Amount.Minor()/100, 10)),
		Fields: map[string]any{
			"first_name": d.Fields.FirstName, "last_name": d.Fields.LastName, "document_type": d.Fields.DocumentType,
			"document_number": numeric(d.Fields.DocumentNumber), "bank_code": numeric(d.Fields.BankCode), // PP-18
			"email": d.Fields.Email, "phone": d.Fields.Phone, "address": d.Fields.Address,
		},
	}
	switch {
	case d.DecidedAt.IsZero():
	case t.Status == sandbox.Approved:
		r.ApprovedOn = &d.DecidedAt
	default:
		r.FailedOn, r.FailReason = &d.DecidedAt, &d.Reason
	}
	return r
}

// numeric is a text as a JSON number, where it can be one.
func numeric(s string) any {
	if json.Valid([]byte(s)) {
		return json.Number(s)
	}
	return s
}

var rejectedWords = []string{"rejected", "reject", "declined", "canceled", "cancelled", "failed", "error"}

// word is PayPaga's for a status (PP-16).
func word(b *books, t *transaction, s sandbox.Status) string {
	w := string(s)
	switch {
	case s == t.Status && t.Detail.Word != "":
		w = t.Detail.Word
	case s == sandbox.Pending:
		w = b.Mode("pending_word")
	case s == sandbox.Rejected:
		w = b.Mode("rejected_word")
	}
	if b.Mode("case") == "title" {
		w = strings.ToUpper(w[:1]) + w[1:]
	}
	return w
}

const overridePath = "/v2/test/transactions/pay-in/{id}/status"

// override is …/v2/test/transactions/pay-in/{id}/status: it decides a pay-in that waits.
func override(c *call) sandbox.Answer {
	var body struct {
		Status            string `json:"status"`
		Reason            string `json:"reason"`
		WithNotifications bool   `json:"with_notifications"`
	}
	if json.Unmarshal(c.Body, &body) != nil {
		return failed(http.StatusBadRequest, "BAD_REQUEST", "The request could not be parsed.", nil)
	}
	to := sandbox.Status(body.Status)
	if slices.Contains(rejectedWords, body.Status) {
		to = sandbox.Rejected
	}
	t := c.ByID(c.Request.PathValue("id"))
	switch {
	case t == nil:
		return notFound()
	case to != sandbox.Approved && to != sandbox.Rejected && to != sandbox.Expired:
		faults := []fault{{"status", "The selected value is invalid."}}
		return failed(http.StatusBadRequest, "VALIDATION_ERROR", "The request contains invalid fields.", map[string]any{"errors": faults})
	case t.Status != sandbox.Pending:
		return failed(http.StatusConflict, "INVALID_STATUS_TRANSITION", "The transaction cannot move to that status.", nil)
	}
	t.Detail.Word, t.Detail.Reason, t.Detail.Quiet = body.Status, body.Reason, !body.WithNotifications
	c.Settle(t, to)
	return sandbox.JSON(http.StatusOK, show(c.Books, t))
}

var reasons = map[sandbox.Status]string{
	sandbox.Rejected: "Transaction rejected by the bank.",
	sandbox.Expired:  "Transaction expired.",
}

// settle puts the pay-in right after its payer, or time, has decided.
func settle(b *books, t *transaction) {
	d := &t.Detail
	d.DecidedAt = b.Now
	if t.Status != sandbox.Rejected {
		d.Word = "" // the only status that has several
	}
	if d.Reason == "" {
		d.Reason = reasons[t.Status]
	}
	if quiet := d.Quiet || t.Status == sandbox.Expired && b.Mode("expiry_webhook") == "none"; !quiet {
		b.Notify(t, t.Status)
	}
	d.Quiet = false
}

// webhook is V1's callback; V2's is documented nowhere.
func webhook(b *books, t *transaction, claim sandbox.Status) sandbox.Message {
	return sandbox.Message{Body: sandbox.JSON(0, struct {
		ID        string `json:"transaction_id"`
		Status    string `json:"status"`
		Merchant  string `json:"merchant_id"`
		Type      string `json:"transaction_type"`
		Reference string `json:"merchant_transaction_reference"`
	}{t.ID, word(b, t, claim), "comercio-de-prueba", "Payin", t.Detail.Reference}).Body}
}

func page(_ *books, t *transaction) sandbox.Page {
	d := t.Detail
	p := sandbox.Page{
		Merchant: "Comercio de prueba", Description: d.OrderReference, Bank: bankNames[d.Fields.BankCode], ReturnURL: d.FailureURL,
	}
	if t.Status == sandbox.Approved {
		p.ReturnURL = d.SuccessURL
	}
	return p
}
