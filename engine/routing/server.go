package routing

import (
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

const defaultListen = "127.0.0.1:8080"

func defaultStore(dir string) Store { return Store{Kind: "pebble", Path: filepath.Join(dir, "data")} }

var (
	serverSchema = schemaOf("server")
	storeSchema  = schemaOf("store")
	apiKeySchema = schemaOf("api_key")

	storeKinds = []string{"pebble"}
	scopes     = []string{"payments", "read", "admin"}
)

func (l *loader) readServer(b *hcl.Block) {
	content := l.blockContent(b, serverSchema)
	if !l.claim(b, "", b.TypeRange) {
		return
	}
	if a := content.Attributes["listen"]; a != nil {
		text, ok := l.text(a.Name, a.Expr)
		colon := strings.LastIndexByte(text.Text, ':')
		if _, err := strconv.ParseUint(text.Text[colon+1:], 10, 16); ok && (colon < 0 || err != nil) {
			l.fault(a.Expr.Range(), "listen: "+text.quoted()+" is no address",
				`Write a host and a port, like "127.0.0.1:8080".`)
		}
		l.rules.server.Listen = text.Text
	}
	if a := content.Attributes["public_url"]; a != nil {
		l.rules.server.PublicURL = strings.TrimRight(l.url(a), "/")
	}
	if a := content.Attributes["shadow"]; a != nil {
		text, ok := l.openText(a.Name, a.Expr)
		path := text.Text
		if !filepath.IsAbs(path) {
			path = filepath.Join(l.dir, path)
		}
		isOurs := func(name string) bool { absolute, _ := filepath.Abs(name); return absolute == filepath.Clean(path) }
		switch {
		case ok && text.Text == "":
			l.fault(a.Expr.Range(), "shadow is empty", "Name a file of rules, or a directory of them.")
		case ok && slices.ContainsFunc(l.rules.files, isOurs):
			l.fault(a.Expr.Range(), "shadow names one of the files of these rules", "Keep the other rules in a directory of their own.")
		case ok:
			l.rules.server.Shadow = path
		}
	}
}

// url reads an absolute http or https URL without user, query and fragment.
func (l *loader) url(a *hcl.Attribute) string {
	text, ok := l.text(a.Name, a.Expr)
	u, err := url.Parse(text.Text)
	if ok && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "") {
		l.fault(a.Expr.Range(), a.Name+": "+text.quoted()+" is no absolute http or https URL",
			`Write it like "https://pay.example.com".`)
	}
	return text.Text
}

func (l *loader) readStore(b *hcl.Block) {
	if kind := b.Labels[0]; kind != storeKinds[0] {
		l.fault(b.LabelRanges[0], "Unknown store "+strconv.Quote(kind), unknown(kind, storeKinds))
		return
	}
	content := l.blockContent(b, storeSchema)
	if !l.claim(b, "", b.TypeRange) {
		return
	}
	if a := content.Attributes["path"]; a != nil {
		text, ok := l.text(a.Name, a.Expr)
		switch {
		case ok && text.Text == "":
			l.fault(a.Expr.Range(), "path is empty", "Name the directory that keeps the payments.")
		case filepath.IsAbs(text.Text):
			l.rules.store.Path = filepath.Clean(text.Text)
		default:
			l.rules.store.Path = filepath.Join(l.dir, text.Text)
		}
	}
}

func (l *loader) readAPIKey(b *hcl.Block) {
	content := l.blockContent(b, apiKeySchema)
	name := l.label(b)
	key := APIKey{Name: name}
	if a := content.Attributes["sha256"]; a != nil {
		key.SHA256 = l.sha256(a)
	}
	if a := content.Attributes["scopes"]; a != nil {
		asked, ok := l.choices(a.Name, a.Expr, scopes)
		if ok && len(asked) == 0 {
			l.fault(a.Expr.Range(), "scopes is empty", "Name at least one of "+oneOf(scopes)+".")
		}
		key.Scopes = asked
	}
	l.rules.apiKeys = append(l.rules.apiKeys, key)
}
