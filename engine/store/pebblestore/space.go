package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine/store"
)

// space watches over free disk space: below the floor no new payments are taken, and a ballast file is given up
// when the disk is full all the same, so that payments under way are resolved meanwhile.
type space struct {
	fs    vfs.FS
	dir   string
	floor uint64 // bytes; 0 = none
	log   *slog.Logger
	fine  atomic.Pointer[view] // the one for which check returned nil

	mu      sync.Mutex
	ballast int64 // bytes to hold; 0 = none
	held    bool
}

const ballastName = "BALLAST"

func (s *space) ballastPath() string { return s.fs.PathJoin(s.dir, ballastName) }

// room is check for what is about to be written while v is shown. Writes that come together ask the system once:
// as soon as one of them is shown, the next asks anew.
func (s *space) room(v *view) error {
	if s.fine.Load() == v {
		return nil
	}
	if err := s.check(); err != nil {
		return err
	}
	s.fine.Store(v)
	return nil
}

// check returns nil while there is space for new payments, else an error that wraps store.ErrFull. It asks the
// system each time, so that new payments are taken again as soon as space is free.
func (s *space) check() error {
	if s.floor > 0 {
		usage, err := s.fs.GetDiskUsage(s.dir)
		if err == nil && usage.AvailBytes < s.floor {
			return fmt.Errorf("%w: %d MiB are free for %s, less than the floor of %d MiB: new payments are refused until space is freed",
				store.ErrFull, usage.AvailBytes>>20, s.dir, s.floor>>20)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ballast > 0 && !s.held {
		return s.hold()
	}
	return nil
}

// Space returns how much disk space the store uses, and how much there is.
func (s *Store) Space() (_ store.Space, err error) {
	if err := s.enter(context.Background()); err != nil {
		return store.Space{}, err
	}
	defer s.leave(&err)
	usage, err := s.space.fs.GetDiskUsage(s.dir)
	return store.Space{Used: s.db.Metrics().DiskSpaceUsage(), Free: usage.AvailBytes, Capacity: usage.TotalBytes}, err
}

// hold makes the ballast file. Where the file system cannot reserve space there is none.
func (s *space) hold() error {
	err := s.reserve()
	switch {
	case err == nil:
		s.held = true
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the ballast of %d MiB in %s was given up and cannot be held again: new payments are refused until space is freed",
			store.ErrFull, s.ballast>>20, s.dir)
	default:
		s.ballast = 0
		s.log.Warn("no ballast file: space cannot be reserved", "file", s.ballastPath(), "error", err)
	}
	return nil
}

func (s *space) reserve() (err error) {
	f, err := s.fs.Create(s.ballastPath(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	err = errors.Join(f.Preallocate(0, s.ballast), f.Close())
	if err != nil {
		err = errors.Join(err, s.fs.Remove(s.ballastPath()))
	}
	return err
}

// giveUp frees the ballast. It is called when a write found the disk full, before that write is tried again.
func (s *space) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	if err := s.fs.Remove(s.ballastPath()); err != nil && !oserror.IsNotExist(err) {
		s.log.Error("the disk is full and the ballast file could not be removed", "file", s.ballastPath(), "error", err)
		return
	}
	s.log.Warn("the disk is full: the ballast file was given up; free space soon", "file", s.ballastPath(), "bytes", s.ballast)
}
