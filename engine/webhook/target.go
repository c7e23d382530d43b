package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/internal/failpoint"
)

// retries are the pauses between the tries of a message, give or take a tenth: ten tries in about three days
// (Standard Webhooks 1.0, "Deliverability and reliability").
var retries = [...]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// maxWaiting bounds the messages that wait for another try. Beyond it no events are read: they stay in the
	// store's feed, which is the longer queue.
	maxWaiting = 500
	// roundSize bounds the payments whose messages are sent before what became of them is stored, inFlight those
	// that are sent at once.
	roundSize = 64
	inFlight  = 8
	// maxSkipped bounds the events of no interest that are read again after a crash.
	maxSkipped = 1000
	// storePause is how long a target waits before it tries again what the store did not let it do.
	storePause = 5 * time.Second
)

// progress is where a block stands, as the store keeps it. Every event up to the cursor was accepted, was given up,
// or waits.
type progress struct {
	Cursor  string     `json:"cursor"`
	Waiting []*message `json:"waiting,omitempty"` // in the feed's order
	// Gone is the URL that answered 410 Gone; nothing is sent until the block has another.
	Gone string `json:"gone,omitempty"`
}

// message is an event that a receiver has not accepted yet.
type message struct {
	Payment string    `json:"payment"`
	Seq     int64     `json:"seq"`
	Tries   int       `json:"tries,omitzero"`
	At      time.Time `json:"at,omitzero"`  // when it happened; zero = not known
	Due     time.Time `json:"due,omitzero"` // of its next try; zero = at once
	closed  bool      // it was accepted or given up
}

// wait returns how long it is until the next try; what is further away than a pause lasts was set while the clock was ahead.
func (m *message) wait(now time.Time) time.Duration {
	longest := storePause
	if m.Tries > 0 {
		longest = retries[m.Tries-1] * 11 / 10
	}
	if wait := m.Due.Sub(now); wait > 0 && wait <= longest {
		return wait
	}
	return 0
}

// id is the webhook-id: the same for every try and after every crash.
func (m *message) id() string {
	return fmt.Sprintf("msg_%s_%d", strings.TrimPrefix(m.Payment, "pay_"), m.Seq)
}

// target serves one webhook block.
type target struct {
	Config
	block   routing.Webhook
	client  *http.Client
	stop    context.CancelFunc
	loops   sync.WaitGroup
	skipped int // events of no interest since the progress was stored

	mu       sync.Mutex // guards what the loop changes and metrics read
	progress progress
	counts   counts
}

