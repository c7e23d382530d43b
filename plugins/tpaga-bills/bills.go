package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

// openAmount is the one of Tpaga's test references whose bill can be paid with any amount.
const openAmount = "000000"

// The references by which Tpaga's staging tries things out, at any biller.
var (
	// paymentTests are documented for payments and not for queries.
	paymentTests = map[string]bool{"111100001111": true, "111100003333": true, "111100004444": true}
	// billTests are documented for queries.
	billTests = map[string]bool{
		"111100005555": true, openAmount: true, "dummy412": true, "dummy422-does-not-exist": true, "dummy422-expired-bill": true,
		"dummy422-already-paid-bill": true, "dummy422-try-again": true, "dummy422-cannot-be-paid": true,
	}
)

// judgeReference refuses the test references where bills are real (TB-17).
func (c config) judgeReference(reference string) error {
	if c.production && (billTests[reference] || paymentTests[reference]) {
		return invalid("bill.reference", "has this reference for trying things out at its staging host only; base_url names another one, where bills are real")
	}
	return nil
}

// Billers lists one page of agreements: the companies whose bills can be paid.
func (p *bills) Billers(ctx context.Context, page string) (provider.BillerPage, error) {
	number := 1
	if page != "" {
		var err error
		if number, err = strconv.Atoi(page); err != nil || number < 2 {
			return provider.BillerPage{}, invalid("", fmt.Sprintf("has no page %.40q; hand on the Next of the page before", page))
		}
	}
	list, last, err := p.readAgreements(ctx, number)
	if err != nil {
		return provider.BillerPage{}, err
	}
	out := provider.BillerPage{Billers: make([]provider.Biller, len(list))}
	for i, a := range list {
		out.Billers[i] = provider.Biller{ID: a.ID, Name: a.Name, AmountEditable: a.CostEditable, Queryable: a.Queriable}
	}
	if !last {
		out.Next = strconv.Itoa(number + 1)
	}
	return out, nil
}

// Bill queries one bill.
func (p *bills) Bill(ctx context.Context, biller, reference string) (provider.BillDetail, error) {
	if err := p.config.judgeReference(reference); err != nil {
		return provider.BillDetail{}, err
	}
	found, err := p.agreement(ctx, biller)
	switch {
	case err != nil:
		return provider.BillDetail{}, err
	case !found.Queriable:
		return provider.BillDetail{}, invalid("bill.biller", fmt.Sprintf("cannot query bills of %s; allow_unqueried permits to pay them all the same", biller))
	case reference == "":
		return provider.BillDetail{}, invalid("bill.reference", "needs bill.reference")
	}
	resp, err := p.api.getBill(ctx, biller, reference)
	if err != nil {
		return provider.BillDetail{}, notSent(err)
	}
	if resp.Status != http.StatusOK {
		return provider.BillDetail{}, billError(resp)
	}
	var b bill
	if err := resp.Decode(&b); err != nil {
		return provider.BillDetail{}, unavailable("the bill cannot be read: %w", err)
	}
	if b.Biller != biller || b.Reference != reference || b.Amount == nil {
		return provider.BillDetail{}, unavailable("its answer is about another bill than asked for, or lacks the amount")
	}
	return provider.BillDetail{
		Biller:         biller,
		Reference:      reference,
		Amount:         b.Amount.Money,
		AmountEditable: found.CostEditable || reference == openAmount, // at staging only: elsewhere it is refused
	}, nil
}

// agreement finds the agreement of a biller in the list that is kept.
func (p *bills) agreement(ctx context.Context, biller string) (agreement, error) {
	byID, err := p.agreements.get(ctx)
	if err != nil {
		return agreement{}, err
	}
	found, ok := byID[biller]
	if !ok {
		return agreement{}, invalid("bill.biller", fmt.Sprintf("has no agreement with %.64q; GET /v1/billers lists those that it has", biller))
	}
	return found, nil
}

// readAgreements reads one page, from 1, and whether it is the last.
func (p *bills) readAgreements(ctx context.Context, page int) ([]agreement, bool, error) {
	resp, err := p.api.getAgreements(ctx, page)
	if err != nil {
		return nil, false, notSent(err)
	}
	pastTheEnd := resp.Status == http.StatusNotFound || resp.Status == http.StatusUnprocessableEntity
	if page > 1 && pastTheEnd { // the page before was whole and the last
		return nil, true, nil
	}
	if resp.Status != http.StatusOK {
		return nil, false, readError(resp, "its agreements")
	}
	var body struct {
		List []agreement `json:"service_providers"`
	}
	if err := resp.Decode(&body); err != nil {
		return nil, false, unavailable("page %d of its agreements cannot be read: %w", page, err)
	}
	for i, a := range body.List {
		if a.ID == "" {
			return nil, false, unavailable("agreement %d of page %d has no id", i+1, page)
		}
	}
	return body.List, len(body.List) < agreementsPage, nil
}

// maxPages bounds the pages of agreements that are read in a row.
const maxPages = 100

// fetchAgreements reads all pages.
func (p *bills) fetchAgreements(ctx context.Context) (map[string]agreement, error) {
	byID := map[string]agreement{}
	for page := 1; page <= maxPages; page++ {
		list, last, err := p.readAgreements(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			byID[a.ID] = a
		}
		if last {
			if len(byID) == 0 {
				return nil, unavailable("its list of agreements is empty")
			}
			return byID, nil
		}
	}
	return nil, unavailable("its list of agreements has more than %d pages", maxPages)
}

const (
	agreementsLife    = 24 * time.Hour
	agreementsRetry   = time.Minute      // after a list that could not be replaced
	agreementsTimeout = 10 * time.Second // of replacing it
)

// agreementList keeps the live list for a day, and the last good one for as long as no newer one can be had. Callers
// that need it at once take turns, so that one of them gets it for all.
type agreementList struct {
	fetch func(context.Context) (map[string]agreement, error)
	now   func() time.Time
	turn  chan struct{} // one place: whoever fills it has the rest

	byID  map[string]agreement // never changed in place; nil = there never was one
	until time.Time            // when byID is to be replaced
}

func newAgreementList(fetch func(context.Context) (map[string]agreement, error), now func() time.Time) *agreementList {
	return &agreementList{fetch: fetch, now: now, turn: make(chan struct{}, 1)}
}

// get returns the agreements by id. Its errors say that nothing was handed over.
func (l *agreementList) get(ctx context.Context) (map[string]agreement, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, unavailable("the time for the call was over before there was a list of agreements; nothing was sent")
	}
	if l.byID != nil && l.now().Before(l.until) {
		return l.byID, nil
	}
	ctx, cancel := context.WithTimeout(ctx, agreementsTimeout)
	defer cancel()
	byID, err := l.fetch(ctx)
	switch {
	case err == nil:
		l.byID, l.until = byID, l.now().Add(agreementsLife)
	case l.byID == nil:
		return nil, err
	default:
		l.until = l.now().Add(agreementsRetry)
	}
	return l.byID, nil
}
