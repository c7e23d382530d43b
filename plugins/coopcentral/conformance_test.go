package main

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
	"github.com/cauce-pay/cauce/conformance/conformancetest"
	"github.com/cauce-pay/cauce/conformance/foreign"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/plugintest"
)

func TestConformance(t *testing.T) {
	conforms(t, conformance.Config{Sandbox: newSimulator(t).URL})
}

// The same with a simulator that others could have written: it has nothing in common with ours but the document.
func TestConformanceForeign(t *testing.T) {
	sim := foreign.Coopcentral()
	server := httptest.NewServer(sim)
	defer server.Close()
	defer sim.Close()
	conforms(t, conformance.Config{
		Sandbox:  server.URL,
		Settings: provider.Config{"token": foreign.Token, "amount_unit": "cent"},
	})
}

func conforms(t *testing.T, c conformance.Config) {
	t.Helper()
	c.Open = func(context.Context) (provider.Provider, error) { return plugintest.Serve(t, New()), nil }
	conformancetest.Run(t, c)
}