// newTarget reads where the block stands; a new one stands at the end of the feed.
func newTarget(ctx context.Context, c Config, block routing.Webhook) (*target, error) {
	t := &target{Config: c, block: block, client: newClient(c.AllowPrivate || block.AllowPrivate)}
	stored, err := c.Store.Setting(ctx, t.setting())
	if errors.Is(err, store.ErrNotFound) {
		if t.progress.Cursor, err = c.Store.FeedEnd(ctx); err != nil {
			return nil, err
		}
		return t, t.save(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(stored, &t.progress); err != nil {
		return nil, fmt.Errorf("the stored progress cannot be read: %w", err)
	}
	if t.progress.Gone != block.URL {
		t.progress.Gone = ""
	}
	return t, nil
}

func (t *target) setting() string { return "webhook/" + t.block.Name }

func (t *target) save(ctx context.Context) error {
	value, err := json.Marshal(&t.progress)
	if err != nil {
		return err
	}
	return t.Store.PutSetting(ctx, t.setting(), value)
}

func (t *target) start(ctx context.Context) {
	ctx, t.stop = context.WithCancel(ctx)
	events := make(chan store.FeedEvent, roundSize)
	after := t.progress.Cursor
	t.loops.Go(func() { t.read(ctx, after, events) })
	t.loops.Go(func() { t.run(ctx, events) })
}

func (t *target) close() {
	t.stop()
	t.loops.Wait()
	t.client.CloseIdleConnections()
}

// read hands the feed to the loop.
func (t *target) read(ctx context.Context, after string, events chan<- store.FeedEvent) {
	for ctx.Err() == nil {
		for event, err := range t.Engine.Events(ctx, after) {
			if err != nil {
				t.Logger.Error("the events to send cannot be read; it is tried again", "webhook", t.block.Name, "error", err)
				break
			}
			select {
			case events <- event:
				after = event.Cursor
			case <-ctx.Done():
				return
			}
		}
		sleep(ctx, t.Clock, storePause)
	}
}

// run sends what happens and what waits, until ctx ends.
func (t *target) run(ctx context.Context, events <-chan store.FeedEvent) {
	for ctx.Err() == nil {
		if t.progress.Gone != "" {
			<-ctx.Done()
			return
		}
		if !t.wait(ctx, events) {
			continue
		}
		changed := t.round(ctx)
		if !changed && t.skipped < maxSkipped {
			continue
		}
		failpoint.Pass(failpoint.WebhookSent)
		// Also when ctx has ended: what was accepted need not be sent again.
		if err := t.save(context.WithoutCancel(ctx)); err != nil {
			t.Logger.Error("what a webhook has received cannot be stored; it may be sent again", "webhook", t.block.Name, "error", err)
			sleep(ctx, t.Clock, storePause)
			continue
		}
		t.skipped = 0
	}
}

// wait returns once there is something to do: events, which it takes, or a message that is due.
func (t *target) wait(ctx context.Context, events <-chan store.FeedEvent) bool {
	if len(t.progress.Waiting) >= maxWaiting {
		events = nil
	}
	var due chan struct{}
	if heads := t.heads(); len(heads) > 0 {
		due = make(chan struct{})
		now, first := t.Clock.Now(), time.Duration(math.MaxInt64)
		for _, group := range heads {
			first = min(first, group[0].wait(now))
		}
		defer t.Clock.AfterFunc(first, func() { close(due) })()
	}
	select {
	case event := <-events:
		t.take(event)
	case <-due:
	case <-ctx.Done():
		return false
	}
	for range roundSize - 1 {
		select {
		case event := <-events:
			t.take(event)
		default:
			return true
		}
	}
	return true
}

func (t *target) take(event store.FeedEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress.Cursor = event.Cursor
	if slices.Contains(t.block.Events, "payment."+string(event.Event.Type)) {
		t.progress.Waiting = append(t.progress.Waiting, &message{Payment: event.Payment, Seq: event.Event.Seq, At: event.Event.At})
	} else {
		t.skipped++
	}
}

// heads returns the waiting messages by payment. Those of one payment are sent in order: only the first has a time.
func (t *target) heads() [][]*message {
	var groups [][]*message
	at := map[string]int{}
	for _, m := range t.progress.Waiting {
		i, known := at[m.Payment]
		if !known {
			i = len(groups)
			at[m.Payment] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], m)
	}
	return groups
}

// round sends what is due, the longest due first, and tells whether there was anything.
func (t *target) round(ctx context.Context) bool {
	now := t.Clock.Now()
	ready := slices.DeleteFunc(t.heads(), func(group []*message) bool { return group[0].wait(now) > 0 })
	if len(ready) == 0 {
		return false
	}
	slices.SortStableFunc(ready, func(a, b []*message) int { return a[0].Due.Compare(b[0].Due) })
	var sending sync.WaitGroup
	slots := make(chan struct{}, inFlight)
	for _, group := range ready[:min(len(ready), roundSize)] {
		slots <- struct{}{}
		sending.Go(func() {
			defer func() { <-slots }()
			for _, m := range group {
				if t.try(ctx, m); !m.closed {
					return
				}
			}
		})
	}
	sending.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress.Waiting = slices.DeleteFunc(t.progress.Waiting, func(m *message) bool { return m.closed })
	return true
}

// try sends a message once and notes what became of it.
func (t *target) try(ctx context.Context, m *message) {
	if ctx.Err() != nil || t.gone() {
		return
	}
	body, err := t.body(ctx, m)
	if err != nil {
		t.Logger.Error("a payment to tell of cannot be read; it is tried again", "webhook", t.block.Name, "payment", m.Payment, "error", err)
		m.Due = t.Clock.Now().Add(storePause)
		return
	}
	err = t.send(ctx, m.id(), body)
	if err != nil && ctx.Err() != nil {
		return // we have ended it ourselves
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	log := t.Logger.With("webhook", t.block.Name, "webhook_id", m.id(), "payment", m.Payment)
	if err == nil {
		m.closed = true
		t.counts.delivered++
		return
	}
	t.counts.failed++
	if errors.Is(err, errGone) {
		t.progress.Gone = t.block.URL
		log.Error("a webhook's receiver answered 410 Gone; nothing is sent to it until the block has another URL")
		return
	}
	m.Tries++
	if m.Tries > len(retries) {
		m.closed = true
		t.counts.givenUp++
		log.Error("a webhook's message was given up; its receiver must ask for the payment", "tries", m.Tries, "error", err)
		return
	}
	pause := retries[m.Tries-1]
	m.Due = t.Clock.Now().Add(pause + time.Duration((rand.Float64()-0.5)/5*float64(pause))).UTC()
	log.Warn("a webhook's message was not accepted; it is tried again", "tries", m.Tries, "due", m.Due, "error", err)
}

func (t *target) gone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.progress.Gone != ""
}
