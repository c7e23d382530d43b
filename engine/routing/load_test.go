package routing

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// writeFiles puts files into a new directory.
func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	t.Parallel()
	t.Run("the shipped example", func(t *testing.T) {
		t.Parallel()
		r, ds := Load("../../routing.hcl", &Options{Env: func(name string) (string, bool) { return "x", !strings.HasSuffix(name, "_BASE_URL") }})
		if len(ds) > 0 {
			t.Fatalf("%v", ds)
		}
		if got := r.Providers()[0].Config["base_url"].Text; got != "https://staging.apiv2.tpaga.co" {
			t.Errorf("base_url = %q", got)
		}
	})
	t.Run("a directory in name order, as one", func(t *testing.T) {
		t.Parallel()
		dir := writeFiles(t, map[string]string{
			"20.hcl":      "route \"second\" {\n  providers = local.all\n}\n",
			"10.hcl":      "route \"first\" {\n  when      = \"method == 'pse'\"\n  providers = [\"b\"]\n}\n",
			"30.hcl":      "locals {\n  all = [\"a\"]\n}\nprovider \"a\" {}\n",
			"a_test.hcl":  "not rules",
			".#10.hcl":    "not rules",
			"notes.txt":   "not rules",
			"routing.hcl": "provider \"b\" {}\n",
		})
		r, ds := Load(dir, nil)
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		if got := r.Routes(); !slices.Equal(got, []string{"first", "second"}) {
			t.Errorf("routes %v", got)
		}
		var files []string
		for _, f := range r.Files() {
			files = append(files, filepath.Base(f))
		}
		if !slices.Equal(files, []string{"10.hcl", "20.hcl", "30.hcl", "routing.hcl"}) {
			t.Errorf("files %v", files)
		}
	})
	t.Run("a file that cannot be parsed is the only thing reported", func(t *testing.T) {
		t.Parallel()
		dir := writeFiles(t, map[string]string{
			"10.hcl": "provider \"a\" {\n  =\n}\n",
			"20.hcl": "route \"r\" {\n  providers = [\"a\"]\n}\n",
		})
		r, ds := Load(dir, nil)
		if r != nil || len(ds) != 1 || ds[0].Line != 2 || filepath.Base(ds[0].File) != "10.hcl" {
			t.Errorf("got %v", ds)
		}
	})
	t.Run("also where another file has faults, and declares what it names", func(t *testing.T) {
		t.Parallel()
		dir := writeFiles(t, map[string]string{
			"10.hcl": "provider \"a\" {}\nroute \"r\" {\n  providers = [\"b\"]\n}\n", "20.hcl": "route {\n  =\n}\n",
			"30.hcl": "test \"t\" {\n  payment = {}\n  expect  = { route = \"s\" }\n}\n", "40.hcl": "locals {\n  b = (\n}\n",
		})
		r, ds := Load(dir, nil)
		if r != nil || len(ds) != 2 || filepath.Base(ds[0].File) != "20.hcl" || filepath.Base(ds[1].File) != "40.hcl" {
			t.Errorf("got %v", ds)
		}
	})
	t.Run("files with many mistakes", func(t *testing.T) {
		t.Parallel()
		content := strings.Repeat("a = \"\n", maxDiagnostics-1)
		r, ds := Load(writeFiles(t, map[string]string{"10.hcl": content, "20.hcl": content, "30.hcl": content}), nil)
		if r != nil || len(ds) != maxDiagnostics {
			t.Errorf("%d diagnostics", len(ds))
		}
	})
	t.Run("a line with many mistakes", func(t *testing.T) {
		t.Parallel()
		s := newSource("routing.hcl", []byte(strings.Repeat("$,", 2*maxDiagnostics)))
		if _, ds := s.parse(); len(ds) != maxDiagnostics {
			t.Errorf("%d diagnostics", len(ds))
		}
	})
	t.Run("what looks like a comment that is not closed", func(t *testing.T) {
		t.Parallel()
		mustLoad(t, "# /*\n// /*\n/* /* */\nlocals {\n  a = \"/*${\"/*\"}\" # /*\n  b = <<X\n/*\nX\n}\nroute \"r\" {\n  reject = \"${local.a}${local.b}\"\n}\n# /*")
	})
	t.Run("a heredoc of as many lines as there may be", func(t *testing.T) {
		t.Parallel()
		mustLoad(t, "locals {\n  a = <<X\n"+strings.Repeat("a\n", maxStringPieces)+"X\n}\n")
	})
	t.Run("warnings do not crowd out an error", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		for i := range maxDiagnostics + 10 {
			fmt.Fprintf(&b, "route \"r%d\" {\n  when = \"payer.bank != '1'\"\n  reject = \"no\"\n}\n", i)
		}
		if r, ds := loadText(t.TempDir(), "routing.hcl", b.String()); r == nil || len(ds) != maxDiagnostics {
			t.Errorf("%d diagnostics", len(ds))
		}
		if r, ds := loadText(t.TempDir(), "routing.hcl", b.String()+"route \"last\" {}\n"); r != nil || ds.count(Error) != 1 {
			t.Errorf("%d errors", ds.count(Error))
		}
	})
	t.Run("too many locals", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		for i := range maxLocals + 1 {
			fmt.Fprintf(&b, "l%d = [local.l%d]\n", i, i+1)
		}
		if r, ds := loadText(t.TempDir(), "routing.hcl", "locals {\n"+b.String()+"}\n"); r != nil || len(ds) != 1 || ds[0].Summary != "Too many locals" {
			t.Errorf("got %.300v", ds)
		}
		b.Reset()
		for i := range maxLocals - 1 {
			fmt.Fprintf(&b, "l%d = local.l%d\n", i, i+1)
		}
		mustLoad(t, fmt.Sprintf("locals {\n%sl%d = 1\n}\n", b.String(), maxLocals-1))
	})
	t.Run("too many providers", func(t *testing.T) { // routes have the same bound, a hundred times as high
		t.Parallel()
		var b strings.Builder
		for i := range maxProviders + 1 {
			fmt.Fprintf(&b, "provider p%d {}\n", i)
		}
		r, ds := loadText(t.TempDir(), "routing.hcl", b.String())
		if r != nil || len(ds) != 1 || ds[0].Summary != "Too many provider blocks" || ds[0].Line != maxProviders+1 {
			t.Errorf("got %.300v", ds)
		}
	})
	t.Run("files that cannot be read", func(t *testing.T) {
		t.Parallel()
		for want, path := range map[string]string{
			"No such file or directory":  filepath.Join(t.TempDir(), "routing.hcl"),
			"has no *.hcl file":          writeFiles(t, map[string]string{"a_test.hcl": ""}),
			"larger than 1048576 bytes":  writeFiles(t, map[string]string{"a.hcl": strings.Repeat("#\n", MaxFileBytes/2) + "#"}),
			"Rules are text in UTF-8":    writeFiles(t, map[string]string{"a.hcl": "# \xff\n"}),
			"more than 1000 *.hcl files": writeFiles(t, manyFiles(1001)),
		} {
			r, ds := Load(path, nil)
			if r != nil || !strings.Contains(ds.Error(), want) {
				t.Errorf("got %v, want %q", ds, want)
			}
			var asError Diagnostics
			if err := error(ds); !errors.As(fmt.Errorf("wrapped: %w", err), &asError) || !asError.HasErrors() {
				t.Errorf("not found by errors.As: %v", err)
			}
		}
	})
}

