package conformance

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// maxPages is more pages than any directory has.
const maxPages = 1_000

func directoryRules() []rule {
	return slices.Concat(bankRules(), billRules(), balanceRules())
}

// brokenDirectory are the rules that a call of that kind is an error when its answer is none.
func brokenDirectory(prefix, kind, what string, a provider.Ability, call func(context.Context, *scene, provider.Provider) error) []rule {
	var list []rule
	for _, broken := range []struct {
		id, when string
		fault    fault
	}{
		{"drop", "has no answer", fault{Do: "drop_before"}},
		{"500", "fails", fault{Do: "answer", Status: http.StatusInternalServerError}},
		{"html", "is answered with a page", fault{Do: "answer", Status: http.StatusOK, Body: htmlPage}},
		{"garble", "is answered by half", fault{Do: "garble"}},
	} {
		list = append(list, rule{
			id: prefix + "-" + broken.id, obligation: what + " that " + broken.when + " is an error, never an empty answer.",
			when: declares(a), run: func(s *scene) {
				f := broken.fault
				f.On, f.Times = kind, 10
				s.box.lay(s, f)
				p := s.start()
				_ = call(s.ctx, s, p)
				if s.box.count(s, kind) == 0 { // it keeps a table of its own
					return
				}
				if err := call(s.ctx, s, p); err == nil {
					s.errorf("it succeeds")
				}
			},
		})
	}
	return list
}

func bankRules() []rule {
	list := []rule{
		{id: "banks/listed", obligation: "There are banks, each with a name and a code of the PSE network, once.", run: eachBanks(func(s *scene, m payment.Method, banks []provider.Bank) {
			seen := map[string]bool{}
			for _, b := range banks {
				if !payment.IsBankCode(b.Code) || strings.TrimSpace(b.Name) == "" || seen[b.Code] {
					s.errorf("by %s: the bank %q %q", m, b.Code, b.Name)
				}
				seen[b.Code] = true
			}
		})},
		{id: "banks/same-again", obligation: "The list of banks is the same when it is asked for again.", run: eachBanks(func(s *scene, m payment.Method, banks []provider.Bank) {
			p, _ := provider.WithBanks(s.start())
			if again, err := p.Banks(s.ctx, m); err != nil || !slices.Equal(banks, again) {
				s.errorf("by %s: %v becomes %v, %v", m, banks, again, err)
			}
		})},
		{id: "banks/other-method", obligation: "Banks of a method that is not declared are an error.", run: func(s *scene) {
			p, _ := provider.WithBanks(s.start())
			if list, err := p.Banks(s.ctx, "conformance"); err == nil {
				s.errorf("there are %d", len(list))
			}
		}},
		{id: "banks/unlisted", obligation: "A payment that must name a bank, and names one that is not listed, executes nothing.", run: func(s *scene) {
			for _, c := range s.main() {
				i := slices.IndexFunc(c.Required, func(path string) bool { return strings.HasSuffix(path, ".bank") })
				if i < 0 {
					continue
				}
				p := s.start()
				a := s.attempt(p, c)
				a.Payment = set(a.Payment, c.Required[i], "9999")
				o, err := p.Submit(s.ctx, a)
				if err == nil && o.Status != provider.Rejected {
					s.errorf("it is taken as %q", o.Status)
				}
				if n := len(s.box.charges(s, a.Key)); n > 0 {
					s.errorf("%d charges were made", n)
				}
			}
		}},
	}
	for i := range list {
		list[i].when = declares(provider.Banks)
	}
	return append(list, brokenDirectory("banks/broken", "banks", "A list of banks", provider.Banks, func(ctx context.Context, s *scene, p provider.Provider) error {
		with, _ := provider.WithBanks(p)
		_, err := with.Banks(ctx, s.banksMethod())
		return err
	})...)
}

