package wire

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// Caller makes one call of a plugin and fails as Client.Call does.
type Caller interface {
	Call(ctx context.Context, call *pb.Call) (*pb.Answer, error)
}

// Provider is a provider.Provider with every ability, whose calls go to a plugin. What the plugin really can do
// is in its Info.
type Provider struct {
	caller Caller
	info   atomic.Pointer[provider.Info]
}

var _ interface {
	provider.ProviderWithNotifications
	provider.ProviderWithBanks
	provider.ProviderWithBills
	provider.ProviderWithBalance
	provider.ProviderWithStatement
} = (*Provider)(nil)

// NewProvider returns the provider that c reaches and that describes itself as info.
func NewProvider(c Caller, info provider.Info) *Provider {
	p := &Provider{caller: c}
	p.SetInfo(info)
	return p
}

// Info returns what the plugin last said about itself.
func (p *Provider) Info() provider.Info { return *p.info.Load() }

// SetInfo changes what Info returns.
func (p *Provider) SetInfo(info provider.Info) { p.info.Store(&info) }

// Configure hands the plugin its configuration and keeps the Info that it made of it.
func (p *Provider) Configure(ctx context.Context, config provider.Config) error {
	info, err := Configure(ctx, p.caller, config)
	if err != nil {
		return err
	}
	p.SetInfo(info)
	return nil
}

// Describe asks the plugin that c reaches what it is. An Info with faults is an error.
func Describe(ctx context.Context, c Caller) (provider.Info, error) {
	a, err := ask(ctx, c, &pb.Call{Request: &pb.Call_Info{Info: &pb.InfoRequest{}}})
	if err != nil {
		return provider.Info{}, err
	}
	return validInfo(a.GetInfo())
}

// Configure configures the plugin that c reaches and returns the Info that it made of it.
func Configure(ctx context.Context, c Caller, config provider.Config) (provider.Info, error) {
	a, err := ask(ctx, c, &pb.Call{Request: &pb.Call_Configure{Configure: &pb.ConfigureRequest{Config: config}}})
	if err != nil {
		return provider.Info{}, err
	}
	return validInfo(a.GetConfigure())
}

func validInfo(m *pb.Info) (provider.Info, error) {
	info, err := decodeInfo(m)
	if err == nil {
		err = info.Validate()
	}
	return decoded("info", info, err)
}

// ask makes a call and turns an error that the plugin answered into a Go error.
func ask(ctx context.Context, c Caller, call *pb.Call) (*pb.Answer, error) {
	a, err := c.Call(ctx, call)
	if err != nil {
		return nil, err
	}
	if e := a.GetError(); e != nil {
		return nil, decodeError(e)
	}
	if asked, got := requestName(call), resultName(a); asked != got {
		return nil, garbage(asked, fmt.Errorf("it is one to %s", got))
	}
	return a, nil
}

// garbage is the error of an answer that makes no sense: nobody knows what the plugin did.
func garbage(asked string, err error) error {
	return provider.Errorf(provider.CodeUnknown, "the plugin's answer to %s makes no sense: %w", asked, err)
}

// decoded passes on an answer that decode could read.
func decoded[T any](asked string, v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, garbage(asked, err)
	}
	return v, nil
}

// Check is provider.Provider's.
func (p *Provider) Check(ctx context.Context) error {
	_, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_Check{Check: &pb.CheckRequest{}}})
	return err
}

// Submit is provider.Provider's.
func (p *Provider) Submit(ctx context.Context, attempt provider.Attempt) (provider.Outcome, error) {
	a, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_Submit{Submit: encodeAttempt(attempt)}})
	if err != nil {
		return provider.Outcome{}, err
	}
	o, err := decodeOutcome(a.GetSubmit(), submitStatuses)
	return decoded("submit", o, err)
}

// Lookup is provider.Provider's.
func (p *Provider) Lookup(ctx context.Context, query provider.Query) (provider.Outcome, error) {
	a, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_Lookup{Lookup: encodeQuery(query)}})
	if err != nil {
		return provider.Outcome{}, err
	}
	o, err := decodeOutcome(a.GetLookup(), lookupStatuses)
	return decoded("lookup", o, err)
}

// Close is provider.Provider's.
func (p *Provider) Close(ctx context.Context) error {
	_, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_Close{Close: &pb.CloseRequest{}}})
	return err
}

// ParseNotification is provider.ProviderWithNotifications'.
func (p *Provider) ParseNotification(ctx context.Context, n provider.Notification) ([]provider.Query, error) {
	a, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_ParseNotification{ParseNotification: encodeNotification(n)}})
	if err != nil {
		return nil, err
	}
	list, err := decodeQueries(a.GetParseNotification())
	return decoded("parse_notification", list, err)
}

// Banks is provider.ProviderWithBanks'.
func (p *Provider) Banks(ctx context.Context, method payment.Method) ([]provider.Bank, error) {
	a, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_Banks{Banks: &pb.BanksRequest{Method: string(method)}}})
	if err != nil {
		return nil, err
	}
	return decodeBanks(a.GetBanks()), nil
}

// Billers is provider.ProviderWithBills'.
func (p *Provider) Billers(ctx context.Context, page string) (provider.BillerPage, error) {
	a, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_Billers{Billers: &pb.BillersRequest{Page: page}}})
	if err != nil {
		return provider.BillerPage{}, err
	}
	return decodeBillerPage(a.GetBillers()), nil
}

// Bill is provider.ProviderWithBills'.
func (p *Provider) Bill(ctx context.Context, biller, reference string) (provider.BillDetail, error) {
	a, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_Bill{Bill: &pb.BillRequest{Biller: biller, Reference: reference}}})
	if err != nil {
		return provider.BillDetail{}, err
	}
	bill, err := decodeBillDetail(a.GetBill())
	return decoded("bill", bill, err)
}

// Balance is provider.ProviderWithBalance's.
func (p *Provider) Balance(ctx context.Context) (provider.Balance, error) {
	a, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_Balance{Balance: &pb.BalanceRequest{}}})
	if err != nil {
		return provider.Balance{}, err
	}
	balance, err := decodeBalance(a.GetBalance())
	return decoded("balance", balance, err)
}

// Statement is provider.ProviderWithStatement's.
func (p *Provider) Statement(ctx context.Context, page string) (provider.StatementPage, error) {
	a, err := ask(ctx, p.caller, &pb.Call{Request: &pb.Call_Statement{Statement: &pb.StatementRequest{Page: page}}})
	if err != nil {
		return provider.StatementPage{}, err
	}
	lines, err := decodeStatementPage(a.GetStatement())
	return decoded("statement", lines, err)
}
