package storetest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

var claimChecks = []Check{
	{"claim/due", "Claim returns what is due and nothing else, the longest due first, at most as many as asked for.", claimDue},
	{"claim/leased", "A claimed payment is not returned again while its lease lasts.", claimLeased},
	{"claim/expired", "A lease ends when its time has passed.", claimExpired},
	{"claim/ended-by-append", "An Append ends the payment's lease.", claimEndedByAppend},
	{"claim/ended-by-schedule", "A Schedule ends the payment's lease.", claimEndedBySchedule},
	{"claim/race", "Of many that claim at once, each payment goes to one.", claimRace},
	{"claim/follows", "What is due follows the last Append or Schedule.", claimFollows},
	{"due/next", "NextDue is the earliest look-up of all payments that are not leased, zero when there is none.", dueNext},
}

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func claimDue(t T, subject Subject) {
	s := open(t, subject)
	for n, seconds := range []int{30, 10, 50, 20, 40} {
		newDraft(n).due(at(seconds)).mustWrite(t, s)
	}
	newDraft(9).mustWrite(t, s) // never due
	for _, c := range []struct {
		now   time.Time
		limit int
		want  []string
	}{
		{at(10).Add(-1), 100, nil},
		{at(10), 100, []string{paymentID(1)}},
		{at(45), 2, []string{paymentID(3), paymentID(0)}},
		{at(45), 100, []string{paymentID(4)}},
		{at(1000), 100, []string{paymentID(2)}},
	} {
		ids, err := s.Claim(background, c.now, time.Hour, c.limit)
		must(t, err)
		same(t, fmt.Sprintf("claimed at %s", c.now), slices.Concat(ids), slices.Concat(c.want))
	}
}

func claimLeased(t T, subject Subject) {
	s := open(t, subject)
	for n := range 3 {
		newDraft(n).due(at(n)).mustWrite(t, s)
	}
	first, err := s.Claim(background, at(10), time.Minute, 2)
	must(t, err)
	same(t, "claimed first", first, []string{paymentID(0), paymentID(1)})
	second, err := s.Claim(background, at(69), time.Minute, 99)
	must(t, err)
	same(t, "claimed while these are leased", second, []string{paymentID(2)})
}

func claimExpired(t T, subject Subject) {
	s := open(t, subject)
	newDraft(1).due(at(1)).mustWrite(t, s)
	for _, now := range []int{10, 70, 130} { // at the very end of the lease before
		ids, err := s.Claim(background, at(now), time.Minute, 1)
		must(t, err)
		same(t, "claimed when the lease has ended", ids, []string{paymentID(1)})
	}
}

func claimEndedByAppend(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").due(at(1)).mustWrite(t, s)
	_, err := s.Claim(background, at(10), time.Hour, 1)
	must(t, err)
	d.answer(payment.AttemptPending, "").due(at(2)).mustWrite(t, s)
	ids, err := s.Claim(background, at(10), time.Hour, 1)
	must(t, err)
	same(t, "claimed after the Append", ids, []string{d.ID})
}

func claimEndedBySchedule(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).due(at(1)).mustWrite(t, s)
	for _, next := range []int{2, 2} { // also by one that changes nothing
		_, err := s.Claim(background, at(10), time.Hour, 1)
		must(t, err)
		must(t, s.Schedule(background, d.ID, d.Seq, at(next)))
		ids, err := s.Claim(background, at(10), time.Hour, 1)
		must(t, err)
		same(t, "claimed after the Schedule", ids, []string{d.ID})
		must(t, s.Schedule(background, d.ID, d.Seq, at(next)))
	}
}

func claimRace(t T, subject Subject) {
	s := open(t, subject)
	const payments = 60
	for n := range payments {
		newDraft(n).due(at(n)).mustWrite(t, s)
	}
	var mu sync.Mutex
	claimed := map[string]int{}
	for _, err := range racers(8, func(int) error {
		for {
			ids, err := s.Claim(background, at(1000), time.Hour, 3)
			if err != nil || len(ids) == 0 {
				return err
			}
			mu.Lock()
			for _, id := range ids {
				claimed[id]++
			}
			mu.Unlock()
		}
	}) {
		must(t, err)
	}
	for n := range payments {
		same(t, fmt.Sprintf("how often payment %d was claimed", n), claimed[paymentID(n)], 1)
	}
}

func claimFollows(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").due(at(1)).mustWrite(t, s)
	claims := func(now int, want ...string) {
		t.Helper()
		ids, err := s.Claim(background, at(now), 0, 1)
		must(t, err)
		same(t, fmt.Sprintf("claimed at second %d", now), slices.Concat(ids), slices.Concat(want))
	}
	claims(100, d.ID)
	d.answer(payment.AttemptPending, "").due(at(200)).mustWrite(t, s)
	claims(199)
	claims(200, d.ID)
	must(t, s.Schedule(background, d.ID, d.Seq, at(500)))
	claims(300)
	must(t, s.Schedule(background, d.ID, d.Seq, at(301))) // earlier again
	claims(300)
	claims(301, d.ID)
	d.become(payment.Pending).due(time.Time{}).mustWrite(t, s)
	claims(1000)
	must(t, s.Schedule(background, d.ID, d.Seq, at(60))) // overdue
	claims(1001, d.ID)
	must(t, s.Schedule(background, d.ID, d.Seq, time.Time{}))
	claims(2000)
}

func dueNext(t T, subject Subject) {
	s := open(t, subject)
	next := func(now int, want time.Time) {
		t.Helper()
		got, err := s.NextDue(background, at(now))
		must(t, err)
		same(t, fmt.Sprintf("next due at second %d", now), got, want)
	}
	next(0, time.Time{})
	newDraft(1).mustWrite(t, s)
	next(0, time.Time{})
	newDraft(2).due(at(20)).mustWrite(t, s)
	newDraft(3).due(at(10)).mustWrite(t, s)
	next(0, at(10))
	next(1000, at(10))
	_, err := s.Claim(background, at(15), time.Minute, 9)
	must(t, err)
	next(15, at(20))
	next(76, at(10)) // the lease has ended
	_, err = s.Claim(background, at(100), time.Minute, 9)
	must(t, err)
	next(100, time.Time{})
}
