package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// kept is one of a provider's lists: the last good copy, in memory and in the store, which stays while no newer one
// can be had.
type kept[T any] struct {
	ReadAt time.Time `json:"read_at"` // zero = never
	Items  []T       `json:"items"`   // never changed in place
}

// listsEvery is how old a list gets before it is read anew.
const listsEvery = 24 * time.Hour

func banksSetting(r *running, method payment.Method) string {
	return "banks/" + r.name + "/" + string(method)
}

func billersSetting(r *running) string { return "billers/" + r.name }

// loadDirectories reads the last good copies of a provider's lists from the store.
func (e *Engine) loadDirectories(ctx context.Context, r *running) error {
	r.banks = map[payment.Method]*kept[provider.Bank]{}
	if _, ok := provider.WithBanks(r.Provider); ok {
		for _, c := range r.info.Capabilities {
			r.banks[c.Method] = &kept[provider.Bank]{}
			if r.otherAccount {
				continue // it may have other banks
			}
			if err := loadList(ctx, e, r.banks[c.Method], banksSetting(r, c.Method)); err != nil {
				return err
			}
		}
	}
	if r.otherAccount {
		return nil
	}
	return loadList(ctx, e, &r.billers, billersSetting(r))
}

func loadList[T any](ctx context.Context, e *Engine, list *kept[T], setting string) error {
	var stored kept[T]
	_, err := readSetting(ctx, e.store, setting, &stored)
	switch {
	case errors.Is(err, errForm): // written by another version: read anew
	case err != nil:
		return fmt.Errorf("engine: the list kept as %s could not be read: %w", setting, err)
	case len(stored.Items) > 0:
		*list = stored
	}
	return nil
}

// refreshDirectories reads those of a provider's lists anew that are a day old.
func (e *Engine) refreshDirectories(ctx context.Context, r *running) {
	e.refreshBanks(ctx, r)
	e.refreshBillers(ctx, r)
}

func (e *Engine) refreshBanks(ctx context.Context, r *running) {
	p, ok := provider.WithBanks(r.Provider)
	if !ok {
		return
	}
	for method, list := range r.banks {
		refreshed := refreshList(ctx, e, r, list, banksSetting(r, method), func(ctx context.Context) ([]provider.Bank, error) {
			return readBanks(ctx, e, r, p, method)
		})
		if refreshed {
			e.refreshFacts()
		}
	}
}

// readBanks reads the banks that a payment can name: PSE's list begins with the entry "0", which only asks to choose.
func readBanks(ctx context.Context, e *Engine, r *running, p provider.ProviderWithBanks, method payment.Method) ([]provider.Bank, error) {
	ctx, cancel := e.withTimeout(ctx, r.timeout)
	defer cancel()
	listed, err := guarded(ctx, e.crew, func() ([]provider.Bank, error) { return p.Banks(ctx, method) })
	var banks []provider.Bank
	for _, b := range listed {
		if payment.IsBankCode(b.Code) {
			banks = append(banks, b)
		}
	}
	return banks, err
}

// refreshList reads a list anew if it is old, and reports whether it did. An empty list is taken for a fault. A provider
// may have banks by some of its methods only: it is not asked again for a day where it says that there is no such list.
func refreshList[T any](
	ctx context.Context, e *Engine, r *running, list *kept[T], setting string, read func(context.Context) ([]T, error),
) bool {
	r.mu.Lock()
	old := e.isOld(list.ReadAt, listsEvery)
	r.mu.Unlock()
	if !old {
		return false
	}
	items, err := read(ctx)
	if err == nil && len(items) == 0 {
		err = errors.New("it is empty")
	}
	if provider.CodeOf(err) == provider.CodeInvalid {
		r.mu.Lock()
		list.ReadAt = e.now()
		r.mu.Unlock()
		return false
	}
	if err != nil {
		e.log.Warn("a provider's list could not be read; the last good one stays", "provider", r.name, "list", setting, "error", err)
		return false
	}
	latest := kept[T]{ReadAt: e.now(), Items: items}
	r.mu.Lock()
	*list = latest
	r.mu.Unlock()
	if err := e.putSetting(ctx, setting, latest); err != nil {
		e.log.Warn("a provider's list could not be kept", "provider", r.name, "list", setting, "error", err)
	}
	return true
}

// Bank is one bank of the directory, merged by code over the providers. Names are the providers' own and never
// matched on: the one of the first provider in the order of the rules is shown.
type Bank struct {
	Code      string           `json:"code"`
	Name      string           `json:"name"`
	Methods   []payment.Method `json:"methods"`
	Providers []string         `json:"providers"`
}

// Banks returns the banks that the providers reach by a method ("" = by any), in order of name. Lists are read from
// the providers once a day; when one cannot be read, its last good copy stays. Where none was ever read, Banks tries
// to read it now.
func (e *Engine) Banks(ctx context.Context, method payment.Method) ([]Bank, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	byCode := map[string]*Bank{}
	for _, r := range e.inOrder() {
		lists := e.bankLists(ctx, r)
		for _, m := range slices.Sorted(maps.Keys(lists)) {
			if method != "" && m != method {
				continue
			}
			for _, b := range lists[m] {
				bank := byCode[b.Code]
				if bank == nil {
					bank = &Bank{Code: b.Code, Name: b.Name}
					byCode[b.Code] = bank
				}
				bank.Methods = withOne(bank.Methods, m)
				bank.Providers = withOne(bank.Providers, r.name)
			}
		}
	}
	out := make([]Bank, 0, len(byCode))
	for _, b := range byCode {
		slices.Sort(b.Methods)
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Bank) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Code, b.Code)) })
	return out, nil
}

// withOne returns set with v in it.
func withOne[T comparable](set []T, v T) []T {
	if slices.Contains(set, v) {
		return set
	}
	return append(set, v)
}

// bankLists returns a provider's lists of banks, reading them first where none was ever read.
func (e *Engine) bankLists(ctx context.Context, r *running) map[payment.Method][]provider.Bank {
	lists := r.knownBanks()
	if len(lists) == 0 {
		e.refreshBanks(ctx, r)
		lists = r.knownBanks()
	}
	return lists
}

func (r *running) knownBanks() map[payment.Method][]provider.Bank {
	r.mu.Lock()
	defer r.mu.Unlock()
	lists := map[payment.Method][]provider.Bank{}
	for method, list := range r.banks {
		if len(list.Items) > 0 {
			lists[method] = list.Items
		}
	}
	return lists
}
