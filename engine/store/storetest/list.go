package storetest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

var listChecks = []Check{
	{"list/newest-first", "Payments are listed by their time of creation, the newest first.", listNewestFirst},
	{"list/whole", "A listed payment is the same as one that is got.", listWhole},
	{"list/filters", "Each filter, and all together, choose exactly the payments that are so now.", listFilters},
	{"list/created", "A range of creation includes its first moment and excludes its last.", listCreated},
	{"list/pages", "Pages of any size hold every payment once, also while others are created.", listPages},
	{"list/bad-cursor", "A cursor that the store did not make is ErrBadCursor.", listBadCursor},
}

// listed reads all pages and returns the payments' ids.
func listed(t T, s store.Store, f store.Filter) []string {
	t.Helper()
	ids := []string{}
	for {
		page, err := s.List(background, f)
		must(t, err)
		for _, p := range page.Payments {
			ids = append(ids, p.ID)
		}
		if len(page.Payments) > f.Limit {
			t.Fatalf("a page of at most %d has %d payments", f.Limit, len(page.Payments))
		}
		if page.Next == "" {
			return ids
		}
		f.Cursor = page.Next
	}
}

func listNewestFirst(t T, subject Subject) {
	s := open(t, subject)
	for _, n := range []int{3, 1, 5, 2, 4} {
		newDraft(n).mustWrite(t, s)
	}
	same(t, "list", listed(t, s, store.Filter{Limit: 9}),
		[]string{paymentID(5), paymentID(4), paymentID(3), paymentID(2), paymentID(1)})
}

func listWhole(t T, subject Subject) {
	s := open(t, subject)
	d := failedOver(1).mustWrite(t, s)
	page, err := s.List(background, store.Filter{Limit: 1})
	must(t, err)
	if len(page.Payments) != 1 || page.Next != "" {
		t.Fatalf("a list of the only payment has %d and the next cursor %q", len(page.Payments), page.Next)
	}
	same(t, "payment", *page.Payments[0], d.Payment)
}

func listFilters(t T, subject Subject) {
	s := open(t, subject)
	of := func(o payment.Operation, reference string) func(*payment.Request) {
		return func(r *payment.Request) { r.Operation, r.Reference = o, reference }
	}
	newDraft(1, of(payment.PayIn, "ORDER-1")).attempt("tpaga-pse").mustWrite(t, s)
	moved := newDraft(2, of(payment.PayIn, "ORDER-1")).attempt("tpaga-pse").mustWrite(t, s)
	newDraft(3, of(payment.PayOut, "ORDER-10")).attempt("tpaga").mustWrite(t, s)
	newDraft(4, of(payment.PayOut, "ORDER-1")).become(payment.Failed).mustWrite(t, s)
	newDraft(5, of(payment.PayIn, "")).attempt("tumipay").mustWrite(t, s)
	moved.answer(payment.AttemptFailed, "").attempt("tumipay").answer(payment.AttemptPending, "").become(payment.Pending).mustWrite(t, s)

	for _, c := range []struct {
		filter store.Filter
		want   []int
	}{
		{store.Filter{}, []int{5, 4, 3, 2, 1}},
		{store.Filter{Status: payment.Processing}, []int{5, 3, 1}},
		{store.Filter{Status: payment.Pending}, []int{2}},
		{store.Filter{Status: payment.InDoubt}, nil},
		{store.Filter{Provider: "tpaga-pse"}, []int{1}},
		{store.Filter{Provider: "tpaga"}, []int{3}},
		{store.Filter{Provider: "tumipay"}, []int{5, 2}},
		{store.Filter{Reference: "ORDER-1"}, []int{4, 2, 1}},
		{store.Filter{Reference: "ORDER"}, nil},
		{store.Filter{Operation: payment.PayOut}, []int{4, 3}},
		{store.Filter{Operation: payment.PayOut, Status: payment.Failed}, []int{4}},
		{store.Filter{Reference: "ORDER-1", Provider: "tumipay"}, []int{2}},
		{store.Filter{Reference: "ORDER-1", Provider: "tumipay", Status: payment.Pending, Operation: payment.PayIn}, []int{2}},
		{store.Filter{Reference: "ORDER-1", Provider: "tumipay", Status: payment.Pending, Operation: payment.PayOut}, nil},
	} {
		want := []string{}
		for _, n := range c.want {
			want = append(want, paymentID(n))
		}
		for _, c.filter.Limit = range []int{1, 2, 10} {
			same(t, fmt.Sprintf("list by %+v", c.filter), listed(t, s, c.filter), want)
		}
	}
}

