package foreign

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

var (
	kinds = []string{"create", "lookup", "token", "banks", "balance", "billers", "bill", "statement"}
	verbs = []string{"drop_before", "drop_after", "delay", "delay_after", "answer", "answer_after", "garble",
		"webhook_first", "webhook_twice", "webhook_never", "webhook_forged"}
)

// control serves the calls below /_sandbox/.
func (s *Simulator) control(w http.ResponseWriter, call string, body []byte) {
	var in struct {
		ID, Status, URL string
		AdvanceS        int64 `json:"advance_s"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out any
	var err error
	if len(body) > 0 && call != "POST faults" {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch call {
	case "GET ledger":
		s.age()
		out = s.ledger()
	case "GET requests":
		out = append([]record{}, s.records...)
	case "GET counts":
		out = s.counts
	case "POST faults":
		err = s.lay(body)
	case "DELETE faults":
		s.faults = nil
	case "POST settle":
		err = s.settle(in.ID, in.Status)
	case "POST webhook":
		s.hook = in.URL
	case "POST clock":
		s.ahead += time.Duration(in.AdvanceS) * time.Second
		s.age()
	case "POST reset":
		close(s.reset)
		s.empty()
	default:
		http.Error(w, "the control protocol has no "+call, http.StatusNotFound)
		return
	}
	switch {
	case errors.Is(err, errNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case out == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out)
	}
}

func (s *Simulator) lay(body []byte) error {
	var f fault
	if err := json.Unmarshal(body, &f); err != nil {
		return err
	}
	if !slices.Contains(kinds, f.On) || !slices.Contains(verbs, f.Do) {
		return fmt.Errorf("the fault %q on %q", f.Do, f.On)
	}
	f.Times = max(f.Times, 1)
	if f.Status == 0 {
		f.Status = http.StatusOK
	}
	s.faults = append(s.faults, &f)
	return nil
}

// ledger lists what was executed.
func (s *Simulator) ledger() []map[string]any {
	list := []map[string]any{}
	for _, ch := range s.charges {
		if ch.status == refused {
			continue
		}
		list = append(list, map[string]any{
			"id": ch.id, "key": ch.key, "operation": ch.operation, "amount": pesos(ch.cents), "currency": "COP",
			"status": ch.status, "created_at": ch.created.In(bogota).Format(time.RFC3339),
		})
	}
	return list
}

// pesos writes an amount with as few digits as it needs: "20000", "20000.5".
func pesos(cents int64) string {
	text := fmt.Sprintf("%d.%02d", cents/100, cents%100)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// bogota is Colombia's time; it knows no summer time.
var bogota = time.FixedZone("-05", -5*60*60)

// page is the page of the bank or the provider, where a payer approves or declines and is sent back.
func (s *Simulator) page(w http.ResponseWriter, r *http.Request, form url.Values) {
	ch := s.byID(r.URL.Query().Get("pay"))
	if ch == nil || len(ch.returns) == 0 {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><title>Pago</title><form method="post"><p>%s COP
<button name="decision" value="approve">Pagar</button><button name="decision" value="decline">Rechazar</button></form>`, pesos(ch.cents))
		return
	}
	status := map[string]string{"approve": "approved", "decline": "rejected"}[form.Get("decision")]
	if ch.status != "pending" || s.settle(ch.id, status) != nil {
		http.Error(w, "La transacción ya no se puede pagar.", http.StatusGone)
		return
	}
	http.Redirect(w, r, ch.returns[status], http.StatusSeeOther)
}

// pageURL is where a payer pays ch.
func pageURL(c *call, path string, ch *charge) string {
	return "http://" + c.Host + path + "?pay=" + ch.id
}
