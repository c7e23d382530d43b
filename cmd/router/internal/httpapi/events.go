package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

const (
	// streamOpening is how long a stream waits for its first event, or a fault, before it shows that it is open.
	streamOpening = 250 * time.Millisecond
	keepAlive     = 15 * time.Second
	// streamWrite bounds how long one event may take to be sent.
	streamWrite = 30 * time.Second
)

// streamEvents sends the events of all payments as server-sent events: those after Last-Event-ID, without it those
// since the first, or with from=now those to come. The stream goes on until the caller leaves or the router stops.
func (a *api) streamEvents(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	after, err := a.streamStart(ctx, r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return nil
	}
	type item struct {
		event store.FeedEvent
		err   error
	}
	items := make(chan item)
	go func() {
		defer close(items)
		for event, err := range a.engine.Events(ctx, after) {
			select {
			case items <- item{event, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	quiet := time.NewTimer(streamOpening)
	defer quiet.Stop()
	for opened := false; ; opened = true {
		var text []byte
		select {
		case i, more := <-items:
			switch {
			case !more:
				return nil
			case i.err != nil && opened:
				a.log.Warn("an event stream ended", "error", i.err)
				panic(http.ErrAbortHandler) // so that the caller sees that it broke, and resumes
			case i.err != nil:
				return streamProblem(i.err)
			}
			text = eventText(i.event)
		case <-quiet.C:
			text = []byte(": keep-alive\n\n")
		case <-a.stopping:
			return nil
		}
		if err := send(w, text); err != nil {
			return nil // the caller has left
		}
		quiet.Reset(keepAlive)
	}
}

// streamStart returns the cursor after which the stream begins.
func (a *api) streamStart(ctx context.Context, r *http.Request) (string, error) {
	q, err := readQuery(r, "from")
	if err != nil {
		return "", err
	}
	from := q.oneOf("from", []string{"now"})
	if err := q.err(); err != nil {
		return "", err
	}
	after := r.Header.Get("Last-Event-ID")
	if after == "" && from == "now" {
		return a.engine.EventsEnd(ctx)
	}
	return after, nil
}

func streamProblem(err error) error {
	if errors.Is(err, store.ErrBadCursor) {
		return fieldProblem(payment.FieldError{Field: "Last-Event-ID", Message: "is no id of an event of this router"})
	}
	return err
}

func eventText(e store.FeedEvent) []byte {
	data, err := json.Marshal(struct {
		Payment string `json:"payment"`
		payment.Event
	}{e.Payment, e.Event})
	if err != nil {
		panic(err) // our own types
	}
	return bytes.Join([][]byte{[]byte("id: " + e.Cursor), append([]byte("data: "), data...), nil, nil}, []byte("\n"))
}

func send(w http.ResponseWriter, text []byte) error {
	c := http.NewResponseController(w)
	if err := c.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return c.Flush()
}
