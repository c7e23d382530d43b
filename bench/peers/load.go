package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"syscall"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
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
