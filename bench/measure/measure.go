// Package measure finds out how often a second something can be done by several callers at once, and how long
// each time takes.
package measure

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Result is what one round gave. Rates are figures about time, not money.
type Result struct {
	Rate float64       `json:"rate"` // a second
	P50  time.Duration `json:"p50"`
	P99  time.Duration `json:"p99"`
	// What each one cost this process: processor time, and allocations. Other processes' work is not in it, nor
	// does it depend on how busy the machine is.
	CPU    time.Duration `json:"cpu"`
	Allocs float64       `json:"allocs"`
}

// Run lets that many callers do something again and again for that long. The first error ends it.
func Run(ctx context.Context, callers int, length time.Duration, do func(context.Context) error) (Result, error) {
	var all sync.WaitGroup
	var failure atomic.Pointer[error]
	times := make([][]time.Duration, callers)
	cpu, allocs := spent()
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
	cpuAfter, allocsAfter := spent()
	merged := slices.Concat(times...)
	slices.Sort(merged)
	return Result{
		Rate: float64(len(merged)) / took.Seconds(),
		P50:  merged[len(merged)/2], P99: merged[len(merged)*99/100],
		CPU: (cpuAfter - cpu) / time.Duration(len(merged)), Allocs: float64(allocsAfter-allocs) / float64(len(merged)),
	}, nil
}

// spent returns what this process has used so far.
func spent() (cpu time.Duration, allocs uint64) {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // it cannot fail for this process
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), memory.Mallocs
}

// Median returns the median of each figure over the rounds.
func Median(rounds []Result) Result {
	return Result{
		Rate: middle(rounds, func(r Result) float64 { return r.Rate }),
		P50:  middle(rounds, func(r Result) time.Duration { return r.P50 }),
		P99:  middle(rounds, func(r Result) time.Duration { return r.P99 }),

		CPU:    middle(rounds, func(r Result) time.Duration { return r.CPU }),
		Allocs: middle(rounds, func(r Result) float64 { return r.Allocs }),
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
