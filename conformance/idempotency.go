package conformance

import (
	"sync/atomic"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func idempotencyRules() []rule {
	return []rule{
		{id: "idempotency/same-key-one-charge", obligation: "The same attempt sent again is executed once.", when: declaresResend, run: eachResendable(func(s *scene, p provider.Provider, a provider.Attempt) {
			s.submit(p, a)
			s.resend(p, a)
			s.one(a.Key)
		})},
		{id: "idempotency/concurrent-one-charge", obligation: "The same attempt sent eight times at once is executed once.", rests: []string{"idempotency/same-key-one-charge"}, when: declaresResend, run: eachResendable(func(s *scene, p provider.Provider, a provider.Attempt) {
			a.Resend = true
			all(8, func(int) { _, _ = p.Submit(s.ctx, a) })
			s.one(a.Key)
		})},
		{id: "idempotency/after-restart", obligation: "The same attempt sent by a provider that was started again is executed once.", rests: []string{"idempotency/same-key-one-charge"}, when: declaresResend, run: eachResendable(func(s *scene, p provider.Provider, a provider.Attempt) {
			s.submit(p, a)
			s.must(p.Close(s.ctx))
			s.resend(s.start(), a)
			s.one(a.Key)
		})},
		{id: "idempotency/after-lost-answer", obligation: "The same attempt sent again after a lost answer is executed once.", rests: []string{"idempotency/same-key-one-charge"}, when: declaresResend, run: resentAfter("drop_after")},
		{id: "idempotency/after-garbled-answer", obligation: "The same attempt sent again after half an answer is executed once.", rests: []string{"idempotency/same-key-one-charge"}, when: declaresResend, run: resentAfter("garble")},
		{id: "idempotency/after-lost-request", obligation: "The same attempt sent again after a request that was not executed is executed once.", rests: []string{"idempotency/same-key-one-charge"}, when: declaresResend, run: resentAfter("drop_before")},
		{id: "idempotency/long-after", obligation: "The same attempt sent again a day later is executed once.", rests: []string{"idempotency/same-key-one-charge"}, when: declaresResend, run: eachResendable(func(s *scene, p provider.Provider, a provider.Attempt) {
			s.submit(p, a)
			s.box.advance(s, 24*time.Hour)
			s.resend(p, a)
			s.one(a.Key)
		})},
		{id: "idempotency/after-approval", obligation: "The same attempt sent again after it succeeded is executed once.", rests: []string{"idempotency/same-key-one-charge"}, when: declaresResend, run: eachResendable(func(s *scene, p provider.Provider, a provider.Attempt) {
			s.submit(p, a)
			s.box.settle(s, a.Key, "approved")
			s.resend(p, a)
			s.one(a.Key)
		})},
		{id: "idempotency/resend-claims-nothing", obligation: "An attempt that was executed is never said to be refused when it is sent again.", when: declaresResend, run: eachResendable(func(s *scene, p provider.Provider, a provider.Attempt) {
			s.submit(p, a)
			a.Resend = true
			o, err := p.Submit(s.ctx, a)
			if notExecuted(err) || err == nil && o.Status == provider.Failed {
				s.errorf("it answers %q, %v", o.Status, err)
			}
		})},
		{id: "idempotency/two-keys-two-charges", obligation: "Two attempts are two charges, however alike the payments are.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			b := a
			b.Key, b.Number = s.newKey(), 2
			s.submit(p, a)
			s.submit(p, b)
			s.one(a.Key)
			s.one(b.Key)
		})},
		{id: "idempotency/parallel-attempts", obligation: "Sixteen attempts at once are sixteen charges, each answered with its own reference.", rests: []string{"submit/echo", "idempotency/two-keys-two-charges"}, run: eachMain(parallelAttempts)},
	}
}

// eachResendable lets f judge a new attempt of each operation that may be sent again.
func eachResendable(f func(*scene, provider.Provider, provider.Attempt)) func(*scene) {
	return eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
		if c.Recovery.ResendSameKey {
			f(s, p, s.attempt(p, c))
		}
	})
}

// resend sends an attempt again. What comes of it the ledger tells.
func (s *scene) resend(p provider.Provider, a provider.Attempt) {
	a.Resend = true
	_, _ = p.Submit(s.ctx, a)
}

func resentAfter(do string) func(*scene) {
	return eachResendable(func(s *scene, p provider.Provider, a provider.Attempt) {
		s.box.lay(s, fault{On: "create", Do: do})
		_, _ = p.Submit(s.ctx, a)
		s.resend(p, a)
		s.one(a.Key)
	})
}

func parallelAttempts(s *scene, p provider.Provider, c *payment.Capability) {
	const n = 16
	first := s.attempt(p, c)
	attempts := make([]provider.Attempt, n)
	outcomes := make([]provider.Outcome, n)
	var failed atomic.Int64
	all(n, func(i int) {
		attempts[i] = first
		attempts[i].Key = s.newKey()
		var err error
		if outcomes[i], err = p.Submit(s.ctx, attempts[i]); err != nil {
			failed.Add(1)
		}
	})
	if failed.Load() > 0 {
		s.errorf("%d of %d were not taken", failed.Load(), n)
	}
	owner := map[string]string{}
	for i, a := range attempts {
		s.one(a.Key)
		s.echoes(a, outcomes[i])
		if r := outcomes[i].Reference; r != "" && owner[r] != "" {
			s.errorf("two attempts have the reference %q", r)
		}
		owner[outcomes[i].Reference] = a.Key
	}
}
