package pebblestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Backup writes a copy of the store to dir, which must not exist nor be inside the store's own directory, while the store goes on: everything that was
// acknowledged before the call is in it, and it is a store that Open opens. On the store's own disk most of it is links,
// which take no space until the store has changed. An error of dir does the store no harm and leaves nothing behind.
func (s *Store) Backup(ctx context.Context, dir string) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave(&err)
	if err = s.outside(dir); err == nil {
		err = s.checkpoint(dir)
	}
	if failed := s.fault.reason(); failed != nil {
		return failed // nothing was written since
	}
	if err != nil {
		return fmt.Errorf("store: backup to %s: %w", dir, err)
	}
	return nil
}

// outside refuses a directory inside the store's own, which Open would take for another program's afterwards.
func (s *Store) outside(dir string) error {
	own, err := trueName(s.dir)
	if err != nil {
		return err
	}
	if dir, err = trueName(dir); err != nil {
		return err
	}
	if rel, err := filepath.Rel(own, dir); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("it is inside the store's own directory %s: name one outside", own)
	}
	return nil
}

// trueName returns the absolute name of a path without symlinks; its last parts need not exist.
func trueName(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	resolved, err := filepath.EvalSymlinks(path)
	if oserror.IsNotExist(err) && path != filepath.Dir(path) {
		parent, err := trueName(filepath.Dir(path))
		return filepath.Join(parent, filepath.Base(path)), err
	}
	return resolved, err
}

// unfinished is added to a directory's name while a backup is written to it: one without its logs would be a store, too.
const unfinished = ".partial"

// checkpoint has Pebble link its tables and copy its logs, in which everything is that was acknowledged. Pebble panics
// where a directory cannot be synced, after it has put its own state in order.
func (s *Store) checkpoint(dir string) (err error) {
	s.backups.Lock()
	defer s.backups.Unlock()
	dir = s.disk.PathJoin(dir) // without a slash at its end
	if _, err := s.disk.Stat(dir); !oserror.IsNotExist(err) {
		return cmp.Or(err, oserror.ErrExist)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		if err != nil {
			err = errors.Join(err, s.disk.RemoveAll(dir+unfinished))
		}
	}()
	if err := s.disk.RemoveAll(dir + unfinished); err != nil {
		return err
	}
	if err := s.db.Checkpoint(dir + unfinished); err != nil {
		return err
	}
	if err := s.disk.Rename(dir+unfinished, dir); err != nil {
		return err
	}
	if err := syncDir(s.disk, s.disk.PathDir(dir)); err != nil {
		return errors.Join(err, s.disk.RemoveAll(dir))
	}
	return nil
}

// lockFile is in the directory of every store that was ever open.
const lockFile = "LOCK"

// restoring is added to a directory's name while a backup is copied to it; one that exists has the copy in it meanwhile,
// which Open refuses.
const restoring = ".restoring"

// Restore copies a backup to dir, which must not exist or be empty, and checks that it can be opened. Everything is
// durable when it returns. After an error, or a power loss before that, dir is as it was; where it existed, it may be one
// that Open refuses. The directory of a store that is open is no backup: it is store.ErrLocked. o may be nil.
func Restore(backup, dir string, o *Options) error {
	opts := o.withDefaults()
	if err := restore(opts.FS, backup, dir, o); err != nil {
		return fmt.Errorf("store: restoring %s to %s: %w", backup, dir, err)
	}
	return nil
}

func restore(fsys vfs.FS, backup, dir string, o *Options) (err error) {
	if fsys == vfs.Default { // the copy is made beside it
		if dir, err = trueName(dir); err != nil {
			return err
		}
	}
	names, err := fsys.List(dir)
	exists := err == nil
	switch {
	case err != nil && !oserror.IsNotExist(err):
		return err
	case slices.ContainsFunc(names, func(name string) bool { return name != restoring && name != "lost+found" }):
		return errors.New("there is something already: move it away first")
	}
	names, err = fsys.List(backup)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "marker.manifest.") }) {
		return errors.New("it is no backup of a store")
	}
	if slices.Contains(names, lockFile) { // a store's directory, or a backup that was opened
		if fsys == vfs.Default {
			if backup, err = trueName(backup); err != nil {
				return err
			}
		}
		lock, err := lockDir(fsys, backup)
		if err != nil {
			return err
		}
		defer closing(lock, &err)
	}
	partial := dir + restoring
	if exists { // it may be a mount point, whose place nothing can take
		partial = fsys.PathJoin(dir, restoring)
	}
	if err := copyStore(fsys, backup, partial, o); err != nil {
		return errors.Join(err, fsys.RemoveAll(partial))
	}
	if exists {
		return fill(fsys, dir, partial)
	}
	if err := fsys.Rename(partial, dir); err != nil {
		return err
	}
	return syncDir(fsys, fsys.PathDir(dir))
}

// copyStore makes a durable copy of a store, and checks that it can be opened.
func copyStore(fsys vfs.FS, from, to string, o *Options) error {
	if err := fsys.RemoveAll(to); err != nil {
		return err
	}
	if err := makeDir(fsys, to); err != nil {
		return err
	}
	// Closing a second handle of the lock would end it.
	notLock := vfs.CloneSkip(func(path string) bool { return fsys.PathBase(path) == lockFile })
	if _, err := vfs.Clone(fsys, fsys, from, to, vfs.CloneSync, notLock); err != nil {
		return err
	}
	s, err := Open(to, o)
	if err != nil {
		return err
	}
	return s.Close()
}

// fill moves a store to dir from a directory in it, which keeps Open from dir until all of it is there.
func fill(fsys vfs.FS, dir, partial string) error {
	names, err := fsys.List(partial)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := fsys.Rename(fsys.PathJoin(partial, name), fsys.PathJoin(dir, name)); err != nil {
			return err
		}
	}
	if err := syncDir(fsys, dir); err != nil {
		return err
	}
	if err := fsys.RemoveAll(partial); err != nil {
		return err
	}
	return syncDir(fsys, dir)
}
