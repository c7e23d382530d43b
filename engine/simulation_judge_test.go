package engine_test

import (
	"context"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// given reports whether the payer was sent to the page of what was executed.
func (w *universe) given(e providertest.Entry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.asked {
		if o.pages["https://bank.example/pay/"+e.Attempt.Key] {
			return true
		}
	}
	return false
}

// judge checks the invariants when all is over.
func (w *universe) judge() tally {
	e, l := w.router()
	if e == nil {
		w.t.Error("no router runs in the end")
		return tally{}
	}
	total := tally{Payments: len(w.asked), Crashes: w.crashes, Webhooks: w.webhook, DiskFaults: int(w.diskFaults.Load()), Reloads: int(w.reloads.Load())}
	moved, recorded := map[string]int{}, map[string]*providertest.Entry{}
	for _, b := range w.banks {
		for _, entry := range b.Ledger() {
			b.age(entry.Attempt.Key)
		}
		for _, entry := range b.Ledger() {
			recorded[entry.Attempt.Key] = &entry
			switch entry.Status {
			case provider.Succeeded:
				moved[entry.Attempt.Payment.Reference] += entry.Times
			case provider.Pending:
				w.t.Errorf("the world ended too early: %s is pending at %s", entry.Attempt.Payment.Reference, b.name)
			}
		}
		total.Lookups += len(b.Lookups())
		for _, a := range b.Submits() {
			if total.Attempts++; a.Resend {
				total.Resends++
			}
		}
	}
	for _, o := range w.asked {
		p, err := l.store.ByKey(context.Background(), o.key)
		if err != nil || p.ID != o.id || o.seen.Seq > p.Seq {
			w.t.Errorf("%s was acknowledged as payment %s at event %d; in the end it is %+v, %v", o.key, o.id, o.seen.Seq, p, err)
			continue
		}
		w.observe(o, p)
		total.Moved += moved[o.key]
		if p.Status == payment.InDoubt {
			total.InDoubt++
		}
		w.judgeMoney(p, moved[o.key])
		w.judgeDoubt(p, recorded)
		for _, a := range p.Attempts {
			if entry := recorded[a.Key]; a.Status == payment.AttemptSucceeded && entry.Attempt.Payment.Amount == misstated {
				w.t.Errorf("%s is taken for a success although its provider states another amount: %+v", o.key, a)
			}
		}
		total.LateSuccesses += w.judgeHistory(l.store, p)
	}
	w.judgeFeed(l.store)
	checkFolds(w.t, l.store)
	w.judgeLog()
	w.end(l)
	w.judgeDisk()
	if w.t.Failed() {
		w.t.Logf("repeat it with CAUCE_SEED=%d CAUCE_SEEDS=1", w.seed)
	}
	return total
}

// judgeMoney compares what the router says with what the ledgers say (I2).
func (w *universe) judgeMoney(p *payment.Payment, moved int) {
	want := map[payment.Status]int{payment.Succeeded: 1, payment.Rejected: 0, payment.Failed: 0, payment.Expired: 0}
	n, final := want[p.Status]
	if moved > 1 || final && moved != n {
		w.t.Errorf("%s (%s) is %s and its money moved %d times: %+v", p.Reference, p.ID, p.Status, moved, p.Attempts)
	}
}

// judgeDoubt demands that nothing is left unfinished but what nobody can know (I4).
func (w *universe) judgeDoubt(p *payment.Payment, recorded map[string]*providertest.Entry) {
	if p.Status.Final() {
		return
	}
	a := p.Current()
	traits := w.banks[a.Provider].declared[p.Operation]
	unknowable := recorded[a.Key] == nil && (!traits.LookupByKey || traits.AbsentAfter == 0)
	mismatch := p.Failure != nil && p.Failure.Code == payment.CodeMismatch
	switch {
	case p.Status != payment.InDoubt || p.Failure == nil:
		w.t.Errorf("%s (%s) is %s for ever: %+v", p.Reference, p.ID, p.Status, p.Attempts)
	case !mismatch && !unknowable:
		w.t.Errorf("%s (%s) is in doubt until its next look at %s although its provider (%+v) can tell: %+v, %+v; its ledger: %+v", p.Reference, p.ID, p.NextLookupAt, traits, p.Failure, p.Attempts, recorded[a.Key])
	case !mismatch && p.NextLookupAt.IsZero():
		w.t.Errorf("%s (%s) is in doubt and never looked at again: %+v", p.Reference, p.ID, p.Attempts)
	}
}

// judgeHistory checks the events of a payment (I3, I5) and counts its late successes.
func (w *universe) judgeHistory(st store.Store, p *payment.Payment) (late int) {
	events, err := st.Events(context.Background(), p.ID, 0, 10_000)
	if err != nil {
		w.t.Error(err)
	}
	now := &payment.Payment{}
	abandoned := map[int]bool{} // nobody has their URLs: they may expire while others go on
	for _, ev := range events {
		before := now.Status
		if ev.Type == payment.EventAbandoned {
			abandoned[ev.Data.Attempt] = true
		}
		if ev.Type == payment.EventAttemptStarted {
			for _, a := range now.Attempts {
				closed := a.Status == payment.AttemptFailed || a.Status == payment.AttemptRejected || a.Status == payment.AttemptAbandoned ||
					a.Status == payment.AttemptExpired && abandoned[a.Number]
				if !closed {
					w.t.Errorf("%s: event %d begins attempt %d while attempt %d is %s", p.Reference, ev.Seq, ev.Data.Attempt, a.Number, a.Status)
				}
			}
		}
		if err := now.Apply(ev); err != nil {
			w.t.Errorf("%s: event %d: %v", p.Reference, ev.Seq, err)
		}
		if ev.Type == payment.EventLateSuccess {
			late++
		}
		if before.Final() && now.Status != before && ev.Type != payment.EventLateSuccess {
			w.t.Errorf("%s: event %d (%s) makes it %s after %s", p.Reference, ev.Seq, ev.Type, now.Status, before)
		}
	}
	return late
}

// judgeFeed demands each event once and in its payment's order (I7).
func (w *universe) judgeFeed(st store.Store) {
	cursor, last := "", map[string]int64{}
	for {
		page, err := st.Feed(context.Background(), cursor, 500)
		if err != nil {
			w.t.Error(err)
		}
		if len(page) == 0 {
			return
		}
		for _, ev := range page {
			if last[ev.Payment]++; ev.Event.Seq != last[ev.Payment] {
				w.t.Errorf("event %d of payment %s is its %dth in the feed", ev.Event.Seq, ev.Payment, last[ev.Payment])
			}
		}
		cursor = page[len(page)-1].Cursor
	}
}

// judgeLog demands that no log line tells who paid whom (I9).
func (w *universe) judgeLog() {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := request()
	for _, secret := range []string{secretAccount, r.Payer.Document.Number, r.Payer.Email, r.Payer.Phone, hookOf("")} {
		if strings.Contains(w.log.String(), secret) {
			w.t.Errorf("the log tells %s", secret)
		}
	}
}

// judgeDisk opens the store once more and finds what was acknowledged (I1).
func (w *universe) judgeDisk() {
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: w.disk.CrashClone(vfs.CrashCloneCfg{})})
	if err != nil {
		w.t.Error(err)
		return
	}
	for _, o := range w.asked {
		if p, err := st.Get(context.Background(), o.id); err != nil || p.Seq < o.seen.Seq {
			w.t.Errorf("%s is payment %s at event %d; after the last stop it is %+v, %v", o.key, o.id, o.seen.Seq, p, err)
		}
	}
	if err := st.Close(); err != nil {
		w.t.Error(err)
	}
}
