package plugin

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/internal/wire"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// unaryMethod is the alternative that BenchmarkCalls measures: every call a gRPC call of its own.
const unaryMethod = "/cauce.bench.Unary/Call"

var unaryService = grpc.ServiceDesc{
	ServiceName: "cauce.bench.Unary",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Call",
		Handler: func(server any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			call := &pb.Call{}
			if err := decode(call); err != nil {
				return nil, err
			}
			return server.(*wire.Server).Handle(ctx, call), nil
		},
	}},
}

// both is a plugin that serves the stream and the alternative.
type both struct {
	service
}

func (b *both) GRPCServer(broker *goplugin.GRPCBroker, r *grpc.Server) error {
	r.RegisterService(&unaryService, b.server)
	return b.service.GRPCServer(broker, r)
}

func serveBoth() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         goplugin.PluginSet{pluginName: &both{service{server: wire.NewServer(newScripted(), nil)}}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, wire.ServerOptions()...)...)
		},
	})
}

// unaryCaller makes every call as a gRPC call of its own.
type unaryCaller struct{ conn *grpc.ClientConn }

func (c unaryCaller) Call(ctx context.Context, call *pb.Call) (*pb.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, wire.DefaultTimeout)
	defer cancel()
	a := &pb.Answer{}
	return a, c.conn.Invoke(ctx, unaryMethod, call, a)
}

// BenchmarkCalls compares the two ways to carry calls to a plugin process over the same secured connection: one
// gRPC call each (unary), and the stream that multiplexes them (stream), which is what is used.
func BenchmarkCalls(b *testing.B) {
	p := launch(b, "both", Dir(), nil)
	protocol, err := p.current.client.Client()
	if err != nil {
		b.Fatal(err)
	}
	conn, err := protocol.Dispense(pluginName)
	if err != nil {
		b.Fatal(err)
	}
	unary := wire.NewProvider(unaryCaller{conn.(*grpc.ClientConn)}, p.Info())
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			before := callsPerSecond(b, unary, callers)
			after := callsPerSecond(b, p, callers)
			b.ReportMetric(before, "unary/s")
			b.ReportMetric(after, "stream/s")
			b.ReportMetric(after/before, "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func callsPerSecond(b *testing.B, p provider.Provider, callers int) float64 {
	work := make(chan struct{}, callers)
	var wg sync.WaitGroup
	began := time.Now()
	for range callers {
		wg.Go(func() {
			for range work {
				if _, err := p.Submit(context.Background(), attempt("")); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	return float64(b.N) / time.Since(began).Seconds()
}
