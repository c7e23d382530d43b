package pebblestore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/internal/failpoint"
)

// formatVersion is what this program writes, and all that it reads. It rises when the records change.
const formatVersion = 3

// Open opens the store in dir, and makes both when they do not exist. All leases have ended.
//
// It refuses a directory that another store has open (store.ErrLocked), that cannot be written, that holds
// something else, or that a newer program wrote; damage that it meets is store.ErrCorrupt.
func Open(dir string, o *Options) (*Store, error) {
	opts := o.withDefaults()
	dir, err := prepare(opts.FS, dir)
	if err != nil {
		return nil, err
	}
	opts.fit(o, dir)
	lock, err := lockDir(opts.FS, dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		dir: dir, log: opts.Logger, lock: lock, fault: newFault(opts.Logger), shown: &shown{},
		locks: locks{held: map[string]chan struct{}{}}, recent: recent{of: map[string]latest{}},
		space: &space{fs: opts.FS, dir: dir, floor: uint64(opts.FreeFloor), ballast: opts.Ballast, log: opts.Logger},
	}
	if err := s.open(opts); err != nil {
		if !s.stuck.Load() {
			err = errors.Join(err, lock.Close())
		}
		return nil, fmt.Errorf("store: opening %s: %w", dir, err)
	}
	return s, nil
}

func (s *Store) open(opts Options) error {
	s.disk = &disk{FS: vfs.OnDiskFull(opts.FS, s.space.giveUp), dir: s.dir, fault: s.fault, closing: make(chan struct{})}
	s.disk.opening.Store(true)
	var err error
	if s.db, err = s.openPebble(opts); err != nil {
		return err
	}
	end, err := s.readFormat()
	if failed := s.fault.reason(); failed != nil {
		err = failed
	}
	if err != nil {
		close(s.disk.closing)
		if !s.stuck.Load() {
			err = errors.Join(err, s.db.Close())
		}
		return err
	}
	s.disk.opening.Store(false)
	s.shown.view = newView(s.db.NewSnapshot(), end)
	s.shown.dues = dues{leases: map[string]time.Time{}}
	s.pipeline = &pipeline{
		db: s.db, fault: s.fault, shown: s.shown, stuck: s.gotStuck, patience: opts.Patience, largest: int(opts.MemTableBytes / 8), end: end,
	}
	s.pipeline.start()
	if err := s.space.check(); err != nil {
		s.log.Warn("the store takes no new payments yet", "error", err)
	}
	return nil
}

func (s *Store) gotStuck() { s.stuck.Store(true) }

func (s *Store) openPebble(opts Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		if err != nil {
			s.fault.trip("opening", err) // whatever of Pebble still runs must not touch the directory
		}
		if err != nil && pebble.IsCorruptionError(err) {
			err = fmt.Errorf("%w: %w", store.ErrCorrupt, err)
		}
	}()
	po := &pebble.Options{
		FS:                          s.disk,
		Lock:                        s.lock,
		Logger:                      logger{s.fault, s.gotStuck},
		CacheSize:                   opts.CacheBytes,
		MemTableSize:                uint64(opts.MemTableBytes),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       8,   // compactions are half of what a payment costs the store: fewer, larger ones
		L0StopWritesThreshold:       100, // rather slower reads for a while than writes that wait
		FormatMajorVersion:          pebble.FormatWALSyncChunks,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) {
				s.log.Error("a table could not be written or read; it is tried again", "error", err)
			},
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				s.log.Error("a table is damaged; what it held is answered with an error", "file", info.Path, "error", info.Details)
				if !calledFromHere() {
					s.disk.pause() // a goroutine of Pebble's own tries again at once and for ever
				}
			},
			WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
				s.log.Warn("writes wait for tables to be written", "reason", info.Reason)
			},
		},
	}
	for i := range po.Levels {
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return pebble.Open(s.dir, po)
}

