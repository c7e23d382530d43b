package httpapi

import (
	"bytes"
	"context"
	_ "embed"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine"
)

// route is one call of the API.
type route struct {
	method, path string
	need         scope
	handle       func(*api, http.ResponseWriter, *http.Request) error
}

var routes = []route{
	{"POST", "/v1/payments", payments, (*api).createPayment},
	{"GET", "/v1/payments", read, (*api).listPayments},
	{"GET", "/v1/payments/{id}", read, (*api).getPayment},
	{"POST", "/v1/payments/{id}/refresh", payments, (*api).refreshPayment},
	{"POST", "/v1/payments/{id}/resolve", admin, (*api).resolvePayment},
	{"POST", "/v1/decisions", read, (*api).decide},
	{"GET", "/v1/banks", read, (*api).listBanks},
	{"GET", "/v1/billers", read, (*api).listBillers},
	{"GET", "/v1/billers/{biller}/bills/{reference}", read, (*api).getBill},
	{"GET", "/v1/providers", read, (*api).listProviders},
	{"GET", "/v1/providers/codes", read, (*api).listCodes},
	{"GET", eventsPath, read, (*api).streamEvents},
	{"POST", "/v1/providers/{name}/pause", admin, (*api).pauseProvider},
	{"POST", "/v1/providers/{name}/resume", admin, (*api).resumeProvider},
	{"POST", "/v1/providers/{name}/reconcile", admin, (*api).reconcile},
	{"GET", "/v1/rules", admin, (*api).showRules},
	{"GET", "/v1/rules/history", admin, (*api).listRules},
	{"GET", "/v1/rules/{hash}", admin, (*api).showRulesText},
	{"GET", "/v1/shadow", admin, (*api).showShadow},
	{"POST", "/v1/reload", admin, (*api).reload},
	{"POST", "/v1/backup", admin, (*api).backup},
	{"GET", "/v1/audit", admin, (*api).listAudit},
	{"GET", "/v1/audit/verification", admin, (*api).verifyAudit},
	{"POST", "/v1/notifications/{provider}/{secret}", open, (*api).notify},
	{"GET", "/healthz", open, (*api).health},
	{"GET", "/readyz", open, (*api).ready},
	{"GET", "/metrics", read, (*api).showMetrics},
	{"GET", "/openapi.json", open, (*api).showOpenAPI},
}

const eventsPath = "/v1/events"

// methods are the routes of one path.
type methods map[string]route

// ServeHTTP answers one request and logs it. Whatever goes wrong in a handler stays in its request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w}
	began := time.Now()
	defer func() {
		fault := recover()
		if fault != nil && fault != http.ErrAbortHandler {
			a.log.Error("a request made the router panic", "method", r.Method, "route", r.Pattern, "panic", fault, "stack", string(debug.Stack()))
			if rec.status == 0 {
				writeProblem(rec, problemOf(nil))
				fault = nil
			}
		}
		a.logRequest(rec, r, time.Since(began))
		if fault != nil { // half an answer must not look like a whole one
			panic(http.ErrAbortHandler)
		}
	}()
	h := rec.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case headerSize(r) > maxHeader:
		h.Set("Connection", "close")
		writeProblem(rec, newProblem(http.StatusRequestHeaderFieldsTooLarge, "header_too_large", "the header is larger than 16 KiB"))
	case path.Clean(r.URL.Path) != r.URL.Path: // the mux would redirect
		writeProblem(rec, errNotFound)
	default:
		a.mux.ServeHTTP(rec, r)
	}
}

// dispatch finds the method's route and calls it, if the caller may.
func (a *api) dispatch(w http.ResponseWriter, r *http.Request, m methods) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	route, known := m[method]
	switch {
	case !known:
		w.Header().Set("Allow", m.allow())
		if method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		writeProblem(w, newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "this takes "+m.allow()))
		return
	case a.origin.Check(r) != nil:
		writeProblem(w, errOrigin)
		return
	}
	name, err := a.authorize(r, route.need)
	if err == nil {
		w.(*recorder).key = name
		actor := "the API, without a key"
		if name != "" {
			actor = "API key " + name
		}
		err = a.call(w, r.WithContext(engine.WithActor(r.Context(), actor)), route)
	}
	if err == nil {
		return
	}
	p := problemOf(err)
	switch {
	case p.Status == http.StatusInternalServerError:
		a.log.Error("a request failed", "method", r.Method, "route", r.Pattern, "error", err)
	case p.Status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeProblem(w, p)
}

func (m methods) allow() string {
	allowed := slices.Collect(maps.Keys(m))
	if _, ok := m[http.MethodGet]; ok {
		allowed = append(allowed, http.MethodHead)
	}
	return strings.Join(slices.Sorted(slices.Values(append(allowed, http.MethodOptions))), ", ")
}

var errOverloaded = unavailable("overloaded", "too many requests are under way", 1)

// call calls a handler within the bounds of time and number. Who asks for the router's health is always answered.
func (a *api) call(w http.ResponseWriter, r *http.Request, route route) error {
	if route.path == eventsPath {
		return limited(a.streams, func() error { return route.handle(a, w, r) })
	}
	ctx, cancel := context.WithTimeout(r.Context(), handleTimeout)
	defer cancel()
	handle := func() error { return route.handle(a, w, r.WithContext(ctx)) }
	if route.path == "/healthz" || route.path == "/readyz" {
		return handle()
	}
	// By scope: whoever has no key must not crowd out those who have one, nor payments that wait for a provider which
	// hangs the operator who is about to pause it.
	return limited(a.inFlight[route.need], handle)
}

func limited(slots chan struct{}, f func() error) error {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
		return f()
	default:
		return errOverloaded
	}
}

// headerSize is the size of the request's header as it was sent, about.
func headerSize(r *http.Request) int {
	n := len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// recorder remembers what was answered, and to whom.
type recorder struct {
	http.ResponseWriter
	status  int
	key     string // name of the API key
	payment string // the payment's id
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// logRequest logs the route, not the path: paths hold secrets.
func (a *api) logRequest(w *recorder, r *http.Request, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("route", r.Pattern), slog.Int("status", w.status),
		slog.Duration("took", took.Round(time.Microsecond)), slog.String("from", r.RemoteAddr),
	}
	if w.key != "" {
		attrs = append(attrs, slog.String("key", w.key))
	}
	if w.payment != "" {
		attrs = append(attrs, slog.String("payment", w.payment))
	}
	a.log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelDebug, "request", attrs...)
}

func (a *api) showMetrics(w http.ResponseWriter, r *http.Request) error {
	var b bytes.Buffer
	if err := a.engine.WriteMetrics(r.Context(), &b); err != nil {
		return err
	}
	if a.metrics != nil {
		if err := a.metrics(&b); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, err := w.Write(b.Bytes())
	return err
}

//go:embed openapi.json
var openAPI []byte

func (a *api) showOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(openAPI)
	return err
}

func (a *api) health(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// ready tells whether new payments are taken.
func (a *api) ready(w http.ResponseWriter, _ *http.Request) error {
	if err := a.engine.Ready(); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	return nil
}
