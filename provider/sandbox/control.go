package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	controlPath = "/_sandbox/"
	// maxAdvanceS bounds how far the clock can be ahead: 100 years, in seconds.
	maxAdvanceS = 100 * 365 * 24 * 3600
	// maxWait bounds how long GET /_sandbox/webhooks waits: longer than one delivery may take.
	maxWait = deliveryTimeout + 5*time.Second
)

// problem is an error that a control call answers with.
type problem struct {
	status int
	error
}

func wrong(format string, args ...any) error {
	return problem{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

func (s *Sandbox[T]) controlMux() *http.ServeMux {
	calls := map[string]func(r *http.Request) (any, error){
		"GET ledger": func(*http.Request) (any, error) { return s.view(func() any { return s.ledger.entries() }) },
		"GET requests": func(*http.Request) (any, error) {
			return s.view(func() any { return append([]Request{}, s.requests.list...) })
		},
		"GET counts":    func(*http.Request) (any, error) { return s.view(s.countAll) },
		"GET faults":    func(*http.Request) (any, error) { return s.view(func() any { return append(faults{}, s.faults...) }) },
		"GET mode":      func(*http.Request) (any, error) { return s.view(func() any { return s.modeStates() }) },
		"GET webhooks":  s.listWebhooks,
		"POST faults":   s.postFault,
		"DELETE faults": s.clearFaults,
		"POST settle":   s.postSettle,
		"POST webhook":  s.postWebhook,
		"POST clock":    s.postClock,
		"POST mode":     s.postMode,
		"POST reset":    s.postReset,
	}
	mux := http.NewServeMux()
	for name, call := range calls {
		method, path, _ := strings.Cut(name, " ")
		mux.HandleFunc(method+" "+controlPath+path, func(w http.ResponseWriter, r *http.Request) {
			v, err := call(r)
			if err != nil {
				controlError(err).write(w)
				return
			}
			JSON(http.StatusOK, v).write(w)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		controlError(problem{http.StatusNotFound, fmt.Errorf("there is no %s %s; below %s there are %s",
			r.Method, r.URL.Path, controlPath, strings.Join(slices.Sorted(maps.Keys(calls)), ", "))}).write(w)
	})
	return mux
}

func controlError(err error) Answer {
	status := http.StatusInternalServerError
	var p problem
	if errors.As(err, &p) {
		status = p.status
	}
	return JSON(status, map[string]string{"error": err.Error()})
}

// decode reads a control call's body: one JSON object of known fields.
func decode(r *http.Request, into any, form string) error {
	body, _ := io.ReadAll(r.Body) // ServeHTTP has read it into memory
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return wrong("the body must be %s: %w", form, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return wrong("the body must be %s and nothing after it", form)
	}
	return nil
}

// view returns what read finds, after everything that is due by now has expired.
func (s *Sandbox[T]) view(read func() any) (any, error) {
	var found any
	_, err := s.update(func(*Books[T]) { found = read() })
	return found, err
}

func (s *Sandbox[T]) countAll() any {
	counts := map[Kind]int{Other: 0}
	for _, k := range Kinds() {
		counts[k] = 0
	}
	maps.Copy(counts, s.counts)
	return counts
}

func (s *Sandbox[T]) postFault(r *http.Request) (any, error) {
	var f Fault
	if err := decode(r, &f, `{"on","do","times","status","body","delay_ms"}`); err != nil {
		return nil, err
	}
	if err := f.prepare(); err != nil {
		return nil, wrong("%w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) >= maxFaults {
		return nil, wrong("%d faults wait already; DELETE %sfaults clears them", maxFaults, controlPath)
	}
	s.faults = append(s.faults, f)
	return f, nil
}

func (s *Sandbox[T]) clearFaults(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	return faults{}, nil
}

func (s *Sandbox[T]) postSettle(r *http.Request) (any, error) {
	var in struct {
		ID     string `json:"id"`
		Status Status `json:"status"`
	}
	if err := decode(r, &in, `{"id","status"}`); err != nil {
		return nil, err
	}
	if settled := []Status{Approved, Rejected, Expired}; !slices.Contains(settled, in.Status) {
		return nil, wrong("status is %.40q; it is one of %s", in.Status, list(settled))
	}
	var entry Entry
	var refusal error
	err := s.updateAndSend(func(b *Books[T]) {
		t := b.ByID(in.ID)
		if t == nil || t.Refused {
			refusal = problem{http.StatusNotFound, fmt.Errorf("no transaction has the id %.80q; GET %sledger lists them", in.ID, controlPath)}
			return
		}
		b.Settle(t, in.Status)
		entry = t.Entry
	})
	return entry, cmp.Or(refusal, err)
}

func (s *Sandbox[T]) postWebhook(r *http.Request) (any, error) {
	var in struct {
		URL string `json:"url"`
	}
	if err := decode(r, &in, `{"url"}`); err != nil {
		return nil, err
	}
	if in.URL != "" && !isHTTP(in.URL) {
		return nil, wrong("url is %.200q; it is an absolute http or https URL, or empty", in.URL)
	}
	return in, s.set(func(v *settings) error { v.WebhookURL = in.URL; return nil })
}

func (s *Sandbox[T]) postClock(r *http.Request) (any, error) {
	var in struct {
		AdvanceS int64 `json:"advance_s"`
	}
	if err := decode(r, &in, `{"advance_s"}, whole seconds`); err != nil {
		return nil, err
	}
	err := s.set(func(v *settings) error {
		if in.AdvanceS < 0 || in.AdvanceS > maxAdvanceS-v.AdvancedS {
			return wrong("advance_s is %d; the clock only goes forward, at most 100 years in all", in.AdvanceS)
		}
		v.AdvancedS += in.AdvanceS
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.view(func() any { return map[string]time.Time{"now": s.now()} })
}

func (s *Sandbox[T]) postMode(r *http.Request) (any, error) {
	var in struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	if err := decode(r, &in, `{"name","value"}`); err != nil {
		return nil, err
	}
	m, ok := s.modeNamed(in.Name)
	if !ok {
		names := make([]string, len(s.options.Modes))
		for i := range names {
			names[i] = s.options.Modes[i].Name
		}
		return nil, wrong("there is no mode %.80q; there are %s", in.Name, list(names))
	}
	if err := m.check(in.Value); err != nil {
		return nil, wrong("%w", err)
	}
	return in, s.set(func(v *settings) error { v.Modes[in.Name] = in.Value; return nil })
}

func (s *Sandbox[T]) postReset(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.empty()
	s.courier.forget()
	if s.journal != nil {
		if err := s.rewriteState(); err != nil {
			return nil, fmt.Errorf("sandbox: state file: %w", err)
		}
	}
	return []Entry{}, nil
}

func (s *Sandbox[T]) listWebhooks(r *http.Request) (any, error) {
	if _, err := s.view(func() any { return nil }); err != nil { // what expires by now sends webhooks too
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxWait)
	defer cancel()
	if err := s.courier.wait(ctx); err != nil {
		return nil, problem{http.StatusServiceUnavailable, fmt.Errorf("webhooks are still under way: %w", err)}
	}
	return s.courier.delivered(), nil
}

// set changes the settings and keeps them.
func (s *Sandbox[T]) set(change func(*settings) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := change(&s.settings); err != nil {
		return err
	}
	s.journal.write(record[T]{Settings: &s.settings})
	return s.journal.failure()
}

// updateAndSend runs f on the books and sends the webhooks that it queued, without waiting for them.
func (s *Sandbox[T]) updateAndSend(f func(b *Books[T])) error {
	var life context.Context
	messages, err := s.update(func(b *Books[T]) { life = s.life; f(b) })
	go s.courier.take(life, messages)()
	return err
}

func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func list[S ~string](items []S) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = string(item)
	}
	return strings.Join(words, ", ")
}
