package routing

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/cauce-pay/cauce/payment"
)

// routeWhen returns rules with one route, of that condition.
func routeWhen(when string) string {
	return "route \"r\" {\n  when = <<-EOT\n" + when + "\nEOT\n  reject = \"no\"\n}\n"
}

// holds tells whether a condition holds for a payment on a Friday evening in Bogota.
func holds(t testing.TB, r *Rules, req payment.Request) bool {
	t.Helper()
	req = req.WithDefaults()
	d := r.Decide(&req, Facts{Now: time.Date(2026, 11, 21, 3, 5, 7, 0, time.UTC)})
	if d.Faults != nil {
		t.Errorf("not computed: %v", d.Faults)
	}
	return d.Route == "r"
}

func TestConditions(t *testing.T) {
	t.Parallel()
	req := payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.MoneyOfMinor(10000_50), Tax: payment.MoneyOfMinor(1900_10),
		Reference: "ORDER-1001", Description: "Compra de ñandú",
		Payer: payment.Party{
			Kind: payment.Natural, FirstName: "Miguel", LastName: "Rodriguez", Bank: "1007", Email: "Demo@demo.com",
			Document: payment.Document{Type: payment.CE, Number: "987654321"},
		},
		Metadata: map[string]string{"shop": "bogota-1", "a b": "c", "empty": ""},
	}
	const locals = "locals {\n  banks = [\"1007\", \"1051\"]\n  limit = 10000.50\n  steps = [1000, 10000.50]\n" +
		"  on = true\n  name = \"ORDER\"\n  pattern = \"^ORDER-[0-9]+$\"\n  nothing = []\n  group = { small = 1000, banks = [\"1007\"] }\n}\n"
	for when, want := range map[string]bool{
		"true":  true,
		"false": false,
		// fields
		"operation == 'payin' && method == 'pse' && currency == 'COP' && country == 'CO'": true,
		"payer.document.type in ['CC', 'CE'] && payer.document.number == '987654321'":     true,
		"payer.name == 'Miguel Rodriguez'":                                                true,
		"payee.bank == '' && payer.id == '' && bill.biller == ''":                         true,
		"payer?.bank == '1007'":   true,
		`payer["bank"] == "1007"`: true,
		"metadata.shop == 'bogota-1' && metadata['a b'] == 'c' && metadata.none == ''": true,
		"'shop' in metadata && 'none' not in metadata && not ('empty' in metadata)":    true,
		// tests of text
		"payer.bank != '1007'":                                        false,
		"payer.bank not in ['1051']":                                  true,
		"payer.bank in []":                                            false,
		"payer.bank < '1008' && payer.bank >= '1007'":                 true,
		"reference startsWith 'ORDER' && reference endsWith '1'":      true,
		"description contains 'ñandú'":                                true,
		"reference matches '^ORDER-[0-9]{4}$'":                        true,
		"reference matches '^[0-9]+$'":                                false,
		"reference matches local.pattern":                             true,
		"lower(payer.email) == 'demo@demo.com'":                       true,
		"payer.email | upper() == 'DEMO@DEMO.COM'":                    true,
		"trim('  x ') == 'x'":                                         true,
		"len(payer.document.number) == 9 && len(payee.id) == 0":       true,
		"len(description) == 15":                                      true, // characters, not bytes
		"hasPrefix(reference, 'ORDER') && !hasSuffix(reference, '2')": true,
		"payer.first_name + ' ' + payer.last_name == payer.name":      true,
		// locals
		"payer.bank in local.banks && local.on":           true,
		"amount == local.limit":                           true,
		"amount in local.steps":                           true,
		"amount - 0.50 in local.steps":                    false,
		"reference startsWith local.name":                 true,
		"payer.bank in local.nothing":                     false,
		"amount > local.group.small":                      true,
		"payer.bank in local.group.banks":                 true,
		"len(local.banks) == 2":                           true,
		"any(local.banks, # == payer.bank)":               true,
		"any(local.banks, {# == payer.bank})":             true,
		"all(local.steps, amount >= #)":                   true,
		"none(['X-', 'Y-'], reference startsWith #)":      true,
		"one([1, 2, 9], # == len(payer.document.number))": true,
		"any(local.nothing, # == payer.bank)":             false,
		// logic
		"method == 'pse' ? amount > 1 : amount > 1000000":          true,
		"(method == 'pse' ? 1000 : 2000) == 1000":                  true,
		"if method == 'efecty' { false } else { true }":            true,
		"not (method == 'efecty' or amount < 1) and !false":        true,
		"1000 < amount < 20000":                                    true,
		"1000 < amount < 2000":                                     false,
		"1 < len(reference) < 20 > 3":                              true,
		"0 < amount - tax * 2 <= 6200.30":                          true,
		"operation == 'payout' || (method == 'pse' && amount > 1)": true,
		// now, in Bogota: Friday 2026-11-20 22:05:07
		"now.Year() == 2026 && now.Month() == 11 && now.Day() == 20":                true,
		"now.Hour() == 22 && now.Minute() == 5 && now.Second() == 7":                true,
		"now.Weekday() == 5 && now.Weekday().String() == 'Friday'":                  true,
		"now.Weekday().String() in ['Saturday', 'Sunday']":                          false,
		"now.Month().String() == 'November' && now.YearDay() == 324":                true,
		"now.Format('15:04') >= '22:00' && now.Format('2006-01-02') < '2026-11-21'": true,
		"now.Unix() == 1795230307":                                                  true,
	} {
		r := mustLoad(t, locals+routeWhen(when))
		if got := holds(t, r, req); got != want {
			t.Errorf("%s = %v, want %v", when, got, want)
		}
	}
}

