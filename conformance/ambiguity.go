package conformance

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// unclear is a way in which an answer is lost or cannot be read.
type unclear struct {
	id, when string
	fault    fault
	executed bool // a hand-over is executed all the same
}

const (
	shortPatience = 400 * time.Millisecond
	longPatience  = 20 * time.Second
	delayMS       = 60_000 // a reset ends it
)

// patience is how long a caller waits who meets it.
func (u unclear) patience() time.Duration {
	if u.fault.DelayMS > 0 {
		return shortPatience
	}
	return longPatience
}

const htmlPage = "<html><head><title>Error</title></head><body><h1>Bad Gateway</h1></body></html>"

// unclearAnswers are those that a provider's plugin cannot tell apart from an execution, laid on calls of one kind.
func unclearAnswers(on string) []unclear {
	list := []unclear{
		{id: "drop-before", when: "the connection is closed without an answer", fault: fault{Do: "drop_before"}},
		{id: "drop-after", when: "the connection is reset after execution", fault: fault{Do: "drop_after"}, executed: true},
		{id: "delay", when: "the deadline passes", fault: fault{Do: "delay_after", DelayMS: delayMS}, executed: true},
		{id: "garble", when: "the answer is cut in half", fault: fault{Do: "garble"}, executed: true},
	}
	for _, a := range []struct {
		id, when string
		status   int
		body     string
	}{
		{"empty-200", "a success comes without a body", 200, ""},
		{"html-200", "a success comes with an HTML page", 200, htmlPage},
		{"object-200", "a success comes with an empty object", 200, "{}"},
		{"list-200", "a success comes with an empty list", 200, "[]"},
		{"null-200", "a success comes with null", 200, "null"},
		{"trailing-200", "a success comes with half an object", 200, `{"status":`},
		{"empty-201", "a creation comes without a body", 201, ""},
		{"no-content-204", "a success comes without content", 204, ""},
		{"html-500", "the server fails with an HTML page", 500, htmlPage},
		{"html-502", "a gateway fails with an HTML page", 502, htmlPage},
		{"empty-504", "a gateway times out", 504, ""},
	} {
		list = append(list, unclear{
			id: a.id, when: a.when, fault: fault{Do: "answer_after", Status: a.status, Body: a.body}, executed: true,
		})
	}
	for i := range list {
		list[i].fault.On = on
	}
	return list
}

