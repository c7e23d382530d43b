package routing

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// MaxFileBytes bounds a file of rules.
const MaxFileBytes = 1 << 20

// Further bounds of what is read. Nesting is bounded because HCL's parser recurses: a file of brackets would overflow the
// stack, which no program survives.
const (
	maxFiles        = 1000
	maxBytes        = 64 << 20 // of all files together
	maxNesting      = 64
	maxDigits       = 40  // of a number
	maxStringPieces = 500 // of a string: HCL joins them one by one, and each time copies what it has and what is left
)

// testSuffix ends the names of files that hold nothing but tests.
const testSuffix = "_test.hcl"

// lockSuffix ends the name of the file that pins plugins, which lies beside the rules and holds none.
const lockSuffix = ".lock.hcl"

// readSources reads a file of rules, or every *.hcl of a directory that is not a *_test.hcl, in name order, and the
// latter too if tests are asked for. dir is where relative paths in the rules start.
func readSources(path string, tests bool, unsaved map[string][]byte) (sources []*source, dir string, ds Diagnostics) {
	fail := func(name, format string, args ...any) { ds = append(ds, unreadable(name, format, args...)) }
	names, dir, err := rulesFiles(path, tests, unsaved)
	if err != nil {
		fail(path, "%s.", describeFileError(err))
	}
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	total := 0
	for _, name := range names {
		content, err := unsaved[name], error(nil)
		if content == nil {
			content, err = readBounded(name)
		}
		switch {
		case err != nil:
			fail(name, "%s.", describeFileError(err))
		case len(content) > MaxFileBytes:
			ds = append(ds, tooLargeFile(name))
		default:
			s := newSource(name, content)
			s.tests = tests && name != path && strings.HasSuffix(name, testSuffix)
			sources = append(sources, s)
		}
		if total += len(content); total > maxBytes {
			fail(path, "All files together are larger than %d bytes.", maxBytes)
			break
		}
	}
	return sources, dir, ds
}

func unreadable(name, format string, args ...any) Diagnostic {
	return Diagnostic{Severity: Error, File: name, Summary: "Rules cannot be read", Detail: fmt.Sprintf(format, args...)}
}

func tooLargeFile(name string) Diagnostic {
	return unreadable(name, "The file is larger than %d bytes. Rules may be spread over several files of one directory.", MaxFileBytes)
}

func rulesFiles(path string, tests bool, unsaved map[string][]byte) (names []string, dir string, err error) {
	info, err := os.Stat(path)
	if err != nil && unsaved[path] == nil {
		return nil, "", err
	}
	if err != nil || !info.IsDir() {
		names = []string{path}
		beside := strings.TrimSuffix(path, ".hcl") + testSuffix
		if _, err := os.Stat(beside); tests && (err == nil || unsaved[beside] != nil) {
			names = append(names, beside)
		}
		return names, filepath.Dir(path), nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, "", err
	}
	var inside []string
	for _, e := range entries {
		inside = append(inside, e.Name())
	}
	for name := range unsaved {
		if filepath.Dir(name) == filepath.Clean(path) {
			inside = append(inside, filepath.Base(name))
		}
	}
	slices.Sort(inside)
	rules := 0
	for _, name := range slices.Compact(inside) {
		isTest := strings.HasSuffix(name, testSuffix)
		if !strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, lockSuffix) || name[0] == '.' || isTest && !tests {
			continue
		}
		names = append(names, filepath.Join(path, name))
		if !isTest {
			rules++
		}
	}
	switch {
	case rules == 0:
		return nil, "", errors.New("the directory has no *.hcl file")
	case len(names) > maxFiles:
		return nil, "", fmt.Errorf("the directory has more than %d *.hcl files", maxFiles)
	}
	return names, path, nil
}

// readBounded reads at most one byte more than a file of rules may have.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
}

// describeFileError is err without the path, which the diagnostic has already.
func describeFileError(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return strings.ToUpper(err.Error()[:1]) + err.Error()[1:]
}

// contentHash returns the first 16 hexadecimal digits of the SHA-256 of the files, each preceded by its length, in
// the order in which they are read. Names are left out: the same rules have the same hash wherever they lie.
func contentHash(sources []*source) string {
	h := sha256.New()
	for _, s := range sources {
		if s.tests {
			continue // they decide nothing
		}
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s.content))))
		h.Write(s.content)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// parse reads the file's blocks, once it is certain that HCL's parser survives it. body is what could be made of a file
// with mistakes, nil where the parser was not asked.
func (s *source) parse() (body *hclsyntax.Body, ds Diagnostics) {
	if i := invalidUTF8(s.content); i >= 0 {
		return nil, Diagnostics{span{s, i, i + 1}.diagnostic(Error, "Not UTF-8", "Rules are text in UTF-8.")}
	}
	tokens, unclosed := s.lex()
	if at, summary, detail := refuseTokens(tokens); summary != "" {
		return nil, Diagnostics{s.span(at).diagnostic(Error, summary, detail)}
	}
	if unclosed != nil {
		return nil, Diagnostics{unclosed.diagnostic(Error, "The comment is not closed", "Write */ where it ends.")}
	}
	file, faults := hclsyntax.ParseConfig(s.content, s.name, hcl.InitialPos)
	return file.Body.(*hclsyntax.Body), s.diagnostics(faults)
}

