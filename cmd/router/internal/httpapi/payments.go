package httpapi

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/internal/failpoint"
	"github.com/cauce-pay/cauce/payment"
)

const (
	defaultWait = 30 * time.Second
	maxWait     = 60 * time.Second
)

// createPayment makes a payment and waits until it leaves processing. The hand-over goes on when the caller leaves.
func (a *api) createPayment(w http.ResponseWriter, r *http.Request) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	var req payment.Request
	if err := readJSON(w, r, &req); err != nil {
		return withRules(req, err)
	}
	p, replayed, err := a.engine.Begin(r.Context(), key, req)
	if err != nil {
		return err
	}
	w.(*recorder).payment = p.ID
	if p.Status == payment.Processing {
		if p, err = a.await(r, p); err != nil {
			return err
		}
	}
	failpoint.Pass(failpoint.Acknowledging)
	w.Header().Set("Location", "/v1/payments/"+p.ID)
	if replayed {
		w.Header().Set("Idempotent-Replayed", "true")
		writeJSON(w, http.StatusOK, p)
		return nil
	}
	writeJSON(w, http.StatusCreated, p)
	return nil
}

// await waits until the payment leaves processing, as long as the caller prefers, and returns it as it stands then.
func (a *api) await(r *http.Request, p *payment.Payment) (*payment.Payment, error) {
	ctx, cancel := context.WithTimeout(r.Context(), preferredWait(r))
	defer cancel()
	now, err := a.engine.Wait(ctx, p.ID)
	switch {
	case err != nil && ctx.Err() == nil:
		return nil, err
	case now == nil:
		return p, nil
	}
	return now, nil
}

// preferredWait reads Prefer: wait=N (RFC 7240), whole seconds from 0 to 60. What cannot be read is no preference.
func preferredWait(r *http.Request) time.Duration {
	for preference := range strings.SplitSeq(strings.Join(r.Header.Values("Prefer"), ","), ",") {
		name, value, _ := strings.Cut(preference, "=")
		seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
		if err == nil && strings.EqualFold(strings.TrimSpace(name), "wait") {
			return min(time.Duration(seconds)*time.Second, maxWait)
		}
	}
	return defaultWait
}

var errKeyMissing = newProblem(http.StatusBadRequest, "idempotency_key_missing",
	"send exactly one header Idempotency-Key with a value of your own for this payment; the same value never pays twice")

// idempotencyKey reads the key, bare or as a quoted string (RFC 8941).
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) != 1 || values[0] == "" {
		return "", errKeyMissing
	}
	key := values[0]
	if !strings.HasPrefix(key, `"`) {
		return key, nil
	}
	inner, closed := strings.CutSuffix(key[1:], `"`)
	if !closed || !quotable.MatchString(inner) {
		return "", engine.ErrKey
	}
	return unquote.Replace(inner), nil
}

var (
	quotable = regexp.MustCompile(`^(?:[^"\\]|\\["\\])*$`)
	unquote  = strings.NewReplacer(`\"`, `"`, `\\`, `\`)
)

// paymentAnswer is a payment with what was asked for besides.
type paymentAnswer struct {
	*payment.Payment
	Events   []payment.Event   `json:"events,omitempty"`
	Decision *payment.Decision `json:"decision,omitempty"`
}

func (a *api) getPayment(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "events", "decision")
	if err != nil {
		return err
	}
	withEvents, withDecision := q.flag("events"), q.flag("decision")
	id, err := paymentID(w, r)
	if err == nil {
		err = q.err()
	}
	if err != nil {
		return err
	}
	answer := paymentAnswer{}
	if withEvents {
		if answer.Events, err = a.history(r.Context(), id, historyPage); err != nil {
			return err
		}
	}
	if withDecision {
		if answer.Decision, err = a.engine.Decision(r.Context(), id); err != nil {
			return err
		}
	}
	if answer.Payment, err = a.engine.Get(r.Context(), id); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// historyPage bounds how many events are read at once.
const historyPage = 500

func (a *api) history(ctx context.Context, id string, pageSize int) ([]payment.Event, error) {
	var all []payment.Event
	for {
		page, err := a.engine.History(ctx, id, int64(len(all)), pageSize)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < pageSize {
			return all, nil
		}
	}
}

var idForm = regexp.MustCompile(`^pay_[0-9a-v]{26}$`)

// paymentID reads the id in the path. What cannot be one is not found, as any other that is not ours.
func paymentID(w http.ResponseWriter, r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !idForm.MatchString(id) {
		return "", errNotFound
	}
	w.(*recorder).payment = id
	return id, nil
}

// refreshPayment looks the payment up at its provider. Where that takes too long, the payment is answered as it stands.
func (a *api) refreshPayment(w http.ResponseWriter, r *http.Request) error {
	id, err := paymentID(w, r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxWait)
	defer cancel()
	p, err := a.engine.Refresh(ctx, id)
	if err != nil && (p == nil || ctx.Err() == nil) {
		return err
	}
	writeJSON(w, http.StatusOK, p)
	return nil
}

const (
	defaultPage = 50
	maxPage     = 500
)

func (a *api) listPayments(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "status", "provider", "reference", "operation", "created_after", "created_before", "limit", "cursor")
	if err != nil {
		return err
	}
	f := store.Filter{
		Status:        payment.Status(q.oneOf("status", texts(payment.Statuses()))),
		Provider:      q.text("provider"),
		Reference:     q.text("reference"),
		Operation:     payment.Operation(q.oneOf("operation", texts(payment.Operations()))),
		CreatedAfter:  q.time("created_after"),
		CreatedBefore: q.time("created_before"),
		Cursor:        q.text("cursor"),
		Limit:         q.number("limit", defaultPage, 1, maxPage),
	}
	if err := q.err(); err != nil {
		return err
	}
	page, err := a.engine.List(r.Context(), f)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct {
		Payments   []*payment.Payment `json:"payments"`
		NextCursor payment.Nullable   `json:"next_cursor"`
	}{append([]*payment.Payment{}, page.Payments...), payment.Nullable(page.Next)})
	return nil
}
