package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
)

// client calls the HTTP API of a running router.
type client struct {
	server string // as -server gives it; "" = CAUCE_SERVER, else defaultServer
}

const defaultServer = "http://127.0.0.1:8080"

// clientFlag defines the flag that names the router.
func clientFlag(flags *flag.FlagSet) *client {
	c := &client{}
	flags.StringVar(&c.server, "server", "", "the router's `URL`; default: CAUCE_SERVER, else "+defaultServer)
	return c
}

// clientDetails is what the help of every command says that calls a router.
const clientDetails = "It calls the router at -server; where that asks for a key, CAUCE_API_KEY holds it."

// callTimeout bounds a call: a little more than the router gives itself for one.
const callTimeout = 90 * time.Second

// maxAnswer bounds an answer: a page of 500 payments at their largest.
const maxAnswer = 64 << 20

// csvFile is a body that is sent as it is, not as JSON.
type csvFile []byte

// call makes one call and returns the answer's JSON. body, where it is not nil and no csvFile, is sent as JSON.
func (c *client) call(ctx context.Context, method, path string, body any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.open(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && !json.Valid(answer) {
		err = errors.New("it is no JSON")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	return answer, nil
}

// open makes one call and returns its answer, which is a success, for the caller to close.
func (c *client) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	base := strings.TrimSuffix(cmp.Or(c.server, os.Getenv("CAUCE_SERVER"), defaultServer), "/")
	if u, err := url.Parse(base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usagef("router help", "the router's URL is %q, but must be like %s", base, defaultServer)
	}
	var sent io.Reader = http.NoBody
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case csvFile:
		sent, kind = bytes.NewReader(b), "text/csv"
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, sent)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", kind)
	}
	if key := os.Getenv("CAUCE_API_KEY"); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	var unreached *net.OpError
	switch {
	case errors.As(err, &unreached) && unreached.Op == "dial":
		return nil, fmt.Errorf("no router answers at %s (%w). Start one with router serve, or router dev to try it out; -server or CAUCE_SERVER names another address", base, unreached.Err)
	case err != nil:
		return nil, err
	case resp.StatusCode/100 != 2:
		defer resp.Body.Close()
		return nil, refusal(base, resp)
	}
	return resp, nil
}

// refusal reads the problem document of an answer that is no success.
func refusal(base string, resp *http.Response) error {
	var problem struct {
		Detail, Code string
		Errors       []struct{ Field, Message string }
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || kind != "application/problem+json" || json.Unmarshal(body, &problem) != nil {
		return fmt.Errorf("what answers at %s is no router: it says %s", base, resp.Status)
	}
	text := fmt.Sprintf("the router says %d %s: %s", resp.StatusCode, problem.Code, problem.Detail)
	for _, e := range problem.Errors {
		text += fmt.Sprintf("\n  %s: %s", e.Field, e.Message)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		text += "; CAUCE_API_KEY holds the key that is sent"
	}
	return errors.New(printable(text))
}

// show prints an answer: as it came, indented, or as text makes it for a person.
func show[T any](s streams, answer json.RawMessage, asJSON bool, text func(io.Writer, T)) error {
	var out bytes.Buffer
	if asJSON {
		if err := json.Indent(&out, answer, "", "  "); err != nil {
			return err
		}
		out.WriteByte('\n')
		_, err := s.out.Write(out.Bytes())
		return err
	}
	var v T
	if err := json.Unmarshal(answer, &v); err != nil {
		return fmt.Errorf("the answer cannot be read; is this router older than that one? %w", err)
	}
	text(&out, v)
	_, err := io.WriteString(s.out, printable(out.String()))
	return err
}

// printable replaces what a terminal would obey rather than show: texts come from callers and providers.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
