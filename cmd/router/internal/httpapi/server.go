// Package httpapi is the HTTP surface of the router: it decodes, calls the engine, and encodes. Every route is in
// the table of routes.go and in openapi.json, and every error is a problem document (RFC 9457).
package httpapi

import (
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
)

// Config says what the API is made of. Engine is required.
type Config struct {
	Engine *engine.Engine
	// Keys returns the keys that let callers in, as the rules have them now. Where there is none when the server is
	// made (nil is none), everybody is let in who names a loopback address in the Host header; where the last is taken
	// away later, nobody is.
	Keys func() []routing.APIKey
	// Logger gets one line a request, without bodies, queries or secrets; nil = none.
	Logger *slog.Logger
	// Metrics writes what /metrics shows besides the engine's, as Prometheus text; nil = nothing.
	Metrics func(io.Writer) error
	// MaxInFlight bounds the requests that are answered at once, for each scope by itself (those that need no key, as
	// providers' webhooks; read; payments; admin), MaxStreams the event streams; 0 = 1024 and 64. Those beyond get a 503.
	MaxInFlight, MaxStreams int
}

// Bounds of a request. What a handler waits for (maxWait) fits into them.
const (
	maxBody         = 64 << 10
	maxNotification = 256 << 10
	maxHeader       = 16 << 10
	readTimeout     = 15 * time.Second // until the whole body has come
	handleTimeout   = 75 * time.Second
	writeTimeout    = 90 * time.Second // from the end of the header to the end of the answer; streams renew it
)

// NewServer returns the API as a server with all its limits. Shutdown ends the event streams and lets the other
// requests end.
func NewServer(c Config) *http.Server {
	a := newAPI(c)
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       2 * time.Minute,
		// Beyond this net/http itself closes the connection; a header between maxHeader and this gets a problem.
		MaxHeaderBytes: 4 * maxHeader,
		ErrorLog:       slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(a.stop)
	return server
}

type api struct {
	engine   *engine.Engine
	keys     func() []routing.APIKey
	keyless  bool // there was no key at the start
	metrics  func(io.Writer) error
	log      *slog.Logger
	mux      *http.ServeMux
	origin   *http.CrossOriginProtection
	inFlight map[scope]chan struct{}
	streams  chan struct{}
	stopping chan struct{} // closed when the server shuts down
	stop     func()
}

func newAPI(c Config) *api {
	a := &api{
		engine: c.Engine, keys: c.Keys, metrics: c.Metrics, log: c.Logger,
		mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(), stopping: make(chan struct{}),
		inFlight: map[scope]chan struct{}{}, streams: make(chan struct{}, orDefault(c.MaxStreams, 64)),
	}
	if a.keys == nil {
		a.keys = func() []routing.APIKey { return nil }
	}
	a.keyless = len(a.keys()) == 0
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.stop = sync.OnceFunc(func() { close(a.stopping) })
	byPath := map[string]methods{}
	for _, r := range routes {
		if a.inFlight[r.need] == nil {
			a.inFlight[r.need] = make(chan struct{}, orDefault(c.MaxInFlight, 1024))
		}
		if byPath[r.path] == nil {
			byPath[r.path] = methods{}
		}
		byPath[r.path][r.method] = r
	}
	for path, m := range byPath {
		a.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { a.dispatch(w, r, m) })
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { writeProblem(w, errNotFound) })
	return a
}

func orDefault(n, byDefault int) int {
	if n == 0 {
		return byDefault
	}
	return n
}
