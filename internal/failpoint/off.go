//go:build !failpoints

package failpoint

// Pass does what is to happen at a point where no error can.
func Pass(Point) {}

// Err does what is to happen at a point, and returns the error that does.
func Err(Point) error { return nil }
