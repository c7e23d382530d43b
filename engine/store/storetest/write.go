package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

var writeChecks = []Check{
	{"create/whole", "A created payment and its events are read back with every field as it was.", createWhole},
	{"create/key-taken", "A second payment under an idempotency key is ErrKeyTaken, and nothing of it is written.", createKeyTaken},
	{"create/key-race", "Of 50 payments created under one key at once one is stored; the others are ErrKeyTaken and find it by the key.", createKeyRace},
	{"append/stored", "Appended events and the state after them are read back.", appendStored},
	{"append/conflict", "Events that do not follow the payment's last event are ErrConflict, and nothing is written.", appendConflict},
	{"append/one-step", "No read shows a write in part: state, events and feed change together.", appendOneStep},
	{"append/race", "Of racing Appends after the same event exactly one wins; the others are ErrConflict.", appendRace},
	{"append/unknown", "Appending to a payment that does not exist is ErrNotFound.", appendUnknown},
	{"schedule/only-next", "Schedule changes when a payment is looked up next, and nothing else of it.", scheduleOnlyNext},
	{"schedule/conflict", "Scheduling a payment that has other events is ErrConflict, one that does not exist ErrNotFound.", scheduleConflict},
	{"reopen/all", "What was acknowledged is there after the store is closed and opened again.", reopenAll},
}

func createWhole(t T, subject Subject) {
	s := open(t, subject)
	var filled payment.EventData
	Fill(&filled)
	d := newDraft(1, func(r *payment.Request) { *r = *filled.Request })
	d.events[1].Data.Decision = filled.Decision
	d.Route, d.Rules = string(filled.Decision.Route), filled.Decision.Rules
	d.attempt("tpaga-pse")
	rest := filled
	rest.Request, rest.Decision, rest.Attempt = nil, nil, 1
	d.add(payment.EventMismatch, rest)
	d.mustWrite(t, s)
	p, err := s.Get(background, d.ID)
	must(t, err)
	same(t, "payment", *p, d.Payment)
	events, err := s.Events(background, d.ID, 0, 100)
	must(t, err)
	same(t, "the fold of the events", fold(t, events, d.NextLookupAt), d.Payment)
	same(t, "decision", events[1].Data.Decision, filled.Decision)
	same(t, "data of an event", events[3].Data, rest)
}

// fold is the state after a payment's events.
func fold(t T, events []payment.Event, next time.Time) payment.Payment {
	t.Helper()
	p := payment.Payment{}
	for _, e := range events {
		must(t, p.Apply(e))
	}
	p.NextLookupAt = next
	return p
}

func createKeyTaken(t T, subject Subject) {
	s := open(t, subject)
	first := newDraft(1).mustWrite(t, s)
	second := newDraft(2, func(r *payment.Request) { r.Reference = "SECOND" })
	second.IdempotencyKey = first.IdempotencyKey
	second.events[0].Data.IdempotencyKey = first.IdempotencyKey
	second.attempt("tpaga-pse")
	wantError(t, "Create", second.write(s), store.ErrKeyTaken)
	_, err := s.Get(background, second.ID)
	wantError(t, "Get of the refused payment", err, store.ErrNotFound)
	p, err := s.ByKey(background, first.IdempotencyKey)
	must(t, err)
	same(t, "holder of the key", p.ID, first.ID)
	page, err := s.List(background, store.Filter{Limit: 10})
	must(t, err)
	same(t, "number of payments", len(page.Payments), 1)
	feed, err := s.Feed(background, "", 100)
	must(t, err)
	same(t, "number of events", len(feed), 2)
}

// racers calls race from n goroutines at once and returns their errors.
func racers(n int, race func(i int) error) []error {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = race(i)
		})
	}
	done.Wait()
	return errs
}

func createKeyRace(t T, subject Subject) {
	s := open(t, subject)
	found := make([]string, 50)
	errs := racers(50, func(i int) error {
		d := newDraft(i)
		d.IdempotencyKey, d.events[0].Data.IdempotencyKey = "race-key", "race-key"
		err := d.write(s)
		p, findErr := s.ByKey(background, "race-key")
		if findErr != nil {
			return findErr
		}
		found[i] = p.ID
		return err
	})
	winners := 0
	for i, err := range errs {
		switch {
		case err == nil:
			winners++
			same(t, "payment that the winner finds", found[i], paymentID(i))
		case !errors.Is(err, store.ErrKeyTaken):
			t.Errorf("a loser got %v, want ErrKeyTaken", err)
		}
		same(t, "payment found by the key", found[i], found[0])
	}
	same(t, "number of winners", winners, 1)
}

func appendStored(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s)
	want := d.copy().answer(payment.AttemptPending, "tp-1")
	want.add(payment.EventPending, payment.EventData{Attempt: 1, Action: payment.Redirect("https://bank.example/append")})
	want.due(start.Add(time.Hour)).mustWrite(t, s)
	p, err := s.Get(background, d.ID)
	must(t, err)
	same(t, "payment", *p, want.Payment)
	events, err := s.Events(background, d.ID, 0, 100)
	must(t, err)
	same(t, "the fold of the events", fold(t, events, want.NextLookupAt), want.Payment)
}

func appendConflict(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s)
	d.answer(payment.AttemptPending, "tp-1")
	ahead := d.copy().become(payment.Pending)
	ahead.events = ahead.events[1:] // its first event is missing
	wantError(t, "Append that leaves an event out", ahead.write(s), store.ErrConflict)
	behind := d.copy()
	d.mustWrite(t, s)
	wantError(t, "Append of an event that is there already", behind.write(s), store.ErrConflict)
	p, err := s.Get(background, d.ID)
	must(t, err)
	same(t, "payment", *p, d.Payment)
	events, err := s.Events(background, d.ID, 0, 100)
	must(t, err)
	same(t, "number of events", len(events), int(d.Seq))
}

