//go:build !race

package engine_test

// slowness divides how much the long tests do: with the race detector Pebble also checks its own invariants,
// which makes it ten times slower.
const slowness = 1
