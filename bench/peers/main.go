// Command peers measures what it costs to find the route of a payment: with Cauce, with the same conditions evaluated
// one after the other by expr-lang, and with Open Policy Agent, all in one run on the same rules and payments.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
)

func main() {
	length := flag.String("length", "200ms", "of one measurement")
	testing.Init()
	flag.Parse()
	err := flag.Set("test.benchtime", *length)
	if err == nil {
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "routes\tpayments\tmatch ns (allocs)\tdecision ns (allocs)\tlinear expr ns (allocs)\tOPA ns (allocs)\tOPA/match\t")
	var loads []string
	for _, n := range []int{10, 100, 1000, 10_000} {
		rules, load, err := loadRules(n)
		if err != nil {
			return err
		}
		loads = append(loads, load)
		linear, err := newLinear(n)
		if err != nil {
			return err
		}
		agent, err := newAgent(context.Background(), n)
		if err != nil {
			return err
		}
		for _, mix := range mixes(n) {
			if err := compare(out, n, mix, rules, linear, agent); err != nil {
				return err
			}
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, load := range loads {
		fmt.Println(load)
	}
	return nil
}

// mix is a series of payments, each by the number of the route that it takes; n of n routes = none.
type mix struct {
	name   string
	routes []int
}

func mixes(n int) []mix {
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(n-1))
	drawn := make([]int, 1024)
	for i := range drawn {
		drawn[i] = int(zipf.Uint64())
	}
	return []mix{{"first", []int{0}}, {"last", []int{n - 1}}, {"none", []int{n}}, {"Zipf", drawn}}
}

func compare(out *tabwriter.Writer, n int, m mix, rules *routing.Rules, l *linear, a *agent) error {
	ctx := context.Background()
	payments := make([]*payment.Request, len(m.routes))
	environments := make([]map[string]any, len(m.routes))
	inputs := make([]input, len(m.routes))
	for i, r := range m.routes {
		payments[i] = request(r)
		environments[i] = environment(payments[i])
		var err error
		if inputs[i], err = parsed(environments[i]); err != nil {
			return err
		}
		want := routeName(r)
		if r == n {
			want = ""
		}
		agents, err := a.first(ctx, inputs[i])
		if err != nil {
			return err
		}
		if got := rules.Match(payments[i], now); got != want || l.first(environments[i]) != want || agents != want {
			return fmt.Errorf("%d routes: the payment of %q goes to %q, %q and %q", n, want, got, l.first(environments[i]), agents)
		}
	}
	facts := routing.Facts{Now: now, Providers: map[string]routing.ProviderFacts{
		"a": {Capabilities: pse}, "b": {Capabilities: pse},
	}}
	match := measure(func(i int) { rules.Match(payments[i%len(payments)], now) })
	decide := measure(func(i int) { rules.Decide(payments[i%len(payments)], facts) })
	expr := measure(func(i int) { l.first(environments[i%len(environments)]) })
	opa := measure(func(i int) {
		if _, err := a.first(ctx, inputs[i%len(inputs)]); err != nil {
			panic(err) // it has answered the same before
		}
	})
	_, err := fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%s\t%s\t%.0f\t\n", n, m.name, cost(match), cost(decide), cost(expr), cost(opa),
		perOperation(opa)/perOperation(match))
	return err
}

func measure(do func(i int)) testing.BenchmarkResult {
	return testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			do(i)
		}
	})
}

func perOperation(r testing.BenchmarkResult) float64 {
	return float64(r.T.Nanoseconds()) / float64(r.N)
}

func cost(r testing.BenchmarkResult) string {
	return fmt.Sprintf("%.0f (%d)", perOperation(r), r.AllocsPerOp())
}

var (
	now = time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	pse = []payment.Capability{{Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, Decimals: 2}}
)

// routesPerFile keeps a file of rules under the 1 MiB that it may have.
const routesPerFile = 1000

// loadRules loads n routes, and says what that took.
func loadRules(n int) (*routing.Rules, string, error) {
	dir, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	for from := 0; from < n; from += routesPerFile {
		path := filepath.Join(dir, fmt.Sprintf("%05d.hcl", from))
		if err := os.WriteFile(path, []byte(cauceRules(from, min(n, from+routesPerFile))), 0o600); err != nil {
			return nil, "", err
		}
	}
	runtime.GC()
	before := heap()
	peak := watchHeap()
	start, startCPU := time.Now(), processorTime()
	rules, faults := routing.Load(dir, nil)
	took, cpu := time.Since(start), processorTime()-startCPU
	most := peak()
	if rules == nil {
		return nil, "", faults
	}
	runtime.GC()
	return rules, fmt.Sprintf("%d routes are loaded and checked in %.2f s (%.2f s of processor time), with at most %.1f MiB of heap; they hold %.1f MiB",
		n, took.Seconds(), cpu.Seconds(), mebibytes(most-before), mebibytes(heap()-before)), nil
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// heap returns how many bytes of the heap are in use, garbage included.
func heap() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// watchHeap looks at the heap every 200 microseconds; the function that it returns ends that, and tells the most.
func watchHeap() (end func() int64) {
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		peak := int64(0)
		for ticks := time.NewTicker(200 * time.Microsecond); ; {
			peak = max(peak, heap())
			select {
			case <-ticks.C:
			case <-stop:
				ticks.Stop()
				most <- peak
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-most
	}
}

// processorTime is what this process has used so far, in all its threads.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
