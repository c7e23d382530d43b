package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// transfer is the API's record of a transfer, where it stands apart.
type transfer struct {
	OwnerName      string `json:"owner_name"`
	DocumentType   string `json:"document_type"`
	DocumentNumber string `json:"document_number"`
	AccountType    string `json:"account_type"`
	AccountNumber  string `json:"account_number"`
	Amount         string `json:"amount"` // as it was written
	Bank           string `json:"bank"`
	Token          string `json:"token"`
	Description    string `json:"description"`
	OriginAccount  string `json:"origin_account"`
}

// shown is a transfer as the API shows it, in the order of the document's example.
type shown struct {
	OwnerName            string  `json:"dest_account_owner_full_name"`
	DocumentType         string  `json:"dest_account_owner_identification_type"`
	DocumentNumber       string  `json:"dest_account_owner_identification_number"`
	AccountType          string  `json:"dest_account_type"`
	AccountNumber        string  `json:"dest_account_number"`
	Amount               any     `json:"amount"`
	Status               string  `json:"status"`
	FeeAmount            any     `json:"fee_amount"`
	Bank                 string  `json:"dest_bank"`
	OriginAccountNumber  string  `json:"origin_account_number"`
	OriginAccountType    string  `json:"origin_account_type"`
	OriginDocumentNumber string  `json:"origin_account_owner_identification_number"`
	Token                string  `json:"idempotency_token"`
	ResultMessage        *string `json:"result_message"`
	Description          *string `json:"description"`
	CreatedAt            string  `json:"created_at"`
}

// results are the API's words for where a transfer stands. Beyond pending, approved and rejected no word is
// attested, so that what nobody decided on in time is rejected, too.
var results = map[sandbox.Status]struct{ word, message string }{
	sandbox.Pending:  {"pending", ""},
	sandbox.Approved: {"approved", "Transacción aprobada"},
	sandbox.Rejected: {"rejected", "Transacción rechazada por la entidad destino"},
	sandbox.Expired:  {"rejected", "Transacción vencida"},
}

func show(b *books, t *transaction) shown {
	d, result := t.Detail, results[t.Status]
	s := shown{
		OwnerName: d.OwnerName, DocumentType: d.DocumentType, DocumentNumber: d.DocumentNumber,
		AccountType: d.AccountType, AccountNumber: d.AccountNumber,
		Amount: json.Number(d.Amount), Status: result.word, FeeAmount: 0, Bank: d.Bank,
		OriginAccountNumber: "891000845", OriginAccountType: "saving_account", OriginDocumentNumber: "589632154",
		Token: d.Token, ResultMessage: orNull(result.message), Description: orNull(d.Description),
		CreatedAt: t.CreatedAt.Format("2006-01-02T15:04:05.000000Z"),
	}
	if d.OriginAccount != "" {
		s.OriginAccountType = "electronic_deposit"
	}
	if b.Mode("numbers") == "string" {
		s.Amount, s.FeeAmount = d.Amount, "0"
	}
	return s
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// The descriptions that decide on a transfer without the bank.
var magic = map[string]sandbox.Status{
	"transaction-approved": sandbox.Approved,
	"transaction-rejected": sandbox.Rejected,
}

// create is POST /transactions/create.
func create(c *call) sandbox.Answer {
	in, refusal := readOrder(c)
	if refusal != nil {
		return *refusal
	}
	switch known := c.ByKey(in.detail.Token); {
	case known != nil && known.Refused:
		return burnt
	case known != nil: // whatever else the call says (CC-04)
		return sandbox.JSON(http.StatusAlreadyReported, show(c.Books, known))
	}
	t := transaction{
		Entry: sandbox.Entry{
			ID: "coop-" + sandbox.RandomHex(20), Key: in.detail.Token, Operation: payment.PayOut, Amount: in.sum,
			Currency: "COP", Status: sandbox.Pending,
		},
		Detail: in.detail,
	}
	if c.Mode("creation") == "failed" {
		t.Refused, t.Status = true, sandbox.Rejected
		c.Add(t)
		return burnt
	}
	added := c.Add(t)
	if c.Mode("webhooks") == "changes" { // CC-16
		c.Notify(added, added.Status)
	}
	first := show(c.Books, added)
	if end, is := magic[in.detail.Description]; is && c.Mode("environment") == "staging" { // CC-07
		c.Settle(added, end)
	}
	if c.Mode("magic") == "before" {
		first = show(c.Books, added)
	}
	return sandbox.JSON(http.StatusCreated, first)
}

var burnt = failure{
	Code:    "transaction_failed",
	Message: "Transaction failed, it's safe to retry the transaction with a new idempotency_token",
}.answer(http.StatusConflict)

// lookUp is GET /transactions/{idempotency_token}. What an unknown token gets is documented nowhere.
func lookUp(c *call) sandbox.Answer {
	t := c.ByKey(c.Request.PathValue("token"))
	switch {
	case t != nil:
		return sandbox.JSON(http.StatusOK, show(c.Books, t))
	case c.Mode("unknown_token") == "422":
		return invalid("idempotency_token", "The transaction does not exist.")
	}
	return failure{Code: "not_found", Message: "The transaction does not exist."}.answer(http.StatusNotFound)
}

const (
	pageSize = 20
	maxPage  = 1_000_000
)

// history is GET /transactions: those of one origin account, the newest first.
func history(c *call) sandbox.Answer {
	query := c.Request.URL.Query()
	if query.Has("origin_account") { // the name that it has in a transfer (CC-08)
		return invalid("origin_account", "This parameter is not known.")
	}
	page := 1
	if query.Has("page") {
		var err error
		if page, err = strconv.Atoi(query.Get("page")); err != nil || page < 1 || page > maxPage {
			return invalid("page", "A whole number from 1 to %d is required.", maxPage)
		}
	}
	list, skip := []shown{}, (page-1)*pageSize
	all := c.Transactions()
	for i := len(all) - 1; i >= 0 && len(list) < pageSize; i-- {
		if t := all[i]; t.Detail.OriginAccount != query.Get("origin_account_token") {
			continue
		} else if skip > 0 {
			skip--
		} else {
			list = append(list, show(c.Books, t))
		}
	}
	return sandbox.JSON(http.StatusOK, map[string][]shown{"transactions": list})
}

// webhook says which transfer it is about and nothing else. What it calls transaction_token is the idempotency
// token (CC-05).
func webhook(_ *books, t *transaction, _ sandbox.Status) sandbox.Message {
	body, _ := json.Marshal(map[string]string{"transaction_token": t.Key}) // a map of texts always can be
	return sandbox.Message{Body: body}
}
