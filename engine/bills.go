package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// Biller is one company of the directory whose bills can be paid, merged by id over the providers. The name is that
// of the first provider in the order of the rules.
type Biller struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	AmountEditable bool     `json:"amount_editable"` // at one of the providers, another amount than the bill's can be paid
	Queryable      bool     `json:"queryable"`       // at one of the providers, Bill can tell the amount
	Providers      []string `json:"providers"`
}

// BillerPage is one page of billers; Next is "" on the last.
type BillerPage struct {
	Billers []Biller
	Next    string
}

// Billers returns the billers of the providers in order of id: those after a cursor ("" = from the first, else the
// Next of the page before), at most limit (0 = all). Lists are read and kept as those of Banks.
func (e *Engine) Billers(ctx context.Context, after string, limit int) (BillerPage, error) {
	if err := e.enter(); err != nil {
		return BillerPage{}, err
	}
	defer e.leave()
	byID := map[string]*Biller{}
	for _, r := range e.inOrder() {
		for _, b := range e.billerList(ctx, r) {
			biller := byID[b.ID]
			if biller == nil {
				biller = &Biller{ID: b.ID, Name: b.Name}
				byID[b.ID] = biller
			}
			biller.AmountEditable = biller.AmountEditable || b.AmountEditable
			biller.Queryable = biller.Queryable || b.Queryable
			biller.Providers = withOne(biller.Providers, r.name)
		}
	}
	page := BillerPage{Billers: []Biller{}}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		switch {
		case id <= after && after != "":
		case limit > 0 && len(page.Billers) == limit:
			page.Next = page.Billers[limit-1].ID
			return page, nil
		default:
			page.Billers = append(page.Billers, *byID[id])
		}
	}
	return page, nil
}

// billerList returns a provider's list of billers, reading it first where it was never read.
func (e *Engine) billerList(ctx context.Context, r *running) []provider.Biller {
	r.mu.Lock()
	unread := r.billers.ReadAt.IsZero()
	r.mu.Unlock()
	if unread {
		e.refreshBillers(ctx, r)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.billers.Items
}

// Bill is one bill, as a provider tells it.
type Bill struct {
	Biller         string        `json:"biller"`
	Reference      string        `json:"reference"`
	Amount         payment.Money `json:"amount"`
	AmountEditable bool          `json:"amount_editable"` // another amount can be paid
	Provider       string        `json:"provider"`        // who told it
}

// Bill asks the providers that have this biller, in the order of the rules, until one tells the bill. It is
// ErrNotFound where none has the biller, and a *provider.Error where none tells the bill: the first one's, but
// provider.CodeDeclined (the bill is paid already, say) at once.
func (e *Engine) Bill(ctx context.Context, biller, reference string) (Bill, error) {
	if err := e.enter(); err != nil {
		return Bill{}, err
	}
	defer e.leave()
	var refused *provider.Error
	for _, r := range e.inOrder() {
		p, ok := provider.WithBills(r.Provider)
		if !ok {
			continue
		}
		// A provider whose list could never be read is asked all the same: its answer says more than our ignorance.
		list := e.billerList(ctx, r)
		if len(list) > 0 && !slices.ContainsFunc(list, func(b provider.Biller) bool { return b.ID == biller }) {
			continue
		}
		detail, err := e.askBill(ctx, r, p, biller, reference)
		switch {
		case err == nil:
			return Bill{biller, reference, detail.Amount, detail.AmountEditable, r.name}, nil
		case err.Code == provider.CodeDeclined:
			return Bill{}, err
		case refused == nil:
			refused = err
		}
	}
	if refused != nil {
		return Bill{}, refused
	}
	return Bill{}, fmt.Errorf("%w: no provider has the biller %.64q", ErrNotFound, biller)
}

func (e *Engine) askBill(ctx context.Context, r *running, p provider.ProviderWithBills, biller, reference string) (provider.BillDetail, *provider.Error) {
	ctx, cancel := e.withTimeout(ctx, r.timeout)
	defer cancel()
	detail, err := guarded(ctx, e.crew, func() (provider.BillDetail, error) { return p.Bill(ctx, biller, reference) })
	if err == nil && (detail.Biller != biller || detail.Reference != reference) {
		err = provider.Errorf(provider.CodeUnknown, "provider %q told another bill than the one asked for", r.name)
	}
	return detail, provider.AsError(err)
}

// maxBillerPages bounds the pages of billers that are read in a row.
const maxBillerPages = 200

func (e *Engine) refreshBillers(ctx context.Context, r *running) {
	if p, ok := provider.WithBills(r.Provider); ok {
		refreshList(ctx, e, r, &r.billers, billersSetting(r), func(ctx context.Context) ([]provider.Biller, error) {
			return readBillers(ctx, e, r, p)
		})
	}
}

// readBillers reads all pages: a list with a page missing would tell that billers have gone.
func readBillers(ctx context.Context, e *Engine, r *running, p provider.ProviderWithBills) ([]provider.Biller, error) {
	var all []provider.Biller
	page := ""
	for range maxBillerPages {
		callCtx, cancel := e.withTimeout(ctx, r.timeout)
		answer, err := guarded(callCtx, e.crew, func() (provider.BillerPage, error) { return p.Billers(callCtx, page) })
		cancel()
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Billers...)
		if page = answer.Next; page == "" {
			return all, nil
		}
	}
	return nil, fmt.Errorf("it has more than %d pages of billers", maxBillerPages)
}
