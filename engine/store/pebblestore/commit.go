package pebblestore

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cauce-pay/cauce/internal/failpoint"
)

// write is what one call wants to be stored, in one step.
type write struct {
	batch *pebble.Batch
	sync  bool
	// payment is the one that it changes ("" = none). Its lease ends; due is when it is looked up next (zero = never).
	payment string
	due     time.Time
	buffer  *[]byte       // from buffers, where state and events are
	state   []byte        // record of the payment
	events  []byte        // record of its further events; empty = none
	last    place         // theirs; the position is known when done is closed
	done    chan struct{} // closed once it is durable and shown
}

// group is the writes that are handed to Pebble together.
type group struct {
	batch    *pebble.Batch
	sync     bool
	writes   []*write
	snapshot *pebble.Snapshot // what readers see once the group is durable
	end      uint64
	late     *time.Timer // trips the fault when the disk does not answer
}

// pipeline makes writes durable. One goroutine (apply) hands them to Pebble in order, so that positions in the
// feed have no gaps and every snapshot ends at a group's end; another (publish) waits for the syncs, which
// Pebble shares among the groups that came meanwhile.
type pipeline struct {
	db       *pebble.DB
	fault    *fault
	shown    *shown
	stuck    func() // told when apply stopped in the middle of Pebble
	patience time.Duration
	largest  int    // bytes of a group after which it takes no further write
	end      uint64 // position of the last event that was given a place; apply's own

	mu     sync.Mutex
	queue  []*write
	bell   chan struct{}
	groups chan *group
	closed chan struct{}
	ended  sync.WaitGroup
}

// groupsUnderWay bounds how far apply may be ahead of the disk.
const groupsUnderWay = 16

func (p *pipeline) start() {
	p.bell = make(chan struct{}, 1)
	p.groups = make(chan *group, groupsUnderWay)
	p.closed = make(chan struct{})
	p.ended.Go(p.apply)
	p.ended.Go(p.publish)
}

// stop ends the pipeline. No write may be under way, unless the fault has tripped.
func (p *pipeline) stop() {
	close(p.closed)
	p.ended.Wait()
}

// commit returns nil once w is durable and shown to readers.
func (p *pipeline) commit(w *write) error {
	w.done = make(chan struct{})
	p.mu.Lock()
	p.queue = append(p.queue, w)
	p.mu.Unlock()
	select {
	case p.bell <- struct{}{}:
	default:
	}
	select {
	case <-w.done:
		return nil
	case <-p.fault.tripped:
		return p.fault.reason()
	}
}

func (p *pipeline) apply() {
	defer close(p.groups)
	defer func() {
		if r := recover(); r != nil {
			p.stuck()
			p.fault.trip("Pebble cannot go on", fmt.Errorf("%v", r))
		}
	}()
	for {
		select {
		case <-p.bell:
		case <-p.fault.tripped:
			return
		case <-p.closed:
			return
		}
		runtime.Gosched() // callers that are about to commit do so first: groups become fewer and larger
		p.mu.Lock()
		queue := p.queue
		p.queue = nil
		p.mu.Unlock()
		for len(queue) > 0 {
			g, rest, err := p.gather(queue)
			if err == nil {
				err = p.hand(g)
			}
			if err != nil {
				p.fault.trip("writing", err)
				return
			}
			queue = rest
		}
	}
}

// gather makes a group of the first writes of the queue, gives their events their places, and returns the rest.
func (p *pipeline) gather(queue []*write) (*group, []*write, error) {
	g := &group{batch: p.db.NewBatch()}
	g.late = time.AfterFunc(p.patience, func() {
		p.fault.trip("writing", fmt.Errorf("the disk has not answered for %s", p.patience))
	})
	for i, w := range queue {
		if i > 0 && g.batch.Len() > p.largest {
			break
		}
		g.writes = queue[:i+1]
		g.sync = g.sync || w.sync
		if len(w.events) > 0 {
			p.end += uint64(w.last.count)
			w.last.last = p.end
			setLast(w.state, p.end)
			w.set(eventsKey(p.end), w.events)
		}
		if w.payment != "" {
			w.set(plainKey(kindState, w.payment), w.state)
		}
		if err := g.batch.Apply(w.batch, nil); err != nil {
			return nil, nil, err
		}
	}
	g.end = p.end
	return g, queue[len(g.writes):], nil
}

func (p *pipeline) hand(g *group) error {
	if err := p.fault.reason(); err != nil {
		return err
	}
	var err error
	if g.sync {
		err = p.db.ApplyNoSyncWait(g.batch, pebble.Sync)
	} else {
		err = p.db.Apply(g.batch, pebble.NoSync)
	}
	if err != nil {
		return err
	}
	failpoint.Pass(failpoint.LogWritten)
	g.snapshot = p.db.NewSnapshot()
	p.groups <- g
	return nil
}

func (p *pipeline) publish() {
	for g := range p.groups {
		if err := p.finish(g); err != nil {
			p.fault.trip("syncing the log", err)
		}
	}
}

// finish waits until the group is durable, shows it to readers and wakes its callers.
func (p *pipeline) finish(g *group) error {
	defer g.late.Stop()
	next := newView(g.snapshot, g.end)
	if g.sync {
		if err := g.batch.SyncWait(); err != nil {
			return errors.Join(err, next.release())
		}
	}
	if p.fault.reason() != nil {
		return next.release() // Pebble was told that all is well; it is not
	}
	if err := p.shown.show(next, g.writes).release(); err != nil {
		return err
	}
	for _, w := range g.writes {
		close(w.done)
	}
	return g.batch.Close()
}

// show makes next the view that readers get, and returns the one before.
func (s *shown) show(next *view, writes []*write) *view {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.view
	s.view = next
	for _, w := range writes {
		if w.payment != "" {
			s.dues.changed(w.payment, w.due)
		}
	}
	return last
}

// dues says who works on what is due. It changes together with the view, so that nobody sees an old due time
// with a lease that has ended.
type dues struct {
	leases map[string]time.Time // payment -> end
	// first is a stamp before which the view has no due payment: what was due earlier is passed over, deleted
	// keys that Pebble has not dropped yet included.
	first uint64
	// While a scan runs: the payments that changed since its view, and the earliest stamp they are due at.
	scanning bool
	moved    map[string]bool
	earliest uint64
}

func (d *dues) changed(payment string, due time.Time) {
	delete(d.leases, payment)
	if d.scanning {
		d.moved[payment] = true
	}
	if !due.IsZero() {
		d.first, d.earliest = min(d.first, stamp(due)), min(d.earliest, stamp(due))
	}
}

func (d *dues) begin() {
	d.scanning, d.moved, d.earliest = true, map[string]bool{}, math.MaxUint64
}

// finish ends a scan that saw nothing due before seen.
func (d *dues) finish(seen uint64) {
	d.scanning, d.moved = false, nil
	d.first = min(seen, d.earliest)
}
