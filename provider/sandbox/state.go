package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// settings are what the control protocol sets.
type settings struct {
	WebhookURL string            `json:"webhook_url,omitzero"`
	AdvancedS  int64             `json:"advanced_s,omitzero"` // how far the clock is ahead
	Modes      map[string]string `json:"modes"`               // those that are not at their default
}

// record is one line of the state file: the file's owner (the first line), or the newest form of something.
type record[T any] struct {
	Sandbox     string          `json:"sandbox,omitzero"`
	Settings    *settings       `json:"settings,omitempty"`
	Token       *token          `json:"token,omitempty"`
	Transaction *Transaction[T] `json:"transaction,omitempty"`
}

// journal is the state file, open for appending one line for each change. What was written outlives a killed
// process, not a power failure: nothing is synced. A nil journal keeps nothing.
type journal struct {
	file *os.File
	err  error // the first failure; from then on the sandbox answers with it, rather than forget what it executed
}

func (j *journal) write(v any) {
	if j == nil || j.err != nil {
		return
	}
	line, err := json.Marshal(v)
	if err == nil {
		_, err = j.file.Write(append(line, '\n')) // in one write, so that a kill leaves whole lines
	}
	j.err = err
}

func (j *journal) failure() error {
	if j == nil || j.err == nil {
		return nil
	}
	return fmt.Errorf("the state file can no longer be written: %w", j.err)
}

func (j *journal) close() error {
	if j == nil || j.file == nil {
		return nil
	}
	return j.file.Close()
}

// openState reads the state file, if there is one, and leaves it rewritten without what has been superseded.
func (s *Sandbox[T]) openState() error {
	file, err := os.Open(s.options.State)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	default:
		err := s.readState(file)
		file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", s.options.State, err)
		}
	}
	return s.rewriteState()
}

func (s *Sandbox[T]) readState(r io.Reader) error {
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF { // a last line without an end was cut off by a kill: its change was never answered
			return nil
		}
		var rec record[T]
		if err == nil {
			err = json.Unmarshal(line, &rec)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if n == 1 && rec.Sandbox != s.options.Name {
			return fmt.Errorf("it is not the state of the sandbox of %s: its first line names %q", s.options.Name, rec.Sandbox)
		}
		s.restore(rec)
	}
}

func (s *Sandbox[T]) restore(rec record[T]) {
	if rec.Settings != nil {
		s.settings = *rec.Settings
	}
	if rec.Token != nil {
		s.putToken(*rec.Token)
	}
	if rec.Transaction != nil {
		s.ledger.put(rec.Transaction)
	}
}

// rewriteState writes the whole state to a new file, puts it in the old one's place, and goes on with it.
func (s *Sandbox[T]) rewriteState() error {
	file, err := os.CreateTemp(filepath.Dir(s.options.State), filepath.Base(s.options.State)+".*")
	if err != nil {
		return err
	}
	next := &journal{file: file}
	next.write(record[T]{Sandbox: s.options.Name})
	next.write(record[T]{Settings: &s.settings})
	for _, t := range s.tokens {
		next.write(record[T]{Token: &t})
	}
	for _, t := range s.ledger.list {
		next.write(record[T]{Transaction: t})
	}
	if next.err == nil {
		next.err = os.Rename(file.Name(), s.options.State)
	}
	if next.err != nil {
		file.Close()
		os.Remove(file.Name())
		return next.err
	}
	s.journal.close() // the old file's; nothing of it is wanted any more
	s.journal = next
	return nil
}
