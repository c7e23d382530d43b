package engine

import "sync/atomic"

// crew runs functions in goroutines that stay for the next ones: a provider's call goes deep, and the stack of a
// goroutine that is made for it has to grow each time.
type crew struct {
	next    chan func()
	stopped <-chan struct{} // ends those that wait
	waiting atomic.Int32
}

// maxWaiting bounds how many goroutines wait for the next function.
const maxWaiting = 256

func newCrew(stopped <-chan struct{}) *crew { return &crew{next: make(chan func()), stopped: stopped} }

// run is go f().
func (c *crew) run(f func()) {
	select {
	case c.next <- f:
	default:
		go func() {
			for ; f != nil; f = c.wait() {
				f()
			}
		}()
	}
}

// wait returns the next function; nil where there is none to wait for.
func (c *crew) wait() (f func()) {
	if c.waiting.Add(1) <= maxWaiting {
		select {
		case f = <-c.next:
		case <-c.stopped:
		}
	}
	c.waiting.Add(-1)
	return f
}
