package lsp

import (
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/cauce-pay/cauce/engine/routing"
)

// cursor is the place of a byte in a file, found in the tokens before it: what follows may be anything.
type cursor struct {
	blocks  []string // the types of the blocks around it, outermost first
	label   string   // of the outermost one
	keys    []string // the attribute, and the parts of its object, whose value it is in; empty outside of values
	naming  bool     // the name of a block, an attribute or a part is written here
	comment bool     // within a comment, where nothing is asked
	list    bool     // directly within [ and ]
	quoted  bool     // within a string or heredoc, which begins at start
	start   int
	taken   map[string]bool // names that the block or object has before it
}

// frame is a bracket that is open.
type frame struct {
	closer hclsyntax.TokenType
	body   bool     // of a block or file
	block  string   // a block's type
	label  string   // a block's first label
	words  []string // the names and labels of the statement that is being written
	key    string   // the attribute or part whose value is being written; "" = none
	taken  map[string]bool
	start  int // of a string's text
}

// maxRepairs bounds how many strings without an end are repaired: the lexer starts again after each.
const maxRepairs = 8

// locate returns the place of the byte at offset.
func locate(content []byte, offset int) cursor {
	w := &walker{content: content, frames: []frame{{body: true, taken: map[string]bool{}}}}
	from := 0
	for range maxRepairs {
		start := hcl.InitialPos
		start.Byte = from
		tokens, _ := hclsyntax.LexConfig(content[from:offset], "", start)
		if from = w.walk(tokens); from < 0 {
			break
		}
	}
	return w.cursor()
}

type walker struct {
	content []byte
	frames  []frame
	comment bool // the last token is one that goes on
}

func (w *walker) top() *frame { return &w.frames[len(w.frames)-1] }

func (w *walker) push(f frame) { w.frames = append(w.frames, f) }

// walk goes through tokens. At the end of a line within a string that has no end it returns where to go on.
func (w *walker) walk(tokens hclsyntax.Tokens) (again int) {
	for _, t := range tokens {
		top := w.top()
		if t.Type != hclsyntax.TokenEOF {
			w.comment = t.Type == hclsyntax.TokenComment && !strings.HasSuffix(string(t.Bytes), "\n")
		}
		switch t.Type {
		case hclsyntax.TokenOQuote:
			w.push(frame{closer: hclsyntax.TokenCQuote, start: t.Range.End.Byte})
		case hclsyntax.TokenOHeredoc:
			w.push(frame{closer: hclsyntax.TokenCHeredoc, start: t.Range.End.Byte})
		case hclsyntax.TokenTemplateInterp:
			w.push(frame{closer: hclsyntax.TokenTemplateSeqEnd})
		case hclsyntax.TokenOBrack:
			w.push(frame{closer: hclsyntax.TokenCBrack})
		case hclsyntax.TokenOParen:
			w.push(frame{closer: hclsyntax.TokenCParen})
		case hclsyntax.TokenOBrace:
			w.brace(top)
		case hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
			hclsyntax.TokenCBrace:
			w.pop(t)
		case hclsyntax.TokenQuotedNewline:
			w.frames = w.frames[:len(w.frames)-1]
			w.endStatement()
			return t.Range.End.Byte
		case hclsyntax.TokenIdent:
			if top.key == "" {
				top.words = append(top.words, string(t.Bytes))
			}
		case hclsyntax.TokenEqual, hclsyntax.TokenColon:
			if top.taken != nil && top.key == "" && len(top.words) > 0 {
				top.key = top.words[0]
				top.taken[top.key] = true
			}
		case hclsyntax.TokenComma, hclsyntax.TokenNewline:
			w.endStatement()
		case hclsyntax.TokenComment:
			if !w.comment {
				w.endStatement()
			}
		}
	}
	return -1
}

// brace opens a block or an object.
func (w *walker) brace(top *frame) {
	f := frame{closer: hclsyntax.TokenCBrace, taken: map[string]bool{}}
	if top.body && top.key == "" && len(top.words) > 0 {
		f.body, f.block = true, top.words[0]
		if len(top.words) > 1 {
			f.label = top.words[1]
		}
	}
	w.push(f)
}

