// Package pebblestore keeps payments in a directory, in the embedded key-value store Pebble: no server, one
// process at a time.
//
// Writes go through one pipeline (commit.go): callers prepare their records side by side, one goroutine gives
// them their place in the feed and hands them to Pebble, which syncs many of them at once, and only then are
// they shown to readers and acknowledged. Readers therefore see durable states only (view.go).
//
// No error of the disk ends the process or becomes a false acknowledgement (disk.go): the first error of a file
// that the store cannot do without freezes the directory as a power loss would, and every call answers
// store.ErrUnavailable until the store is opened again.
package pebblestore
