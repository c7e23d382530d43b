package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// stream is one that follows the events.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	last  string // the id of the last event
	leave context.CancelFunc
}

func (w *world) follow(query, lastEventID string) *stream {
	w.t.Helper()
	ctx, cancel := contextOf(w.t)
	req, _ := http.NewRequestWithContext(ctx, "GET", w.url+"/v1/events"+query, nil)
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	return &stream{t: w.t, lines: bufio.NewScanner(resp.Body), leave: cancel}
}

// streamed is the data of one server-sent event.
type streamed struct {
	Payment string
	payment.Event
}

// next returns the next event; false when the stream has ended.
func (s *stream) next(c *contract) (e streamed, more bool) {
	s.t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			s.last = id
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var v any
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				s.t.Fatal(err)
			}
			for _, fault := range c.faults(&schema{Ref: "/StreamEvent"}, v, "") {
				s.t.Errorf("openapi.json says otherwise: %s", fault)
			}
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				s.t.Fatal(err)
			}
			return e, true
		}
	}
	return e, false
}

// until reads up to the first event of that type and returns the types that were read.
func (s *stream) until(c *contract, t payment.EventType) (types []string) {
	s.t.Helper()
	for {
		e, more := s.next(c)
		if !more {
			s.t.Fatalf("the stream ended after %v", types)
		}
		types = append(types, string(e.Type))
		if e.Type == t {
			return types
		}
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	w := start(t, nil, func(s *http.Server) { s.ReadTimeout, s.WriteTimeout = timeout, timeout })
	first := w.pay("order-1")
	all := []string{"created", "decided", "attempt_started", "attempt_ended", "pending"}

	s := w.follow("", "")
	if got := s.until(w.contract, payment.EventPending); !slices.Equal(got, all) {
		t.Errorf("from the first: %v, want %v", got, all)
	}
	seen := s.last
	<-time.After(timeout + timeout/10) // a stream may take longer than other answers
	second := w.pay("order-2")
	if e, _ := s.next(w.contract); e.Payment != second.ID || e.Type != payment.EventCreated || e.Data.Request.Amount != second.Amount {
		t.Errorf("the next event is %s of %s", e.Type, e.Payment)
	}
	s.leave()

	resumed := w.follow("", seen)
	if e, _ := resumed.next(w.contract); e.Payment != second.ID || e.Seq != 1 {
		t.Errorf("resumed at event %d of %s, not at the first of %s", e.Seq, e.Payment, second.ID)
	}
	late := w.follow("?from=now", "")
	third := w.pay("order-3")
	if e, _ := late.next(w.contract); e.Payment != third.ID || e.Seq != 1 {
		t.Errorf("from now on began with event %d of %s, first was %s", e.Seq, e.Payment, first.ID)
	}

	t.Run("an id that is none", func(t *testing.T) {
		a := w.do("GET", "/v1/events", "", "Last-Event-ID", "made-up")
		if p := a.problem(t); a.Status != http.StatusUnprocessableEntity || p.Errors[0].Field != "Last-Event-ID" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := w.do("GET", "/v1/events?from=then", ""); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("the server's stop ends streams", func(t *testing.T) {
		if err := w.server.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		for {
			if _, more := late.next(w.contract); !more {
				break
			}
		}
	})
}
