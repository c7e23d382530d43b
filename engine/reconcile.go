package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// DifferenceClass names how a provider's books differ from ours.
type DifferenceClass string

// The classes of a difference. What is in none of them is matched.
const (
	AmountDiffers DifferenceClass = "amount_differs" // amount, currency or key of a line are not those of the attempt
	OursOnly      DifferenceClass = "ours_only"      // we have an attempt as executed, or perhaps executed, and they have not
	TheirsOnly    DifferenceClass = "theirs_only"    // they have what we do not know, or have as not executed
	PaidTwice     DifferenceClass = "paid_twice"     // one of several successes of one payment
)

// Difference is one line of a statement, or one attempt of ours, that the other side does not confirm.
type Difference struct {
	Class       DifferenceClass       `json:"class"`
	Message     string                `json:"message"`
	Payment     string                `json:"payment,omitzero"` // its id; "" where we know none
	Attempt     int                   `json:"attempt,omitzero"`
	Key         string                `json:"key,omitzero"`
	Reference   string                `json:"reference,omitzero"`
	OurAmount   payment.Money         `json:"our_amount,omitzero"`
	TheirAmount payment.Money         `json:"their_amount,omitzero"`
	OurStatus   payment.AttemptStatus `json:"our_status,omitzero"`
	TheirStatus provider.Status       `json:"their_status,omitzero"`
}

// Reconciliation is what came of comparing a provider's statement with our payments.
type Reconciliation struct {
	Provider    string       `json:"provider"`
	From        time.Time    `json:"from"` // the statement's first line; of one without lines, 24 hours before To
	To          time.Time    `json:"to"`   // its last; of one without lines, now
	Lines       int          `json:"lines"`
	Matched     int          `json:"matched"` // lines
	Differences []Difference `json:"differences"`
}

// emptyStatement is the time that a statement without lines is compared with: it names none itself.
const emptyStatement = 24 * time.Hour

// Reconcile compares lines of a provider's books with the attempts that were handed over to it between the first and
// the last of them. nil lines are read from the provider, where it tells its statement. A statement without lines says
// that they have nothing: it is compared with the attempts of the last 24 hours.
//
// Amounts are compared exactly. An amount, currency or key that differs becomes the event mismatch, and the payment,
// unless it is final, is in doubt for a person. A line that says succeeded where we do not is a hint: the provider is asked
// about the attempt, and only its answer counts. A line or an attempt that is only behind the other side, pending on
// one of them, is matched. Nothing is handed over.
//
// It is ErrNotFound where the rules name no such provider, ErrStatement where it tells no statement or one without
// end, and a *provider.Error where the provider's statement cannot be read.
func (e *Engine) Reconcile(ctx context.Context, providerName string, lines []provider.StatementLine) (Reconciliation, error) {
	if err := e.enter(); err != nil {
		return Reconciliation{}, err
	}
	defer e.leave()
	r := e.provider(providerName)
	if r == nil {
		return Reconciliation{}, fmt.Errorf("%w: the rules have no provider %.64q", ErrNotFound, providerName)
	}
	asked := e.now().UTC()
	if lines == nil {
		p, ok := provider.WithStatement(r.Provider)
		if !ok {
			return Reconciliation{}, fmt.Errorf("%w: provider %q tells none; hand in a file", ErrStatement, r.name)
		}
		var err error
		if lines, err = e.fetchStatement(ctx, r, p); err != nil {
			return Reconciliation{}, err
		}
	}
	c := &comparison{
		e: e, r: r, asked: asked, found: map[attemptID]int{}, payments: map[string]int{},
		out: Reconciliation{Provider: r.name, Lines: len(lines), Differences: []Difference{}},
	}
	if len(lines) == 0 {
		c.out.From, c.out.To = asked.Add(-emptyStatement), asked
	}
	err := c.run(ctx, lines)
	return c.out, err
}

// attemptID names one attempt.
type attemptID struct {
	payment string
	number  int
}

// comparison is one run of Reconcile.
type comparison struct {
	e        *Engine
	r        *running
	asked    time.Time         // what began later may not be in the statement, whatever the provider's clock says
	found    map[attemptID]int // attempts that lines are about, and how many of those say succeeded
	payments map[string]int    // how many lines say succeeded
	out      Reconciliation
}

func (c *comparison) run(ctx context.Context, lines []provider.StatementLine) error {
	ids := make([]attemptID, len(lines))
	for i, line := range lines {
		p, a, err := c.find(ctx, line)
		if err != nil {
			return err
		}
		at := line.CreatedAt
		if a != nil {
			ids[i] = attemptID{p.ID, a.Number}
			if at.IsZero() {
				at = a.StartedAt
			}
			c.count(ids[i], line)
		}
		c.cover(at)
	}
	for i, line := range lines {
		d, err := c.judge(ctx, ids[i], line)
		if err != nil {
			return err
		}
		if d.Class == "" {
			c.out.Matched++
		} else {
			c.out.Differences = append(c.out.Differences, d)
		}
	}
	return c.walkOurs(ctx)
}

