package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Answer is what the provider answers to one call.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON is an answer with v as its body. It panics where v cannot be JSON.
func JSON(status int, v any) Answer {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("sandbox: answer: %v", err))
	}
	return Answer{status, http.Header{"Content-Type": {"application/json"}}, bytes.TrimSuffix(body.Bytes(), []byte("\n"))}
}

// Text is an answer with any body; its content type is JSON where the body is, else what net/http detects.
func Text(status int, body string) Answer {
	a := Answer{Status: status, Body: []byte(body), Header: http.Header{}}
	if json.Valid(a.Body) {
		a.Header.Set("Content-Type", "application/json")
	}
	return a
}

// write sends the answer whole, so that what follows it really comes after it.
func (a Answer) write(w http.ResponseWriter) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	w.Write(a.Body) // a caller that left is no fault of ours
	http.NewResponseController(w).Flush()
}

// serveEndpoint runs one call with the faults that wait for it.
func (s *Sandbox[T]) serveEndpoint(w http.ResponseWriter, r *http.Request, e Endpoint[T]) {
	s.mu.Lock()
	fault, hook, life := s.faults.take(e.Kind, answerVerbs), s.faults.take(e.Kind, webhookVerbs), s.life
	s.mu.Unlock()

	switch fault.Do {
	case DropBefore:
		hangUp(w, false)
		return
	case AnswerInstead:
		Text(fault.Status, fault.Body).write(w)
		return
	case Delay:
		wait(life, fault.delay())
	}
	answer, messages, ok := s.execute(life, r, e, hook.Do)
	if !ok {
		hangUp(w, false)
		return
	}
	send := s.courier.take(life, messages)
	if hook.Do == WebhookFirst {
		send()
	} else {
		defer func() { go send() }()
	}
	switch fault.Do {
	case DropAfter:
		hangUp(w, true)
		return
	case DelayAfter:
		wait(life, fault.delay())
	case AnswerAfter:
		answer = Text(fault.Status, fault.Body)
	case Garble:
		answer.Body = half(answer.Body)
	}
	answer.write(w)
}

// execute runs the endpoint on the books and returns its answer and webhooks. It is not ok where the sandbox was
// reset or closed since the call came in: then nothing was executed.
func (s *Sandbox[T]) execute(life context.Context, r *http.Request, e Endpoint[T], hook Verb) (Answer, []Message, bool) {
	body := new(bytes.Buffer)
	body.ReadFrom(r.Body) // ServeHTTP has read it into memory
	var answer Answer
	alive := false
	messages, err := s.update(func(b *Books[T]) {
		if alive = life.Err() == nil; !alive {
			return
		}
		answer = e.Handle(&Call[T]{b, r, body.Bytes()})
		if b.about != nil {
			b.suffer(hook)
		}
	})
	if err != nil {
		return Text(http.StatusInternalServerError, "sandbox: "+err.Error()), nil, true
	}
	return answer, messages, alive
}

// suffer lays a webhook fault on the transaction that the call was about.
func (b *Books[T]) suffer(hook Verb) {
	t := b.about
	switch hook {
	case WebhookTwice, WebhookNever:
		t.Webhooks = hook
		b.Save(t)
	case WebhookFirst:
		if len(b.notices) == 0 {
			b.Notify(t, t.Status)
		}
	case WebhookForged:
		if t.Status != Approved {
			b.Notify(t, Approved)
		}
	}
}

// hangUp closes the connection without an answer, with a reset where asked for.
func hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2, or a recorder
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// wait sleeps for d, less where life ends. A caller that hangs up does not shorten it: what a provider has begun
// it ends, whoever still listens.
func wait(life context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-life.Done():
	}
}

func half(body []byte) []byte {
	if len(body) < 2 {
		return []byte("{")
	}
	return body[:len(body)/2]
}
