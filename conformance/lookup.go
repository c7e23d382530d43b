package conformance

import (
	"slices"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func lookupRules() []rule {
	return append(unclearLookups(), []rule{
		{id: "lookup/pending", obligation: "What is pending at the provider is pending in a look-up.", run: eachSubmitted(func(s *scene, p provider.Provider, a provider.Attempt, o provider.Outcome) {
			if charges := s.box.charges(s, a.Key); len(charges) == 1 && charges[0].Status == "pending" {
				s.found(p, query(a, o.Reference), provider.Pending)
			}
		})},
		{id: "lookup/approved", obligation: "A payment that the provider closed as approved is succeeded.", run: settled("approved", provider.Succeeded)},
		{id: "lookup/rejected", obligation: "A payment that the provider closed as rejected is rejected or failed.", run: settled("rejected", provider.Rejected, provider.Failed)},
		{id: "lookup/expired", obligation: "A pay-in that expired at the provider is expired, rejected or failed.", when: declaresPayIn, run: settled("expired", provider.Expired, provider.Rejected, provider.Failed)},
		{id: "lookup/late-success", obligation: "A success after a rejection is told.", rests: []string{"lookup/approved", "lookup/rejected"}, when: declaresPayIn, run: lateSuccess},
		{id: "lookup/by-key", obligation: "Where a look-up by key is declared, the key alone finds the attempt.", when: declaresByKey, run: eachSubmitted(func(s *scene, p provider.Provider, a provider.Attempt, _ provider.Outcome) {
			if payment.CapabilityFor(s.info.Capabilities, a.Payment.Operation, a.Payment.Method).Recovery.LookupByKey {
				o, err := p.Lookup(s.ctx, query(a, ""))
				s.must(err)
				if o.Status == provider.Absent {
					s.errorf("%s by %s: the key alone does not find it", a.Payment.Operation, a.Payment.Method)
				}
			}
		})},
		{id: "lookup/unknown-key", obligation: "An attempt that the provider does not know is absent, not an error and never final.", when: declaresByKey, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			if c.Recovery.LookupByKey {
				a := provider.Attempt{Key: s.newKey(), Payment: payment.Request{Operation: c.Operation, Method: c.Method}}
				s.found(p, query(a, ""), provider.Absent)
			}
		})},
		{id: "lookup/changes-nothing", obligation: "A look-up executes nothing.", run: eachSubmitted(func(s *scene, p provider.Provider, a provider.Attempt, o provider.Outcome) {
			before, creates := s.box.ledger(s), s.box.count(s, "create")
			for range 3 {
				_, _ = p.Lookup(s.ctx, query(a, o.Reference))
			}
			if after := s.box.ledger(s); !slices.Equal(before, after) || s.box.count(s, "create") != creates {
				s.errorf("the ledger changed from %+v to %+v", before, after)
			}
		})},
		{id: "lookup/after-restart", obligation: "A provider that was started again finds what it submitted before.", rests: []string{"lookup/approved"}, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a, o := s.submitted(p, c)
			s.box.settle(s, a.Key, "approved")
			s.must(p.Close(s.ctx))
			s.found(s.start(), query(a, o.Reference), provider.Succeeded)
		})},
		{id: "lookup/own-attempt", obligation: "Of several attempts, a look-up finds the one that was asked for.", rests: []string{"lookup/approved", "lookup/pending"}, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			first, o1 := s.submitted(p, c)
			second, o2 := s.submitted(p, c)
			s.box.settle(s, second.Key, "approved")
			if charges := s.box.charges(s, first.Key); charges[0].Status == "pending" {
				s.found(p, query(first, o1.Reference), provider.Pending)
			}
			s.found(p, query(second, o2.Reference), provider.Succeeded)
		})},
		{id: "lookup/empty", obligation: "A query without key and reference is an error.", run: func(s *scene) {
			p := s.start()
			c := s.main()[0]
			if o, err := p.Lookup(s.ctx, provider.Query{Operation: c.Operation, Method: c.Method}); err == nil {
				s.errorf("it finds %+v", o)
			}
		}},
		{id: "lookup/token-expired", obligation: "A look-up long after the hand-over still finds the attempt.", rests: []string{"lookup/approved", "tokens/refreshed", "tokens/expired"}, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a, o := s.submitted(p, c)
			s.box.settle(s, a.Key, "approved")
			s.box.advance(s, 26*time.Hour)
			s.found(p, query(a, o.Reference), provider.Succeeded)
		})},
	}...)
}

// unclearLookups are about look-ups whose answer is lost or cannot be read.
func unclearLookups() (list []rule) {
	for _, broken := range unclearAnswers("lookup") {
		list = append(list, rule{
			id: "lookup/" + broken.id, obligation: "A look-up is unknown, neither absent nor final, when " + broken.when + ".",
			run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
				a, o := s.submitted(p, c)
				f := broken.fault
				f.Times = 10 // a look-up may be repeated: it changes nothing
				s.box.lay(s, f)
				ctx, cancel := s.within(broken.patience())
				defer cancel()
				got, err := p.Lookup(ctx, query(a, o.Reference))
				switch {
				case err == nil:
					s.errorf("it answers %q", got.Status)
				case notExecuted(err):
					s.errorf("it claims that nothing was executed: %v", err)
				}
			}),
		})
	}
	return list
}

// found demands that a look-up answers with one of the statuses.
func (s *scene) found(p provider.Provider, q provider.Query, statuses ...provider.Status) {
	o, err := p.Lookup(s.ctx, q)
	if err != nil {
		s.errorf("%s by %s: the look-up fails: %v", q.Operation, q.Method, err)
	} else if !slices.Contains(statuses, o.Status) {
		s.errorf("%s by %s: the look-up says %q, not %q", q.Operation, q.Method, o.Status, statuses[0])
	}
}

// settled closes a payment in the sandbox and looks it up.
func settled(to string, statuses ...provider.Status) func(*scene) {
	return eachSubmitted(func(s *scene, p provider.Provider, a provider.Attempt, o provider.Outcome) {
		if to == "expired" && a.Payment.Operation != payment.PayIn { // only a payer can be late
			return
		}
		s.box.settle(s, a.Key, to)
		s.found(p, query(a, o.Reference), statuses...)
	})
}

func lateSuccess(s *scene) {
	p := s.start()
	for _, c := range s.main() {
		if c.Operation != payment.PayIn { // only a payer can try again
			continue
		}
		a, o := s.submitted(p, c)
		s.box.settle(s, a.Key, "rejected")
		s.found(p, query(a, o.Reference), provider.Rejected, provider.Failed)
		s.box.settle(s, a.Key, "approved")
		s.found(p, query(a, o.Reference), provider.Succeeded)
	}
}
