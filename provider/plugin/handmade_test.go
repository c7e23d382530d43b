package plugin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// playHandmade is a plugin made of docs/contract.md alone, as one in another language would be: no go-plugin,
// nothing of this package, no service but the documented one.
func playHandmade() {
	if err := handmade(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func handmade() error {
	if os.Getenv("CAUCE_PLUGIN") != "provider" || os.Getenv("PLUGIN_PROTOCOL_VERSIONS") != "1" {
		return errors.New("not started by a host of version 1")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	hosts := x509.NewCertPool()
	if !hosts.AppendCertsFromPEM([]byte(os.Getenv("PLUGIN_CLIENT_CERT"))) {
		return errors.New("no certificate of the host")
	}
	listener, err := net.Listen("unix", filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s"))
	if err != nil {
		return err
	}
	fmt.Printf("1|1|unix|%s|grpc|%s\n", listener.Addr(), base64.RawStdEncoding.EncodeToString(der))
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    hosts,
	})))
	pb.RegisterProviderServer(server, &stranger{exchange: func(stream pb.Provider_ExchangeServer) error {
		defer os.Exit(0) // the host is gone
		for {
			call, err := stream.Recv()
			if err != nil {
				return err
			}
			if err := stream.Send(handmadeAnswer(call)); err != nil {
				return err
			}
		}
	}})
	return server.Serve(listener)
}

func handmadeAnswer(call *pb.Call) *pb.Answer {
	info := &pb.Info{
		Name: "handmade", Version: "0.1",
		Capabilities: []*pb.Capability{{Operation: "payin", Method: "pse", Currencies: []string{"COP"}}},
	}
	a := &pb.Answer{Id: call.GetId()}
	switch r := call.GetRequest().(type) {
	case *pb.Call_Info:
		a.Result = &pb.Answer_Info{Info: info}
	case *pb.Call_Configure:
		a.Result = &pb.Answer_Configure{Configure: info}
	case *pb.Call_Submit:
		a.Result = &pb.Answer_Submit{Submit: &pb.Outcome{Status: "pending", Key: r.Submit.GetKey(), Amount: r.Submit.GetPayment().GetAmount()}}
	default:
		a.Result = &pb.Answer_Error{Error: &pb.Error{Code: "invalid", Message: "not offered"}}
	}
	return a
}

func TestPluginMadeByHand(t *testing.T) {
	t.Parallel()
	p := launch(t, "handmade", Dir(), nil)
	if p.Info().Name != "handmade" {
		t.Errorf("info: %+v", p.Info())
	}
	o, err := submit(p, "", 10*time.Second)
	if err != nil || o.Key != attempt("").Key || o.Amount != attempt("").Payment.Amount {
		t.Errorf("%+v, %v", o, err)
	}
	wantCode(t, p.Check(t.Context()), provider.CodeInvalid)
}
