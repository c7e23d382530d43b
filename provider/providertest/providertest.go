// Package providertest is a scripted provider as a plain Go value, for the tests of the engine and of those who
// embed it. It keeps a ledger of its own of what it really executed, so that a test counts money there and not
// in what the router says.
//
//	p := providertest.New("acme")
//	p.Script(providertest.Refuse(provider.CodeUnavailable), providertest.Redirect())
//	// the first hand-over is refused, the second gets a URL, further ones too
//	p.Settle(key, provider.Succeeded) // the payer pays
package providertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// Step is what one hand-over meets. Build it with Approve, Redirect and their like, or by hand.
type Step struct {
	// Execute records the attempt in the ledger, with Status, before the answer.
	Execute bool
	Status  provider.Status
	// Err is answered instead of the outcome.
	Err error
	// Hang waits until the call's context ends and then answers with its error.
	Hang bool
	// Change alters the answer, not the ledger: a wrong amount, a wrong key.
	Change func(*provider.Outcome)
	// Before runs before anything is executed, After between the execution and the answer. A test blocks a call with
	// them.
	Before, After func(provider.Attempt)
}

// Approve executes at once.
func Approve() Step { return Step{Execute: true, Status: provider.Succeeded} }

// Redirect waits for the payer at a URL; see Settle.
func Redirect() Step { return Step{Execute: true, Status: provider.Pending} }

// Decline records a final no.
func Decline() Step { return Step{Execute: true, Status: provider.Rejected} }

// Refuse executes nothing and answers with an error of that code.
func Refuse(code provider.Code) Step {
	return Step{Err: &provider.Error{Code: code, Message: "refused by the script", ProviderCode: "TEST"}}
}

// Lose executes with that status, and the answer is lost.
func Lose(status provider.Status) Step {
	return Step{Execute: true, Status: status, Err: provider.Errorf(provider.CodeUnknown, "the answer was lost")}
}

// LoseBefore loses the request: nothing is executed, and nobody can know.
func LoseBefore() Step {
	return Step{Err: provider.Errorf(provider.CodeUnknown, "the connection broke")}
}

// Hang executes with that status and answers nothing until the call's deadline.
func Hang(status provider.Status) Step { return Step{Execute: true, Status: status, Hang: true} }

// Die answers with an error that is no provider.Error, as a plugin that crashed does.
func Die(status provider.Status) Step {
	return Step{Execute: true, Status: status, Err: fmt.Errorf("the process ended")}
}

// Misstate executes the redirect and answers with something else than was asked for.
func Misstate(change func(*provider.Outcome)) Step {
	s := Redirect()
	s.Change = change
	return s
}

// Entry is one line of the ledger.
type Entry struct {
	Attempt   provider.Attempt
	Reference string
	Status    provider.Status
	// Times counts how often the attempt was executed: more than once only where Twice is set.
	Times int
	asked int // look-ups that could have found it
}

// Provider is a scripted provider. All its methods may be called concurrently.
type Provider struct {
	mu         sync.Mutex
	info       provider.Info
	script     []Step
	fallback   Step
	ledger     map[string]*Entry
	order      []string // keys
	submits    []provider.Attempt
	lookups    []provider.Query
	config     provider.Config
	closed     bool
	checkErr   error
	lookupErr  error
	hidden     int
	executable bool // a resend executes again
	banks      []provider.Bank
}

// New returns a provider of that name that takes PSE pay-ins as Tpaga does and answers each with a redirect.
func New(name string) *Provider {
	return &Provider{
		info: provider.Info{
			Name: name, Version: "1.0.0",
			Capabilities: []payment.Capability{{
				Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"},
				DocumentTypes: []payment.DocumentType{payment.CC, payment.CE, payment.NIT, payment.TI, payment.PP},
				AmountMin:     payment.Pesos(1000), AmountMax: payment.Pesos(40_000_000), Decimals: 2,
				Required: []string{"payer.bank", "payer.name", "payer.email"},
				Recovery: payment.Recovery{LookupByKey: true, ResendSameKey: true},
			}},
			Abilities: []provider.Ability{provider.Notifications},
		},
		fallback: Redirect(),
		ledger:   map[string]*Entry{},
	}
}

// SetInfo changes what the provider declares.
func (p *Provider) SetInfo(change func(*provider.Info)) *Provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.info)
	return p
}

// SetRecovery changes the recovery traits of every capability.
func (p *Provider) SetRecovery(r payment.Recovery) *Provider {
	return p.SetInfo(func(i *provider.Info) {
		for n := range i.Capabilities {
			i.Capabilities[n].Recovery = r
		}
	})
}

// SetBanks makes the provider list these banks, by the four-digit code and a name each.
func (p *Provider) SetBanks(banks ...provider.Bank) *Provider {
	p.SetInfo(func(i *provider.Info) {
		if !i.Has(provider.Banks) {
			i.Abilities = append(i.Abilities, provider.Banks)
		}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.banks = banks
	return p
}

// Script sets what the next hand-overs meet, in order. Those after them meet what Always says.
func (p *Provider) Script(steps ...Step) *Provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script = append(p.script, steps...)
	return p
}

// Always sets what hand-overs beyond the script meet; a Redirect where it is never called.
func (p *Provider) Always(s Step) *Provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fallback = s
	return p
}

// HideFor makes the next n look-ups of each attempt answer Absent although it was executed: visibility delay.
func (p *Provider) HideFor(n int) *Provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hidden = n
	return p
}

// FailLookups makes look-ups answer with err; nil ends it.
func (p *Provider) FailLookups(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lookupErr = err
}