// appendOneStep writes three events, then two with each Append, while others read.
func appendOneStep(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s)
	id := d.ID
	whole := func(what string, events int64) {
		if events%2 == 0 {
			t.Errorf("%s in the middle of a write, at event %d", what, events)
		}
	}
	written := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for writing := true; writing; {
				select {
				case <-written:
					writing = false
				default:
				}
				feed, feedErr := s.Feed(background, "", 1000)
				p, getErr := s.Get(background, id)
				events, eventsErr := s.Events(background, id, 0, 1000)
				if err := errors.Join(feedErr, getErr, eventsErr); err != nil {
					t.Errorf("reading: %v", err)
					return
				}
				whole("the feed is", int64(len(feed)))
				whole("the payment is", p.Seq)
				whole("its events are", int64(len(events)))
				if len(feed) > int(p.Seq) || int(p.Seq) > len(events) {
					t.Errorf("read one after the other, the feed is at event %d, the payment at %d, its events at %d", len(feed), p.Seq, len(events))
				}
			}
		})
	}
	var err error
	for n := 0; n < 20 && err == nil; n++ {
		for range 2 {
			d.add(payment.EventLookup, payment.EventData{Attempt: 1, Code: "step"})
		}
		err = d.write(s)
	}
	close(written)
	readers.Wait()
	must(t, err)
}

func appendRace(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s)
	for round := range 5 {
		next := make([]*draft, 10)
		errs := racers(len(next), func(i int) error {
			next[i] = d.copy()
			next[i].add(payment.EventLookup, payment.EventData{Attempt: 1, Code: "race", Message: fmt.Sprintf("%d of round %d", i, round)})
			return next[i].write(s)
		})
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won >= 0:
				t.Fatalf("racers %d and %d both won", won, i)
			case err == nil:
				won = i
			case !errors.Is(err, store.ErrConflict):
				t.Fatalf("a loser got %v, want ErrConflict", err)
			}
		}
		if won < 0 {
			t.Fatalf("nobody won")
		}
		p, err := s.Get(background, d.ID)
		must(t, err)
		same(t, "payment", *p, next[won].Payment)
		d = next[won]
	}
}

func appendUnknown(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse")
	d.events = nil
	wantError(t, "Append", d.answer(payment.AttemptPending, "tp-1").write(s), store.ErrNotFound)
}

func scheduleOnlyNext(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s)
	for _, next := range []time.Time{start.Add(time.Hour), start.Add(time.Minute), {}} {
		must(t, s.Schedule(background, d.ID, d.Seq, next))
		p, err := s.Get(background, d.ID)
		must(t, err)
		same(t, "payment", *p, d.due(next).Payment)
	}
	events, err := s.Events(background, d.ID, 0, 100)
	must(t, err)
	same(t, "number of events", len(events), int(d.Seq))
}

func scheduleConflict(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s)
	next := start.Add(time.Hour)
	wantError(t, "Schedule before the last event", s.Schedule(background, d.ID, d.Seq-1, next), store.ErrConflict)
	wantError(t, "Schedule after the last event", s.Schedule(background, d.ID, d.Seq+1, next), store.ErrConflict)
	wantError(t, "Schedule of no payment", s.Schedule(background, "pay_none", 1, next), store.ErrNotFound)
	p, err := s.Get(background, d.ID)
	must(t, err)
	same(t, "next look-up", p.NextLookupAt, d.NextLookupAt)
}

func reopenAll(t T, subject Subject) {
	if subject.Reopen == nil {
		t.Skip("not judged: the store cannot be opened again")
	}
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s)
	d.answer(payment.AttemptPending, "tp-1").become(payment.Pending).mustWrite(t, s)
	must(t, s.PutNotification(background, store.Notification{ID: "n1"}))
	must(t, s.PutSetting(background, "put", []byte("1")))
	_, err := s.InitSetting(background, "init", []byte("2"))
	must(t, err)
	end, err := s.FeedEnd(background)
	must(t, err)

	s, err = subject.Reopen(s)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	p, err := s.ByReference(background, "tpaga-pse", "tp-1")
	must(t, err)
	same(t, "payment", *p, d.Payment)
	inbox, err := s.Notifications(background, "", 10)
	must(t, err)
	same(t, "inbox", inbox, []store.Notification{{ID: "n1"}})
	for name, want := range map[string]string{"put": "1", "init": "2"} {
		value, err := s.Setting(background, name)
		must(t, err)
		same(t, "setting "+name, string(value), want)
	}
	again := newDraft(3)
	again.IdempotencyKey, again.events[0].Data.IdempotencyKey = d.IdempotencyKey, d.IdempotencyKey
	wantError(t, "Create under a key of before", again.write(s), store.ErrKeyTaken)
	same(t, "list", listed(t, s, store.Filter{Limit: 9}), []string{d.ID})
	ids, err := s.Claim(background, d.NextLookupAt, time.Minute, 9)
	must(t, err)
	same(t, "claimed", ids, []string{d.ID})
	later := newDraft(2).mustWrite(t, s)
	feed, err := s.Feed(background, end, 10)
	must(t, err)
	if len(feed) != 2 || feed[0].Payment != later.ID {
		t.Errorf("after a cursor from before, the feed has %d events, want the 2 of the payment made since", len(feed))
	}
}
