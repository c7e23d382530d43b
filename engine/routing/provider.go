package routing

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// MaxTimeout is the greatest timeout that a provider may have.
const MaxTimeout = 5 * time.Minute

const (
	defaultTimeout = 20 * time.Second
	minTimeout     = time.Second
)

// Provider is one provider block. Printed or logged, it shows its name and plugin only.
type Provider struct {
	Name string
	// Plugin is a plugin's name, looked for by the launcher, or the absolute path of a binary. Default: Name.
	Plugin string
	// SHA256 pins the binary, in lower-case hex; "" = not pinned.
	SHA256 string
	// Timeout bounds one call: 1 second to 5 minutes, default 20 seconds.
	Timeout time.Duration
	// NotificationSecret is the last part of its webhook's path; "" = the engine makes one.
	NotificationSecret string `json:"-"`
	// Fee is what a payment costs us there; nil = not known.
	Fee *Fee
	// Breaker says when the provider's calls are given a rest.
	Breaker Breaker
	// Limit bounds its calls; the zero value does not.
	Limit Limit
	// Maintenance are the windows in which it gets no new payments.
	Maintenance []Window
	// Config are the attributes of its config block; which there may be is the plugin's to say.
	Config map[string]Value

	label      span            // where its name is written
	at         span            // where its config is written, or the block's label
	attributes map[string]span // the names in its config block
}

// SameProcess reports whether a process that was started and configured for p serves other as well.
func (p Provider) SameProcess(other Provider) bool {
	return p.Name == other.Name && p.Plugin == other.Plugin && p.SHA256 == other.SHA256 && p.Timeout == other.Timeout &&
		p.NotificationSecret == other.NotificationSecret && maps.Equal(p.Config, other.Config)
}

// Format prints the provider's name and plugin, whatever the verb.
func (p Provider) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, fmt.Sprintf("provider %q (plugin %q)", p.Name, p.Plugin))
}

// LogValue logs the provider's name and plugin.
func (p Provider) LogValue() slog.Value {
	return slog.GroupValue(slog.String("name", p.Name), slog.String("plugin", p.Plugin))
}

// File is the path of the file that its block is in.
func (p Provider) File() string { return p.label.source.name }

// ConfigDiagnostic returns an error at an attribute of the config block; at the block itself where there is no such
// attribute, and at the provider's label where there is no block.
func (p Provider) ConfigDiagnostic(attribute, summary, detail string) Diagnostic {
	at, ok := p.attributes[attribute]
	if !ok {
		at = p.at
	}
	return at.diagnostic(Error, summary, detail)
}

// Providers returns the provider blocks at path that nothing is wrong with, in file order: also of rules that Load refuses
// for what is wrong elsewhere, so that their configuration can be checked. None where a file that may have such blocks
// cannot be read. Options.Tests says nothing here.
func Providers(path string, o *Options) []Provider {
	if o == nil {
		o = &Options{}
	}
	sources, dir, ds := readSources(path, false, o.Unsaved)
	if ds.HasErrors() {
		return nil
	}
	l := newLoader(sources, dir, o)
	l.readDeclarations(sources)
	if len(l.unreadable) > 0 {
		return nil
	}
	return l.faultless
}

var providerSchema = schemaOf("provider")

func (l *loader) readProvider(b *hcl.Block) {
	faults, valueless := l.found[Error], l.valueless
	content := l.blockContent(b, providerSchema)
	name := l.label(b)
	p := Provider{
		Name: name, Plugin: name, Timeout: defaultTimeout, Breaker: defaultBreaker, Config: map[string]Value{}, attributes: map[string]span{},
		label: l.sources[b.DefRange.Filename].span(b.LabelRanges[0]),
	}
	p.at = p.label
	if a := content.Attributes["plugin"]; a != nil {
		p.Plugin = l.plugin(a)
	}
	if a := content.Attributes["sha256"]; a != nil {
		p.SHA256 = l.sha256(a)
	}
	if a := content.Attributes["timeout"]; a != nil {
		if text, ok := l.text(a.Name, a.Expr); ok {
			p.Timeout = l.duration(a.Name, a.Expr, text, minTimeout, MaxTimeout)
		}
	}
	if a := content.Attributes["notification_secret"]; a != nil {
		p.NotificationSecret = l.notificationSecret(a)
	}
	l.readTerms(&p, content)
	for i, config := range content.Blocks {
		if i > 0 {
			l.fault(config.TypeRange, "Second config block", "A provider has one.")
			break
		}
		l.readConfig(&p, config)
	}
	l.rules.providers = append(l.rules.providers, p)
	l.providerNames = append(l.providerNames, name)
	if l.found[Error] == faults && l.valueless == valueless && !l.full() {
		l.faultless = append(l.faultless, p)
	}
}

// plugin reads a plugin's name, or its path: what holds a slash.
func (l *loader) plugin(a *hcl.Attribute) string {
	text, ok := l.text(a.Name, a.Expr)
	switch {
	case !ok:
	case strings.ContainsRune(text.Text, '/') || filepath.IsAbs(text.Text):
		if filepath.IsAbs(text.Text) {
			return filepath.Clean(text.Text)
		}
		return filepath.Join(l.dir, text.Text)
	case !isName(text.Text):
		l.fault(a.Expr.Range(), "plugin: "+text.quoted()+" is neither a name nor a path",
			`A path holds a slash, like "./my-plugin".`)
	}
	return text.Text
}

// sha256 reads 64 hexadecimal digits.
func (l *loader) sha256(a *hcl.Attribute) string {
	text, ok := l.text(a.Name, a.Expr)
	digits := strings.ToLower(text.Text)
	if ok && (len(digits) != 64 || strings.Trim(digits, "0123456789abcdef") != "") {
		l.fault(a.Expr.Range(), "sha256 must be 64 hexadecimal digits",
			fmt.Sprintf("It has %d characters.", len(digits)))
	}
	return digits
}

// notificationSecret reads the part of a URL's path that only the provider knows.
func (l *loader) notificationSecret(a *hcl.Attribute) string {
	text, ok := l.text(a.Name, a.Expr)
	usable := strings.Trim(text.Text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
	if ok && (!usable || text.Text == "" || len(text.Text) > 128) {
		l.fault(a.Expr.Range(), "notification_secret cannot be part of a URL",
			"Use 1 to 128 letters, digits, hyphens or underscores.")
	}
	if ok {
		l.warnInClear(a, text)
	}
	return text.Text
}

func (l *loader) readConfig(p *Provider, b *hcl.Block) {
	s := l.sources[b.DefRange.Filename]
	p.at = s.span(b.TypeRange)
	given, faults := b.Body.JustAttributes()
	l.add(s.diagnostics(faults)...)
	for _, a := range inOrder(given) {
		p.attributes[a.Name] = s.span(a.NameRange)
		if value, ok := l.scalar(a); ok {
			p.Config[a.Name] = value
		}
	}
}