func ambiguityRules() []rule {
	list := []rule{
		{id: "ambiguity/no-own-repeat", obligation: "A hand-over without an answer is not repeated by the provider's own decision.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			before := s.box.count(s, "create")
			s.box.lay(s, fault{On: "create", Do: "drop_before"})
			_, _ = p.Submit(s.ctx, a)
			if n := s.box.count(s, "create") - before; n > 1 {
				s.errorf("it was sent %d times", n)
			}
		})},
	}
	for _, u := range unclearAnswers("create") {
		list = append(list, rule{
			id: "ambiguity/" + u.id, obligation: "A hand-over is in doubt, neither failed nor refused, when " + u.when + ".",
			rests: []string{"ambiguity/no-own-repeat"}, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
				inDoubt(s, p, c, u)
			}),
		})
	}
	return append(list, []rule{
		{id: "ambiguity/cancelled", obligation: "A hand-over whose caller leaves is in doubt.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			s.box.lay(s, fault{On: "create", Do: "delay_after", DelayMS: delayMS})
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			go s.cancelOnceExecuted(a.Key, cancel)
			if _, err := p.Submit(ctx, a); err == nil || notExecuted(err) {
				s.errorf("it answers %v", err)
			}
		})},
		{id: "ambiguity/resolved", obligation: "After a lost answer a look-up by key tells what became of it.", rests: []string{"lookup/approved", "lookup/by-key"}, when: declaresByKey, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			if !c.Recovery.LookupByKey {
				return
			}
			a := s.attempt(p, c)
			s.box.lay(s, fault{On: "create", Do: "drop_after"})
			_, _ = p.Submit(s.ctx, a)
			s.box.settle(s, a.Key, "approved")
			s.found(p, query(a, ""), provider.Succeeded)
		})},
		{id: "ambiguity/reference-kept", obligation: "After a lost answer nothing is claimed that a look-up by key denies.", rests: []string{"lookup/by-key", "lookup/unknown-key", "ambiguity/no-own-repeat"}, when: declaresByKey, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			if !c.Recovery.LookupByKey {
				return
			}
			a := s.attempt(p, c)
			s.box.lay(s, fault{On: "create", Do: "drop_before"})
			_, _ = p.Submit(s.ctx, a)
			s.found(p, query(a, ""), provider.Absent)
		})},
		{id: "ambiguity/unreachable", obligation: "Where nobody listens nothing was executed, and that is said.", run: func(s *scene) {
			list := s.attempts(s.start())
			p := s.start("base_url", "http://"+closedPort(s))
			for _, a := range list {
				if _, err := p.Submit(s.ctx, a); provider.CodeOf(err) != provider.CodeUnavailable {
					s.errorf("%s by %s: it answers %v, not %q", a.Payment.Operation, a.Payment.Method, err, provider.CodeUnavailable)
				}
			}
		}},
		{id: "ambiguity/too-many-requests", obligation: "429 without execution is unavailable.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			s.box.lay(s, fault{On: "create", Do: "answer", Status: http.StatusTooManyRequests, Times: 3})
			if _, err := p.Submit(s.ctx, a); provider.CodeOf(err) != provider.CodeUnavailable {
				s.errorf("it answers %v, not %q", err, provider.CodeUnavailable)
			}
		})},
		{id: "ambiguity/unauthorized", obligation: "401 that stays is unauthorized, and nothing is executed.", rests: []string{"tokens/no-loop"}, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			s.box.lay(s, fault{On: "create", Do: "answer", Status: http.StatusUnauthorized, Times: 10})
			if _, err := p.Submit(s.ctx, a); provider.CodeOf(err) != provider.CodeUnauthorized {
				s.errorf("it answers %v, not %q", err, provider.CodeUnauthorized)
			}
		})},
	}...)
}

// inDoubt demands that a hand-over that meets u claims nothing.
func inDoubt(s *scene, p provider.Provider, c *payment.Capability, u unclear) {
	a := s.attempt(p, c)
	s.box.lay(s, u.fault)
	ctx, cancel := s.within(u.patience())
	defer cancel()
	o, err := p.Submit(ctx, a)
	if n := len(s.box.charges(s, a.Key)); u.executed && n != 1 {
		s.fatalf("%s: the books have %d charges, not 1", u.fault, n)
	}
	switch {
	case notExecuted(err):
		s.errorf("%s: it claims that nothing was executed: %v", u.fault, err)
	case err == nil && !slices.Contains([]provider.Status{provider.Pending, provider.Authorized}, o.Status):
		s.errorf("%s: it claims %q", u.fault, o.Status)
	case err == nil && u.fault.Do == "drop_before":
		s.errorf("%s: it claims %q though it has no answer", u.fault, o.Status)
	}
}

// cancelOnceExecuted cancels as soon as the books have an entry under key.
func (s *scene) cancelOnceExecuted(key string, cancel context.CancelFunc) {
	defer cancel()
	for tick := time.Tick(5 * time.Millisecond); ; {
		var list []entry
		if err := s.box.call(s.ctx, http.MethodGet, "ledger", nil, &list); err != nil || slices.ContainsFunc(list, func(e entry) bool { return e.Key == key }) {
			return
		}
		select {
		case <-tick:
		case <-s.ctx.Done():
			return
		}
	}
}

// attempts are attempts at a payment of each operation.
func (s *scene) attempts(p provider.Provider) (list []provider.Attempt) {
	for _, c := range s.main() {
		list = append(list, s.attempt(p, c))
	}
	return list
}

// closedPort is an address where nobody listens.
func closedPort(s *scene) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer l.Close()
	return strings.TrimSpace(l.Addr().String())
}
