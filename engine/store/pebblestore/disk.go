package pebblestore

import (
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/internal/failpoint"
)

// disk is the file system as Pebble sees it. Pebble takes an error of its log, its manifest or its directory
// for the end: it panics or calls Fatalf, in goroutines of its own too, sometimes in a way that no recover
// survives (in rotateWAL, a deferred unlock of a mutex that is not locked). So it never gets to see one.
//
// The first such error trips the fault, and from then on the directory is frozen: nothing is changed in it any
// more, while Pebble is told that all is well. What is on the disk is then what a power loss at that moment
// would have left, nothing that Pebble believed to have written is acknowledged (a tripped fault forbids it),
// and Pebble can still be closed properly.
//
// Errors of tables (flushes and compactions) are Pebble's to try again: nothing acknowledged depends on them.
// It does so at once and for ever, so each is held back a little. Errors of other directories (a backup) are told.
type disk struct {
	vfs.FS
	dir   string // the store's
	fault *fault
	// opening makes all errors trip the fault: opening waits for a flush and would try for ever.
	opening atomic.Bool
	closing chan struct{} // closed when nothing is worth trying again
}

// tablePause is how long an error of a table is held back.
const tablePause = 200 * time.Millisecond

func (d *disk) pause() {
	if d.opening.Load() {
		return
	}
	select {
	case <-time.After(tablePause):
	case <-d.closing:
	}
}

func (d *disk) frozen() bool { return d.fault.reason() != nil }

// vital reports whether Pebble does not survive an error of that file.
func (d *disk) vital(name string) bool {
	base := d.PathBase(name)
	return d.PathDir(name) == d.dir && (strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker."))
}

// judge says what Pebble is told about the result of an operation on a file or directory.
func (d *disk) judge(operation, name string, vital bool, err error) error {
	switch {
	case err == nil:
	case vital || d.opening.Load():
		d.fault.trip(operation+" "+name, err)
		err = nil
	case d.frozen():
		err = nil
	case d.PathDir(name) == d.dir:
		d.pause()
	}
	return err
}

// change does something to the directory, unless it is frozen.
func (d *disk) change(operation, name string, do func() error) error {
	if d.frozen() {
		return nil
	}
	return d.judge(operation, name, d.vital(name), do())
}

func (d *disk) open(operation, name string, open func() (vfs.File, error)) (vfs.File, error) {
	f := vfs.File(nowhere{})
	err := d.change(operation, name, func() error {
		if d.PathDir(name) != d.dir {
			if err := failpoint.Err(failpoint.BackupBegun); err != nil {
				return err
			}
		}
		opened, err := open()
		if err == nil {
			f = opened
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	made := &file{File: f, disk: d, name: name, vital: d.vital(name)}
	made.unlisted = strings.HasPrefix(d.PathBase(name), "MANIFEST-")
	return made, nil
}

func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open("creating", name, func() (vfs.File, error) { return d.FS.Create(name, category) })
}

func (d *disk) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.open("opening", name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, category, opts...) })
}

func (d *disk) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open("reusing "+oldname+" as", newname, func() (vfs.File, error) { return d.FS.ReuseForWrite(oldname, newname, category) })
}

func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &file{File: f, disk: d, name: name, vital: name == d.dir}, nil
}

func (d *disk) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.Open(name, opts...)
	if err != nil && d.frozen() {
		d.pause() // a table that was written nowhere is looked for again and again
	}
	return f, err
}

// List keeps its errors from Pebble while the store is opened: it lists the directory once more when goroutines
// of its own are at work, and would take from under them what they use if Open failed then.
func (d *disk) List(dir string) ([]string, error) {
	names, err := d.FS.List(dir)
	return names, d.judge("listing", dir, false, err)
}

func (d *disk) Link(oldname, newname string) error {
	return d.change("linking", newname, func() error { return d.FS.Link(oldname, newname) })
}