func listCreated(t T, subject Subject) {
	s := open(t, subject)
	for n := 1; n <= 4; n++ {
		newDraft(n).mustWrite(t, s)
	}
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	for _, c := range []struct {
		after, before time.Time
		want          []string
	}{
		{at(2), time.Time{}, []string{paymentID(4), paymentID(3), paymentID(2)}},
		{at(2).Add(1), time.Time{}, []string{paymentID(4), paymentID(3)}},
		{time.Time{}, at(3), []string{paymentID(2), paymentID(1)}},
		{time.Time{}, at(3).Add(1), []string{paymentID(3), paymentID(2), paymentID(1)}},
		{at(2), at(3), []string{paymentID(2)}},
		{at(3), at(3), []string{}},
		{at(4), at(1), []string{}},
		{time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), []string{paymentID(4), paymentID(3), paymentID(2), paymentID(1)}},
	} {
		f := store.Filter{CreatedAfter: c.after, CreatedBefore: c.before, Limit: 2}
		same(t, fmt.Sprintf("created from %s until before %s", c.after, c.before), listed(t, s, f), c.want)
	}
}

func listPages(t T, subject Subject) {
	s := open(t, subject)
	const before, during = 23, 20
	for n := range before {
		d := newDraft(n)
		d.at = start // all in one moment
		d.events, d.Payment = nil, payment.Payment{}
		d.add(payment.EventCreated, payment.EventData{
			Payment: paymentID(n), IdempotencyKey: paymentID(n), Request: &payment.Request{Operation: payment.PayIn},
		})
		d.mustWrite(t, s)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := range during {
			if err := newDraft(1000 + n).write(s); err != nil {
				t.Errorf("creating a payment meanwhile: %v", err)
			}
		}
	})
	for _, limit := range []int{1, 2, 7, 22, 23, 24} {
		ids := listed(t, s, store.Filter{Limit: limit})
		for n := range before {
			if !slices.Contains(ids, paymentID(n)) {
				t.Errorf("pages of %d leave payment %d out", limit, n)
			}
		}
		if slices.Sort(ids); len(slices.Compact(ids)) < len(ids) {
			t.Errorf("pages of %d have a payment twice", limit)
		}
	}
	writer.Wait()
}

// badCursors are cursors that no store made, among them altered ones of this store.
func badCursors(good string) []string {
	bad := []string{"x", "AAAA", "0", good + "A", good[1:], good[:len(good)-1]}
	for i := range good {
		altered := []byte(good)
		if altered[i] = 'A'; good[i] == 'A' {
			altered[i] = 'B'
		}
		bad = append(bad, string(altered))
	}
	return bad
}

func listBadCursor(t T, subject Subject) {
	s := open(t, subject)
	for n := range 3 {
		newDraft(n).mustWrite(t, s)
	}
	page, err := s.List(background, store.Filter{Limit: 1})
	must(t, err)
	feed, err := s.FeedEnd(background)
	must(t, err)
	for _, cursor := range append(badCursors(page.Next), feed) {
		_, err := s.List(background, store.Filter{Limit: 1, Cursor: cursor})
		wantError(t, "List after cursor "+cursor, err, store.ErrBadCursor)
	}
}