// cover widens the time that the statement covers.
func (c *comparison) cover(at time.Time) {
	switch {
	case at.IsZero():
		return
	case c.out.From.IsZero():
		c.out.From, c.out.To = at.UTC(), at.UTC()
	case at.Before(c.out.From):
		c.out.From = at.UTC()
	case at.After(c.out.To):
		c.out.To = at.UTC()
	}
}

func (c *comparison) count(id attemptID, line provider.StatementLine) {
	successes := 0
	if line.Status == provider.Succeeded {
		successes = 1
	}
	c.found[id] += successes
	c.payments[id.payment] += successes
}

// find returns the attempt that a line is about; nil where it is none of this provider's.
func (c *comparison) find(ctx context.Context, line provider.StatementLine) (*payment.Payment, *payment.Attempt, error) {
	q := provider.Query{Key: line.Key, Reference: line.Reference}
	p, err := c.e.find(ctx, c.r, q)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	a := p.Attempt(attemptOf(p, c.r.name, q))
	if a == nil || !c.r.knows(a) && a.Key != line.Key { // another account's references may repeat
		return nil, nil, nil
	}
	return p, a, nil
}

// judge compares one line with its attempt and stores what that means. The difference has no class where there is none.
func (c *comparison) judge(ctx context.Context, id attemptID, line provider.StatementLine) (Difference, error) {
	out := Difference{Key: line.Key, Reference: line.Reference, TheirAmount: line.Amount, TheirStatus: line.Status}
	if id.number == 0 {
		out.Class, out.Message = TheirsOnly, "we handed nothing over to this provider under this key or reference"
		return out, nil
	}
	if err := c.e.busy.wait(ctx, id.payment); err != nil {
		return out, err
	}
	defer c.e.done(id.payment)
	p, err := c.e.store.Get(ctx, id.payment)
	if err != nil {
		return out, err
	}
	differences := differs(p, p.Attempt(id.number), outcomeOf(line))
	switch {
	case len(differences) > 0:
		p, err = c.recordMismatch(ctx, p, id.number, line)
	case line.Status == provider.Succeeded && p.Attempt(id.number).Status != payment.AttemptSucceeded:
		p, err = c.confirm(ctx, p, id.number, line)
	}
	if err == nil && c.found[id] > 1 && p.Attempt(id.number).Status == payment.AttemptSucceeded {
		err = c.recordDouble(ctx, p, id)
	}
	if err != nil {
		return out, err
	}
	a := p.Attempt(id.number)
	out.Payment, out.Attempt, out.Key, out.OurAmount, out.OurStatus = p.ID, a.Number, a.Key, p.Amount, a.Status
	out.Class, out.Message = c.classify(p, a, line, differences)
	return out, nil
}

func outcomeOf(line provider.StatementLine) provider.Outcome {
	return provider.Outcome{
		Status: line.Status, Key: line.Key, Reference: line.Reference, Amount: line.Amount, Currency: line.Currency, Code: line.Code,
	}
}

// classify says how a line differs from what we have after it was looked into.
func (c *comparison) classify(
	p *payment.Payment, a *payment.Attempt, line provider.StatementLine, differences []payment.EventData,
) (DifferenceClass, string) {
	said := fmt.Sprintf("they say %q, we say %q", orElse(string(line.Status), line.Code), a.Status)
	open := line.Status == provider.Pending || line.Status == provider.Authorized
	another := func(b payment.Attempt) bool { return b.Number != a.Number && b.Status == payment.AttemptSucceeded }
	switch {
	case line.Status == provider.Succeeded && c.payments[p.ID] > 1:
		return PaidTwice, fmt.Sprintf("the statement has %d successes of this payment", c.payments[p.ID])
	case line.Status == provider.Succeeded && slices.ContainsFunc(p.Attempts, another):
		return PaidTwice, "another attempt of this payment succeeded, too"
	case len(differences) > 0:
		var parts []string
		for _, d := range differences {
			parts = append(parts, fmt.Sprintf("%s: ours %s, theirs %s", d.Field, d.Ours, d.Theirs))
		}
		return AmountDiffers, strings.Join(parts, "; ")
	case line.Status == provider.Succeeded && a.Status != payment.AttemptSucceeded,
		open && a.Status == payment.AttemptFailed:
		return TheirsOnly, said
	case line.Status != provider.Succeeded && !open && a.Status == payment.AttemptSucceeded:
		return OursOnly, said
	case line.Status == "":
		return TheirsOnly, said + "; what they say is not known"
	}
	return "", ""
}

