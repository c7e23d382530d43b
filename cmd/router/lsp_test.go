package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/txtar"
)

var updateLSP = flag.Bool("update-lsp", false, "write what the language server answers into testdata/lsp as what is wanted")

// cursorMark stands in a case's file where the cursor is.
const cursorMark = "§"

// lspSecret is the value of the environment variable LSP_SECRET. The server must never send it.
const lspSecret = "hunter2-hunter2"

// TestLSP asks the real binary about marked positions. An archive has files of the configuration (disk/NAME), cases
// (OPERATION/NAME.hcl, opened as rules.hcl or rules_test.hcl beside them), and what is wanted (OPERATION/NAME.want).
func TestLSP(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob(filepath.Join("testdata", "lsp", "*.txtar"))
	if err != nil || len(archives) == 0 {
		t.Fatal("no archive", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			e := startEditor(t, "lsp")
			wants := map[string]*txtar.File{}
			for i, f := range a.Files {
				if name, ok := strings.CutPrefix(f.Name, "disk/"); ok {
					e.write(t, name, string(f.Data))
				}
				if name, ok := strings.CutSuffix(f.Name, ".want"); ok {
					wants[name] = &a.Files[i]
				}
			}
			e.open(t, "providers.hcl", e.read(t, "providers.hcl"))
			e.diagnosticsOf(t, "providers.hcl") // by then the plugins were asked
			for _, f := range a.Files {
				name, ok := strings.CutSuffix(f.Name, ".hcl")
				if !ok || strings.HasPrefix(f.Name, "disk/") {
					continue
				}
				want := wants[name]
				if want == nil {
					t.Fatalf("%s has no .want", f.Name)
				}
				got := strings.ReplaceAll(e.ask(t, f.Name, string(f.Data)), binaries, "BIN")
				switch {
				case *updateLSP:
					want.Data = []byte(got)
				case got != string(want.Data):
					t.Errorf("%s: got\n%s\nwant\n%s", name, got, want.Data)
				}
			}
			if *updateLSP {
				if err := os.WriteFile(path, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// editor is a client of a language server that runs as a process of its own.
type editor struct {
	dir      string
	command  *exec.Cmd
	in       io.WriteCloser
	messages chan rpcMessage
	broken   error // why no further message comes
	last     int   // id of a request, and version of a document
}

type rpcMessage struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int
		Message string
	} `json:"error"`
}

type (
	lspPosition struct{ Line, Character int }
	lspRange    struct{ Start, End lspPosition }
	lspEdit     struct {
		Range   lspRange
		NewText string
	}
	lspDiagnostic struct {
		Range    lspRange
		Severity int
		Message  string
	}
	lspSymbol struct {
		Name, Detail string
		Range        lspRange
		Children     []lspSymbol
	}
)

func (r lspRange) String() string {
	return fmt.Sprintf("%d:%d-%d:%d", r.Start.Line, r.Start.Character, r.End.Line, r.End.Character)
}

// startEditor starts router with args in a directory of its own, and shakes hands.
func startEditor(t *testing.T, args ...string) *editor {
	t.Helper()
	e := launchEditor(t, args...)
	e.request(t, "initialize", map[string]any{"processId": nil, "rootUri": nil, "capabilities": map[string]any{}})
	e.notify(t, "initialized", map[string]any{})
	return e
}

func launchEditor(t *testing.T, args ...string) *editor {
	t.Helper()
	e := &editor{dir: t.TempDir(), messages: make(chan rpcMessage, 100)}
	cmd := exec.Command(binary("router"), args...)
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "LSP_SECRET="+lspSecret)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.in, e.command = in, cmd
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range e.messages { // until the pipe is closed
		}
		_ = cmd.Wait()
	})
	go func() {
		defer close(e.messages)
		for r := bufio.NewReader(out); e.broken == nil; {
			var m rpcMessage
			if m, e.broken = receiveRPC(r); e.broken == nil {
				e.messages <- m
			}
		}
	}()
	return e
}

func receiveRPC(r *bufio.Reader) (m rpcMessage, err error) {
	header, err := r.ReadString('\n')
	if err != nil {
		return m, err
	}
	length, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(header, "Content-Length:")))
	if err != nil {
		return m, err
	}
	body := make([]byte, length+2)
	if _, err := io.ReadFull(r, body); err != nil {
		return m, err
	}
	if strings.Contains(string(body), lspSecret) {
		return m, fmt.Errorf("a secret is shown: %s", body)
	}
	return m, json.Unmarshal(body[2:], &m)
}

