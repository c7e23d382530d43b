package lsp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

// completer gathers what can be written at one place.
type completer struct {
	server   *server
	project  *project
	document *document
	cursor   cursor
	offset   int
	from     int // where what is being written begins
	items    []completionItem
}

func (s *server) complete(d *document, offset int) (any, error) {
	c := &completer{server: s, project: s.projectOf(d), document: d, cursor: locate(d.content, offset), offset: offset, items: []completionItem{}}
	c.from = offset - len(wordBefore(d.content[:offset]))
	switch at := c.cursor; {
	case at.comment:
	case at.inCondition():
		c.condition()
	case at.naming && len(at.keys) > 0:
		c.parts()
	case at.naming && !at.quoted:
		c.statements()
	case len(at.keys) > 0:
		c.value()
	}
	return completionList{Items: c.items}, nil
}

// wordBefore returns the name that ends a text.
func wordBefore(text []byte) string {
	i := len(text)
	for i > 0 && isNameByte(text[i-1]) {
		i--
	}
	return string(text[i:])
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// offer adds an item that is written in place of what is being written.
func (c *completer) offer(kind int, label, insert, detail, doc string) {
	item := completionItem{
		Label: label, Kind: kind, Detail: detail, SortText: fmt.Sprintf("%04d", len(c.items)),
		TextEdit: textEdit{c.document.span(c.from, c.offset), insert},
	}
	if doc != "" {
		item.Documentation = &markup{"markdown", doc}
	}
	c.items = append(c.items, item)
}

// statements offers the attributes and blocks of the block around.
func (c *completer) statements() {
	if c.cursor.inConfig() {
		for _, f := range c.project.infos[c.cursor.label].Config {
			if !c.cursor.taken[f.Name] {
				c.offer(kindProperty, f.Name, f.Name+" = ", fieldType(f), f.Doc)
			}
		}
		return
	}
	block := routing.Block{Blocks: routing.Blocks()}
	if len(c.cursor.blocks) > 0 {
		block, _ = routing.BlockAt(c.cursor.blocks...)
	} else if strings.HasSuffix(c.document.path, "_test.hcl") {
		block.Blocks = slices.DeleteFunc(block.Blocks, func(b routing.Block) bool { return b.Type != "test" })
	}
	c.attributes(block.Attributes)
	for _, b := range block.Blocks {
		header := b.Type
		if b.Label != "" {
			header += ` ""`
		}
		c.offer(kindClass, b.Type, header+" {\n}", "block", b.Doc)
	}
}

func (c *completer) attributes(list []routing.Attribute) {
	for _, a := range list {
		if !c.cursor.taken[a.Name] {
			c.offer(kindProperty, a.Name, a.Name+" = ", a.Doc, attributeDoc(a))
		}
	}
}

// parts offers the parts of an object.
func (c *completer) parts() {
	a, ok := c.cursor.attribute()
	switch {
	case !ok:
	case a.Names == routing.ProviderNames:
		c.names(routing.ProviderNames, func(name string) string { return name + " = " })
	case a.Names == routing.FieldNames:
		prefix := c.cursor.field()
		if prefix != "" {
			prefix += "."
		}
		for _, e := range nextSegments(routing.Fields(), prefix) {
			c.offer(kindProperty, e.Name, e.Name+" = ", e.Type, e.Doc)
		}
	default:
		c.attributes(a.Parts)
	}
}

// value offers what an attribute can hold.
func (c *completer) value() {
	if c.cursor.inConfig() {
		f, _ := c.project.infos[c.cursor.label].Config.Field(c.cursor.keys[0])
		c.texts(f.OneOf, f.Type != provider.String, "")
	} else if field := c.cursor.field(); field != "" {
		c.fieldValues(field)
	} else if a, ok := c.cursor.attribute(); ok {
		c.texts(a.Values, slices.Contains(a.Values, "true"), a.Example)
		c.names(a.Names, func(name string) string { return c.quote(name, a.Example) })
	}
	if c.cursor.quoted {
		return
	}
	if strings.HasSuffix(string(c.document.content[:c.from]), "local.") {
		c.items = c.items[:0]
		c.locals("")
		return
	}
	c.locals("local.")
	if c.cursor.inConfig() || len(c.cursor.blocks) == 1 && !slices.Contains([]string{"route", "test"}, c.cursor.blocks[0]) {
		c.offer(kindFunction, "env", "env(", "a variable of the environment", "`env(\"NAME\")` or `env(\"NAME\", \"default\")`. Its value is a secret.")
		c.offer(kindFunction, "file", "file(", "the content of a file", "`file(\"path\")`, relative to the rules. It is a secret.")
	}
}

// texts offers words, as an attribute like example holds them.
func (c *completer) texts(words []string, bare bool, example string) {
	for _, word := range words {
		if bare && c.cursor.quoted {
			continue
		}
		insert := word
		if !bare {
			insert = c.quote(word, example)
		}
		c.offer(kindValue, word, insert, "", "")
	}
}

// quote writes a text as the place asks: within quotes as it is, and in brackets where the attribute is a list.
func (c *completer) quote(text, example string) string {
	switch {
	case c.cursor.quoted:
		return text
	case strings.HasPrefix(example, "[") && !c.cursor.list:
		return `["` + text + `"]`
	}
	return `"` + text + `"`
}

// names offers the names of a kind.
func (c *completer) names(of routing.Naming, insert func(name string) string) {
	kind := map[routing.Naming]string{routing.ProviderNames: "provider", routing.RouteNames: "route"}[of]
	if kind == "" {
		return
	}
	if c.cursor.quoted { // a name may hold points
		c.from = c.cursor.start
	}
	for _, symbol := range c.server.named(c.project, kind) {
		doc := ""
		if kind == "provider" {
			doc = c.server.providerDoc(c.project, symbol.Name)
		}
		c.offer(kindVariable, symbol.Name, insert(symbol.Name), kind, doc)
	}
}

func (c *completer) locals(prefix string) {
	for _, symbol := range c.server.named(c.project, "local") {
		c.offer(kindVariable, prefix+symbol.Name, prefix+symbol.Name, shorten(symbol.Value), "")
	}
}

// fieldValues offers the values of a field of the payment.
func (c *completer) fieldValues(field string) {
	i := slices.IndexFunc(routing.Fields(), func(e routing.Entry) bool { return e.Name == field })
	if i < 0 {
		return
	}
	e := routing.Fields()[i]
	c.texts(e.Values, false, "")
	if !e.Bank {
		return
	}
	for _, b := range banks {
		c.offer(kindValue, b.Code+" "+b.Name, c.quote(b.Code, ""), "", "")
	}
}

// condition offers what can follow in the text of a condition.
func (c *completer) condition() {
	text := string(c.document.content[c.cursor.start:c.offset])
	if t := lastTerm(text); t.quoted {
		c.from = c.cursor.start + t.start
		c.fieldValues(t.field)
		return
	}
	chain := chainBefore.FindString(text)
	prefix := chain[:strings.LastIndexByte(chain, '.')+1]
	prefix = prefix[strings.LastIndexByte(prefix, '(')+1:] // len(payer.
	if strings.HasSuffix(chain, "()") || strings.Contains(prefix, "local.") && prefix != "local." {
		return
	}
	if prefix = clockPrefix(chain, prefix); prefix == "local." {
		c.locals("")
		return
	}
	for _, e := range nextSegments(slices.Concat(routing.Fields(), routing.Clock()), prefix) {
		c.offer(kindVariable, e.Name, e.Name, e.Type, entryDoc(e))
	}
	if prefix != "" {
		return
	}
	for _, e := range routing.Functions() {
		c.offer(kindFunction, e.Name, e.Name+"(", e.Doc, entryDoc(e))
	}
	c.locals("local.")
	c.offer(kindVariable, "metadata", "metadata.", "what the caller sent along", "`metadata.KEY`")
	for _, e := range routing.Operators() {
		c.offer(kindKeyword, e.Name, e.Name, e.Doc, entryDoc(e))
	}
}

// clockPrefix keeps the calls of now.Month().
func clockPrefix(chain, prefix string) string {
	if at := strings.LastIndex(chain, "now."); at >= 0 {
		chain = chain[at:]
		return chain[:strings.LastIndexByte(chain, '.')+1]
	}
	return prefix
}

// nextSegments lists what can follow a prefix that ends with a point: the entries themselves where they end there, and
// the groups of those that go on.
func nextSegments(entries []routing.Entry, prefix string) []routing.Entry {
	var list []routing.Entry
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name, prefix)
		if !ok {
			continue
		}
		name, more, found := strings.Cut(rest, ".")
		if found {
			e = routing.Entry{Doc: prefix + name + "." + more}
		}
		e.Name = name
		at := slices.IndexFunc(list, func(other routing.Entry) bool { return other.Name == name })
		switch {
		case at < 0:
			list = append(list, e)
		case !found:
			list[at] = e // now.Month() besides now.Month().String()
		case list[at].Type == "":
			list[at].Doc += ", " + e.Doc
		}
	}
	return list
}

func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return text
}
