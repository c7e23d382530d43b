package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Backup writes a copy of the store to dir, which must not exist, while the store goes on: everything that was
// acknowledged before the call is in it, and it is a store that Open opens. On the store's own disk most of it is links,
// which take no space until the store has changed. An error of dir does the store no harm and leaves nothing behind.
func (s *Store) Backup(ctx context.Context, dir string) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave(&err)
	err = s.checkpoint(dir)
	if failed := s.fault.reason(); failed != nil {
		return failed // nothing was written since
	}
	if err != nil {
		return fmt.Errorf("store: backup to %s: %w", dir, err)
	}
	return nil
}

// checkpoint has Pebble link its tables and copy its log, in which everything is that was acknowledged. Pebble panics
// where a directory cannot be synced, after it has put its own state in order.
func (s *Store) checkpoint(dir string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Join(fmt.Errorf("%v", r), s.disk.RemoveAll(dir))
		}
	}()
	return s.db.Checkpoint(dir)
}

// restoring is added to a directory's name while a backup is copied to it.
const restoring = ".restoring"

// Restore copies a backup to dir, which must not exist or be empty, and checks that it can be opened. Everything is
// durable when it returns; after an error, or a power loss before that, dir is as it was. o may be nil.
func Restore(backup, dir string, o *Options) error {
	opts := o.withDefaults()
	if err := restore(opts.FS, backup, dir, o); err != nil {
		return fmt.Errorf("store: restoring %s to %s: %w", backup, dir, err)
	}
	return nil
}

func restore(fsys vfs.FS, backup, dir string, o *Options) error {
	if names, err := fsys.List(dir); err == nil && len(names) > 0 {
		return errors.New("there is something already: move it away first")
	} else if err != nil && !oserror.IsNotExist(err) {
		return err
	}
	names, err := fsys.List(backup)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "marker.manifest.") }) {
		return errors.New("it is no backup of a store")
	}
	if err := makeDir(fsys, fsys.PathDir(dir)); err != nil {
		return err
	}
	partial := dir + restoring
	if err := fsys.RemoveAll(partial); err != nil {
		return err
	}
	if err := fsys.MkdirAll(partial, 0o700); err != nil {
		return err
	}
	if _, err := vfs.Clone(fsys, fsys, backup, partial, vfs.CloneSync); err != nil {
		return err
	}
	s, err := Open(partial, o)
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if err := fsys.RemoveAll(dir); err != nil { // it is empty
		return err
	}
	if err := fsys.Rename(partial, dir); err != nil {
		return err
	}
	return syncDir(fsys, fsys.PathDir(dir))
}
