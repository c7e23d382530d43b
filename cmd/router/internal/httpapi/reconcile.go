package httpapi

import (
	"bytes"
	"errors"
	"mime"
	"net/http"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/provider"
)

// maxStatement bounds a statement's file: as many lines as the engine takes, and more columns than it reads.
const maxStatement = 16 << 20

// reconcile compares a provider's statement with our payments: the one that the provider tells, or a CSV file.
func (a *api) reconcile(w http.ResponseWriter, r *http.Request) error {
	var lines []provider.StatementLine
	if r.ContentLength != 0 {
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "text/csv" {
			return newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "send a CSV file (Content-Type: text/csv), or no body")
		}
		body, err := readBody(w, r, maxStatement)
		if err != nil {
			return err
		}
		if lines, err = engine.ReadStatement(bytes.NewReader(body)); err != nil {
			return statementProblem(err)
		}
	}
	result, err := a.engine.Reconcile(r.Context(), r.PathValue("name"), lines)
	var refused *provider.Error
	switch {
	case errors.As(err, &refused):
		return unavailable("statement_unavailable", "the provider does not tell its statement now; nothing was changed: "+refused.Message, 5)
	case errors.Is(err, engine.ErrStatement):
		return statementProblem(err)
	case err != nil:
		return err
	}
	writeJSON(w, http.StatusOK, result)
	return nil
}

func statementProblem(err error) *problem {
	return newProblem(http.StatusUnprocessableEntity, "statement_invalid", err.Error())
}
