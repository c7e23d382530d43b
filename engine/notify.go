package engine

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/internal/failpoint"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// Notify takes a provider's webhook. It returns nil as soon as the webhook is durable; what it is about is
// then looked up in the background. A webhook is a hint: it changes nothing by itself, however often, early,
// late or forged it arrives. The path's secret is compared in constant time; an unknown provider and a wrong
// secret are ErrNotFound alike. After the rules gave a provider another secret, the earlier one is taken for as long as
// a payment of then is not finished.
func (e *Engine) Notify(ctx context.Context, providerName, secret string, n provider.Notification) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	r := e.provider(providerName)
	taken := false
	if r != nil {
		var err error
		if taken, err = e.takesSecret(ctx, r, secret); err != nil {
			return err
		}
	}
	if !taken {
		return fmt.Errorf("engine: no webhook path of that name and secret: %w", ErrNotFound)
	}
	if _, ok := provider.WithNotifications(r.Provider); !ok {
		return fmt.Errorf("engine: provider %q sends no webhooks: %w", providerName, ErrNotFound)
	}
	now := e.now()
	record := store.Notification{
		ID: e.newTimedID(now), Provider: providerName, ReceivedAt: now,
		Method: n.Method, Path: n.Path, Header: n.Header, Body: n.Body,
	}
	failpoint.Pass(failpoint.NotificationRead)
	err := e.store.PutNotification(context.WithoutCancel(ctx), record)
	e.checkStore(err)
	if err == nil {
		e.inbox.wake()
		failpoint.Pass(failpoint.NotificationStored)
	}
	return err
}

func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return a != "" && subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// retries are the webhooks that could not be worked through yet.
type retries struct {
	mu sync.Mutex
	of map[string]retry // by id
}

type retry struct {
	at    time.Time // when it is tried again
	tries int       // so far
}

func (r *retries) get(id string) retry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[id]
}

func (r *retries) put(id string, next retry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]retry{}
	}
	r.of[id] = next
}

func (r *retries) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, id)
}

// inHand are the webhooks that wait for their turn or are worked on.
type inHand struct {
	mu   sync.Mutex
	ids  map[string]bool
	over []string // those of ids that ended since the last renew
}

// renew is called before the inbox is read: what ended before is in it no more, or is to be tried again. What ends later
// may be read from it though it is done.
func (h *inHand) renew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range h.over {
		delete(h.ids, id)
	}
	h.over = h.over[:0]
}

func (h *inHand) has(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ids[id]
}

func (h *inHand) add(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ids == nil {
		h.ids = map[string]bool{}
	}
	h.ids[id] = true
}

func (h *inHand) end(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = append(h.over, id)
}

// inboxPage bounds how many webhooks are read from the store at once, and how many of one provider wait in memory.
const inboxPage = 100

// readInbox takes up the stored webhooks, the oldest first.
func (e *Engine) readInbox(ctx context.Context) {
	after := ""
	for ctx.Err() == nil {
		e.inHand.renew()
		page, err := e.store.Notifications(ctx, after, inboxPage)
		if err != nil {
			e.log.Error("the inbox of webhooks could not be read", "error", err)
			e.inbox.retry()
			return
		}
		if len(page) == 0 {
			return
		}
		for _, n := range page {
			after = n.ID
			if e.inHand.has(n.ID) {
				continue
			}
			again := e.retries.get(n.ID)
			if wait := again.at.Sub(e.now()); wait > 0 && wait <= longestPause*5/4 { // else the clock was ahead
				e.inbox.wakeAt(again.at)
				continue
			}
			e.inHand.add(n.ID)
			if !e.webhooks.take(ctx, n.Provider, func() { e.workThrough(ctx, n, again.tries) }) {
				e.inHand.end(n.ID) // the inbox is read again when there is room
			}
		}
	}
}

// workThrough deletes a webhook once what it says is either durable as a look-up or of no use. Where it is to be tried
// again, it is in hand no more when the inbox is woken.
func (e *Engine) workThrough(ctx context.Context, n store.Notification, tries int) {
	err := e.readNotification(ctx, n, tries)
	var busy busyError
	switch {
	case errors.As(err, &busy):
		e.inHand.end(n.ID)
		if id := string(busy); e.busy.try(id) { // else the end of the payment's turn wakes the inbox
			e.busy.end(id)
			e.inbox.wake()
		}
	case err != nil:
		e.log.Warn("a webhook could not be worked through yet", "provider", n.Provider, "error", err)
		now := e.now()
		again := retry{at: now.Add(e.pause(age(now, n.ReceivedAt), retryPause)), tries: tries + 1}
		e.retries.put(n.ID, again)
		e.inHand.end(n.ID)
		e.inbox.wakeAt(again.at)
	default:
		failpoint.Pass(failpoint.NotificationApplied)
		e.retries.forget(n.ID)
		if err := e.store.DeleteNotification(ctx, n.ID); err != nil {
			e.log.Error("a webhook could not be deleted", "provider", n.Provider, "error", err)
		}
		e.inHand.end(n.ID)
	}
}

const (
	// inboxKeep bounds how long a webhook that cannot be worked through is tried again.
	inboxKeep = 7 * 24 * time.Hour
	// inboxLag is how long a provider may not know yet what its own webhook is about.
	inboxLag = 2 * time.Minute
	// inboxTries is how often a webhook was tried, at least, before it is dropped for its age: as often as its pauses
	// allow in inboxLag. A clock that jumps ahead ages it within a moment, but cuts one pause short, not all of them.
	inboxTries = 9
)

