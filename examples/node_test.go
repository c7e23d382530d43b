package examples_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
	"github.com/cauce-pay/cauce/conformance/conformancetest"
	"github.com/cauce-pay/cauce/examples/plugin-go/sandbox"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
)

// A plugin made of docs/contract.md alone, in another language, passes the same suite against the same simulator.
func TestConformanceOfNode(t *testing.T) {
	if out, err := exec.Command("node", "--version").Output(); err != nil || len(out) < 3 || string(out[:3]) < "v20" {
		t.Skip("Node 20 or newer is not installed")
	}
	simulated, err := sandbox.New("")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(simulated)
	t.Cleanup(server.Close)
	conformancetest.Run(t, conformance.Config{
		Open: func(ctx context.Context) (provider.Provider, error) {
			return plugin.Dir().Launch(ctx, provider.Spec{
				Name: "acme", Plugin: filepath.Join("plugin-node", "plugin.mjs"), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			})
		},
		Sandbox: server.URL,
	})
}
