package wire

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// Server is the plugin's end: it answers the calls of one host by a provider.
type Server struct {
	pb.UnimplementedProviderServer
	provider   provider.Provider
	ended      func()
	slots      chan struct{}
	configured atomic.Bool
}

// NewServer returns a server that answers by p. ended, which may be nil, is called when the host's stream ends.
func NewServer(p provider.Provider, ended func()) *Server {
	return &Server{provider: p, ended: ended, slots: make(chan struct{}, MaxCalls)}
}

// ServerOptions returns the options that a gRPC server of plugins needs: the caps on messages.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage)}
}

// Register adds the service to s.
func (s *Server) Register(r grpc.ServiceRegistrar) { pb.RegisterProviderServer(r, s) }

// exchange is one host's stream.
type exchange struct {
	server *Server
	stream pb.Provider_ExchangeServer
	ctx    context.Context // ends with the stream
	out    chan *grpc.PreparedMsg

	mu      sync.Mutex
	running map[uint64]context.CancelFunc
}

// Exchange answers calls until the host is gone; what still runs then is cancelled.
func (s *Server) Exchange(stream pb.Provider_ExchangeServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	if s.ended != nil {
		defer s.ended()
	}
	x := &exchange{
		server: s, stream: stream, ctx: ctx,
		out: make(chan *grpc.PreparedMsg), running: map[uint64]context.CancelFunc{},
	}
	go x.write(cancel)
	for {
		call, err := stream.Recv()
		if err != nil {
			return err
		}
		x.accept(call)
	}
}

// write sends the answers of all handlers: a stream takes one sender at a time.
func (x *exchange) write(broken context.CancelFunc) {
	for {
		select {
		case m := <-x.out:
			if err := x.stream.SendMsg(m); err != nil {
				broken()
				return
			}
		case <-x.ctx.Done():
			return
		}
	}
}

// accept begins a call or cancels one. It never waits for a call: the stream must be read on.
func (x *exchange) accept(call *pb.Call) {
	if call.GetCancel() != nil {
		x.mu.Lock()
		cancel := x.running[call.GetId()]
		x.mu.Unlock()
		if cancel != nil {
			cancel()
		}
		return
	}
	select {
	case x.server.slots <- struct{}{}:
	default:
		go x.answer(call, failed(provider.Errorf(provider.CodeUnavailable,
			"the plugin already works on %d calls, its limit", MaxCalls)))
		return
	}
	ctx, cancel := context.WithTimeout(x.ctx, timeoutOf(call))
	x.mu.Lock()
	x.running[call.GetId()] = cancel
	x.mu.Unlock()
	go func() {
		x.answer(call, x.server.Handle(ctx, call))
		cancel()
		x.mu.Lock()
		delete(x.running, call.GetId())
		x.mu.Unlock()
		<-x.server.slots
	}()
}

// maxTimeout bounds the time that a host may ask for.
const maxTimeout = time.Hour

// timeoutOf is how long the host waits; a host that does not say waits for the default.
func timeoutOf(call *pb.Call) time.Duration {
	ms := call.GetTimeoutMs()
	if ms == 0 {
		return DefaultTimeout
	}
	return time.Duration(min(ms, uint64(maxTimeout.Milliseconds()))) * time.Millisecond
}

func failed(err error) *pb.Answer {
	return &pb.Answer{Result: &pb.Answer_Error{Error: encodeError(err)}}
}

// answer sends an answer. One that cannot travel (too large, or an identifier that is not UTF-8) becomes an
// error of its own call and hurts no other.
func (x *exchange) answer(call *pb.Call, a *pb.Answer) {
	a.Id = call.GetId()
	m := &grpc.PreparedMsg{}
	err := m.Encode(x.stream, a)
	if size := proto.Size(a); err == nil && size > MaxMessage {
		err = fmt.Errorf("%d bytes are more than the %d of a message", size, MaxMessage)
	}
	if err != nil {
		a = failed(provider.Errorf(provider.CodeUnknown, "the answer to %s cannot be sent: %w", requestName(call), err))
		a.Id = call.GetId()
		if m.Encode(x.stream, a) != nil {
			return // the stream is gone
		}
	}
	select {
	case x.out <- m:
	case <-x.ctx.Done():
	}
}

// maxStack bounds the stack that is logged, so that the line is not cut by the host.
const maxStack = 4 << 10