// recordMismatch stores that a line differs from what we asked for. An attempt that succeeded stays so: only the event
// tells, once.
func (c *comparison) recordMismatch(ctx context.Context, p *payment.Payment, number int, line provider.StatementLine) (*payment.Payment, error) {
	told := map[string]bool{}
	err := c.history(ctx, p.ID, func(ev payment.Event) {
		if ev.Type == payment.EventMismatch && ev.Data.Attempt == number {
			told[ev.Data.Field+ev.Data.Theirs] = true
		}
	})
	if err != nil {
		return nil, err
	}
	d, err := c.e.update(ctx, p, func(d *draft) {
		switch a := d.p.Attempt(number); a.Status {
		case payment.AttemptProcessing: // its hand-over was left behind: the schedule takes it up first
		case payment.AttemptSucceeded:
			for _, data := range differs(d.p, a, outcomeOf(line)) {
				if !told[data.Field+data.Theirs] {
					d.add(payment.EventMismatch, data)
				}
			}
		default:
			c.e.mismatch(d, a, outcomeOf(line))
			c.e.reschedule(d)
		}
	})
	if err != nil {
		return nil, err
	}
	return d.p, nil
}

// recordDouble stores, once, that a statement has several successes of one attempt.
func (c *comparison) recordDouble(ctx context.Context, p *payment.Payment, id attemptID) error {
	told := false
	err := c.history(ctx, p.ID, func(ev payment.Event) {
		told = told || ev.Type == payment.EventDoublePayment && ev.Data.Attempt == id.number
	})
	if told || err != nil {
		return err
	}
	_, err = c.e.update(ctx, p, func(d *draft) {
		d.add(payment.EventDoublePayment, payment.EventData{
			Attempt: id.number, Provider: c.r.name, Message: fmt.Sprintf("the provider's statement has %d successes of this attempt", c.found[id]),
		})
	})
	return err
}

// history calls f with each event of a payment.
func (c *comparison) history(ctx context.Context, id string, f func(payment.Event)) error {
	for after := int64(0); ; {
		events, err := c.e.store.Events(ctx, id, after, eventsPage)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, ev := range events {
			f(ev)
			after = ev.Seq
		}
	}
}

// confirm asks the provider about an attempt that a line says succeeded, and stores its answer if it says so, too. Any
// other answer is left to the schedule: it could send the payment elsewhere, which a line that says succeeded forbids
// for now.
func (c *comparison) confirm(ctx context.Context, p *payment.Payment, number int, line provider.StatementLine) (*payment.Payment, error) {
	a := p.Attempt(number)
	sure := c.e.askable(p, a) && c.r.knows(a)
	q := provider.Query{Key: a.Key, Reference: a.Reference, Operation: p.Operation, Method: p.Method, SubmittedAt: a.StartedAt}
	switch {
	case sure:
	case line.Reference == "":
		return p, nil
	default:
		q.Reference = line.Reference
	}
	ans := c.e.ask(ctx, c.r, q)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ans.err != nil || ans.Status != provider.Succeeded || !sure && ans.Key != a.Key {
		return p, nil
	}
	d, err := c.e.update(ctx, p, func(d *draft) { c.e.concludeLookup(d, number, ans, nil) }) // a success needs no decision
	if err != nil {
		return nil, err
	}
	return d.p, nil
}

const (
	reconcilePage = 500
	// attemptLag is how long after its payment an attempt is looked for: one that follows a doubt begins late.
	attemptLag = 48 * time.Hour
)

// walkOurs reports our attempts of the statement's time that no line is about.
func (c *comparison) walkOurs(ctx context.Context) error {
	if c.out.From.IsZero() {
		return nil
	}
	filter := store.Filter{CreatedAfter: c.out.From.Add(-attemptLag), CreatedBefore: c.out.To.Add(1), Limit: reconcilePage}
	for {
		page, err := c.e.store.List(ctx, filter)
		if err != nil {
			return err
		}
		for _, p := range page.Payments {
			for _, a := range p.Attempts {
				c.missing(p, &a)
			}
		}
		if filter.Cursor = page.Next; filter.Cursor == "" {
			return nil
		}
	}
}

// missing reports an attempt that moved money, or may have, and that no line is about.
func (c *comparison) missing(p *payment.Payment, a *payment.Attempt) {
	_, found := c.found[attemptID{p.ID, a.Number}]
	expected := a.Status == payment.AttemptSucceeded || a.Status == payment.AttemptPending || a.Status == payment.AttemptInDoubt
	if found || !expected || a.Provider != c.r.name || !c.r.knows(a) || a.StartedAt.Before(c.out.From) || a.StartedAt.After(c.out.To) ||
		a.StartedAt.After(c.asked) {
		return
	}
	c.out.Differences = append(c.out.Differences, Difference{
		Class: OursOnly, Message: fmt.Sprintf("we say %q, the statement does not have it", a.Status),
		Payment: p.ID, Attempt: a.Number, Key: a.Key, Reference: a.Reference, OurAmount: p.Amount, OurStatus: a.Status,
	})
}