func manyFiles(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("%d.hcl", i)] = ""
	}
	return files
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sha := strings.Repeat("Ab", 32)
	r, ds := loadText(dir, "routing.hcl", `
server {
  listen     = "0.0.0.0:80"
  public_url = "https://pay.example.com/"
}
store "pebble" { path = "payments" }
api_key "shop" {
  sha256 = "`+sha+`"
  scopes = ["payments", "read"]
}
locals {
  host = env("HOST", "staging.example.com")
  port = 8443
}
provider "by-name" {}
provider "by-path" {
  plugin  = "./bin/x"
  sha256  = "`+sha+`"
  timeout = "1m"
  notification_secret = env("SECRET")
  config {
    base_url = "https://${local.host}:${local.port}/"
    token    = env("SECRET")
    literal  = "plain"
    amount   = 1000.50
    large    = 12345678901234567890
    negative = -0.10
    sum      = 1 + 0.5
    flag     = true
  }
}
provider "by-absolute-path" { plugin = "/opt/../opt/x" }
route "r" { providers = ["by-name", "by-path", "by-absolute-path"] }
`)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	if got, want := r.Server(), (Server{Listen: "0.0.0.0:80", PublicURL: "https://pay.example.com"}); got != want {
		t.Errorf("server %+v, want %+v", got, want)
	}
	if got, want := r.Store(), (Store{Kind: "pebble", Path: filepath.Join(dir, "payments")}); got != want {
		t.Errorf("store %+v, want %+v", got, want)
	}
	if got, want := r.APIKeys(), []APIKey{{Name: "shop", SHA256: strings.ToLower(sha), Scopes: []string{"payments", "read"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("keys %+v, want %+v", got, want)
	}
	providers := r.Providers()
	for i, want := range []Provider{
		{Name: "by-name", Plugin: "by-name", Timeout: 20 * time.Second},
		{Name: "by-path", Plugin: filepath.Join(dir, "bin/x"), SHA256: strings.ToLower(sha), Timeout: time.Minute, NotificationSecret: secret},
		{Name: "by-absolute-path", Plugin: "/opt/x", Timeout: 20 * time.Second},
	} {
		p := providers[i]
		if p.Name != want.Name || p.Plugin != want.Plugin || p.SHA256 != want.SHA256 || p.Timeout != want.Timeout || p.NotificationSecret != want.NotificationSecret {
			t.Errorf("provider %d is %v of %s", i, p, p.Timeout)
		}
	}
	for name, want := range map[string]Value{
		"base_url": {"https://staging.example.com:8443/", true},
		"token":    {secret, true},
		"literal":  {"plain", false},
		"amount":   {"1000.50", false},
		"large":    {"12345678901234567890", false},
		"negative": {"-0.1", false},
		"sum":      {"1.5", false},
		"flag":     {"true", false},
	} {
		if got := providers[1].Config[name]; got != want {
			t.Errorf("%s is %q (secret %v), want %q (secret %v)", name, got.Text, got.Secret, want.Text, want.Secret)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, ds := loadText(dir, "routing.hcl", "")
	if got, want := r.Server(), (Server{Listen: "127.0.0.1:8080"}); got != want {
		t.Errorf("server %+v, want %+v", got, want)
	}
	if got, want := r.Store(), (Store{Kind: "pebble", Path: filepath.Join(dir, "data")}); got != want {
		t.Errorf("store %+v, want %+v", got, want)
	}
	if len(ds) != 1 || ds[0].Summary != "No route" {
		t.Errorf("warnings %v", ds)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	hash := func(contents ...string) string {
		var sources []*source
		for i, c := range contents {
			sources = append(sources, newSource(fmt.Sprint(i), []byte(c)))
		}
		return contentHash(sources)
	}
	if got, want := hash(""), "af5570f5a1810b7a"; got != want {
		t.Errorf("hash of an empty file is %s, want %s: stored decisions name it", got, want)
	}
	if hash("ab", "c") == hash("a", "bc") || hash("a", "b") == hash("b", "a") || hash("a") == hash("a", "") {
		t.Error("different files have the same hash")
	}
}

func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"token.txt": secret + "\n",
		"routing.hcl": `
provider "a" {
  notification_secret = file("token.txt")
  config {
    from_file = file("token.txt")
    from_env  = "Bearer ${env("SECRET")}"
  }
}
route "r" { providers = ["a"] }
`})
	r, ds := Load(filepath.Join(dir, "routing.hcl"), &Options{Env: testEnv})
	if r == nil {
		t.Fatal(ds)
	}
	p := r.Providers()[0]
	if p.NotificationSecret != secret || p.Config["from_file"].Text != secret || p.Config["from_env"].Text != "Bearer "+secret {
		t.Fatalf("values were not read: %v", p)
	}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "rules", r, "provider", p, "providers", r.Providers(), "config", p.Config, "value", p.Config["from_env"])
	shown := []string{log.String()}
	for _, v := range []any{r, p, &p, r.Providers(), p.Config, p.Config["from_env"], p.ConfigDiagnostic("from_env", "a", "b")} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown = append(shown, fmt.Sprintf(verb, v))
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, string(encoded))
	}
	for _, s := range shown {
		if strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
			t.Errorf("a secret is shown: %s", s)
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	outside := writeFiles(t, map[string]string{"secret.txt": secret + "\r\n"})
	dir := writeFiles(t, map[string]string{
		"open.txt": "x", "large.txt": strings.Repeat("x", maxSecretFile+1), "binary.txt": "\xff", "two.txt": "a\n\n",
	})
	for _, err := range []error{
		os.Chmod(filepath.Join(dir, "open.txt"), 0o622),
		os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(dir, "link.txt")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		filepath.Join(outside, "secret.txt"): secret,
		"two.txt":                            "a\n",
	} {
		if got, err := readSecret(dir, name); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"open.txt":      "can be changed by other users",
		"large.txt":     "is larger than 65536 bytes",
		"binary.txt":    "does not hold UTF-8",
		"missing.txt":   "cannot be read",
		"link.txt":      "cannot be read", // it leads out of the folder
		"../secret.txt": "cannot be read",
		".":             "is not a regular file",
		"/dev/null":     "is not a regular file",
	} {
		if got, err := readSecret(dir, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestConfigDiagnostic(t *testing.T) {
	t.Parallel()
	r := mustLoad(t, "provider \"a\" {\n  config {\n    base_url = \"x\"\n  }\n}\nprovider \"b\" {}\nroute \"r\" { providers = [\"a\", \"b\"] }\n")
	a, b := r.Providers()[0], r.Providers()[1]
	for _, c := range []struct {
		d            Diagnostic
		line, column int
	}{
		{a.ConfigDiagnostic("base_url", "s", "d"), 3, 5},
		{a.ConfigDiagnostic("client_id", "s", "d"), 2, 3}, // is missing: the block
		{b.ConfigDiagnostic("client_id", "s", "d"), 6, 10},
	} {
		if c.d.Line != c.line || c.d.Column != c.column || c.d.Severity != Error || c.d.Summary != "s" || c.d.Detail != "d" {
			t.Errorf("got %+v, want it at %d:%d", c.d, c.line, c.column)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	_, ds := loadText(t.TempDir(), "routing.hcl", routeWhen("ammount > 1 && payer.bank == 1"))
	want := `{"valid":false,"diagnostics":[` +
		`{"severity":"error","summary":"Unknown field \"ammount\"","detail":"Did you mean \"amount\"?","file":"routing.hcl","line":3,"column":1},` +
		`{"severity":"error","summary":"1 is a number","detail":"It stands beside payer.bank, which is text. Write '1' in quotes.","file":"routing.hcl","line":3,"column":30}]}`
	if got, err := json.Marshal(ds.Report()); err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
	if got, want := ds.Error(), `routing: routing.hcl:3:1: Unknown field "ammount": Did you mean "amount"? (and 1 more)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, _ := json.Marshal(Diagnostics(nil).Report()); string(got) != `{"valid":true,"diagnostics":[]}` {
		t.Errorf("got %s", got)
	}
}

// TestHostileFiles loads what would overflow the stack or fill the memory of a program that takes rules as they come.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	const large = 100_000 // brackets of this number overflow the stack of HCL's parser
	local := func(expression string) string { return "locals {\n  a = " + expression + "\n}\n" }
	doubling := "locals {\n  a0 = [true]\n"
	for i := range 64 {
		doubling += fmt.Sprintf("  a%d = [local.a%d, local.a%d]\n", i+1, i, i)
	}
	for name, c := range map[string]struct{ content, want string }{
		"brackets":                   {local(strings.Repeat("(", large)), "Nested too deeply"},
		"lists":                      {local(strings.Repeat("[", large)), "Nested too deeply"},
		"objects":                    {local(strings.Repeat("{a=", large)), "Nested too deeply"},
		"templates":                  {local(strings.Repeat(`"${`, large)), "Nested too deeply"},
		"blocks":                     {strings.Repeat("a {\n", large), "Nested too deeply"},
		"calls":                      {local(strings.Repeat("env(", large)), "Nested too deeply"},
		"negations":                  {local(strings.Repeat("!", large) + "true"), "Nested too deeply"},
		"signs":                      {local(strings.Repeat("-", large) + "1"), "Nested too deeply"},
		"choices":                    {local(strings.Repeat("true ? 1 : ", large/4) + "1"), "Nested too deeply"},
		"sums":                       {local(strings.Repeat("1+", large) + "1"), "Nested too deeply"},
		"sums over lines":            {local("(" + strings.Repeat("1+\n", large) + "1)"), "Nested too deeply"},
		"indices":                    {local("x" + strings.Repeat("[0]", large)), "Nested too deeply"},
		"steps":                      {local("x" + strings.Repeat(".a", large)), "Nested too deeply"},
		"splats":                     {local("x" + strings.Repeat("[*]", large)), "Nested too deeply"},
		"closers hidden in comments": {local(strings.Repeat("(/*)*/", large/8)), "Nested too deeply"},
		"closers hidden in texts":    {local(strings.Repeat(`[")]",`, large/8)), "Nested too deeply"},
		"closers of another kind":    {local(strings.Repeat("(],", large/4)), "Nested too deeply"},
		"doubling lists":             {doubling + "}\n", "is too large"},
		"a long expression":          {routeWhen(strings.Repeat("amount > 1 || ", 300) + "true"), "Expression too long"},
		"many parts":                 {routeWhen(strings.Repeat("true&&", 400) + "true"), "Expression too large"},
		"a deep expression":          {routeWhen(strings.Repeat("(", 65) + "true"), "Nested too deeply"},
		"a deep expression, hidden":  {routeWhen(strings.Repeat("(')' == '' || ", 65) + "true"), "Nested too deeply"},
		"chains in chains":           {routeWhen(strings.Repeat("1 < (", 60) + "amount > 1" + strings.Repeat(" ? 1 : 2) < 5", 60)), "Chain of comparisons"},
		"chains as arguments":        {routeWhen("now.Format(" + strings.Repeat("1 < (", 60) + "amount > 1" + strings.Repeat(" ? 1 : 2) < 5", 60) + ") == ''"), "A layout must be a constant"},
		"chains as keys":             {routeWhen("(" + strings.Repeat("1 < (", 60) + "amount > 1" + strings.Repeat(" ? 1 : 2) < 5", 60) + ") in metadata"), "A key must be a constant"},
		"elvis in elvis":             {routeWhen(strings.Repeat("(", 60) + "true" + strings.Repeat(" ?: true)", 60)), "a ?: b is no part"},
		"comments not closed":        {strings.Repeat("/*\n", large), "The comment is not closed"},
		"a heredoc of many lines":    {local("<<X\n" + strings.Repeat("abc\n", large) + "X"), "String of too many pieces"},
		"a heredoc of empty lines":   {local("<<-X\n" + strings.Repeat("\n", large) + "X"), "String of too many pieces"},
		"a heredoc not closed":       {local("<<X\n" + strings.Repeat("\n", large)), "String of too many pieces"},
		"heredocs not closed":        {local(strings.Repeat("<<X\n  a = ", large)), "String of too many pieces"},
		"escapes":                    {local(`"` + strings.Repeat("$${", large) + `"`), "String of too many pieces"},
		"a long list gone through":   {routeWhen("any(local.a, # == method)") + local("["+strings.Repeat(`"x",`, maxQuantified+1)+"]"), "List too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, ds := loadText(t.TempDir(), "routing.hcl", c.content)
			if r != nil || len(ds) == 0 || !strings.Contains(ds[0].Summary, c.want) {
				t.Errorf("got %.300v, want %q", ds, c.want)
			}
			if len(ds) > 0 && len([]rune(ds[0].excerpt)) > maxExcerpt {
				t.Errorf("the excerpt has %d characters", len(ds[0].excerpt))
			}
		})
	}
}

// TestLargeLists loads what would take minutes if all the values of a list, or all the names that there are, were gone
// through for each route or fault.
func TestLargeLists(t *testing.T) {
	t.Parallel()
	list := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	routes := func(when string) string {
		return list("route \"r%[1]d\" {\n  when   = \""+when+"\"\n  reject = \"no\"\n}\n", 500)
	}
	texts := "locals {\n  a = [" + list(`"%05d", `, 90_000) + "]\n}\n"
	numbers := "locals {\n  a = [" + list("%d, ", 90_000) + "]\n}\n"
	for name, content := range map[string]string{
		"texts":         texts + routes("payer.id in local.a && amount > %[1]d.5"),
		"other texts":   texts + routes("payer.id not in local.a && amount > %[1]d.5"),
		"numbers":       numbers + routes("amount in local.a && tax > %[1]d.5"),
		"other numbers": numbers + routes("not (amount in local.a || tax == %[1]d.5)"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustLoad(t, content)
		})
	}
	for name, content := range map[string]string{
		"itself":            "locals {\n  a = [" + list("local.a, ", 90_000) + "]\n}\n",
		"unknown providers": list("provider \"p%060d\" {}\n", 1000) + "route \"r\" { providers = [" + list(`"q%060d", `, 10_000) + "] }\n",
		"unknown locals":    "locals {\n" + list("p%060d = 1\n", 1900) + "}\nroute \"r\" { providers = [" + list("local.q%060d, ", 10_000) + "] }\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r, ds := loadText(t.TempDir(), "routing.hcl", content); r != nil || len(ds) == 0 || len(ds) > maxDiagnostics {
				t.Errorf("%d diagnostics", len(ds))
			}
		})
	}
}

