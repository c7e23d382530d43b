package lsp

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"unicode/utf8"
)

// document is one text, with the positions of the protocol: lines, and UTF-16 code units in them.
type document struct {
	uri     string // as the client writes it
	path    string
	version int
	content []byte
	lines   []int // offset of the first byte of each line
	edits   int   // counts its changes
}

func (d *document) set(content []byte) {
	d.content, d.lines = content, []int{0}
	d.edits++
	for i, c := range content {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
}

// replace puts text in place of a range.
func (d *document) replace(r textRange, text string) error {
	start, end := d.offset(r.Start), d.offset(r.End)
	if start > end {
		return &responseError{codeInvalidParams, fmt.Sprintf("a change at line %d ends before it begins", r.Start.Line)}
	}
	d.set(slices.Concat(d.content[:start], []byte(text), d.content[end:]))
	return nil
}

// offset returns the byte at a position. A position beyond the end of its line or of the text is that end.
func (d *document) offset(p position) int {
	if p.Line < 0 {
		return 0
	}
	if p.Line >= len(d.lines) {
		return len(d.content)
	}
	at := d.lines[p.Line]
	for units := 0; units < p.Character && at < len(d.content) && d.content[at] != '\n'; {
		if bytes.HasPrefix(d.content[at:], []byte("\r\n")) {
			break
		}
		r, n := utf8.DecodeRune(d.content[at:])
		units += width(r)
		if units > p.Character {
			break // within a surrogate pair
		}
		at += n
	}
	return at
}

// position returns where a byte is.
func (d *document) position(offset int) position {
	offset = min(max(offset, 0), len(d.content))
	line, found := slices.BinarySearch(d.lines, offset)
	if !found {
		line--
	}
	p := position{Line: line}
	for at := d.lines[line]; at < offset; {
		r, n := utf8.DecodeRune(d.content[at:])
		p.Character += width(r)
		at += n
	}
	return p
}

// width returns how many UTF-16 code units a character has.
func width(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

func (d *document) span(start, end int) textRange {
	return textRange{d.position(start), d.position(end)}
}

// pathOf returns the path of a file's URI; "" for any other.
func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" {
		return ""
	}
	return u.Path
}

func uriOf(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }
