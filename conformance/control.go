package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// sandbox is the control protocol of a provider's sandbox.
type sandbox struct{ url string }

// entry is a line of the ledger: what the provider really executed.
type entry struct {
	ID, Key, Status, Currency string
	Operation                 payment.Operation
	Amount                    payment.Money
}

// Request is one request that the sandbox received. The control protocol names neither Kind nor Query: a sandbox may
// leave them out, and write the query at the end of Path.
type Request struct {
	Kind   string          `json:"kind,omitzero"`
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Query  string          `json:"query,omitzero"`
	Body   string          `json:"body"`
	Time   json.RawMessage `json:"time,omitempty"` // in the sandbox's own form
}

// address is the path with its query, wherever the sandbox writes that.
func (r Request) address() string { return strings.TrimSuffix(r.Path+"?"+r.Query, "?") }

// fault is a fault for POST /_sandbox/faults.
type fault struct {
	On      string `json:"on"`
	Do      string `json:"do"`
	Times   int    `json:"times"`
	Status  int    `json:"status,omitzero"`
	Body    string `json:"body,omitzero"`
	DelayMS int    `json:"delay_ms,omitzero"`
}

func (f fault) String() string {
	text := f.Do
	if f.Status != 0 {
		text += fmt.Sprintf(" %d %.60q", f.Status, f.Body)
	}
	return text + " on " + f.On
}

// maxControlAnswer bounds an answer of the sandbox, in bytes.
const maxControlAnswer = 64 << 20

// controlTime bounds one call of the control protocol.
const controlTime = 10 * time.Second

func (b sandbox) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, controlTime, fmt.Errorf("no answer within %s", controlTime))
	defer cancel()
	err := b.exchange(ctx, method, path, in, out)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("%s does not answer the control protocol: %s /_sandbox/%s: %w", b.url, method, path, err)
	}
	return nil
}

func (b sandbox) exchange(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		content, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(content)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.url+"/_sandbox/"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxControlAnswer))
	if err != nil {
		return err
	}
	// A page of some other server is told by its beginning.
	excerpt := strings.Join(strings.Fields(string(content[:min(len(content), 200)])), " ")
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %.100q", resp.Status, excerpt)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return fmt.Errorf("%w: %.100q", err, excerpt)
	}
	return nil
}

func (b sandbox) counts(ctx context.Context) (map[string]int, error) {
	var counts map[string]int
	err := b.call(ctx, http.MethodGet, "counts", nil, &counts)
	return counts, err
}

func (b sandbox) requests(ctx context.Context) ([]Request, error) {
	var list []Request
	err := b.call(ctx, http.MethodGet, "requests", nil, &list)
	return list, err
}

func (b sandbox) reset(s *scene) {
	s.must(b.call(s.ctx, http.MethodPost, "reset", nil, nil))
}

// lay makes the next calls suffer faults, each once unless it says otherwise.
func (b sandbox) lay(s *scene, faults ...fault) {
	for _, f := range faults {
		f.Times = max(f.Times, 1)
		s.must(b.call(s.ctx, http.MethodPost, "faults", f, nil))
	}
}

func (b sandbox) clearFaults(s *scene) {
	s.must(b.call(s.ctx, http.MethodDelete, "faults", nil, nil))
}

func (b sandbox) ledger(s *scene) []entry {
	var list []entry
	s.must(b.call(s.ctx, http.MethodGet, "ledger", nil, &list))
	return list
}

// charges returns what was executed under key.
func (b sandbox) charges(s *scene, key string) []entry {
	return slices.DeleteFunc(b.ledger(s), func(e entry) bool { return e.Key != key })
}

func (b sandbox) count(s *scene, kind string) int {
	counts, err := b.counts(s.ctx)
	s.must(err)
	return counts[kind]
}

func (b sandbox) settle(s *scene, key, status string) {
	charges := b.charges(s, key)
	if len(charges) != 1 {
		s.fatalf("the ledger has %d entries under the key, not 1", len(charges))
	}
	s.must(b.call(s.ctx, http.MethodPost, "settle", map[string]string{"id": charges[0].ID, "status": status}, nil))
}

func (b sandbox) advance(s *scene, d time.Duration) {
	s.must(b.call(s.ctx, http.MethodPost, "clock", map[string]int64{"advance_s": int64(d / time.Second)}, nil))
}
