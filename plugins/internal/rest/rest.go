// Package rest makes JSON calls over HTTP to payment providers, and tells of a call that failed whether the
// provider can have heard of it.
//
// What it never does: retry, follow a redirect of anything but a GET on the same host, send an Idempotency-Key
// header (with one, Go's transport replays a POST by itself), or read more than 1 MiB of an answer. One call
// ends when its context does. It speaks HTTP/1.1 only: there a connection carries one request at a time, so
// that "was any byte of it written" has an answer.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cauce-pay/cauce/provider"
)

// MaxBody is how much of an answer is read, in bytes.
const MaxBody = 1 << 20

// Client calls one provider. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// New returns a client of the provider at base, an absolute URL.
func New(base string) *Client {
	return &Client{
		base: strings.TrimSuffix(base, "/"),
		http: &http.Client{Transport: &transport{newHTTP1()}, CheckRedirect: checkRedirect},
	}
}

// Request is one call. At most one of JSON and Form is filled; with neither, the request has no body.
type Request struct {
	Method string
	Path   string // below the base URL, escaped, with its query
	Header http.Header
	JSON   any
	Form   url.Values
}

// Response is an answer, whatever its status.
type Response struct {
	Status int
	// Body is what arrived of the body; whether that is all of it, Decode tells.
	Body []byte
	cut  error
}

// Do makes one call. Every error is a *provider.Error: CodeUnavailable when no byte of the request left this
// machine, CodeUnknown when the provider can have heard of it. An answer is no error, whatever its status.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, provider.Errorf(provider.CodeUnavailable, "the request could not be made: %v", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var e *provider.Error
		if !errors.As(err, &e) { // net/http refused the answer, for instance a redirect to nowhere
			e = provider.Errorf(provider.CodeUnknown, "the answer of %s cannot be understood", req.URL.Host)
		}
		return nil, e
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if len(body) > MaxBody {
		body, err = body[:MaxBody], errTooLong
	}
	return &Response{Status: resp.StatusCode, Body: body, cut: err}, nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	var body io.Reader
	contentType := ""
	switch {
	case r.JSON != nil:
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(r.JSON); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1) // Encode ends with a newline
		body, contentType = &b, "application/json"
	case r.Form != nil:
		body, contentType = strings.NewReader(r.Form.Encode()), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, c.base+r.Path, body)
	if err != nil {
		return nil, err
	}
	// A body that cannot be read a second time cannot be sent a second time.
	req.GetBody = nil
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "cauce")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req, nil
}

// HTTP returns the underlying client, for libraries that make their own requests to the same provider. What its
// errors wrap is a *provider.Error as Do returns it.
func (c *Client) HTTP() *http.Client { return c.http }

// URL returns the absolute URL of a path.
func (c *Client) URL(path string) string { return c.base + path }

// CloseIdle closes the connections that no call is using.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

var (
	errTooLong  = fmt.Errorf("it is longer than %d bytes", MaxBody)
	errTrailing = errors.New("something follows the JSON value")
)

// Decode reads the whole body as one JSON value into v, numbers of an any as json.Number. Its errors say what
// is wrong with the body without quoting it.
func (r *Response) Decode(v any) error {
	if r.cut != nil {
		if errors.Is(r.cut, errTooLong) {
			return r.cut
		}
		return errors.New("it broke off")
	}
	d := json.NewDecoder(bytes.NewReader(r.Body))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		var wrongType *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrongType):
			return fmt.Errorf("its %q has another type than documented", wrongType.Field)
		case len(bytes.TrimSpace(r.Body)) == 0:
			return errors.New("it is empty")
		case !json.Valid(r.Body):
			return errors.New("it is not whole JSON")
		}
		return errors.New("one of its values has another form than documented")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}