// banksMethod is a declared method whose payments name a bank.
func (s *Suite) banksMethod() payment.Method {
	for _, c := range s.info.Capabilities {
		if c.Method == payment.PSE || c.Method == payment.BankTransfer {
			return c.Method
		}
	}
	return s.info.Capabilities[0].Method
}

func eachBanks(f func(*scene, payment.Method, []provider.Bank)) func(*scene) {
	return func(s *scene) {
		p, _ := provider.WithBanks(s.start())
		m := s.banksMethod()
		banks, err := p.Banks(s.ctx, m)
		s.must(err)
		if len(banks) == 0 {
			s.fatalf("by %s there is none", m)
		}
		f(s, m, banks)
	}
}

func billRules() []rule {
	list := []rule{
		{id: "billers/listed", obligation: "There are billers, each with an id and a name, once over all pages, and the pages end.", run: func(s *scene) {
			seen := map[string]bool{}
			p, _ := provider.WithBills(s.start())
			page := ""
			for range maxPages {
				got, err := p.Billers(s.ctx, page)
				s.must(err)
				for _, b := range got.Billers {
					if b.ID == "" || strings.TrimSpace(b.Name) == "" || seen[b.ID] {
						s.errorf("the biller %+v", b)
					}
					seen[b.ID] = true
				}
				if page = got.Next; page == "" {
					if len(seen) == 0 {
						s.errorf("there is none")
					}
					return
				}
			}
			s.errorf("there are more than %d pages", maxPages)
		}},
		{id: "billers/unknown-page", obligation: "A page that does not exist is an error or empty.", run: func(s *scene) {
			p, _ := provider.WithBills(s.start())
			if got, err := p.Billers(s.ctx, "conformance"); err == nil && len(got.Billers) > 0 {
				s.errorf("it has %d billers", len(got.Billers))
			}
		}},
		{id: "bills/amount", obligation: "A bill has its biller, its reference and an amount.", run: func(s *scene) {
			p := s.start()
			ref, _ := s.bill(p, payment.Money{})
			with, _ := provider.WithBills(p)
			b, err := with.Bill(s.ctx, ref.Biller, ref.Reference)
			s.must(err)
			if b.Biller != ref.Biller || b.Reference != ref.Reference || b.Amount.Minor() <= 0 {
				s.errorf("the bill %+v is answered with %+v", ref, b)
			}
		}},
		{id: "bills/unknown-biller", obligation: "A bill of an unknown biller is an error, and cannot be paid.", run: func(s *scene) {
			p := s.start()
			with, _ := provider.WithBills(p)
			if b, err := with.Bill(s.ctx, "conformance", exampleReference); err == nil {
				s.errorf("there is %+v", b)
			}
			a := s.attempt(p, payment.CapabilityFor(s.info.Capabilities, payment.Bill, payment.BillPayment))
			a.Payment.Bill.Biller = "conformance"
			if o, err := p.Submit(s.ctx, a); err == nil {
				s.errorf("it is paid: %q", o.Status)
			}
			if n := len(s.box.charges(s, a.Key)); n > 0 {
				s.errorf("%d payments were made", n)
			}
		}},
		{id: "bills/other-amount", obligation: "A bill of a fixed amount is not paid with another.", rests: []string{"submit/taken"}, run: func(s *scene) {
			p := s.start()
			a := s.attempt(p, payment.CapabilityFor(s.info.Capabilities, payment.Bill, payment.BillPayment))
			a.Payment.Amount = payment.MoneyOfMinor(a.Payment.Amount.Minor() + 100)
			s.refused(p, a, "another amount than the bill's", "amount")
		}},
		{id: "bills/asking-pays-nothing", obligation: "Asking for billers and bills pays nothing.", run: func(s *scene) {
			p := s.start()
			s.bill(p, payment.Money{})
			s.bill(p, payment.Money{})
			if n := len(s.box.ledger(s)); n > 0 {
				s.errorf("%d payments were made", n)
			}
		}},
	}
	for i := range list {
		list[i].when = declares(provider.Bills)
	}
	return slices.Concat(list,
		brokenDirectory("billers/broken", "billers", "A list of billers", provider.Bills, func(ctx context.Context, _ *scene, p provider.Provider) error {
			with, _ := provider.WithBills(p)
			_, err := with.Billers(ctx, "")
			return err
		}),
		brokenDirectory("bills/broken", "bill", "A question for a bill", provider.Bills, func(ctx context.Context, s *scene, p provider.Provider) error {
			with, _ := provider.WithBills(p)
			_, err := with.Bill(ctx, s.fixedBiller(with), exampleReference)
			return err
		}))
}

