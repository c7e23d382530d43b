package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// progressEvery is how often progress is shown: what ends sooner shows none.
const progressEvery = 250 * time.Millisecond

// progress shows on a terminal how far a long command is, in one line that is written anew and cleared at the end.
type progress struct {
	out    io.Writer
	noun   string // of what is counted; "" = only the time is told
	count  atomic.Int64
	stop   func()
	shown  int // characters of the line
	ending sync.WaitGroup
}

// showProgress starts progress on out until stop is called; none where out is no terminal.
func showProgress(out io.Writer, noun string) *progress {
	if !isTerminal(out) {
		return &progress{stop: func() {}}
	}
	ticker := time.NewTicker(progressEvery)
	p := newProgress(out, noun, time.Now(), ticker.C)
	end := p.stop
	p.stop = func() { ticker.Stop(); end() }
	return p
}

// newProgress writes at every tick.
func newProgress(out io.Writer, noun string, began time.Time, ticks <-chan time.Time) *progress {
	ended := make(chan struct{})
	p := &progress{out: out, noun: noun}
	p.stop = sync.OnceFunc(func() {
		close(ended)
		p.ending.Wait()
		if p.shown > 0 {
			p.write("")
			_, _ = io.WriteString(p.out, "\r")
		}
	})
	p.ending.Go(func() {
		for {
			select {
			case <-ended:
				return
			case now := <-ticks:
				p.write(p.line(now.Sub(began)))
			}
		}
	})
	return p
}

// line says what was counted and how fast, or how long it takes already.
func (p *progress) line(passed time.Duration) string {
	if p.noun == "" {
		return fmt.Sprintf("working, %.0f s", passed.Seconds())
	}
	n := p.count.Load()
	return fmt.Sprintf("%s, %.0f a second", count(int(n), p.noun), float64(n)/passed.Seconds())
}

// write puts a line over the one before.
func (p *progress) write(line string) {
	_, _ = fmt.Fprintf(p.out, "\r%s%s", line, strings.Repeat(" ", max(0, p.shown-len(line))))
	p.shown = len(line)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
