package httpapi

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// decide answers what the rules say about a payment, which need not be complete.
func (a *api) decide(w http.ResponseWriter, r *http.Request) error {
	var req payment.Request
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	decision, err := a.engine.Decide(r.Context(), req)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, decision)
	return nil
}

func (a *api) listBanks(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "method")
	if err != nil {
		return err
	}
	var methods []string
	for _, o := range payment.Operations() {
		methods = append(methods, texts(o.Methods())...)
	}
	method := payment.Method(q.oneOf("method", methods))
	if err := q.err(); err != nil {
		return err
	}
	banks, err := a.engine.Banks(r.Context(), method)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string][]engine.Bank{"banks": banks})
	return nil
}

func (a *api) listBillers(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "limit", "cursor")
	if err != nil {
		return err
	}
	after, limit := q.text("cursor"), q.number("limit", defaultPage, 1, maxPage)
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.engine.Billers(r.Context(), after, limit)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct {
		Billers    []engine.Biller  `json:"billers"`
		NextCursor payment.Nullable `json:"next_cursor"`
	}{page.Billers, payment.Nullable(page.Next)})
	return nil
}

// getBill answers with one bill's amount, as a provider tells it now.
func (a *api) getBill(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	bill, err := a.engine.Bill(r.Context(), r.PathValue("biller"), r.PathValue("reference"))
	var refused *provider.Error
	if errors.As(err, &refused) {
		return billProblem(refused)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, bill)
	return nil
}

// billProblem says how a provider's no about a bill is answered. Its own words are for the caller only where they are
// about the bill.
func billProblem(refused *provider.Error) *problem {
	switch refused.Code {
	case provider.CodeInvalid:
		field := cmp.Or(strings.TrimPrefix(refused.Field, "bill."), "reference")
		return fieldProblem(payment.FieldError{Field: field, Message: refused.Message})
	case provider.CodeDeclined:
		return newProblem(http.StatusUnprocessableEntity, "bill_declined", refused.Message)
	}
	return unavailable("bill_unavailable", "no provider that has this biller can tell the bill now; nothing was paid", 5)
}
