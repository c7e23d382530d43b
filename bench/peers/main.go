// Command peers measures what it costs to find the route of a payment: with Cauce, with the same conditions evaluated
// one after the other by expr-lang, and with Open Policy Agent, all in one run on the same rules and payments.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
)

func main() {
	length := flag.Duration("length", 2*time.Millisecond, "of one measurement; each figure is the median of 51")
	flag.Parse()
	if err := run(*length); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// rounds of measurements: each round has one of every case, so that what else the machine does falls on all of them.
const rounds = 51

// run measures Cauce first: what the others hold in memory would slow it down, and what they throw away.
func run(length time.Duration) error {
	sizes := []int{10, 100, 1000, 10_000}
	var loaded []*routing.Rules
	var loads []string
	for _, n := range sizes {
		rules, load, err := loadRules(n)
		if err != nil {
			return err
		}
		loaded, loads = append(loaded, rules), append(loads, load)
	}
	var cases []*mix
	for i, n := range sizes {
		cases = append(cases, mixes(n, loaded[i])...)
	}
	for range rounds {
		for _, m := range cases {
			m.match.measure(length, func(i int) { m.rules.Match(m.payments[i], now) })
			m.decide.measure(length, func(i int) { m.rules.Decide(m.payments[i], facts) })
		}
	}
	for of := range slices.Chunk(cases, len(mixNames)) {
		if err := measureRivals(of, length); err != nil {
			return err
		}
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "routes\tpayments\tmatch ns (allocs)\tto 10 routes\tdecision ns (allocs)\tlinear expr ns (allocs)\tOPA ns (allocs)\tOPA/match\t")
	for i, m := range cases {
		fmt.Fprintf(out, "%d\t%s\t%s\t%.2f\t%s\t%s\t%s\t%.0f\t\n", m.size, m.name, &m.match,
			m.match.median()/cases[i%len(mixNames)].match.median(), &m.decide, &m.linear, &m.agent, m.agent.median()/m.match.median())
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, load := range loads {
		fmt.Println(load)
	}
	return nil
}

var mixNames = []string{"first", "last", "none", "Zipf"}

// mix is a series of payments by the routes that they take; n of n routes = none. Every mix has as many payments, each of
// its own in memory: the processor's caches do the same for all of them.
type mix struct {
	name                         string
	size                         int
	rules                        *routing.Rules
	routes                       [1024]int
	payments                     [1024]*payment.Request
	match, decide, linear, agent figure
}

func mixes(n int, rules *routing.Rules) []*mix {
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(n-1))
	var all []*mix
	for _, name := range mixNames {
		m := &mix{name: name, size: n, rules: rules}
		for i := range m.routes {
			switch name {
			case "last":
				m.routes[i] = n - 1
			case "none":
				m.routes[i] = n
			case "Zipf":
				m.routes[i] = int(zipf.Uint64())
			}
			m.payments[i] = request(m.routes[i])
		}
		all = append(all, m)
	}
	return all
}

// measureRivals measures mixes of one size.
func measureRivals(of []*mix, length time.Duration) error {
	ctx := context.Background()
	linear, err := newLinear(of[0].size)
	if err != nil {
		return err
	}
	agent, err := newAgent(ctx, of[0].size)
	if err != nil {
		return err
	}
	environments := make([][]map[string]any, len(of))
	inputs := make([][]input, len(of))
	for c, m := range of {
		for i, route := range m.routes {
			environments[c] = append(environments[c], environment(m.payments[i]))
			in, err := parsed(environments[c][i])
			if err != nil {
				return err
			}
			inputs[c] = append(inputs[c], in)
			want := routeName(route)
			if route == m.size {
				want = ""
			}
			if i > 0 && route == m.routes[i-1] {
				continue
			}
			agents, err := agent.first(ctx, in)
			if err != nil {
				return err
			}
			if got, linear := m.rules.Match(m.payments[i], now), linear.first(environments[c][i]); got != want || linear != want || agents != want {
				return fmt.Errorf("%d routes: the payment of %q goes to %q, %q and %q", m.size, want, got, linear, agents)
			}
		}
	}
	runtime.GC()
	for range rounds {
		for c, m := range of {
			m.linear.measure(length, func(i int) { linear.first(environments[c][i]) })
			m.agent.measure(length, func(i int) {
				if _, err := agent.first(ctx, inputs[c][i]); err != nil {
					panic(err) // it has answered before
				}
			})
		}
	}
	return nil
}

var (
	now   = time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	pse   = []payment.Capability{{Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, Decimals: 2}}
	facts = routing.Facts{Now: now, Providers: map[string]routing.ProviderFacts{"a": {Capabilities: pse}, "b": {Capabilities: pse}}}
)

// figure is what one operation takes, in nanoseconds, measured several times.
type figure struct {
	rounds []float64
	allocs float64
}

// measure does something for some time, with each of 1024 payments in turn.
func (f *figure) measure(length time.Duration, do func(i int)) {
	if f.rounds == nil {
		i := 0
		f.allocs = testing.AllocsPerRun(200, func() { do(i); i++ })
	}
	start, done := time.Now(), 0
	for batch := 1; time.Since(start) < length; batch = min(2*batch, 256) {
		for range batch {
			do(done % 1024)
			done++
		}
	}
	f.rounds = append(f.rounds, float64(time.Since(start).Nanoseconds())/float64(done))
}

func (f *figure) median() float64 {
	sorted := slices.Sorted(slices.Values(f.rounds))
	return sorted[len(sorted)/2]
}

func (f *figure) String() string { return fmt.Sprintf("%.0f (%.0f)", f.median(), f.allocs) }
