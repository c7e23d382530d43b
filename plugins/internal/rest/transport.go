package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

const (
	dialTimeout = 10 * time.Second
	maxIdle     = 128 // connections kept open to one host
	// idleTimeout is below what servers commonly allow, so that a request seldom meets a connection that the
	// server is closing at that moment: such a request is in doubt.
	idleTimeout  = 15 * time.Second
	maxHeader    = 64 << 10 // bytes of an answer's header
	maxRedirects = 3
)

// transport makes one round trip and turns its failure into a *provider.Error.
type transport struct {
	*http.Transport
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent wire
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: sent.watch})
	resp, err := t.Transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, callError(req.URL.Host, sent.touched(), err)
	}
	return resp, nil
}

func newHTTP1() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: conn}, nil
		},
		Protocols:              protocols,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// checkRedirect lets a GET go on to another path of the same host. Any other redirect is handed back as the
// answer that it is: a POST is never made twice, and credentials never go to another host.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || len(via) > maxRedirects ||
		req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

// countedConn counts the writes that began, so that one that is given up half way counts too.
type countedConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	n, err := c.Conn.Write(b)
	if n == 0 && err != nil {
		c.writes.Add(-1)
	}
	return n, err
}

// wire remembers the connections that a request was given and how much had been written to each before it: a
// TLS handshake, or the requests before it.
type wire struct {
	mu    sync.Mutex
	conns []*countedConn
	from  []int64
}

func (w *wire) watch(info httptrace.GotConnInfo) {
	conn := info.Conn
	for {
		t, ok := conn.(*tls.Conn)
		if !ok {
			break
		}
		conn = t.NetConn()
	}
	c := conn.(*countedConn) // newHTTP1 dials no other
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, c)
	w.from = append(w.from, c.writes.Load())
}

// touched reports whether any byte was written since the request had a connection. Once the transport has
// returned an error this does not change any more: it waits for its writer to end.
func (w *wire) touched() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, c := range w.conns {
		if c.writes.Load() != w.from[i] {
			return true
		}
	}
	return false
}

// callError says what became of a call without an answer. Texts of the net/http package are not passed on once
// the provider was reached: they can quote what it sent.
func callError(host string, sent bool, err error) *provider.Error {
	if sent {
		return &provider.Error{Code: provider.CodeUnknown, Err: err, Message: fmt.Sprintf(
			"no answer from %s: %s after the request had been sent", host, afterSending(err))}
	}
	return &provider.Error{Code: provider.CodeUnavailable, Err: err, Message: fmt.Sprintf(
		"%s could not be reached, nothing was sent: %v", host, err)}
}

func afterSending(err error) string {
	var timeout net.Error // context.DeadlineExceeded is one too
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "the time for the call was over"
	case errors.Is(err, context.Canceled):
		return "the call was cancelled"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	}
	return "the connection failed"
}
