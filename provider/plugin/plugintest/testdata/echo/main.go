// Command echo is the plugin that plugintest's own tests build and start: it accepts every attempt.
package main

import (
	"context"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	plugin.Serve(plugin.Options{New: func() provider.Provider { return echo{} }})
}

type echo struct{}

func (echo) Info() provider.Info {
	return provider.Info{
		Name: "echo", Version: "1.0.0",
		Capabilities: []payment.Capability{{Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}}},
	}
}

func (echo) Configure(context.Context, provider.Config) error { return nil }
func (echo) Check(context.Context) error                      { return nil }
func (echo) Close(context.Context) error                      { return nil }

func (echo) Submit(_ context.Context, a provider.Attempt) (provider.Outcome, error) {
	return provider.Outcome{Status: provider.Succeeded, Key: a.Key, Reference: "echo-" + a.Key}, nil
}

func (echo) Lookup(_ context.Context, q provider.Query) (provider.Outcome, error) {
	return provider.Outcome{Status: provider.Absent, Key: q.Key}, nil
}