// readNotification finds out what a webhook is about and looks that up. An error means: try again later.
func (e *Engine) readNotification(ctx context.Context, n store.Notification, tries int) error {
	r, old := e.provider(n.Provider), e.now().Sub(n.ReceivedAt)
	if tries < inboxTries {
		old = 0
	}
	switch {
	case old > inboxKeep:
		e.log.Warn("a webhook was dropped: its provider is gone or has not answered for too long", "provider", n.Provider, "age", old)
		return nil
	case r == nil:
		return errGone
	}
	p, ok := provider.WithNotifications(r.Provider)
	if !ok {
		return nil
	}
	callCtx, cancel := e.withTimeout(ctx, r.timeout)
	defer cancel()
	queries, err := guarded(callCtx, e.crew, func() ([]provider.Query, error) {
		return p.ParseNotification(callCtx, provider.Notification{Method: n.Method, Path: n.Path, Header: n.Header, Body: n.Body})
	})
	switch {
	case provider.CodeOf(err) == provider.CodeInvalid:
		e.log.Warn("a webhook that its provider's plugin cannot read was dropped", "provider", n.Provider, "error", err)
		return nil
	case err != nil:
		return err
	}
	for _, q := range queries {
		err := e.notified(ctx, r, q)
		if errors.Is(err, errUnheardOf) && old > inboxLag {
			e.log.Warn("a webhook about nothing of ours was dropped", "provider", n.Provider)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errGone is the answer of a provider that the rules do not name any more.
var errGone = provider.Errorf(provider.CodeUnknown, "the rules do not name the provider any more")

var errUnheardOf = errors.New("neither we nor the provider know what the webhook is about (yet)")

// busyError is the id of the payment whose turn a webhook has to wait for.
type busyError string

func (e busyError) Error() string {
	return "payment " + string(e) + " is being handed over or looked up"
}

// notified looks up what one webhook's query is about.
func (e *Engine) notified(ctx context.Context, r *running, q provider.Query) error {
	learnt := "" // the reference of an attempt whose answer is lost, as the provider itself tells it
	p, err := e.find(ctx, r, q)
	if errors.Is(err, store.ErrNotFound) {
		ans := e.ask(ctx, r, q)
		if ans.err != nil {
			return ans.err
		}
		if ans.Key == "" {
			return errUnheardOf
		}
		learnt = orElse(ans.Reference, q.Reference)
		q.Key = ans.Key
		if p, err = e.find(ctx, r, q); errors.Is(err, store.ErrNotFound) {
			return errUnheardOf
		}
	}
	if err != nil {
		return err
	}
	if !e.busy.try(p.ID) {
		return busyError(p.ID)
	}
	defer e.done(p.ID)
	if p, err = e.store.Get(ctx, p.ID); err != nil {
		return err
	}
	due, number := p.NextLookupAt, attemptOf(p, r.name, q)
	if number == 0 || p.Attempt(number).Status == payment.AttemptSucceeded {
		return nil // repeated, or about nothing of ours
	}
	d, err := e.update(ctx, p, func(d *draft) { recordNotification(d, r.name, number, learnt) })
	if err != nil {
		return err
	}
	decision, err := e.Decision(ctx, p.ID)
	switch {
	case err != nil || d.p.Attempt(number).Status == payment.AttemptProcessing:
		return err // left behind by a process that died: the schedule takes it up
	case !e.askable(d.p, d.p.Attempt(number)):
		return nil // its provider cannot be asked by key, so that "not found" would be no answer
	}
	p, unanswered, err := e.lookUpAttempt(ctx, d.p, number, decision)
	if err == nil && !due.After(e.now()) && e.mayResend(p) {
		return e.resend(ctx, p, decision) // it took the turn of the schedule's look: see look
	}
	if err == nil && unanswered != nil && e.provider(r.name).knows(d.p.Attempt(number)) {
		return unanswered // the hint is kept until it was of use: a finished payment has no other
	}
	return err
}

// recordNotification drafts that a webhook came, and the reference that the provider told when it was asked about
// it. Repeated webhooks with nothing between them are one event, so that a storm of them does not grow the
// payment's history.
func recordNotification(d *draft, providerName string, number int, learnt string) {
	isNew := learnt != "" && d.p.Attempt(number).Reference == ""
	if !d.p.NotifiedAt.IsZero() && d.p.NotifiedAt.Equal(d.p.UpdatedAt) && !isNew {
		return
	}
	d.add(payment.EventNotification, payment.EventData{Provider: providerName, Attempt: number})
	if isNew {
		d.add(payment.EventLookup, payment.EventData{Attempt: number, Reference: learnt})
	}
}

// find returns the payment that a query is about.
func (e *Engine) find(ctx context.Context, r *running, q provider.Query) (*payment.Payment, error) {
	if q.Key != "" {
		p, err := e.store.ByAttempt(ctx, q.Key)
		if err == nil || !errors.Is(err, store.ErrNotFound) || q.Reference == "" {
			return p, err
		}
	}
	if q.Reference == "" {
		return nil, store.ErrNotFound
	}
	return e.store.ByReference(ctx, r.name, q.Reference)
}

// attemptOf returns the number of the payment's attempt that a query is about; 0 where it is none of that provider's.
func attemptOf(p *payment.Payment, providerName string, q provider.Query) int {
	for _, a := range p.Attempts {
		if a.Provider == providerName && (a.Key == q.Key || a.Reference != "" && a.Reference == q.Reference) {
			return a.Number
		}
	}
	return 0
}
