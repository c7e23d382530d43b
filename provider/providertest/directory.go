package providertest

import (
	"context"
	"slices"
	"strconv"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// Banks implements provider.ProviderWithBanks.
func (p *Provider) Banks(context.Context, payment.Method) ([]provider.Bank, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.banks), p.readErr
}

// billersPage is how many billers a page has.
const billersPage = 2

// Billers implements provider.ProviderWithBills, in pages of two.
func (p *Provider) Billers(_ context.Context, page string) (provider.BillerPage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readErr != nil {
		return provider.BillerPage{}, p.readErr
	}
	first := 0
	if page != "" {
		var err error
		if first, err = strconv.Atoi(page); err != nil || first < 0 || first > len(p.billers) {
			return provider.BillerPage{}, provider.Errorf(provider.CodeInvalid, "there is no page %q", page)
		}
	}
	next := min(first+billersPage, len(p.billers))
	out := provider.BillerPage{Billers: slices.Clone(p.billers[first:next])}
	if next < len(p.billers) {
		out.Next = strconv.Itoa(next)
	}
	return out, nil
}

// Bill implements provider.ProviderWithBills.
func (p *Provider) Bill(_ context.Context, biller, reference string) (provider.BillDetail, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readErr != nil {
		return provider.BillDetail{}, p.readErr
	}
	for _, b := range p.bills {
		if b.Biller == biller && b.Reference == reference {
			return b, nil
		}
	}
	return provider.BillDetail{}, &provider.Error{Code: provider.CodeInvalid, Message: "there is no such bill", Field: "bill.reference"}
}

// Balance implements provider.ProviderWithBalance.
func (p *Provider) Balance(context.Context) (provider.Balance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.balance, p.readErr
}

// Statement implements provider.ProviderWithStatement: a page is named by its number, from 0.
func (p *Provider) Statement(_ context.Context, page string) (provider.StatementPage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	if page != "" {
		var err error
		if n, err = strconv.Atoi(page); err != nil || n < 0 {
			return provider.StatementPage{}, provider.Errorf(provider.CodeInvalid, "there is no page %q", page)
		}
	}
	if p.readErr != nil || n >= len(p.statement) {
		return provider.StatementPage{}, p.readErr
	}
	answer := provider.StatementPage{Lines: slices.Clone(p.statement[n])}
	if n+1 < len(p.statement) {
		answer.Next = strconv.Itoa(n + 1)
	}
	return answer, nil
}