// FailChecks makes Check answer with err; nil ends it.
func (p *Provider) FailChecks(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checkErr = err
}

// ExecuteResends makes the provider execute a key again that it knows: what a provider must never do.
func (p *Provider) ExecuteResends() *Provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.executable = true
	return p
}

// Settle moves what was executed under key to status, as the payer or a bank would. It panics where nothing was.
func (p *Provider) Settle(key string, status provider.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.ledger[key]
	if e == nil {
		panic("providertest: nothing was executed under key " + key)
	}
	e.Status = status
}

// Ledger returns what was executed, in order.
func (p *Provider) Ledger() []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	entries := make([]Entry, len(p.order))
	for i, key := range p.order {
		entries[i] = *p.ledger[key]
	}
	return entries
}

// Moved counts how often money moved for a payment: its attempts that succeeded, each as often as it was executed.
func (p *Provider) Moved(paymentID string) int {
	n := 0
	for _, e := range p.Ledger() {
		if e.Attempt.PaymentID == paymentID && e.Status == provider.Succeeded {
			n += e.Times
		}
	}
	return n
}

// Submits returns every hand-over that was asked for, in order.
func (p *Provider) Submits() []provider.Attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.submits)
}

// Lookups returns every look-up that was asked for, in order.
func (p *Provider) Lookups() []provider.Query {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lookups)
}

// Config returns what Configure was given.
func (p *Provider) Config() provider.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.config)
}

// Closed reports whether Close was called.
func (p *Provider) Closed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Info implements provider.Provider.
func (p *Provider) Info() provider.Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.info
}

// Configure implements provider.Provider.
func (p *Provider) Configure(_ context.Context, config provider.Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config = maps.Clone(config)
	return nil
}

// Check implements provider.Provider.
func (p *Provider) Check(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checkErr
}

// Close implements provider.Provider.
func (p *Provider) Close(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// Submit implements provider.Provider.
func (p *Provider) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	s := p.next(a)
	if s.Before != nil {
		s.Before(a)
	}
	outcome := p.execute(a, s)
	if s.After != nil {
		s.After(a)
	}
	switch {
	case s.Hang:
		<-ctx.Done()
		return provider.Outcome{}, ctx.Err()
	case s.Err != nil:
		return provider.Outcome{}, s.Err
	case s.Change != nil:
		s.Change(&outcome)
	}
	return outcome, nil
}

func (p *Provider) next(a provider.Attempt) Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.submits = append(p.submits, a)
	if len(p.script) == 0 {
		return p.fallback
	}
	s := p.script[0]
	p.script = p.script[1:]
	return s
}

func (p *Provider) execute(a provider.Attempt, s Step) provider.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.ledger[a.Key]
	switch {
	case e != nil && p.executable && s.Execute:
		e.Times++
	case e == nil && s.Execute:
		e = &Entry{Attempt: a, Reference: "ref-" + a.Key, Status: s.Status, Times: 1}
		p.ledger[a.Key] = e
		p.order = append(p.order, a.Key)
	case e == nil:
		return provider.Outcome{}
	}
	return e.outcome()
}

func (e *Entry) outcome() provider.Outcome {
	o := provider.Outcome{
		Status: e.Status, Key: e.Attempt.Key, Reference: e.Reference, Code: string(e.Status),
		Amount: e.Attempt.Payment.Amount, Currency: e.Attempt.Payment.Currency,
	}
	if e.Status == provider.Pending && e.Attempt.Payment.Operation == payment.PayIn {
		o.Action = payment.Redirect("https://bank.example/pay/" + e.Attempt.Key)
	}
	return o
}

// Lookup implements provider.Provider.
func (p *Provider) Lookup(_ context.Context, q provider.Query) (provider.Outcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lookups = append(p.lookups, q)
	if p.lookupErr != nil {
		return provider.Outcome{}, p.lookupErr
	}
	e := p.ledger[q.Key]
	if e == nil {
		for _, other := range p.ledger {
			if q.Reference != "" && other.Reference == q.Reference {
				e = other
			}
		}
	}
	if e == nil || e.asked < p.hidden {
		if e != nil {
			e.asked++
		}
		return provider.Outcome{Status: provider.Absent}, nil
	}
	return e.outcome(), nil
}

// ParseNotification implements provider.ProviderWithNotifications: the body is a reference, or "key:" and a key.
func (p *Provider) ParseNotification(_ context.Context, n provider.Notification) ([]provider.Query, error) {
	body := string(n.Body)
	if key, ok := strings.CutPrefix(body, "key:"); ok {
		return []provider.Query{{Key: key}}, nil
	}
	if strings.HasPrefix(body, "ref-") {
		return []provider.Query{{Reference: body}}, nil
	}
	return nil, provider.Errorf(provider.CodeInvalid, "the webhook names nothing")
}

// Banks implements provider.ProviderWithBanks.
func (p *Provider) Banks(context.Context, payment.Method) ([]provider.Bank, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.banks), nil
}

// Clock is a clock that stands still until it is moved. It satisfies the engine's Clock.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*timer]bool
}

type timer struct {
	at time.Time
	f  func()
}

// NewClock returns a clock that shows that time.
func NewClock(now time.Time) *Clock { return &Clock{now: now, timers: map[*timer]bool{}} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc runs f in a goroutine of its own once the clock has been moved by d.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{at: c.now.Add(d), f: f}
	if d <= 0 {
		go f()
		return func() {}
	}
	c.timers[t] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, t)
	}
}

// Advance moves the clock and starts what has become due.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for t := range c.timers {
		if !t.at.After(c.now) {
			delete(c.timers, t)
			go t.f()
		}
	}
}