// Handle answers one call. A panic ends this call alone, and nobody knows what it did before.
func (s *Server) Handle(ctx context.Context, call *pb.Call) (a *pb.Answer) {
	defer func() {
		if r := recover(); r != nil {
			stack := debug.Stack()
			slog.Error("panic in a call", "call", requestName(call), "panic", fmt.Sprint(r), "stack", string(stack[:min(len(stack), maxStack)]))
			a = failed(provider.Errorf(provider.CodeUnknown, "the plugin panicked in %s; its log has the stack", requestName(call)))
		}
	}()
	a, err := s.core(ctx, call)
	if err != nil {
		return failed(err)
	}
	return a
}

func (s *Server) core(ctx context.Context, call *pb.Call) (*pb.Answer, error) {
	p := s.provider
	switch r := call.GetRequest().(type) {
	case *pb.Call_Info:
		return &pb.Answer{Result: &pb.Answer_Info{Info: encodeInfo(p.Info())}}, nil
	case *pb.Call_Configure:
		if err := p.Configure(ctx, r.Configure.GetConfig()); err != nil {
			return nil, err
		}
		s.configured.Store(true)
		return &pb.Answer{Result: &pb.Answer_Configure{Configure: encodeInfo(p.Info())}}, nil
	case *pb.Call_Close:
		return &pb.Answer{Result: &pb.Answer_Close{Close: &pb.Done{}}}, p.Close(ctx)
	}
	if !s.configured.Load() {
		return nil, provider.Errorf(provider.CodeUnavailable, "the plugin was asked to %s before it was configured", requestName(call))
	}
	switch r := call.GetRequest().(type) {
	case *pb.Call_Check:
		return &pb.Answer{Result: &pb.Answer_Check{Check: &pb.Done{}}}, p.Check(ctx)
	case *pb.Call_Submit:
		attempt, err := decodeAttempt(r.Submit)
		if err != nil {
			return nil, provider.Errorf(provider.CodeInvalid, "unreadable attempt: %w", err)
		}
		o, err := p.Submit(ctx, attempt)
		return &pb.Answer{Result: &pb.Answer_Submit{Submit: encodeOutcome(o)}}, err
	case *pb.Call_Lookup:
		query, err := decodeQuery(r.Lookup)
		if err != nil {
			return nil, provider.Errorf(provider.CodeInvalid, "unreadable query: %w", err)
		}
		o, err := p.Lookup(ctx, query)
		return &pb.Answer{Result: &pb.Answer_Lookup{Lookup: encodeOutcome(o)}}, err
	}
	return s.ability(ctx, call)
}

func (s *Server) ability(ctx context.Context, call *pb.Call) (*pb.Answer, error) {
	switch r := call.GetRequest().(type) {
	case *pb.Call_ParseNotification:
		if p, ok := provider.WithNotifications(s.provider); ok {
			list, err := p.ParseNotification(ctx, decodeNotification(r.ParseNotification))
			return &pb.Answer{Result: &pb.Answer_ParseNotification{
				ParseNotification: &pb.Queries{Queries: each(list, encodeQuery)},
			}}, err
		}
	case *pb.Call_Banks:
		if p, ok := provider.WithBanks(s.provider); ok {
			list, err := p.Banks(ctx, payment.Method(r.Banks.GetMethod()))
			return &pb.Answer{Result: &pb.Answer_Banks{Banks: &pb.BankList{Banks: each(list, encodeBank)}}}, err
		}
	case *pb.Call_Billers:
		if p, ok := provider.WithBills(s.provider); ok {
			page, err := p.Billers(ctx, r.Billers.GetPage())
			return &pb.Answer{Result: &pb.Answer_Billers{Billers: encodeBillerPage(page)}}, err
		}
	case *pb.Call_Bill:
		if p, ok := provider.WithBills(s.provider); ok {
			bill, err := p.Bill(ctx, r.Bill.GetBiller(), r.Bill.GetReference())
			return &pb.Answer{Result: &pb.Answer_Bill{Bill: encodeBillDetail(bill)}}, err
		}
	case *pb.Call_Balance:
		if p, ok := provider.WithBalance(s.provider); ok {
			balance, err := p.Balance(ctx)
			return &pb.Answer{Result: &pb.Answer_Balance{Balance: encodeBalance(balance)}}, err
		}
	case *pb.Call_Statement:
		if p, ok := provider.WithStatement(s.provider); ok {
			page, err := p.Statement(ctx, r.Statement.GetPage())
			return &pb.Answer{Result: &pb.Answer_Statement{Statement: encodeStatementPage(page)}}, err
		}
	}
	return nil, provider.Errorf(provider.CodeInvalid, "this plugin does not offer %s", requestName(call))
}
