package conformance

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// watch is a server of a check that knows which requests wait for it. What has ended for the caller of a plugin may go
// on in the plugin's process: here it is seen.
type watch struct {
	url     string
	waiting atomic.Int64
}

// watch serves requests until the check ends. The handler has to return when its request's context ends.
func (s *scene) watch(handler http.Handler) *watch {
	w := &watch{}
	w.url = s.serve(false, func(rw http.ResponseWriter, r *http.Request) {
		w.waiting.Add(1)
		defer w.waiting.Add(-1)
		handler.ServeHTTP(rw, r)
	})
	return w
}

// over demands that a call which has returned did so within grace of end, and that by then nobody waits any more for what
// it requested.
func (w *watch) over(s *scene, end time.Time) {
	s.returned(end)
	for tick := time.Tick(5 * time.Millisecond); w.waiting.Load() > 0; <-tick {
		if late := time.Since(end); late > grace {
			s.errorf("%s after its time was over it still waits for the provider", late.Round(time.Millisecond))
			return
		}
	}
}

// returned demands that a call which has just returned did so within grace of end.
func (s *scene) returned(end time.Time) {
	if late := time.Since(end); late > grace {
		s.errorf("it returned %s after its time was over", late.Round(time.Millisecond))
	}
}

// quiet is how long nothing must be under way before nothing more is expected.
const quiet = 500 * time.Millisecond

// settle waits until nobody has waited for quiet.
func (w *watch) settle(s *scene) {
	busy := time.Now()
	for tick := time.Tick(5 * time.Millisecond); time.Since(busy) < quiet && s.ctx.Err() == nil; <-tick {
		if w.waiting.Load() > 0 {
			busy = time.Now()
		}
	}
}

// sandboxProxy passes on to the sandbox what it gets.
func (s *scene) sandboxProxy() *httputil.ReverseProxy {
	box, err := url.Parse(s.box.url)
	s.must(err)
	return &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(box) },
		ErrorLog: log.New(io.Discard, "", 0), // of answers that nobody waits for
	}
}

// through is base_url with the host of address instead of the sandbox's.
func (s *scene) through(address string) string {
	base, err := url.Parse(s.settings["base_url"])
	s.must(err)
	to, err := url.Parse(address)
	s.must(err)
	base.Scheme, base.Host = to.Scheme, to.Host
	return base.String()
}
