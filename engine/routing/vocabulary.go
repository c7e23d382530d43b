package routing

import (
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/payment"
)

// Entry is one word of conditions or one strategy, as documents and editors explain it.
type Entry struct {
	Name string // as it is written: "payer.bank", "lower", "now.Hour()"
	// Type is what it is worth, in words: "text", "an amount", "a whole number", "a boolean"; "" where it has no value.
	Type string
	// Takes are the types of a function's arguments.
	Takes []string
	Doc   string // in a few words
	// Example is a whole condition that uses it; of a strategy, attributes of a route.
	Example string
	// Values are the only ones that it can have; nil = others too.
	Values []string
	// Bank tells that its values are codes of banks.
	Bank bool
}

// Fields lists what conditions can read of a payment, metadata.KEY aside.
func Fields() []Entry {
	var list []Entry
	for _, f := range payment.Fields() {
		list = append(list, Entry{
			Name: f.Path, Type: fieldReference(f).kind.String(), Doc: f.Doc, Example: fieldExample(f.Path), Values: slices.Clone(codes[f.Path]),
			Bank: isBankField(f.Path),
		})
	}
	return list
}

func isBankField(path string) bool { return path == "payer.bank" || path == "payee.bank" }

// fieldExamples are conditions by field; those that begin with a point are for payer and payee alike.
var fieldExamples = map[string]string{
	"operation": "operation == 'payin'", "method": "method in ['pse', 'efecty']", "amount": "amount >= 1000 && amount <= 500000.50",
	"currency": "currency == 'COP'", "country": "country == 'CO'", "tax": "tax > 0",
	"reference": "reference startsWith 'ORDER-'", "description": "description contains 'flores'",
	".kind": ".kind == 'legal'", ".name": ".name != '' && upper(.name) contains 'RODRIGUEZ'", ".first_name": ".first_name == 'Miguel'",
	".last_name": ".last_name == 'Rodriguez'", ".document.type": ".document.type in ['CC', 'CE']",
	".document.number": "len(.document.number) == 9", ".email": ".email endsWith '@shop.co'", ".phone": ".phone startsWith '+573'",
	".address": ".address contains 'Calle 26'", ".ip": ".ip startsWith '10.'", ".id": ".id matches '^vip-[0-9]+$'",
	".bank": ".bank in ['1007', '1051']", "payee.account.type": "payee.account.type == 'savings'",
	"payee.account.number": "len(payee.account.number) <= 11", "bill.biller": "bill.biller == '3001'",
	"bill.reference": "bill.reference startsWith '77'", "return_url": "return_url startsWith 'https://shop.co/'",
	"failure_url": "failure_url != ''", "cancel_url": "cancel_url != ''",
}

func fieldExample(path string) string {
	party, rest, _ := strings.Cut(path, ".")
	if example, ok := fieldExamples["."+rest]; ok {
		return strings.ReplaceAll(example, "."+rest, party+"."+rest)
	}
	return fieldExamples[path]
}

// Functions lists what conditions can call.
func Functions() []Entry {
	var list []Entry
	for _, f := range textFunctions {
		e := Entry{Name: f.name, Type: f.yields.String(), Doc: f.doc, Example: f.example}
		for _, k := range f.takes {
			e.Takes = append(e.Takes, k.String())
		}
		list = append(list, e)
	}
	for _, q := range quantifiers {
		list = append(list, Entry{
			Name: q.name, Type: boolKind.String(), Doc: q.doc, Example: q.example,
			Takes: []string{listKind.String(), "a condition on its element `#`"},
		})
	}
	return list
}

// Operators lists the words that join and compare.
func Operators() []Entry {
	return []Entry{
		{Name: "and", Doc: "both hold; also &&", Example: "method == 'pse' and amount > 1000"},
		{Name: "or", Doc: "at least one holds; also ||", Example: "method == 'pse' or method == 'card'"},
		{Name: "not", Doc: "it does not hold; also !", Example: "not (method == 'card')"},
		{Name: "in", Doc: "is one of a list", Example: "method in ['pse', 'card']"},
		{Name: "contains", Doc: "the text has that part", Example: "description contains 'flores'"},
		{Name: "startsWith", Doc: "the text begins with it", Example: "reference startsWith 'ORDER-'"},
		{Name: "endsWith", Doc: "the text ends with it", Example: "payer.email endsWith '@shop.co'"},
		{Name: "matches", Doc: "the regular expression matches the text", Example: "payer.id matches '^vip-[0-9]+$'"},
	}
}

// Clock lists the parts of now, which is the time in America/Bogota.
func Clock() []Entry {
	var list []Entry
	for _, key := range clockKeys {
		e := Entry{Name: key, Type: integerKind.String(), Doc: clockWords[key].doc, Example: clockWords[key].example}
		if clockTexts[key] != nil {
			e.Type = textKind.String()
		}
		list = append(list, e)
	}
	return append(list, Entry{
		Name: "now.Format", Type: textKind.String(), Takes: []string{"a layout of Go's time package"}, Doc: "the time as text",
		Example: "now.Format('15:04') >= '08:30'",
	})
}

var clockWords = map[string]struct{ doc, example string }{
	"now.Year()":             {"the year", "now.Year() >= 2026"},
	"now.Month()":            {"the month, 1 to 12", "now.Month() in [11, 12]"},
	"now.Month().String()":   {"the month's English name", "now.Month().String() == 'November'"},
	"now.Day()":              {"the day of the month", "now.Day() > 15"},
	"now.YearDay()":          {"the day of the year", "now.YearDay() <= 360"},
	"now.Weekday()":          {"the day of the week; Sunday is 0", "now.Weekday() not in [0, 6]"},
	"now.Weekday().String()": {"the day's English name", "now.Weekday().String() == 'Friday'"},
	"now.Hour()":             {"the hour, 0 to 23", "now.Hour() >= 8 && now.Hour() < 18"},
	"now.Minute()":           {"the minute", "now.Minute() < 30"},
	"now.Second()":           {"the second", "now.Second() < 30"},
	"now.Unix()":             {"seconds since 1970", "now.Unix() > 1790000000"},
}

// Strategies lists the strategies; the first is the default.
func Strategies() []Entry {
	list := make([]Entry, len(strategies))
	for i, s := range strategies {
		list[i] = Entry{Name: s.name, Doc: s.doc, Example: s.example}
	}
	return list
}
