package payment

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"unicode/utf8"
)

// Capability is what a provider can take under one operation and method. The engine screens candidates by it
// and a plugin checks its own calls by it, so that what a provider declares is what it does.
type Capability struct {
	Operation  Operation `json:"operation"`
	Method     Method    `json:"method"`
	Currencies []string  `json:"currencies"` // ISO 4217
	// DocumentTypes of the payer (pay-in) or payee (payout); empty where no document is asked for.
	DocumentTypes []DocumentType `json:"document_types,omitempty"`
	AmountMin     Money          `json:"amount_min,omitzero"` // inclusive; zero = none
	AmountMax     Money          `json:"amount_max,omitzero"` // inclusive; zero = none
	Decimals      int            `json:"decimals"`            // 0 or 2
	// Required fields by path: "payer.email". payer.name is also met by first and last name.
	Required []string     `json:"required"`
	Limits   []FieldLimit `json:"limits,omitempty"`
	Recovery Recovery     `json:"recovery"`
}

// FieldLimit bounds one field, where it is given.
type FieldLimit struct {
	Field     string `json:"field"`
	MinLength int    `json:"min_length,omitzero"` // characters
	MaxLength int    `json:"max_length,omitzero"` // characters; 0 = no limit
	Pattern   string `json:"pattern,omitzero"`    // RE2, must match the whole value
}

// Recovery says how a lost answer can be cleared up, per operation and method.
type Recovery struct {
	// LookupByKey: the provider can be asked by the attempt's key alone.
	LookupByKey bool `json:"lookup_by_key"`
	// ResendSameKey: sending the identical attempt again under its key never executes it twice.
	ResendSameKey bool `json:"resend_same_key"`
	// AbandonIfUnanswered: a redirect pay-in whose URL nobody was given cannot be paid, so another provider may be tried.
	AbandonIfUnanswered bool `json:"abandon_if_unanswered"`
	// AbsentAfter is how long after the call "not found" proves that it was not executed; 0 = never. The
	// engine counts only time that one process of it has watched.
	AbsentAfter Duration `json:"absent_after"`
	// ExpiresAfter is how long after the call a redirect URL can be paid at most; 0 = not known. A pay-in without
	// an answer whose URL nobody was given is closed as expired after it.
	ExpiresAfter Duration `json:"expires_after"`
}

// Refusal is one reason why a provider cannot take a payment. Field is "" where no single field is at fault.
type Refusal struct {
	Field  string
	Reason string
}

// Takes reports whether c is for that operation and method.
func (c *Capability) Takes(o Operation, m Method) bool { return c.Operation == o && c.Method == m }

// CapabilityFor returns the first of list that is for the request's operation and method, or nil.
func CapabilityFor(list []Capability, o Operation, m Method) *Capability {
	for i := range list {
		if list[i].Takes(o, m) {
			return &list[i]
		}
	}
	return nil
}

// Refusals returns every reason why a payment cannot be taken under c; none means it can.
func (c *Capability) Refusals(r *Request) []Refusal {
	var out []Refusal
	refuse := func(field, format string, args ...any) {
		out = append(out, Refusal{field, fmt.Sprintf(format, args...)})
	}
	if !c.Takes(r.Operation, r.Method) {
		refuse("method", "takes %s by %s, not %s by %s", c.Operation, c.Method, r.Operation, r.Method)
		return out
	}
	if !slices.Contains(c.Currencies, r.Currency) {
		refuse("currency", "takes %s, not %s", orList(c.Currencies), r.Currency)
	}
	switch {
	case !c.AmountMin.IsZero() && r.Amount.Cmp(c.AmountMin) < 0:
		refuse("amount", "takes %s or more, not %s", c.AmountMin, r.Amount)
	case !c.AmountMax.IsZero() && r.Amount.Cmp(c.AmountMax) > 0:
		refuse("amount", "takes %s or less, not %s", c.AmountMax, r.Amount)
	}
	if c.Decimals == 0 && !r.Amount.IsWhole() {
		refuse("amount", "takes whole amounts only, not %s", r.Amount)
	}
	party, document := "payer", r.Payer.Document.Type
	if r.Operation == PayOut {
		party, document = "payee", r.Payee.Document.Type
	}
	if document != "" && len(c.DocumentTypes) > 0 && !slices.Contains(c.DocumentTypes, document) {
		refuse(party+".document.type", "takes %s, not %s", orList(c.DocumentTypes), document)
	}
	for _, path := range c.Required {
		if r.TextOf(path) == "" {
			refuse(path, "needs %s", path)
		}
	}
	for _, l := range c.Limits {
		value := r.TextOf(l.Field)
		if value == "" {
			continue
		}
		switch n := utf8.RuneCountInString(value); {
		case n < l.MinLength:
			refuse(l.Field, "needs %s of at least %d characters, not %d", l.Field, l.MinLength, n)
		case l.MaxLength > 0 && n > l.MaxLength:
			refuse(l.Field, "takes %s of at most %d characters, not %d", l.Field, l.MaxLength, n)
		case l.Pattern != "" && !matchesWhole(l.Pattern, value):
			refuse(l.Field, "takes %s only in the form %s", l.Field, l.Pattern)
		}
	}
	return out
}

var patterns sync.Map // string -> *regexp.Regexp, nil where it does not compile

// matchesWhole reports whether the whole of value matches pattern. A pattern that does not compile matches
// nothing: Info.Validate has refused it before.
func matchesWhole(pattern, value string) bool {
	re, ok := patterns.Load(pattern)
	if !ok {
		compiled, _ := regexp.Compile(`^(?:` + pattern + `)$`)
		re, _ = patterns.LoadOrStore(pattern, compiled)
	}
	compiled := re.(*regexp.Regexp)
	return compiled != nil && compiled.MatchString(value)
}
