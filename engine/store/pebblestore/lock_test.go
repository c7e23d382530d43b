package pebblestore

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
)

func TestLocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := locks{held: map[string]chan struct{}{}}
		release, err := l.acquire(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if other, err := l.acquire(t.Context(), "b"); err != nil {
			t.Errorf("another name: %v", err)
		} else {
			other()
		}

		holders, done := 0, 0 // the lock guards them
		for range 3 {
			go func() {
				release, err := l.acquire(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				if holders++; holders > 1 {
					t.Error("two have one lock")
				}
				runtime.Gosched() // the others try meanwhile
				holders--
				done++
				release()
			}()
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := l.acquire(ended, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting when the caller has gone: %v", err)
		}
		synctest.Wait()
		if done > 0 {
			t.Error("a lock that is held was given to another")
		}
		release()
		synctest.Wait()
		if done != 3 || len(l.held) > 0 {
			t.Errorf("%d of 3 had the lock, and %d locks are held", done, len(l.held))
		}
	})
}
