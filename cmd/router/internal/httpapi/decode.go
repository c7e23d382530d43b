package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agext/levenshtein"

	"github.com/cauce-pay/cauce/payment"
)

// Bounds of a body.
const (
	maxDepth  = 32
	maxFaults = 100 // further ones are not reported
)

// UnreadableError is a body that is not one JSON document, or one that two readers could understand differently.
type UnreadableError struct {
	Field   string // the path at fault; "" where it is the document as a whole
	Message string
}

func (e *UnreadableError) Error() string {
	if e.Field == "" {
		return "the body " + e.Message
	}
	return e.Field + ": " + e.Message
}

// DecodeRequest reads a payment request strictly: what encoding/json would read over (unknown fields, fields that
// differ in case, keys given twice, a second document, bytes that are no UTF-8) is refused. A body that cannot be
// read at all is an *UnreadableError; else all faulty fields are told at once, as a *payment.ValidationError. The
// request holds what could be read. Its own rules are not checked: see payment.Request.Validate.
func DecodeRequest(body []byte) (payment.Request, error) {
	var r payment.Request
	err := decode(body, &r)
	return r, err
}

// decode reads body into v, a pointer to a struct of texts, payment.Money, such structs, and maps of texts.
func decode(body []byte, v any) error {
	if !utf8.Valid(body) {
		return &UnreadableError{Message: "is not UTF-8"}
	}
	var document json.RawMessage
	if err := json.Unmarshal(body, &document); err != nil {
		return syntaxError(body, err)
	}
	d := decoder{tokens: json.NewDecoder(bytes.NewReader(body))}
	d.tokens.UseNumber()
	if body := bytes.TrimSpace(body); body[0] != '{' {
		return &UnreadableError{Message: "must be a JSON object"}
	}
	if err := d.value(reflect.ValueOf(v).Elem(), "", 0); err != nil {
		return err
	}
	if len(d.faults) > 0 {
		return &payment.ValidationError{Faults: d.faults}
	}
	return nil
}

func syntaxError(body []byte, err error) error {
	var syntax *json.SyntaxError
	if len(bytes.TrimSpace(body)) == 0 || !errors.As(err, &syntax) {
		return &UnreadableError{Message: "is empty"}
	}
	before := bytes.TrimRight(body[:min(int(syntax.Offset), len(body))], " \t\r\n")
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return &UnreadableError{Message: fmt.Sprintf("is not one JSON document: line %d, column %d: %v", line, column, err)}
}

// decoder walks over a document that is known to be valid JSON.
type decoder struct {
	tokens *json.Decoder
	faults []payment.FieldError
}

func (d *decoder) fault(path, format string, args ...any) {
	if len(d.faults) < maxFaults {
		d.faults = append(d.faults, payment.FieldError{Field: path, Message: fmt.Sprintf(format, args...)})
	}
}

var moneyType = reflect.TypeFor[payment.Money]()

// value reads the next value into v; where v is not valid, the value is only checked. null is as good as absent.
func (d *decoder) value(v reflect.Value, path string, depth int) error {
	token, err := d.tokens.Token()
	if err != nil {
		return &UnreadableError{Field: path, Message: err.Error()}
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == maxDepth {
			return &UnreadableError{Field: path, Message: fmt.Sprintf("is nested more than %d deep", maxDepth)}
		}
		if t == '[' {
			d.wrong(v, path, "a list")
			return d.elements(path, depth)
		}
		if v.IsValid() && (v.Type() == moneyType || v.Kind() != reflect.Struct && v.Kind() != reflect.Map) {
			d.wrong(v, path, "an object")
			v = reflect.Value{}
		}
		return d.members(v, path, depth)
	case string:
		d.text(v, path, t)
	case json.Number:
		if v.IsValid() && v.Type() == moneyType {
			d.money(v, path, t.String())
		} else {
			d.wrong(v, path, "a number")
		}
	case bool:
		d.wrong(v, path, fmt.Sprint(t))
	}
	return nil
}

func (d *decoder) elements(path string, depth int) error {
	for i := 0; d.tokens.More(); i++ {
		if err := d.value(reflect.Value{}, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
			return err
		}
	}
	_, err := d.tokens.Token()
	return err
}

func (d *decoder) members(v reflect.Value, path string, depth int) error {
	seen := map[string]bool{}
	for d.tokens.More() {
		token, err := d.tokens.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		at := join(path, name)
		switch {
		case seen[name]:
			d.fault(at, "is given twice")
		case strings.ContainsRune(name, utf8.RuneError):
			d.fault(at, notUnicode)
		}
		seen[name] = true
		member := reflect.Value{}
		switch {
		case !v.IsValid():
		case v.Kind() == reflect.Map:
			member = reflect.New(v.Type().Elem()).Elem()
		default:
			if member = fieldNamed(v, name); !member.IsValid() {
				d.fault(at, "is not known%s", nearest(name, v.Type()))
			}
		}
		if err := d.value(member, at, depth+1); err != nil {
			return err
		}
		if v.IsValid() && v.Kind() == reflect.Map && member.String() != "" { // empty is as good as absent
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			v.SetMapIndex(reflect.ValueOf(name), member)
		}
	}
	_, err := d.tokens.Token()
	return err
}

// notUnicode is said of the replacement character, which encoding/json puts in the place of half a surrogate pair
// and which is no part of anybody's text.
const notUnicode = "holds half a surrogate pair, or the replacement character U+FFFD"

func (d *decoder) text(v reflect.Value, path, text string) {
	switch {
	case strings.ContainsRune(text, utf8.RuneError):
		d.fault(path, notUnicode)
	case !v.IsValid():
	case v.Type() == moneyType:
		d.money(v, path, text)
	case v.Kind() == reflect.String:
		v.SetString(text)
	default:
		d.wrong(v, path, "text")
	}
}

func (d *decoder) money(v reflect.Value, path, digits string) {
	m, err := payment.ParseMoney(digits)
	if err != nil {
		d.fault(path, "is not an amount: %s", strings.TrimPrefix(err.Error(), payment.ErrMoney.Error()+": "))
		return
	}
	v.Set(reflect.ValueOf(m))
}

func (d *decoder) wrong(v reflect.Value, path, got string) {
	if !v.IsValid() {
		return
	}
	want := "text"
	switch {
	case v.Type() == moneyType:
		want = `an amount, like "10000.00"`
	case v.Kind() != reflect.String:
		want = "an object"
	}
	d.fault(path, "must be %s, not %s", want, got)
}

// fieldNamed returns the field of a struct with exactly that name in JSON.
func fieldNamed(v reflect.Value, name string) reflect.Value {
	if i := slices.Index(namesOf(v.Type()), name); i >= 0 {
		return v.Field(i)
	}
	return reflect.Value{}
}

func namesOf(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}

// nearest says which field may have been meant.
func nearest(name string, t reflect.Type) string {
	names := namesOf(t)
	best := slices.MinFunc(names, func(a, b string) int { return distance(name, a) - distance(name, b) })
	if distance(name, best) <= 1+len(best)/4 {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; there are " + strings.Join(names, ", ")
}

func distance(given, name string) int {
	return levenshtein.Distance(strings.ToLower(given[:min(len(given), 64)]), name, nil)
}

var plainName = regexp.MustCompile(`^[\w-]{1,64}$`)

// join appends a member's name to a path; names that could be misread are quoted and cut.
func join(path, name string) string {
	if !plainName.MatchString(name) {
		name = fmt.Sprintf("%.64q", name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
