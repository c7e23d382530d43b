package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/storetest"
	"github.com/cauce-pay/cauce/payment"
)

// TestMutants demands of each check that it fails, alone, on a store that breaks just its promise.
func TestMutants(t *testing.T) {
	t.Parallel()
	checks := storetest.Checks()
	for _, c := range checks {
		if mutants[c.ID] == nil && c.ID != "reopen/all" {
			t.Errorf("check %s has no mutant", c.ID)
		}
	}
	same := func(s store.Store) (store.Store, error) { return s, nil }
	for id, mutate := range mutants {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			demandFails(t, checks, id, storetest.Subject{
				Open:   func() (store.Store, error) { return mutate(storetest.NewMemory()), nil },
				Reopen: same,
			})
		})
	}
	for name, reopen := range map[string]func(store.Store) store.Store{
		"everything": func(store.Store) store.Store { return storetest.NewMemory() },
		"keys": func(s store.Store) store.Store {
			h := hook(s)
			h.create = func(ctx context.Context, p *payment.Payment, e []payment.Event) error {
				err := s.Create(ctx, p, e)
				return unless(errors.Is(err, store.ErrKeyTaken), err)
			}
			return h
		},
		"what is due": func(s store.Store) store.Store {
			h := hook(s)
			h.claim = func(context.Context, time.Time, time.Duration, int) ([]string, error) { return nil, nil }
			return h
		},
	} {
		t.Run("reopen/all forgets "+name, func(t *testing.T) {
			t.Parallel()
			demandFails(t, checks, "reopen/all", storetest.Subject{
				Open:   func() (store.Store, error) { return storetest.NewMemory(), nil },
				Reopen: func(s store.Store) (store.Store, error) { return reopen(s), nil },
			})
		})
	}
}

func demandFails(t *testing.T, checks []storetest.Check, id string, s storetest.Subject) {
	t.Helper()
	var failed []string
	for _, c := range checks {
		if fails(c, s) {
			failed = append(failed, c.ID)
		}
	}
	if !slices.Equal(failed, []string{id}) {
		t.Errorf("the store that breaks %s fails %v", id, failed)
	}
}

func fails(c storetest.Check, s storetest.Subject) bool {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(r, s)
	}()
	<-done
	return r.failed
}

// recorder is a storetest.T that remembers whether the check failed.
type recorder struct {
	mu     sync.Mutex
	failed bool
}

func (r *recorder) Helper()        {}
func (r *recorder) Cleanup(func()) {}
func (r *recorder) Skip(...any)    { runtime.Goexit() }

