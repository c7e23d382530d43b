package storetest

import (
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

var readChecks = []Check{
	{"read/by-key", "A payment is found by its idempotency key, of any printable text up to 255 characters, and by no other.", readByKey},
	{"read/by-attempt", "A payment is found by the key of any of its attempts.", readByAttempt},
	{"read/by-reference", "A payment is found by the provider's reference of any of its attempts, and only together with that provider.", readByReference},
	{"read/not-found", "What does not exist is ErrNotFound.", readNotFound},
	{"read/keeps-nothing", "What was handed in is not kept: the caller may change it afterwards.", readKeepsNothing},
	{"read/own-copy", "What is handed out is the caller's own: changing it changes nothing.", readOwnCopy},
	{"read/times", "Times are kept to the nanosecond, in UTC.", readTimes},
	{"events/after", "Events returns those after a number, in order, at most as many as asked for.", eventsAfter},
}

func readByKey(t T, subject Subject) {
	s := open(t, subject)
	keys := []string{"a", "ab", `sp ace/"quote"\%_`, strings.Repeat("k", 255), strings.Repeat("k", 254)}
	for n, key := range keys {
		d := newDraft(n)
		d.IdempotencyKey, d.events[0].Data.IdempotencyKey = key, key
		d.mustWrite(t, s)
	}
	for n, key := range keys {
		p, err := s.ByKey(background, key)
		must(t, err)
		same(t, "payment of key "+key, p.ID, paymentID(n))
	}
	for _, key := range []string{"", "A", "abc", "kk"} {
		_, err := s.ByKey(background, key)
		wantError(t, "ByKey "+key, err, store.ErrNotFound)
	}
}

// failedOver is a payment whose first attempt failed and whose second is pending.
func failedOver(n int) *draft {
	d := newDraft(n).attempt("tpaga-pse").answer(payment.AttemptFailed, "tp-1")
	return d.attempt("tumipay").answer(payment.AttemptPending, "tm-1").become(payment.Pending)
}

func readByAttempt(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s)
	d.answer(payment.AttemptFailed, "").attempt("tumipay").mustWrite(t, s)
	newDraft(2).attempt("tpaga-pse").mustWrite(t, s)
	for _, a := range d.Attempts {
		p, err := s.ByAttempt(background, a.Key)
		must(t, err)
		same(t, "payment of attempt "+a.Key, *p, d.Payment)
	}
}

func readByReference(t T, subject Subject) {
	s := open(t, subject)
	d := failedOver(1).mustWrite(t, s)
	other := newDraft(2).attempt("tp").answer(payment.AttemptPending, "aga-pse tp-1").mustWrite(t, s)
	for _, a := range d.Attempts {
		p, err := s.ByReference(background, a.Provider, a.Reference)
		must(t, err)
		same(t, "payment of reference "+a.Reference, *p, d.Payment)
	}
	p, err := s.ByReference(background, "tp", "aga-pse tp-1")
	must(t, err)
	same(t, "payment of another provider's reference", p.ID, other.ID)
	_, err = s.ByReference(background, "tumipay", "tp-1")
	wantError(t, "ByReference at another provider", err, store.ErrNotFound)

	d.add(payment.EventLookup, payment.EventData{Attempt: 2, Reference: "tm-2"})
	d.mustWrite(t, s)
	p, err = s.ByReference(background, "tumipay", "tm-2")
	must(t, err)
	same(t, "payment of a reference that came later", p.ID, d.ID)
	_, err = s.ByReference(background, "tumipay", "tm-1")
	wantError(t, "ByReference of a reference that was replaced", err, store.ErrNotFound)
}

func readNotFound(t T, subject Subject) {
	s := open(t, subject)
	newDraft(1).mustWrite(t, s)
	_, err := s.Get(background, "pay_none")
	wantError(t, "Get", err, store.ErrNotFound)
	_, err = s.ByKey(background, "none")
	wantError(t, "ByKey", err, store.ErrNotFound)
	_, err = s.ByAttempt(background, "none")
	wantError(t, "ByAttempt", err, store.ErrNotFound)
	_, err = s.ByReference(background, "tpaga-pse", "none")
	wantError(t, "ByReference", err, store.ErrNotFound)
	_, err = s.Events(background, "pay_none", 0, 1)
	wantError(t, "Events", err, store.ErrNotFound)
	_, err = s.Setting(background, "none")
	wantError(t, "Setting", err, store.ErrNotFound)
}

