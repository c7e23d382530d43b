// Package phone reads Colombian phone numbers as payers write them.
package phone

import "strings"

// CountryCode is Colombia's.
const CountryCode = "57"

// National strips what is not a digit, and the country code: after a plus, or before the ten digits of a Colombian
// number.
func National(number string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
	if strings.Contains(number, "+") || len(digits) == len(CountryCode)+10 {
		return strings.TrimPrefix(digits, CountryCode)
	}
	return digits
}
