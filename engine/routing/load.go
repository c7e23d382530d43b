package routing

import (
	"bytes"
	"fmt"
	"os"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Bounds of a set of rules.
const (
	maxRoutes      = 100_000
	maxProviders   = 1000
	maxLocals      = 2000
	maxDiagnostics = 1000 // of each severity; further ones are not reported
)

var maxBlocks = map[string]int{"route": maxRoutes, "provider": maxProviders}

// Options change how rules are loaded. The zero value is the default.
type Options struct {
	// Env answers env("X"); nil = the process's environment.
	Env func(name string) (value string, ok bool)
	// Unset stands in for env("X") where X is not set and has no default, and for file("p") where p cannot be read;
	// nil = that is an error.
	Unset func(name string) string
	// Tests reads the *_test.hcl files too: of a directory all of them, beside a file the one of its name.
	Tests bool
	// Unsaved are contents that stand for those on disk, by a file's path: Load's own, or a name joined to the directory's.
	Unsaved map[string][]byte
}

// Load reads the rules at path: one file, or every *.hcl of a directory (not *_test.hcl or *.lock.hcl, nor hidden files) in name
// order. It reports every fault that it finds, in the order of their places. Rules is nil when one of them is an
// error; the others are warnings.
func Load(path string, o *Options) (*Rules, Diagnostics) {
	if o == nil {
		o = &Options{}
	}
	sources, dir, ds := readSources(path, o.Tests, o.Unsaved)
	if ds.HasErrors() {
		return nil, ds
	}
	return load(sources, dir, o)
}

// load builds rules from the content of files. Relative paths in them start at dir.
func load(sources []*source, dir string, o *Options) (*Rules, Diagnostics) {
	l := newLoader(sources, dir, o)
	l.read(sources)
	if len(l.unreadable) > 0 {
		return nil, l.unreadable.Sorted() // what is missing would look like further faults
	}
	return l.finish()
}

func newLoader(sources []*source, dir string, o *Options) *loader {
	options := Options{}
	if o != nil {
		options = *o
	}
	if options.Env == nil {
		options.Env = os.LookupEnv
	}
	l := &loader{
		rules: &Rules{hash: contentHash(sources), server: Server{Listen: defaultListen}, store: defaultStore(dir)},
		found: map[Severity]int{}, blocks: map[string]int{},
		dir:       dir,
		sources:   map[string]*source{},
		functions: functions(dir, options),
		locals:    map[string]*local{}, usedLocals: map[string]bool{},
		labels: map[string]hcl.Range{},
	}
	for _, s := range sources {
		if !s.tests {
			l.rules.files, l.rules.sources = append(l.rules.files, s.name), append(l.rules.sources, s)
		}
		l.sources[s.name] = s
	}
	return l
}

// read reads all files. What a block may name has to be known before: locals, then providers, then the rest, tests last.
// A file that declares neither is parsed when it is its turn, and forgotten: a parsed file takes up 20 times its size.
func (l *loader) read(sources []*source) {
	parsed := l.readDeclarations(sources)
	var tests hcl.Blocks
	l.language = newLanguage(l.conditionLocals())
	l.language.usedLocals = l.usedLocals
	for _, s := range sources {
		blocks, done := parsed[s]
		if delete(parsed, s); !done {
			blocks = l.parse(s)
		}
		for _, b := range blocks {
			if read := readers[b.Type]; read != nil {
				read(l, b)
			}
		}
		tests = append(tests, blocks.OfType("test")...)
	}
	for _, b := range tests {
		l.readTest(b) // it may name a route of any file
	}
}

// readDeclarations reads the locals and the providers, and returns the blocks of the files that may declare any.
func (l *loader) readDeclarations(sources []*source) map[*source]hcl.Blocks {
	parsed := make(map[*source]hcl.Blocks, len(sources))
	var declaring hcl.Blocks
	for _, s := range sources {
		if s.declares() {
			parsed[s] = l.parse(s)
			declaring = append(declaring, parsed[s]...)
		}
	}
	l.readLocals(declaring.OfType("locals"))
	for _, b := range declaring.OfType("provider") {
		l.readProvider(b)
	}
	return parsed
}

// declares reports whether the file may declare what other files name.
func (s *source) declares() bool {
	return bytes.Contains(s.content, []byte("locals")) ||
		bytes.Count(s.content, []byte("provider")) > bytes.Count(s.content, []byte("providers"))
}

// parse returns the blocks of a file; none where one of the files cannot be read, or they have too many.
func (l *loader) parse(s *source) hcl.Blocks {
	body, ds := s.parse()
	if ds.HasErrors() {
		l.unreadable = append(l.unreadable, ds[:min(len(ds), maxDiagnostics-len(l.unreadable))]...)
	}
	if len(l.unreadable) > 0 {
		return nil
	}
	l.add(ds...)
	schema := rootSchema
	if s.tests {
		schema = testsSchema
	}
	blocks := l.content(s, body, schema).Blocks
	for _, b := range blocks {
		most := maxBlocks[b.Type]
		if l.blocks[b.Type]++; most > 0 && l.blocks[b.Type] > most {
			l.unreadable = append(l.unreadable, s.span(b.DefRange).diagnostic(Error,
				fmt.Sprintf("Too many %s blocks", b.Type), fmt.Sprintf("There may be %d.", most)))
			return nil
		}
	}
	return blocks
}

// finish checks what only the whole can tell.
func (l *loader) finish() (*Rules, Diagnostics) {
	r := l.rules
	if len(r.routes) == 0 && !l.diagnostics.HasErrors() {
		l.add(Diagnostic{
			Severity: Warning, File: r.files[0], Summary: "No route", Detail: "Every payment will fail with no_route.",
		})
	}
	if !l.diagnostics.HasErrors() {
		l.language.known = nil // what is kept of the parts is not needed any more, and large where they are long
		r.compile()
		l.warnUnused()
		l.warnUnreached()
	}
	ds := l.diagnostics.Sorted()
	if ds.HasErrors() {
		return nil, ds
	}
	r.references, r.domains = l.language.references, l.language.domains
	return r, ds
}

var rootSchema = schemaOf()

// testsSchema is that of a *_test.hcl file.
var testsSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "test", LabelNames: []string{"name"}}}}

