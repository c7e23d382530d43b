package lsp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

// word is a name or text that stands at a place.
type word struct {
	text       string
	start, end int
	cursor     cursor // of its end
}

// wordAt returns the word around a byte, of bytes that belong to it; none where there is no such byte.
func wordAt(d *document, offset int, belongs func(byte) bool) word {
	start, end := offset, offset
	for start > 0 && belongs(d.content[start-1]) {
		start--
	}
	for end < len(d.content) && belongs(d.content[end]) {
		end++
	}
	if start == end {
		return word{}
	}
	return word{string(d.content[start:end]), start, end, locate(d.content, end)}
}

func (s *server) hover(d *document, offset int) (any, error) {
	w := wordAt(d, offset, isNameByte)
	doc := ""
	switch c := w.cursor; {
	case w.text == "" || c.comment:
	case c.inCondition():
		doc, w = s.conditionDoc(d, offset, w)
	case c.naming:
		doc = s.nameDoc(d, w)
	default:
		doc = s.valueDoc(d, w)
	}
	if doc == "" {
		return nil, nil
	}
	return hover{markup{"markdown", doc}, d.span(w.start, w.end)}, nil
}

// nameDoc tells what a block, an attribute or a part is.
func (s *server) nameDoc(d *document, w word) string {
	c := w.cursor
	if c.inConfig() {
		if f, ok := s.projectOf(d).infos[c.label].Config.Field(w.text); ok {
			return fmt.Sprintf("**%s**: %s\n\n%s", f.Name, f.Doc, fieldType(f))
		}
		return ""
	}
	if len(c.keys) > 0 {
		a, ok := c.attribute()
		if part, found := a.Part(w.text); ok && found {
			return attributeDoc(part)
		}
		if ok && a.Names == routing.FieldNames {
			return entryNamed(routing.Fields(), strings.TrimPrefix(c.field()+"."+w.text, "."))
		}
		if ok && a.Names == routing.ProviderNames {
			return s.providerDoc(s.projectOf(d), w.text)
		}
		return ""
	}
	block, _ := routing.BlockAt(c.blocks...)
	if a, ok := block.Attribute(w.text); ok {
		return attributeDoc(a)
	}
	if b, ok := routing.BlockAt(append(slices.Clone(c.blocks), w.text)...); ok {
		doc := "**" + b.Type + "**: " + b.Doc
		if b.Label != "" {
			doc += " Its label is " + b.Label + "."
		}
		return doc
	}
	if len(c.blocks) == 0 && c.quoted { // a label
		return s.providerDoc(s.projectOf(d), w.text)
	}
	return s.localDoc(d, w)
}

// valueDoc tells what a value means: a strategy, a provider, a bank, a local.
func (s *server) valueDoc(d *document, w word) string {
	a, _ := w.cursor.attribute()
	if before := string(d.content[:w.start]); !w.cursor.quoted {
		if strings.HasSuffix(before, "local.") {
			return s.localDoc(d, w)
		}
		return ""
	}
	switch {
	case a.Name == "strategy":
		return entryNamed(routing.Strategies(), w.text)
	case a.Names == routing.ProviderNames:
		return s.providerDoc(s.projectOf(d), w.text)
	case w.cursor.field() != "":
		return textDoc(w.cursor.field(), w.text)
	}
	return ""
}

func (s *server) localDoc(d *document, w word) string {
	_, symbol, ok := s.find(s.projectOf(d), "local", w.text)
	if !ok {
		return ""
	}
	return fmt.Sprintf("**local.%s**\n\n```hcl\n%s\n```", w.text, symbol.Value)
}

// chains are names joined by points, within the text of a condition.
var chains = regexp.MustCompile(`[A-Za-z_]\w*(?:\(\))?(?:\.[A-Za-z_][\w-]*(?:\(\))?)*`)

// chainAt returns the names joined by points around a byte in the text of a condition.
func chainAt(d *document, offset, from int) (word, bool) {
	line := d.lines[d.position(offset).Line]
	from = max(from, line)
	rest, _, _ := strings.Cut(string(d.content[from:]), "\n")
	for _, at := range chains.FindAllStringIndex(rest, -1) {
		if from+at[0] <= offset && offset <= from+at[1] {
			return word{text: rest[at[0]:at[1]], start: from + at[0], end: from + at[1]}, true
		}
	}
	return word{}, false
}

