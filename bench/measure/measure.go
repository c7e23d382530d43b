// Package measure finds out how often a second something can be done by several callers at once, and how long
// each time takes.
package measure

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Result is what one round gave. Rates are figures about time, not money.
type Result struct {
	Rate float64       `json:"rate"` // a second
	P50  time.Duration `json:"p50"`
	P99  time.Duration `json:"p99"`
}

// Run lets that many callers do something again and again for that long. The first error ends it.
func Run(ctx context.Context, callers int, length time.Duration, do func(context.Context) error) (Result, error) {
	var all sync.WaitGroup
	var failure atomic.Pointer[error]
	times := make([][]time.Duration, callers)
	begin := time.Now()
	for c := range callers {
		all.Go(func() {
			for failure.Load() == nil && time.Since(begin) < length {
				start := time.Now()
				if err := do(ctx); err != nil {
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
		return Result{}, *err
	}
	merged := slices.Concat(times...)
	slices.Sort(merged)
	return Result{
		Rate: float64(len(merged)) / took.Seconds(),
		P50:  merged[len(merged)/2], P99: merged[len(merged)*99/100],
	}, nil
}

// Median returns the median of each figure over the rounds.
func Median(rounds []Result) Result {
	return Result{
		Rate: middle(rounds, func(r Result) float64 { return r.Rate }),
		P50:  middle(rounds, func(r Result) time.Duration { return r.P50 }),
		P99:  middle(rounds, func(r Result) time.Duration { return r.P99 }),
	}
}

func middle[T float64 | time.Duration](rounds []Result, of func(Result) T) T {
	values := make([]T, len(rounds))
	for i, r := range rounds {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
