package conformance

import (
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func amountRules() []rule {
	return []rule{
		{id: "amounts/cents", obligation: "Where two decimals are declared, every centavo arrives.", rests: []string{"amounts/exact"}, when: declaresCents, run: eachFree(func(s *scene, p provider.Provider, c *payment.Capability) {
			if c.Decimals != 2 {
				return
			}
			for _, cents := range []int64{1, 10, 99} {
				a := s.attempt(p, c)
				a.Payment.Amount = payment.MoneyOfMinor(a.Payment.Amount.Minor() + cents)
				if c.Refusals(&a.Payment) == nil {
					s.submit(p, a)
					s.executed(a)
				}
			}
		})},
		{id: "amounts/no-cents", obligation: "Where no decimals are declared, centavos are refused as invalid.", when: declaresWhole, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			if c.Decimals == 0 {
				a := s.attempt(p, c)
				a.Payment.Amount = payment.MoneyOfMinor(a.Payment.Amount.Minor() + 1)
				s.refused(p, a, "an amount with a centavo", "amount")
			}
		})},
		{id: "amounts/least", obligation: "The least amount declared is taken, and one unit less is refused as invalid.", rests: []string{"contract/amount-bounds", "amounts/exact"}, when: declaresLeast, run: eachCapabilityRun(func(s *scene, p provider.Provider, c *payment.Capability) {
			if !c.AmountMin.IsZero() {
				s.bound(p, c, c.AmountMin, -unit(c))
			}
		})},
		{id: "amounts/greatest", obligation: "The greatest amount declared is taken, and one unit more is refused as invalid.", rests: []string{"contract/amount-bounds", "amounts/exact"}, when: declaresGreatest, run: eachCapabilityRun(func(s *scene, p provider.Provider, c *payment.Capability) {
			if !c.AmountMax.IsZero() {
				s.bound(p, c, c.AmountMax, unit(c))
			}
		})},
		{id: "amounts/other-currency", obligation: "A currency that is not declared is refused as invalid.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			a.Payment.Currency = "XTS" // ISO 4217's code for tests
			s.refused(p, a, "the currency XTS", "currency")
		})},
		{id: "amounts/lookup-echo", obligation: "A look-up's key, amount and currency are empty or ours.", rests: []string{"submit/echo"}, run: eachSubmitted(func(s *scene, p provider.Provider, a provider.Attempt, o provider.Outcome) {
			found, err := p.Lookup(s.ctx, query(a, o.Reference))
			s.must(err)
			s.echoes(a, found)
		})},
	}
}

func documentRules() []rule {
	return []rule{
		{id: "documents/declared-taken", obligation: "Each declared document type is taken.", rests: []string{"contract/document-types"}, when: declaresDocuments, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			for _, d := range c.DocumentTypes {
				a := s.attempt(p, c)
				a.Payment = withDocument(a.Payment, d)
				if len(c.Refusals(&a.Payment)) == 0 {
					s.submit(p, a)
					s.one(a.Key)
				}
			}
		})},
		{id: "documents/others-refused", obligation: "A document type that is not declared is refused as invalid, and named.", rests: []string{"contract/document-types"}, when: declaresDocuments, run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			for _, d := range payment.DocumentTypes() {
				a := s.attempt(p, c)
				a.Payment = withDocument(a.Payment, d)
				if !contains(c.DocumentTypes, d) {
					s.refused(p, a, "the document type "+string(d), partyOf(c)+".document.type")
				}
			}
		})},
	}
}

func contains(list []payment.DocumentType, d payment.DocumentType) bool {
	for _, declared := range list {
		if declared == d {
			return true
		}
	}
	return len(list) == 0
}

func partyOf(c *payment.Capability) string {
	if c.Operation == payment.PayOut {
		return "payee"
	}
	return "payer"
}

func withDocument(r payment.Request, d payment.DocumentType) payment.Request {
	if r.Operation == payment.PayOut {
		r.Payee.Document.Type, r.Payee.Kind = d, person(d).Kind
	} else {
		r.Payer.Document.Type, r.Payer.Kind = d, person(d).Kind
	}
	return r
}

// executed demands that the books have the attempt with its amount.
func (s *scene) executed(a provider.Attempt) {
	charges := s.box.charges(s, a.Key)
	if len(charges) != 1 || charges[0].Amount != a.Payment.Amount {
		s.errorf("%s by %s of %s: the books say %+v", a.Payment.Operation, a.Payment.Method, a.Payment.Amount, charges)
	}
}

// unit is the smallest step of an amount, in hundredths.
func unit(c *payment.Capability) int64 {
	if c.Decimals == 0 {
		return 100
	}
	return 1
}

// bound demands that amount is taken, and that amount and step is not.
func (s *scene) bound(p provider.Provider, c *payment.Capability, amount payment.Money, step int64) {
	a := s.attempt(p, c)
	if c.Operation != payment.Bill { // whose amount is the bill's
		a.Payment.Amount = amount
		s.submit(p, a)
		s.executed(a)
	}
	beyond := s.attempt(p, c)
	beyond.Payment.Amount = payment.MoneyOfMinor(amount.Minor() + step)
	s.refused(p, beyond, "an amount of "+beyond.Payment.Amount.String(), "amount")
}

// eachCapabilityRun calls f with one provider for every operation and method.
func eachCapabilityRun(f func(*scene, provider.Provider, *payment.Capability)) func(*scene) {
	return func(s *scene) {
		p := s.start()
		for i := range s.info.Capabilities {
			f(s, p, &s.info.Capabilities[i])
		}
	}
}

// eachFree is eachMain without bills, whose amounts are the billers'.
func eachFree(f func(*scene, provider.Provider, *payment.Capability)) func(*scene) {
	return eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
		if c.Operation != payment.Bill {
			f(s, p, c)
		}
	})
}

// anyCapability is a condition that one of the capabilities meets.
func anyCapability(f func(c *payment.Capability) bool) func(*Suite) bool {
	return func(s *Suite) bool {
		for i := range s.info.Capabilities {
			if f(&s.info.Capabilities[i]) {
				return true
			}
		}
		return false
	}
}

var (
	declaresCents     = anyCapability(func(c *payment.Capability) bool { return c.Decimals == 2 })
	declaresWhole     = anyCapability(func(c *payment.Capability) bool { return c.Decimals == 0 })
	declaresLeast     = anyCapability(func(c *payment.Capability) bool { return !c.AmountMin.IsZero() })
	declaresGreatest  = anyCapability(func(c *payment.Capability) bool { return !c.AmountMax.IsZero() })
	declaresDocuments = anyCapability(func(c *payment.Capability) bool { return len(c.DocumentTypes) > 0 })
	declaresPayIn     = anyCapability(func(c *payment.Capability) bool { return c.Operation == payment.PayIn })
	declaresByKey     = anyCapability(func(c *payment.Capability) bool { return c.Recovery.LookupByKey })
	declaresResend    = anyCapability(func(c *payment.Capability) bool { return c.Recovery.ResendSameKey })
)