func (e *editor) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (e *editor) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(e.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func (e *editor) uri(name string) string {
	return (&url.URL{Scheme: "file", Path: filepath.Join(e.dir, name)}).String()
}

func (e *editor) send(t *testing.T, message map[string]any) {
	t.Helper()
	message["jsonrpc"] = "2.0"
	body, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatal(err)
	}
}

func (e *editor) notify(t *testing.T, method string, params any) {
	t.Helper()
	e.send(t, map[string]any{"method": method, "params": params})
}

// wait returns the next message that is wanted.
func (e *editor) wait(t *testing.T, wanted func(rpcMessage) bool) rpcMessage {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case m, ok := <-e.messages:
			if !ok {
				t.Fatal("the server has ended: ", e.broken)
			}
			if wanted(m) {
				return m
			}
		case <-timeout:
			t.Fatal("no answer")
		}
	}
}

// call sends a request and returns its answer.
func (e *editor) call(t *testing.T, method string, params any) rpcMessage {
	t.Helper()
	e.last++
	id := fmt.Sprint(e.last)
	e.send(t, map[string]any{"id": e.last, "method": method, "params": params})
	return e.wait(t, func(m rpcMessage) bool { return m.Method == "" && string(m.ID) == id })
}

// request returns the result of a request that must be answered.
func (e *editor) request(t *testing.T, method string, params any) json.RawMessage {
	t.Helper()
	m := e.call(t, method, params)
	if m.Error != nil {
		t.Fatalf("%s: %s", method, m.Error.Message)
	}
	return m.Result
}

func (e *editor) open(t *testing.T, name, text string) {
	t.Helper()
	e.last++
	e.notify(t, "textDocument/didOpen", map[string]any{
		"textDocument": map[string]any{"uri": e.uri(name), "languageId": "hcl", "version": e.last, "text": text},
	})
}

func (e *editor) close(t *testing.T, name string) {
	t.Helper()
	e.notify(t, "textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": e.uri(name)}})
}

// diagnosticsOf waits for those of a document as it was last sent.
func (e *editor) diagnosticsOf(t *testing.T, name string) []lspDiagnostic {
	t.Helper()
	var p struct {
		URI         string
		Version     int
		Diagnostics []lspDiagnostic
	}
	e.wait(t, func(m rpcMessage) bool {
		p.Version = 0
		return m.Method == "textDocument/publishDiagnostics" && json.Unmarshal(m.Params, &p) == nil && p.URI == e.uri(name) && p.Version == e.last
	})
	return p.Diagnostics
}

// ask opens a case's file and returns the answer about its mark, as text.
func (e *editor) ask(t *testing.T, name, text string) string {
	t.Helper()
	operation, _, _ := strings.Cut(name, "/")
	file := "rules.hcl"
	if strings.HasSuffix(name, "_test.hcl") {
		file = "rules_test.hcl"
	}
	before, after, _ := strings.Cut(text, cursorMark)
	text = before + after
	e.open(t, file, text)
	defer e.close(t, file)
	at := lspPosition{strings.Count(before, "\n"), len(utf16.Encode([]rune(before[strings.LastIndexByte(before, '\n')+1:])))}
	params := map[string]any{
		"textDocument": map[string]any{"uri": e.uri(file)},
		"position":     map[string]any{"line": at.Line, "character": at.Character},
		"options":      map[string]any{"tabSize": 2, "insertSpaces": true},
	}
	switch operation {
	case "complete":
		return e.completions(t, params, at)
	case "hover":
		var h *struct {
			Contents struct{ Value string }
			Range    lspRange
		}
		decodeResult(t, e.request(t, "textDocument/hover", params), &h)
		if h == nil {
			return "nothing\n"
		}
		return fmt.Sprintf("%s\n%s\n", h.Range, strings.TrimSpace(h.Contents.Value))
	case "definition":
		var l *struct {
			URI   string
			Range lspRange
		}
		decodeResult(t, e.request(t, "textDocument/definition", params), &l)
		if l == nil {
			return "nothing\n"
		}
		return fmt.Sprintf("%s %s\n", l.URI[strings.LastIndexByte(l.URI, '/')+1:], l.Range)
	case "symbols":
		var list []lspSymbol
		decodeResult(t, e.request(t, "textDocument/documentSymbol", params), &list)
		return writeSymbols(list, "")
	case "format":
		var edits []lspEdit
		decodeResult(t, e.request(t, "textDocument/formatting", params), &edits)
		return applyEdits(text, edits)
	case "diagnose":
		return writeDiagnostics(e.diagnosticsOf(t, file))
	case "fix":
		return e.fixes(t, file, text, at)
	}
	t.Fatalf("%s: no such operation", name)
	return ""
}

