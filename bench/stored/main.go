// Command stored measures what a large store costs: memory, and how long a start takes after the process before
// was killed, with payments that it had not finished.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cauce-pay/cauce/bench/measure"
	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	self, err := os.Executable()
	payments := flag.Int64("payments", 1_000_000, "finished payments in the store")
	unfinished := flag.Int64("unfinished", 10_000, "payments handed over whose outcome is not known")
	bin := flag.String("plugins", filepath.Dir(self), "directory of the plugin `instant`")
	dir := flag.String("dir", ".", "directory to measure in")
	phase := flag.String("phase", "", "what this process is for: fill, open; default: both, a process each")
	flag.Parse()
	switch {
	case err != nil:
	case *phase == "fill":
		err = fill(*dir, *payments, *unfinished)
	case *phase == "open":
		err = open(*dir, *bin)
	default:
		err = both(self, *dir, *bin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stored:", err)
		os.Exit(1)
	}
}

// both runs the phases, each in a new process with the flags of this one.
func both(self, dir, bin string) error {
	dir, err := os.MkdirTemp(dir, "bench-data-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, phase := range []string{"fill", "open"} {
		cmd := exec.Command(self, append(os.Args[1:], "-phase", phase, "-dir", dir, "-plugins", bin)...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err := cmd.Run()
		var exit *exec.ExitError
		killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		if err != nil && !(phase == "fill" && killed) {
			return fmt.Errorf("%s: %w", phase, err)
		}
	}
	return nil
}

// fill stores the payments and then kills its own process.
func fill(dir string, payments, unfinished int64) error {
	s, err := pebblestore.Open(filepath.Join(dir, "data"), nil)
	if err != nil {
		return err
	}
	begin := time.Now()
	yesterday := begin.Add(-24 * time.Hour)
	err = each(payments, func(n int64) error {
		p, events, err := measure.Intent(n, yesterday.Add(time.Duration(n)*time.Millisecond))
		if err == nil {
			err = s.Create(context.Background(), p, events)
		}
		if err == nil {
			events, err = measure.Outcome(p)
		}
		if err == nil {
			err = s.Append(context.Background(), p, events)
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("stored %d payments in %s\n", payments, time.Since(begin).Round(time.Millisecond))
	err = each(unfinished, func(n int64) error {
		p, events, err := measure.Intent(payments+n, begin.Add(-time.Minute))
		if err == nil {
			err = s.Create(context.Background(), p, events)
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("stored %d unfinished ones; SIGKILL\n", unfinished)
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// each calls do with 1 to count, 64 at once.
func each(count int64, do func(n int64) error) error {
	var last atomic.Int64
	var failure atomic.Pointer[error]
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for n := last.Add(1); n <= count && failure.Load() == nil; n = last.Add(1) {
				if err := do(n); err != nil {
					failure.Store(&err)
				}
			}
		})
	}
	all.Wait()
	if err := failure.Load(); err != nil {
		return *err
	}
	return nil
}

// open opens the store as a restarted router does, and waits until nothing is unfinished.
func open(dir, bin string) error {
	ctx := context.Background()
	begin := time.Now()
	s, err := pebblestore.Open(filepath.Join(dir, "data"), nil)
	if err != nil {
		return err
	}
	fmt.Printf("store open after %s, %s\n", time.Since(begin).Round(time.Millisecond), resident())
	rules := filepath.Join(dir, "routing.hcl")
	if err := os.WriteFile(rules, []byte("provider \"instant\" {}\nroute \"all\" { providers = [\"instant\"] }\n"), 0o600); err != nil {
		return err
	}
	eng, err := engine.New(ctx, engine.Config{Rules: rules, Store: s, Plugins: plugin.Dir(bin)})
	if err != nil {
		return err
	}
	fmt.Printf("engine ready after %s\n", time.Since(begin).Round(time.Millisecond))
	for left := true; left; {
		time.Sleep(20 * time.Millisecond)
		left = false
		for _, status := range []payment.Status{payment.Processing, payment.InDoubt} {
			page, err := s.List(ctx, store.Filter{Status: status, Limit: 1})
			if err != nil {
				return err
			}
			left = left || len(page.Payments) > 0
		}
	}
	fmt.Printf("nothing unfinished after %s, %s\n", time.Since(begin).Round(time.Millisecond), resident())
	for _, f := range []store.Filter{{}, {Status: payment.Succeeded}, {Provider: "instant"}, {Status: payment.Rejected}} {
		f.Limit = 50
		listed := time.Now()
		if _, err := s.List(ctx, f); err != nil {
			return err
		}
		fmt.Printf("a page of 50 (status %q, provider %q) in %s\n", f.Status, f.Provider, time.Since(listed).Round(time.Microsecond))
	}
	fmt.Printf("at the end %s\n", resident())
	return errors.Join(eng.Close(), s.Close())
}

// resident returns what this process holds of memory, as Linux tells it.
func resident() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "memory not known on this system"
	}
	value := func(name string) int {
		for line := range strings.Lines(string(status)) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
				kib, _ := strconv.Atoi(fields[1])
				return kib >> 10
			}
		}
		return 0
	}
	return fmt.Sprintf("%d MiB resident (at most %d)", value("VmRSS:"), value("VmHWM:"))
}
