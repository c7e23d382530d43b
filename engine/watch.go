package engine

import (
	"sync"

	"github.com/cauce-pay/cauce/payment"
)

// watchers tells those who wait for a payment of this process's own changes to it.
type watchers struct {
	mu   sync.Mutex
	of   map[string][]chan *payment.Payment
	feed chan struct{} // closed at the next change of anything; nil while nobody waits for it
}

func newWatchers() *watchers {
	return &watchers{of: map[string][]chan *payment.Payment{}}
}

// watch returns a channel that gets the payment's newest state; stop ends it.
func (w *watchers) watch(id string) (changes <-chan *payment.Payment, stop func()) {
	c := make(chan *payment.Payment, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[id] = append(w.of[id], c)
	return c, func() { w.drop(id, c) }
}

func (w *watchers) drop(id string, c chan *payment.Payment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.of[id]
	for i := range list {
		if list[i] == c {
			w.of[id] = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(w.of[id]) == 0 {
		delete(w.of, id)
	}
}

func (w *watchers) tell(p *payment.Payment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.of[p.ID] {
		select {
		case <-c: // an older state that nobody has read yet
		default:
		}
		c <- p.Clone()
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
