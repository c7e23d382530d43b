package pebblestore

import (
	"encoding/binary"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// kept is a payment as the store keeps it: what changes of it, when it was created, which its index keys hold, and
// where its events are. Its request and its idempotency key are in its first event.
type kept struct {
	payment.Payment
	writes []place
}

// place is where the events of one write are in the feed.
type place struct {
	count int64
	last  uint64 // position of the last event
}

// state ends with the place of the last write, which becomes known last; see setLast.
func (c *codec) state(k *kept) {
	p := &k.Payment
	text(c, 1, &p.Status)
	text(c, 2, &p.Route)
	text(c, 3, &p.Provider)
	text(c, 4, &p.ProviderReference)
	pointer(c, 5, &p.Action, c.action)
	pointer(c, 6, &p.Failure, c.failure)
	c.time(7, &p.ExpiresAt)
	c.time(8, &p.CreatedAt)
	c.time(9, &p.UpdatedAt)
	text(c, 10, &p.Rules)
	list(c, 11, &p.Attempts, c.attempt)
	c.time(12, &p.NotifiedAt)
	integer(c, 13, &p.Seq)
	c.time(14, &p.NextLookupAt)
	list(c, 15, &k.writes, func(at *place) {
		count := uint64(at.count)
		c.number(&count)
		at.count = int64(count)
		c.fixed(&at.last)
	})
}

// setLast puts the position of the last event into the record of a state whose last write has just got it.
func setLast(state []byte, last uint64) { binary.BigEndian.PutUint64(state[len(state)-9:], last) }

func (c *codec) attempt(a *payment.Attempt) {
	c.element(func() {
		integer(c, 1, &a.Number)
		text(c, 2, &a.Provider)
		text(c, 3, &a.Key)
		text(c, 4, &a.Status)
		text(c, 5, &a.Code)
		text(c, 6, &a.Message)
		text(c, 7, &a.Reference)
		c.time(8, &a.StartedAt)
		c.time(9, &a.DeadlineAt)
		c.time(10, &a.EndedAt)
		c.flag(11, &a.URLGiven)
		text(c, 12, &a.Account)
		c.flag(13, &a.NoResend)
	})
}

func (c *codec) action(a *payment.Action) {
	text(c, 1, &a.Type)
	text(c, 2, &a.URL)
}

func (c *codec) failure(f *payment.Failure) {
	text(c, 1, &f.Code)
	text(c, 2, &f.Message)
	text(c, 3, &f.Field)
}

func (c *codec) request(r *payment.Request) {
	text(c, 1, &r.Operation)
	text(c, 2, &r.Method)
	c.money(3, &r.Amount)
	text(c, 4, &r.Currency)
	text(c, 5, &r.Country)
	c.money(6, &r.Tax)
	text(c, 7, &r.Reference)
	text(c, 8, &r.Description)
	c.group(9, func() { c.party(&r.Payer) })
	c.group(10, func() { c.party(&r.Payee) })
	c.group(11, func() {
		text(c, 1, &r.Bill.Biller)
		text(c, 2, &r.Bill.Reference)
	})
	text(c, 12, &r.ReturnURL)
	text(c, 13, &r.FailureURL)
	text(c, 14, &r.CancelURL)
	table(c, 15, &r.Metadata, func(v *string) { bare(c, v) })
}

func (c *codec) party(p *payment.Party) {
	text(c, 1, &p.Kind)
	text(c, 2, &p.Name)
	text(c, 3, &p.FirstName)
	text(c, 4, &p.LastName)
	text(c, 5, &p.Document.Type)
	text(c, 6, &p.Document.Number)
	text(c, 7, &p.Email)
	text(c, 8, &p.Phone)
	text(c, 9, &p.Address)
	text(c, 10, &p.IP)
	text(c, 11, &p.ID)
	text(c, 12, &p.Bank)
	text(c, 13, &p.Account.Type)
	text(c, 14, &p.Account.Number)
}

// event leaves out Seq, which follows from the event's place.
func (c *codec) event(e *payment.Event) {
	text(c, 1, &e.Type)
	c.time(2, &e.At)
	d := &e.Data
	text(c, 3, &d.Payment)
	text(c, 4, &d.IdempotencyKey)
	pointer(c, 5, &d.Request, c.request)
	pointer(c, 6, &d.Decision, c.decision)
	integer(c, 7, &d.Attempt)
	text(c, 8, &d.Provider)
	text(c, 9, &d.Key)
	c.time(10, &d.DeadlineAt)
	text(c, 11, &d.AttemptStatus)
	text(c, 12, &d.Status)
	text(c, 13, &d.Code)
	text(c, 14, &d.Message)
	text(c, 15, &d.Reference)
	pointer(c, 16, &d.Action, c.action)
	c.time(17, &d.ExpiresAt)
	pointer(c, 18, &d.Failure, c.failure)
	text(c, 19, &d.Field)
	text(c, 20, &d.Ours)
	text(c, 21, &d.Theirs)
	text(c, 22, &d.Note)
	text(c, 23, &d.Account)
	c.flag(24, &d.NoResend)
}

func (c *codec) decision(d *payment.Decision) {
	text(c, 1, &d.Route)
	text(c, 2, &d.Reject)
	text(c, 3, &d.Strategy)
	text(c, 4, &d.Rules)
	list(c, 5, &d.Providers, func(v *string) { bare(c, v) })
	list(c, 6, &d.Candidates, func(v *payment.Candidate) {
		c.element(func() {
			text(c, 1, &v.Provider)
			c.flag(2, &v.Eligible)
			text(c, 3, &v.Reason)
		})
	})
	table(c, 7, &d.Faults, func(v *string) { bare(c, v) })
	c.group(8, func() {
		list(c, 1, &d.Failover.On, func(v *string) { bare(c, v) })
		integer(c, 2, &d.Failover.MaxAttempts)
		integer(c, 3, &d.Failover.Within)
	})
	c.time(9, &d.DecidedAt)
	table(c, 10, &d.Snapshot, func(v *payment.Health) {
		c.element(func() {
			c.flag(1, &v.Unhealthy)
			c.flag(2, &v.Paused)
			text(c, 3, &v.Reason)
			c.flag(4, &v.BreakerOpen)
			c.flag(5, &v.AtLimit)
			integer(c, 6, &v.Successes)
			integer(c, 7, &v.Failures)
		})
	})
}

// chunk is the events of one write.
type chunk struct {
	payment string
	first   int64 // sequence number of the first
	events  []payment.Event
}

func (c *codec) chunk(k *chunk) {
	c.chunkHead(k)
	list(c, 3, &k.events, func(e *payment.Event) { c.element(func() { c.event(e) }) })
	if !c.writing {
		for i := range k.events {
			k.events[i].Seq = k.first + int64(i)
		}
	}
}

func (c *codec) chunkHead(k *chunk) {
	text(c, 1, &k.payment)
	integer(c, 2, &k.first)
}

// firstEvent reads a chunk only as far as its first event.
func firstEvent(record []byte) (k chunk, err error) {
	if len(record) == 0 || record[0] != recordVersion {
		return k, errUnknown
	}
	c := &codec{in: string(record[1:])}
	c.chunkHead(&k)
	if !c.at(3, false) || c.count(0) == 0 {
		return k, errUnknown
	}
	e := payment.Event{Seq: k.first}
	c.element(func() { c.event(&e) })
	k.events = []payment.Event{e}
	return k, c.err
}

// notification leaves out ID, which is the key.
func (c *codec) notification(n *store.Notification) {
	text(c, 1, &n.Provider)
	c.time(2, &n.ReceivedAt)
	text(c, 3, &n.Method)
	text(c, 4, &n.Path)
	table(c, 5, &n.Header, func(v *[]string) {
		c.element(func() { list(c, 1, v, func(s *string) { bare(c, s) }) })
	})
	data(c, 6, &n.Body)
}

// format is what the store says about itself.
type format struct {
	version int64
	secret  []byte // seals the cursors
}

func (c *codec) format(f *format) {
	integer(c, 1, &f.version)
	data(c, 2, &f.secret)
}
