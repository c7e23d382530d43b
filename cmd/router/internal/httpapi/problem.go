package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// problem is an error as the API answers it (RFC 9457). Code is stable; Detail is for a person.
type problem struct {
	Type   string               `json:"type"`
	Title  string               `json:"title"`
	Status int                  `json:"status"`
	Detail string               `json:"detail"`
	Code   string               `json:"code"`
	Errors []payment.FieldError `json:"errors,omitempty"`
	// Diagnostics are the faults of rules that cannot be put into force.
	Diagnostics routing.Diagnostics `json:"diagnostics,omitempty"`

	retryAfter int // seconds; 0 = none
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }

func newProblem(status int, code, detail string) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// fieldProblem is a 422 about fields of the request.
func fieldProblem(faults ...payment.FieldError) *problem {
	p := newProblem(http.StatusUnprocessableEntity, "invalid_request", "the request has faulty fields; errors lists them")
	p.Errors = faults
	return p
}

func unavailable(code, detail string, retryAfterSeconds int) *problem {
	p := newProblem(http.StatusServiceUnavailable, code, detail)
	p.retryAfter = retryAfterSeconds
	return p
}

// errNotFound is the same for whatever is not there, so that nothing can be found out by asking.
var errNotFound = newProblem(http.StatusNotFound, "not_found", "there is nothing here: an id or a name in the address may be wrong; /openapi.json lists what there is")

// problemOf says how an error is answered. What is not known here is answered without its text.
func problemOf(err error) *problem {
	var p *problem
	var invalid *payment.ValidationError
	var unreadable *UnreadableError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &invalid):
		return fieldProblem(invalid.Faults...)
	case errors.As(err, &unreadable):
		p := newProblem(http.StatusBadRequest, "invalid_json", unreadable.Error())
		if unreadable.Field != "" {
			p.Errors = []payment.FieldError{{Field: unreadable.Field, Message: unreadable.Message}}
		}
		return p
	case errors.As(err, &tooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, "body_too_large",
			"the body is larger than "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes")
	case errors.Is(err, engine.ErrKey):
		return newProblem(http.StatusBadRequest, "idempotency_key_invalid", "Idempotency-Key must be 1 to 255 printable ASCII characters")
	case errors.Is(err, engine.ErrKeyReused):
		return newProblem(http.StatusUnprocessableEntity, "idempotency_key_reused", "this idempotency key was used with a different request; nothing happened")
	case errors.Is(err, engine.ErrNotResolvable):
		return newProblem(http.StatusUnprocessableEntity, "not_resolvable", "only a payment in_doubt can be resolved by hand; GET shows how this one stands")
	case errors.Is(err, engine.ErrNotFound):
		return errNotFound
	case errors.Is(err, store.ErrBadCursor):
		return fieldProblem(payment.FieldError{Field: "cursor", Message: "is no cursor of this list"})
	case errors.Is(err, store.ErrFull):
		return unavailable("store_full", "the disk is almost full: new payments are not taken, those under way are followed", 60)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		return unavailable("store_unavailable", "the store cannot be written; ask again with the same idempotency key", 5)
	case errors.Is(err, engine.ErrClosed):
		return unavailable("stopping", "the router is stopping; ask again with the same idempotency key", 5)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return newProblem(http.StatusRequestTimeout, "timeout", "the request took too long to arrive")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unavailable("timeout", "the answer took too long; ask again with the same idempotency key", 1)
	}
	return newProblem(http.StatusInternalServerError, "internal", "something went wrong inside the router; its log says what")
}

func writeProblem(w http.ResponseWriter, p *problem) {
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	writeBody(w, p.Status, "application/problem+json", p)
}

func writeJSON(w http.ResponseWriter, status int, v any) { writeBody(w, status, "application/json", v) }

// writeBody writes v without HTML escapes, so that URLs can be copied from a terminal. Nothing here is HTML.
func writeBody(w http.ResponseWriter, status int, contentType string, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // our own types
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
