package engine

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

// Configure checks what a block of the rules gives a provider, each attribute as text, and hands it over with the defaults
// filled in. What is refused is told without the values that come from env() or file(), whoever tells it: as a
// *provider.ConfigError where it is about attributes.
func Configure(ctx context.Context, p provider.Provider, block routing.Provider, given provider.Config) (provider.Config, error) {
	schema := slices.Clone(p.Info().Config)
	for i, f := range schema {
		schema[i].Secret = f.Secret || block.Config[f.Name].Secret
	}
	config, err := schema.Resolve(given)
	if err != nil {
		return nil, err
	}
	if err := p.Configure(ctx, config); err != nil {
		return nil, withoutSecrets(err, schema, block)
	}
	return config, nil
}

// withoutSecrets returns what a provider says of its configuration without the values that come from env() or file().
func withoutSecrets(err error, schema provider.Schema, block routing.Provider) error {
	var secrets []string
	for _, v := range block.Config {
		if v.Secret && v.Text != "" {
			secrets = append(secrets, v.Text)
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may hold another one
	var refused *provider.ConfigError
	if errors.As(err, &refused) {
		told := &provider.ConfigError{}
		for _, f := range refused.Faults {
			if _, known := schema.Field(f.Name); !known {
				f.Name = mask(f.Name, secrets)
			}
			told.Faults = append(told.Faults, provider.ConfigFault{Name: f.Name, Message: mask(f.Message, secrets)})
		}
		return told
	}
	if text := mask(err.Error(), secrets); text != err.Error() {
		return &maskedError{text, err}
	}
	return err
}

// maskedError reads as what may be told of an error.
type maskedError struct {
	text string
	err  error
}

func (e *maskedError) Error() string { return e.text }
func (e *maskedError) Unwrap() error { return e.err }

const (
	// withheld stands for a text that cannot be told without telling a value.
	withheld = "(the reason is not shown: it holds a value from env() or file())"
	// A value shorter than shortSecret may be part of any word, and telltale bytes of one tell what it is.
	shortSecret = 3
	telltale    = 12
)

// mask replaces values in text, as they are and as Go quotes them.
func mask(text string, secrets []string) string {
	for _, s := range secrets {
		quoted := strconv.Quote(s)
		if len(s) < shortSecret {
			if holdsWord(text, s) || strings.Contains(text, quoted) {
				return withheld
			}
			continue
		}
		text = strings.NewReplacer(quoted, "the value", s, "the value", quoted[1:len(quoted)-1], "the value").Replace(text)
		if len(s) > telltale && strings.Contains(text, s[:telltale]) { // it was cut
			return withheld
		}
	}
	return text
}

// holdsWord reports whether s stands in text with neither a letter nor a digit beside it.
func holdsWord(text, s string) bool {
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for from := 0; ; {
		i := strings.Index(text[from:], s)
		if i < 0 {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(s):])
		if !inWord(before) && !inWord(after) {
			return true
		}
		from = i + len(s)
	}
}