// TestLiterals writes one condition in every way that HCL has for it.
func TestLiterals(t *testing.T) {
	t.Parallel()
	for _, literal := range []string{
		`"reference == \"ñ\\t$${x}%%{y}$z\\\"\""`,
		`"reference == \"\u00f1\\t$${x}%%{y}$z\\\"\""`,
		`"\treference ==\r\n\"\U000000f1\\t$${x}%%{y}$z\\\"\""`,
		"<<EOT\nreference == \"ñ\\t$${x}%%{y}$z\\\"\"\nEOT",
		"<<-EOT\n    reference\n      == \"ñ\\t$${x}%%{y}$z\\\"\"\n    EOT",
	} {
		r := mustLoad(t, "route \"r\" {\n  reject = \"no\"\n  when = "+literal+"\n}\n")
		if !holds(t, r, payment.Request{Reference: "ñ\t${x}%{y}$z\""}) {
			t.Errorf("%s does not hold", literal)
		}
	}
}

func TestAmountsCompareExactly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount, tax, when string
		want              bool
	}{
		{"1000.50", "0", "amount == 1000.50", true},
		{"1000.50", "0", "amount == 1000.5", true},
		{"1000.51", "0", "amount == 1000.50", false},
		{"1000.00", "0", "amount == 1000", true},
		{"1000.00", "0", "amount == 1_000", true},
		{"1000.00", "0", "amount == 1000.000", true}, // no digit of it is lost
		{"0.10", "0", "amount + amount + amount == 0.30", true},
		{"0.30", "0.10", "amount - tax == 0.2", true},
		{"0.07", "0", "amount == .07", true},
		{"100.10", "0", "amount == 1 * 100.1", true},
		{"999999999999999.99", "0", "amount == 999999999999999.99", true},
		{"999999999999999.99", "0", "amount < 999999999999999.99", false},
		{"999999999999999.98", "0", "amount < 999999999999999.99", true}, // the same float64
		{"999999999999999.98", "0", "amount == 999999999999999.99", false},
		{"90071992547409.93", "0", "amount == 90071992547409.93", true}, // 2^53+1 hundredths
		{"90071992547409.92", "0", "amount == 90071992547409.93", false},
		{"1000.00", "1000.00", "amount == tax", true},
		{"1000.01", "1000.00", "amount > tax", true},
		{"1000.00", "0", "tax == 0", true},
		{"1000.00", "0", "tax == 0.00 && tax < 0.01 && tax > -0.01", true},
		{"1000.00", "0", "-amount == -1000", true},
		{"1000.00", "0", "+amount == +1000", true},
		{"1000.00", "190.00", "tax * 100 == amount * 19", true},
		{"1000.00", "190.01", "tax * 100 == 19 * amount", false},
		{"1500.00", "0", "amount % 500 == 0", true},
		{"1500.05", "0", "amount % 500 == 0.05", true},
		{"1500.00", "0", "amount in [1000, 1500.00]", true},
		{"1500.01", "0", "amount in [1000, 1500.00]", false},
		{"9.00", "0", "amount == len(reference) + 8", true},
		{"1.00", "0", "amount >= len(reference)", true},
		{"1.00", "0", "len(reference) >= amount", true},
		{"0.99", "0", "len(reference) <= amount", false},
		{"1000.50", "0", "amount == 500 + 500.50", true},
		{"1000.50", "0", "amount == 2001 - 1000.5", true},
		{"1000.50", "0", "amount < (tax > 0 ? tax : 1000.51)", true},
	} {
		amount, err1 := payment.ParseMoney(c.amount)
		tax, err2 := payment.ParseMoney(c.tax)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		r := mustLoad(t, routeWhen(c.when))
		if got := holds(t, r, payment.Request{Amount: amount, Tax: tax, Reference: "x"}); got != c.want {
			t.Errorf("amount %s, tax %s: %s = %v, want %v", c.amount, c.tax, c.when, got, c.want)
		}
	}
}