func (r *recorder) Errorf(string, ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// mutants breaks each promise. They may know the checks' own data, so that they break nothing else.
var mutants = map[string]func(store.Store) store.Store{
	"create/whole": gotten(func(p *payment.Payment) { p.CancelURL = "" }),
	"create/key-taken": func(s store.Store) store.Store {
		h := hook(s)
		h.create = func(ctx context.Context, p *payment.Payment, e []payment.Event) error {
			err := s.Create(ctx, p, e)
			if errors.Is(err, store.ErrKeyTaken) && p.Reference == "SECOND" {
				half := *p
				half.IdempotencyKey = "other"
				return errors.Join(err, s.Create(ctx, &half, e))
			}
			return err
		}
		return h
	},
	"create/key-race": func(s store.Store) store.Store {
		h := hook(s)
		h.create = func(ctx context.Context, p *payment.Payment, e []payment.Event) error {
			err := s.Create(ctx, p, e)
			return unless(errors.Is(err, store.ErrKeyTaken) && p.IdempotencyKey == "race-key", err)
		}
		return h
	},
	"append/stored": gotten(func(p *payment.Payment) {
		if p.Action != nil && strings.HasSuffix(p.Action.URL, "/append") {
			p.Action = nil
		}
	}),
	"append/conflict": func(s store.Store) store.Store {
		return appended(s, func(e payment.Event, err error) error {
			return unless(errors.Is(err, store.ErrConflict) && e.Data.Code != "race", err)
		})
	},
	"append/one-step": func(s store.Store) store.Store {
		h := hook(s)
		h.append = func(ctx context.Context, p *payment.Payment, e []payment.Event) error {
			if e[0].Data.Code != "step" {
				return s.Append(ctx, p, e)
			}
			half := p.Clone()
			half.Seq = e[0].Seq
			if err := s.Append(ctx, half, e[:1]); err != nil {
				return err
			}
			runtime.Gosched()
			return s.Append(ctx, p, e[1:])
		}
		return h
	},
	"append/race": func(s store.Store) store.Store {
		return appended(s, func(e payment.Event, err error) error {
			return unless(errors.Is(err, store.ErrConflict) && e.Data.Code == "race", err)
		})
	},
	"append/unknown": func(s store.Store) store.Store {
		return appended(s, func(_ payment.Event, err error) error { return unless(errors.Is(err, store.ErrNotFound), err) })
	},
	"schedule/only-next": func(s store.Store) store.Store {
		var scheduled sync.Map
		h := hook(s)
		h.schedule = func(ctx context.Context, id string, seq int64, next time.Time) error {
			scheduled.Store(id, true)
			return s.Schedule(ctx, id, seq, next)
		}
		h.get = func(ctx context.Context, id string) (*payment.Payment, error) {
			p, err := s.Get(ctx, id)
			if _, ok := scheduled.Load(id); ok && err == nil {
				p.UpdatedAt = p.UpdatedAt.Add(time.Second)
			}
			return p, err
		}
		return h
	},
	"schedule/conflict": func(s store.Store) store.Store {
		h := hook(s)
		h.schedule = func(ctx context.Context, id string, seq int64, next time.Time) error {
			err := s.Schedule(ctx, id, seq, next)
			return unless(errors.Is(err, store.ErrConflict), err)
		}
		return h
	},
	"read/by-key": func(s store.Store) store.Store {
		h := hook(s)
		h.byKey = func(ctx context.Context, key string) (*payment.Payment, error) {
			return s.ByKey(ctx, strings.ToLower(key))
		}
		return h
	},
	"read/by-attempt": func(s store.Store) store.Store {
		h := hook(s)
		h.byAttempt = func(ctx context.Context, key string) (*payment.Payment, error) {
			p, err := s.ByAttempt(ctx, key)
			if err == nil && p.Current().Key != key {
				return nil, store.ErrNotFound
			}
			return p, err
		}
		return h
	},
	"read/by-reference": func(s store.Store) store.Store {
		h := hook(s)
		h.byReference = func(ctx context.Context, provider, reference string) (*payment.Payment, error) {
			p, err := s.ByReference(ctx, provider, reference)
			if err == nil && p.Provider != provider {
				return nil, store.ErrNotFound
			}
			return p, err
		}
		return h
	},
	"read/not-found": func(s store.Store) store.Store {
		h := hook(s)
		h.setting = func(ctx context.Context, name string) ([]byte, error) {
			value, err := s.Setting(ctx, name)
			return value, unless(errors.Is(err, store.ErrNotFound), err)
		}
		return h
	},
	"read/keeps-nothing": func(s store.Store) store.Store {
		var kept sync.Map
		h := hook(s)
		h.create = func(ctx context.Context, p *payment.Payment, e []payment.Event) error {
			kept.Store(p.ID, p)
			return s.Create(ctx, p, e)
		}
		h.get = func(ctx context.Context, id string) (*payment.Payment, error) {
			p, err := s.Get(ctx, id)
			if k, ok := kept.Load(id); ok && err == nil {
				p.Description = k.(*payment.Payment).Description
			}
			return p, err
		}
		return h
	},
	"read/own-copy": func(s store.Store) store.Store {
		var cached sync.Map
		h := hook(s)
		h.get = func(ctx context.Context, id string) (*payment.Payment, error) {
			p, err := s.Get(ctx, id)
			if err != nil {
				return nil, err
			}
			if c, ok := cached.Load(id); ok && c.(*payment.Payment).Seq == p.Seq && c.(*payment.Payment).NextLookupAt.Equal(p.NextLookupAt) {
				return c.(*payment.Payment), nil
			}
			cached.Store(id, p)
			return p, nil
		}
		return h
	},
	"read/times": gotten(func(p *payment.Payment) { p.UpdatedAt = p.UpdatedAt.Truncate(time.Microsecond) }),
	"events/after": func(s store.Store) store.Store {
		h := hook(s)
		h.events = func(ctx context.Context, id string, after int64, limit int) ([]payment.Event, error) {
			if after > 0 && limit == 100 {
				after--
			}
			return s.Events(ctx, id, after, limit)
		}
		return h
	},
	"list/newest-first": paged(func(f store.Filter, page *store.Page) {
		if f.Limit == 9 {
			slices.Reverse(page.Payments)
		}
	}),
	"list/whole": paged(func(_ store.Filter, page *store.Page) {
		for _, p := range page.Payments {
			p.Attempts = nil
		}
	}),
	"list/filters": filtered(func(f *store.Filter) { f.Reference = "" }),
	"list/created": filtered(func(f *store.Filter) {
		if !f.CreatedBefore.IsZero() {
			f.CreatedBefore = f.CreatedBefore.Add(1)
		}
	}),
	"list/pages": paged(func(f store.Filter, page *store.Page) {
		if f.Limit == 7 && f.Cursor != "" {
			page.Payments = page.Payments[1:]
		}
	}),
	"list/bad-cursor": func(s store.Store) store.Store {
		h := hook(s)
		h.list = func(ctx context.Context, f store.Filter) (store.Page, error) {
			page, err := s.List(ctx, f)
			if errors.Is(err, store.ErrBadCursor) {
				f.Cursor = ""
				return s.List(ctx, f)
			}
			return page, err
		}
		return h
	},
	"feed/order": fed(func(_ string, limit int, page []store.FeedEvent) []store.FeedEvent {
		if limit == 1000 {
			slices.Reverse(page)
		}
		return page
	}),
	"feed/pages": fed(func(after string, limit int, page []store.FeedEvent) []store.FeedEvent {
		if limit == 2 && len(page) == 2 {
			return page[1:]
		}
		return page
	}),
	"feed/followed": fed(func(after string, limit int, page []store.FeedEvent) []store.FeedEvent {
		if limit == 7 && after != "" && len(page) > 1 {
			return page[1:]
		}
		return page
	}),
	"feed/end": func(s store.Store) store.Store {
		h, first := hook(s), ""
		h.feedEnd = func(ctx context.Context) (string, error) {
			end, err := s.FeedEnd(ctx)
			if first == "" {
				first = end
			}
			return first, err
		}
		return h
	},
	"feed/bad-cursor": func(s store.Store) store.Store {
		h := hook(s)
		h.feed = func(ctx context.Context, after string, limit int) ([]store.FeedEvent, error) {
			page, err := s.Feed(ctx, after, limit)
			if errors.Is(err, store.ErrBadCursor) {
				return s.Feed(ctx, "", limit)
			}
			return page, err
		}
		return h
	},
	"claim/due": func(s store.Store) store.Store {
		h := hook(s)
		h.claim = func(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]string, error) {
			return s.Claim(ctx, now.Add(1), lease, limit)
		}
		return h
	},
	"claim/leased": func(s store.Store) store.Store {
		h := hook(s)
		var claimed []string
		h.claim = func(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]string, error) {
			ids, err := s.Claim(ctx, now, lease, limit)
			if limit == 99 {
				ids = append(ids, claimed...)
			}
			if limit == 2 {
				claimed = ids
			}
			return ids, err
		}
		return h
	},
	"claim/expired": func(s store.Store) store.Store {
		h := hook(s)
		h.claim = func(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]string, error) {
			return s.Claim(ctx, now, lease+1, limit)
		}
		return h
	},
	"claim/ended-by-append":   func(s store.Store) store.Store { return sticky(s, false, true) },
	"claim/ended-by-schedule": func(s store.Store) store.Store { return sticky(s, true, false) },
	"claim/race": func(s store.Store) store.Store {
		h := hook(s)
		var mu sync.Mutex
		var first string
		h.claim = func(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]string, error) {
			ids, err := s.Claim(ctx, now, lease, limit)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case limit != 3 || len(ids) == 0:
			case first == "":
				first = ids[0]
			default:
				ids = append(ids, first)
			}
			return ids, err
		}
		return h
	},
	"claim/follows": func(s store.Store) store.Store {
		h := hook(s)
		h.append = func(ctx context.Context, p *payment.Payment, e []payment.Event) error {
			old, err := s.Get(ctx, p.ID)
			if err == nil {
				err = s.Append(ctx, p, e)
			}
			if err == nil && p.NextLookupAt.IsZero() && !old.NextLookupAt.IsZero() {
				err = s.Schedule(ctx, p.ID, p.Seq, old.NextLookupAt)
			}
			return err
		}
		return h
	},
	"due/next": func(s store.Store) store.Store {
		h := hook(s)
		h.nextDue = func(ctx context.Context, now time.Time) (time.Time, error) {
			next, err := s.NextDue(ctx, now)
			if next.IsZero() {
				next = now
			}
			return next, err
		}
		return h
	},
	"inbox/whole": noticed(func(_ int, all []store.Notification) {
		for i := range all {
			all[i].Header = nil
		}
	}),
	"inbox/order": noticed(func(limit int, all []store.Notification) {
		if limit == 2 {
			slices.Reverse(all)
		}
	}),
	"inbox/delete": func(s store.Store) store.Store {
		h := hook(s)
		h.deleteOne = func(ctx context.Context, id string) error {
			_, err := s.Notifications(ctx, "", 1)
			return err
		}
		return h
	},
	"setting/put": func(s store.Store) store.Store {
		h := hook(s)
		h.put = func(ctx context.Context, name string, value []byte) error {
			_, err := s.InitSetting(ctx, name, value)
			return err
		}
		return h
	},
	"setting/init":      func(s store.Store) store.Store { return initOwn(s, func(name string) bool { return name != "raced" }) },
	"setting/init-race": func(s store.Store) store.Store { return initOwn(s, func(name string) bool { return name == "raced" }) },
	"limit/positive": func(s store.Store) store.Store {
		h := hook(s)
		h.notifications = func(ctx context.Context, after string, limit int) ([]store.Notification, error) {
			return s.Notifications(ctx, after, max(limit, 1))
		}
		return h
	},
	"health/well": func(s store.Store) store.Store {
		h := hook(s)
		h.health = func() error {
			if err := s.Health(); err != nil {
				return err
			}
			return fmt.Errorf("%w: always", store.ErrFull)
		}
		return h
	},
	"closed/all": func(s store.Store) store.Store {
		h := hook(s)
		h.health = func() error { return nil }
		return h
	},
}

