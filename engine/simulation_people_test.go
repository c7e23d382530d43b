package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// order is what one customer wants paid, and what the router has said about it.
type order struct {
	key     string
	request payment.Request
	id      string           // as acknowledged; "" = not yet
	seen    *payment.Payment // as last read
	pages   map[string]bool  // the URLs that the payer was sent to
}

func newOrder(n int, payout bool) *order {
	o := &order{key: fmt.Sprint("order-", n), request: request(), pages: map[string]bool{}}
	o.request.Reference, o.request.Amount = o.key, payment.Pesos(int64(10_000+n))
	if payout {
		o.request.Operation, o.request.Method = payment.PayOut, payment.BankTransfer
		o.request.Payee = o.request.Payer
		o.request.Payee.Account = payment.Account{Type: "savings", Number: secretAccount}
	}
	return o
}

// secretAccount and the document of request are what no log may show.
const secretAccount = "68653284571"

// customer asks for one payment, alone or in several places at once, until it is acknowledged, and follows it.
func (w *universe) customer(n int) {
	r := w.dice("customer", n)
	o := newOrder(n, chance(r, 40))
	w.mu.Lock()
	w.asked = append(w.asked, o)
	w.mu.Unlock()
	if !w.pause(between(r, 0, faultsLast-time.Minute)) {
		return
	}
	for place := range 1 + max(0, r.IntN(5)-2) {
		w.run(func() { w.pay(o, place) })
	}
	for w.pause(w.patience(r)) {
		if !w.read(o) || !chance(r, 5) {
			continue
		}
		other := o.request
		other.Amount = payment.Pesos(9_999)
		err := w.ask(func(e *engine.Engine) error { _, err := e.Pay(context.Background(), o.key, other); return err })
		if err == nil {
			w.t.Errorf("the key of %s took another request", o.key)
		}
	}
}

// patience is how long a customer waits before looking again.
func (w *universe) patience(r *rand.Rand) time.Duration {
	if closed(w.calm) {
		return between(r, 5*time.Minute, 15*time.Minute)
	}
	return between(r, 5*time.Second, time.Minute)
}

// pay asks until the router acknowledges. Its caller has little patience at times.
func (w *universe) pay(o *order, place int) {
	r := w.dice("caller", o.key, place)
	for {
		ctx, cancel := context.WithCancel(context.Background())
		if chance(r, 30) {
			ctx, cancel = context.WithTimeout(ctx, between(r, time.Microsecond, 3*time.Second))
		}
		var p *payment.Payment
		err := w.ask(func(e *engine.Engine) (err error) { p, err = e.Pay(ctx, o.key, o.request); return err })
		cancel()
		switch {
		case errors.Is(err, errNoAnswer), errors.Is(err, engine.ErrClosed), errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFull):
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			w.t.Errorf("%s: %v", o.key, err)
			return
		case p != nil:
			w.acknowledged(o, p)
			return
		}
		if !w.pause(between(r, time.Millisecond, 5*time.Second)) {
			return
		}
	}
}

func (w *universe) acknowledged(o *order, p *payment.Payment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.id != "" && o.id != p.ID {
		w.t.Errorf("%s is payment %s and %s", o.key, o.id, p.ID)
	}
	o.id = p.ID
	w.observe(o, p)
}

// read looks at a payment as its customer does, and sends the payer where it says. It reports whether there is one.
func (w *universe) read(o *order) bool {
	w.mu.Lock()
	id := o.id
	w.mu.Unlock()
	if id == "" {
		return false
	}
	var p *payment.Payment
	err := w.ask(func(e *engine.Engine) (err error) { p, err = e.Get(context.Background(), id); return err })
	switch {
	case errors.Is(err, store.ErrNotFound):
		w.t.Errorf("%s was acknowledged as payment %s and is lost", o.key, id)
	case err == nil:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.observe(o, p)
	}
	return true
}

// observe compares what is read with what was read before. The caller holds mu.
func (w *universe) observe(o *order, p *payment.Payment) {
	if !p.Request.Equal(o.request.WithDefaults()) || p.IdempotencyKey != o.key {
		w.t.Errorf("%s came back as another request: %+v", o.key, p)
	}
	if before := o.seen; before != nil && p.Seq >= before.Seq {
		if before.Status.Final() && p.Status != before.Status && p.Status != payment.Succeeded {
			w.t.Errorf("%s was %s and is %s", o.key, before.Status, p.Status)
		}
	}
	if o.seen == nil || p.Seq > o.seen.Seq {
		o.seen = p
	}
	if p.Action != nil && !o.pages[p.Action.URL] {
		o.pages[p.Action.URL] = true
		key := p.Action.URL[strings.LastIndex(p.Action.URL, "/")+1:]
		w.run(func() { w.payer(w.banks[p.Provider], key) })
	}
}

// payer goes to a page and pays, or not, or first not and then all the same.
func (w *universe) payer(b *bank, key string) {
	r := w.dice("payer", key)
	for range 3 {
		if !w.pause(between(r, time.Second, 15*time.Minute)) {
			return
		}
		status, since := b.age(key)
		switch {
		case status != provider.Pending && (status != provider.Rejected || since >= b.pageLives):
			return
		case chance(r, 60):
			b.settle(key, provider.Succeeded)
			return
		case status == provider.Pending && chance(r, 50):
			b.settle(key, provider.Rejected)
		}
	}
}

// beforeSubmit demands that a payment is handed to nobody else while an earlier attempt may move its money.
func (w *universe) beforeSubmit(name string, a provider.Attempt) {
	for other, b := range w.banks {
		for _, e := range b.Ledger() {
			if e.Attempt.Payment.Reference != a.Payment.Reference || e.Attempt.Key == a.Key {
				continue
			}
			harmless := e.Status == provider.Rejected || e.Status == provider.Expired || e.Status == provider.Failed ||
				b.declared[a.Payment.Operation].AbandonIfUnanswered && !w.given(e)
			if !harmless {
				w.t.Errorf("%s is handed to %s (attempt %d) while its attempt at %s is %s",
					a.Payment.Reference, name, a.Number, other, e.Status)
			}
		}
	}
}
