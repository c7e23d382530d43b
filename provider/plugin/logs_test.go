package plugin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

func TestMask(t *testing.T) {
	t.Parallel()
	m := &masker{}
	m.hide([]string{"s3cr3t", "s3cr3t-and-more", "p@ss word", "x"})
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                      {"approved, 20 seconds", "approved, 20 seconds"},
		"a secret":                     {"token=s3cr3t.", "token=(secret)."},
		"the longer secret first":      {"s3cr3t-and-more", "(secret)"},
		"a secret in a URL":            {"?password=p%40ss+word&a=1", "?password=(secret)&a=1"},
		"a nonsensical secret":         {"x-ray", "x-ray"},
		"a basic header":               {"Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic (secret)"},
		"a bearer header":              {"bearer eyJhbGciOi.J9-x_y", "bearer (secret)"},
		"an address":                   {"to <demo.user+1@demo.com.co>", "to <(e-mail)>"},
		"an address beyond ASCII":      {"josé@niño.co", "(e-mail)"},
		"a document":                   {"CC 1020304050", "CC ***4050"},
		"an amount stays":              {"120000.00", "120000.00"},
		"a newline that forges a line": {"ok\nlevel=ERROR", `ok\nlevel=ERROR`},
		"colours":                      {"\x1b[31mred", `\x1b[31mred`},
		"text turned around":           {"a\u202eb", `a\u202eb`},
		"bytes that are not UTF-8":     {"Jos\xe9", "Jos\uFFFD"},
		"a long text":                  {strings.Repeat("á", 60), strings.Repeat("á", 50) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := m.clean(c.text, 101); got != c.want {
				t.Errorf("clean(%q) = %q, want %q", c.text, got, c.want)
			}
		})
	}
}

func TestMaskOfAnswers(t *testing.T) {
	t.Parallel()
	m := &masker{}
	m.hide([]string{"s3cr3t"})
	const leak, want = "422 of demo@demo.com 1020304050 s3cr3t", "422 of (e-mail) ***4050 (secret)"
	refused := &pb.Error{Message: leak, ProviderCode: leak, Field: leak}
	outcome := &pb.Outcome{Message: leak, Code: leak}
	line := &pb.StatementLine{Code: leak}
	m.answer(&pb.Answer{Result: &pb.Answer_Error{Error: refused}})
	m.answer(&pb.Answer{Result: &pb.Answer_Lookup{Lookup: outcome}})
	m.answer(&pb.Answer{Result: &pb.Answer_Statement{Statement: &pb.StatementPage{Lines: []*pb.StatementLine{line}}}})
	for name, got := range map[string]string{
		"an error's message": refused.GetMessage(), "its provider's code": refused.GetProviderCode(), "its field": refused.GetField(),
		"an outcome's message": outcome.GetMessage(), "its code": outcome.GetCode(), "a line's code": line.GetCode(),
	} {
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestLogLines(t *testing.T) {
	t.Parallel()
	mask := &masker{}
	mask.hide([]string{"s3cr3t-token"})
	for name, c := range map[string]struct {
		write []string
		want  []string // in order
	}{
		"text":                {[]string{"one\ntwo\r\n\nthree"}, []string{`"INFO","msg":"one"`, `"INFO","msg":"two"`, `"INFO","msg":"three"`}},
		"a line in pieces":    {[]string{"a", "b", "c\n"}, []string{`"msg":"abc"`}},
		"slog's JSON":         {[]string{`{"time":"T","level":"WARN","msg":"slow","n":7,"who":{"a":[1]},"token":"s3cr3t-token"}` + "\n"}, []string{`"level":"WARN","msg":"slow","stream":"stderr","n":"7","token":"(secret)","who":"{\"a\":[1]}"`}},
		"hclog's JSON":        {[]string{`{"@level":"trace","@message":"hi","@module":"m","@timestamp":"T","k":"v"}` + "\n"}, []string{`"level":"DEBUG","msg":"hi","stream":"stderr","k":"v"`}},
		"JSON of wrong types": {[]string{`{"@message":1,"@level":[]}` + "\n"}, []string{`"msg":"1"`}},
		"JSON but no object":  {[]string{"{]\n"}, []string{`"msg":"{]"`}},
		"a secret across the cut of a long line": {
			[]string{strings.Repeat("x", maxLine-5) + "s3cr3t-token" + strings.Repeat("y", 100<<10) + "\nnext\n"},
			[]string{strings.Repeat("x", 100) + "(secr…", `"msg":"next"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log captured
			w := newLogs(log.logger(), mask, newFakeClock()).writer("stderr", 0)
			for _, p := range c.write {
				if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
					t.Errorf("Write = %d, %v", n, err)
				}
			}
			w.flush()
			rest := log.String()
			for _, want := range c.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("%.2000s\nhas no %s", rest, want)
				}
				rest = after
			}
			if strings.Contains(log.String(), "s3cr3t") {
				t.Error("the secret is in the log")
			}
			if got, want := strings.Count(log.String(), "\n"), len(c.want); got != want {
				t.Errorf("%d lines, want %d", got, want)
			}
		})
	}
}

func TestLogRate(t *testing.T) {
	t.Parallel()
	var log captured
	clock := newFakeClock()
	l := newLogs(log.logger(), &masker{}, clock)
	w := l.writer("stderr", 0)
	for i := range 10_000 {
		fmt.Fprintf(w, "line %d\n", i)
	}
	if got := strings.Count(log.String(), "\n"); got != logBurst {
		t.Errorf("%d lines of a burst were logged, want %d", got, logBurst)
	}
	clock.advance(time.Second)
	fmt.Fprintln(w, "after")
	if want := fmt.Sprintf(`"dropped":%d`, 10_000-logBurst); !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %s", want)
	}
	if words := l.lastWords(); len(words) != lastLines || words[lastLines-1] != "after" || words[0] != "line 9996" {
		t.Errorf("last words: %q", words)
	}
}

// TestOutputOfAProcess has a real plugin write what must not hurt its host.
func TestOutputOfAProcess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ do, want string }{
		"standard error":                 {"say hello of 1020304050", `"msg":"hello of ***4050","provider":"p","stream":"stderr"`},
		"prints":                         {"print hello", `"msg":"hello","provider":"p","stream":"stdout"`},
		"slog of the plugin":             {"log", `"level":"WARN","msg":"logged","provider":"p","stream":"stderr","n":"7","token":"(secret)"`},
		"10 MB without an end of line":   {"babble", ``},
		"20,000 lines":                   {"flood", `"dropped":`},
		"a line that crashes go-plugin":  {`say {"@message":1}`, `"msg":"1"`},
		"another that crashes go-plugin": {`say {"@level":1,"@timestamp":2}`, `"msg":""`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log captured
			p := launch(t, "good", Dir(), &log)
			for range 3 {
				if _, err := submit(p, c.do, 20*time.Second); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, c.want, func() bool { return strings.Contains(log.String(), c.want) })
			if size := len(log.String()); size > 1<<20 {
				t.Errorf("the log has %d bytes", size)
			}
		})
	}
}
