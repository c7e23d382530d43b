package httpapi

import (
	"math"
	"net/http"
	"strconv"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
)

// listAudit lists the acts of administrators, the oldest first.
func (a *api) listAudit(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "limit", "cursor")
	if err != nil {
		return err
	}
	limit, after := q.number("limit", defaultPage, 1, maxPage), q.number("cursor", 0, 0, math.MaxInt)
	if err := q.err(); err != nil {
		return err
	}
	entries, err := a.engine.Audit(r.Context(), int64(after), limit)
	if err != nil {
		return err
	}
	list := struct {
		Audit      []engine.AuditEntry `json:"audit"`
		NextCursor payment.Nullable    `json:"next_cursor"`
	}{Audit: entries}
	if len(entries) == limit {
		list.NextCursor = payment.Nullable(strconv.FormatInt(entries[limit-1].Seq, 10))
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// verifyAudit tells whether the log of them is whole.
func (a *api) verifyAudit(w http.ResponseWriter, r *http.Request) error {
	report, err := a.engine.VerifyAudit(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, report)
	return nil
}
