package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// maxSecret is how far beyond maxLine a line is read, so that a secret across the cut is hidden whole.
	maxSecret = 1 << 10
	// logRate and logBurst bound the lines of one plugin that are logged; what is beyond them is counted.
	logRate  = 100 // a second
	logBurst = 200
	// lastLines are kept to explain a plugin that did not start.
	lastLines = 5
)

// logs turns what a plugin writes into log lines of the host.
type logs struct {
	logger *slog.Logger
	mask   *masker
	clock  Clock

	mu      sync.Mutex
	tokens  float64
	filled  time.Time
	dropped int
	last    []string // as written, newest last
}

func newLogs(logger *slog.Logger, mask *masker, clock Clock) *logs {
	return &logs{logger: logger, mask: mask, clock: clock, tokens: logBurst, filled: clock.Now()}
}

// writer returns a writer of one stream of the plugin.
func (l *logs) writer(stream string, level slog.Level) *lineWriter {
	return &lineWriter{logs: l, stream: stream, level: level}
}

// lineWriter cuts a stream into lines. It never fails and never waits.
type lineWriter struct {
	logs   *logs
	stream string
	level  slog.Level // of a line that does not say its own

	mu   sync.Mutex
	line []byte
	long bool // the line is longer than what is kept of it
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		room := maxLine + maxSecret - len(w.line)
		w.long = w.long || len(line) > room
		w.line = append(w.line, line[:min(len(line), room)]...)
		if ended {
			w.end()
		}
		p = rest
	}
	return n, nil
}

// flush logs a last line that has no end.
func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.line) > 0 {
		w.end()
	}
}

func (w *lineWriter) end() {
	line := string(bytes.TrimSuffix(w.line, []byte("\r")))
	if w.long {
		line += "…" // keeps half a JSON object from being taken for a whole one
	}
	w.line, w.long = w.line[:0], false
	if line != "" {
		w.logs.log(w.stream, w.level, line)
	}
}

// log logs one line, if the rate allows it.
func (l *logs) log(stream string, level slog.Level, line string) {
	l.mu.Lock()
	l.last = append(l.last, line)
	if len(l.last) > lastLines {
		l.last = slices.Delete(l.last, 0, 1)
	}
	now := l.clock.Now()
	l.tokens = min(l.tokens+now.Sub(l.filled).Seconds()*logRate, logBurst)
	l.filled = now
	if l.tokens < 1 {
		l.dropped++
		l.mu.Unlock()
		return
	}
	l.tokens--
	l.mu.Unlock()

	l.reportDropped()
	attrs := []slog.Attr{slog.String("stream", stream)}
	message := line
	if fields := jsonFields(line); fields != nil {
		message, level, attrs = l.structured(fields, level, attrs)
	}
	l.logger.LogAttrs(context.Background(), level, l.mask.clean(message, maxLine), attrs...)
}

// reportDropped logs how many lines were dropped since it was last asked.
func (l *logs) reportDropped() {
	l.mu.Lock()
	n := l.dropped
	l.dropped = 0
	l.mu.Unlock()
	if n > 0 {
		l.logger.Warn("plugin writes more log lines than are kept", "dropped", n, "kept_per_second", logRate)
	}
}

// forget drops the last lines: another run begins.
func (l *logs) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = nil
}

// lastWords returns the last lines, cleaned.
func (l *logs) lastWords() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	words := make([]string, len(l.last))
	for i, line := range l.last {
		words[i] = l.mask.clean(line, maxText)
	}
	return words
}

func jsonFields(line string) map[string]json.RawMessage {
	if line[0] != '{' {
		return nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(line), &fields) != nil {
		return nil
	}
	return fields
}

// structured reads a line of slog's or hclog's JSON form.
func (l *logs) structured(fields map[string]json.RawMessage, level slog.Level, attrs []slog.Attr) (string, slog.Level, []slog.Attr) {
	var message string
	names := make([]string, 0, len(fields))
	for name, value := range fields {
		text := string(value)
		_ = json.Unmarshal(value, &text) // a value that is no string stays JSON
		switch name {
		case "msg", "@message":
			message = text
		case "level", "@level":
			if level.UnmarshalText([]byte(text)) != nil {
				level = slog.LevelDebug // hclog's trace
			}
		case "time", "@timestamp", "@module": // the host has its own
		default:
			names = append(names, name)
			fields[name] = json.RawMessage(text)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		attrs = append(attrs, slog.String(l.mask.clean(name, maxText), l.mask.clean(string(fields[name]), maxLine)))
	}
	return message, level, attrs
}
