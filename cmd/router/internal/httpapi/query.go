package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// query reads the parameters of a request and gathers their faults. A filter that were read over would show
// everything, so an unknown one is a fault.
type query struct {
	values url.Values
	faults []payment.FieldError
}

func readQuery(r *http.Request, known ...string) (*query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, newProblem(http.StatusBadRequest, "invalid_query", "the query of the URL cannot be read")
	}
	q := &query{values: values}
	for name, given := range values {
		switch {
		case !slices.Contains(known, name):
			q.fault(join("", name), "is not known; there are "+strings.Join(known, ", "))
		case len(given) > 1:
			q.fault(name, "is given twice")
		}
	}
	return q, nil
}

func (q *query) fault(name, message string) {
	q.faults = append(q.faults, payment.FieldError{Field: name, Message: message})
}

// err returns all faults, in the order of their names.
func (q *query) err() error {
	if len(q.faults) == 0 {
		return nil
	}
	slices.SortFunc(q.faults, func(a, b payment.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return fieldProblem(q.faults...)
}

func (q *query) text(name string) string { return q.values.Get(name) }

func (q *query) oneOf(name string, allowed []string) string {
	value := q.text(name)
	if value != "" && !slices.Contains(allowed, value) {
		q.fault(name, fmt.Sprintf("%.60q is none of %s", value, strings.Join(allowed, ", ")))
	}
	return value
}

func (q *query) flag(name string) bool { return q.oneOf(name, []string{"true", "false"}) == "true" }

func (q *query) time(name string) time.Time {
	value := q.text(name)
	if value == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		q.fault(name, "is no time like 2026-11-21T15:04:05Z or 2026-11-21T10:04:05-05:00")
	}
	return t
}

func (q *query) number(name string, byDefault, least, most int) int {
	value := q.text(name)
	if value == "" {
		return byDefault
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		q.fault(name, fmt.Sprintf("is no whole number from %d to %d", least, most))
	}
	return n
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}
