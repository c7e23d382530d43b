// Package wire carries provider.Provider over one long-lived gRPC stream: Client and Provider on the host's side,
// Server on the plugin's, and between them the conversion of every struct of the contract to its protobuf
// message and back (encode, decode). It knows nothing of processes.
//
// One stream that multiplexes the calls is used instead of one gRPC call each because it carries about twice as
// many calls per second (plugin.BenchmarkCalls measures both).
package wire

import "time"

const (
	// MaxMessage bounds one message, both ways, in bytes.
	MaxMessage = 1 << 20
	// MaxCalls bounds the calls that a plugin works on at the same time. Those beyond are refused with
	// CodeUnavailable: they were surely not begun.
	MaxCalls = 1024
	// DefaultTimeout bounds one call.
	DefaultTimeout = 20 * time.Second
	// grace is how long the host waits for the plugin's own answer after a call's deadline: it tells more than
	// "no answer".
	grace = 250 * time.Millisecond
)
