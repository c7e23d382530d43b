package conformance

import (
	"context"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// grace is how much later than its deadline a call may return.
const grace = 2 * time.Second

func deadlineRules() []rule {
	slow := func(on string, call func(context.Context, *scene, provider.Provider, provider.Attempt, provider.Outcome) error) func(*scene) {
		return eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			var a provider.Attempt
			var o provider.Outcome
			if on == "lookup" {
				a, o = s.submitted(p, c)
			} else {
				a = s.attempt(p, c)
			}
			if on == "token" {
				p = s.start() // has none yet
			}
			s.box.lay(s, fault{On: on, Do: "delay", DelayMS: delayMS})
			ctx, cancel := s.within(shortPatience)
			defer cancel()
			started := time.Now()
			if err := call(ctx, s, p, a, o); err == nil {
				s.errorf("it succeeds before the provider has answered")
			}
			if took := time.Since(started); took > shortPatience+grace {
				s.errorf("it returned after %s, the deadline was %s", took.Round(time.Millisecond), shortPatience)
			}
		})
	}
	submit := func(ctx context.Context, _ *scene, p provider.Provider, a provider.Attempt, _ provider.Outcome) error {
		_, err := p.Submit(ctx, a)
		return err
	}
	return []rule{
		{id: "deadlines/submit", obligation: "A hand-over returns when its time is over.", run: slow("create", submit)},
		{id: "deadlines/lookup", obligation: "A look-up returns when its time is over.", rests: []string{"lookup/delay"}, run: slow("lookup", func(ctx context.Context, _ *scene, p provider.Provider, a provider.Attempt, o provider.Outcome) error {
			_, err := p.Lookup(ctx, query(a, o.Reference))
			return err
		})},
		{id: "deadlines/token", obligation: "A hand-over that waits for a token returns when its time is over, and nothing is executed.", rests: []string{"config/no-call"}, when: func(s *Suite) bool { return s.tokens },
			run: slow("token", func(ctx context.Context, s *scene, p provider.Provider, a provider.Attempt, o provider.Outcome) error {
				err := submit(ctx, s, p, a, o)
				if n := s.box.count(s, "create"); n > 0 {
					s.errorf("%d hand-overs were made", n)
				}
				return err
			})},
		{id: "deadlines/over-before", obligation: "A hand-over whose time is over before it begins executes nothing.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			ctx, cancel := context.WithCancel(s.ctx)
			cancel()
			if o, err := p.Submit(ctx, a); err == nil {
				s.errorf("it answers %q", o.Status)
			}
			if n := len(s.box.charges(s, a.Key)); n > 0 {
				s.errorf("%d charges were made", n)
			}
		})},
		{id: "deadlines/next-call", obligation: "A call that was given up does not hinder the next one.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			first, second := s.attempt(p, c), s.attempt(p, c)
			s.box.lay(s, fault{On: "create", Do: "delay", DelayMS: delayMS})
			ctx, cancel := s.within(shortPatience)
			defer cancel()
			_, _ = p.Submit(ctx, first)
			s.submit(p, second)
		})},
		{id: "deadlines/close", obligation: "Close returns at once, and a second time too.", run: func(s *scene) {
			p := s.start()
			_ = p.Check(s.ctx)
			for range 2 {
				started := time.Now()
				_ = p.Close(s.ctx)
				if took := time.Since(started); took > grace {
					s.errorf("Close took %s", took.Round(time.Millisecond))
				}
			}
		}},
		{id: "deadlines/close-unconfigured", obligation: "Close works before Configure.", offline: true, run: func(s *scene) {
			if err := s.bare().Close(s.ctx); err != nil {
				s.errorf("Close: %v", err)
			}
		}},
	}
}
