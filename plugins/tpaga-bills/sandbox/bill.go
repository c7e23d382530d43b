package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// agreement is one of the service_providers.
type agreement struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Style     style   `json:"style"`
	EAN13     *string `json:"ean13_biller_code"`
	Scannable bool    `json:"is_scannable"`
	Editable  bool    `json:"cost_is_editable"`
	Queriable bool    `json:"is_queriable"`
}

type style struct {
	Title       string  `json:"title"`
	IconURL     string  `json:"icon_url"`
	Description *string `json:"description"`
	Placeholder *string `json:"placeholder,omitempty"` // "may not always be present"
}

type category struct {
	ID         string   `json:"id"`
	Style      style    `json:"style"`
	Agreements []string `json:"service_providers"`
}

func ptr(s string) *string { return &s }

const (
	icons      = "https://s3.amazonaws.com/tpaga-wallet-resources/android/promotions/bill_payment_promotion/"
	categories = "https://tpaga-wallet-resources.s3.amazonaws.com/android/promotions/inscribed_bills/"
)

// firstAgreements are the document's four, and one of each kind that its example has not: editable, and not queriable
// (TB-19).
var firstAgreements = []agreement{
	{"movistar_fijo", "Movistar - Fijo", style{"Movistar", icons + "movistar_fijo_icono.png", ptr(""), ptr("Número de Celular")}, ptr("7701055000054"), true, false, true},
	{"etb", "ETB", style{"ETB", icons + "etb_icono.png", ptr(""), ptr("Referencia de Pago")}, ptr("7707181500017"), true, false, true},
	{"codensa", "Codensa", style{"Codensa", icons + "codensa_icono.png", ptr(""), ptr("Número de Cuenta")}, ptr("7707209914253"), false, false, true},
	{"claro_movil", "Claro", style{"Claro", icons + "claro_icono.png", ptr(""), ptr("Referencia de Pago")}, ptr("7707175320010"), true, false, true},
	{"editable_card", "Tarjeta de monto libre", style{"Tarjeta", icons + "editable_card_icono.png", nil, nil}, nil, false, true, true},
	{"unqueriable_toll", "Peaje sin consulta", style{"Peaje", icons + "unqueriable_toll_icono.png", nil, ptr("Placa")}, nil, false, false, false},
}

var allCategories = []category{
	{"mobile", style{"Celular", categories + "mobile.png", ptr("Recarga en línea: minutos y datos"), nil}, []string{"claro_movil"}},
	{"phone", style{"Teléfono", categories + "phone.png", ptr("Paga tu teléfono fijo"), nil}, []string{"movistar_fijo"}},
	{"internet", style{"Internet", categories + "internet.png", ptr("Paga Internet"), nil}, []string{"etb"}},
	{"power", style{"Luz", categories + "power.png", ptr("Paga la luz"), nil}, []string{"codensa"}},
	{"other", style{"Otros", categories + "other.png", nil, nil}, []string{"editable_card", "unqueriable_toll"}},
}

func agreementCount(c *call) int {
	n, _ := strconv.Atoi(c.Mode("agreements")) // checked when it was set
	return n
}

// agreementAt is the agreement with that number, from 0.
func agreementAt(i int) agreement {
	if i < len(firstAgreements) {
		return firstAgreements[i]
	}
	id := fmt.Sprintf("biller_%d", i+1)
	return agreement{id, fmt.Sprintf("Biller %d", i+1), style{id, icons + id + ".png", ptr(""), nil}, nil, false, false, true}
}

// agreementNamed finds an agreement by its id.
func agreementNamed(c *call, id string) (agreement, bool) {
	var number int
	_, err := fmt.Sscanf(id, "biller_%d", &number)
	for i := range min(agreementCount(c), len(firstAgreements)) {
		if firstAgreements[i].ID == id {
			return firstAgreements[i], true
		}
	}
	if err != nil || number <= len(firstAgreements) || number > agreementCount(c) || agreementAt(number-1).ID != id {
		return agreement{}, false
	}
	return agreementAt(number - 1), true
}

const maxPerPage = 500

// listAgreements is GET /utility_providers. A page after the last one is empty.
func listAgreements(c *call) sandbox.Answer {
	page, ok := positive(c, "page", 1, 1_000_000)
	perPage, ok2 := positive(c, "per_page", maxPerPage, maxPerPage)
	if !ok || !ok2 {
		return failure{Message: "Se requiere un número entero válido.", Field: "page"}.answer(http.StatusUnprocessableEntity)
	}
	first := min((page-1)*perPage, agreementCount(c))
	list := make([]agreement, min(perPage, agreementCount(c)-first))
	for i := range list {
		list[i] = agreementAt(first + i)
	}
	return sandbox.JSON(http.StatusOK, struct {
		Agreements []agreement `json:"service_providers"`
		Categories []category  `json:"categories"`
	}{list, allCategories})
}