func readKeepsNothing(t T, subject Subject) {
	s := open(t, subject)
	d := failedOver(1)
	d.Metadata = map[string]string{"shop": "kept"}
	d.events[0].Data.Request.Metadata = d.Metadata
	want := d.copy()
	want.Metadata = map[string]string{"shop": "kept"}
	must(t, s.Create(background, &d.Payment, d.events))
	d.Metadata["shop"] = "changed"
	d.Attempts[0].Provider = "changed"
	d.Description = "changed"
	d.events[1].Data.Decision.Providers = append(d.events[1].Data.Decision.Providers, "changed")
	p, err := s.Get(background, d.ID)
	must(t, err)
	same(t, "payment", *p, want.Payment)
	events, err := s.Events(background, d.ID, 1, 1)
	must(t, err)
	same(t, "providers of the decision", len(events[0].Data.Decision.Providers), 0)

	put, first := []byte("kept"), []byte("kept")
	must(t, s.PutSetting(background, "put", put))
	_, err = s.InitSetting(background, "init", first)
	must(t, err)
	put[0], first[0] = 'x', 'x'
	for _, name := range []string{"put", "init"} {
		value, err := s.Setting(background, name)
		must(t, err)
		same(t, "setting "+name, string(value), "kept")
	}
}

func readOwnCopy(t T, subject Subject) {
	s := open(t, subject)
	d := failedOver(1).mustWrite(t, s)
	p, err := s.Get(background, d.ID)
	must(t, err)
	p.Status, p.Attempts[0].Status = payment.Failed, payment.AttemptSucceeded
	again, err := s.Get(background, d.ID)
	must(t, err)
	same(t, "payment", *again, d.Payment)
	events, err := s.Events(background, d.ID, 0, 100)
	must(t, err)
	events[0].Data.Request.Reference = "changed"
	events, err = s.Events(background, d.ID, 0, 100)
	must(t, err)
	same(t, "reference in the first event", events[0].Data.Request.Reference, d.Reference)
}

func readTimes(t T, subject Subject) {
	s := open(t, subject)
	bogota := time.FixedZone("-05", -5*60*60)
	d := newDraft(1)
	d.at = time.Date(2026, 3, 1, 7, 0, 1, 123456789, bogota)
	d.attempt("tpaga-pse")
	d.NextLookupAt = time.Date(2026, 3, 1, 7, 1, 0, 1, bogota)
	d.mustWrite(t, s)
	p, err := s.Get(background, d.ID)
	must(t, err)
	same(t, "last change", p.UpdatedAt, d.at.UTC())
	same(t, "start of the attempt", p.Attempts[0].StartedAt, d.at.UTC())
	same(t, "next look-up", p.NextLookupAt, d.NextLookupAt.UTC())
	same(t, "time that was not set", p.ExpiresAt, time.Time{})
	events, err := s.Events(background, d.ID, 2, 1)
	must(t, err)
	same(t, "time of the event", events[0].At, d.at.UTC())
	next, err := s.NextDue(background, start)
	must(t, err)
	same(t, "next due", next, d.NextLookupAt.UTC())
}

func eventsAfter(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s) // events 1 to 3
	d.answer(payment.AttemptPending, "tp-1").become(payment.Pending).mustWrite(t, s)
	d.add(payment.EventNotification, payment.EventData{Attempt: 1}) // event 6
	d.mustWrite(t, s)
	newDraft(2).mustWrite(t, s)
	for _, c := range []struct {
		after    int64
		limit    int
		from, to int64
	}{{0, 100, 1, 6}, {0, 2, 1, 2}, {1, 1, 2, 2}, {2, 2, 3, 4}, {3, 100, 4, 6}, {4, 1, 5, 5}, {5, 100, 6, 6}, {6, 100, 7, 6}, {99, 1, 100, 6}} {
		events, err := s.Events(background, d.ID, c.after, c.limit)
		must(t, err)
		got, want := []int64{}, []int64{}
		for _, e := range events {
			got = append(got, e.Seq)
		}
		for seq := c.from; seq <= c.to; seq++ {
			want = append(want, seq)
		}
		same(t, "numbers of the events", got, want)
	}
}
