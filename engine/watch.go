package engine

import (
	"slices"
	"sync"

	"github.com/cauce-pay/cauce/payment"
)

// watchers tells those who wait for a payment of this process's own changes to it. The payments they get are
// shared and must not be changed.
type watchers struct {
	mu   sync.Mutex
	of   map[string]*watched
	feed chan struct{} // closed at the next change of anything; nil while nobody waits for it
}

// watched is one payment that somebody waits for, or that this process is handing over.
type watched struct {
	channels []chan *payment.Payment
	state    *payment.Payment // its durable state while it is handed over; else nil
}

func newWatchers() *watchers {
	return &watchers{of: map[string]*watched{}}
}

func (w *watchers) entry(id string) *watched {
	one := w.of[id]
	if one == nil {
		one = &watched{}
		w.of[id] = one
	}
	return one
}

// handOver notes the durable state of a payment that is handed over from now on, until end is called.
func (w *watchers) handOver(p *payment.Payment) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entry(p.ID).state = p
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		one := w.of[p.ID]
		one.state = nil
		w.tidy(p.ID, one)
	}
}

// watch returns a channel that gets the payment's newest state, until stop is called, and its state now where
// this process is handing it over; else nil.
func (w *watchers) watch(id string) (changes <-chan *payment.Payment, now *payment.Payment, stop func()) {
	c := make(chan *payment.Payment, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.entry(id)
	one.channels = append(one.channels, c)
	return c, one.state, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		one.channels = slices.DeleteFunc(one.channels, func(other chan *payment.Payment) bool { return other == c })
		w.tidy(id, one)
	}
}

func (w *watchers) tidy(id string, one *watched) {
	if len(one.channels) == 0 && one.state == nil {
		delete(w.of, id)
	}
}

func (w *watchers) tell(p *payment.Payment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.of[p.ID]; one != nil {
		if one.state != nil {
			one.state = p
		}
		for _, c := range one.channels {
			select {
			case <-c: // an older state that nobody has read yet
			default:
			}
			c <- p
		}
	}
	if w.feed != nil {
		close(w.feed)
		w.feed = nil
	}
}

// changed returns a channel that is closed at the next change of any payment.
func (w *watchers) changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.feed == nil {
		w.feed = make(chan struct{})
	}
	return w.feed
}
