package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine/store"
)

// Options says how a store is kept; the zero value of each field is its default, and so is a nil *Options.
type Options struct {
	// FS is the file system; nil = the operating system's. Tests pass one that fails or loses power.
	FS vfs.FS
	// Logger gets what an operator should know; nil = none. Pebble's own chatter goes to its debug level.
	Logger *slog.Logger
	// FreeFloor is how many bytes must be free on the disk for new payments and webhooks to be taken (else
	// store.ErrFull); 0 = 128 MiB, on a small disk an eighth of it; negative = no floor.
	FreeFloor int64
	// Ballast is the size in bytes of a file that is given up when the disk is full all the same, so that
	// payments under way can still be written; 0 = 16 MiB, on a small disk an eighth of it; negative = no ballast.
	Ballast int64
	// CacheBytes is how much memory the tables' cache and the tables being filled take together; 0 = 64 MiB.
	CacheBytes int64
	// MemTableBytes is how much is gathered in memory before it is written as a table, at least 64 KiB; 0 = 16 MiB.
	// Up to four of them are held at once. A larger one makes opening after a crash slower.
	MemTableBytes int64
	// Patience is how long a write may take before the disk is taken for dead and the store becomes unavailable;
	// 0 = 1 minute.
	Patience time.Duration
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.FS == nil {
		out.FS = vfs.Default
	}
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	out.FreeFloor = orDefault(out.FreeFloor, 128<<20)
	out.Ballast = orDefault(out.Ballast, 16<<20)
	out.CacheBytes = orDefault(out.CacheBytes, 64<<20)
	out.MemTableBytes = max(orDefault(out.MemTableBytes, 16<<20), 64<<10)
	out.Patience = orDefault(out.Patience, time.Minute)
	return out
}

// fit makes the defaults that concern the disk small enough for it. given is what the caller asked for.
func (o *Options) fit(given *Options, dir string) {
	usage, err := o.FS.GetDiskUsage(dir)
	if err != nil || usage.TotalBytes == 0 {
		return
	}
	eighth := int64(usage.TotalBytes / 8)
	if given == nil || given.FreeFloor == 0 {
		o.FreeFloor = min(o.FreeFloor, eighth)
	}
	if given == nil || given.Ballast == 0 {
		o.Ballast = min(o.Ballast, eighth)
	}
}

func orDefault[T int64 | time.Duration](value, byDefault T) T {
	if value == 0 {
		return byDefault
	}
	return max(value, 0)
}

// Store is a store.Store in a directory. Open makes one.
//
// Besides what store.Store promises: List orders payments of one moment of creation by id, descending; it looks
// at no more than 10,000 index entries, so that where several filters seldom meet, a page can be short or
// empty and still have a Next. A context that has ended stops a call before it writes, never half-way.
type Store struct {
	dir      string
	log      *slog.Logger
	fault    *fault
	disk     *disk
	space    *space
	shown    *shown
	pipeline *pipeline
	locks    locks
	recent   recent
	scans    sync.Mutex // one scan of what is due at a time
	backups  sync.Mutex // one backup at a time
	seal     seal
	db       *pebble.DB
	lock     *pebble.Lock
	idsMu    sync.Mutex
	newest   string      // no payment's id is greater
	stuck    atomic.Bool // a goroutine stopped in the middle of Pebble, which can therefore not be closed

	life   sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
}

var _ store.Store = (*Store)(nil)

// enter begins a call; on a nil error, leave ends it.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.life.RLock()
	err := s.fault.reason()
	if s.closed {
		err = store.ErrClosed
	}
	if err != nil {
		s.life.RUnlock()
	}
	return err
}

// leave ends a call. It turns what Pebble found fatal during the call into the call's error.
func (s *Store) leave(err *error) {
	s.life.RUnlock()
	if r := recover(); r != nil {
		if _, ok := r.(fatal); !ok {
			panic(r)
		}
		*err = s.fault.reason()
	}
	if failed := s.fault.reason(); failed != nil && errors.Is(*err, store.ErrCorrupt) {
		*err = failed // the fault came during the call: what Pebble wrote since was written nowhere, and is not there
	}
}

// Health returns nil while new payments can be stored; else store.ErrFull, store.ErrUnavailable or
// store.ErrClosed, with what happened.
func (s *Store) Health() (err error) {
	if err := s.enter(context.Background()); err != nil {
		return err
	}
	defer s.leave(&err)
	return s.space.check()
}

// Close waits for calls under way and gives the directory back. What was acknowledged needs no Close to be
// durable. A second Close does nothing.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.disk.closing)
	s.pipeline.stop()
	if s.stuck.Load() {
		return fmt.Errorf("store: %s cannot be given back before this process ends: %w", s.dir, s.fault.reason())
	}
	unavailable := s.fault.reason() != nil
	err := errors.Join(s.shown.view.release(), s.db.Close(), s.lock.Close())
	if unavailable {
		return nil // the directory is frozen: there is nothing left to lose, and it was reported
	}
	return err
}