func balanceRules() []rule {
	return append([]rule{
		{id: "balance/told", obligation: "A balance has a currency, and no negative overdraft.", when: declares(provider.BalanceOf), run: func(s *scene) {
			p, _ := provider.WithBalance(s.start())
			b, err := p.Balance(s.ctx)
			s.must(err)
			if !isoCode.MatchString(b.Currency) || b.Overdraft.Minor() < 0 {
				s.errorf("it is %+v", b)
			}
		}},
	}, brokenDirectory("balance/broken", "balance", "A question for the balance", provider.BalanceOf, func(ctx context.Context, _ *scene, p provider.Provider) error {
		with, _ := provider.WithBalance(p)
		_, err := with.Balance(ctx)
		return err
	})...)
}

func statementRules() []rule {
	list := []rule{
		{id: "statement/same-as-books", obligation: "A statement has every charge of the books, with its key, its amount, and its success.", run: func(s *scene) {
			p, _ := provider.WithStatement(s.start())
			for range 3 {
				s.submitted(p, s.main()[0])
			}
			paid, _ := s.submitted(p, s.main()[0])
			s.box.settle(s, paid.Key, "approved")
			lines := s.statement(p)
			for _, e := range s.box.ledger(s) {
				l, ok := lines[e.Key]
				if !ok || l.Amount != e.Amount || l.Currency != "" && l.Currency != e.Currency || e.Status == "approved" && l.Status != provider.Succeeded {
					s.errorf("the books have %+v, the statement %+v", e, l)
				}
			}
		}},
		{id: "statement/pages", obligation: "The pages of a statement have each of 45 charges once, and end.", rests: []string{"idempotency/two-keys-two-charges"}, run: func(s *scene) {
			p, _ := provider.WithStatement(s.start())
			first := s.attempt(p, s.main()[0])
			for range 45 {
				first.Key = s.newKey()
				s.submit(p, first)
			}
			if n := len(s.statement(p)); n != 45 {
				s.errorf("it has %d lines", n)
			}
		}},
		{id: "statement/empty", obligation: "A statement of nothing is empty, not an error.", run: func(s *scene) {
			p, _ := provider.WithStatement(s.start())
			if n := len(s.statement(p)); n != 0 {
				s.errorf("it has %d lines", n)
			}
		}},
	}
	for i := range list {
		list[i].when = declares(provider.Statements)
	}
	return append(list, brokenDirectory("statement/broken", "statement", "A statement", provider.Statements, func(ctx context.Context, _ *scene, p provider.Provider) error {
		with, _ := provider.WithStatement(p)
		_, err := with.Statement(ctx, "")
		return err
	})...)
}

// statement reads all pages, by key.
func (s *scene) statement(p provider.ProviderWithStatement) map[string]provider.StatementLine {
	lines := map[string]provider.StatementLine{}
	page := ""
	for range maxPages {
		got, err := p.Statement(s.ctx, page)
		s.must(err)
		for _, l := range got.Lines {
			if _, twice := lines[l.Key]; twice {
				s.errorf("the key %q stands in it twice", l.Key)
			}
			lines[l.Key] = l
		}
		if page = got.Next; page == "" {
			return lines
		}
	}
	s.fatalf("there are more than %d pages", maxPages)
	return nil
}
