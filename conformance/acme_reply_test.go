package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/cauce-pay/cauce/provider"
)

// reply is what came of one request.
type reply struct {
	status int
	body   []byte
	err    error
}

func (r reply) is(status int, body string) bool {
	return r.err == nil && r.status == status && string(r.body) == body
}

func (r reply) begins(status int, with string) bool {
	return r.err == nil && r.status == status && strings.HasPrefix(string(r.body), with)
}

func (r reply) unreachable() bool { return errors.Is(r.err, syscall.ECONNREFUSED) }

// problem says what an error of the connection means; nil where there is none.
func (r reply) problem() error {
	var known *provider.Error
	switch {
	case errors.As(r.err, &known):
		return known
	case r.unreachable():
		return provider.Errorf(provider.CodeUnavailable, "acme: it cannot be reached")
	case r.err != nil:
		return errUnclear
	}
	return nil
}

// misreadings are the replies that say nothing for sure, by the last part of a check's id. The bug of that check takes
// such a reply for a clear one.
var misreadings = map[string]func(reply) bool{
	"drop-before":    func(r reply) bool { return errors.Is(r.err, io.EOF) },
	"drop-after":     func(r reply) bool { return errors.Is(r.err, syscall.ECONNRESET) },
	"delay":          func(r reply) bool { return errors.Is(r.err, context.DeadlineExceeded) },
	"cancelled":      func(r reply) bool { return errors.Is(r.err, context.Canceled) },
	"garble":         func(r reply) bool { return r.err == nil && halfJSON(string(r.body)) },
	"empty-200":      func(r reply) bool { return r.is(200, "") },
	"html-200":       func(r reply) bool { return r.begins(200, "<html>") },
	"object-200":     func(r reply) bool { return r.is(200, "{}") },
	"list-200":       func(r reply) bool { return r.is(200, "[]") },
	"null-200":       func(r reply) bool { return r.is(200, "null") },
	"trailing-200":   func(r reply) bool { return r.is(200, `{"status":`) },
	"empty-201":      func(r reply) bool { return r.is(201, "") },
	"no-content-204": func(r reply) bool { return r.is(204, "") },
	"html-500":       func(r reply) bool { return r.begins(500, "<html>") },
	"html-502":       func(r reply) bool { return r.begins(502, "<html>") },
	"empty-504":      func(r reply) bool { return r.is(504, "") },
	// of directories, whose ids are shorter
	"drop": func(r reply) bool { return errors.Is(r.err, io.EOF) },
	"500":  func(r reply) bool { return r.is(500, "") },
	"html": func(r reply) bool { return r.begins(200, "<html>") },
}

// halfJSON reports whether body is a part of some JSON, but for the one that has a check of its own.
func halfJSON(body string) bool {
	return body != "" && body[0] != '<' && body != `{"status":` && !json.Valid([]byte(body))
}

// misreads reports whether r is what p's bug takes for a clear answer: the bug that begins with topic.
func (p *acme) misreads(topic string, r reply) bool {
	name, ok := strings.CutPrefix(p.bug, topic)
	is := misreadings[name]
	return ok && is != nil && is(r)
}

// misled reports whether p believes a hostile server.
func (p *acme) misled(r reply) bool {
	return p.has("hostile/deep-json") && r.begins(200, "[[") ||
		p.has("hostile/no-http") && r.err != nil && strings.Contains(r.err.Error(), "malformed HTTP")
}
