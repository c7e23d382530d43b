package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cauce-pay/cauce/bench/measure"
	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
)

// open prepares the subjects.
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
	unary, closeUnary, err := startUnary(bin)
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, closeUnary)
	subjects := []subject{
		inProcess(bareCall, func(ctx context.Context) error { return submit(ctx, bare) }),
		inProcess(unaryCall, unary),
		inProcess(whole, func(ctx context.Context) error { return pay(ctx, eng) }),
		inProcess(storeOnly, func(ctx context.Context) error { return pair(ctx, alone) }),
		inProcess("disk: append + sync", syncFile(file)),
	}
	postgres, closePostgres, err := startPostgres(bin, dir)
	if err != nil {
		fmt.Println("PostgreSQL is not measured:", err)
		return subjects, closeAll, nil
	}
	closers = append(closers, closePostgres)
	return append(subjects, postgres), closeAll, nil
}

var serial atomic.Int64

func submit(ctx context.Context, p provider.Provider) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err := p.Submit(ctx, provider.Attempt{Key: measure.AttemptKey(serial.Add(1)), PaymentID: "pay_bench", Number: 1, Payment: measure.Request()})
	return err
}

func pay(ctx context.Context, eng *engine.Engine) error {
	p, err := eng.Pay(ctx, fmt.Sprintf("bench-%d", serial.Add(1)), measure.Request())
	if err == nil && p.Status != payment.Succeeded {
		return fmt.Errorf("payment %s is %s: %+v", p.ID, p.Status, p.Failure)
	}
	return err
}

// pair writes what the engine writes for one payment: the intent, then the outcome.
func pair(ctx context.Context, s *pebblestore.Store) error {
	p, events, err := measure.Intent(serial.Add(1), time.Now())
	if err == nil {
		err = s.Create(ctx, p, events)
	}
	if err != nil {
		return err
	}
	if events, err = measure.Outcome(p); err != nil {
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
