package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/engine/store/storetest"
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

// pair stores what the engine stores for one payment.
func pair(s store.Store, n int64) error {
	p, events := storetest.Intent(n, time.Now().UTC())
	if err := s.Create(context.Background(), p, events); err != nil {
		return err
	}
	events = storetest.Outcome(p)
	return s.Append(context.Background(), p, events)
}
