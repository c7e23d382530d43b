package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	cauce "github.com/cauce-pay/cauce"
	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
)

func newDevCmd() command {
	return command{
		name: "dev", summary: "see it all work: the router, its plugins, and simulators of their providers",
		details: "Not for production: no money moves. It serves the API to this machine only and asks for no key. What happens\n" +
			"is kept in the data directory, so that it goes on there after an interrupt, a kill or a power failure.\n" +
			"Each provider's simulator takes the place of the provider: env(\"TPAGA_PSE_BASE_URL\") in the rules, say, is\n" +
			"the address of tpaga-pse's. The file env in the data directory says the same to a shell (. dev-data/env), for the\n" +
			"commands about rules. Rules that would call a real provider are refused.",
		example: "  router dev",
		setup: func(flags *flag.FlagSet) action {
			var o devOptions
			flags.StringVar(&o.rules, "c", "", "the rules: a `file`, or a directory of *.hcl files; default: the example that is built in")
			flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "the API's `address`")
			flags.StringVar(&o.data, "data", "dev-data", "the `directory` that keeps payments, simulators and ports")
			logs := newLogFlags(flags)
			return func(ctx context.Context, s streams, _ []string) error {
				log, err := logs.logger("dev", s.err)
				if err != nil {
					return err
				}
				return dev(ctx, s, log, o)
			}
		},
	}
}

type devOptions struct{ rules, listen, data string }

// envFile is what a shell reads to see the simulators in the rules, too.
func (o devOptions) envFile() string { return filepath.Join(o.data, "env") }

func dev(ctx context.Context, s streams, log *slog.Logger, o devOptions) (err error) {
	l, err := listen(o.listen, nil)
	if err != nil {
		return err
	}
	st, err := openDevStore(&o, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	launcher, err := lockedPlugins(o.rules, true, log)
	if err != nil {
		return errors.Join(err, l.Close(), st.Close())
	}
	// The store is the directory's lock: from here on its simulators' states are ours alone.
	sims, err := startSimulators(ctx, launcher, o.rules, o.data, log)
	defer func() { err = errors.Join(err, sims.stop()) }()
	if err != nil {
		return errors.Join(err, l.Close(), st.Close())
	}
	api := "http://" + l.Addr().String()
	d, err := startDaemon(ctx, l, st, engine.Config{
		Rules: o.rules, Plugins: launcher, PublicURL: api, Env: sims.env, Logger: log,
	}, false)
	if err != nil {
		return err
	}
	if err := errors.Join(sims.sendWebhooks(ctx, d.engine), sims.writeEnv(o.envFile(), api)); err != nil {
		return errors.Join(err, d.stop())
	}
	printBanner(s.out, api, o, sims)
	return d.run(ctx)
}

// openDevStore makes the data directory and opens its store. The built-in rules are written there, to have a path.
func openDevStore(o *devOptions, log *slog.Logger) (store.Store, error) {
	data, err := filepath.Abs(o.data)
	if err != nil {
		return nil, err
	}
	o.data = data
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w", err)
	}
	st, err := openStore(routing.Store{Kind: "pebble", Path: filepath.Join(data, "store")}, log)
	if err != nil || o.rules != "" {
		return st, err
	}
	o.rules = filepath.Join(data, "routing.hcl")
	if err := os.WriteFile(o.rules, cauce.Routing, 0o600); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// printBanner says what there is and what to try.
func printBanner(w io.Writer, api string, o devOptions, sims *simulators) {
	var b strings.Builder
	fmt.Fprintf(&b, `
Cauce for trying out. NOT FOR PRODUCTION: the providers are simulators, and no money moves.

  API    %s   (what it can do: %s/openapi.json)
  rules  %s
  data   %s   (remove it to begin anew)

`, api, api, o.rules, o.data)
	things := tryPayIn
	for _, s := range sims.list {
		fmt.Fprintf(&b, "  provider %s is simulated at %s\n", s.plugin, s.url)
		things += tryAlso[s.plugin]
	}
	b.WriteString(strings.NewReplacer("API", api, "KEY", rand.Text(), "ROUTER", os.Args[0], "RULES", o.rules, "ENV", o.envFile()).Replace(things + tryMore))
	_, _ = io.WriteString(w, b.String())
}

// tryPayIn is a payment to try. KEY is new at every start: under an old one the data directory would give back a payment
// that may have ended, without a page to open.
const tryPayIn = `
1. Collect money. A second time, the same Idempotency-Key gives the same payment; another one makes another.

curl -s API/v1/payments \
  -H 'Content-Type: application/json' -H 'Idempotency-Key: order-KEY' \
  -d '{"operation": "payin", "method": "pse", "amount": "20000.00", "tax": "3193.00",
       "reference": "ORDER-1001", "description": "Compra de producto ABC",
       "payer": {"kind": "natural", "name": "Miguel Rodriguez", "document": {"type": "CC", "number": "1020304050"},
                 "email": "miguel@example.com", "phone": "3057788996", "bank": "1022"},
       "return_url": "API/v1/payments?reference=ORDER-1001"}'

2. Open the answer's action.url in a browser: the bank's page. Approve or decline; it sends you back to the payment.

3. See what became of it, with every step (ID is the answer's id):

curl -s 'API/v1/payments/ID?events=true&decision=true'
`

// tryAlso are payments that only one plugin's simulator takes as they stand.
var tryAlso = map[string]string{
	"coopcentral": `
Send money to a bank account. The description is Coopcentral's word for a test that is approved:

curl -s API/v1/payments \
  -H 'Content-Type: application/json' -H 'Idempotency-Key: payroll-KEY' \
  -d '{"operation": "payout", "method": "bank_transfer", "amount": "150000",
       "reference": "PAYROLL-7", "description": "transaction-approved",
       "payee": {"name": "Jovita Ducuara Prieto", "document": {"type": "CC", "number": "11111158"},
                 "bank": "1013", "account": {"type": "savings", "number": "68653284571"}}}'
`,
	"tpaga-bills": `
Pay a bill. First ask what it costs, then pay that:

curl -s API/v1/billers/etb/bills/111100005555
curl -s API/v1/payments \
  -H 'Content-Type: application/json' -H 'Idempotency-Key: bill-KEY' \
  -d '{"operation": "bill", "method": "bill", "amount": "12300", "reference": "BILL-7",
       "bill": {"biller": "etb", "reference": "111100005555"}}'
`,
}

const tryMore = `
In another shell, see all of them, and what happens as it happens. The first line names this router and its simulators:

. ENV
ROUTER payments list
ROUTER payments watch

Edit a copy of the rules, next.hcl, and see what would change; or why a payment went where it went:

cp RULES next.hcl
ROUTER validate next.hcl
ROUTER diff RULES next.hcl
ROUTER simulate -rules next.hcl
ROUTER explain -c RULES ID

Kill it at any moment, even with kill -9; started again, it goes on where it stood. Ctrl-C stops it.
`
