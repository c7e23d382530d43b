// Command bench measures what a payment costs: the whole way through a real plugin process, beside the parts
// that bound it, all in one run on one disk. Rounds are interleaved, so that a machine whose speed drifts
// slows all of them alike; the table shows medians over the rounds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	rounds := flag.Int("rounds", 3, "interleaved rounds of each measurement")
	length := flag.Duration("length", 2*time.Second, "of one measurement")
	callers := flag.String("callers", "1,8,64,256", "numbers of payments in flight")
	bin := flag.String("plugins", filepath.Dir(must(os.Executable())), "directory of the plugin `instant`")
	dir := flag.String("dir", "", "directory to measure on; default: a temporary one beside the working directory")
	flag.Parse()
	if err := run(*rounds, *length, *callers, *bin, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	return v
}

// subject is one thing that is measured: do makes one unit of it, on behalf of caller n.
type subject struct {
	name string
	do   func(ctx context.Context) error
}

func run(rounds int, length time.Duration, callers, bin, dir string) error {
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp(".", "bench-data-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	ctx := context.Background()
	subjects, closeAll, err := open(ctx, bin, dir)
	if err != nil {
		return err
	}
	defer closeAll()
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "in flight\twhat\tper second\tp50\tp99\tshare of bare call\t")
	for _, field := range strings.Split(callers, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return fmt.Errorf("-callers: %q is no number of callers", field)
		}
		results := make([][]result, len(subjects))
		for range rounds {
			for i, s := range subjects {
				r, err := measure(ctx, s, n, length)
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				results[i] = append(results[i], r)
			}
		}
		bare := median(results[0], func(r result) float64 { return r.rate })
		for i, s := range subjects {
			rate := median(results[i], func(r result) float64 { return r.rate })
			fmt.Fprintf(out, "%d\t%s\t%.0f\t%s\t%s\t%.2f\t\n", n, s.name, rate,
				micros(median(results[i], func(r result) float64 { return float64(r.p50) })),
				micros(median(results[i], func(r result) float64 { return float64(r.p99) })), rate/bare)
		}
		out.Flush()
	}
	return nil
}

func micros(ns float64) string {
	return time.Duration(ns).Round(time.Microsecond).String()
}

// result is what one round of one subject gave. Rates are figures about time, not money.
type result struct {
	rate     float64 // units per second
	p50, p99 time.Duration
}

