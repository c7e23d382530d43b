package foreign

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// What the simulators accept, at providers that ask for it.
const (
	ClientID     = "foreign-client"
	ClientSecret = "foreign-secret"
	Token        = "foreign-token"
)

// api is one provider's HTTP interface. Its methods run under the simulator's lock.
type api interface {
	// kind names a call as the control protocol does; "" is a call that the provider does not offer.
	kind(method, path string) string
	// serve answers a call that has a kind.
	serve(s *Simulator, c *call) answer
	// notices are the webhooks about ch as it stands.
	notices(s *Simulator, ch *charge) []notice
}

// call is one request.
type call struct {
	*http.Request
	kind string
	body []byte
	made *charge // what it executed
}

// object is the JSON object in the body, nil where there is none. Its numbers are json.Number.
func (c *call) object() map[string]any {
	d := json.NewDecoder(strings.NewReader(string(c.body)))
	d.UseNumber()
	var fields map[string]any
	if d.Decode(&fields) != nil {
		return nil
	}
	return fields
}

// last is the last element of the path.
func (c *call) last() string {
	path := strings.TrimSuffix(c.URL.Path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// answer is what a call is answered with.
type answer struct {
	status int
	header map[string]string
	body   []byte
}

// reply is an answer in JSON.
func reply(status int, body any) answer {
	content, err := json.Marshal(body)
	if err != nil {
		panic(err) // the simulators make bodies of maps, strings and numbers
	}
	return answer{status: status, body: content}
}

// charge is one payment in the books.
type charge struct {
	id, key, operation string
	cents              int64
	status             string // the control protocol's words, and refused: what was refused at once, and is in no ledger
	created, expires   time.Time
	fields             map[string]any // as they were sent
	returns            map[string]string
	hook               string // where its webhooks go, if not to the common address
	hookFault          string // the fault verb about its webhooks, if one was laid
	forged             bool   // it is what somebody else claims
}

const refused = "refused"

// notice is one webhook.
type notice struct {
	body   any
	header map[string]string
}

type fault struct {
	On      string `json:"on"`
	Do      string `json:"do"`
	Times   int    `json:"times"`
	Status  int    `json:"status"`
	Body    string `json:"body"`
	DelayMS int    `json:"delay_ms"`
}

// record is one request, as the control protocol lists it.
type record struct {
	Method string      `json:"method"`
	Path   string      `json:"path"` // with its query
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	Time   int64       `json:"time"` // in milliseconds of Unix: the protocol gives it no form
}

// Simulator is one provider, an http.Handler that speaks its API and, below /_sandbox/, the control protocol.
type Simulator struct {
	api api

	mu      sync.Mutex
	charges []*charge
	faults  []*fault
	records []record
	counts  map[string]int
	tokens  map[string]time.Time // when each ends
	ahead   time.Duration        // of the clock
	hook    string
	reset   chan struct{} // closed by the next reset

	sending sync.WaitGroup
	client  http.Client
}

func newSimulator(a api) *Simulator {
	s := &Simulator{api: a, client: http.Client{Timeout: 5 * time.Second}}
	s.empty()
	return s
}

func (s *Simulator) empty() {
	s.charges, s.faults, s.records, s.counts = nil, nil, nil, map[string]int{}
	s.tokens, s.ahead, s.reset = map[string]time.Time{}, 0, make(chan struct{})
}

// Close ends calls that a fault delays, and waits for webhooks that are on their way.
func (s *Simulator) Close() {
	s.mu.Lock()
	close(s.reset)
	s.empty()
	s.mu.Unlock()
	s.sending.Wait()
	s.client.CloseIdleConnections()
}

func (s *Simulator) now() time.Time { return time.Now().Add(s.ahead) }

// enter books a charge that c made.
func (s *Simulator) enter(c *call, ch *charge) {
	ch.created = s.now()
	if ch.status == "" {
		ch.status = "pending"
	}
	s.charges = append(s.charges, ch)
	c.made = ch
}

// find returns the charge of which match is true, the newest of several, or nil.
func (s *Simulator) find(match func(*charge) bool) *charge {
	for _, ch := range slices.Backward(s.charges) {
		if match(ch) {
			return ch
		}
	}
	return nil
}

func (s *Simulator) byKey(key string) *charge {
	return s.find(func(ch *charge) bool { return ch.key == key })
}

func (s *Simulator) byID(id string) *charge {
	return s.find(func(ch *charge) bool { return ch.id == id })
}

// age lets charges expire whose time is over.
func (s *Simulator) age() {
	for _, ch := range s.charges {
		if ch.status == "pending" && !ch.expires.IsZero() && s.now().After(ch.expires) {
			ch.status = "expired"
			s.notify(ch)
		}
	}
}

func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/_sandbox/"); ok {
		s.control(w, r.Method+" "+name, body)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.age()
	c := &call{Request: r, kind: s.api.kind(r.Method, r.URL.Path), body: body}
	s.records = append(s.records, record{r.Method, r.URL.RequestURI(), r.Header, string(body), s.now().UnixMilli()})
	if c.kind == "" {
		s.page(w, r, c.form())
		return
	}
	s.counts[c.kind]++
	s.answer(w, c, s.suffered(c.kind))
}

// suffered takes the fault that a call of that kind meets.
func (s *Simulator) suffered(kind string) fault {
	i := slices.IndexFunc(s.faults, func(f *fault) bool { return f.On == kind })
	if i < 0 {
		return fault{}
	}
	f := s.faults[i]
	if f.Times--; f.Times <= 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
	return *f
}

// answer serves c, which suffers f.
func (s *Simulator) answer(w http.ResponseWriter, c *call, f fault) {
	switch f.Do {
	case "drop_before":
		panic(http.ErrAbortHandler)
	case "delay":
		s.wait(f)
	case "answer":
		write(w, answer{status: f.Status, body: []byte(f.Body)})
		return
	}
	a := s.api.serve(s, c)
	switch ch := c.made; {
	case ch == nil:
	case strings.HasPrefix(f.Do, "webhook_"):
		s.unusual(ch, f.Do)
	default:
		s.notify(ch)
	}
	switch f.Do {
	case "drop_after":
		panic(http.ErrAbortHandler)
	case "delay_after":
		s.wait(f)
	case "answer_after":
		a = answer{status: f.Status, body: []byte(f.Body)}
	case "garble":
		a.body = a.body[:len(a.body)/2]
	}
	write(w, a)
}

// wait lets a delay pass without the lock. After a reset the call is gone: nothing is executed in empty books.
func (s *Simulator) wait(f fault) {
	reset := s.reset
	s.mu.Unlock()
	timer := time.NewTimer(time.Duration(f.DelayMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		s.mu.Lock()
	case <-reset:
		s.mu.Lock()
		panic(http.ErrAbortHandler)
	}
}

// write sends an answer in two pieces, chunked, with headers that nobody asked for.
func write(w http.ResponseWriter, a answer) {
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=UTF-8")
	h.Set("X-Request-Id", "4f1c7a52-6f0e-4c55-9d2b-1f8b6b0c9a11")
	h.Set("X-Frame-Options", "DENY")
	h.Add("Vary", "Accept-Language, Origin")
	h.Add("Set-Cookie", "route=1700000000.1; Path=/; HttpOnly")
	for name, value := range a.header {
		h.Set(name, value)
	}
	w.WriteHeader(a.status)
	if len(a.body) == 0 {
		return
	}
	_, _ = w.Write(a.body[:1])
	_ = http.NewResponseController(w).Flush()
	_, _ = w.Write(a.body[1:])
}

// unusual sends webhooks as a fault verb wants them.
func (s *Simulator) unusual(ch *charge, verb string) {
	ch.hookFault = verb
	switch verb {
	case "webhook_forged":
		claimed := *ch
		claimed.status, claimed.hookFault, claimed.forged = "approved", "", true
		s.notify(&claimed)
	case "webhook_first":
		list, hook := s.api.notices(s, ch), s.hookOf(ch)
		if len(list) == 0 { // what does not announce a creation is announced all the same
			claimed := *ch
			claimed.status = "approved"
			list = s.api.notices(s, &claimed)
		}
		s.mu.Unlock()
		s.post(hook, list)
		s.mu.Lock()
	default:
		s.notify(ch)
	}
}

func (s *Simulator) hookOf(ch *charge) string {
	if ch.hook != "" {
		return ch.hook
	}
	return s.hook
}

// notify sends the webhooks about ch in the background.
func (s *Simulator) notify(ch *charge) {
	list, hook := s.api.notices(s, ch), s.hookOf(ch)
	switch ch.hookFault {
	case "webhook_never":
		return
	case "webhook_twice":
		list = slices.Concat(list, list)
	}
	s.sending.Go(func() { s.post(hook, list) })
}

func (s *Simulator) post(hook string, list []notice) {
	for _, n := range list {
		content, err := json.Marshal(n.body)
		if err != nil || hook == "" {
			return
		}
		req, err := http.NewRequest(http.MethodPost, hook, strings.NewReader(string(content)))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		for name, value := range n.header {
			req.Header.Set(name, value)
		}
		if resp, err := s.client.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
			_ = resp.Body.Close()
		}
	}
}

var errNotFound = errors.New("no such charge")

// settle moves a charge and announces it.
func (s *Simulator) settle(id, status string) error {
	ch := s.byID(id)
	switch {
	case ch == nil:
		return errNotFound
	case !slices.Contains([]string{"approved", "rejected", "expired"}, status):
		return fmt.Errorf("the status %q", status)
	}
	ch.status = status
	s.notify(ch)
	return nil
}
