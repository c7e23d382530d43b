package provider

import (
	"errors"
	"fmt"
)

// Code is a closed list, named by what the engine may do next.
type Code string

// The codes. All but CodeUnknown say that the attempt was certainly not executed.
const (
	CodeInvalid      Code = "invalid"      // this provider cannot take this payment as it is; the next candidate may
	CodeDeclined     Code = "declined"     // a final no to this payer or bill
	CodeUnauthorized Code = "unauthorized" // our credentials or permissions; the provider is unhealthy
	CodeExhausted    Code = "exhausted"    // our balance or quota
	CodeUnavailable  Code = "unavailable"  // surely not accepted
	CodeUnknown      Code = "unknown"      // perhaps executed
)

// Codes lists every code.
func Codes() []Code {
	return []Code{CodeInvalid, CodeDeclined, CodeUnauthorized, CodeExhausted, CodeUnavailable, CodeUnknown}
}

// Error is a provider's error as data: it crosses the wire whole.
type Error struct {
	Code Code
	// Message is for a person, without secrets or personal data.
	Message string
	// Field is the request's field at fault, by path ("payer.bank"); "" where none is.
	Field string
	// ProviderCode is the provider's own code or HTTP status: "422 bank_code".
	ProviderCode string
	// Reference is the provider's own id of the attempt, where an unclear answer gave one: the engine looks it up.
	Reference string
	// NoResend tells of a CodeUnknown that the provider has the attempt's key: sent again it would answer the same. The
	// engine then does not send the attempt again, whatever its recovery traits promise, however long it stays unclear.
	NoResend bool
	// Err is the cause, on the side where it happened. It does not cross the wire.
	Err error
}

// ErrNotRunning is the cause (Err) of a CodeUnavailable that will pass: the provider's process has ended, and is being
// started again. The call never reached it, so that the same attempt may be handed to it once it runs.
var ErrNotRunning = errors.New("provider: its process is being started again")

func (e *Error) Error() string {
	s := "provider: " + string(e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.ProviderCode != "" {
		s += " (" + e.ProviderCode + ")"
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *Error with that code and message. A %w verb keeps its operand as the cause.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: wrapped.Error(), Err: errors.Unwrap(wrapped)}
}

// AsError returns err as an *Error: itself where it is one, else CodeUnknown with err's text. nil stays nil; a nil
// *Error inside an error, which is a mistake of the provider, tells nothing and is CodeUnknown too.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Code: CodeUnknown, Message: err.Error(), Err: err}
	}
	if e == nil {
		return &Error{Code: CodeUnknown, Message: "the provider answered with a nil *provider.Error"}
	}
	for _, known := range Codes() {
		if e.Code == known {
			return e
		}
	}
	unknown := *e
	unknown.Code = CodeUnknown
	return &unknown
}

// CodeOf returns err's code; CodeUnknown for any error that has none, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}
