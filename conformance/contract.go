package conformance

import (
	"regexp"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

var (
	pluginName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	semantic   = regexp.MustCompile(`^\d+\.\d+\.\d+([-+].+)?$`)
	isoCode    = regexp.MustCompile(`^[A-Z]{3}$`)
)

var abilities = []provider.Ability{
	provider.Notifications, provider.Banks, provider.Bills, provider.BalanceOf, provider.Statements,
}

func contractRules() []rule {
	return []rule{
		{id: "contract/info-valid", obligation: "Info keeps its own rules, before and after Configure.", offline: true, run: func(s *scene) {
			for _, info := range []provider.Info{s.raw, s.info} {
				if err := info.Validate(); err != nil {
					s.errorf("%v", err)
				}
			}
		}},
		{id: "contract/name", obligation: "The name is lower-case words joined by hyphens.", offline: true, run: func(s *scene) {
			if !pluginName.MatchString(s.info.Name) {
				s.errorf("the name is %q", s.info.Name)
			}
		}},
		{id: "contract/version", obligation: "The version is a semantic one.", offline: true, run: func(s *scene) {
			if !semantic.MatchString(s.info.Version) {
				s.errorf("the version is %q, not like 1.2.3", s.info.Version)
			}
		}},
		{id: "contract/info-stable", obligation: "Configure changes neither name, version, operations nor abilities.", offline: true, run: infoStable},
		{id: "contract/abilities", obligation: "Abilities are known words, each declared once, and each can be asked for.", offline: true, run: abilitiesAnswer},
		{id: "contract/undeclared-refused", obligation: "An ability that is not declared answers with an error.", offline: true, run: undeclaredRefused},
		{id: "contract/capabilities-once", obligation: "Each operation and method is declared once.", offline: true, run: eachCapability(func(s *scene, c payment.Capability) {
			if n := len(slices.DeleteFunc(slices.Clone(s.info.Capabilities), func(o payment.Capability) bool { return !o.Takes(c.Operation, c.Method) })); n > 1 {
				s.errorf("%s by %s is declared %d times", c.Operation, c.Method, n)
			}
		})},
		{id: "contract/amount-bounds", obligation: "Amount bounds are not negative, and the least is not above the greatest.", offline: true, run: eachCapability(func(s *scene, c payment.Capability) {
			if c.AmountMin.Minor() < 0 || c.AmountMax.Minor() < 0 || !c.AmountMax.IsZero() && c.AmountMin.Cmp(c.AmountMax) > 0 {
				s.errorf("%s by %s takes %s to %s", c.Operation, c.Method, c.AmountMin, c.AmountMax)
			}
		})},
		{id: "contract/currencies", obligation: "Currencies are ISO 4217 codes.", offline: true, run: eachCapability(func(s *scene, c payment.Capability) {
			for _, currency := range c.Currencies {
				if !isoCode.MatchString(currency) {
					s.errorf("%s by %s takes the currency %q", c.Operation, c.Method, currency)
				}
			}
		})},
		{id: "contract/document-types", obligation: "Document types are known words.", offline: true, run: eachCapability(func(s *scene, c payment.Capability) {
			for _, d := range c.DocumentTypes {
				if !slices.Contains(payment.DocumentTypes(), d) {
					s.errorf("%s by %s takes the document type %q", c.Operation, c.Method, d)
				}
			}
		})},
		{id: "contract/recovery", obligation: "A lost answer can be cleared up: by key, by sending again, by abandoning, or by a notification.", offline: true, run: eachCapability(func(s *scene, c payment.Capability) {
			r := c.Recovery
			if !r.LookupByKey && !r.ResendSameKey && !r.AbandonIfUnanswered && !s.info.Has(provider.Notifications) {
				s.errorf("%s by %s has no way out of doubt", c.Operation, c.Method)
			}
			if r.AbsentAfter < 0 || r.ExpiresAfter < 0 || s.info.KeyRetention < 0 {
				s.errorf("%s by %s declares a negative time", c.Operation, c.Method)
			}
		})},
		{id: "contract/abandon-redirects-only", obligation: "Only a pay-in is ever abandoned.", offline: true, run: eachCapability(func(s *scene, c payment.Capability) {
			if c.Recovery.AbandonIfUnanswered && c.Operation != payment.PayIn {
				s.errorf("%s by %s moves money without the payer, and is abandoned when unanswered", c.Operation, c.Method)
			}
		})},
		{id: "contract/assumptions", obligation: "Assumptions are one line each.", offline: true, run: func(s *scene) {
			for _, a := range s.info.Assumptions {
				if strings.TrimSpace(a) == "" || strings.ContainsRune(a, '\n') {
					s.errorf("the assumption %q", a)
				}
			}
		}},
	}
}

func eachCapability(f func(*scene, payment.Capability)) func(*scene) {
	return func(s *scene) {
		for _, c := range s.info.Capabilities {
			f(s, c)
		}
	}
}

func infoStable(s *scene) {
	if s.raw.Name != s.info.Name || s.raw.Version != s.info.Version {
		s.errorf("%s %s becomes %s %s", s.raw.Name, s.raw.Version, s.info.Name, s.info.Version)
	}
	if !slices.Equal(s.raw.Abilities, s.info.Abilities) {
		s.errorf("the abilities %v become %v", s.raw.Abilities, s.info.Abilities)
	}
	takes := func(c []payment.Capability) (list []string) {
		for i := range c {
			list = append(list, string(c[i].Operation)+" by "+string(c[i].Method))
		}
		return list
	}
	if before, after := takes(s.raw.Capabilities), takes(s.info.Capabilities); !slices.Equal(before, after) {
		s.errorf("%v become %v", before, after)
	}
}

func abilitiesAnswer(s *scene) {
	p := s.start()
	asked := map[provider.Ability]func() bool{
		provider.Notifications: func() bool { _, ok := provider.WithNotifications(p); return ok },
		provider.Banks:         func() bool { _, ok := provider.WithBanks(p); return ok },
		provider.Bills:         func() bool { _, ok := provider.WithBills(p); return ok },
		provider.BalanceOf:     func() bool { _, ok := provider.WithBalance(p); return ok },
		provider.Statements:    func() bool { _, ok := provider.WithStatement(p); return ok },
	}
	for i, a := range s.info.Abilities {
		switch ask := asked[a]; {
		case ask == nil:
			s.errorf("the ability %q is not known; there are %v", a, abilities)
		case !ask():
			s.errorf("the ability %q is declared and its methods are missing", a)
		case slices.Contains(s.info.Abilities[:i], a):
			s.errorf("the ability %q is declared twice", a)
		}
	}
}

func undeclaredRefused(s *scene) {
	p := s.start()
	tried := map[provider.Ability]func() error{
		provider.Notifications: func() error {
			w, ok := p.(provider.ProviderWithNotifications)
			if !ok {
				return errNone
			}
			_, err := w.ParseNotification(s.ctx, provider.Notification{Method: "POST", Body: []byte("{}")})
			return err
		},
		provider.Banks: func() error {
			w, ok := p.(provider.ProviderWithBanks)
			if !ok {
				return errNone
			}
			_, err := w.Banks(s.ctx, payment.PSE)
			return err
		},
		provider.Bills: func() error {
			w, ok := p.(provider.ProviderWithBills)
			if !ok {
				return errNone
			}
			_, err := w.Billers(s.ctx, "")
			return err
		},
		provider.BalanceOf: func() error {
			w, ok := p.(provider.ProviderWithBalance)
			if !ok {
				return errNone
			}
			_, err := w.Balance(s.ctx)
			return err
		},
		provider.Statements: func() error {
			w, ok := p.(provider.ProviderWithStatement)
			if !ok {
				return errNone
			}
			_, err := w.Statement(s.ctx, "")
			return err
		},
	}
	for _, a := range abilities {
		if !s.info.Has(a) && tried[a]() == nil {
			s.errorf("the ability %q is not declared, and answers", a)
		}
	}
}

// errNone stands for the methods that a provider does not even have.
var errNone = provider.Errorf(provider.CodeInvalid, "there is no such method")
