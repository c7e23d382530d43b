package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// A first payment through the plugins in bin/. The rules are those of routing.hcl.
func ExampleNew() {
	ctx := context.Background()
	store, err := pebblestore.Open("data", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	eng, err := engine.New(ctx, engine.Config{Rules: "routing.hcl", Store: store, Plugins: plugin.Dir("bin")})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close()
	p, err := eng.Pay(ctx, "order-1001", payment.Request{ // the idempotency key, and the payment
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(20000), Description: "Compra de producto ABC",
		Payer: payment.Party{
			Name: "Miguel Rodriguez", Document: payment.Document{Type: payment.CC, Number: "1020304050"},
			Email: "miguel@example.com", Phone: "3057788996", Bank: "1022",
		},
		ReturnURL: "https://shop.example/return",
	})
	if err != nil {
		log.Fatal(err)
	}
	if p.Action != nil {
		fmt.Println("send the payer to", p.Action.URL)
	}
}

// Providers may be plain Go values, for tests and for those who do not want processes.
func ExampleEngine_Pay() {
	dir, err := os.MkdirTemp("", "cauce")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	rules := filepath.Join(dir, "routing.hcl")
	if err := os.WriteFile(rules, []byte(`
provider "acme" {}
route "retail" {
  when      = "method == 'pse' && amount <= 500000"
  providers = ["acme"]
}
`), 0o600); err != nil {
		log.Fatal(err)
	}
	store, err := pebblestore.Open(filepath.Join(dir, "data"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	ctx := context.Background()
	acme := providertest.New("acme").Always(providertest.Approve())
	eng, err := engine.New(ctx, engine.Config{Rules: rules, Store: store, Providers: map[string]provider.Provider{"acme": acme}})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close()
	p, err := eng.Pay(ctx, "order-1001", request())
	if err != nil {
		log.Fatal(err)
	}
	again, err := eng.Pay(ctx, "order-1001", request()) // the same key: the same payment
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Status, p.Route, p.Provider, again.ID == p.ID)
	// Output: succeeded retail acme true
}
