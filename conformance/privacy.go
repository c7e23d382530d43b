package conformance

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func privacyRules() []rule {
	list := []rule{
		{id: "privacy/paths", obligation: "No secret and no personal data stands in a path or a query.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a, o := s.submitted(p, c)
			_, _ = p.Lookup(s.ctx, query(a, o.Reference))
			for _, r := range s.requests() {
				s.tellsNothing("the address "+r.Path, r.address(), a)
			}
		})},
		{id: "privacy/secrets-in-bodies", obligation: "Secrets are sent to the token service and in headers, never with a payment.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a, _ := s.submitted(p, c)
			for _, r := range s.requests() {
				for _, secret := range s.secrets() {
					if strings.Contains(r.Body, a.Key) && strings.Contains(r.Body, secret) {
						s.errorf("%s %s carries a secret", r.Method, r.Path)
					}
				}
			}
		})},
		{id: "privacy/refusals", obligation: "The error about a field does not repeat its value.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			for _, l := range c.Limits {
				if l.MaxLength == 0 || !strings.HasPrefix(l.Field, partyOf(c)+".") {
					continue
				}
				a := s.attempt(p, c)
				a.Payment = set(a.Payment, l.Field, strings.Repeat("7", l.MaxLength+1))
				if _, err := p.Submit(s.ctx, a); err != nil && strings.Contains(err.Error(), "7777777") {
					s.errorf("%s: %v", l.Field, err)
				}
			}
		})},
		{id: "privacy/action", obligation: "The page's URL carries no secret.", run: eachSubmitted(func(s *scene, _ provider.Provider, _ provider.Attempt, o provider.Outcome) {
			for _, secret := range s.secrets() {
				if o.Action != nil && strings.Contains(o.Action.URL, secret) {
					s.errorf("it carries a secret")
				}
			}
		})},
		{id: "privacy/logs", obligation: "Logs tell no secret and no personal data.", logs: true, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			s.box.lay(s, fault{On: "create", Do: "answer", Status: http.StatusInternalServerError, Body: s.gossip(a)})
			_, _ = p.Submit(s.ctx, a)
			_ = p.Close(s.ctx) // what a process still has to write is there once it has ended
			s.tellsNothing("the log", s.config.Logs(), a)
		})},
	}
	for _, answer := range []struct {
		id, when string
		fault    fault
	}{
		{"400", "the provider repeats them in a 400", fault{Do: "answer", Status: 400}},
		{"422", "the provider repeats them in a 422", fault{Do: "answer", Status: 422}},
		{"500", "the provider repeats them in a 500", fault{Do: "answer", Status: 500}},
		{"200", "the provider repeats them in a 200", fault{Do: "answer", Status: 200}},
		{"dropped", "the connection is reset without an answer", fault{Do: "drop_after"}},
		{"garbled", "the answer is cut in half", fault{Do: "garble"}},
	} {
		list = append(list, rule{
			id: "privacy/errors-" + answer.id, obligation: "When " + answer.when + ", the error tells no secret and no personal data.",
			run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
				a := s.attempt(p, c)
				f := answer.fault
				f.On = "create"
				if f.Status != 0 {
					f.Body = s.gossip(a)
				}
				s.box.lay(s, f)
				o, err := p.Submit(s.ctx, a)
				if err != nil {
					s.tellsNothing("the error", err.Error(), a)
				}
				s.tellsNothing("the message", o.Message, a)
			}),
		})
	}
	return list
}

// personal are the values of an attempt that nobody else may read.
func personal(a provider.Attempt) []string {
	var out []string
	for _, p := range []payment.Party{a.Payment.Payer, a.Payment.Payee} {
		for _, value := range []string{p.Document.Number, p.Email, p.Phone, p.Account.Number} {
			if value != "" {
				out = append(out, value)
			}
		}
	}
	return out
}

// tellsNothing demands that text holds neither a secret nor personal data.
func (s *scene) tellsNothing(what, text string, a provider.Attempt) {
	for _, secret := range s.secrets() {
		if strings.Contains(text, secret) {
			s.errorf("%s tells a secret", what)
		}
	}
	for _, value := range personal(a) {
		if strings.Contains(text, value) {
			s.errorf("%s tells %q", what, value)
		}
	}
}

// gossip is an answer that repeats all it should not, under the names that error texts commonly have. Codes and status
// words are not among them: an unknown one may be quoted.
func (s *scene) gossip(a provider.Attempt) string {
	text := strings.Join(append(personal(a), s.secrets()...), " ")
	body, err := json.Marshal(map[string]any{
		"error": text, "error_message": text, "message": text, "detail": text, "errors": []string{text},
	})
	s.must(err)
	return string(body)
}