// positive reads a whole number of the query.
func positive(c *call, name string, absent, most int) (int, bool) {
	text := c.Request.URL.Query().Get(name)
	if text == "" {
		return absent, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= most
}

// refusedBill is a bill that cannot be paid: what a query gets, and the result code of a payment.
type refusedBill struct {
	status int
	failure
	result int
}

var (
	expired     = refusedBill{422, failure{Message: "Bill has expired", BillCode: "expired_bill"}, 15}
	missing     = refusedBill{422, failure{Message: "There is no bill that matches the given bill_payment_provider and bill_reference", BillCode: "bill_does_not_exist"}, 82}
	alreadyPaid = refusedBill{422, failure{Message: "This bill number has already been paid", BillCode: "already_paid_bill"}, 84}
	unpayable   = refusedBill{422, failure{Message: "Tpaga is having issues with the bill payment service", BillCode: "bill_cannot_be_paid"}, 15}
	later       = refusedBill{422, failure{Message: "Please try again later", BillCode: "try_again_later"}, 15}
	noProvider  = refusedBill{412, failure{Message: "There is no bill_payment_provider enabled"}, 15}
	tooLong     = refusedBill{422, failure{Message: "Asegúrese de que este campo no tenga más de 20 caracteres.", BillCode: "invalid_field_length", Field: "short_bill_reference"}, 0}
	noFunds     = failure{Message: "Insufficient funds. Please top up your account and contact support to continue operating."}
)

// The document's test references of bills that exist. 000000 is payable with any amount; the last three are for
// payments.
const (
	payable      = "111100005555"
	openAmount   = "000000"
	staysPending = "111100001111"
	isRejected   = "111100003333"
	isUnknown    = "111100004444"
)

const maxReference = 20

var testBills = map[string]*refusedBill{
	payable: nil, openAmount: nil, staysPending: nil, isRejected: nil, isUnknown: nil,
	"dummy412":                   &noProvider,
	"dummy422-does-not-exist":    &missing,
	"dummy422-expired-bill":      &expired,
	"dummy422-already-paid-bill": &alreadyPaid,
	"dummy422-try-again":         &later,
	"dummy422-cannot-be-paid":    &unpayable,
}

// judgeBill says why a bill cannot be paid; nil where it can. The test references go before the rule about their
// length (TB-05).
func judgeBill(c *call, biller, reference string) *refusedBill {
	refused, test := testBills[reference]
	switch {
	case test:
		return refused
	case utf8.RuneCountInString(reference) > maxReference:
		return &tooLong
	case c.Mode("paid") == "once" && paid(c, biller, reference):
		return &alreadyPaid
	}
	return nil
}

func paid(c *call, biller, reference string) bool {
	for _, t := range c.Transactions() {
		if t.Status == sandbox.Approved && t.Detail.Biller == biller && t.Detail.Reference == reference {
			return true
		}
	}
	return false
}

// showBill is GET /utility_providers/{service_provider_id}/bills/{bill_reference}.
func showBill(c *call) sandbox.Answer {
	biller, reference := c.Request.PathValue("biller"), c.Request.PathValue("reference")
	found, known := agreementNamed(c, biller)
	if !known {
		return missing.answer(http.StatusUnprocessableEntity)
	}
	if !found.Queriable {
		return noProvider.answer(http.StatusPreconditionFailed)
	}
	if refused := judgeBill(c, biller, reference); refused != nil {
		return refused.answer(refused.status)
	}
	sum := billAmount(c.Books)
	if sum.Minor() > funds(c.Books)*100 { // a query tells of it, too (TB-12)
		return noFunds.answer(http.StatusPaymentRequired)
	}
	b := map[string]any{"utility_provider": biller, "short_bill_reference": reference, "amount": sum.String()}
	switch c.Mode("payable_until") {
	case "date":
		b["payable_until"] = "2022-08-09"
	case "null":
		b["payable_until"] = nil
	}
	return sandbox.JSON(http.StatusOK, b)
}

func billAmount(b *books) payment.Money {
	m, _ := payment.ParseMoney(b.Mode("bill_amount")) // checked when it was set
	return m
}
