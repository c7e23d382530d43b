package main

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
	"github.com/cauce-pay/cauce/conformance/conformancetest"
	"github.com/cauce-pay/cauce/examples/plugin-go/sandbox"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/plugintest"
)

func TestConformance(t *testing.T) {
	simulated, err := sandbox.New("")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(simulated)
	t.Cleanup(server.Close)
	conformancetest.Run(t, conformance.Config{
		Open:    func(context.Context) (provider.Provider, error) { return plugintest.Serve(t, New()), nil },
		Sandbox: server.URL,
	})
}
