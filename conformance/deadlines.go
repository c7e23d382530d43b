package conformance

import (
	"context"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// grace is how much later than its deadline a call may return, and its connection to the provider end.
const grace = 2 * time.Second

// lateTokenMS is when a token comes that a call does not wait for: later than grace.
const lateTokenMS = 3_000

func deadlineRules() []rule {
	slow := func(on string, call func(context.Context, *scene, provider.Provider, provider.Attempt, provider.Outcome) error) func(*scene) {
		return func(s *scene) {
			for _, c := range s.main() {
				w := s.watch(s.sandboxProxy())
				p := s.start("base_url", s.through(w.url))
				var a provider.Attempt
				var o provider.Outcome
				delay := delayMS
				switch on {
				case "lookup":
					a, o = s.submitted(p, c)
				case "token":
					a = s.attempt(s.start(), c) // p has none yet
					delay = lateTokenMS
				default:
					a = s.attempt(p, c)
				}
				s.box.lay(s, fault{On: on, Do: "delay", DelayMS: delay})
				ctx, cancel := s.within(shortPatience)
				defer cancel()
				end := time.Now().Add(shortPatience)
				if err := call(ctx, s, p, a, o); err == nil {
					s.errorf("it succeeds before the provider has answered")
				}
				if on != "token" {
					w.over(s, end)
					continue
				}
				s.returned(end)
				w.settle(s) // others may wait for the same token, so that it may still come
				if n := s.box.count(s, "create"); n > 0 {
					s.errorf("%d hand-overs were made", n)
				}
			}
		}
	}
	submit := func(ctx context.Context, _ *scene, p provider.Provider, a provider.Attempt, _ provider.Outcome) error {
		_, err := p.Submit(ctx, a)
		return err
	}
	return []rule{
		{id: "deadlines/submit", obligation: "A hand-over is given up when its time is over, at the provider too.", run: slow("create", submit)},
		{id: "deadlines/lookup", obligation: "A look-up is given up when its time is over, at the provider too.", rests: []string{"lookup/delay"}, run: slow("lookup", func(ctx context.Context, _ *scene, p provider.Provider, a provider.Attempt, o provider.Outcome) error {
			_, err := p.Lookup(ctx, query(a, o.Reference))
			return err
		})},
		{id: "deadlines/token", obligation: "A hand-over that waits for a token returns when its time is over, and nothing is executed, not even once the token is there.", rests: []string{"config/no-call"}, when: func(s *Suite) bool { return s.tokens },
			run: slow("token", submit)},
		{id: "deadlines/cancelled", obligation: "A hand-over whose caller leaves is given up, at the provider too.", run: eachMain(func(s *scene, _ provider.Provider, c *payment.Capability) {
			w := s.watch(s.sandboxProxy())
			p := s.start("base_url", s.through(w.url))
			a := s.attempt(p, c)
			s.box.lay(s, fault{On: "create", Do: "delay_after", DelayMS: delayMS})
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			left := make(chan time.Time, 1)
			go func() {
				s.cancelOnceExecuted(a.Key, cancel)
				left <- time.Now()
			}()
			if _, err := p.Submit(ctx, a); err == nil {
				s.errorf("it succeeds before the provider has answered")
			}
			if n := len(s.box.charges(s, a.Key)); n != 1 {
				s.fatalf("the books have %d charges, not 1", n)
			}
			w.over(s, <-left)
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
