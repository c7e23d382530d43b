package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
)

// BenchmarkPairs measures what the engine writes for one payment, its intent and its outcome, on a real disk.
func BenchmarkPairs(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, err := pebblestore.Open(filepath.Join(b.TempDir(), "data"), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			measure(b, callers, func(n int64) error { return pair(s, n) })
		})
	}
}

// BenchmarkSync measures the disk alone: one appended and synced 4 KiB write after another.
func BenchmarkSync(b *testing.B) {
	file, err := os.OpenFile(filepath.Join(b.TempDir(), "sync"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 4096)
	measure(b, 1, func(int64) error {
		_, err := file.Write(block)
		return errors.Join(err, file.Sync())
	})
}

// measure shares b.N calls among the callers and reports how many there were a second and how long they took.
func measure(b *testing.B, callers int, call func(n int64) error) {
	var next atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	var group sync.WaitGroup
	b.ResetTimer()
	for range callers {
		group.Go(func() {
			var took []time.Duration
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				start := time.Now()
				if err := call(n); err != nil {
					b.Error(err)
					return
				}
				took = append(took, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	group.Wait()
	b.StopTimer()
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

// pair creates a payment up to the intent of its first attempt, and appends the answer.
func pair(s store.Store, n int64) error {
	ctx, now := context.Background(), time.Now().UTC()
	p := &payment.Payment{}
	var events []payment.Event
	var failed error
	add := func(t payment.EventType, data payment.EventData) {
		e := payment.Event{Seq: p.Seq + 1, Type: t, At: now, Data: data}
		failed = errors.Join(failed, p.Apply(e))
		events = append(events, e)
	}
	key := fmt.Sprintf("%020d", n)
	add(payment.EventCreated, payment.EventData{
		Payment: "pay_" + fmt.Sprintf("%026d", n), IdempotencyKey: "order-" + key,
		Request: &payment.Request{
			Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(10000), Currency: "COP", Country: "CO",
			Tax: payment.Pesos(10), Reference: "ORDER-" + key, Description: "Compra de producto ABC",
			Payer: payment.Party{
				Kind: payment.Natural, Name: "Miguel Rodriguez", Document: payment.Document{Type: payment.CE, Number: "987654321"},
				Email: "demo@demo.com", Phone: "3057788996", Address: "Calle 123 #45-67", IP: "120.29.48.92", Bank: "1022",
			},
			ReturnURL: "https://shop.example/return", Metadata: map[string]string{"shop": "bogota-1"},
		},
	})
	add(payment.EventDecided, payment.EventData{Decision: &payment.Decision{
		Route: "pse-retail", Strategy: "priority", Rules: strings.Repeat("0", 64), Providers: []string{"tpaga-pse", "tumipay"},
		Candidates: []payment.Candidate{
			{Provider: "tpaga-pse", Eligible: true, Reason: "takes it"}, {Provider: "tumipay", Eligible: true, Reason: "takes it"},
		},
		Failover: payment.Failover{On: []string{"unavailable", "invalid"}, MaxAttempts: 3, Within: payment.Duration(30 * time.Second)}, DecidedAt: now,
	}})
	add(payment.EventAttemptStarted, payment.EventData{Attempt: 1, Provider: "tpaga-pse", Key: key, DeadlineAt: now.Add(20 * time.Second)})
	p.NextLookupAt = now.Add(22 * time.Second)
	if err := errors.Join(failed, s.Create(ctx, p, events)); err != nil {
		return err
	}
	events = nil
	add(payment.EventAttemptEnded, payment.EventData{Attempt: 1, AttemptStatus: payment.AttemptPending, Reference: "tp-" + key})
	add(payment.EventPending, payment.EventData{Attempt: 1, Action: payment.Redirect("https://bank.example/pay/" + key), ExpiresAt: now.Add(15 * time.Minute)})
	p.NextLookupAt = now.Add(10 * time.Second)
	return errors.Join(failed, s.Append(ctx, p, events))
}
