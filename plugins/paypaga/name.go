package main

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/cauce-pay/cauce/payment"
)

// normal writes a text as PayPaga's patterns want it (PP-02): accents composed with their letters, single spaces, and
// the apostrophe of a keyboard. It drops nothing else.
func normal(text string) string {
	text = strings.ReplaceAll(norm.NFC.String(text), "\u2019", "'")
	return strings.Join(strings.Fields(text), " ")
}

// particles belong to the name after them: "de la Cruz" is one surname.
var particles = []string{"de", "del", "la", "las", "los", "y", "da", "das", "do", "dos", "di", "van", "von", "san", "santa"}

// names returns the payer's first and last names as given, or else splits the full name in the Colombian way: two
// surnames after three names or more. The last name is "" where there is one name only. Nothing is cut (PP-03).
func names(p payment.Party) (first, last string) {
	if p.FirstName != "" && p.LastName != "" {
		return normal(p.FirstName), normal(p.LastName)
	}
	var parts []string // each a name with the particles before it
	open := false
	for _, name := range strings.Fields(normal(p.Name)) {
		if open {
			parts[len(parts)-1] += " " + name
		} else {
			parts = append(parts, name)
		}
		open = slices.Contains(particles, strings.ToLower(name))
	}
	given := max(1, len(parts)-2)
	if len(parts) == 0 {
		given = 0
	}
	return strings.Join(parts[:given], " "), strings.Join(parts[given:], " ")
}
