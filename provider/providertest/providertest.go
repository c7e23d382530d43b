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
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// Entry is one line of the ledger.
type Entry struct {
	Attempt   provider.Attempt
	Reference string
	Status    provider.Status
	// Times counts how often the attempt was executed: more than once only after ExecuteResends.
	Times int
	asked int // look-ups that were answered Absent although it was executed
}

// referencePrefix and an attempt's key are the provider's own id of it.
const referencePrefix = "ref-"

// Provider is a scripted provider. All its methods may be called concurrently.
type Provider struct {
	mu          sync.Mutex
	info        provider.Info
	script      []Step
	fallback    func(provider.Attempt) Step
	ledger      map[string]*Entry
	order       []string // keys
	submits     []provider.Attempt
	lookups     []provider.Query
	config      provider.Config
	closed      bool
	checkErr    error
	lookupErr   error
	speechless  bool // look-ups give no code
	afterLookup func(provider.Query)
	hidden      int  // how many look-ups of each attempt do not find it
	twice       bool // a resend executes again
	banks       []provider.Bank
	billers     []provider.Biller
	bills       []provider.BillDetail
	balance     provider.Balance
	statement   [][]provider.StatementLine
	readErr     error
}

// New returns a provider of that name that takes PSE pay-ins, can be looked up by key, never executes a key twice and
// answers each hand-over with a redirect. SetInfo and SetRecovery change what it declares.
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
		fallback: func(provider.Attempt) Step { return Redirect() },
		ledger:   map[string]*Entry{},
	}
}

// SetInfo changes what the provider declares.
func (p *Provider) SetInfo(change func(*provider.Info)) *Provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info = cloned(p.info) // who asked before keeps what it was told
	change(&p.info)
	return p
}

func cloned(i provider.Info) provider.Info {
	i.Capabilities, i.Abilities = slices.Clone(i.Capabilities), slices.Clone(i.Abilities)
	return i
}

func (p *Provider) declare(a provider.Ability) {
	p.SetInfo(func(i *provider.Info) {
		if !i.Has(a) {
			i.Abilities = append(i.Abilities, a)
		}
	})
}

// SetRecovery changes the recovery traits of every capability.
func (p *Provider) SetRecovery(r payment.Recovery) *Provider {
	return p.SetInfo(func(i *provider.Info) {
		for n := range i.Capabilities {
			i.Capabilities[n].Recovery = r
		}
	})
}

// SetBanks makes the provider list these banks.
func (p *Provider) SetBanks(banks ...provider.Bank) *Provider {
	p.declare(provider.Banks)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.banks = banks
	return p
}

// SetBills makes the provider know these billers and bills.
func (p *Provider) SetBills(billers []provider.Biller, bills ...provider.BillDetail) *Provider {
	p.declare(provider.Bills)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.billers, p.bills = billers, bills
	return p
}

// SetBalance makes the provider tell this balance.
func (p *Provider) SetBalance(b provider.Balance) *Provider {
	p.declare(provider.BalanceOf)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.balance = b
	return p
}

// SetStatement makes the provider tell a statement of these pages.
func (p *Provider) SetStatement(pages ...[]provider.StatementLine) *Provider {
	p.declare(provider.Statements)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statement = pages
	return p
}

// FailReads makes Banks, Billers, Bill, Balance and Statement answer with err; nil ends it.
func (p *Provider) FailReads(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readErr = err
}

// Script adds what the next hand-overs meet, in order. Those after them meet what Always says.
func (p *Provider) Script(steps ...Step) *Provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script = append(p.script, steps...)
	return p
}

// Always sets what hand-overs beyond the script meet; a Redirect where it is never called.
func (p *Provider) Always(s Step) *Provider {
	return p.Each(func(provider.Attempt) Step { return s })
}

// Each is Always with a step for each hand-over: concurrent ones each meet their own, whichever comes first.
func (p *Provider) Each(step func(provider.Attempt) Step) *Provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fallback = step
	return p
}

// HideFor makes the first n look-ups of each attempt answer Absent although it was executed: visibility delay.
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

// AfterLookup has f run in every look-up between what it finds and its answer: a test holds an answer back with it
// while it grows old. nil ends it.
func (p *Provider) AfterLookup(f func(provider.Query)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.afterLookup = f
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
	p.twice = true
	return p
}

// Speechless makes look-ups answer without a code or a message.
func (p *Provider) Speechless() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.speechless = true
}

// Restate changes the amount that the provider says was executed under key. It panics where nothing was.
func (p *Provider) Restate(key string, amount payment.Money) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger[key].Attempt.Payment.Amount = amount
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
		return p.fallback(a)
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
	case e != nil && p.twice && s.Execute:
		e.Times++
	case e == nil && s.Execute:
		e = &Entry{Attempt: a, Reference: referencePrefix + a.Key, Status: s.Status, Times: 1}
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
	p.lookups = append(p.lookups, q)
	outcome, err := p.find(q)
	after := p.afterLookup
	p.mu.Unlock()
	if after != nil {
		after(q)
	}
	return outcome, err
}

func (p *Provider) find(q provider.Query) (provider.Outcome, error) {
	if p.lookupErr != nil {
		return provider.Outcome{}, p.lookupErr
	}
	e := p.ledger[q.Key]
	if key, ok := strings.CutPrefix(q.Reference, referencePrefix); ok && e == nil {
		e = p.ledger[key]
	}
	switch {
	case e == nil:
		return provider.Outcome{Status: provider.Absent}, nil
	case e.asked < p.hidden:
		e.asked++
		return provider.Outcome{Status: provider.Absent}, nil
	}
	o := e.outcome()
	if p.speechless {
		o.Code = ""
	}
	return o, nil
}

// ParseNotification implements provider.ProviderWithNotifications: the body is a reference, or "key:" and a key.
func (p *Provider) ParseNotification(_ context.Context, n provider.Notification) ([]provider.Query, error) {
	body := string(n.Body)
	if key, ok := strings.CutPrefix(body, "key:"); ok {
		return []provider.Query{{Key: key}}, nil
	}
	if strings.HasPrefix(body, referencePrefix) {
		return []provider.Query{{Reference: body}}, nil
	}
	return nil, provider.Errorf(provider.CodeInvalid, "the webhook names nothing")
}
