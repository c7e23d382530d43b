package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/cauce-pay/cauce/payment"
)

func newPaymentsWatchCmd() command {
	return command{
		name: "payments watch", args: "[ID]", summary: "print what happens to a payment until it ends, or to all of them",
		details: "With an id it begins with what has happened. Without one it prints the events of all payments from now on,\n" +
			"until it is interrupted.\n" + clientDetails,
		example: "  router payments watch pay_06fkmr2m0hmcdcbjh4cbtg5k9s",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			asJSON := flags.Bool("json", false, "print each event as one line of JSON")
			return func(ctx context.Context, s streams, args []string) error {
				w := &watch{out: s.out, asJSON: *asJSON}
				if len(args) > 0 {
					w.id = args[0]
				}
				err := w.run(ctx, c)
				if ctx.Err() != nil {
					return nil // interrupted, which is how it ends
				}
				return err
			}
		},
	}
}

// watch prints events.
type watch struct {
	out    io.Writer
	asJSON bool
	id     string          // of the only payment to print; "" = all
	known  payment.Payment // the fold of its events that were printed
}

// watched is an event of the stream.
type watched struct {
	Payment string `json:"payment"`
	payment.Event
}

// maxEvent bounds one event of the stream.
const maxEvent = 1 << 20

func (w *watch) run(ctx context.Context, c *client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The stream is opened first, so that nothing is missed between what has happened and what will.
	resp, err := c.open(ctx, http.MethodGet, "/v1/events?from=now", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if w.id != "" {
		if err := w.catchUp(ctx, c); err != nil || w.known.Status.Final() {
			return err
		}
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var e watched
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("an event cannot be read: %w", err)
		}
		if err := w.print(e); err != nil || w.known.Status.Final() {
			return err
		}
	}
	return errors.Join(errors.New("the router ended the stream; watch again once it is back"), lines.Err())
}

// catchUp prints what has happened to the payment.
func (w *watch) catchUp(ctx context.Context, c *client) error {
	path, err := paymentPath("payments watch", []string{w.id})
	if err != nil {
		return err
	}
	answer, err := c.call(ctx, http.MethodGet, path+"?events=true", nil)
	if err != nil {
		return err
	}
	var p paymentAnswer
	if err := json.Unmarshal(answer, &p); err != nil {
		return fmt.Errorf("the payment cannot be read: %w", err)
	}
	for _, e := range p.Events {
		if err := w.print(watched{p.ID, e}); err != nil {
			return err
		}
	}
	return nil
}

// print prints an event that is to be watched and was not printed yet.
func (w *watch) print(e watched) error {
	if w.id != "" {
		if e.Payment != w.id || e.Seq <= w.known.Seq {
			return nil
		}
		if err := w.known.Apply(e.Event); err != nil {
			return fmt.Errorf("an event does not follow the one before; is this router older than that one? %w", err)
		}
	}
	var line bytes.Buffer
	if w.asJSON {
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(e); err != nil {
			return err
		}
	} else {
		var event strings.Builder
		printEvent(&event, e.Event)
		cells := strings.SplitN(event.String(), "\t", 4)
		fmt.Fprintf(&line, "%s  %3s  %s  %-15s  %s", e.Payment, cells[0], cells[1], cells[2], cells[3])
	}
	_, err := io.WriteString(w.out, printable(line.String()))
	return err
}
