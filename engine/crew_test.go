package engine

import (
	"sync"
	"testing"
	"testing/synctest"
)

// TestCrew: each function begins at once, however many run already; no more than maxWaiting goroutines stay for the
// next ones, which take those; and none is left in the end.
func TestCrew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which fails when a goroutine is left
		stopped := make(chan struct{})
		c := newCrew(stopped)
		for range 2 {
			var running sync.WaitGroup
			release := make(chan struct{})
			const many = 2 * maxWaiting
			running.Add(many)
			for range many {
				c.run(func() { running.Done(); <-release })
			}
			running.Wait()
			if n := c.waiting.Load(); n != 0 {
				t.Errorf("%d goroutines wait while more functions run than may wait", n)
			}
			close(release)
			synctest.Wait()
			if n := c.waiting.Load(); n != maxWaiting {
				t.Errorf("%d goroutines wait for the next function, want %d", n, maxWaiting)
			}
		}
		close(stopped)
	})
}
