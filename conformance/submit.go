package conformance

import (
	"net/url"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

var submitStatuses = []provider.Status{
	provider.Pending, provider.Authorized, provider.Succeeded, provider.Rejected, provider.Expired, provider.Failed,
}

// takenRules are those on which nearly all others rest.
func takenRules() []rule {
	return []rule{
		{id: "check/good", obligation: "Check succeeds with good credentials, and moves no money.", run: func(s *scene) {
			if err := s.start().Check(s.ctx); err != nil {
				s.errorf("Check: %v", err)
			}
			if n := len(s.box.ledger(s)); n > 0 {
				s.errorf("the ledger has %d entries after Check", n)
			}
		}},
		{
			id: "submit/taken", obligation: "A payment that fits what is declared is taken, by each operation and method, and executed once.",
			rests: []string{"contract/info-valid", "contract/amount-bounds", "config/required-only"},
			run: func(s *scene) {
				p := s.start()
				for i := range s.info.Capabilities {
					a := s.attempt(p, &s.info.Capabilities[i])
					before := len(s.box.ledger(s))
					s.submit(p, a)
					if n := len(s.box.ledger(s)) - before; n != 1 {
						s.errorf("%s by %s: the ledger has %d entries more, not 1", a.Payment.Operation, a.Payment.Method, n)
					}
				}
			},
		},
		{id: "submit/key-sent", obligation: "The attempt's own key reaches the provider.", rests: []string{"submit/taken"}, run: eachSubmitted(func(s *scene, _ provider.Provider, a provider.Attempt, _ provider.Outcome) {
			if len(s.box.charges(s, a.Key)) == 0 {
				s.errorf("no entry of the ledger has the key: %+v", s.box.ledger(s))
			}
		})},
	}
}

// handoverRules are about what is executed.
func handoverRules() []rule {
	return []rule{
		{id: "submit/one-call", obligation: "One hand-over is one call that creates something.", run: func(s *scene) {
			s.submitted(s.start(), s.main()[0])
			if n := s.box.count(s, "create"); n != 1 {
				s.errorf("%d calls were made", n)
			}
		}},
		{id: "submit/operation", obligation: "What is executed is the operation that was asked for.", run: eachSubmitted(func(s *scene, _ provider.Provider, a provider.Attempt, _ provider.Outcome) {
			for _, e := range s.box.charges(s, a.Key) {
				if e.Operation != a.Payment.Operation {
					s.errorf("the books say %q, not %q", e.Operation, a.Payment.Operation)
				}
			}
		})},
		{id: "amounts/exact", obligation: "The amount that is executed is the amount that was asked for.", run: eachSubmitted(func(s *scene, _ provider.Provider, a provider.Attempt, _ provider.Outcome) {
			s.executed(a)
		})},
		{id: "amounts/currency", obligation: "The currency that is executed is the one that was asked for.", run: eachSubmitted(func(s *scene, _ provider.Provider, a provider.Attempt, _ provider.Outcome) {
			for _, e := range s.box.charges(s, a.Key) {
				if e.Currency != a.Payment.Currency {
					s.errorf("the books say %q, not %q", e.Currency, a.Payment.Currency)
				}
			}
		})},
	}
}

// outcomeRules are about what the provider says of it.
func outcomeRules() []rule {
	return []rule{
		{id: "submit/status", obligation: "An outcome has one of the statuses of a hand-over.", run: eachSubmitted(func(s *scene, _ provider.Provider, _ provider.Attempt, o provider.Outcome) {
			if !slices.Contains(submitStatuses, o.Status) {
				s.errorf("the status is %q", o.Status)
			}
		})},
		{id: "submit/true-status", obligation: "An outcome does not claim what the provider's books deny.", rests: []string{"submit/status"}, run: eachSubmitted(func(s *scene, _ provider.Provider, a provider.Attempt, o provider.Outcome) {
			for _, e := range s.box.charges(s, a.Key) {
				if o.Status == provider.Succeeded && e.Status != "approved" || e.Status == "pending" && o.Status != provider.Pending {
					s.errorf("the outcome is %q, the books say %q", o.Status, e.Status)
				}
			}
		})},
		{id: "submit/reference", obligation: "An outcome carries what the next look-up needs.", run: eachSubmitted(func(s *scene, _ provider.Provider, a provider.Attempt, o provider.Outcome) {
			if c := payment.CapabilityFor(s.info.Capabilities, a.Payment.Operation, a.Payment.Method); o.Reference == "" && !c.Recovery.LookupByKey {
				s.errorf("the outcome has no reference, and there is no look-up by key")
			}
		})},
		{id: "submit/echo", obligation: "Key, amount and currency of an outcome are empty or ours.", rests: []string{"amounts/exact", "amounts/currency"}, run: eachSubmitted(func(s *scene, _ provider.Provider, a provider.Attempt, o provider.Outcome) {
			s.echoes(a, o)
		})},
		{id: "submit/redirect", obligation: "A pending pay-in has an action with an absolute URL; nothing else has one.", rests: []string{"submit/operation", "submit/true-status"}, run: eachSubmitted(redirects)},
	}
}

// refusalRules are about what must be refused before anybody hears of it, and what must not.
func refusalRules() []rule {
	return []rule{
		{id: "submit/undeclared-method", obligation: "An operation or method that is not declared is refused as invalid.", run: undeclaredMethods},
		{id: "submit/required-fields", obligation: "A payment without a required field is refused as invalid, and the field is named.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			for _, path := range c.Required {
				a := s.attempt(p, c)
				a.Payment = set(a.Payment, path, "")
				s.refused(p, a, "without "+path, path)
			}
		})},
		{id: "submit/field-lengths", obligation: "A field longer or shorter than declared is refused as invalid, and named.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			for _, l := range c.Limits {
				a := s.attempt(p, c)
				if l.MaxLength > 0 {
					a.Payment = set(a.Payment, l.Field, strings.Repeat("7", l.MaxLength+1))
					s.refused(p, a, l.Field+" that is too long", l.Field)
				}
				if l.MinLength > 1 {
					a = s.attempt(p, c)
					a.Payment = set(a.Payment, l.Field, "7")
					s.refused(p, a, l.Field+" that is too short", l.Field)
				}
			}
		})},
		{id: "submit/field-patterns", obligation: "A field that does not match its declared pattern is refused as invalid, and named.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			for _, l := range c.Limits {
				a := s.attempt(p, c)
				a.Payment = set(a.Payment, l.Field, "~")
				if l.Pattern != "" && len(c.Refusals(&a.Payment)) > 0 {
					s.refused(p, a, l.Field+" that does not match", l.Field)
				}
			}
		})},
		{id: "submit/no-key", obligation: "An attempt without a key is refused as invalid.", run: func(s *scene) {
			p := s.start()
			a := s.attempt(p, s.main()[0])
			a.Key = ""
			s.refused(p, a, "without a key", "")
			if n := len(s.box.ledger(s)); n > 0 {
				s.errorf("%d charges were made", n)
			}
		}},
		{id: "submit/name-parts", obligation: "First and last name do as well as the full name.", run: eachMain(func(s *scene, p provider.Provider, c *payment.Capability) {
			a := s.attempt(p, c)
			a.Payment.Payer.Name, a.Payment.Payee.Name = "", ""
			if len(c.Refusals(&a.Payment)) == 0 {
				s.submit(p, a)
				s.one(a.Key)
			}
		})},
	}
}