// lex takes the file apart, up to a comment that is not closed. HCL's scanner would look for its end from each /* in it
// on, so that the end of a comment is put behind the file for it to find.
func (s *source) lex() (tokens hclsyntax.Tokens, unclosed *span) {
	tokens, _ = hclsyntax.LexConfig(append(slices.Clip(s.content), "\n*/"...), s.name, hcl.InitialPos)
	beyond := slices.IndexFunc(tokens, func(t hclsyntax.Token) bool { return t.Range.End.Byte > len(s.content) })
	if start := tokens[beyond].Range.Start.Byte; bytes.HasPrefix(tokens[beyond].Bytes, []byte("/*")) {
		unclosed = &span{s, start, start + len("/*")}
	}
	return tokens[:beyond], unclosed
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// span returns the place of one of HCL's ranges.
func (s *source) span(r hcl.Range) span { return span{s, r.Start.Byte, r.End.Byte} }

// diagnostics converts HCL's, as many as are reported: to make one takes as long as its line is.
func (s *source) diagnostics(faults hcl.Diagnostics) Diagnostics {
	var ds Diagnostics
	for _, f := range faults[:min(len(faults), maxDiagnostics)] {
		at := span{source: s}
		if f.Subject != nil {
			at = s.span(*f.Subject)
		}
		severity := Error
		if f.Severity == hcl.DiagWarning {
			severity = Warning
		}
		summary, detail := f.Summary, f.Detail
		var e *callError
		if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](f); ok && errors.As(call.FunctionCallError(), &e) {
			summary, detail = e.summary, e.detail
			if call, ok := f.Expression.(*hclsyntax.FunctionCallExpr); ok && len(call.Args) > 0 {
				at = s.span(call.Args[0].Range())
			}
		}
		ds = append(ds, at.diagnostic(severity, summary, detail))
	}
	return ds
}

// refuseTokens looks for what HCL's parser and evaluation would not survive: deep recursion, and the loops by which
// a small file can grow without bound. An empty summary means that there is nothing of the kind.
//
// Depth is counted as the sum, over all brackets open at a token, of the brackets and operators met in each since
// its last separator: `((` is as deep for the parser as `!!`, `a[0][0]` or `1+1+1`.
func refuseTokens(tokens hclsyntax.Tokens) (at hcl.Range, summary, detail string) {
	type level struct {
		closer hclsyntax.TokenType
		steps  int
		pieces int // of a string
	}
	levels := []level{{closer: hclsyntax.TokenCBrace}}
	depth := 0
	previous := hclsyntax.TokenNil
	for _, t := range tokens {
		top := &levels[len(levels)-1]
		separates := t.Type == hclsyntax.TokenComma
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp:
			top.steps++
			depth++
			levels = append(levels, level{closer: closerOf[t.Type]})
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			// A closer that closes nothing is a mistake that the parser will report.
			if len(levels) > 1 && t.Type == top.closer {
				depth -= top.steps
				levels = levels[:len(levels)-1]
			}
		case hclsyntax.TokenTemplateControl:
			return t.Range, "Template directive", "%{ … } is no part of this language. Write %%{ for a literal %{."
		case hclsyntax.TokenIdent:
			if string(t.Bytes) == "for" && (previous == hclsyntax.TokenOBrace || previous == hclsyntax.TokenOBrack) {
				return t.Range, "For expression", "Loops are no part of this language. Write the values out."
			}
		case hclsyntax.TokenNumberLit:
			if len(t.Bytes) > maxDigits || bytes.ContainsAny(t.Bytes, "eE") {
				return t.Range, "Number out of bounds", fmt.Sprintf("Write numbers out, with at most %d digits.", maxDigits)
			}
		case hclsyntax.TokenNewline, hclsyntax.TokenComment:
			// Between brackets other than braces a newline separates nothing.
			separates = top.closer == hclsyntax.TokenCBrace && t.Bytes[len(t.Bytes)-1] == '\n'
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit:
			if top.pieces++; top.pieces > maxStringPieces {
				return t.Range, "String of too many pieces", fmt.Sprintf("There may be %d. Each line is one, and each $ and %% begins one.", maxStringPieces)
			}
		case hclsyntax.TokenEqual, hclsyntax.TokenComma, hclsyntax.TokenEOF:
		default:
			top.steps++
			depth++
		}
		if separates {
			depth -= top.steps
			top.steps = 0
		}
		if depth > maxNesting {
			return t.Range, "Nested too deeply", fmt.Sprintf("Brackets and operators may be nested %d deep.", maxNesting)
		}
		if t.Type != hclsyntax.TokenNewline && t.Type != hclsyntax.TokenComment {
			previous = t.Type
		}
	}
	return hcl.Range{}, "", ""
}

var closerOf = map[hclsyntax.TokenType]hclsyntax.TokenType{
	hclsyntax.TokenOBrace: hclsyntax.TokenCBrace, hclsyntax.TokenOBrack: hclsyntax.TokenCBrack,
	hclsyntax.TokenOParen: hclsyntax.TokenCParen, hclsyntax.TokenOQuote: hclsyntax.TokenCQuote,
	hclsyntax.TokenOHeredoc: hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateInterp: hclsyntax.TokenTemplateSeqEnd,
}
