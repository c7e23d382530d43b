package conformance

import (
	"runtime"
	"sync/atomic"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

const (
	manyCalls = 1_000
	atOnce    = 8
	// spareGoroutines are what idle connections and their like may keep.
	spareGoroutines = 100
)

func loadRules() []rule {
	return []rule{
		{id: "load/thousand-lookups", obligation: "1,000 look-ups make 1,000 requests, all answered.", run: func(s *scene) {
			p := s.start()
			a, o := s.submitted(p, s.main()[0])
			before := s.box.count(s, "lookup")
			if failed := s.many(func() error { _, err := p.Lookup(s.ctx, query(a, o.Reference)); return err }); failed > 0 {
				s.errorf("%d failed", failed)
			}
			if n := s.box.count(s, "lookup") - before; n != manyCalls {
				s.errorf("%d requests were made", n)
			}
		}},
		{id: "load/no-leak", obligation: "After 1,000 calls that fail nothing is left running.", run: func(s *scene) {
			p := s.start()
			a, o := s.submitted(p, s.main()[0])
			before := runtime.NumGoroutine()
			s.box.lay(s, fault{On: "lookup", Do: "garble", Times: manyCalls})
			s.many(func() error { _, err := p.Lookup(s.ctx, query(a, o.Reference)); return err })
			s.box.clearFaults(s)
			if n := runtime.NumGoroutine() - before; n > spareGoroutines {
				s.errorf("%d goroutines more than before", n)
			}
			s.found(p, query(a, o.Reference), provider.Pending, provider.Authorized, provider.Succeeded)
		}},
		{id: "load/refusals", obligation: "1,000 payments that cannot be taken reach the provider never.", rests: []string{"amounts/other-currency"}, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			a.Payment.Currency = "XTS"
			before := s.box.count(s, "create")
			s.many(func() error { _, err := p.Submit(s.ctx, a); return err })
			if n := s.box.count(s, "create") - before; n > 0 {
				s.errorf("%d requests were made", n)
			}
		})},
	}
}

// many makes the call 1,000 times, some at once, and returns how often it failed.
func (s *scene) many(call func() error) int64 {
	var failed atomic.Int64
	all(atOnce, func(int) {
		for range manyCalls / atOnce {
			if call() != nil {
				failed.Add(1)
			}
		}
	})
	return failed.Load()
}
