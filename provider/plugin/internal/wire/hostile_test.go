package wire

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// stranger is a plugin that was not made with Serve: it handles the stream as the test says.
type stranger struct {
	pb.UnimplementedProviderServer
	exchange func(pb.Provider_ExchangeServer) error
}

func (s *stranger) Exchange(stream pb.Provider_ExchangeServer) error { return s.exchange(stream) }

// answering makes a stranger that answers every call by the answers that reply gives.
func answering(reply func(*pb.Call) []*pb.Answer) func(pb.Provider_ExchangeServer) error {
	return func(stream pb.Provider_ExchangeServer) error {
		for {
			call, err := stream.Recv()
			if err != nil {
				return err
			}
			for _, a := range reply(call) {
				if err := stream.Send(a); err != nil {
					return err
				}
			}
		}
	}
}

func meet(t *testing.T, exchange func(pb.Provider_ExchangeServer) error) *Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer() // without the caps of ServerOptions
	pb.RegisterProviderServer(server, &stranger{exchange: exchange})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	conn, err := grpc.NewClient("passthrough:///stranger", append(DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(t.Context(), conn, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		_ = conn.Close()
		server.Stop()
		<-served
	})
	return c
}

func submitted(o *pb.Outcome) *pb.Answer { return &pb.Answer{Result: &pb.Answer_Submit{Submit: o}} }

func TestGarbageIsUnknown(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]*pb.Answer{
		"nothing":               {},
		"another kind":          {Result: &pb.Answer_Lookup{Lookup: &pb.Outcome{Status: "succeeded"}}},
		"no outcome":            {Result: &pb.Answer_Submit{}},
		"an unknown status":     submitted(&pb.Outcome{Status: "PAID"}),
		"a money of its own":    submitted(&pb.Outcome{Status: "succeeded", Amount: "1.000,00"}),
		"an error of no code":   {Result: &pb.Answer_Error{Error: &pb.Error{}}},
		"an error without data": {Result: &pb.Answer_Error{}},
		"an answer of 2 MiB":    submitted(&pb.Outcome{Status: "succeeded", Message: strings.Repeat("x", 2<<20)}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := NewProvider(meet(t, answering(func(call *pb.Call) []*pb.Answer {
				answer.Id = call.GetId()
				return []*pb.Answer{answer}
			})), provider.Info{})
			if o, err := p.Submit(t.Context(), provider.Attempt{Key: "k"}); provider.CodeOf(err) != provider.CodeUnknown {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

func TestBalanceOfAnotherKind(t *testing.T) {
	t.Parallel()
	p := NewProvider(meet(t, answering(func(call *pb.Call) []*pb.Answer {
		return []*pb.Answer{{Id: call.GetId(), Result: &pb.Answer_Banks{Banks: &pb.BankList{}}}}
	})), provider.Info{})
	// An empty balance would read as "0.00".
	if b, err := p.Balance(t.Context()); provider.CodeOf(err) != provider.CodeUnknown {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestAnswersNobodyAskedFor(t *testing.T) {
	t.Parallel()
	p := NewProvider(meet(t, answering(func(call *pb.Call) []*pb.Answer {
		right := submitted(&pb.Outcome{Status: "pending", Key: call.GetSubmit().GetKey()})
		right.Id = call.GetId()
		invented, late := submitted(&pb.Outcome{Status: "succeeded"}), submitted(&pb.Outcome{Status: "succeeded"})
		invented.Id, late.Id = call.GetId()+1000, call.GetId()-1
		return []*pb.Answer{invented, late, right, right}
	})), provider.Info{})
	for _, key := range []string{"a", "b", "c"} {
		if o, err := p.Submit(t.Context(), provider.Attempt{Key: key}); err != nil || o.Key != key || o.Status != provider.Pending {
			t.Errorf("%s: %+v, %v", key, o, err)
		}
	}
}

func TestStreamEnds(t *testing.T) {
	t.Parallel()

	t.Run("after the request: unknown; then: unavailable", func(t *testing.T) {
		t.Parallel()
		p := NewProvider(meet(t, func(stream pb.Provider_ExchangeServer) error {
			_, err := stream.Recv()
			return err
		}), provider.Info{})
		_, err := p.Submit(t.Context(), provider.Attempt{Key: "k"})
		if provider.CodeOf(err) != provider.CodeUnknown {
			t.Errorf("the call under way: %v", err)
		}
		_, err = p.Submit(t.Context(), provider.Attempt{Key: "k"})
		if provider.CodeOf(err) != provider.CodeUnavailable {
			t.Errorf("the next call: %v", err)
		}
	})

	t.Run("with the answer on its way: the answer counts", func(t *testing.T) {
		t.Parallel()
		p := NewProvider(meet(t, func(stream pb.Provider_ExchangeServer) error {
			call, err := stream.Recv()
			if err != nil {
				return err
			}
			a := submitted(&pb.Outcome{Status: "succeeded"})
			a.Id = call.GetId()
			return errors.Join(stream.Send(a), errors.New("and away"))
		}), provider.Info{})
		if o, err := p.Submit(t.Context(), provider.Attempt{Key: "k"}); err != nil || o.Status != provider.Succeeded {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

// A plugin that does not read its stream makes the transport's window run full. What then was not sent was not
// executed, and callers are not kept beyond their time.
func TestPluginThatDoesNotRead(t *testing.T) {
	t.Parallel()
	p := NewProvider(meet(t, func(stream pb.Provider_ExchangeServer) error {
		<-stream.Context().Done()
		return nil
	}), provider.Info{})
	large := provider.Attempt{Key: "k", Payment: payment.Request{Description: strings.Repeat("x", MaxMessage/2)}}
	codes := map[provider.Code]int{}
	answers := make(chan error)
	const callers = 8
	for range callers {
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := p.Submit(ctx, large)
			answers <- err
		}()
	}
	for range callers {
		codes[provider.CodeOf(<-answers)]++
	}
	if codes[provider.CodeUnknown] == 0 || codes[provider.CodeUnavailable] == 0 || len(codes) != 2 {
		t.Errorf("codes: %v; what was sent is unknown, what was not is unavailable", codes)
	}
}
