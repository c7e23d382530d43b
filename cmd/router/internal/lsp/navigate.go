package lsp

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/cauce-pay/cauce/engine/routing"
)

// definition leads from a local, a provider or a route to where it is written.
func (s *server) definition(d *document, offset int) (any, error) {
	w := wordAt(d, offset, isNameByte)
	kind := ""
	switch a, _ := w.cursor.attribute(); {
	case w.cursor.inCondition():
		chain, _ := chainAt(d, offset, w.cursor.start)
		name, local := strings.CutPrefix(chain.text, "local.")
		if name, _, _ = strings.Cut(name, "."); local {
			kind, w.text = "local", name
		}
	case strings.HasSuffix(string(d.content[:w.start]), "local."):
		kind = "local"
	case a.Names == routing.ProviderNames || a.Names == routing.RouteNames:
		w = wordAt(d, offset, func(c byte) bool { return isNameByte(c) || c == '.' })
		kind = "provider"
		if a.Names == routing.RouteNames {
			kind = "route"
		}
	}
	path, symbol, ok := s.find(s.projectOf(d), kind, w.text)
	if !ok {
		return nil, nil
	}
	target := s.documentAt(path)
	return location{target.uri, target.span(symbol.NameStart, symbol.NameEnd)}, nil
}

func (s *server) symbols(d *document, _ int) (any, error) {
	list, _ := routing.Outline(d.path, d.content)
	return toSymbols(d, list), nil
}

var symbolKinds = map[string]int{"provider": symbolModule, "route": symbolEvent, "test": symbolMethod, "case": symbolMethod, "local": symbolVariable}

func toSymbols(d *document, list []routing.Symbol) []documentSymbol {
	out := []documentSymbol{}
	for _, symbol := range list {
		name, detail := symbol.Name, symbol.Kind
		if name == "" {
			name, detail = symbol.Kind, ""
		}
		kind := symbolKinds[symbol.Kind]
		if kind == 0 {
			kind = symbolObject
		}
		out = append(out, documentSymbol{
			Name: name, Detail: detail, Kind: kind, Range: d.span(symbol.Start, symbol.End),
			SelectionRange: d.span(symbol.NameStart, symbol.NameEnd), Children: toSymbols(d, symbol.Children),
		})
	}
	return out
}

// format answers as router fmt does. What does not parse stays as it is; its diagnostics say why.
func (s *server) format(d *document, _ int) (any, error) {
	formatted, found := routing.Format(d.path, d.content)
	if found.HasErrors() || bytes.Equal(formatted, d.content) {
		return []textEdit{}, nil
	}
	return []textEdit{{d.span(0, len(d.content)), string(formatted)}}, nil
}

// codeActions offers what a diagnostic has suggested.
func (s *server) codeActions(params json.RawMessage) (any, error) {
	var p codeActionParams
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	actions := []codeAction{}
	d := s.documents[pathOf(p.TextDocument.URI)]
	if d == nil {
		return actions, nil
	}
	project := s.projectOf(d)
	if project.edits != project.checked {
		return actions, nil // the faults are of another text
	}
	from, to := d.offset(p.Range.Start), d.offset(p.Range.End)
	for _, fault := range project.faults[d.path] {
		if fault.Start > to || fault.End < from {
			continue
		}
		start, end, replacement := fix(fault, d.content)
		if replacement == "" {
			continue
		}
		edit := textEdit{d.span(start, end), replacement}
		actions = append(actions, codeAction{
			Title: "Replace with " + replacement, Kind: "quickfix", IsPreferred: true, Diagnostics: []diagnostic{toDiagnostic(d, fault)},
			Edit: workspaceEdit{map[string][]textEdit{d.uri: {edit}}},
		})
	}
	return actions, nil
}

var (
	suggestion = regexp.MustCompile(`Did you mean "([^"]+)"\?`)
	misspelt   = regexp.MustCompile(`[A-Za-z0-9_][A-Za-z0-9_.-]*(\(\))?`)
)

// fix returns what to replace with what a diagnostic suggests; "" where it suggests nothing.
func fix(fault routing.Diagnostic, content []byte) (start, end int, replacement string) {
	m := suggestion.FindStringSubmatch(fault.Detail)
	at := misspelt.FindIndex(content[fault.Start:fault.End])
	if m == nil || at == nil {
		return 0, 0, ""
	}
	start, end = fault.Start+at[0], fault.Start+at[1]
	word := string(content[start:end])
	if strings.HasPrefix(word, "local.") && !strings.HasPrefix(m[1], "local.") {
		return 0, 0, "" // the mistake is where the local is written
	}
	_, named, _ := strings.Cut(fault.Summary, `"`)
	first, _, _ := strings.Cut(word, ".")
	prefix, _, _ := strings.Cut(named, strings.TrimSuffix(first, "()")) // of a field, of which only the end is written here
	switch rest, within := strings.CutPrefix(m[1], prefix); {
	case within:
		return start, end, rest
	case strings.Contains(m[1], "."):
		return 0, 0, ""
	}
	return start, end, m[1]
}
