// Package plugin starts providers as processes of their own and talks to them. Serve is the plugin's side, a
// Launcher the host's; what a host gets is a provider.Provider like any other.
//
// A plugin process gets no environment but what is named for it, dies with its host, is started again when it
// dies, and can hurt nobody but itself: its messages, its output and the time that it takes are bounded.
// docs/contract.md tells how the two sides speak, so that a plugin can be written in any language.
package plugin

import (
	"context"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/cauce-pay/cauce/provider/plugin/internal/wire"
)

//go:generate proto/generate.sh

// ProtocolVersion is the version of the wire. A host and a plugin of different versions refuse each other.
const ProtocolVersion = 1

// handshake tells a process that a host started it. It is a courtesy to people who run a plugin by hand, no
// protection: the connection is secured by certificates that both sides make anew.
var handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  ProtocolVersion,
	MagicCookieKey:   "CAUCE_PLUGIN",
	MagicCookieValue: "provider",
}

// pluginName is the name under which go-plugin hands out the only thing that a plugin serves.
const pluginName = "provider"

// service is go-plugin's view of a plugin: on its side a server to register, on the host's a connection.
type service struct {
	goplugin.NetRPCUnsupportedPlugin
	server *wire.Server // on the plugin's side
}

var _ goplugin.GRPCPlugin = (*service)(nil)

func (s *service) GRPCServer(_ *goplugin.GRPCBroker, r *grpc.Server) error {
	s.server.Register(r)
	return nil
}

func (s *service) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}
