//go:build !failpoints

package failpoint

// Pass does what is to happen at a point. An error can happen only where Err is called.
func Pass(Point) {}

// Err is Pass where an error can happen, which it returns.
func Err(Point) error { return nil }
