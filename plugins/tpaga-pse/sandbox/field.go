package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// fault is the body of a 422.
type fault struct {
	Message string `json:"error_message"`
	Field   string `json:"field"`
	Value   string `json:"value"`
}

func (f fault) answer() sandbox.Answer { return sandbox.JSON(http.StatusUnprocessableEntity, f) }

// reader reads the fields of a charge in the document's order and stops at the first fault. Texts that the
// document does not give are those of its framework's Spanish translation (Django REST).
type reader struct {
	fields map[string]json.RawMessage
	fault  *fault
}

func (r *reader) refuse(field, value, format string, args ...any) {
	if r.fault == nil {
		r.fault = &fault{fmt.Sprintf(format, args...), field, value}
	}
}

// given returns the raw value of a field, "" where it is absent or null.
func (r *reader) given(field string) string {
	raw, ok := r.fields[field]
	switch {
	case !ok:
		r.refuse(field, "", "Este campo es requerido.")
		return ""
	case string(raw) == "null":
		r.refuse(field, "", "Este campo no puede ser nulo.")
		return ""
	}
	return string(raw)
}

// text reads a text of 1 to max characters.
func (r *reader) text(field string, max int) string {
	raw := r.given(field)
	if raw == "" {
		return ""
	}
	var value string
	switch err := json.Unmarshal([]byte(raw), &value); {
	case err != nil:
		r.refuse(field, raw, "No es una cadena válida.")
	case value == "":
		r.refuse(field, value, "Este campo no puede estar en blanco.")
	case utf8.RuneCountInString(value) > max:
		r.refuse(field, value, "Asegúrese de que este campo no tenga más de %d caracteres.", max)
	}
	return value
}

// choice reads one of a few words, case as written.
func (r *reader) choice(field string, words ...string) string {
	value := r.text(field, 20)
	if !slices.Contains(words, value) {
		r.refuse(field, value, "%q no es una elección válida.", value)
	}
	return value
}

var number = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// money reads an amount, written as a string or as a number, and returns it with what was written.
func (r *reader) money(field string) (payment.Money, string) {
	raw := r.given(field)
	if raw == "" {
		return payment.Money{}, ""
	}
	value := raw
	if raw[0] == '"' {
		json.Unmarshal([]byte(raw), &value) // well-formed: it was read once
	}
	_, decimals, _ := strings.Cut(value, ".")
	m, err := payment.ParseMoney(value)
	switch {
	case number.MatchString(value) && len(decimals) > 2:
		r.refuse(field, value, "Asegúrese de que no haya más de 2 decimales.")
	case err != nil:
		r.refuse(field, value, "Se requiere un número válido.")
	}
	return m, value
}

// readCharge reads the body of POST /public/charge by every documented rule. Limits and the tax are judged last,
// when every field is well-formed.
func readCharge(c *call) (charge, *fault) {
	r := &reader{}
	if err := json.Unmarshal(c.Body, &r.fields); err != nil {
		r.refuse("non_field_errors", "", "JSON parse error - %v", err)
		return charge{}, r.fault
	}
	in := charge{BankCode: r.text("bank_code", 35)}
	if _, ok := bankNames[in.BankCode]; !ok || in.BankCode == placeholder {
		r.refuse("bank_code", in.BankCode, "Objeto con code=%s no existe.", in.BankCode)
	}
	in.OrderID = r.text("order_id", 20)
	var amount, vat string
	in.Amount, amount = r.money("amount")
	in.VATAmount, vat = r.money("vat_amount")
	in.Description = r.text("description", 80)
	in.UserType = r.choice("user_type", "NATURAL", "LEGAL")
	in.BuyerEmail = r.text("buyer_email", 255)
	if a, err := mail.ParseAddress(in.BuyerEmail); err != nil || a.Address != in.BuyerEmail {
		r.refuse("buyer_email", in.BuyerEmail, "Introduzca una dirección de correo electrónico válida.")
	}
	in.BuyerFullName = r.text("buyer_full_name", 255)
	in.DocumentType = r.choice("document_type", "CC", "CE", "NIT", "TI", "PP")
	in.DocumentNumber = r.text("document_number", 20)
	in.RedirectURL = r.text("redirect_url", 500)
	if u, err := url.Parse(in.RedirectURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		r.refuse("redirect_url", in.RedirectURL, "Introduzca una URL válida.")
	}
	r.text("buyer_phone_number", 20) // a country code is to be avoided, not forbidden (TP-14)
	judgeAmounts(c, r, in, amount, vat)
	return in, r.fault
}

// judgeAmounts applies the merchant's limits and the rule about the tax. The document prints another minimum in
// each of its two messages (TP-09).
func judgeAmounts(c *call, r *reader, in charge, amount, vat string) {
	least, _ := payment.ParseMoney(c.Mode("min_amount"))
	most, _ := payment.ParseMoney(c.Mode("max_amount"))
	const limits = "El valor de la transacción debe estar entre %s y %s."
	switch {
	case in.Amount.Cmp(most) > 0:
		r.refuse("amount", amount, limits, payment.Money{}, most)
	case in.Amount.Cmp(least) < 0:
		r.refuse("amount", amount, limits, least, most)
	}
	switch excess := in.VATAmount.Cmp(in.Amount); {
	case in.VATAmount.Minor() < 0:
		r.refuse("vat_amount", vat, "Asegúrese de que este valor es mayor o igual a 0.")
	case excess > 0 || excess == 0 && c.Mode("vat_equal") == "refused":
		r.refuse("non_field_errors", "N/A", "vat_amount no puede ser mayor a amount.")
	}
}
