package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Message is one webhook. It is posted once: no provider here documents that it tries again.
type Message struct {
	// URL is where it goes; "" = where POST /_sandbox/webhook said.
	URL    string
	Header http.Header // Content-Type is application/json where absent
	Body   []byte

	sentAt time.Time
}

// Delivery is what became of a webhook, as GET /_sandbox/webhooks shows it.
type Delivery struct {
	URL    string    `json:"url"`
	Body   string    `json:"body"`
	Status int       `json:"status,omitzero"` // the listener's answer
	Error  string    `json:"error,omitzero"`  // why there was none
	Time   time.Time `json:"time"`            // on the sandbox's clock
}

// Bounds of the deliveries.
const (
	maxDeliveries   = 1_000  // kept
	maxUnderWay     = 10_000 // calls whose webhooks wait or are being sent; beyond, webhooks are dropped
	maxParallel     = 64
	deliveryTimeout = 10 * time.Second
)

// courier delivers webhooks. It never follows a redirect.
type courier struct {
	client *http.Client
	logger *slog.Logger
	slots  chan struct{}

	mu         sync.Mutex
	underWay   int
	idle       chan struct{} // closed while nothing is under way
	deliveries []Delivery
}

func newCourier(logger *slog.Logger) *courier {
	idle := make(chan struct{})
	close(idle)
	return &courier{
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: maxParallel, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       deliveryTimeout,
		},
		logger: logger, slots: make(chan struct{}, maxParallel), idle: idle,
	}
}

// take accepts the messages of one call, so that whoever waits now waits for them too, and returns the function
// that sends them, one after the other. That function must be called.
func (c *courier) take(life context.Context, messages []Message) (send func()) {
	if len(messages) == 0 {
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.underWay >= maxUnderWay {
		for _, m := range messages {
			c.note(m, 0, fmt.Errorf("dropped: %d are under way already", maxUnderWay))
		}
		return func() {}
	}
	if c.underWay == 0 {
		c.idle = make(chan struct{})
	}
	c.underWay++
	return func() {
		c.slots <- struct{}{}
		for _, m := range messages {
			status, err := c.deliver(life, m)
			c.mu.Lock()
			c.note(m, status, err)
			c.mu.Unlock()
		}
		<-c.slots
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.underWay--; c.underWay == 0 {
			close(c.idle)
		}
	}
}

func (c *courier) deliver(life context.Context, m Message) (status int, err error) {
	req, err := http.NewRequestWithContext(life, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, values := range m.Header {
		req.Header[name] = values
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return resp.StatusCode, nil
}

// note remembers what became of m. c.mu is held.
func (c *courier) note(m Message, status int, err error) {
	d := Delivery{URL: m.URL, Body: string(m.Body), Status: status, Time: m.sentAt}
	if err != nil {
		d.Error = err.Error()
		c.logger.Warn("sandbox: webhook not delivered", "url", m.URL, "error", err)
	}
	c.deliveries = append(c.deliveries, d)
	if n := len(c.deliveries) - maxDeliveries; n > 0 {
		c.deliveries = slices.Delete(c.deliveries, 0, n)
	}
}

// wait returns once nothing is under way, or ctx ends.
func (c *courier) wait(ctx context.Context) error {
	c.mu.Lock()
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// delivered lists the newest deliveries, oldest first.
func (c *courier) delivered() []Delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Delivery{}, c.deliveries...)
}

func (c *courier) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deliveries = nil
}

// close waits for what is under way, which must have been ended, and frees the connections.
func (c *courier) close() {
	c.wait(context.Background())
	c.client.CloseIdleConnections()
}