func median(results []result, of func(result) float64) float64 {
	values := make([]float64, len(results))
	for i, r := range results {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func measure(ctx context.Context, s subject, callers int, length time.Duration) (result, error) {
	var all sync.WaitGroup
	var failure atomic.Pointer[error]
	times := make([][]time.Duration, callers)
	begin := time.Now()
	for c := range callers {
		all.Go(func() {
			for failure.Load() == nil && time.Since(begin) < length {
				start := time.Now()
				if err := s.do(ctx); err != nil {
					failure.Store(&err)
					return
				}
				times[c] = append(times[c], time.Since(start))
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	if err := failure.Load(); err != nil {
		return result{}, *err
	}
	merged := slices.Concat(times...)
	slices.Sort(merged)
	return result{
		rate: float64(len(merged)) / took.Seconds(),
		p50:  merged[len(merged)/2], p99: merged[len(merged)*99/100],
	}, nil
}

// open prepares the subjects: the bare plugin call, the whole payment, the store alone, the disk alone.
func open(ctx context.Context, bin, dir string) (_ []subject, closeAll func(), err error) {
	var closers []func() error
	closeAll = func() {
		for _, c := range slices.Backward(closers) {
			err = errors.Join(err, c())
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	rules := filepath.Join(dir, "routing.hcl")
	if err := os.WriteFile(rules, []byte("provider \"instant\" {}\nroute \"all\" { providers = [\"instant\"] }\n"), 0o600); err != nil {
		return nil, nil, err
	}
	bare, err := plugin.Dir(bin).Launch(ctx, provider.Spec{Name: "instant", Plugin: "instant"})
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, func() error { return bare.Close(ctx) })
	if err := bare.Configure(ctx, provider.Config{}); err != nil {
		return nil, nil, err
	}
	engineStore, err := pebblestore.Open(filepath.Join(dir, "engine"), nil)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, engineStore.Close)
	eng, err := engine.New(ctx, engine.Config{Rules: rules, Store: engineStore, Plugins: plugin.Dir(bin)})
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, eng.Close)
	alone, err := pebblestore.Open(filepath.Join(dir, "store"), nil)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, alone.Close)
	file, err := os.OpenFile(filepath.Join(dir, "sync"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, file.Close)
	return []subject{
		{"bare plugin call", func(ctx context.Context) error { return submit(ctx, bare) }},
		{"whole payment", func(ctx context.Context) error { return pay(ctx, eng) }},
		{"store: intent + outcome", func(ctx context.Context) error { return pair(ctx, alone) }},
		{"disk: append + sync", syncFile(file)},
	}, closeAll, nil
}

var serial atomic.Int64

func request() payment.Request {
	return payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(20000), Tax: payment.Pesos(3193),
		Reference: "ORDER-1001", Description: "Compra de producto ABC",
		Payer: payment.Party{
			Kind: payment.Natural, Name: "Miguel Rodriguez", Document: payment.Document{Type: payment.CC, Number: "1020304050"},
			Email: "miguel@example.com", Phone: "3057788996", Bank: "1022",
		},
		ReturnURL: "https://shop.example/return",
	}.WithDefaults()
}

func submit(ctx context.Context, p provider.Provider) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err := p.Submit(ctx, provider.Attempt{Key: attemptKey(serial.Add(1)), PaymentID: "pay_bench", Number: 1, Payment: request()})
	return err
}

func pay(ctx context.Context, eng *engine.Engine) error {
	p, err := eng.Pay(ctx, fmt.Sprintf("bench-%d", serial.Add(1)), request())
	if err == nil && p.Status != payment.Succeeded {
		return fmt.Errorf("payment %s is %s: %+v", p.ID, p.Status, p.Failure)
	}
	return err
}

func attemptKey(n int64) string { return fmt.Sprintf("%020d", n) }

// pair writes what the engine writes for one payment: the intent, then the outcome.
func pair(ctx context.Context, s *pebblestore.Store) error {
	n := serial.Add(1)
	req, now := request(), time.Now().UTC()
	p := &payment.Payment{}
	var events []payment.Event
	add := func(t payment.EventType, data payment.EventData) error {
		ev := payment.Event{Seq: p.Seq + 1, Type: t, At: now, Data: data}
		events = append(events, ev)
		return p.Apply(ev)
	}
	decision := payment.Decision{
		Route: "all", Strategy: "priority", Rules: strings.Repeat("0", 64), Providers: []string{"instant"},
		Candidates: []payment.Candidate{{Provider: "instant", Eligible: true, Reason: "ok"}}, DecidedAt: now,
	}
	key := attemptKey(n)
	err := errors.Join(
		add(payment.EventCreated, payment.EventData{Payment: "pay_" + fmt.Sprintf("%026d", n), IdempotencyKey: "bench-" + key, Request: &req}),
		add(payment.EventDecided, payment.EventData{Decision: &decision}),
		add(payment.EventAttemptStarted, payment.EventData{Attempt: 1, Provider: "instant", Key: key, DeadlineAt: now.Add(20 * time.Second)}),
	)
	p.NextLookupAt = now.Add(22 * time.Second)
	if err == nil {
		err = s.Create(ctx, p, events)
	}
	if err != nil {
		return err
	}
	events = nil
	err = errors.Join(
		add(payment.EventAttemptEnded, payment.EventData{Attempt: 1, AttemptStatus: payment.AttemptSucceeded, Reference: "instant-" + key}),
		add(payment.EventSucceeded, payment.EventData{Attempt: 1, Provider: "instant", Reference: "instant-" + key}),
	)
	p.NextLookupAt = time.Time{}
	if err != nil {
		return err
	}
	return s.Append(ctx, p, events)
}

// syncFile appends 4 KiB and syncs, one caller after the other: the disk's own rate.
func syncFile(file *os.File) func(context.Context) error {
	var mu sync.Mutex
	block := make([]byte, 4096)
	return func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if _, err := file.Write(block); err != nil {
			return err
		}
		return file.Sync()
	}
}
