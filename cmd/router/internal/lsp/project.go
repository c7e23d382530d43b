package lsp

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

// project is one set of rules.
type project struct {
	rules    string // its path
	edits    int    // counts changes of its files
	checked  int    // edits at the last check that was shown
	dirty    bool   // it has to be checked
	infos    map[string]provider.Info
	faults   map[string][]routing.Diagnostic // of the last check, by file
	shown    map[string]bool                 // files whose diagnostics the client shows
	outlines map[string]outline              // by file
}

// outline is what a file names, as of its last state that parsed.
type outline struct {
	state   string // of the file
	symbols []routing.Symbol
}

// checkResult is what a check of a project found, as it was after so many edits.
type checkResult struct {
	project  *project
	edits    int
	findings Findings
}

// changed has the rules of a file checked, a while after the last change.
func (s *server) changed(path string) {
	rules := s.rulesOf(path)
	p := s.projects[rules]
	if p == nil {
		p = &project{rules: rules, shown: map[string]bool{}, outlines: map[string]outline{}}
		s.projects[rules] = p
	}
	p.dirty = true
	p.edits++
	s.due.Reset(debounce)
}

// check starts the check of a project that has changed, one at a time.
func (s *server) check(ctx context.Context) {
	if s.checking {
		return // its end starts the next
	}
	for _, rules := range slices.Sorted(maps.Keys(s.projects)) {
		p := s.projects[rules]
		if !p.dirty {
			continue
		}
		p.dirty = false
		s.checking = true
		result := checkResult{project: p, edits: p.edits}
		unsaved := s.unsaved(p)
		go func() {
			if len(unsaved) > 0 { // else all its files were closed
				result.findings = s.config.Check(ctx, rules, unsaved)
			}
			s.checked <- result
		}()
		return
	}
}

// unsaved returns the contents of a project's open documents.
func (s *server) unsaved(p *project) map[string][]byte {
	contents := map[string][]byte{}
	for path, d := range s.documents {
		if s.rulesOf(path) == p.rules {
			contents[path] = d.content
		}
	}
	return contents
}

// conclude shows what a check found, unless the files have changed since.
func (s *server) conclude(ctx context.Context, r checkResult) error {
	s.checking = false
	p := r.project
	if r.findings.Infos != nil {
		p.infos = r.findings.Infos
	}
	if p.edits == r.edits {
		p.checked = r.edits
		if err := s.publish(p, r.findings); err != nil {
			return err
		}
	}
	s.check(ctx)
	return nil
}

// publish shows diagnostics at each file, and takes away those that are gone.
func (s *server) publish(p *project, f Findings) error {
	open := slices.Sorted(maps.Keys(s.unsaved(p)))
	p.faults = map[string][]routing.Diagnostic{}
	for _, d := range f.Diagnostics {
		if filepath.Ext(d.File) == ".hcl" {
			p.faults[d.File] = append(p.faults[d.File], d)
			continue
		}
		for _, path := range open { // it is about the directory
			p.faults[path] = append(p.faults[path], d)
		}
	}
	notes := s.unknownProviders(p, f.Unknown)
	shown := map[string]bool{}
	for _, path := range slices.Concat(open, slices.Collect(maps.Keys(p.faults)), slices.Collect(maps.Keys(notes)), slices.Collect(maps.Keys(p.shown))) {
		if shown[path] {
			continue
		}
		shown[path] = true
		d := s.documentAt(path)
		out := publishParams{URI: d.uri, Version: d.version, Diagnostics: []diagnostic{}}
		for _, fault := range p.faults[path] {
			out.Diagnostics = append(out.Diagnostics, toDiagnostic(d, fault))
		}
		out.Diagnostics = append(out.Diagnostics, notes[path]...)
		if err := s.notify("textDocument/publishDiagnostics", out); err != nil {
			return err
		}
		if len(out.Diagnostics) == 0 {
			delete(shown, path)
		}
	}
	p.shown = shown
	return nil
}

func toDiagnostic(d *document, fault routing.Diagnostic) diagnostic {
	severity := severityError
	if fault.Severity == routing.Warning {
		severity = severityWarning
	}
	return diagnostic{
		Range: d.span(fault.Start, fault.End), Severity: severity, Source: "router", Message: strings.TrimSpace(fault.Summary + "\n" + fault.Detail),
	}
}

// unknownProviders says at a provider's name that its plugin could not be asked, by file.
func (s *server) unknownProviders(p *project, unknown map[string]error) map[string][]diagnostic {
	notes := map[string][]diagnostic{}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		path, symbol, ok := s.find(p, "provider", name)
		if !ok {
			continue
		}
		notes[path] = append(notes[path], diagnostic{
			Range:    s.documentAt(path).span(symbol.NameStart, symbol.NameEnd),
			Severity: severityInformation, Source: "router", Message: fmt.Sprintf("What provider %q takes is not known: %v", name, unknown[name]),
		})
	}
	return notes
}

// documentAt returns a document that is open, or the file.
func (s *server) documentAt(path string) *document {
	if d := s.documents[path]; d != nil {
		return d
	}
	d := &document{uri: uriOf(path), path: path}
	content, err := readFile(path)
	if err != nil {
		content = nil // it was removed
	}
	d.set(content)
	return d
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, routing.MaxFileBytes))
}

// files lists the files of a project, and those of its open documents.
func (s *server) files(p *project) []string {
	names, err := routing.Files(p.rules)
	if err != nil {
		names = nil // none is saved yet
	}
	for path := range s.unsaved(p) {
		if !slices.Contains(names, path) {
			names = append(names, path)
		}
	}
	slices.Sort(names)
	return names
}

// outline returns what a file names. While it does not parse, it is what it named before.
func (s *server) outline(p *project, path string) []routing.Symbol {
	state := ""
	if d := s.documents[path]; d != nil {
		state = fmt.Sprintf("%p %d", d, d.edits) // it may be opened again
	} else if info, err := os.Stat(path); err == nil {
		state = fmt.Sprint(info.Size(), info.ModTime())
	}
	last, known := p.outlines[path]
	if known && last.state == state {
		return last.symbols
	}
	symbols, parses := routing.Outline(path, s.documentAt(path).content)
	if !parses && len(last.symbols) > 0 {
		symbols = last.symbols
	}
	p.outlines[path] = outline{state, symbols}
	return symbols
}

// each calls visit for every symbol of a project, until it returns false.
func (s *server) each(p *project, visit func(path string, symbol routing.Symbol) bool) {
	for _, path := range s.files(p) {
		for _, symbol := range s.outline(p, path) {
			if symbol.Kind != "locals" {
				if !visit(path, symbol) {
					return
				}
				continue
			}
			for _, local := range symbol.Children {
				if !visit(path, local) {
					return
				}
			}
		}
	}
}

// find returns the first symbol of a kind and name, and its file.
func (s *server) find(p *project, kind, name string) (path string, found routing.Symbol, ok bool) {
	s.each(p, func(file string, symbol routing.Symbol) bool {
		if symbol.Kind == kind && symbol.Name == name {
			path, found, ok = file, symbol, true
		}
		return !ok
	})
	return path, found, ok
}

// named lists the symbols of a kind.
func (s *server) named(p *project, kind string) []routing.Symbol {
	var list []routing.Symbol
	s.each(p, func(_ string, symbol routing.Symbol) bool {
		if symbol.Kind == kind && symbol.Name != "" {
			list = append(list, symbol)
		}
		return true
	})
	return list
}

func (s *server) projectOf(d *document) *project { return s.projects[s.rulesOf(d.path)] }
