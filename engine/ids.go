package engine

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// base32hex keeps the order of the bytes in the order of the text.
var base32hex = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// newPaymentID returns "pay_" and 26 characters: 64 bits of time (milliseconds and 65,536 parts of one), so that
// ids sort in the order of their making, then 64 random bits.
func (e *Engine) newPaymentID(now time.Time) string { return "pay_" + e.newTimedID(now) }

func (e *Engine) newTimedID(now time.Time) string {
	var b [16]byte
	part := uint64(now.Nanosecond()) % 1e6 << 16 / 1e6
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16|part)
	e.read(b[8:])
	return base32hex.EncodeToString(b[:])
}

// newAttemptKey returns 20 characters of [0-9a-v]: 100 random bits in the length that all providers take.
func (e *Engine) newAttemptKey() string {
	var b [13]byte
	e.read(b[:])
	return base32hex.EncodeToString(b[:])[:20]
}

// newSecret returns 32 characters: 160 random bits.
func (e *Engine) newSecret() string {
	var b [20]byte
	e.read(b[:])
	return base32hex.EncodeToString(b[:])
}

func (e *Engine) read(b []byte) {
	if _, err := io.ReadFull(e.random, b); err != nil {
		// Without randomness two attempts could share a key; crypto/rand itself never fails.
		panic(fmt.Sprintf("engine: the configured source of randomness failed: %v", err))
	}
}
