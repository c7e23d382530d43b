//go:build !failpoints

package main

import "github.com/cockroachdb/pebble/v2/vfs"

// disk returns the file system that the store is kept on; nil = the operating system's.
func disk() vfs.FS { return nil }
