package pebblestore

import (
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// state is what changes of a payment, and when it was created, which its index keys hold. The rest is in
// its first event.
func (c *codec) state(p *payment.Payment) {
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
}

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
func (c *codec) chunk(events *[]payment.Event) {
	list(c, 1, events, func(e *payment.Event) { c.element(func() { c.event(e) }) })
}

// firstEvent reads only the first event of a chunk.
func firstEvent(chunk []byte) (payment.Event, error) {
	e := payment.Event{Seq: 1}
	if len(chunk) == 0 || chunk[0] != recordVersion {
		return e, errUnknown
	}
	c := &codec{in: string(chunk[1:])}
	if !c.at(1, false) || c.count(0) == 0 {
		return e, errUnknown
	}
	c.element(func() { c.event(&e) })
	return e, c.err
}

// place tells the feed where the events of one write are.
type place struct {
	payment string
	first   int64 // sequence number of the first event
	count   int64
}

func (c *codec) place(p *place) {
	text(c, 1, &p.payment)
	integer(c, 2, &p.first)
	integer(c, 3, &p.count)
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
