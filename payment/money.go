package payment

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Money is an exact amount in the currency of its payment, held in hundredths of the currency's unit (COP:
// centavos). The zero value is zero. Money is comparable with ==.
//
// Its text form, in JSON too, is a decimal string with exactly two places: "10000.00".
type Money struct {
	minor int64
}

// maxMinor bounds Money to 15 digits before the point, which leaves room to add and compare without overflow.
const maxMinor = 99_999_999_999_999_999

// ErrMoney is wrapped by every error about text or a number that Money refuses to hold.
var ErrMoney = errors.New("payment: not an amount")

// MoneyOfMinor returns an amount of n hundredths: MoneyOfMinor(1050) is 10.50. It panics beyond 15 digits
// before the point; for numbers from outside use ParseMoney or MoneyOfDecimal.
func MoneyOfMinor(n int64) Money {
	if n > maxMinor || n < -maxMinor {
		panic(fmt.Sprintf("payment: %d minor units are more than Money holds", n))
	}
	return Money{n}
}

// Pesos returns an amount of n whole units. It panics beyond 15 digits.
func Pesos(n int64) Money {
	if n > maxMinor/100 || n < -maxMinor/100 {
		panic(fmt.Sprintf("payment: %d units are more than Money holds", n))
	}
	return Money{n * 100}
}

// MoneyOfDecimal converts d, refusing more than two decimals and more than 15 digits before the point.
func MoneyOfDecimal(d decimal.Decimal) (Money, error) {
	// Bounding the exponent first keeps a hostile 1e999999999 from being expanded.
	if d.Exponent() > 18 || d.Exponent() < -1000 {
		return Money{}, fmt.Errorf("%w: out of range", ErrMoney)
	}
	scaled := d.Shift(2)
	if !scaled.IsInteger() {
		return Money{}, fmt.Errorf("%w: %s has more than two decimals", ErrMoney, d)
	}
	if scaled.Abs().GreaterThan(decimal.New(maxMinor, 0)) {
		return Money{}, fmt.Errorf("%w: more than 15 digits before the point", ErrMoney)
	}
	return Money{scaled.IntPart()}, nil
}

// ParseMoney reads a plain decimal number digit by digit: an optional minus, 1 to 15 digits, and optionally a
// point with one or two digits. Exponents, thousands separators, signs of plus and a third decimal (which a
// Colombian reader may mean as a thousands group: "10.000") are refused. Errors wrap ErrMoney.
func ParseMoney(s string) (Money, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, pointed := strings.Cut(digits, ".")
	switch {
	case s == "":
		return Money{}, fmt.Errorf("%w: it is empty", ErrMoney)
	case len(s) > 40:
		return Money{}, fmt.Errorf("%w: it is %d characters long", ErrMoney, len(s))
	case !allDigits(whole) || pointed && !allDigits(fraction):
		return Money{}, fmt.Errorf("%w: %q; write digits with at most one point, like 10000.50", ErrMoney, s)
	case len(fraction) > 2:
		return Money{}, fmt.Errorf("%w: %q has %d decimals, at most two are exact", ErrMoney, s, len(fraction))
	case len(whole) > 1 && whole[0] == '0':
		return Money{}, fmt.Errorf("%w: %q begins with a zero", ErrMoney, s)
	case len(whole) > 15:
		return Money{}, fmt.Errorf("%w: %q has more than 15 digits before the point", ErrMoney, s)
	}
	minor, err := strconv.ParseInt(whole+(fraction + "00")[:2], 10, 64)
	if err != nil {
		return Money{}, fmt.Errorf("%w: %q", ErrMoney, s)
	}
	if negative {
		minor = -minor
	}
	return Money{minor}, nil
}

func allDigits(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Minor returns the amount in hundredths of the currency's unit.
func (m Money) Minor() int64 { return m.minor }

// Decimal returns the amount as an exact decimal.
func (m Money) Decimal() decimal.Decimal { return decimal.New(m.minor, -2) }

// IsZero reports whether the amount is zero. It also makes `omitzero` work.
func (m Money) IsZero() bool { return m.minor == 0 }

// IsWhole reports whether the amount has no cents.
func (m Money) IsWhole() bool { return m.minor%100 == 0 }

// Cmp returns -1, 0 or 1 as m is less than, equal to or greater than other.
func (m Money) Cmp(other Money) int {
	switch {
	case m.minor < other.minor:
		return -1
	case m.minor > other.minor:
		return 1
	}
	return 0
}

// String returns the amount with exactly two decimals and no separators: "10000.00".
func (m Money) String() string { return string(m.append(nil)) }

func (m Money) append(b []byte) []byte {
	n := m.minor
	if n < 0 {
		b = append(b, '-')
		n = -n
	}
	b = strconv.AppendInt(b, n/100, 10)
	return append(b, '.', byte('0'+n/10%10), byte('0'+n%10))
}

// MarshalJSON writes the amount as a string with two decimals.
func (m Money) MarshalJSON() ([]byte, error) {
	return append(m.append([]byte{'"'}), '"'), nil
}

// UnmarshalJSON reads a string or a number, digit by digit: no float is ever made of it. null leaves m as it is.
func (m *Money) UnmarshalJSON(b []byte) error {
	s := string(b)
	if s == "null" {
		return nil
	}
	if len(s) >= 2 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	parsed, err := ParseMoney(s)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}
