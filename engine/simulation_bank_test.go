package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// bank is a provider with traits of its own, which it keeps to, and faults of every kind, which it is free to have.
// It lives as long as its world; routers come and go.
type bank struct {
	*providertest.Provider
	w    *universe
	name string
	// pageLives is how long a URL of it can be paid, declared or not.
	pageLives time.Duration
	byKey     bool // it can be looked up by an attempt's key alone, and its webhooks name that
	declared  map[payment.Operation]payment.Recovery

	mu       sync.Mutex
	executed map[string]time.Time // when, by key
}

const absentAfter = 4 * time.Minute

// misstated is what a bank says of an amount that it has got wrong.
var misstated = payment.Pesos(1)

func newBank(w *universe, name string) *bank {
	r := w.dice("bank", name)
	b := &bank{
		Provider: providertest.New(name), w: w, name: name, pageLives: between(r, 10*time.Minute, 40*time.Minute),
		declared: map[payment.Operation]payment.Recovery{}, executed: map[string]time.Time{},
	}
	b.byKey = chance(r, 75)
	resend := chance(r, 50)
	for _, o := range []payment.Operation{payment.PayIn, payment.PayOut} {
		traits := payment.Recovery{LookupByKey: b.byKey, ResendSameKey: resend}
		if chance(r, 70) {
			traits.AbsentAfter = payment.Duration(absentAfter)
		}
		if o == payment.PayIn {
			traits.AbandonIfUnanswered = chance(r, 50)
			if chance(r, 60) && !w.far {
				traits.ExpiresAfter = payment.Duration(absentAfter/2 + b.pageLives)
			}
		}
		b.declared[o] = traits
	}
	b.SetInfo(func(i *provider.Info) {
		payin := i.Capabilities[0]
		payin.Recovery = b.declared[payment.PayIn]
		payout := payin
		payout.Operation, payout.Method, payout.Required = payment.PayOut, payment.BankTransfer, nil
		payout.Recovery = b.declared[payment.PayOut]
		i.Capabilities = []payment.Capability{payin, payout}
	})
	if !resend {
		b.ExecuteResends() // what is promised by nobody goes wrong
	}
	return b.withSteps()
}

func (b *bank) withSteps() *bank {
	b.Each(func(a provider.Attempt) providertest.Step {
		step, r := b.step(a)
		wait, after := b.delays(a, r)
		step.Before = func(provider.Attempt) {
			if chance(r, 3) {
				b.w.crashNow()
			}
			<-time.After(wait)
		}
		step.After = func(a provider.Attempt) {
			b.mu.Lock()
			if _, known := b.executed[a.Key]; !known && step.Execute {
				b.executed[a.Key] = time.Now()
				if o := new(provider.Outcome); step.Change != nil {
					if step.Change(o); o.Amount == misstated {
						b.Restate(a.Key, misstated)
					}
				}
				b.w.run(func() { b.finish(a, step.Status) })
			}
			b.mu.Unlock()
			if step.Execute && chance(r, 5) {
				b.announce(a.Key) // a webhook before the answer
			}
			if chance(r, 3) {
				b.w.crashNow()
			}
			<-time.After(after)
		}
		return step
	})
	return b
}

func (w *universe) crashNow() {
	if _, l := w.router(); l != nil && !closed(w.calm) {
		w.crash(l)
	}
}

// step chooses what a hand-over meets.
func (b *bank) step(a provider.Attempt) (providertest.Step, *rand.Rand) {
	r := b.w.dice("hand-over", b.name, a.Payment.Reference, a.Number, a.Resend)
	execute := providertest.Redirect()
	if a.Payment.Operation == payment.PayOut {
		execute = []providertest.Step{
			providertest.Approve(), providertest.Approve(), providertest.Redirect(), providertest.Decline(),
			{Execute: true, Status: provider.Failed},
		}[r.IntN(5)]
	}
	if closed(b.w.calm) || chance(r, 40) {
		return execute, r
	}
	codes := []provider.Code{
		provider.CodeInvalid, provider.CodeDeclined, provider.CodeUnauthorized, provider.CodeExhausted, provider.CodeUnavailable,
	}
	switch n := r.IntN(10); n {
	case 0, 1:
		return providertest.Refuse(codes[r.IntN(len(codes))]), r
	case 2, 3:
		return providertest.LoseBefore(), r
	case 4, 5:
		execute.Err = provider.Errorf(provider.CodeUnknown, "the answer was lost")
	case 6:
		execute.Hang = true
	case 7:
		execute.Err = errors.New("the process ended")
	case 8:
		execute.Change = func(o *provider.Outcome) { o.Status = "a word that nobody knows" }
	case 9:
		if chance(r, 30) {
			execute.Change = func(o *provider.Outcome) { o.Amount = misstated }
		}
	}
	return execute, r
}

// delays chooses how long a hand-over is under way to the provider and back. A request that is stuck is executed
// long after its caller has gone, but within what absent_after allows for.
func (b *bank) delays(a provider.Attempt, r *rand.Rand) (there, back time.Duration) {
	there, back = between(r, time.Millisecond, 2*time.Second), between(r, time.Millisecond, 2*time.Second)
	if closed(b.w.calm) {
		return there, back
	}
	if chance(r, 10) {
		there = between(r, time.Second, absentAfter/2)
	}
	if chance(r, 10) {
		back = between(r, time.Second, time.Minute)
	}
	return there, back
}

