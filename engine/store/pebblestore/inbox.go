package pebblestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cauce-pay/cauce/engine/store"
)

// PutNotification keeps a webhook; see store.Store.
func (s *Store) PutNotification(ctx context.Context, n store.Notification) (err error) {
	if n.ID == "" {
		return errors.New("store: a notification needs an id")
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave(&err)
	if err := s.space.check(); err != nil {
		return err
	}
	return s.put(plainKey(kindNotification, n.ID), encode(nil, func(c *codec) { c.notification(&n) }))
}

// put stores one record durably.
func (s *Store) put(key, record []byte) error {
	w := &write{batch: s.db.NewBatch(), sync: true}
	w.set(key, record)
	return s.commit(w)
}

// Notifications returns the oldest kept webhooks after an id, at most limit.
func (s *Store) Notifications(ctx context.Context, after string, limit int) (out []store.Notification, err error) {
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave(&err)
	v := s.shown.acquire()
	defer closing(closer(v.release), &err)
	lower := append(plainKey(kindNotification, after), 0)
	err = v.scan(lower, next([]byte{kindNotification}), func(key, record []byte) (bool, error) {
		n := store.Notification{ID: string(key[1:])}
		if err := decode(record, func(c *codec) { c.notification(&n) }); err != nil {
			return false, fmt.Errorf("%w: record %q: %w", store.ErrCorrupt, key, err)
		}
		out = append(out, n)
		return len(out) < limit, nil
	})
	return out, err
}

// DeleteNotification forgets a webhook that was dealt with. It need not be durable: one that comes back is
// looked up once more.
func (s *Store) DeleteNotification(ctx context.Context, id string) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave(&err)
	w := &write{batch: s.db.NewBatch()}
	w.delete(plainKey(kindNotification, id))
	return s.commit(w)
}

// Setting reads a setting; store.ErrNotFound where there is none.
func (s *Store) Setting(ctx context.Context, name string) (value []byte, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave(&err)
	return s.setting(name)
}

func (s *Store) setting(name string) (value []byte, err error) {
	v := s.shown.acquire()
	defer closing(closer(v.release), &err)
	err = v.get(plainKey(kindSetting, name), func(record []byte) error {
		value = append([]byte{}, record...)
		return nil
	})
	return value, err
}

// PutSetting stores a setting.
func (s *Store) PutSetting(ctx context.Context, name string, value []byte) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave(&err)
	release, err := s.locks.acquire(ctx, string(plainKey(kindSetting, name)))
	if err != nil {
		return err
	}
	defer release()
	return s.put(plainKey(kindSetting, name), value)
}

// InitSetting stores a setting unless it exists, and returns what is stored then.
func (s *Store) InitSetting(ctx context.Context, name string, value []byte) (stored []byte, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave(&err)
	release, err := s.locks.acquire(ctx, string(plainKey(kindSetting, name)))
	if err != nil {
		return nil, err
	}
	defer release()
	stored, err = s.setting(name)
	if !errors.Is(err, store.ErrNotFound) {
		return stored, err
	}
	return bytes.Clone(value), s.put(plainKey(kindSetting, name), value)
}
