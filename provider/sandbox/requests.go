package sandbox

import (
	"net/http"
	"time"
)

// Request is one request that the provider received, as GET /_sandbox/requests shows it.
type Request struct {
	Kind   Kind        `json:"kind"`
	Method string      `json:"method"`
	Path   string      `json:"path"` // without the query
	Query  string      `json:"query,omitzero"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	Time   time.Time   `json:"time"` // on the sandbox's clock
}

// Bounds of what is kept of the requests.
const (
	maxRequests      = 10_000
	maxRequestsBytes = 64 << 20 // of bodies
)

// requests holds the newest requests, oldest first.
type requests struct {
	list  []Request
	bytes int
}

func (l *requests) add(r Request) {
	l.list = append(l.list, r)
	l.bytes += len(r.Body)
	for len(l.list) > maxRequests || l.bytes > maxRequestsBytes {
		l.bytes -= len(l.list[0].Body)
		l.list[0] = Request{}
		l.list = l.list[1:]
	}
}
