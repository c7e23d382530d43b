package payment_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/cauce-pay/cauce/payment"
)

func TestParseMoney(t *testing.T) {
	t.Parallel()
	good := map[string]int64{
		"0": 0, "1": 100, "10000": 1_000_000, "10000.0": 1_000_000, "10000.00": 1_000_000, "0.01": 1, "0.1": 10, "-5": -500,
		"-0": 0, "-0.05": -5, "999999999999999.99": 99_999_999_999_999_999,
	}
	for text, minor := range good {
		m, err := payment.ParseMoney(text)
		if err != nil || m.Minor() != minor {
			t.Errorf("ParseMoney(%q) = %d, %v; want %d", text, m.Minor(), err, minor)
		}
	}
	bad := []string{
		"", "-", ".", "1.", ".5", "1.234", "10.000", "1,5", "1e2", "1E400", "+1", " 1", "1 ", "01", "00", "0x10", "1_000", "NaN", "Inf",
		"--1", "1.2.3", "1000000000000000", strings.Repeat("9", 41), "１", "1\x00",
	}
	for _, text := range bad {
		if m, err := payment.ParseMoney(text); !errors.Is(err, payment.ErrMoney) {
			t.Errorf("ParseMoney(%q) = %s, %v; want ErrMoney", text, m, err)
		}
	}
}

func TestMoneyText(t *testing.T) {
	t.Parallel()
	for minor, want := range map[int64]string{0: "0.00", 1: "0.01", -1: "-0.01", 10: "0.10", 100: "1.00", -12345: "-123.45"} {
		if got := payment.MoneyOfMinor(minor).String(); got != want {
			t.Errorf("%d minor units print as %q, want %q", minor, got, want)
		}
	}
}

// Numbers of our own code that Money cannot hold are mistakes, and no amounts.
func TestMoneyBounds(t *testing.T) {
	t.Parallel()
	const most = 99_999_999_999_999_999
	panics := func(f func()) (did bool) {
		defer func() { did = recover() != nil }()
		f()
		return false
	}
	for _, c := range []struct {
		name string
		make func()
		want bool
	}{
		{"most", func() { payment.MoneyOfMinor(most); payment.Pesos(most / 100) }, false},
		{"least", func() { payment.MoneyOfMinor(-most); payment.Pesos(-most / 100) }, false},
		{"one minor unit more", func() { payment.MoneyOfMinor(most + 1) }, true},
		{"one minor unit less", func() { payment.MoneyOfMinor(-most - 1) }, true},
		{"one unit more", func() { payment.Pesos(most/100 + 1) }, true},
		{"one unit less", func() { payment.Pesos(-most/100 - 1) }, true},
		{"what would overflow", func() { payment.Pesos(1 << 62) }, true},
	} {
		if panics(c.make) != c.want {
			t.Errorf("%s: panics %t", c.name, !c.want)
		}
	}
	a, b := payment.Pesos(1), payment.Pesos(2)
	if a.Cmp(b) != -1 || b.Cmp(a) != 1 || a.Cmp(a) != 0 || a.IsZero() || !a.IsWhole() || payment.MoneyOfMinor(101).IsWhole() || a != payment.MoneyOfMinor(100) {
		t.Error("amounts are compared wrongly")
	}
}

func TestMoneyJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`"10000.0"`: `"10000.00"`, `10000.5`: `"10000.50"`, `12`: `"12.00"`, `null`: `"0.00"`} {
		var m payment.Money
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := json.Marshal(m); err != nil || string(got) != want {
			t.Errorf("%s came back as %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{`1e2`, `"1e2"`, `10.123`, `true`, `"a"`, `[1]`, `{}`, `"\u0031"`} {
		var m payment.Money
		if err := json.Unmarshal([]byte(text), &m); err == nil {
			t.Errorf("%s was read as %s", text, m)
		}
	}
}

func TestMoneyOfDecimal(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "1.5", "1e3", "12345.6700", "-3.1"} {
		d := decimal.RequireFromString(text)
		m, err := payment.MoneyOfDecimal(d)
		if err != nil || !m.Decimal().Equal(d) {
			t.Errorf("%s became %s, %v", text, m, err)
		}
	}
	for _, d := range []decimal.Decimal{
		decimal.New(1, -3), decimal.New(1, 15), decimal.New(-1, 16), decimal.New(1, 1_000_000_000), decimal.New(1, -1_000_000_000),
	} {
		if m, err := payment.MoneyOfDecimal(d); !errors.Is(err, payment.ErrMoney) {
			t.Errorf("%d e %d became %s, %v; want ErrMoney", d.Coefficient(), d.Exponent(), m, err)
		}
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, seed := range []string{"0", "10000.00", "-1.5", "999999999999999.99", "1e9", "01", "1.234", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := payment.ParseMoney(text)
		if err != nil {
			return
		}
		// What is read is exact, and its own text means the same.
		if d, err := decimal.NewFromString(text); err != nil || !d.Equal(m.Decimal()) {
			t.Fatalf("%q was read as %s (%v)", text, m, err)
		}
		if again, err := payment.ParseMoney(m.String()); err != nil || again != m {
			t.Fatalf("%q prints as %s, which reads as %s, %v", text, m, again, err)
		}
	})
}
