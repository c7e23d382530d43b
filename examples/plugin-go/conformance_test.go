package main

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
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
	suite, err := conformance.New(t.Context(), conformance.Config{
		Open:    func(context.Context) (provider.Provider, error) { return plugintest.Serve(t, New()), nil },
		Sandbox: server.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range suite.Checks() {
		t.Run(check.ID, func(t *testing.T) {
			if check.Verdict != "" {
				t.Skip(check.Detail)
			}
			check.Run(t.Context(), t)
		})
	}
}
