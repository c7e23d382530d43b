package webhook

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// counts are counted since the target was made.
type counts struct{ delivered, failed, givenUp int64 }

// WriteMetrics writes each block's figures as Prometheus text, version 0.0.4.
func (s *Sender) WriteMetrics(w io.Writer) error {
	var b bytes.Buffer
	now := s.config.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.targets))
	metric := func(name, kind, help string, value func(*target) int64) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		for _, block := range names {
			t := s.targets[block]
			t.mu.Lock()
			fmt.Fprintf(&b, "%s{webhook=%q} %d\n", name, block, value(t))
			t.mu.Unlock()
		}
	}
	metric("cauce_webhook_backlog", "gauge", "messages read from the feed that its receiver has not accepted; at 500 no more are read",
		func(t *target) int64 { return int64(len(t.progress.Waiting)) })
	metric("cauce_webhook_lag_seconds", "gauge", "since the oldest of them happened", func(t *target) int64 {
		lag := time.Duration(0)
		for _, m := range t.progress.Waiting {
			if !m.At.IsZero() {
				lag = max(lag, now.Sub(m.At))
			}
		}
		return int64(lag.Seconds())
	})
	metric("cauce_webhook_gone", "gauge", "1 after its receiver answered 410 Gone", func(t *target) int64 {
		if t.progress.Gone != "" {
			return 1
		}
		return 0
	})
	metric("cauce_webhook_delivered_total", "counter", "messages that were accepted", func(t *target) int64 { return t.counts.delivered })
	metric("cauce_webhook_failures_total", "counter", "tries that were not accepted", func(t *target) int64 { return t.counts.failed })
	metric("cauce_webhook_given_up_total", "counter", "messages that no try delivered", func(t *target) int64 { return t.counts.givenUp })
	_, err := w.Write(b.Bytes())
	return err
}
