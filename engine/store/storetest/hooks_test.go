package storetest_test

import (
	"context"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// hooks is a store some of whose calls are replaced.
type hooks struct {
	store.Store
	create        func(context.Context, *payment.Payment, []payment.Event) error
	append        func(context.Context, *payment.Payment, []payment.Event) error
	schedule      func(ctx context.Context, id string, seq int64, next time.Time) error
	get           func(ctx context.Context, id string) (*payment.Payment, error)
	byKey         func(ctx context.Context, key string) (*payment.Payment, error)
	byAttempt     func(ctx context.Context, key string) (*payment.Payment, error)
	byReference   func(ctx context.Context, provider, reference string) (*payment.Payment, error)
	events        func(ctx context.Context, id string, after int64, limit int) ([]payment.Event, error)
	list          func(context.Context, store.Filter) (store.Page, error)
	feed          func(ctx context.Context, after string, limit int) ([]store.FeedEvent, error)
	feedEnd       func(context.Context) (string, error)
	claim         func(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]string, error)
	nextDue       func(ctx context.Context, now time.Time) (time.Time, error)
	notifications func(ctx context.Context, after string, limit int) ([]store.Notification, error)
	deleteOne     func(ctx context.Context, id string) error
	setting       func(ctx context.Context, name string) ([]byte, error)
	put           func(ctx context.Context, name string, value []byte) error
	init          func(ctx context.Context, name string, value []byte) ([]byte, error)
	health        func() error
}

// hook returns a store whose calls are those of s until they are replaced.
func hook(s store.Store) *hooks {
	return &hooks{
		Store: s, create: s.Create, append: s.Append, schedule: s.Schedule, get: s.Get, byKey: s.ByKey, byAttempt: s.ByAttempt,
		byReference: s.ByReference, events: s.Events, list: s.List, feed: s.Feed, feedEnd: s.FeedEnd, claim: s.Claim, nextDue: s.NextDue,
		notifications: s.Notifications, deleteOne: s.DeleteNotification, setting: s.Setting, put: s.PutSetting, init: s.InitSetting,
		health: s.Health,
	}
}

func (h *hooks) Create(ctx context.Context, p *payment.Payment, e []payment.Event) error {
	return h.create(ctx, p, e)
}
func (h *hooks) Append(ctx context.Context, p *payment.Payment, e []payment.Event) error {
	return h.append(ctx, p, e)
}
func (h *hooks) Schedule(ctx context.Context, id string, seq int64, next time.Time) error {
	return h.schedule(ctx, id, seq, next)
}
func (h *hooks) Get(ctx context.Context, id string) (*payment.Payment, error) { return h.get(ctx, id) }
func (h *hooks) ByKey(ctx context.Context, key string) (*payment.Payment, error) {
	return h.byKey(ctx, key)
}
func (h *hooks) ByAttempt(ctx context.Context, key string) (*payment.Payment, error) {
	return h.byAttempt(ctx, key)
}
func (h *hooks) ByReference(ctx context.Context, provider, reference string) (*payment.Payment, error) {
	return h.byReference(ctx, provider, reference)
}
func (h *hooks) Events(ctx context.Context, id string, after int64, limit int) ([]payment.Event, error) {
	return h.events(ctx, id, after, limit)
}
func (h *hooks) List(ctx context.Context, f store.Filter) (store.Page, error) { return h.list(ctx, f) }
func (h *hooks) Feed(ctx context.Context, after string, limit int) ([]store.FeedEvent, error) {
	return h.feed(ctx, after, limit)
}
func (h *hooks) FeedEnd(ctx context.Context) (string, error) { return h.feedEnd(ctx) }
func (h *hooks) Claim(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]string, error) {
	return h.claim(ctx, now, lease, limit)
}
func (h *hooks) NextDue(ctx context.Context, now time.Time) (time.Time, error) {
	return h.nextDue(ctx, now)
}
func (h *hooks) Notifications(ctx context.Context, after string, limit int) ([]store.Notification, error) {
	return h.notifications(ctx, after, limit)
}
func (h *hooks) DeleteNotification(ctx context.Context, id string) error { return h.deleteOne(ctx, id) }
func (h *hooks) Setting(ctx context.Context, name string) ([]byte, error) {
	return h.setting(ctx, name)
}
func (h *hooks) PutSetting(ctx context.Context, name string, value []byte) error {
	return h.put(ctx, name, value)
}
func (h *hooks) InitSetting(ctx context.Context, name string, value []byte) ([]byte, error) {
	return h.init(ctx, name, value)
}
func (h *hooks) Health() error { return h.health() }
