package lsp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

// debounce is how long after the last change the rules are checked.
const debounce = 150 * time.Millisecond

// Config says what the server checks, and how.
type Config struct {
	// Rules is the file or directory that is checked; "" = the directory of each file that is opened.
	Rules string
	// Check finds the faults of the rules at a path, unsaved contents in place of files. It is called by one goroutine
	// at a time.
	Check   func(ctx context.Context, path string, unsaved map[string][]byte) Findings
	Version string // of the server
}

// Findings are what a check tells.
type Findings struct {
	Diagnostics routing.Diagnostics
	// Infos are what the plugins of the rules' providers say of themselves, by provider; nil where the rules have errors.
	Infos map[string]provider.Info
	// Unknown are the providers of which nothing or not all is known, with why.
	Unknown map[string]error
}

// Serve answers a client until it says exit, and returns an error where it leaves without saying shutdown before.
func Serve(ctx context.Context, in io.Reader, out io.Writer, c Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{
		config: c, out: out, projects: map[string]*project{}, documents: map[string]*document{},
		due: time.NewTimer(time.Hour), checked: make(chan checkResult, 1),
	}
	s.due.Stop()
	incoming := make(chan read)
	go receive(ctx, in, incoming)
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil // asked to end
		case m := <-incoming:
			if m.err == nil {
				err = s.receive(m.body)
			} else if err = m.err; errors.Is(err, errTooLarge) {
				err = s.forgetAll()
			}
		case <-s.due.C:
			s.check(ctx)
		case r := <-s.checked:
			err = s.conclude(ctx, r)
		}
		switch {
		case errors.Is(err, errExit) && s.state == stopping:
			return nil
		case errors.Is(err, errExit), errors.Is(err, io.EOF):
			return errors.New("the editor left without shutdown")
		case err != nil:
			return err
		}
	}
}

// errExit: the client said exit.
var errExit = errors.New("exit")

// read is a message, or why there will be none.
type read struct {
	body []byte
	err  error
}

func receive(ctx context.Context, in io.Reader, to chan<- read) {
	for r := bufio.NewReader(in); ; {
		body, err := readMessage(r)
		select {
		case to <- read{body, err}:
		case <-ctx.Done():
			return
		}
		if err != nil && !errors.Is(err, errTooLarge) {
			return
		}
	}
}

type state int

const (
	starting state = iota
	running
	stopping
)

// server is the state of one conversation. Its fields belong to the goroutine that Serve runs in.
type server struct {
	config    Config
	out       io.Writer
	state     state
	documents map[string]*document // that are open, by path
	projects  map[string]*project  // by the path of the rules
	due       *time.Timer          // fires when rules are to be checked
	checking  bool
	checked   chan checkResult
}

// receive handles one message. Its error ends the conversation.
func (s *server) receive(body []byte) error {
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return s.answer(json.RawMessage("null"), nil, &responseError{codeParse, err.Error()})
	}
	if m.Method == "" {
		return nil // an answer; nothing is asked of clients
	}
	if m.ID == nil {
		if m.Method == "exit" {
			return errExit
		}
		if handle := notifications[m.Method]; handle != nil && s.state == running {
			if err := handle(s, m.Params); err != nil {
				return s.show(err)
			}
		}
		return nil
	}
	handle := requests[m.Method]
	var result any
	var err error
	switch {
	case s.state == stopping:
		err = &responseError{codeInvalidRequest, "the server was asked to shut down"}
	case s.state == starting && m.Method != "initialize":
		err = &responseError{codeNotInitialized, "initialize comes first"}
	case handle == nil:
		err = &responseError{codeUnknownMethod, fmt.Sprintf("%.60q is no method of this server", m.Method)}
	default:
		result, err = handle(s, m.Params)
	}
	return s.answer(m.ID, result, err)
}

var requests = map[string]func(*server, json.RawMessage) (any, error){
	"initialize":                  (*server).initialize,
	"shutdown":                    (*server).shutdown,
	"textDocument/completion":     at((*server).complete),
	"textDocument/hover":          at((*server).hover),
	"textDocument/definition":     at((*server).definition),
	"textDocument/documentSymbol": at((*server).symbols),
	"textDocument/formatting":     at((*server).format),
	"textDocument/codeAction":     (*server).codeActions,
}

var notifications = map[string]func(*server, json.RawMessage) error{
	"textDocument/didOpen":   (*server).open,
	"textDocument/didChange": (*server).change,
	"textDocument/didSave":   (*server).save,
	"textDocument/didClose":  (*server).close,
}

