package httpapi

import (
	"net/http"
	"path/filepath"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// backup writes a copy of the store to a directory of the router's machine.
func (a *api) backup(w http.ResponseWriter, r *http.Request) error {
	var given struct {
		Dir string `json:"dir"`
	}
	if err := readJSON(w, r, &given); err != nil {
		return err
	}
	if !filepath.IsAbs(given.Dir) {
		return fieldProblem(payment.FieldError{Field: "dir", Message: "must be the absolute path of a directory that does not exist"})
	}
	given.Dir = filepath.Clean(given.Dir)
	// A copy to another disk takes as long as it takes; whoever asked is told of its end.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
		return err
	}
	if err := a.engine.Backup(r.Context(), given.Dir); err != nil {
		a.log.Error("a backup failed", "error", err)
		return newProblem(http.StatusUnprocessableEntity, "backup_failed", err.Error())
	}
	writeJSON(w, http.StatusOK, given)
	return nil
}