// readFormat checks that the database is a store that this program can read, makes a new one such a store, and
// returns the position of the last event in the feed.
func (s *Store) readFormat() (end uint64, err error) {
	v := newView(s.db.NewSnapshot(), 0)
	defer closing(closer(v.release), &err)
	f := format{}
	err = v.get([]byte{kindFormat}, func(record []byte) error {
		return decode(record, func(c *codec) { c.format(&f) })
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, s.writeFormat(v)
	case err != nil:
		return 0, err
	case f.version < formatVersion:
		return 0, fmt.Errorf("it was written by an older program (format %d; this one reads %d): use that program, or name a new directory", f.version, formatVersion)
	case f.version > formatVersion:
		return 0, fmt.Errorf("it was written by a newer program (format %d; this one reads %d): use that program", f.version, formatVersion)
	}
	s.seal = seal(f.secret)
	last, err := v.last(kindEvents)
	if err != nil {
		return 0, err
	}
	if last != nil {
		end = positionOf(last)
	}
	return end, s.readNewest(v)
}

// readNewest finds the greatest id. Where that place is damaged, every new id is looked for.
func (s *Store) readNewest(v *view) error {
	switch key, err := v.last(kindState); {
	case errors.Is(err, store.ErrCorrupt):
		s.newest = "\xff"
	case err != nil:
		return err
	case key != nil:
		s.newest = string(key[1:])
	}
	return nil
}

func (s *Store) writeFormat(v *view) error {
	empty := true
	err := v.scan([]byte{0}, []byte{math.MaxUint8}, func(_, _ []byte) (bool, error) { empty = false; return false, nil })
	if err != nil {
		return err
	}
	if !empty {
		return errors.New("it holds a Pebble database of another program: give the store a directory of its own")
	}
	f := format{version: formatVersion, secret: make([]byte, 16)}
	rand.Read(f.secret)
	s.seal = seal(f.secret)
	if err := s.db.Set([]byte{kindFormat}, encode(nil, func(c *codec) { c.format(&f) }), pebble.Sync); err != nil {
		return err
	}
	failpoint.Pass(failpoint.FormatWritten)
	// Pebble began its first log in the oldest of its formats, in which damage looks like the end of the log.
	// After a flush it goes on with a new one.
	return s.db.Flush()
}

// ownFile matches the names of all files of a store. lost+found is what ext4 puts into an empty volume.
var ownFile = regexp.MustCompile(`^(LOCK|CURRENT|BALLAST|lost\+found|(MANIFEST|OPTIONS)-\d+|marker\..+|\d+\.(log|sst|blob|dbtmp)|(CURRENT|temporary)\.\d+\.dbtmp|(REMOTE-OBJ-CATALOG)-\d+)$`)

// prepare makes the directory, or checks that it is empty or a store's, and returns its one true name.
func prepare(fsys vfs.FS, dir string) (string, error) {
	if fsys == vfs.Default {
		// The lock goes by name within a process, so two names of one directory must become one.
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("store: directory %s: %w", dir, err)
		}
		dir = absolute
	}
	if err := makeDir(fsys, dir); err != nil {
		return "", fmt.Errorf("store: making directory %s: %w", dir, err)
	}
	if fsys == vfs.Default {
		resolved, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return "", fmt.Errorf("store: directory %s: %w", dir, err)
		}
		dir = resolved
	}
	names, err := fsys.List(dir)
	if err != nil {
		return "", fmt.Errorf("store: reading directory %s: %w", dir, err)
	}
	foreign := slices.IndexFunc(names, func(name string) bool { return !ownFile.MatchString(name) })
	if foreign >= 0 {
		return "", fmt.Errorf("store: %s is no store: it holds %s; name a new or empty directory", dir, names[foreign])
	}
	return dir, nil
}

// makeDir makes a directory and those above it, each durable.
func makeDir(fsys vfs.FS, dir string) error {
	info, err := fsys.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return errors.New("it is a file")
	case err == nil || !oserror.IsNotExist(err):
		return err
	}
	parent := fsys.PathDir(dir)
	if parent != dir {
		if err := makeDir(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(fsys, parent)
}

func syncDir(fsys vfs.FS, dir string) error {
	opened, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

func lockDir(fsys vfs.FS, dir string) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fsys)
	var path *fs.PathError
	switch {
	case err == nil:
		return lock, nil
	case errors.As(err, &path):
		return nil, fmt.Errorf("store: %s cannot be written: %w; make it writable for this user, or name another directory", dir, err)
	}
	return nil, fmt.Errorf("%w: directory %s (%w): stop the other one, or name another directory", store.ErrLocked, dir, err)
}

type closer func() error

func (c closer) Close() error { return c() }