// finish ends what was pending, where its payer does not, and sends the webhook about what ended at once.
func (b *bank) finish(a provider.Attempt, status provider.Status) {
	r := b.w.dice("end", a.Key)
	switch {
	case status != provider.Pending:
		b.announce(a.Key)
	case a.Payment.Operation == payment.PayIn:
		if b.w.pause(b.pageLives) {
			b.age(a.Key)
		}
	case b.w.pause(between(r, time.Second, 40*time.Minute)):
		b.settle(a.Key, []provider.Status{provider.Succeeded, provider.Succeeded, provider.Rejected, provider.Failed}[r.IntN(4)])
	}
}

// settle moves what is pending, and announces it.
func (b *bank) settle(key string, status provider.Status) {
	b.Settle(key, status)
	b.announce(key)
}

// age expires the pages that nobody paid, and returns the status of what was executed under key.
func (b *bank) age(key string) (status provider.Status, since time.Duration) {
	b.mu.Lock()
	executed, ok := b.executed[key]
	b.mu.Unlock()
	if !ok {
		return "", 0
	}
	for _, e := range b.Ledger() {
		if e.Attempt.Key != key {
			continue
		}
		status = e.Status
		if status == provider.Pending && e.Attempt.Payment.Operation == payment.PayIn && time.Since(executed) >= b.pageLives {
			status = provider.Expired
			b.settle(key, status)
		}
	}
	return status, time.Since(executed)
}

// announce sends the webhooks about an attempt: late, repeated, out of order, or (while there are faults) never.
func (b *bank) announce(key string) {
	r := b.w.dice("webhook", key, time.Now())
	body := "ref-" + key
	if b.byKey && chance(r, 50) {
		body = "key:" + key
	}
	if !closed(b.w.calm) && chance(r, 20) {
		// Lost. It comes when the faults have ended: a provider that can never be asked must not stay silent for ever.
		b.w.run(func() {
			if b.w.pause(faultsLast) {
				b.notify(body)
			}
		})
		return
	}
	for range 1 + r.IntN(3) {
		wait := between(r, time.Millisecond, time.Minute)
		b.w.run(func() {
			if b.w.pause(wait) {
				b.notify(body)
			}
		})
	}
}

// notify sends a webhook until the router takes it.
func (b *bank) notify(body string) {
	for {
		err := b.w.ask(func(e *engine.Engine) error {
			return e.Notify(context.Background(), b.name, hookOf(b.name), provider.Notification{Method: "POST", Body: []byte(body)})
		})
		if err == nil {
			b.w.mu.Lock()
			b.w.webhook++
			b.w.mu.Unlock()
			return
		}
		if !b.w.pause(10 * time.Second) {
			return
		}
	}
}

// forgeWebhooks sends what no bank sent: about payments that nobody paid, about nothing, to wrong paths.
func (w *universe) forgeWebhooks() {
	r := w.dice("forger")
	for !closed(w.calm) && w.pause(between(r, time.Second, 20*time.Second)) {
		for name, b := range w.banks {
			body := fmt.Sprint("key:", r.Uint64())
			if ledger := b.Ledger(); len(ledger) > 0 && chance(r, 80) {
				body = "key:" + ledger[r.IntN(len(ledger))].Attempt.Key
			}
			secret := hookOf(name)
			wrong := chance(r, 20)
			if wrong {
				secret = "guessed"
			}
			err := w.ask(func(e *engine.Engine) error {
				return e.Notify(context.Background(), name, secret, provider.Notification{Method: "POST", Body: []byte(body)})
			})
			if wrong && err == nil {
				w.t.Error("a webhook was taken on a path that was guessed")
			}
		}
	}
}

// line is a bank as one router process reaches it.
type line struct {
	*bank
	life *life
}

// Submit is what can move money. A router without power sends nothing; what it has sent goes on without it.
func (l *line) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	if l.life.isDead() {
		return provider.Outcome{}, errNoAnswer
	}
	l.w.beforeSubmit(l.name, a)
	return l.bank.Submit(ctx, a)
}

// Lookup fails now and then, and does not find for a while what was executed.
func (l *line) Lookup(ctx context.Context, q provider.Query) (provider.Outcome, error) {
	if l.life.isDead() {
		return provider.Outcome{}, errNoAnswer
	}
	key := q.Key
	if len(q.Reference) > 4 {
		key = q.Reference[4:]
	}
	r := l.w.dice("look-up", l.name, key, time.Now())
	<-time.After(between(r, time.Millisecond, time.Second))
	_, since := l.age(key)
	lag := between(l.w.dice("lag", key), 0, absentAfter/4)
	switch {
	case !closed(l.w.calm) && chance(r, 15):
		return provider.Outcome{}, provider.Errorf([]provider.Code{
			provider.CodeUnavailable, provider.CodeUnknown, provider.CodeUnauthorized,
		}[r.IntN(3)], "not now")
	case !closed(l.w.calm) && chance(r, 3):
		return provider.Outcome{Status: "a word that nobody knows"}, nil
	case since < lag, q.Reference == "" && !l.byKey:
		return provider.Outcome{Status: provider.Absent}, nil
	}
	return l.bank.Lookup(ctx, q)
}
