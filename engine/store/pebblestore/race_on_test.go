//go:build race

package pebblestore_test

const slowness = 5
