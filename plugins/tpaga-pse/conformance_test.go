package main

import (
	"context"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/plugintest"
)

func TestConformance(t *testing.T) {
	suite, err := conformance.New(t.Context(), conformance.Config{
		Open:    func(context.Context) (provider.Provider, error) { return plugintest.Serve(t, New()), nil },
		Sandbox: newSimulator(t).URL,
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
