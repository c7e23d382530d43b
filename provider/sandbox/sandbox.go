package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options describe a provider to simulate. T is the provider's own record of a transaction; it must survive a
// round trip through JSON. Name and Endpoints are required.
type Options[T any] struct {
	// Name is the plugin's name: "tpaga-pse".
	Name      string
	Endpoints []Endpoint[T]
	// Settle puts Detail right after t moved to t.Status, and queues the webhooks for it (Books.Notify). nil = one
	// webhook.
	Settle func(b *Books[T], t *Transaction[T])
	// Webhook writes one webhook about t that claims a status; a forged one claims Approved though t is not. nil =
	// the provider sends none.
	Webhook func(b *Books[T], t *Transaction[T], claim Status) Message
	// Page says what the bank's page shows about t; it is served at Call.PageURL. nil = there is no page.
	Page func(b *Books[T], t *Transaction[T]) Page
	// Modes are the provider's contradictions and oddities, to choose from.
	Modes []Mode
	// State is the file that outlives the process; "" = memory only.
	State string
	// Now is the clock that POST /_sandbox/clock advances; nil = time.Now.
	Now func() time.Time
	// Logger gets webhooks that could not be delivered; nil = none.
	Logger *slog.Logger
}

// Kind groups a provider's endpoints by what they do; faults and counts go by it.
type Kind string

// The kinds.
const (
	Token     Kind = "token"
	Create    Kind = "create"
	Lookup    Kind = "lookup"
	Banks     Kind = "banks"
	Balance   Kind = "balance"
	Billers   Kind = "billers"
	Bill      Kind = "bill"
	Statement Kind = "statement"
	// Other is everything else, the bank's page and unknown paths included. It is counted and has no faults.
	Other Kind = "other"
)

// Kinds lists the kinds that faults can be laid on.
func Kinds() []Kind {
	return []Kind{Token, Create, Lookup, Banks, Balance, Billers, Bill, Statement}
}

// Endpoint is one call of the provider's API.
type Endpoint[T any] struct {
	Kind   Kind
	Method string
	Path   string // as http.ServeMux writes it: "/charges/{id}", "/o/token/{$}"
	// Handle executes the call and returns the answer. It must not wait for anything: the sandbox handles one call
	// at a time.
	Handle func(c *Call[T]) Answer
}

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// Sandbox is a simulated provider. It serves the provider's API, the bank's page and the control protocol.
type Sandbox[T any] struct {
	options  Options[T]
	provider *http.ServeMux
	control  *http.ServeMux
	kinds    map[string]Kind // by the provider mux's pattern
	courier  *courier

	mu       sync.Mutex
	life     context.Context // ends at reset and Close: delayed calls and webhooks of before then end with it
	endLife  context.CancelFunc
	ledger   ledger[T]
	tokens   map[string]token
	settings settings
	faults   faults
	requests requests
	counts   map[Kind]int
	journal  *journal // nil = memory only
}

// New returns a sandbox, with what Options.State remembers. The caller closes it.
func New[T any](o Options[T]) (*Sandbox[T], error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sandbox[T]{
		options: o, provider: http.NewServeMux(), kinds: map[string]Kind{}, courier: newCourier(o.Logger),
	}
	s.empty()
	if o.State != "" {
		if err := s.openState(); err != nil {
			return nil, fmt.Errorf("sandbox %s: state file: %w", o.Name, err)
		}
	}
	for _, e := range o.Endpoints {
		pattern := e.Method + " " + e.Path
		s.kinds[pattern] = e.Kind
		s.provider.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serveEndpoint(w, r, e) })
	}
	if o.Page != nil {
		s.provider.HandleFunc("GET "+pagePath+"{id}", s.showPage)
		s.provider.HandleFunc("POST "+pagePath+"{id}", s.decidePage)
	}
	s.control = s.controlMux()
	return s, nil
}

// Close ends delayed calls and webhooks under way and closes the state file.
func (s *Sandbox[T]) Close() error {
	s.mu.Lock()
	s.endLife()
	s.mu.Unlock()
	s.courier.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.close()
}

// ServeHTTP answers as the provider, or as the control protocol below /_sandbox/.
func (s *Sandbox[T]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, fmt.Sprintf("sandbox: the body is larger than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
		return
	case err != nil: // the caller left in the middle of its own request
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if strings.HasPrefix(r.URL.Path, controlPath) {
		s.control.ServeHTTP(w, r)
		return
	}
	_, pattern := s.provider.Handler(r)
	kind, ok := s.kinds[pattern]
	if !ok {
		kind = Other
	}
	s.mu.Lock()
	s.counts[kind]++
	s.requests.add(Request{
		Kind: kind, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Header: r.Header.Clone(), Body: string(body), Time: s.now(),
	})
	s.mu.Unlock()
	s.provider.ServeHTTP(w, r)
}

// empty makes the sandbox what it is at the start. The webhooks' URL stays: it is where the sandbox is plugged
// in, not something in it.
func (s *Sandbox[T]) empty() {
	if s.endLife != nil {
		s.endLife()
	}
	s.life, s.endLife = context.WithCancel(context.Background())
	s.ledger = newLedger[T]()
	s.tokens = map[string]token{}
	s.settings = settings{WebhookURL: s.settings.WebhookURL, Modes: map[string]string{}}
	s.faults = nil
	s.requests = requests{}
	s.counts = map[Kind]int{}
}

// now is the sandbox's clock. s.mu is held.
func (s *Sandbox[T]) now() time.Time {
	return s.options.Now().Add(time.Duration(s.settings.AdvancedS) * time.Second).UTC()
}

// update runs f on the books, alone, and returns the webhooks that f queued. What had to expire by now has
// expired before, and its webhooks are on their way. An error means that the state file cannot be written.
func (s *Sandbox[T]) update(f func(b *Books[T])) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.failure(); err != nil {
		return nil, err
	}
	now := s.now()
	if due := s.ledger.due(now); len(due) > 0 {
		expiring := &Books[T]{s: s, Now: now}
		for _, t := range due {
			expiring.Settle(t, Expired)
		}
		go s.courier.take(s.life, expiring.messages())()
	}
	b := &Books[T]{s: s, Now: now}
	f(b)
	return b.messages(), s.journal.failure()
}