// TestAcceptedDepth keeps the bounds from refusing what people write.
func TestAcceptedDepth(t *testing.T) {
	t.Parallel()
	banks := "locals {\n  banks = [" + strings.Repeat(`"1007", `, 5_000) + "]\n}\n"
	routes := ""
	for i := range 200 {
		routes += fmt.Sprintf("route \"r%d\" {\n  when = \"(payer.bank in local.banks) && amount > %d\" # a comment (\n  providers = [\"a\"]\n}\n", i, i)
	}
	r := mustLoad(t, banks+"provider \"a\" {\n}\n"+routes)
	if len(r.Routes()) != 200 {
		t.Errorf("%d routes", len(r.Routes()))
	}
	mustLoad(t, "locals {\n  a = "+strings.Repeat("(", maxNesting-1)+"1"+strings.Repeat(")", maxNesting-1)+"\n}\n")
	mustLoad(t, routeWhen(strings.Repeat("(", maxExpressionDepth)+"true"+strings.Repeat(")", maxExpressionDepth)))
}

// The providers that nothing is wrong with are told of rules that are refused, and no others.
func TestProviders(t *testing.T) {
	t.Parallel()
	const routes = "\nroute \"all\" {\n  when = \"payer.bnk == ''\"\n  providers = [\"acme\"]\n}\n"
	for name, c := range map[string]struct {
		rules string
		want  []string
	}{
		"a fault in a route":         {`provider "acme" {}`, []string{"acme"}},
		"a fault in another":         {"provider \"acme\" {}\nprovider \"bravo\" { colour = 1 }", []string{"acme"}},
		"a value that is not set":    {`provider "acme" { notification_secret = env("NOT_SET") }`, []string{"acme"}},
		"no name":                    {`provider "../acme" {}`, nil},
		"no plugin's name":           {`provider "acme" { plugin = ".." }`, nil},
		"a plugin that has no value": {"locals { p = lower(1, 2) }\nprovider \"acme\" { plugin = local.p }", nil},
		"a config that has none":     {"locals { p = lower(1, 2) }\nprovider \"acme\" {\n  config { a = local.p }\n}", nil},
		"the second of a name":       {"provider \"acme\" {}\nprovider \"acme\" {}", []string{"acme"}},
		"more faults than are told":  {strings.Repeat("provider \"..\" { timeout = \"x\" }\n", 600) + "provider \"acme\" { timeout = \"x\" }", nil},
		"no HCL":                     {`provider "acme" {`, nil},
	} {
		path := filepath.Join(writeFiles(t, map[string]string{"routing.hcl": c.rules + routes}), "routing.hcl")
		o := &Options{Env: func(string) (string, bool) { return "", false }, Unset: func(string) string { return "unset" }}
		if rules, _ := Load(path, o); rules != nil {
			t.Errorf("%s: the rules are not refused", name)
		}
		var got []string
		for _, p := range Providers(path, o) {
			got = append(got, p.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
	half := writeFiles(t, map[string]string{"a.hcl": `provider "acme" {}`, "b.hcl": `provider "bravo" {`})
	for _, path := range []string{half, filepath.Join(half, "nowhere.hcl")} {
		if got := Providers(path, nil); got != nil {
			t.Errorf("%s: %v", path, got)
		}
	}
}
