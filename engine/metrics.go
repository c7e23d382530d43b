package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cauce-pay/cauce/engine/internal/breaker"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// metrics are counted since the engine was made.
type metrics struct {
	payments, attempts, failovers, lookups, alarms counters
	reloadRefused                                  atomic.Bool // the last one
}

// counters count by provider and by what happened.
type counters struct {
	mu sync.Mutex
	of map[[2]string]int64
}

func (c *counters) add(providerName, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[[2]string]int64{}
	}
	c.of[[2]string{providerName, what}]++
}

// latencyBounds are the upper bounds of the buckets of a hand-over's duration.
var latencyBounds = [...]time.Duration{
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// histogram counts durations; the last bucket has no upper bound.
type histogram struct {
	buckets [len(latencyBounds) + 1]atomic.Int64
	sum     atomic.Int64 // nanoseconds
}

func (h *histogram) add(d time.Duration) {
	i, _ := slices.BinarySearch(latencyBounds[:], d)
	h.buckets[i].Add(1)
	h.sum.Add(int64(d))
}

// maxInDoubtShown bounds how many payments in doubt WriteMetrics counts.
const maxInDoubtShown = 10_000

// WriteMetrics writes what an operator watches as Prometheus text, version 0.0.4: names, counts and times, nothing
// of a payment. The payments in doubt are counted up to 10,000.
func (e *Engine) WriteMetrics(ctx context.Context, w io.Writer) error {
	var b bytes.Buffer
	m := metricsText{&b}
	m.counters("cauce_payments_total", "payments that came to a status", &e.metrics.payments, "status")
	m.counters("cauce_attempts_total", "hand-overs that ended, by code or status", &e.metrics.attempts, "outcome")
	m.counters("cauce_failovers_total", "attempts after which the next candidate was tried, by why", &e.metrics.failovers, "reason")
	m.counters("cauce_lookups_total", "look-ups, by the status that they told or the error's code", &e.metrics.lookups, "outcome")
	m.counters("cauce_alarms_total", "events that need a person", &e.metrics.alarms, "type")
	e.writeProviderMetrics(m)
	if err := e.writeStoreMetrics(ctx, m); err != nil {
		return err
	}
	s := e.state.Load()
	m.head("cauce_rules_loaded_timestamp_seconds", "when the rules in force were loaded", "gauge")
	fmt.Fprintf(&b, "cauce_rules_loaded_timestamp_seconds{hash=%q} %d\n", s.rules.Hash(), s.loadedAt.Unix())
	if shadow, err := e.Shadow(); err == nil {
		m.gauge("cauce_shadow_payments", "payments that the shadow rules decided too", float64(shadow.Backtest.Payments))
		m.gauge("cauce_shadow_elsewhere", "those that they would have sent elsewhere first", float64(shadow.Backtest.Elsewhere))
	}
	reloaded := 1.0
	if e.metrics.reloadRefused.Load() {
		reloaded = 0
	}
	m.gauge("cauce_rules_last_reload_successful", "0 after a reload was refused, until one is not", reloaded)
	_, err := w.Write(b.Bytes())
	return err
}

func (e *Engine) writeProviderMetrics(m metricsText) {
	now := e.now()
	all := e.inOrder()
	gauge := func(name, help string, value func(*running, payment.Health) bool) {
		m.head(name, help, "gauge")
		for _, r := range all {
			r.mu.Lock()
			h := r.condition(now)
			r.mu.Unlock()
			v := 0
			if value(r, h) {
				v = 1
			}
			fmt.Fprintf(m.b, "%s{provider=%q} %d\n", name, r.name, v)
		}
	}
	gauge("cauce_provider_healthy", "1 unless it refuses our credentials", func(_ *running, h payment.Health) bool { return !h.Unhealthy })
	gauge("cauce_provider_paused", "1 while an operator has paused it", func(_ *running, h payment.Health) bool { return h.Paused })
	gauge("cauce_provider_breaker_open", "1 unless its breaker is closed", func(r *running, _ payment.Health) bool {
		return r.breaker.State(now) != breaker.Closed
	})
	m.head("cauce_provider_in_flight", "hand-overs under way", "gauge")
	for _, r := range all {
		fmt.Fprintf(m.b, "cauce_provider_in_flight{provider=%q} %d\n", r.name, r.inFlight.Load())
	}
	m.head("cauce_provider_success_rate", "share of the attempts of the last 30 minutes that succeeded; none where there was no attempt", "gauge")
	for _, r := range all {
		if rate := e.successRate(r.name, now); rate != nil {
			fmt.Fprintf(m.b, "cauce_provider_success_rate{provider=%q} %g\n", r.name, *rate)
		}
	}
	m.head("cauce_plugin_restarts_total", "times that the plugin's process was gone and started again", "counter")
	for _, r := range all {
		if p, ok := r.Provider.(interface{ Restarts() int64 }); ok { // it has a process
			fmt.Fprintf(m.b, "cauce_plugin_restarts_total{provider=%q} %d\n", r.name, p.Restarts())
		}
	}
	const name = "cauce_handover_seconds"
	m.head(name, "how long hand-overs took", "histogram")
	for _, r := range all {
		total := int64(0)
		calls := &r.statistics.handovers
		for i := range calls.buckets {
			total += calls.buckets[i].Load()
			bound := "+Inf"
			if i < len(latencyBounds) {
				bound = fmt.Sprint(latencyBounds[i].Seconds())
			}
			fmt.Fprintf(m.b, "%s_bucket{provider=%q,le=%q} %d\n", name, r.name, bound, total)
		}
		fmt.Fprintf(m.b, "%s_sum{provider=%q} %g\n", name, r.name, time.Duration(calls.sum.Load()).Seconds())
		fmt.Fprintf(m.b, "%s_count{provider=%q} %d\n", name, r.name, total)
	}
}

func (e *Engine) writeStoreMetrics(ctx context.Context, m metricsText) error {
	now, inDoubt, oldest := e.now(), 0, time.Duration(0)
	filter := store.Filter{Status: payment.InDoubt, Limit: 500}
	for inDoubt < maxInDoubtShown {
		page, err := e.store.List(ctx, filter)
		if err != nil {
			return err
		}
		inDoubt += len(page.Payments)
		for _, p := range page.Payments {
			oldest = max(oldest, now.Sub(p.CreatedAt))
		}
		if filter.Cursor = page.Next; filter.Cursor == "" {
			break
		}
	}
	lag := time.Duration(0)
	waiting, err := e.store.Notifications(ctx, "", 1)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		lag = now.Sub(waiting[0].ReceivedAt)
	}
	m.gauge("cauce_payments_in_doubt", "payments in doubt now", float64(inDoubt))
	m.gauge("cauce_in_doubt_oldest_seconds", "since the oldest of them was created", oldest.Seconds())
	m.gauge("cauce_inbox_lag_seconds", "age of the oldest webhook that is not worked through", lag.Seconds())
	writable := 0.0
	if e.store.Health() == nil {
		writable = 1
	}
	m.gauge("cauce_store_writable", "1 while new payments can be stored", writable)
	s, ok := e.store.(interface{ Space() (store.Space, error) })
	if !ok {
		return nil // a database server watches its own
	}
	space, err := s.Space()
	if err != nil { // a missing figure has an alert of its own; the others must not go with it
		e.log.Warn("how much disk space there is cannot be read", "error", err)
		return nil
	}
	m.gauge("cauce_store_bytes", "disk space that the store uses", float64(space.Used))
	m.gauge("cauce_store_free_bytes", "disk space that is free on its file system", float64(space.Free))
	m.gauge("cauce_store_capacity_bytes", "size of its file system", float64(space.Capacity))
	return nil
}

// metricsText writes the exposition format.
type metricsText struct{ b *bytes.Buffer }

func (m metricsText) head(name, help, kind string) {
	fmt.Fprintf(m.b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (m metricsText) gauge(name, help string, value float64) {
	m.head(name, help, "gauge")
	fmt.Fprintf(m.b, "%s %g\n", name, value)
}

func (m metricsText) counters(name, help string, c *counters, label string) {
	m.head(name, help, "counter")
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(c.of), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for _, key := range keys {
		of := ""
		if key[0] != "" {
			of = fmt.Sprintf("provider=%q,", key[0])
		}
		fmt.Fprintf(m.b, "%s{%s%s=%q} %d\n", name, of, label, key[1], c.of[key])
	}
}
