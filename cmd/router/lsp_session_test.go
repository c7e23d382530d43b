package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// change sends changes of a document, one range after the other; a nil range is the whole text.
func (e *editor) change(t *testing.T, name string, changes ...map[string]any) {
	t.Helper()
	e.last++
	e.notify(t, "textDocument/didChange", map[string]any{
		"textDocument": map[string]any{"uri": e.uri(name), "version": e.last}, "contentChanges": changes,
	})
}

// edit puts text in place of the characters of a line.
func edit(line, from, to int, text string) map[string]any {
	return map[string]any{"range": map[string]any{
		"start": map[string]any{"line": line, "character": from}, "end": map[string]any{"line": line, "character": to},
	}, "text": text}
}

// exitCode waits for the server's end.
func (e *editor) exitCode(t *testing.T) int {
	t.Helper()
	for range e.messages { // until its output is closed
	}
	err := e.command.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return e.command.ProcessState.ExitCode()
}

func (e *editor) messagesOf(t *testing.T, name string) []string {
	t.Helper()
	var out []string
	for _, d := range e.diagnosticsOf(t, name) {
		summary, _, _ := strings.Cut(d.Message, "\n")
		out = append(out, fmt.Sprintf("%s %s", d.Range, summary))
	}
	return out
}

const goodRoute = "route \"r\" {\n  when   = \"amount > 1000\"\n  reject = \"no\"\n}\n"