// completions are written one a line: what is shown, what replaces which characters of the line, and the detail.
func (e *editor) completions(t *testing.T, params map[string]any, at lspPosition) string {
	t.Helper()
	var list struct {
		Items []struct {
			Label, Detail string
			TextEdit      lspEdit
		}
	}
	decodeResult(t, e.request(t, "textDocument/completion", params), &list)
	var b strings.Builder
	for i, item := range list.Items {
		if item.TextEdit.Range.End != at {
			t.Errorf("%s replaces %s", item.Label, item.TextEdit.Range)
		}
		if i < 12 {
			fmt.Fprintf(&b, "%s | %q at %d | %s\n", item.Label, item.TextEdit.NewText, item.TextEdit.Range.Start.Character, item.Detail)
		}
	}
	fmt.Fprintf(&b, "%d in all\n", len(list.Items))
	return b.String()
}

// fixes are written as their title and the lines that they change.
func (e *editor) fixes(t *testing.T, file, text string, at lspPosition) string {
	t.Helper()
	e.diagnosticsOf(t, file)
	var actions []struct {
		Title, Kind string
		Edit        struct{ Changes map[string][]lspEdit }
	}
	point := map[string]any{"line": at.Line, "character": at.Character}
	decodeResult(t, e.request(t, "textDocument/codeAction", map[string]any{
		"textDocument": map[string]any{"uri": e.uri(file)}, "range": map[string]any{"start": point, "end": point},
		"context": map[string]any{"diagnostics": []any{}},
	}), &actions)
	var b strings.Builder
	for _, a := range actions {
		fixed := strings.Split(applyEdits(text, a.Edit.Changes[e.uri(file)]), "\n")
		fmt.Fprintf(&b, "%s: %s\n%s\n", a.Kind, a.Title, fixed[at.Line])
	}
	fmt.Fprintf(&b, "%d in all\n", len(actions))
	return b.String()
}

func decodeResult(t *testing.T, result json.RawMessage, to any) {
	t.Helper()
	if err := json.Unmarshal(result, to); err != nil {
		t.Fatalf("%v: %s", err, result)
	}
}

func writeDiagnostics(list []lspDiagnostic) string {
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "%s %s: %s\n", d.Range, []string{"", "error", "warning", "information"}[d.Severity], strings.ReplaceAll(d.Message, "\n", " / "))
	}
	fmt.Fprintf(&b, "%d in all\n", len(list))
	return b.String()
}

func writeSymbols(list []lspSymbol, indent string) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s%s (%s) %s\n%s", indent, s.Name, s.Detail, s.Range, writeSymbols(s.Children, indent+"  "))
	}
	return b.String()
}

// applyEdits changes a text, last edit first; positions count UTF-16 code units.
func applyEdits(text string, edits []lspEdit) string {
	offset := func(p lspPosition) int {
		lines := strings.SplitAfter(text, "\n")
		at := len(strings.Join(lines[:p.Line], ""))
		if p.Line == len(lines) {
			return at
		}
		return at + len(string(utf16.Decode(utf16.Encode([]rune(lines[p.Line]))[:p.Character])))
	}
	for i := len(edits) - 1; i >= 0; i-- {
		text = text[:offset(edits[i].Range.Start)] + edits[i].NewText + text[offset(edits[i].Range.End):]
	}
	return text
}

// TestLSPInNeovim runs the settings of docs/editor.md in the editor itself, where it is installed.
func TestLSPInNeovim(t *testing.T) {
	t.Parallel()
	nvim, err := exec.LookPath("nvim")
	if err != nil {
		t.Skip("Neovim is not installed")
	}
	docs, err := os.ReadFile("../../docs/editor.md")
	if err != nil {
		t.Fatal(err)
	}
	_, settings, _ := strings.Cut(string(docs), "```lua\n")
	settings, _, _ = strings.Cut(settings, "```")
	script, err := filepath.Abs("testdata/lsp/neovim.lua")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"init.lua": settings, "routing.hcl": `route "pse" {
  when   = "method == 'psee' && payer.bank == '1007'"
  reject = "no"
}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, nvim, "--headless", "-u", "init.lua", "routing.hcl", "-c", "luafile "+script, "-c", "cquit")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+binaries+string(filepath.ListSeparator)+os.Getenv("PATH"), "HOME="+dir, "XDG_CONFIG_HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = `No payment has method "psee"
hover **1007** BANCOLOMBIA
complete type number
fix Replace with pse
  when   = "method == 'pse' && payer.bank == '1007'"
`
	if got := strings.ReplaceAll(string(out), "\r", ""); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
