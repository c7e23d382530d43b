package storetest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// Memory is the plainest store that keeps every promise but durability: what other stores are compared with.
// It reads through all it holds, so it is for tests with few payments.
type Memory struct {
	mu       sync.Mutex
	closed   bool
	payments map[string]*payment.Payment
	events   map[string][]payment.Event
	feed     []store.FeedEvent
	leases   map[string]time.Time
	inbox    []store.Notification // by id
	settings map[string][]byte
	places   map[string]string // what a cursor was made of
}

var _ store.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		payments: map[string]*payment.Payment{}, events: map[string][]payment.Event{}, leases: map[string]time.Time{},
		settings: map[string][]byte{}, places: map[string]string{},
	}
}

// enter begins a call; on a nil error, unlock mu to end it.
func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return store.ErrClosed
	}
	return nil
}

// enterLimited is enter for a call with a limit.
func (m *Memory) enterLimited(ctx context.Context, limit int) error {
	if limit < 1 {
		return errors.New("storetest: a limit is at least 1")
	}
	return m.enter(ctx)
}

func (m *Memory) cursor(kind, place string) string {
	c := fmt.Sprintf("%x", sha256.Sum256([]byte(kind+place)))
	m.places[kind+c] = place
	return c
}

func (m *Memory) place(kind, cursor string) (string, error) {
	place, ok := m.places[kind+cursor]
	if !ok && cursor != "" {
		return "", store.ErrBadCursor
	}
	return place, nil
}

func (m *Memory) Create(ctx context.Context, p *payment.Payment, events []payment.Event) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, other := range m.payments {
		if other.IdempotencyKey == p.IdempotencyKey {
			return store.ErrKeyTaken
		}
	}
	if m.payments[p.ID] != nil {
		return store.ErrConflict
	}
	m.keep(p, events)
	return nil
}

func (m *Memory) keep(p *payment.Payment, events []payment.Event) {
	m.payments[p.ID] = deepCopy(p)
	for _, e := range events {
		e = deepCopy(e)
		m.events[p.ID] = append(m.events[p.ID], e)
		place := fmt.Sprintf("%012d", len(m.feed)+1)
		m.feed = append(m.feed, store.FeedEvent{Cursor: m.cursor("feed", place), Payment: p.ID, Event: e})
	}
	delete(m.leases, p.ID)
}

// at returns a payment whose last event is seq.
func (m *Memory) at(id string, seq int64) (*payment.Payment, error) {
	p := m.payments[id]
	switch {
	case p == nil:
		return nil, store.ErrNotFound
	case p.Seq != seq:
		return nil, store.ErrConflict
	}
	return p, nil
}

func (m *Memory) Append(ctx context.Context, p *payment.Payment, events []payment.Event) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	_, err := m.at(p.ID, events[0].Seq-1)
	if err == nil {
		m.keep(p, events)
	}
	return err
}

func (m *Memory) Schedule(ctx context.Context, id string, seq int64, next time.Time) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	p, err := m.at(id, seq)
	if err == nil {
		p.NextLookupAt = deepCopy(next)
		delete(m.leases, id)
	}
	return err
}

// find returns the newest payment that is so.
func (m *Memory) find(ctx context.Context, is func(*payment.Payment) bool) (*payment.Payment, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, p := range m.newestFirst() {
		if is(p) {
			return deepCopy(p), nil
		}
	}
	return nil, store.ErrNotFound
}

func listPlace(p *payment.Payment) string {
	return fmt.Sprintf("%020d%s", p.CreatedAt.UnixNano(), p.ID)
}

func (m *Memory) newestFirst() []*payment.Payment {
	var all []*payment.Payment
	for _, p := range m.payments {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *payment.Payment) int { return cmp.Compare(listPlace(b), listPlace(a)) })
	return all
}

func (m *Memory) Get(ctx context.Context, id string) (*payment.Payment, error) {
	return m.find(ctx, func(p *payment.Payment) bool { return p.ID == id })
}

func (m *Memory) ByKey(ctx context.Context, key string) (*payment.Payment, error) {
	return m.find(ctx, func(p *payment.Payment) bool { return p.IdempotencyKey == key })
}

func (m *Memory) ByAttempt(ctx context.Context, key string) (*payment.Payment, error) {
	return m.find(ctx, func(p *payment.Payment) bool { return p.AttemptByKey(key) != nil })
}

func (m *Memory) ByReference(ctx context.Context, provider, reference string) (*payment.Payment, error) {
	return m.find(ctx, func(p *payment.Payment) bool {
		return slices.ContainsFunc(p.Attempts, func(a payment.Attempt) bool {
			return a.Provider == provider && a.Reference == reference
		})
	})
}

func (m *Memory) Events(ctx context.Context, id string, after int64, limit int) ([]payment.Event, error) {
	if err := m.enterLimited(ctx, limit); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if m.payments[id] == nil {
		return nil, store.ErrNotFound
	}
	all := m.events[id]
	all = all[min(max(after, 0), int64(len(all))):]
	return deepCopy(all[:min(limit, len(all))]), nil
}

