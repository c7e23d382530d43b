package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

// survey is what a provider answers to each harmless call, and what was seen of it on the wire.
type survey struct {
	results map[string]string // by call
	took    map[string]time.Duration
	banks   map[string]string // name by code

	mu    sync.Mutex
	call  string               // the one under way
	paths map[string]*answered // "Banks: GET /banks"
}

// answered is what came from one address during one call.
type answered struct {
	requests int
	statuses []int
	fields   map[string]string // kind by path: "data[].code" is a string
}

// surveyOf makes every harmless call, through a proxy that takes down the answers. Both surveys ask for the same key.
func (s *scene) surveyOf(settings provider.Config, key string) *survey {
	target, err := url.Parse(settings["base_url"])
	s.must(err)
	v := &survey{results: map[string]string{}, took: map[string]time.Duration{}, banks: map[string]string{}, paths: map[string]*answered{}}
	settings = maps.Clone(settings)
	settings["base_url"] = s.serve(false, v.proxy(target).ServeHTTP)
	p := s.bare()
	s.must(p.Configure(s.ctx, settings))
	ask := func(call string, f func(context.Context) (string, error)) {
		v.mu.Lock()
		v.call = call
		v.mu.Unlock()
		started := time.Now()
		status, err := f(s.ctx)
		v.took[call], v.results[call] = time.Since(started), said(status, err)
	}
	ask("Check", func(ctx context.Context) (string, error) { return "", p.Check(ctx) })
	for _, c := range s.main() {
		if c.Recovery.LookupByKey {
			ask("Lookup of a "+string(c.Operation)+" that never was", func(ctx context.Context) (string, error) {
				o, err := p.Lookup(ctx, provider.Query{Key: key, Operation: c.Operation, Method: c.Method})
				return string(o.Status), err
			})
		}
	}
	if with, ok := provider.WithBanks(p); ok {
		ask("Banks", func(ctx context.Context) (string, error) {
			list, err := with.Banks(ctx, s.banksMethod())
			for _, b := range list {
				v.banks[b.Code] = b.Name
			}
			return "", err
		})
	}
	if with, ok := provider.WithBills(p); ok {
		ask("Billers", func(ctx context.Context) (string, error) { _, err := with.Billers(ctx, ""); return "", err })
	}
	if with, ok := provider.WithBalance(p); ok {
		ask("Balance", func(ctx context.Context) (string, error) { _, err := with.Balance(ctx); return "", err })
	}
	if with, ok := provider.WithStatement(p); ok {
		ask("Statement", func(ctx context.Context) (string, error) { _, err := with.Statement(ctx, ""); return "", err })
	}
	return v
}

// maxAnswer is how much of an answer is looked at, in bytes.
const maxAnswer = 1 << 20

func (v *survey) proxy(target *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding") // so that the answer can be read
		},
		ModifyResponse: func(r *http.Response) error {
			head, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
			if err != nil {
				return err
			}
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
			v.note(r, strings.TrimPrefix(r.Request.URL.Path, strings.TrimRight(target.Path, "/")), head)
			return nil
		},
		ErrorLog: log.New(io.Discard, "", 0), // the call's own error says it
	}
}

func (v *survey) note(r *http.Response, path string, body []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	name := fmt.Sprintf("%s: %s %s", v.call, r.Request.Method, path)
	a := v.paths[name]
	if a == nil {
		a = &answered{fields: map[string]string{}}
		v.paths[name] = a
	}
	a.requests++
	if !slices.Contains(a.statuses, r.StatusCode) {
		a.statuses = append(a.statuses, r.StatusCode)
	}
	var content any
	if json.Unmarshal(body, &content) == nil {
		shape(content, "", a.fields)
	} else if len(body) > 0 {
		a.fields["a body that is no JSON"] = "text"
	}
}

// shape takes down the fields of a JSON value, and what kind each is.
func shape(value any, path string, into map[string]string) {
	kind := "null"
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			shape(inner, strings.TrimPrefix(path+"."+name, "."), into)
		}
		return
	case []any:
		for _, inner := range value {
			shape(inner, path+"[]", into)
		}
		return
	case string:
		kind = "a string"
	case float64:
		kind = "a number"
	case bool:
		kind = "true or false"
	}
	if known := into[path]; known == "" || known == "null" {
		into[path] = kind
	}
}

// drift says how the live answers differ from the promised ones.
func drift(promised, live *survey) (differences []string) {
	tell := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	for _, name := range sortedKeys(live.paths) {
		was, is := promised.paths[name], live.paths[name]
		switch {
		case was == nil:
			tell("%s: the simulator is not asked this", name)
			continue
		case !slices.Equal(was.statuses, is.statuses):
			tell("%s: it answers %v, promised is %v", name, is.statuses, was.statuses)
			continue
		case was.requests != is.requests:
			tell("%s: it takes %d requests, promised is %d", name, is.requests, was.requests)
		}
		for _, field := range sortedKeys(is.fields) {
			switch kind, known := was.fields[field]; {
			case !known && comparable(field, was.fields):
				tell("%s: the new field %q, %s", name, field, is.fields[field])
			case known && kind != is.fields[field] && kind != "null" && is.fields[field] != "null":
				tell("%s: the field %q is %s, promised is %s", name, field, is.fields[field], kind)
			}
		}
		for _, field := range sortedKeys(was.fields) {
			if _, still := is.fields[field]; !still && comparable(field, is.fields) {
				tell("%s: the field %q is gone", name, field)
			}
		}
	}
	for _, name := range sortedKeys(promised.paths) {
		if live.paths[name] == nil {
			tell("%s: it is not asked", name)
		}
	}
	return differences
}

// comparable reports whether fields, which lack field, have anything of each list that it stands in: an empty list
// says nothing of its elements.
func comparable(field string, fields map[string]string) bool {
	for i := range field {
		if list, ok := strings.CutSuffix(field[:i], "[]"); ok && !slices.ContainsFunc(sortedKeys(fields), func(f string) bool {
			return strings.HasPrefix(f, list+"[]")
		}) {
			return false
		}
	}
	return true
}