// readers read the blocks that may name locals and providers.
var readers = map[string]func(*loader, *hcl.Block){
	"server": (*loader).readServer, "store": (*loader).readStore, "api_key": (*loader).readAPIKey,
	"webhook": (*loader).readWebhook, "route": (*loader).readRoute,
}

// loader gathers one set of rules and all its faults.
type loader struct {
	rules         *Rules
	diagnostics   Diagnostics
	unreadable    Diagnostics      // why nothing else can be said
	blocks        map[string]int   // how many of each type there are
	found         map[Severity]int // reported or not
	dir           string
	sources       map[string]*source
	functions     map[string]function.Function
	locals        map[string]*local
	localNames    []string // in the order of the files
	usedLocals    map[string]bool
	providerNames []string             // likewise
	faultless     []Provider           // in whose blocks there is no fault, and no value that is not known
	valueless     int                  // expressions that have no value
	labels        map[string]hcl.Range // of the blocks that have been read, under "type label"
	language      *language
}

// add keeps the first diagnostics of each severity: warnings never crowd out an error.
func (l *loader) add(ds ...Diagnostic) {
	for _, d := range ds {
		if l.found[d.Severity]++; l.found[d.Severity] <= maxDiagnostics {
			l.diagnostics = append(l.diagnostics, d)
		}
	}
}

// full reports whether further errors are left out.
func (l *loader) full() bool { return l.found[Error] >= maxDiagnostics }

func (l *loader) fault(at hcl.Range, summary, detail string) {
	if l.full() {
		return // to make one takes as long as its line is
	}
	l.add(l.sources[at.Filename].span(at).diagnostic(Error, summary, detail))
}

// content takes a body apart. What the schema does not know is reported, and left out.
func (l *loader) content(s *source, body hcl.Body, schema *hcl.BodySchema) *hcl.BodyContent {
	content, faults := body.Content(schema)
	l.add(s.diagnostics(faults)...)
	return content
}

func (l *loader) blockContent(b *hcl.Block, schema *hcl.BodySchema) *hcl.BodyContent {
	return l.content(l.sources[b.DefRange.Filename], b.Body, schema)
}