func TestLSPLifecycle(t *testing.T) {
	t.Parallel()
	t.Run("initialize, shutdown and exit end well", func(t *testing.T) {
		t.Parallel()
		e := launchEditor(t, "lsp")
		if m := e.call(t, "textDocument/hover", nil); m.Error == nil || m.Error.Code != -32002 {
			t.Errorf("before initialize: %+v", m)
		}
		var result struct{ Capabilities map[string]any }
		decodeResult(t, e.request(t, "initialize", map[string]any{"capabilities": map[string]any{}}), &result)
		for _, c := range []string{"textDocumentSync", "completionProvider", "hoverProvider", "definitionProvider", "documentSymbolProvider",
			"documentFormattingProvider", "codeActionProvider"} {
			if result.Capabilities[c] == nil {
				t.Errorf("no %s", c)
			}
		}
		if m := e.call(t, "initialize", map[string]any{}); m.Error == nil || m.Error.Code != -32600 {
			t.Errorf("a second initialize: %+v", m)
		}
		if m := e.call(t, "textDocument/rename", map[string]any{}); m.Error == nil || m.Error.Code != -32601 {
			t.Errorf("an unknown method: %+v", m)
		}
		if m := e.call(t, "textDocument/hover", []int{1}); m.Error == nil || m.Error.Code != -32602 {
			t.Errorf("wrong parameters: %+v", m)
		}
		if result := e.request(t, "shutdown", nil); string(result) != "null" {
			t.Errorf("shutdown: %s", result)
		}
		if m := e.call(t, "textDocument/hover", map[string]any{}); m.Error == nil || m.Error.Code != -32600 {
			t.Errorf("after shutdown: %+v", m)
		}
		e.notify(t, "exit", nil)
		if code := e.exitCode(t); code != exitOK {
			t.Error(code)
		}
	})
	for name, leave := range map[string]func(*testing.T, *editor){
		"exit without shutdown": func(t *testing.T, e *editor) { e.notify(t, "exit", nil) },
		"an editor that is gone": func(t *testing.T, e *editor) {
			if err := e.in.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"a length that is no number": func(t *testing.T, e *editor) {
			if _, err := e.in.Write([]byte("Content-Length: many\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
		},
		"a header without end": func(t *testing.T, e *editor) {
			if _, err := e.in.Write([]byte(strings.Repeat("X: y\r\n", 2000))); err != nil {
				t.Log(err) // it may have gone by then
			}
		},
	} {
		t.Run(name+" ends with an error", func(t *testing.T) {
			t.Parallel()
			e := startEditor(t, "lsp")
			leave(t, e)
			if code := e.exitCode(t); code != exitNotFine {
				t.Error(code)
			}
		})
	}
}

func TestLSPChanges(t *testing.T) {
	t.Parallel()
	t.Run("incremental changes count UTF-16 code units", func(t *testing.T) {
		t.Parallel()
		e := startEditor(t, "lsp")
		e.open(t, "r.hcl", "route \"r\" {\r\n  when   = \"description == '💸é' && amount > 1000\"\r\n  reject = \"no\"\r\n}\r\n")
		if got := e.messagesOf(t, "r.hcl"); len(got) > 0 {
			t.Error(got)
		}
		// 💸 is two units: é is at unit 30 of its line. Behind it amount becomes amunt, and then amunts.
		e.change(t, "r.hcl", edit(1, 30, 31, "ee"), edit(1, 39, 40, ""), edit(1, 42, 42, "s"))
		if got, want := e.messagesOf(t, "r.hcl"), []string{`1:37-1:43 Unknown field "amunts"`}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		// Beyond the end of a line is its end, and a range may span lines.
		e.change(t, "r.hcl", map[string]any{"range": map[string]any{
			"start": map[string]any{"line": 1, "character": 37}, "end": map[string]any{"line": 2, "character": 999},
		}, "text": "tax > 5\"\n  reject = \"never\""})
		if got := e.messagesOf(t, "r.hcl"); len(got) > 0 {
			t.Error(got)
		}
		e.change(t, "r.hcl", map[string]any{"text": "rout \"r\" {}\n"})
		if got, want := e.messagesOf(t, "r.hcl"), []string{"0:0-0:4 Unsupported block type"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		e.change(t, "r.hcl", map[string]any{"range": map[string]any{
			"start": map[string]any{"line": 1, "character": 0}, "end": map[string]any{"line": 0, "character": 0},
		}, "text": "x"})
		if m := e.wait(t, func(m rpcMessage) bool { return m.Method == "window/showMessage" }); !strings.Contains(string(m.Params), "ends before it begins") {
			t.Errorf("%s", m.Params)
		}
	})
	t.Run("unsaved text of all files counts, and what is closed does not", func(t *testing.T) {
		t.Parallel()
		e := startEditor(t, "lsp")
		e.write(t, "providers.hcl", "provider \"acme\" {\n  plugin = \"none\"\n}\n")
		e.write(t, "routes.hcl", "route \"r\" {\n  providers = [\"bravo\"]\n}\n")
		e.open(t, "providers.hcl", e.read(t, "providers.hcl"))
		_, faulty := e.faultsAnywhere(t)
		if faulty != "routes.hcl" { // it is not open
			t.Errorf("the fault is in %q", faulty)
		}
		e.change(t, "providers.hcl", edit(0, 10, 14, "bravo"))
		if got, _ := e.faultsAnywhere(t); got != 0 {
			t.Errorf("still %d faults", got)
		}
		if got := e.read(t, "providers.hcl"); !strings.Contains(got, "acme") {
			t.Error("the file was written")
		}
		e.open(t, "routes.hcl", e.read(t, "routes.hcl"))
		e.close(t, "providers.hcl") // its text on disk counts again
		if got := e.messagesOf(t, "routes.hcl"); !slices.Equal(got, []string{`1:15-1:22 providers: unknown "bravo"`}) {
			t.Errorf("got %q", got)
		}
		e.close(t, "routes.hcl")
		if got, _ := e.faultsAnywhere(t); got != 0 { // nothing is open: nothing is shown
			t.Errorf("still %d faults", got)
		}
	})
	t.Run("a file alone is checked where it is named", func(t *testing.T) {
		t.Parallel()
		e := startEditor(t, "lsp", "one.hcl")
		e.write(t, "other.hcl", goodRoute) // would be a second route of that name
		e.write(t, "one.hcl", goodRoute)
		e.open(t, "one.hcl", goodRoute)
		if got := e.messagesOf(t, "one.hcl"); len(got) > 0 {
			t.Error(got)
		}
	})
	t.Run("faults of the directory are shown", func(t *testing.T) {
		t.Parallel()
		e := startEditor(t, "lsp")
		e.open(t, "only_test.hcl", "test \"t\" {}\n")
		if got := e.messagesOf(t, "only_test.hcl"); !slices.Equal(got, []string{"0:0-0:0 Rules cannot be read"}) {
			t.Errorf("got %q", got)
		}
	})
}

// faultsAnywhere waits until diagnostics of every file that has changed are there, and counts them.
func (e *editor) faultsAnywhere(t *testing.T) (count int, file string) {
	t.Helper()
	var p struct {
		URI         string
		Diagnostics []lspDiagnostic
	}
	e.wait(t, func(m rpcMessage) bool {
		if m.Method != "textDocument/publishDiagnostics" {
			return false
		}
		decodeResult(t, m.Params, &p)
		return strings.HasSuffix(p.URI, "/routes.hcl")
	})
	return len(p.Diagnostics), filepath.Base(p.URI)
}

// What nobody would write neither ends the server nor keeps it from answering.
func TestLSPHostile(t *testing.T) {
	t.Parallel()
	e := startEditor(t, "lsp")
	whole := strings.Repeat("route \"r\" { when = \"amount > 5\" }\n", 1+1<<20/34)
	for name, text := range map[string]string{
		"more than 1 MiB":       whole,
		"deep brackets":         "locals {\n  x = " + strings.Repeat("[", 50_000) + "\n}\n",
		"deep blocks":           strings.Repeat("route \"r\" {\n", 5_000),
		"deep conditions":       "route \"r\" {\n  when = \"" + strings.Repeat("(", 100_000) + "\"\n}\n",
		"strings without end":   strings.Repeat("when = \"\n", 20_000),
		"templates without end": "locals {\n  x = \"" + strings.Repeat("${\"", 20_000),
		"one long line":         "route \"r\" {\n  providers = [" + strings.Repeat("\"x\",", 50_000) + "]\n}\n",
		"no text":               "\x00\x01\xff" + strings.Repeat("\xf0\x9f", 1000),
		"nothing":               "",
	} {
		e.open(t, "h.hcl", text)
		e.diagnosticsOf(t, "h.hcl")
		lines := strings.Count(text, "\n")
		for _, at := range []lspPosition{{0, 0}, {lines / 2, 10}, {1, 1 << 30}, {1 << 30, 5}, {-1, -1}} {
			params := map[string]any{
				"textDocument": map[string]any{"uri": e.uri("h.hcl")},
				"position":     map[string]any{"line": at.Line, "character": at.Character},
				"range":        map[string]any{"start": map[string]any{"line": 0, "character": 0}, "end": map[string]any{"line": at.Line, "character": 0}},
			}
			for _, method := range []string{"completion", "hover", "definition", "codeAction"} {
				if m := e.call(t, "textDocument/"+method, params); m.Error != nil {
					t.Errorf("%s, %s at %v: %s", name, method, at, m.Error.Message)
				}
			}
			if at.Line == 0 {
				e.request(t, "textDocument/formatting", params)
				e.request(t, "textDocument/documentSymbol", params)
			}
		}
		e.close(t, "h.hcl")
	}
	// A message that is too large is skipped, and said.
	if _, err := fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", 33<<20, strings.Repeat(" ", 33<<20)); err != nil {
		t.Fatal(err)
	}
	e.wait(t, func(m rpcMessage) bool { return m.Method == "window/showMessage" })
	// So is one that is no JSON.
	if _, err := fmt.Fprint(e.in, "Content-Length: 3\r\n\r\n{]}"); err != nil {
		t.Fatal(err)
	}
	e.wait(t, func(m rpcMessage) bool { return m.Error != nil && m.Error.Code == -32700 })
	for _, m := range []map[string]any{
		{"method": "textDocument/didOpen", "params": 5}, {"method": "textDocument/didChange"}, {"method": 7}, {"id": nil, "method": "exitt"},
		{"method": "textDocument/didOpen", "params": map[string]any{"textDocument": map[string]any{"uri": "untitled:x.hcl"}}},
	} {
		e.send(t, m)
	}
	e.open(t, "fine.hcl", goodRoute)
	if got := e.messagesOf(t, "fine.hcl"); len(got) > 0 {
		t.Error(got)
	}
	e.request(t, "shutdown", nil)
	e.notify(t, "exit", json.RawMessage("null"))
	if code := e.exitCode(t); code != exitOK {
		t.Error(code)
	}
}
