package plugin

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

const (
	// maxLine bounds one log line of a plugin, and maxText a message in an answer, in bytes.
	maxLine = 8 << 10
	maxText = 2 << 10
	// minSecret keeps a nonsensical secret ("1") from blotting out everything.
	minSecret = 4
)

var (
	authorization = regexp.MustCompile(`(?i)\b(basic|bearer)\s+[a-z0-9._~+/=-]{8,}`)
	email         = regexp.MustCompile(`[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+`)
	digits        = regexp.MustCompile(`\d{3,}(\d{4})`)
)

// masker hides in text what must not be read there: the secrets of the configuration, credentials in headers,
// e-mail addresses, and runs of seven digits or more (documents, phones, accounts) but for the last four.
type masker struct {
	off     bool // Launcher.Unmasked
	secrets atomic.Pointer[strings.Replacer]
}

// hide sets the secrets.
func (m *masker) hide(secrets []string) {
	var pairs []string
	// A secret that begins with another one must be found first.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, s := range secrets {
		if len(s) >= minSecret {
			pairs = append(pairs, s, "(secret)", url.QueryEscape(s), "(secret)")
		}
	}
	m.secrets.Store(strings.NewReplacer(pairs...))
}

// clean returns text with everything hidden, control characters escaped, and cut to max bytes.
func (m *masker) clean(text string, max int) string {
	if text == "" {
		return ""
	}
	if !m.off {
		text = m.masked(text)
	}
	return cut(printable(text), max)
}

func (m *masker) masked(text string) string {
	if r := m.secrets.Load(); r != nil {
		text = r.Replace(text)
	}
	// What an expression needs is looked for first: most texts are single words, and every answer has some.
	if strings.ContainsAny(text, " \t\n\f\r") {
		text = authorization.ReplaceAllString(text, "$1 (secret)")
	}
	if strings.Contains(text, "@") {
		text = email.ReplaceAllString(text, "(e-mail)")
	}
	if strings.ContainsAny(text, "0123456789") {
		text = digits.ReplaceAllString(text, "***$1")
	}
	return text
}

// answer cleans the texts of an answer that a person may read.
func (m *masker) answer(a *pb.Answer) {
	if e := a.GetError(); e != nil {
		e.Message, e.ProviderCode, e.Field = m.clean(e.GetMessage(), maxText), m.clean(e.GetProviderCode(), maxText), m.clean(e.GetField(), maxText)
		for _, f := range e.GetConfigFaults() {
			f.Message = m.clean(f.GetMessage(), maxText)
		}
	}
	for _, o := range []*pb.Outcome{a.GetSubmit(), a.GetLookup()} {
		if o != nil {
			o.Message, o.Code = m.clean(o.GetMessage(), maxText), m.clean(o.GetCode(), maxText)
			o.Status = m.clean(o.GetStatus(), maxText) // is shown where it is none
		}
	}
	for _, line := range a.GetStatement().GetLines() {
		line.Code, line.Status = m.clean(line.GetCode(), maxText), m.clean(line.GetStatus(), maxText)
	}
}

// printable escapes what could forge or disturb a log line: control and format characters, bytes that are not UTF-8.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max] + "…"
}