// claim reports whether a block is the first of its type and label.
func (l *loader) claim(b *hcl.Block, label string, at hcl.Range) bool {
	key := b.Type + " " + label
	first, taken := l.labels[key]
	if taken {
		l.fault(at, fmt.Sprintf("Second %s block", quoteLabel(b.Type, label)),
			fmt.Sprintf("The first is at %s:%d.", first.Filename, first.Start.Line))
		return false
	}
	l.labels[key] = at
	return true
}

func quoteLabel(blockType, label string) string {
	if label == "" {
		return blockType
	}
	return fmt.Sprintf("%s %.60q", blockType, label)
}

// isName reports whether s can be a name in URLs, metrics and commands: 1 to 64 letters, digits, "-", "_" or ".",
// beginning with a letter or digit.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// label returns the block's label. Where it is no proper name, or used already, that is a fault, and the block is read
// nevertheless: it may have others.
func (l *loader) label(b *hcl.Block) string {
	name := b.Labels[0]
	if isName(name) {
		l.claim(b, name, b.LabelRanges[0])
	} else {
		l.fault(b.LabelRanges[0], fmt.Sprintf("%.60q is no name", name),
			"A name has 1 to 64 letters, digits, hyphens, underscores or points, and begins with a letter or digit.")
	}
	return name
}

// local is one value of a locals block.
type local struct {
	expression hcl.Expression
	at         hcl.Range // its name
	value      cty.Value // DynamicVal until it is known, and where it could not be
	state      localState
}

type localState int

const (
	unvisited localState = iota
	visiting
	visited
)

func (l *loader) readLocals(blocks hcl.Blocks) {
	for _, b := range blocks {
		given, faults := b.Body.JustAttributes()
		l.add(l.sources[b.DefRange.Filename].diagnostics(faults)...)
		for _, a := range inOrder(given) {
			if first := l.locals[a.Name]; first != nil {
				l.fault(a.NameRange, fmt.Sprintf("Second local %q", a.Name),
					fmt.Sprintf("The first is at %s:%d.", first.at.Filename, first.at.Start.Line))
				continue
			}
			l.locals[a.Name] = &local{expression: a.Expr, at: a.NameRange, value: cty.DynamicVal}
			l.localNames = append(l.localNames, a.Name)
		}
	}
	if len(l.localNames) > maxLocals { // each may lean on the next, and is then computed on top of it
		name := l.localNames[maxLocals]
		l.fault(l.locals[name].at, "Too many locals", fmt.Sprintf("There may be %d.", maxLocals))
		return
	}
	for _, name := range l.localNames {
		l.local(name)
	}
}

// inOrder returns attributes in the order in which they are written.
func inOrder(attributes hcl.Attributes) []*hcl.Attribute {
	var list []*hcl.Attribute
	for _, a := range attributes {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *hcl.Attribute) int { return a.Range.Start.Byte - b.Range.Start.Byte })
	return list
}

// local returns a local's value, which is computed when it is first asked for.
func (l *loader) local(name string) cty.Value {
	v := l.locals[name]
	switch v.state {
	case visiting:
		v.state = visited // once is enough
		l.fault(v.at, fmt.Sprintf("local.%s depends on itself", name),
			"Directly, or by way of the locals that it names.")
	case unvisited:
		v.state = visiting
		value, ok := l.value(v.expression)
		if ok && tooLarge(value) {
			l.fault(v.expression.Range(), fmt.Sprintf("local.%s is too large", name),
				"A local holds at most 100,000 values, 1 MiB of text, and numbers of 300 digits.")
			ok = false
		}
		if ok {
			v.value = value
		}
		v.state = visited
	}
	return v.value
}

// tooLarge keeps locals that are made of one another from doubling at every step.
func tooLarge(v cty.Value) bool {
	values, bytes := 0, 0
	var visit func(cty.Value) bool
	visit = func(v cty.Value) bool {
		v, _ = v.Unmark()
		values++
		if values > 100_000 {
			return false
		}
		switch {
		case v.IsNull():
		case v.Type() == cty.String:
			bytes += len(v.AsString())
		case v.Type() == cty.Number:
			if exponent := v.AsBigFloat().MantExp(nil); exponent > 1000 || exponent < -1000 {
				return false
			}
		case v.CanIterateElements():
			for it := v.ElementIterator(); it.Next(); {
				if _, element := it.Element(); !visit(element) {
					return false
				}
			}
		}
		return bytes <= 1<<20
	}
	return !visit(v)
}