// conditionDoc tells what a part of a condition means, and which part it is.
func (s *server) conditionDoc(d *document, offset int, w word) (string, word) {
	if t := lastTerm(string(d.content[w.cursor.start:w.end])); t.quoted {
		return textDoc(t.field, w.text), w
	}
	chain, ok := chainAt(d, offset, w.cursor.start)
	if !ok {
		return "", w
	}
	if name, ok := strings.CutPrefix(chain.text, "local."); ok {
		w.text, _, _ = strings.Cut(name, ".")
		return s.localDoc(d, w), chain
	}
	if strings.HasPrefix(chain.text, "metadata.") {
		return fmt.Sprintf("**%s** (text): what the caller sent along under %q; empty where it did not", chain.text, strings.TrimPrefix(chain.text, "metadata.")), chain
	}
	for _, list := range [][]routing.Entry{routing.Fields(), routing.Clock(), routing.Functions(), routing.Operators()} {
		if doc := entryNamed(list, chain.text); doc != "" {
			return doc, chain
		}
	}
	return "", w
}

// textDoc tells what a text stands for that is compared with a field.
func textDoc(field, text string) string {
	for _, e := range routing.Fields() {
		switch {
		case e.Name != field:
		case e.Bank && bankName(text) != "":
			return fmt.Sprintf("**%s** %s\n\nA provider's own list may name it otherwise.", text, bankName(text))
		default:
			return entryDoc(e)
		}
	}
	return ""
}

func entryNamed(list []routing.Entry, name string) string {
	i := slices.IndexFunc(list, func(e routing.Entry) bool { return e.Name == name })
	if i < 0 {
		return ""
	}
	return entryDoc(list[i])
}

func entryDoc(e routing.Entry) string {
	head := "**" + e.Name + "**"
	if len(e.Takes) > 0 {
		head = fmt.Sprintf("**%s**(%s) gives %s", e.Name, strings.Join(e.Takes, ", "), e.Type)
	} else if e.Type != "" {
		head += " (" + e.Type + ")"
	}
	doc := head + ": " + e.Doc
	if len(e.Values) > 0 {
		doc += "\n\nOne of " + strings.Join(e.Values, ", ")
	}
	if e.Example != "" {
		doc += "\n\n```\n" + e.Example + "\n```"
	}
	return doc
}

func attributeDoc(a routing.Attribute) string {
	doc := "**" + a.Name + "**: " + a.Doc
	if a.Required {
		doc += " (required)"
	}
	if len(a.Values) > 0 {
		doc += "\n\nOne of " + strings.Join(a.Values, ", ")
	}
	if a.Example != "" {
		doc += "\n\n```hcl\n" + a.Name + " = " + a.Example + "\n```"
	}
	return doc
}

// fieldType describes an attribute of a plugin's configuration; no value of the rules is in it.
func fieldType(f provider.ConfigField) string {
	words := []string{string(f.Type)}
	if f.Required {
		words = append(words, "required")
	}
	if f.Secret {
		words = append(words, "secret")
	}
	if len(f.OneOf) > 0 {
		words = append(words, "one of "+strings.Join(f.OneOf, ", "))
	}
	if f.Default != "" && !f.Secret {
		words = append(words, "default "+f.Default)
	}
	return strings.Join(words, "; ")
}

// providerDoc tells what a provider of the rules takes, as far as its plugin has said.
func (s *server) providerDoc(p *project, name string) string {
	if _, _, ok := s.find(p, "provider", name); !ok {
		return ""
	}
	info, ok := p.infos[name]
	if !ok {
		return "**" + name + "**: what it takes is not known"
	}
	var takes []string
	for _, c := range info.Capabilities {
		takes = append(takes, fmt.Sprintf("- %s by %s", c.Operation, c.Method))
	}
	return fmt.Sprintf("**%s**: plugin %s %s\n\n%s", name, info.Name, info.Version, strings.Join(takes, "\n"))
}