// eachSubmitted hands over one payment by each operation and method, and lets f judge the outcome.
func eachSubmitted(f func(*scene, provider.Provider, provider.Attempt, provider.Outcome)) func(*scene) {
	return func(s *scene) {
		p := s.start()
		for i := range s.info.Capabilities {
			a, o := s.submitted(p, &s.info.Capabilities[i])
			f(s, p, a, o)
		}
	}
}

// eachMain calls f with a new provider for the first method of each operation.
func eachMain(f func(*scene, provider.Provider, *payment.Capability)) func(*scene) {
	return func(s *scene) {
		for _, c := range s.main() {
			f(s, s.start(), c)
		}
	}
}

// echoes compares what the provider says with what was asked for.
func (s *scene) echoes(a provider.Attempt, o provider.Outcome) {
	if o.Key != "" && o.Key != a.Key {
		s.errorf("the outcome's key is %q, not %q", o.Key, a.Key)
	}
	if !o.Amount.IsZero() && o.Amount != a.Payment.Amount {
		s.errorf("the outcome's amount is %s, not %s", o.Amount, a.Payment.Amount)
	}
	if o.Currency != "" && o.Currency != a.Payment.Currency {
		s.errorf("the outcome's currency is %q, not %q", o.Currency, a.Payment.Currency)
	}
}

func redirects(s *scene, _ provider.Provider, a provider.Attempt, o provider.Outcome) {
	switch waits := a.Payment.Operation == payment.PayIn && o.Status == provider.Pending; {
	case waits && o.Action == nil:
		s.errorf("%s by %s: the payer has nothing to do", a.Payment.Operation, a.Payment.Method)
	case !waits && o.Action != nil:
		s.errorf("%s by %s, %s: there is no payer to send to %s", a.Payment.Operation, a.Payment.Method, o.Status, o.Action.URL)
	case waits:
		if u, err := url.Parse(o.Action.URL); err != nil || o.Action.Type != "redirect" || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			s.errorf("the action is %q to %q", o.Action.Type, o.Action.URL)
		}
	}
}

func undeclaredMethods(s *scene) {
	p := s.start()
	for _, o := range payment.Operations() {
		for _, m := range o.Methods() {
			if payment.CapabilityFor(s.info.Capabilities, o, m) != nil {
				continue
			}
			a := s.attempt(p, s.main()[0])
			a.Payment.Operation, a.Payment.Method = o, m
			s.refused(p, a, string(o)+" by "+string(m), "")
		}
	}
}
