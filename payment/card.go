package payment

import "strings"

// hasCardNumber reports whether s holds what looks like a card's number, in one piece, in the groups that are printed
// on cards, or alone with blanks and hyphens anywhere.
func hasCardNumber(s string) bool {
	isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
	digits := 0
	for _, r := range s {
		if isDigit(r) {
			digits++
		}
	}
	if digits < 13 {
		return false // nearly every text
	}
	for _, run := range strings.FieldsFunc(s, func(r rune) bool { return !isDigit(r) && r != ' ' && r != '-' }) {
		groups := strings.FieldsFunc(run, func(r rune) bool { return !isDigit(r) })
		if isCardNumber(strings.Join(groups, "")) {
			return true
		}
		for i, group := range groups {
			if isCardNumber(group) || isCardNumber(printedOnCard(groups[i:])) {
				return true
			}
		}
	}
	return false
}

// printedOnCard returns the digits of the groups at the beginning that are as long as those on cards, 4-4-4-4 or 4-6-5.
func printedOnCard(groups []string) string {
	for _, form := range [][]int{{4, 4, 4, 4}, {4, 6, 5}} {
		n := 0
		for n < min(len(form), len(groups)) && len(groups[n]) == form[n] {
			n++
		}
		if n == len(form) {
			return strings.Join(groups[:n], "")
		}
	}
	return ""
}

// isCardNumber reports whether these digits are 13 to 19, begin like a card's (3 to 6) and pass the Luhn check.
func isCardNumber(digits string) bool {
	return len(digits) >= 13 && len(digits) <= 19 && digits[0] >= '3' && digits[0] <= '6' && luhn(digits)
}

func luhn(digits string) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
