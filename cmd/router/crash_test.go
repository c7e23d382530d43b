package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// TestKilledAtRandom pays from 64 callers while the router is killed with -9 again and again. Every payment
// that was acknowledged is still there, and by the sandbox's own ledger no payment was executed twice.
//
// CAUCE_KILLS and CAUCE_PAYMENTS make it longer; CAUCE_SEED repeats a run.
func TestKilledAtRandom(t *testing.T) {
	kills, payments := envInt("CAUCE_KILLS", 20), envInt("CAUCE_PAYMENTS", 1000)
	seed := uint64(envInt("CAUCE_SEED", int(time.Now().UnixNano()%1_000_000)))
	t.Logf("seed %d (set CAUCE_SEED to repeat), %d kills, %d payments", seed, kills, payments)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, "2s")
	w.startRouter(t)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var acknowledged sync.Map // idempotency key -> payment id
	var next, done atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(payments) {
					return
				}
				key := fmt.Sprintf("order-%d", n)
				p, err := w.payUntilAcknowledged(ctx, key, orderBody(key, n))
				if err != nil {
					t.Error(err)
					return
				}
				if earlier, again := acknowledged.Swap(key, p.ID); again && earlier != p.ID {
					t.Errorf("key %s is payment %s and %s", key, earlier, p.ID)
				}
				done.Add(1)
			}
		})
	}
	for k := range kills {
		// The kills are spread over the whole run: the next one comes once its share of payments is done, and then
		// somewhere within the next tenth of a second.
		share := int64(payments * k / (kills + 1))
		waitUntil(ctx, t, func() bool { return done.Load() >= share || t.Failed() })
		pause(ctx, time.Duration(random.IntN(100))*time.Millisecond)
		w.restartRouter(t)
	}
	callers.Wait()
	if t.Failed() {
		return
	}

	w.checkNothingLost(ctx, t, &acknowledged)
	w.approveAll(ctx, t)
	w.checkAllSettled(ctx, t, &acknowledged)
	w.checkNothingTwice(ctx, t, &acknowledged)
}

// orderBody is the body of a payment; its amount tells its number.
func orderBody(reference string, n int64) string {
	return fmt.Sprintf(`{"operation":"payin","method":"pse","amount":"%d.00","reference":%q,"description":"Compra de producto ABC",
		"payer":{"kind":"natural","name":"Miguel Rodriguez","document":{"type":"CC","number":"1020304050"},
		"email":"miguel@example.com","phone":"3057788996","bank":"1022"},"return_url":"https://shop.example/return"}`, 1000+n, reference)
}

// payUntilAcknowledged asks for one payment under one key until the router answers, however often it is killed.
func (w *world) payUntilAcknowledged(ctx context.Context, key, body string) (payment.Payment, error) {
	for {
		var p payment.Payment
		status, err := w.call(ctx, http.MethodPost, w.url+"/v1/payments", key, body, &p)
		switch {
		case ctx.Err() != nil:
			return p, ctx.Err()
		case err != nil || status == http.StatusServiceUnavailable:
			pause(ctx, 20*time.Millisecond) // it was killed, or is starting
		case status == http.StatusCreated || status == http.StatusOK:
			return p, nil
		default:
			return p, fmt.Errorf("key %s: status %d", key, status)
		}
	}
}

func (w *world) checkNothingLost(ctx context.Context, t *testing.T, acknowledged *sync.Map) {
	t.Helper()
	acknowledged.Range(func(key, id any) bool {
		p := w.get(ctx, t, id.(string))
		n, _ := strconv.ParseInt(key.(string)[len("order-"):], 10, 64)
		if p.ID != id || p.IdempotencyKey != key || p.Amount != payment.Pesos(1000+n) || p.Reference != key {
			t.Errorf("payment %s of key %s came back as %+v", id, key, p)
		}
		return true
	})
}

func (w *world) approveAll(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, entry := range w.ledger(ctx, t) {
		if entry.Status != "pending" {
			continue
		}
		w.tell(t, "settle", fmt.Sprintf(`{"id":%q,"status":"approved"}`, entry.ID))
	}
}

// checkAllSettled waits until every payment has succeeded: the webhooks of those whose answers were lost name
// charges that the router finds by asking.
func (w *world) checkAllSettled(ctx context.Context, t *testing.T, acknowledged *sync.Map) {
	t.Helper()
	executed := map[string]bool{}
	for _, entry := range w.ledger(ctx, t) {
		executed[entry.Key] = true
	}
	acknowledged.Range(func(_, id any) bool {
		var p payment.Payment
		waitUntil(ctx, t, func() bool {
			p = w.get(ctx, t, id.(string))
			return p.Status == payment.Succeeded || t.Failed()
		})
		if p.Status != payment.Succeeded {
			t.Errorf("payment %s is %s: %+v", id, p.Status, p.Failure)
		}
		return !t.Failed()
	})
}

// checkNothingTwice counts in the ledger, not in what the router says.
func (w *world) checkNothingTwice(ctx context.Context, t *testing.T, acknowledged *sync.Map) {
	t.Helper()
	executed := map[string]int{}
	entries := w.ledger(ctx, t)
	for _, entry := range entries {
		executed[entry.Key]++
	}
	known := 0
	acknowledged.Range(func(_, id any) bool {
		p := w.get(ctx, t, id.(string))
		times := 0
		for _, a := range p.Attempts {
			times += executed[a.Key]
		}
		known += times
		if times != 1 {
			t.Errorf("payment %s was executed %d times: %+v", id, times, p.Attempts)
		}
		return true
	})
	if known != len(entries) {
		t.Errorf("the ledger holds %d charges, %d of them belong to acknowledged payments", len(entries), known)
	}
}

func envInt(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return fallback
}

// pause waits for real processes: there is no clock to inject into them.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func waitUntil(ctx context.Context, t *testing.T, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for !ok() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(ctx.Err(), context.Canceled) {
			t.Fatal("it took too long")
		}
		pause(ctx, 10*time.Millisecond)
	}
}