// TestAmountsAgreeWithDecimals compares random arithmetic of conditions with that of shopspring/decimal.
func TestAmountsAgreeWithDecimals(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	amount, tax := payment.MoneyOfMinor(random.Int64N(1e12)), payment.MoneyOfMinor(random.Int64N(1e6))
	var term func(depth int) (string, decimal.Decimal)
	term = func(depth int) (string, decimal.Decimal) {
		switch kind := random.IntN(7); {
		case kind == 0 || depth == 0:
			return "amount", amount.Decimal()
		case kind == 1:
			return "tax", tax.Decimal()
		case kind == 2:
			d := decimal.New(random.Int64N(1e9), -2)
			return d.String(), d
		case kind == 3:
			n := random.Int64N(20) - 10
			s, d := term(depth - 1)
			return fmt.Sprintf("(%s) * %d", s, n), d.Mul(decimal.New(n, 0))
		default:
			left, a := term(depth - 1)
			right, b := term(depth - 1)
			if kind == 4 {
				return fmt.Sprintf("(%s) - (%s)", left, right), a.Sub(b)
			}
			return fmt.Sprintf("(%s) + (%s)", left, right), a.Add(b)
		}
	}
	for range 100 {
		left, a := term(3)
		right, b := term(2)
		if random.IntN(4) == 0 { // equality is rare by chance
			right, b = left, a
		}
		for operator, want := range map[string]bool{
			"==": a.Equal(b), "!=": !a.Equal(b), "<": a.LessThan(b), "<=": a.LessThanOrEqual(b), ">": a.GreaterThan(b), ">=": a.GreaterThanOrEqual(b),
		} {
			when := left + " " + operator + " " + right
			if got := holds(t, mustLoad(t, routeWhen(when)), payment.Request{Amount: amount, Tax: tax}); got != want {
				t.Errorf("seed %d: amount %s, tax %s: %s = %v, want %v", seed, amount, tax, when, got, want)
			}
		}
	}
}

