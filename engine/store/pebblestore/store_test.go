package pebblestore_test

import (
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/engine/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, subject())
}

// subject opens stores on file systems in memory.
func subject() storetest.Subject {
	var disks sync.Map // of each store
	open := func(disk vfs.FS) (store.Store, error) {
		s, err := pebblestore.Open("data", &pebblestore.Options{FS: disk})
		if err != nil {
			return nil, err
		}
		disks.Store(s, disk)
		return s, nil
	}
	return storetest.Subject{
		Open: func() (store.Store, error) { return open(vfs.NewMem()) },
		Reopen: func(s store.Store) (store.Store, error) {
			disk, _ := disks.Load(s)
			if err := s.Close(); err != nil {
				return nil, err
			}
			return open(disk.(vfs.FS))
		},
	}
}
