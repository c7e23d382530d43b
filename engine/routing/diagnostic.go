package routing

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity tells whether rules can be used despite a diagnostic.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the rules are refused
	Warning Severity = "warning" // the rules are used; they may not mean what they say
)

// Diagnostic is one fault of the rules, at its place. It never holds the value of a secret.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	Summary  string   `json:"summary"`
	Detail   string   `json:"detail"` // what to do about it; may be empty
	File     string   `json:"file"`
	Line     int      `json:"line"`   // from 1; 0 where it is about the file as a whole
	Column   int      `json:"column"` // in characters (Unicode code points), from 1

	// Start and End are the bytes of the file that are at fault; both 0 where it is about the file as a whole.
	Start int `json:"-"`
	End   int `json:"-"`

	excerpt string // the source line, or a part of it where it is long
	indent  int    // characters of excerpt before the fault
	width   int    // characters of excerpt at fault
}

// WithoutSource returns the diagnostic without its source line, for a line that holds a secret in clear.
func (d Diagnostic) WithoutSource() Diagnostic {
	d.excerpt, d.indent, d.width = "", 0, 0
	return d
}

// LogArgs returns the diagnostic's place and detail for slog; no place where it is about the file as a whole.
func (d Diagnostic) LogArgs() []any {
	args := []any{"file", d.File}
	if d.Line > 0 {
		args = append(args, "line", d.Line, "column", d.Column)
	}
	return append(args, "detail", d.Detail)
}

// Diagnostics are all the faults that were found. As an error it reads as its first error.
type Diagnostics []Diagnostic

// HasErrors reports whether the rules are refused.
func (ds Diagnostics) HasErrors() bool { return ds.count(Error) > 0 }

func (ds Diagnostics) count(s Severity) int {
	n := 0
	for _, d := range ds {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// Error returns the first error with its place, and how many more there are.
func (ds Diagnostics) Error() string {
	i := slices.IndexFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
	if i < 0 {
		return "routing: no error"
	}
	s := "routing: " + ds[i].place() + ": " + ds[i].Summary
	if ds[i].Detail != "" {
		s += ": " + ds[i].Detail
	}
	if more := ds.count(Error) - 1; more > 0 {
		s += fmt.Sprintf(" (and %d more)", more)
	}
	return s
}

// Write writes the diagnostics for a person: place, summary, detail, and the source line with a caret under the
// words at fault.
func (ds Diagnostics) Write(w io.Writer) error {
	var b strings.Builder
	for i, d := range ds {
		if i > 0 {
			b.WriteByte('\n')
		}
		d.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Report is what `router validate -json` prints.
type Report struct {
	Valid       bool        `json:"valid"`
	Diagnostics Diagnostics `json:"diagnostics"`
}

// Report returns the diagnostics for a machine.
func (ds Diagnostics) Report() Report {
	return Report{Valid: !ds.HasErrors(), Diagnostics: append(Diagnostics{}, ds...)}
}

func (d Diagnostic) place() string {
	if d.Line == 0 {
		return d.File
	}
	return fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column)
}

func (d Diagnostic) write(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %s: %s\n", d.place(), d.Severity, d.Summary)
	if d.Detail != "" {
		fmt.Fprintf(b, "  %s\n", d.Detail)
	}
	if d.excerpt == "" {
		return
	}
	number := fmt.Sprint(d.Line)
	// The margin repeats tabs, so that the caret stands where the terminal draws the word.
	margin := []rune(d.excerpt)[:d.indent]
	for i, r := range margin {
		if r != '\t' {
			margin[i] = ' '
		}
	}
	fmt.Fprintf(b, "  %s | %s\n", number, d.excerpt)
	fmt.Fprintf(b, "  %*s | %s%s\n", len(number), "", string(margin), strings.Repeat("^", d.width))
}

// sorted returns the diagnostics in the order of their places, which is the same on every run.
// Sorted sorts the diagnostics in place, by file, line and column, and returns them.
func (ds Diagnostics) Sorted() Diagnostics {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Summary, b.Summary))
	})
	return ds
}

// source is one file of rules.
type source struct {
	name    string
	content []byte
	lines   []int // offset of the first byte of each line
	tests   bool  // it holds tests only
}

func newSource(name string, content []byte) *source {
	s := &source{name: name, content: content, lines: []int{0}}
	for i, c := range content {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// span is a part of a file, in bytes.
type span struct {
	source     *source
	start, end int
}

// Lines longer than maxExcerpt characters are shown in part: half of that before the fault, and half from it on.
const maxExcerpt = 240

func (s span) diagnostic(severity Severity, summary, detail string) Diagnostic {
	line, found := slices.BinarySearch(s.source.lines, s.start)
	if !found {
		line--
	}
	content := s.source.content
	first := s.source.lines[line]
	last := len(content)
	if line+1 < len(s.source.lines) {
		last = s.source.lines[line+1] - 1
	}
	for last > s.start && content[last-1] == '\r' {
		last--
	}
	before := lastRunes(content[first:s.start], maxExcerpt+1)
	rest := firstRunes(content[s.start:max(s.start, last)], maxExcerpt+1)
	d := Diagnostic{
		Severity: severity, Summary: printable(summary), Detail: printable(detail), File: s.source.name,
		Line: line + 1, Column: utf8.RuneCount(content[first:s.start]) + 1, Start: s.start, End: max(s.start, s.end),
	}
	if len(before)+len(rest) > maxExcerpt {
		before = before[max(0, len(before)-maxExcerpt/2):]
		rest = rest[:min(len(rest), maxExcerpt/2)]
	}
	d.excerpt = printable(string(before) + string(rest))
	d.indent = len(before)
	fault := utf8.RuneCount(content[s.start:max(s.start, min(s.end, last))])
	d.width = max(1, min(fault, len(rest)))
	return d
}

// firstRunes and lastRunes return up to n characters: a fault in a line of 1 MiB costs no more than in any other.
func firstRunes(b []byte, n int) []rune {
	runes := []rune(string(b[:min(len(b), n*utf8.UTFMax)]))
	return runes[:min(len(runes), n)]
}

func lastRunes(b []byte, n int) []rune {
	from := max(0, len(b)-n*utf8.UTFMax)
	for from < len(b) && !utf8.RuneStart(b[from]) {
		from++
	}
	runes := []rune(string(b[from:]))
	return runes[max(0, len(runes)-n):]
}

// printable replaces what could steer a terminal; each character stays one character.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return '\uFFFD'
		}
		return r
	}, s)
}