func (d *disk) Remove(name string) error {
	if d.frozen() {
		return nil
	}
	return d.FS.Remove(name) // a file too many does no harm
}

func (d *disk) RemoveAll(name string) error {
	if d.frozen() {
		return nil
	}
	return d.FS.RemoveAll(name)
}

func (d *disk) Rename(oldname, newname string) error {
	return d.change("renaming "+oldname+" to", newname, func() error { return d.FS.Rename(oldname, newname) })
}

func (d *disk) MkdirAll(dir string, perm os.FileMode) error {
	return d.change("making directory", dir, func() error { return d.FS.MkdirAll(dir, perm&0o700) })
}

func (d *disk) Unwrap() vfs.FS { return d.FS }

// file is an open file or directory of a disk.
type file struct {
	vfs.File
	disk  *disk
	name  string
	vital bool
	// unlisted is a new manifest that the directory may forget. Pebble syncs the file, then makes the marker that
	// points to it, then syncs the directory: a power loss before that could leave the marker alone.
	unlisted bool
}

func (f *file) change(operation string, do func() error) error {
	if f.disk.frozen() {
		return nil
	}
	return f.disk.judge(operation, f.name, f.vital, do())
}

func (f *file) Write(p []byte) (int, error) {
	return len(p), f.change("writing", func() error { _, err := f.File.Write(p); return err })
}

func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	return len(p), f.change("writing", func() error { _, err := f.File.WriteAt(p, offset); return err })
}

func (f *file) Sync() error {
	return f.change("syncing", func() error {
		err := f.File.Sync()
		if err == nil && f.unlisted {
			f.unlisted = false
			err = syncDir(f.disk.FS, f.disk.PathDir(f.name))
		}
		return err
	})
}

func (f *file) SyncData() error { return f.change("syncing", f.File.SyncData) }

func (f *file) SyncTo(length int64) (fullSync bool, err error) {
	err = f.change("syncing", func() error { fullSync, err = f.File.SyncTo(length); return err })
	return fullSync, err
}

func (f *file) Preallocate(offset, length int64) error {
	if f.disk.frozen() {
		return nil
	}
	return f.File.Preallocate(offset, length) // Pebble ignores its errors
}

func (f *file) Close() error {
	return f.disk.judge("closing", f.name, f.vital, f.File.Close())
}

func (f *file) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	if err := f.disk.judge("reading the size of", f.name, f.vital, err); err != nil {
		return nil, err
	}
	if info == nil {
		info = noInfo{}
	}
	return info, nil
}

// nowhere takes the place of a file that could not be opened: what is written to it is gone.
type nowhere struct{}

func (nowhere) Close() error                            { return nil }
func (nowhere) Read([]byte) (int, error)                { return 0, io.EOF }
func (nowhere) ReadAt([]byte, int64) (int, error)       { return 0, io.EOF }
func (nowhere) Write(p []byte) (int, error)             { return len(p), nil }
func (nowhere) WriteAt(p []byte, _ int64) (int, error)  { return len(p), nil }
func (nowhere) Preallocate(int64, int64) error          { return nil }
func (nowhere) Stat() (vfs.FileInfo, error)             { return noInfo{}, nil }
func (nowhere) Sync() error                             { return nil }
func (nowhere) SyncTo(int64) (fullSync bool, err error) { return false, nil }
func (nowhere) SyncData() error                         { return nil }
func (nowhere) Prefetch(int64, int64) error             { return nil }
func (nowhere) Fd() uintptr                             { return vfs.InvalidFd }

// noInfo describes nowhere.
type noInfo struct{}

func (noInfo) Name() string           { return "" }
func (noInfo) Size() int64            { return 0 }
func (noInfo) Mode() os.FileMode      { return 0 }
func (noInfo) ModTime() time.Time     { return time.Time{} }
func (noInfo) IsDir() bool            { return false }
func (noInfo) Sys() any               { return nil }
func (noInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