// unless returns err, or nil when swallow is set.
func unless(swallow bool, err error) error {
	if swallow {
		return nil
	}
	return err
}

func gotten(change func(*payment.Payment)) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		h := hook(s)
		h.get = func(ctx context.Context, id string) (*payment.Payment, error) {
			p, err := s.Get(ctx, id)
			if err == nil {
				change(p)
			}
			return p, err
		}
		return h
	}
}

func appended(s store.Store, answer func(first payment.Event, err error) error) store.Store {
	h := hook(s)
	h.append = func(ctx context.Context, p *payment.Payment, e []payment.Event) error {
		return answer(e[0], s.Append(ctx, p, e))
	}
	return h
}

func paged(change func(store.Filter, *store.Page)) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		h := hook(s)
		h.list = func(ctx context.Context, f store.Filter) (store.Page, error) {
			page, err := s.List(ctx, f)
			if err == nil {
				change(f, &page)
			}
			return page, err
		}
		return h
	}
}

func filtered(change func(*store.Filter)) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		h := hook(s)
		h.list = func(ctx context.Context, f store.Filter) (store.Page, error) {
			change(&f)
			return s.List(ctx, f)
		}
		return h
	}
}

func fed(change func(after string, limit int, page []store.FeedEvent) []store.FeedEvent) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		h := hook(s)
		h.feed = func(ctx context.Context, after string, limit int) ([]store.FeedEvent, error) {
			page, err := s.Feed(ctx, after, limit)
			return change(after, limit, page), err
		}
		return h
	}
}

