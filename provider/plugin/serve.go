package plugin

import (
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/internal/wire"
)

// Options says what a plugin is made of.
type Options struct {
	// New returns a provider that is not configured yet. Required.
	New func() provider.Provider
	// Sandbox returns the simulator of the provider, whose state is kept in the file state; "" = in memory. If
	// the handler is an io.Closer it is closed at the end. nil = the plugin has no simulator.
	Sandbox func(state string) (http.Handler, error)
}

// Serve is a plugin's main function. Started by a host it serves the provider until the host is gone; run by
// hand it is a small command: describe, sandbox, version. It ends the process.
func Serve(o Options) {
	if os.Getenv(handshake.MagicCookieKey) != handshake.MagicCookieValue {
		os.Exit(command{o, os.Stdout, os.Stderr}.run(os.Args[1:]))
	}
	serveHost(o)
}

func serveHost(o Options) {
	// Written to the real standard error, which the host reads line by line.
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})))
	parent := os.Getppid()
	go func() {
		awaitOrphanhood(parent, time.Second)
		os.Exit(1)
	}()
	server := wire.NewServer(o.New(), func() { os.Exit(0) })
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         goplugin.PluginSet{pluginName: &service{server: server}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, wire.ServerOptions()...)...)
		},
		Logger: hclog.NewNullLogger(),
	})
	os.Exit(0)
}

// awaitOrphanhood returns when the process is no longer a child of parent: that one is gone.
func awaitOrphanhood(parent int, every time.Duration) {
	for range time.Tick(every) {
		if os.Getppid() != parent {
			return
		}
	}
}
