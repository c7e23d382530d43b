//go:build failpoints

package main

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/internal/failpoint"
)

// disk returns the operating system's file system, with the errors that the disk's failpoints have.
func disk() vfs.FS {
	return fullDisk{errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpMkdirAll, errorfs.OpLink:
			return failpoint.Err(failpoint.DiskCreate)
		case errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFilePreallocate:
			return failpoint.Err(failpoint.DiskWrite)
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			return failpoint.Err(failpoint.DiskSync)
		case errorfs.OpRename:
			return failpoint.Err(failpoint.DiskRename)
		}
		return nil
	}))}
}

// fullDisk has no space at times.
type fullDisk struct{ vfs.FS }

func (d fullDisk) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	usage, err := d.FS.GetDiskUsage(path)
	if failpoint.Err(failpoint.DiskSpace) != nil {
		usage.AvailBytes = 0
	}
	return usage, err
}
