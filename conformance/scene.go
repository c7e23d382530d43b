package conformance

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// scene is one check under way.
type scene struct {
	*Suite
	ctx     context.Context
	open    []provider.Provider
	servers []*http.Server

	mu   sync.Mutex
	keys map[string]bool // those of the attempts that the check made

	findings []string // what is wrong
}

// maxFindings bounds what one check tells.
const maxFindings = 20

func (s *scene) errorf(format string, args ...any) {
	if len(s.findings) < maxFindings {
		s.findings = append(s.findings, fmt.Sprintf(format, args...))
	}
}

// fatalf ends the check.
func (s *scene) fatalf(format string, args ...any) {
	s.errorf(format, args...)
	runtime.Goexit()
}

func (s *scene) must(err error) {
	if err != nil {
		s.fatalf("%v", err)
	}
}

func (s *scene) close() {
	for _, p := range s.open {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 5*time.Second)
		_ = p.Close(ctx)
		cancel()
	}
	for _, server := range s.servers {
		_ = server.Close()
	}
}

// bare returns a new provider that is not configured.
func (s *scene) bare() provider.Provider {
	p, err := s.config.Open(s.ctx)
	if err != nil {
		s.fatalf("the provider cannot be opened: %v", err)
	}
	s.open = append(s.open, p)
	return p
}

// start returns a new provider, configured; changes override the settings.
func (s *scene) start(changes ...string) provider.Provider {
	p := s.bare()
	if err := p.Configure(s.ctx, s.with(changes...)); err != nil {
		s.fatalf("Configure: %v", err)
	}
	return p
}

// with returns the settings with changes: name, value, name, value.
func (s *scene) with(changes ...string) provider.Config {
	out := provider.Config{}
	for name, value := range s.settings {
		out[name] = value
	}
	for i := 0; i < len(changes); i += 2 {
		out[changes[i]] = changes[i+1]
	}
	return out
}

// newKey returns an attempt's key: 20 characters of [0-9a-v].
func (s *scene) newKey() string {
	b := make([]byte, 13)
	rand.Read(b) // never fails: see crypto/rand
	key := strings.ToLower(base32.HexEncoding.EncodeToString(b))[:20]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[string]bool{}
	}
	s.keys[key] = true
	return key
}

// attempt is a new attempt at a payment that fits capability c.
func (s *scene) attempt(p provider.Provider, c *payment.Capability) provider.Attempt {
	key := s.newKey()
	return provider.Attempt{Key: key, PaymentID: "pay_" + key + "000000", Number: 1, Payment: s.request(p, c)}
}

// query asks for the attempt as the engine would: with all that is known of it.
func query(a provider.Attempt, reference string) provider.Query {
	return provider.Query{
		Key: a.Key, Reference: reference, Operation: a.Payment.Operation, Method: a.Payment.Method, SubmittedAt: time.Now(),
	}
}

// main are the capabilities that money checks use: the first of each operation.
func (s *scene) main() []*payment.Capability {
	var list []*payment.Capability
	seen := map[payment.Operation]bool{}
	for i := range s.info.Capabilities {
		if c := &s.info.Capabilities[i]; !seen[c.Operation] {
			seen[c.Operation] = true
			list = append(list, c)
		}
	}
	return list
}

// submitted hands over a new attempt that must be taken, and returns it with its outcome.
func (s *scene) submitted(p provider.Provider, c *payment.Capability) (provider.Attempt, provider.Outcome) {
	a := s.attempt(p, c)
	return a, s.submit(p, a)
}

func (s *scene) submit(p provider.Provider, a provider.Attempt) provider.Outcome {
	o, err := p.Submit(s.ctx, a)
	if err != nil {
		s.fatalf("%s by %s: a payment that fits is not taken: %v", a.Payment.Operation, a.Payment.Method, err)
	}
	return o
}

// refused hands over an attempt that must be refused as CodeInvalid with nothing executed. field is what the error
// must name; "" = anything.
func (s *scene) refused(p provider.Provider, a provider.Attempt, what, field string) {
	o, err := p.Submit(s.ctx, a)
	e := provider.AsError(err)
	switch {
	case err == nil:
		s.errorf("%s: it is taken with status %q instead of being refused", what, o.Status)
	case e.Code != provider.CodeInvalid:
		s.errorf("%s: it is refused as %q, not as %q: %v", what, e.Code, provider.CodeInvalid, err)
	case field != "" && e.Field != field && !sameName(e.Field, field):
		s.errorf("%s: the error names the field %q, not %q: %v", what, e.Field, field, err)
	}
	if n := len(s.box.charges(s, a.Key)); n > 0 {
		s.errorf("%s: it was executed %d times", what, n)
	}
}

// sameName reports whether both are about a person's name, which a request spells in one field or in two.
func sameName(a, b string) bool {
	cut := func(s string) string {
		return strings.NewReplacer(".first_name", ".name", ".last_name", ".name").Replace(s)
	}
	return cut(a) == cut(b)
}

// one demands that exactly one charge exists under key, and none under a key that no attempt had.
func (s *scene) one(key string) {
	n := 0
	for _, e := range s.box.ledger(s) {
		switch {
		case e.Key == key:
			n++
		case !s.keys[e.Key]:
			s.errorf("the ledger has a charge under the key %q, which no attempt had", e.Key)
		}
	}
	if n != 1 {
		s.errorf("the ledger has %d charges under the key, not 1", n)
	}
}

// all runs f n times at once and waits.
func all(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// within returns a context that ends after d.
func (s *scene) within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.ctx, d)
}

// notExecuted reports whether err claims that nothing was executed.
func notExecuted(err error) bool { return err != nil && provider.CodeOf(err) != provider.CodeUnknown }
