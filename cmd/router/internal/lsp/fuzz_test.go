package lsp

import (
	"testing"
	"unicode/utf8"
)

// FuzzRequests asks about any place of any text. Whatever it is, the answer is in time and about that text.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		"", "route \"r\" {\n  when = \"payer.document.\n}\n", "locals {\n  x = local.x\n}\nprovider \"p\" {\n  config {\n    a = \"",
		"route \"r\" {\n  when = <<EOT\n    now.Month().String() in ['a', \"b\n", "test \"t\" {\n  payment = { payer = { \"bank\" = \"1007\" } }\n",
		"route \"💸\" {\r\n  split = { a = 1, \"b\" : ${ 2\r\n", "}}}]])\"", "a \"b\" c {", "# comment", "/* comment", "when = \"\\\"x\\\\' == local.a.b", "\xff\xf0\x9f",
	} {
		f.Add(seed, uint(len(seed)/2))
		f.Add(seed, uint(len(seed)))
	}
	f.Fuzz(func(t *testing.T, text string, at uint) {
		const path = "/nowhere/rules.hcl"
		d := &document{uri: uriOf(path), path: path}
		d.set([]byte(text))
		p := &project{rules: "/nowhere", outlines: map[string]outline{}}
		s := &server{documents: map[string]*document{path: d}, projects: map[string]*project{p.rules: p}}
		offset := int(at % uint(len(text)+1))
		if p := d.position(offset); utf8.ValidString(text) && utf8.RuneStart((text + "x")[offset]) && !within(text, offset) && d.offset(p) != offset {
			t.Errorf("byte %d is at %v, which is byte %d", offset, p, d.offset(p))
		}
		answer, err := s.complete(d, offset)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range answer.(completionList).Items {
			if r := item.TextEdit.Range; r.End != d.position(offset) || r.Start.Line > r.End.Line {
				t.Errorf("%s replaces %v of %q at %d", item.Label, r, text, offset)
			}
		}
		for _, ask := range []func(*document, int) (any, error){s.hover, s.definition, s.symbols, s.format} {
			if _, err := ask(d, offset); err != nil {
				t.Error(err)
			}
		}
	})
}

// within tells whether a byte is between \r and \n, which is no position.
func within(text string, offset int) bool {
	return offset > 0 && offset < len(text) && text[offset-1] == '\r' && text[offset] == '\n'
}
