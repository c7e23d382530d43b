package storetest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

var feedChecks = []Check{
	{"feed/order", "The feed has every payment's events in their order, as they were written, and is the same for every reader.", feedOrder},
	{"feed/pages", "Going on after any cursor, in steps of any size, leaves no event out and repeats none.", feedPages},
	{"feed/followed", "Who follows the feed while others write gets every event once, none behind a cursor that was handed out.", feedFollowed},
	{"feed/end", "After the end's cursor come exactly the events that are written later.", feedEnd},
	{"feed/bad-cursor", "A cursor that the store did not make is ErrBadCursor.", feedBadCursor},
}

// writeSome writes several payments, each with several writes, and returns them.
func writeSome(t T, s store.Store) []*draft {
	t.Helper()
	var all []*draft
	for n := range 4 {
		all = append(all, newDraft(n).attempt("tpaga-pse").mustWrite(t, s))
	}
	for _, d := range all {
		d.answer(payment.AttemptPending, "").become(payment.Pending).mustWrite(t, s)
	}
	return all
}

func feedOrder(t T, subject Subject) {
	s := open(t, subject)
	all := writeSome(t, s)
	feed, err := s.Feed(background, "", 1000)
	must(t, err)
	again, err := s.Feed(background, "", 1000)
	must(t, err)
	same(t, "second reading", again, feed)
	of := map[string][]payment.Event{}
	for _, e := range feed {
		of[e.Payment] = append(of[e.Payment], e.Event)
	}
	same(t, "number of payments in the feed", len(of), len(all))
	for _, d := range all {
		events, err := s.Events(background, d.ID, 0, 100)
		must(t, err)
		same(t, "events of payment "+d.ID, of[d.ID], events)
	}
}

func feedPages(t T, subject Subject) {
	s := open(t, subject)
	writeSome(t, s)
	feed, err := s.Feed(background, "", 100)
	must(t, err)
	for i, e := range feed {
		for _, limit := range []int{1, 2, 5, 100} {
			rest, err := s.Feed(background, e.Cursor, limit)
			must(t, err)
			want := feed[i+1 : min(i+1+limit, len(feed))]
			if !slices.EqualFunc(rest, want, func(a, b store.FeedEvent) bool {
				return a.Cursor == b.Cursor && a.Payment == b.Payment && a.Event.Seq == b.Event.Seq
			}) {
				t.Errorf("after event %d of the feed, %d events are not the next ones (at most %d)", i+1, len(rest), limit)
			}
		}
	}
}

func feedFollowed(t T, subject Subject) {
	s := open(t, subject)
	const writers, payments = 6, 5
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for n := range payments {
				d := newDraft(w*payments + n).attempt("tpaga-pse")
				err := d.write(s)
				if err == nil {
					err = d.answer(payment.AttemptPending, "").become(payment.Pending).write(s)
				}
				if err != nil {
					t.Errorf("writing: %v", err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() {
		writing.Wait()
		close(written)
	}()
	seen := map[string]int64{}
	cursor, last := "", false
	for {
		page, err := s.Feed(background, cursor, 7)
		must(t, err)
		for _, e := range page {
			if e.Event.Seq != seen[e.Payment]+1 {
				t.Fatalf("event %d of payment %s came after its event %d", e.Event.Seq, e.Payment, seen[e.Payment])
			}
			seen[e.Payment], cursor = e.Event.Seq, e.Cursor
		}
		if len(page) > 0 {
			continue
		}
		if last {
			break
		}
		select {
		case <-written:
			last = true // one more look: the last events may have come between
		default:
		}
	}
	for n := range writers * payments {
		same(t, fmt.Sprintf("last event of payment %d in the feed", n), seen[paymentID(n)], int64(5))
	}
}

func feedEnd(t T, subject Subject) {
	s := open(t, subject)
	empty, err := s.FeedEnd(background)
	must(t, err)
	first := newDraft(1).mustWrite(t, s)
	end, err := s.FeedEnd(background)
	must(t, err)
	rest, err := s.Feed(background, end, 10)
	must(t, err)
	same(t, "number of events after the end", len(rest), 0)
	second := newDraft(2).mustWrite(t, s)
	for _, c := range []struct {
		cursor string
		want   []string
	}{{end, []string{second.ID, second.ID}}, {empty, []string{first.ID, first.ID, second.ID, second.ID}}} {
		rest, err := s.Feed(background, c.cursor, 10)
		must(t, err)
		got := []string{}
		for _, e := range rest {
			got = append(got, e.Payment)
		}
		same(t, "payments of the events after an end", got, c.want)
	}
}

func feedBadCursor(t T, subject Subject) {
	s := open(t, subject)
	for n := range 2 {
		newDraft(n).mustWrite(t, s)
	}
	end, err := s.FeedEnd(background)
	must(t, err)
	page, err := s.List(background, store.Filter{Limit: 1})
	must(t, err)
	for _, cursor := range append(badCursors(end), page.Next) {
		_, err := s.Feed(background, cursor, 1)
		wantError(t, "Feed after cursor "+cursor, err, store.ErrBadCursor)
	}
}