func noticed(change func(limit int, all []store.Notification)) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		h := hook(s)
		h.notifications = func(ctx context.Context, after string, limit int) ([]store.Notification, error) {
			all, err := s.Notifications(ctx, after, limit)
			change(limit, all)
			return all, err
		}
		return h
	}
}

// sticky has leases that only some calls end.
func sticky(s store.Store, byAppend, bySchedule bool) store.Store {
	h := hook(s)
	var mu sync.Mutex
	leases := map[string]time.Time{}
	end := func(id string, ends bool) {
		mu.Lock()
		defer mu.Unlock()
		if ends {
			delete(leases, id)
		}
	}
	h.append = func(ctx context.Context, p *payment.Payment, e []payment.Event) error {
		end(p.ID, byAppend)
		return s.Append(ctx, p, e)
	}
	h.schedule = func(ctx context.Context, id string, seq int64, next time.Time) error {
		end(id, bySchedule)
		return s.Schedule(ctx, id, seq, next)
	}
	h.claim = func(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]string, error) {
		ids, err := s.Claim(ctx, now, lease, limit)
		mu.Lock()
		defer mu.Unlock()
		ids = slices.DeleteFunc(ids, func(id string) bool { return now.Before(leases[id]) })
		for _, id := range ids {
			leases[id] = now.Add(lease)
		}
		return ids, err
	}
	return h
}

// initOwn answers InitSetting with the caller's own value.
func initOwn(s store.Store, of func(name string) bool) store.Store {
	h := hook(s)
	h.init = func(ctx context.Context, name string, value []byte) ([]byte, error) {
		stored, err := s.InitSetting(ctx, name, value)
		if err == nil && of(name) {
			stored = value
		}
		return stored, err
	}
	return h
}
