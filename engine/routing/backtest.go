package routing

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/cauce-pay/cauce/payment"
)

// Backtest compares what other rules decided about payments with what these rules would.
type Backtest struct {
	Payments  int               `json:"payments"`
	Elsewhere int               `json:"elsewhere"` // how many would go elsewhere first
	Moved     []Move            `json:"moved"`     // those, in the order in which they were added
	Providers map[string]*Share `json:"providers"` // by name, those that come first anywhere
}

// Move is a payment that would go elsewhere: to another provider first, or to none, or to one for the first time.
type Move struct {
	Payment string        `json:"payment"`
	Amount  payment.Money `json:"amount"`
	Before  string        `json:"before"` // a provider, or why there is none
	After   string        `json:"after"`
}

// Share is what one provider is the first choice for.
type Share struct {
	Before Volume `json:"before"`
	After  Volume `json:"after"`
	// Ended and Succeeded count the payments whose last attempt was there, as they really went.
	Ended     int `json:"ended"`
	Succeeded int `json:"succeeded"`
}

// Volume is a number of payments with their sum and what they cost by the fee in these rules, 0 where there is none.
type Volume struct {
	Count  int             `json:"count"`
	Amount decimal.Decimal `json:"amount"`
	Cost   decimal.Decimal `json:"cost"`
}

// Add decides a payment with these facts and compares it with what was decided.
func (b *Backtest) Add(r *Rules, p *payment.Payment, then payment.Decision, facts Facts) {
	if b.Providers == nil {
		b.Providers, b.Moved = map[string]*Share{}, []Move{}
	}
	b.Payments++
	before, after := firstChoice(then), firstChoice(r.Decide(&p.Request, facts))
	if before != after {
		b.Elsewhere++
		b.Moved = append(b.Moved, Move{p.ID, p.Amount, before.String(), after.String()})
	}
	if before.provider != "" {
		b.share(before.provider).Before.add(r, before.provider, p.Amount)
	}
	if after.provider != "" {
		b.share(after.provider).After.add(r, after.provider, p.Amount)
	}
	if p.Provider != "" && p.Status.Final() {
		s := b.share(p.Provider)
		if s.Ended++; p.Status == payment.Succeeded {
			s.Succeeded++
		}
	}
}

// Clone returns a copy that does not change with b.
func (b *Backtest) Clone() Backtest {
	c := *b
	c.Moved, c.Providers = append([]Move{}, b.Moved...), map[string]*Share{}
	for name, s := range b.Providers {
		share := *s
		c.Providers[name] = &share
	}
	return c
}

func (b *Backtest) share(provider string) *Share {
	s := b.Providers[provider]
	if s == nil {
		s = &Share{}
		b.Providers[provider] = s
	}
	return s
}

func (v *Volume) add(r *Rules, provider string, amount payment.Money) {
	v.Count++
	v.Amount = v.Amount.Add(amount.Decimal())
	for i := range r.providers {
		if p := &r.providers[i]; p.Name == provider && p.Fee != nil {
			v.Cost = v.Cost.Add(p.Fee.Of(amount))
		}
	}
}

// choice is where a decision sends a payment first: a provider, or none and why.
type choice struct{ provider, reject string }

func firstChoice(d payment.Decision) choice {
	switch {
	case d.Reject != "":
		return choice{reject: "rejected: " + string(d.Reject)}
	case d.Route == "":
		return choice{reject: payment.CodeNoRoute}
	case len(d.Providers) == 0:
		return choice{reject: payment.CodeNoCandidate}
	}
	return choice{provider: d.Providers[0]}
}

func (c choice) String() string { return c.provider + c.reject }

// Rate returns the share of ended payments that succeeded, like "97 of 100".
func (s *Share) Rate() string {
	if s.Ended == 0 {
		return "none ended"
	}
	return fmt.Sprintf("%d of %d", s.Succeeded, s.Ended)
}