// at decodes what is asked about a position; of a document that is not open or too large nothing is known.
func at(handle func(*server, *document, int) (any, error)) func(*server, json.RawMessage) (any, error) {
	return func(s *server, params json.RawMessage) (any, error) {
		var p positionParams
		if err := decode(params, &p); err != nil {
			return nil, err
		}
		d := s.documents[pathOf(p.TextDocument.URI)]
		if d == nil || len(d.content) > routing.MaxFileBytes {
			return nil, nil
		}
		return handle(s, d, d.offset(p.Position))
	}
}

func decode(params json.RawMessage, to any) error {
	if err := json.Unmarshal(params, to); err != nil {
		return &responseError{codeInvalidParams, err.Error()}
	}
	return nil
}

func (s *server) answer(id json.RawMessage, result any, err error) error {
	m := message{ID: id}
	if err == nil {
		m.Result, err = json.Marshal(result)
	}
	if err != nil {
		var failure *responseError
		if !errors.As(err, &failure) {
			failure = &responseError{codeInternal, err.Error()}
		}
		m.Error = failure
	}
	return writeMessage(s.out, m)
}

func (s *server) notify(method string, params any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	return writeMessage(s.out, message{Method: method, Params: body})
}

// show tells the person at the editor about an error.
func (s *server) show(err error) error {
	return s.notify("window/showMessage", map[string]any{"type": severityError, "message": "router lsp: " + err.Error()})
}

func (s *server) initialize(json.RawMessage) (any, error) {
	if s.state != starting {
		return nil, &responseError{codeInvalidRequest, "initialize was said before"}
	}
	s.state = running
	var r initializeResult
	c := &r.Capabilities
	c.PositionEncoding = "utf-16"
	c.TextDocumentSync.OpenClose, c.TextDocumentSync.Change, c.TextDocumentSync.Save = true, 2, true
	c.CompletionProvider.TriggerCharacters = []string{".", `"`, "'"}
	c.HoverProvider, c.DefinitionProvider, c.DocumentSymbolProvider, c.DocumentFormattingProvider = true, true, true, true
	c.CodeActionProvider.CodeActionKinds = []string{"quickfix"}
	r.ServerInfo.Name, r.ServerInfo.Version = "router lsp", s.config.Version
	return r, nil
}

func (s *server) shutdown(json.RawMessage) (any, error) {
	s.state = stopping
	return nil, nil
}

func (s *server) open(params json.RawMessage) error {
	var p struct {
		TextDocument textDocument `json:"textDocument"`
	}
	if err := decode(params, &p); err != nil {
		return err
	}
	path := pathOf(p.TextDocument.URI)
	if !strings.HasSuffix(path, ".hcl") || strings.HasSuffix(path, ".lock.hcl") {
		return nil
	}
	d := &document{uri: p.TextDocument.URI, path: path, version: p.TextDocument.Version}
	d.set([]byte(p.TextDocument.Text))
	s.documents[path] = d
	s.changed(path)
	return nil
}

func (s *server) change(params json.RawMessage) error {
	var p changeParams
	if err := decode(params, &p); err != nil {
		return err
	}
	d := s.documents[pathOf(p.TextDocument.URI)]
	if d == nil {
		return nil
	}
	d.version = p.TextDocument.Version
	for _, c := range p.ContentChanges {
		if c.Range == nil {
			d.set([]byte(c.Text))
		} else if err := d.replace(*c.Range, c.Text); err != nil {
			return err
		}
	}
	s.changed(d.path)
	return nil
}

// save checks again: what the plugins say may have changed with other files.
func (s *server) save(params json.RawMessage) error {
	return s.withDocument(params, func(d *document) error {
		s.changed(d.path)
		return nil
	})
}

func (s *server) close(params json.RawMessage) error {
	return s.withDocument(params, func(d *document) error {
		s.forget(d.path)
		return nil
	})
}

func (s *server) withDocument(params json.RawMessage, do func(*document) error) error {
	var p positionParams
	if err := decode(params, &p); err != nil {
		return err
	}
	if d := s.documents[pathOf(p.TextDocument.URI)]; d != nil {
		return do(d)
	}
	return nil
}

// forget goes back to what is on disk.
func (s *server) forget(path string) {
	delete(s.documents, path)
	delete(s.projects[s.rulesOf(path)].outlines, path)
	s.changed(path)
}

// forgetAll drops the documents: a change was skipped, and nobody knows to which of them.
func (s *server) forgetAll() error {
	for path := range s.documents {
		s.forget(path)
	}
	return s.show(fmt.Errorf("a message was larger than %d bytes and was skipped; close the files of rules and open them again", maxMessage))
}

// rulesOf returns the path of the rules that a file belongs to.
func (s *server) rulesOf(path string) string {
	if s.config.Rules != "" {
		return s.config.Rules
	}
	return filepath.Dir(path)
}
