package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/payment"
)

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &tooLarge), errors.Is(err, os.ErrDeadlineExceeded):
		return nil, err
	}
	return nil, &UnreadableError{Message: "cannot be read to its end"}
}

// readJSON reads a JSON body into v, as decode does.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := parameters["charset"]
	switch {
	case err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8"):
		return newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "send JSON: Content-Type: application/json")
	case r.Header.Get("Content-Encoding") != "":
		w.Header().Set("Accept-Encoding", "identity")
		return newProblem(http.StatusUnsupportedMediaType, "unsupported_encoding", "send the body without Content-Encoding")
	}
	body, err := readBody(w, r, maxBody)
	if err != nil {
		return err
	}
	return decode(body, v)
}

// withRules adds to the faults of a body that could be read in part those of the request's own rules, so that
// all of them are told at once. Any other err is returned as it is.
func withRules(req payment.Request, err error) error {
	var unread, broken *payment.ValidationError
	if !errors.As(err, &unread) {
		return err
	}
	told := func(field string) bool {
		return slices.ContainsFunc(unread.Faults, func(f payment.FieldError) bool {
			return f.Field == field || strings.HasPrefix(field, f.Field+".")
		})
	}
	if told("amount") {
		req.Amount = payment.Pesos(999_999_999_999_999) // nothing is to be held against an amount that is not known
	}
	all := slices.Clone(unread.Faults)
	if errors.As(req.WithDefaults().Validate(), &broken) {
		for _, f := range broken.Faults {
			if !told(f.Field) {
				all = append(all, f)
			}
		}
	}
	return &payment.ValidationError{Faults: all}
}

// readOptionalJSON is readJSON for a body that may be empty, whatever its type.
func readOptionalJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if r.ContentLength == 0 {
		return nil
	}
	return readJSON(w, r, v)
}
