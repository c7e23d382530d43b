package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/cauce-pay/cauce/bench/measure"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// dialed is the host's end of the plugin unary: the connection itself.
type dialed struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (dialed) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error { return nil }

func (dialed) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// startUnary starts the plugin unary and returns a function that hands it one attempt.
func startUnary(bin string) (submit func(context.Context) error, closeIt func() error, err error) {
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "CAUCE_BENCH", MagicCookieValue: "unary"},
		Plugins:          goplugin.PluginSet{"unary": dialed{}},
		Cmd:              exec.Command(filepath.Join(bin, "unary")),
		AutoMTLS:         true,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, nil, fmt.Errorf("plugin unary: %w", err)
	}
	conn, err := protocol.Dispense("unary")
	if err != nil {
		client.Kill()
		return nil, nil, fmt.Errorf("plugin unary: %w", err)
	}
	submit = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		return conn.(*grpc.ClientConn).Invoke(ctx, "/cauce.bench.Unary/Submit", wireAttempt(), &pb.Outcome{})
	}
	return submit, func() error { client.Kill(); return nil }, nil
}

// wireAttempt is the attempt that the other subjects hand over, as it travels.
func wireAttempt() *pb.Attempt {
	r := measure.Request()
	return &pb.Attempt{
		Key: measure.AttemptKey(serial.Add(1)), PaymentId: "pay_bench", Number: 1,
		Payment: &pb.Payment{
			Operation: string(r.Operation), Method: string(r.Method), Amount: r.Amount.String(), Currency: r.Currency,
			Country: r.Country, Tax: r.Tax.String(), Reference: r.Reference, Description: r.Description,
			Payer: &pb.Party{
				Kind: string(r.Payer.Kind), Name: r.Payer.Name, DocumentType: string(r.Payer.Document.Type),
				DocumentNumber: r.Payer.Document.Number, Email: r.Payer.Email, Phone: r.Payer.Phone, Bank: r.Payer.Bank,
			},
			ReturnUrl: r.ReturnURL,
		},
	}
}
