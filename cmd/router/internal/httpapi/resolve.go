package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cauce-pay/cauce/payment"
)

// maxNote bounds a resolution's note, in characters.
const maxNote = 1000

// resolution is what a person found out about a payment in doubt, and how.
type resolution struct {
	Status string `json:"status"`
	Note   string `json:"note"`
}

var resolvable = texts([]payment.Status{payment.Succeeded, payment.Rejected, payment.Failed})

// resolvePayment closes a payment in doubt by hand.
func (a *api) resolvePayment(w http.ResponseWriter, r *http.Request) error {
	id, err := paymentID(w, r)
	if err != nil {
		return err
	}
	var given resolution
	if err := readJSON(w, r, &given); err != nil {
		return err
	}
	if faults := given.faults(); len(faults) > 0 {
		return fieldProblem(faults...)
	}
	p, err := a.engine.Resolve(r.Context(), id, payment.Status(given.Status), given.Note)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, p)
	return nil
}

func (g resolution) faults() []payment.FieldError {
	var faults []payment.FieldError
	if !slices.Contains(resolvable, g.Status) {
		faults = append(faults, payment.FieldError{Field: "status", Message: "must be one of " + strings.Join(resolvable, ", ")})
	}
	if strings.TrimSpace(g.Note) == "" || utf8.RuneCountInString(g.Note) > maxNote {
		faults = append(faults, payment.FieldError{Field: "note", Message: fmt.Sprintf("must say why, in 1 to %d characters", maxNote)})
	}
	return faults
}