// pop closes what a token closes; one that closes nothing is left to the checks.
func (w *walker) pop(t hclsyntax.Token) {
	closed := *w.top()
	if len(w.frames) == 1 || closed.closer != t.Type {
		return
	}
	w.frames = w.frames[:len(w.frames)-1]
	top := w.top()
	switch {
	case closed.body:
		top.words = nil
	case t.Type == hclsyntax.TokenCQuote && top.key == "":
		top.words = append(top.words, string(w.content[closed.start:t.Range.Start.Byte]))
	}
}

// endStatement ends an attribute or part, where what is open is a block or an object.
func (w *walker) endStatement() {
	if top := w.top(); top.taken != nil {
		top.words, top.key = nil, ""
	}
}

func (w *walker) cursor() cursor {
	c := cursor{comment: w.comment}
	for _, f := range w.frames {
		if f.block != "" {
			if len(c.blocks) == 0 {
				c.label = f.label
			}
			c.blocks = append(c.blocks, f.block)
		}
		if f.key != "" {
			c.keys = append(c.keys, f.key)
		}
	}
	top := w.top()
	c.list = top.closer == hclsyntax.TokenCBrack
	if top.closer == hclsyntax.TokenCQuote || top.closer == hclsyntax.TokenCHeredoc {
		c.quoted, c.start = true, top.start
		top = &w.frames[len(w.frames)-2]
		c.list = top.closer == hclsyntax.TokenCBrack
	}
	c.naming = top.taken != nil && top.key == "" && len(top.words) < 2
	c.taken = top.taken
	return c
}

// attribute returns the attribute or part whose value the cursor is in; of a naming cursor, the object whose part is named.
func (c cursor) attribute() (routing.Attribute, bool) {
	block, ok := routing.BlockAt(c.blocks...)
	if !ok || len(c.keys) == 0 {
		return routing.Attribute{}, false
	}
	a, ok := block.Attribute(c.keys[0])
	for _, key := range c.keys[1:] {
		if part, found := a.Part(key); found {
			a = part
		} else if a.Names != routing.FieldNames { // their keys are no parts
			ok = false
		}
	}
	return a, ok
}

// inCondition reports whether the cursor is in the text of a condition.
func (c cursor) inCondition() bool {
	return c.quoted && len(c.blocks) == 1 && c.blocks[0] == "route" && len(c.keys) == 1 && c.keys[0] == "when"
}

// inConfig reports whether the cursor is in a provider's config block.
func (c cursor) inConfig() bool {
	return len(c.blocks) == 2 && c.blocks[0] == "provider" && c.blocks[1] == "config"
}

// field returns the path of the field of a test's payment that the cursor is at; "" elsewhere.
func (c cursor) field() string {
	if a, ok := c.attribute(); !ok || a.Names != routing.FieldNames {
		return ""
	}
	return strings.Join(c.keys[1:], ".")
}

// term is what is being written at the end of the text of a condition.
type term struct {
	quoted bool // a text, that begins at start
	start  int
	field  string // that the text is compared with
}

// compared ends with what compares a field with the text that follows.
var compared = regexp.MustCompile(`([A-Za-z_][\w.]*(?:\(\))?)\s*(?:==|!=|\b(?:not\s+)?in\s*\[[^\]]*)\s*$`)

// lastTerm looks at the text of a condition as it is written in the file.
func lastTerm(text string) term {
	var t term
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			if i++; text[i] != '"' {
				continue // \\ and the like, and expr's own \'
			}
			c = '"'
		}
		switch {
		case quote == 0 && (c == '\'' || c == '"' || c == '`'):
			quote, t.start = c, i+1
		case quote == c:
			quote = 0
		}
	}
	if t.quoted = quote != 0; !t.quoted {
		return term{}
	}
	if m := compared.FindStringSubmatch(text[:t.start-1]); m != nil {
		t.field = m[1]
	} else if m := compared.FindStringSubmatch(strings.TrimSuffix(text[:t.start-1], `\`)); m != nil {
		t.field = m[1]
	}
	return t
}

// chainBefore ends with names that points join: "payer.document.ty".
var chainBefore = regexp.MustCompile(`[A-Za-z_][\w.()-]*$`)