// TestPlaces marks the words at fault with « and », and expects exactly them to be pointed at.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, marked := range []string{
		`"«ammount» < 1000"`,
		`"amount > 1 && (if «method == 'pse' { 1 } else { 2» })"`,
		`"amount < 1000 && «ammount» < 1000"`,
		`"payer.«documnt.type» == 'CC'"`,
		`"amount == «'x'»"`,
		`"payer.bank == «1007»"`,
		`"«1007» == payer.bank"`,
		`"payer.bank in «[1007]»"`,
		`"method == 'pse' && «payer.bank»"`,
		`"method == 'pse' && «len(payer.bank)»"`,
		`"amount < «0.001»"`,
		`"method «=» 'pse'"`,
		`"\"pse\" == method && «ammount» < 1"`,
		`"reference == '\\\\d' && «ammount» < 1"`,
		`"reference == '\u00f1\U0001F600' && «ammount» < 1"`,
		`"reference == 'ñ😀' && «ammount» < 1"`,
		"\"reference == 'n\u0303' && «ammount» < 1\"", // two code points, which HCL would join
		`"method == 'pse' &&\n\t«ammount» < 1"`,
		`"reference == '$${x}' && «ammount» < 1"`,
		`"reference == '%%{x}' && «ammount» < 1"`,
		"<<EOT\nmethod == \"pse\" &&\n  «ammount» < 1\nEOT",
		"<<-EOT\n      method == 'pse'\n        && «ammount» < 1\n    EOT",
		"<<-EOT\n      reference == '$${x}' && «ammount» < 1\n    EOT",
		"<<EOT\r\nmethod == 'pse' &&\r\n  «ammount» < 1\r\nEOT",
	} {
		source := "route \"r\" {\n\treject = \"no\"\n\twhen = " + marked + "\n}\n"
		before, rest, _ := strings.Cut(source, "«")
		word, after, _ := strings.Cut(rest, "»")
		line := strings.Count(before, "\n") + 1
		column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
		_, ds := loadText(t.TempDir(), "routing.hcl", before+word+after)
		if len(ds) != 1 || ds[0].Line != line || ds[0].Column != column || ds[0].width != utf8.RuneCountInString(word) {
			t.Errorf("%s: want one diagnostic at %d:%d, %d wide; got %+v", marked, line, column, utf8.RuneCountInString(word), ds)
		}
	}
}

// TestConditionsWrittenTwice has routes with equal parts, which are compiled once.
func TestConditionsWrittenTwice(t *testing.T) {
	t.Parallel()
	when := func(whens ...string) (content string) {
		for i, w := range whens {
			content += fmt.Sprintf("route \"r%d\" {\n  when   = %q\n  reject = \"no\"\n}\n", i, w)
		}
		return content
	}
	const typo = "method == 'PSE'"
	if _, ds := loadText(t.TempDir(), "routing.hcl", when(typo, "tax > 5 && "+typo)); len(ds) != 2 || ds[1].Line != 6 || ds[1].Column != 34 {
		t.Errorf("a mistake in two routes: %+v", ds)
	}
	dead := "method == 'pse' && (tax > 5 || amount < 0)"
	if _, ds := loadText(t.TempDir(), "routing.hcl", when(dead, dead+" && amount > 5")); len(ds) != 3 || ds[2].Column != 44 || ds[2].Line != 6 {
		t.Errorf("a dead alternative in two routes: %+v", ds)
	}
	r := mustLoad(t, when("metadata.a == 'x  y'", "metadata.a == 'x y'", "(metadata.a == 'x' && tax > 5)", "metadata.a == 'x' && tax > 4"))
	for text, want := range map[string]string{"x y": "r1", "x  y": "r0", "x": "r3"} {
		req := testRequest()
		req.Tax, req.Metadata = payment.Pesos(5), map[string]string{"a": text}
		if got := r.Match(&req, testFacts().Now); got != want {
			t.Errorf("%q goes to %q, want %q", text, got, want)
		}
	}
}
