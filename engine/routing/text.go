package routing

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
)

// Text is one file of rules.
type Text struct {
	Name    string `json:"name"` // without its directory
	Content string `json:"content"`
}

// minMasked is the length, in bytes, below which a secret cannot be found in a text without hiding what is none.
const minMasked = 4

// ErrClear is that a secret stands in rules in clear, and cannot be told apart from what is none.
var ErrClear = errors.New("routing: a secret stands in the rules in clear, in a way that cannot be masked")

// Texts returns the files as they were read, in order, and masked = true where a secret that stands in them in clear
// was replaced by "(hidden)": notification secrets, those of webhooks, and the given ones. Where one of them was put
// together from parts it is ErrClear.
func (r *Rules) Texts(secrets ...string) (texts []Text, masked bool, err error) {
	for _, s := range r.sources {
		texts = append(texts, Text{filepath.Base(s.name), string(s.content)})
	}
	all := slices.Concat(secrets, r.inClear)
	for i, secret := range all {
		found := slices.Contains(all[:i], secret)
		for j, text := range texts {
			if len(secret) >= minMasked && strings.Contains(text.Content, secret) {
				texts[j].Content, found = strings.ReplaceAll(text.Content, secret, hidden), true
			}
		}
		if !found {
			return nil, true, ErrClear
		}
		masked = true
	}
	return texts, masked, nil
}
