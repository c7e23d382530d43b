// Command bench measures what a payment costs: the whole way through a real plugin process, beside the parts
// that bound it and beside what could be used instead, all in one run on one disk. Rounds are interleaved, so
// that a machine whose speed drifts slows all of them alike; the table shows medians over the rounds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cauce-pay/cauce/bench/measure"
)

func main() {
	rounds := flag.Int("rounds", 7, "interleaved rounds of each measurement")
	length := flag.Duration("length", time.Second, "of one measurement")
	callers := flag.String("callers", "1,64", "numbers of payments in flight")
	bin := flag.String("plugins", filepath.Dir(must(os.Executable())), "directory of the plugins `instant` and unary")
	dir := flag.String("dir", ".", "directory to measure on")
	only := flag.String("only", "", "the one `subject` to measure, by its name in the table")
	profile := flag.String("cpuprofile", "", "`file` for a profile of this process, in pprof's format")
	flag.Parse()
	if err := profiled(*profile, func() error { return run(*rounds, *length, *callers, *bin, *dir, *only) }); err != nil {
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

// subject is one thing that is measured.
type subject struct {
	name string
	run  func(ctx context.Context, callers int, length time.Duration) (measure.Result, error)
}

// inProcess is a subject of which do makes one unit.
func inProcess(name string, do func(context.Context) error) subject {
	return subject{name, func(ctx context.Context, callers int, length time.Duration) (measure.Result, error) {
		return measure.Run(ctx, callers, length, do)
	}}
}

// Names that the summary looks for.
const (
	bareCall  = "bare plugin call"
	unaryCall = "bare unary gRPC call"
	whole     = "whole payment"
	storeOnly = "store: intent + outcome"
	rival     = "the same on PostgreSQL"
)

// profiled runs f, and writes where its processor time went; nowhere where file is "".
func profiled(file string, f func() error) (err error) {
	if file == "" {
		return f()
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}

func run(rounds int, length time.Duration, callers, bin, dir, only string) error {
	dir, err := os.MkdirTemp(dir, "bench-data-")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	subjects, closeAll, err := open(ctx, bin, dir)
	if err != nil {
		return err
	}
	defer closeAll()
	if only != "" {
		subjects = slices.DeleteFunc(subjects, func(s subject) bool { return s.name != only })
		if len(subjects) == 0 {
			return fmt.Errorf("-only: %q is measured nowhere", only)
		}
	}
	for _, field := range strings.Split(callers, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return fmt.Errorf("-callers: %q is no number of callers", field)
		}
		results := make(map[string][]measure.Result, len(subjects))
		for range rounds {
			for _, s := range subjects {
				r, err := s.run(ctx, n, length)
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				results[s.name] = append(results[s.name], r)
			}
		}
		if err := report(n, subjects, results); err != nil {
			return err
		}
	}
	return nil
}

func report(callers int, subjects []subject, results map[string][]measure.Result) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "%d in flight\tper second\tp50\tp99\tCPU\tallocations\t\n", callers)
	medians := make(map[string]measure.Result, len(results))
	for _, s := range subjects {
		m := measure.Median(results[s.name])
		medians[s.name] = m
		fmt.Fprintf(out, "%s\t%.0f\t%s\t%s\t%s\t%.0f\t\n", s.name, m.Rate,
			m.P50.Round(time.Microsecond), m.P99.Round(time.Microsecond), m.CPU.Round(100*time.Nanosecond), m.Allocs)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if len(subjects) == 1 {
		return nil
	}
	w, bare, alone := medians[whole], medians[bareCall], medians[storeOnly]
	fmt.Printf("  whole payment: %.2f of the rate of bare unary calls; %.2f of the ceiling 1/(1/call + 1/store); p99 %.1f x p50; "+
		"p50 over the bare call %.2f x the store's", w.Rate/medians[unaryCall].Rate, w.Rate*(1/bare.Rate+1/alone.Rate),
		float64(w.P99)/float64(w.P50), float64(w.P50-bare.P50)/float64(alone.P50))
	if r, ok := medians[rival]; ok {
		fmt.Printf("; %.1f x PostgreSQL", w.Rate/r.Rate)
	}
	fmt.Print("\n\n")
	return nil
}
