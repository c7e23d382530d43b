package engine

import (
	"context"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// Balance is our account at a provider.
type Balance struct {
	Available payment.Money `json:"available"`
	Overdraft payment.Money `json:"overdraft"` // how far below zero it may go
	Currency  string        `json:"currency"`
	ReadAt    time.Time     `json:"read_at"`
}

// balance is the last balance that a provider told, and when it was last asked.
type balance struct {
	last    *Balance
	askedAt time.Time
}

const (
	balanceAge     = 10 * time.Second // of a balance that is not asked again
	balanceTimeout = 5 * time.Second
)

// refreshBalances asks the providers at once for those balances that are old.
func (e *Engine) refreshBalances(ctx context.Context) {
	if e.enter() != nil {
		return // closed: the last ones stay
	}
	defer e.leave()
	var all sync.WaitGroup
	for _, r := range e.state.Load().providers {
		if p, ok := provider.WithBalance(r.Provider); ok {
			all.Go(func() { e.refreshBalance(ctx, r, p) })
		}
	}
	all.Wait()
}

func (e *Engine) refreshBalance(ctx context.Context, r *running, p provider.ProviderWithBalance) {
	r.mu.Lock()
	old := e.isOld(r.balance.askedAt, balanceAge)
	if old {
		r.balance.askedAt = e.now()
	}
	r.mu.Unlock()
	if !old {
		return
	}
	ctx, cancel := e.withTimeout(ctx, min(r.timeout, balanceTimeout))
	defer cancel()
	b, err := guarded(ctx, e.crew, func() (provider.Balance, error) { return p.Balance(ctx) })
	if err != nil {
		e.log.Warn("a provider's balance could not be read", "provider", r.name, "error", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.balance.last = &Balance{b.Available, b.Overdraft, b.Currency, e.now()}
}
