package conformance

import (
	"net/http"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func tokenRules() []rule {
	list := []rule{
		{id: "tokens/reused", obligation: "A token is used again while it is good.", run: func(s *scene) {
			p := s.start()
			for range 5 {
				s.must(p.Check(s.ctx))
			}
			s.tokensAsked(1)
		}},
		{id: "tokens/one-for-a-burst", obligation: "Sixteen calls at once share one token request.", rests: []string{"tokens/reused"}, run: func(s *scene) {
			p := s.start()
			all(16, func(int) { _ = p.Check(s.ctx) })
			s.tokensAsked(1)
		}},
		{id: "tokens/refreshed", obligation: "A token that is refused is replaced once, and the same attempt goes on.", rests: []string{"tokens/reused"}, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			s.must(p.Check(s.ctx)) // so that there is a token to refuse
			before := s.box.count(s, "token")
			s.box.lay(s, fault{On: "create", Do: "answer", Status: http.StatusUnauthorized})
			s.submit(p, a)
			s.one(a.Key)
			if n := s.box.count(s, "token") - before; n != 1 {
				s.errorf("%d tokens were asked for, not 1", n)
			}
		})},
		{id: "tokens/expired", obligation: "A call with an expired token succeeds with a new one.", rests: []string{"tokens/refreshed"}, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			s.must(p.Check(s.ctx))
			s.box.advance(s, 48*time.Hour)
			s.submit(p, a)
			s.one(a.Key)
		})},
		{id: "tokens/expired-burst", obligation: "Sixteen calls at once with an expired token share one new one.", rests: []string{"tokens/one-for-a-burst", "tokens/refreshed"}, run: func(s *scene) {
			p := s.start()
			s.must(p.Check(s.ctx))
			s.box.advance(s, 48*time.Hour)
			all(16, func(int) { _ = p.Check(s.ctx) })
			s.tokensAsked(2)
		}},
		{id: "tokens/no-loop", obligation: "A provider that refuses every token is asked at most twice.", rests: []string{"submit/one-call"}, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			before := s.box.count(s, "create")
			s.box.lay(s, fault{On: "create", Do: "answer", Status: http.StatusUnauthorized, Times: 100})
			_, _ = p.Submit(s.ctx, a)
			if n := s.box.count(s, "create") - before; n > 2 {
				s.errorf("the hand-over was made %d times", n)
			}
		})},
		{id: "tokens/not-in-paths", obligation: "No token stands in a path or a query.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a, o := s.submitted(p, c)
			_, _ = p.Lookup(s.ctx, query(a, o.Reference))
			for _, r := range s.requests() {
				if strings.Contains(strings.ToLower(r.address()), "token=") {
					s.errorf("%s %s", r.Method, r.address())
				}
			}
		})},
	}
	list = restingOn("check/good", "config/no-call")(append(list, brokenTokens()...))
	for i := range list {
		list[i].when = func(s *Suite) bool { return s.tokens }
	}
	return list
}

// brokenTokens are about hand-overs for which no token can be had.
func brokenTokens() (list []rule) {
	for _, broken := range []struct {
		id, when string
		code     provider.Code
		fault    fault
	}{
		{"refused", "the credentials are refused", provider.CodeUnauthorized, fault{Do: "answer", Status: 401, Body: `{"error":"invalid_client"}`}},
		{"dropped", "the token request has no answer", provider.CodeUnavailable, fault{Do: "drop_after"}},
		{"failed", "the token service fails", provider.CodeUnavailable, fault{Do: "answer", Status: 503, Body: htmlPage}},
		{"html", "a page comes instead of a token", provider.CodeUnavailable, fault{Do: "answer", Status: 200, Body: htmlPage}},
		{"garbled", "half a token comes", provider.CodeUnavailable, fault{Do: "garble"}},
	} {
		list = append(list, rule{
			id: "tokens/" + broken.id, obligation: "A hand-over is " + string(broken.code) + ", and not made, when " + broken.when + ".",
			run: func(s *scene) {
				for _, a := range s.attempts(s.start()) {
					f := broken.fault
					f.On, f.Times = "token", 10
					s.box.lay(s, f)
					_, err := s.start().Submit(s.ctx, a)
					if provider.CodeOf(err) != broken.code {
						s.errorf("it answers %v, not %q", err, broken.code)
					}
					if n := s.box.count(s, "create"); n > 0 {
						s.errorf("%d hand-overs were made", n)
					}
					s.box.clearFaults(s)
				}
			},
		})
	}
	return list
}

func (s *scene) tokensAsked(want int) {
	if n := s.box.count(s, "token"); n != want {
		s.errorf("%d tokens were asked for, not %d", n, want)
	}
}