func (m *Memory) List(ctx context.Context, f store.Filter) (page store.Page, err error) {
	if err := m.enterLimited(ctx, f.Limit); err != nil {
		return page, err
	}
	defer m.mu.Unlock()
	before, err := m.place("list", f.Cursor)
	if err != nil {
		return page, err
	}
	for _, p := range m.newestFirst() {
		switch {
		case f.Cursor != "" && listPlace(p) >= before,
			f.Status != "" && p.Status != f.Status,
			f.Provider != "" && p.Provider != f.Provider,
			f.Reference != "" && p.Reference != f.Reference,
			f.Operation != "" && p.Operation != f.Operation,
			p.CreatedAt.Before(f.CreatedAfter),
			!f.CreatedBefore.IsZero() && !p.CreatedAt.Before(f.CreatedBefore):
			continue
		case len(page.Payments) == f.Limit:
			page.Next = m.cursor("list", listPlace(page.Payments[f.Limit-1]))
			return page, nil
		}
		page.Payments = append(page.Payments, deepCopy(p))
	}
	return page, nil
}

func (m *Memory) Feed(ctx context.Context, after string, limit int) ([]store.FeedEvent, error) {
	if err := m.enterLimited(ctx, limit); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	place, err := m.place("feed", after)
	if err != nil {
		return nil, err
	}
	var done int
	fmt.Sscanf(place, "%d", &done)
	rest := m.feed[done:]
	return deepCopy(rest[:min(limit, len(rest))]), nil
}

func (m *Memory) FeedEnd(ctx context.Context) (string, error) {
	if err := m.enter(ctx); err != nil {
		return "", err
	}
	defer m.mu.Unlock()
	return m.cursor("feed", fmt.Sprintf("%012d", len(m.feed))), nil
}

// waiting returns the payments that have a look-up before them and no lease, the longest due first.
func (m *Memory) waiting(now time.Time) []*payment.Payment {
	all := slices.DeleteFunc(m.newestFirst(), func(p *payment.Payment) bool {
		return p.NextLookupAt.IsZero() || now.Before(m.leases[p.ID])
	})
	slices.SortFunc(all, func(a, b *payment.Payment) int {
		return cmp.Or(a.NextLookupAt.Compare(b.NextLookupAt), strings.Compare(a.ID, b.ID))
	})
	return all
}

func (m *Memory) Claim(ctx context.Context, now time.Time, lease time.Duration, limit int) (ids []string, err error) {
	if err := m.enterLimited(ctx, limit); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, p := range m.waiting(now) {
		if len(ids) < limit && !p.NextLookupAt.After(now) {
			ids = append(ids, p.ID)
			m.leases[p.ID] = now.Add(lease)
		}
	}
	return ids, nil
}

func (m *Memory) NextDue(ctx context.Context, now time.Time) (next time.Time, err error) {
	if err := m.enter(ctx); err != nil {
		return next, err
	}
	defer m.mu.Unlock()
	if all := m.waiting(now); len(all) > 0 {
		next = all[0].NextLookupAt
	}
	return next, nil
}

func (m *Memory) PutNotification(ctx context.Context, n store.Notification) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.inbox = append(m.inbox, deepCopy(n))
	slices.SortFunc(m.inbox, func(a, b store.Notification) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

func (m *Memory) Notifications(ctx context.Context, after string, limit int) (out []store.Notification, err error) {
	if err := m.enterLimited(ctx, limit); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, n := range m.inbox {
		if n.ID > after && len(out) < limit {
			out = append(out, deepCopy(n))
		}
	}
	return out, nil
}

func (m *Memory) DeleteNotification(ctx context.Context, id string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.inbox = slices.DeleteFunc(m.inbox, func(n store.Notification) bool { return n.ID == id })
	return nil
}

func (m *Memory) Setting(ctx context.Context, name string) ([]byte, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	value, ok := m.settings[name]
	if !ok {
		return nil, store.ErrNotFound
	}
	return bytes.Clone(value), nil
}

func (m *Memory) PutSetting(ctx context.Context, name string, value []byte) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.settings[name] = bytes.Clone(value)
	return nil
}

func (m *Memory) InitSetting(ctx context.Context, name string, value []byte) ([]byte, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if _, ok := m.settings[name]; !ok {
		m.settings[name] = bytes.Clone(value)
	}
	return bytes.Clone(m.settings[name]), nil
}

func (m *Memory) Health() error {
	err := m.enter(context.Background())
	if err == nil {
		m.mu.Unlock()
	}
	return err
}

func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// deepCopy copies all that v holds; times become UTC.
func deepCopy[V any](v V) V { return copyOf(reflect.ValueOf(v)).Interface().(V) }

func copyOf(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer, reflect.Struct, reflect.Slice, reflect.Map:
	default:
		return v
	}
	if at, ok := v.Interface().(time.Time); ok {
		return reflect.ValueOf(at.Round(0).UTC())
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(copyOf(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(copyOf(v.Field(i)))
			}
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		}
		for i := range v.Len() {
			out.Index(i).Set(copyOf(v.Index(i)))
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMap(v.Type()))
		}
		for _, key := range v.MapKeys() {
			out.SetMapIndex(key, copyOf(v.MapIndex(key)))
		}
	}
	return out
}
