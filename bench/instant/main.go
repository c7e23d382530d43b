// Command instant is a plugin whose provider answers at once without any network: what is left of a payment's
// time is Cauce's own. It is for the benchmarks only.
package main

import (
	"context"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	plugin.Serve(plugin.Options{New: func() provider.Provider { return instant{} }})
}

type instant struct{}

func (instant) Info() provider.Info {
	return provider.Info{
		Name: "instant", Version: "1.0.0",
		Capabilities: []payment.Capability{{
			Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, Decimals: 2,
			Required: []string{"payer.bank"}, Recovery: payment.Recovery{LookupByKey: true, ResendSameKey: true},
		}},
	}
}

func (instant) Configure(context.Context, provider.Config) error { return nil }

func (instant) Check(context.Context) error { return nil }

func (instant) Submit(_ context.Context, a provider.Attempt) (provider.Outcome, error) {
	return provider.Outcome{
		Status: provider.Succeeded, Key: a.Key, Reference: "instant-" + a.Key, Amount: a.Payment.Amount, Currency: a.Payment.Currency,
	}, nil
}

func (instant) Lookup(_ context.Context, q provider.Query) (provider.Outcome, error) {
	return provider.Outcome{Status: provider.Succeeded, Key: q.Key}, nil
}

func (instant) Close(context.Context) error { return nil }
