// Command unary is a plugin as go-plugin's documents build one: each call is a gRPC call of its own. It answers
// as the plugin instant does, and is for the benchmarks only.
package main

import (
	"context"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

func main() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "CAUCE_BENCH", MagicCookieValue: "unary"},
		Plugins:         goplugin.PluginSet{"unary": served{}},
		GRPCServer:      goplugin.DefaultGRPCServer,
	})
}

type served struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (served) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "cauce.bench.Unary",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Submit", Handler: submit}},
	}, nil)
	return nil
}

func (served) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil // this end only serves
}

func submit(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	a := &pb.Attempt{}
	if err := decode(a); err != nil {
		return nil, err
	}
	return &pb.Outcome{
		Status: "succeeded", Key: a.GetKey(), Reference: "unary-" + a.GetKey(),
		Amount: a.GetPayment().GetAmount(), Currency: a.GetPayment().GetCurrency(),
	}, nil
}
