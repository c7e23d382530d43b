package pebblestore

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// The first byte of a key tells what it keeps. "stamp" is a time as eight bytes that sort, "text" is a length
// and the bytes.
const (
	kindFormat       = 'z' // -> format version and the store's own secret
	kindState        = 'p' // id -> what changes of a payment, and where its events are
	kindEvents       = 'e' // position of the last event in the feed -> the events of one write
	kindKey          = 'k' // idempotency key -> id
	kindAttempt      = 'a' // attempt's key -> id
	kindReference    = 'x' // text provider, text reference, id -> nothing
	kindCreated      = 'c' // stamp of creation, id -> nothing; all payments
	kindStatus       = 's' // text status, stamp of creation, id -> nothing
	kindProvider     = 'v' // text provider, stamp of creation, id -> nothing
	kindOwnReference = 'r' // text caller's reference, stamp of creation, id -> nothing
	kindOperation    = 'o' // text operation, stamp of creation, id -> nothing
	kindDue          = 'd' // stamp of the next look-up, id -> nothing
	kindNotification = 'n' // id -> the webhook
	kindSetting      = 't' // name -> the value
)

// stampSize is the length of a stamp.
const stampSize = 8

// appendStamp appends t so that stamps sort as the times do. Times outside the years 1678 to 2261 are kept
// as the first or last moment of them.
func appendStamp(b []byte, t time.Time) []byte { return binary.BigEndian.AppendUint64(b, stamp(t)) }

func stamp(t time.Time) uint64 {
	nanos := t.UnixNano()
	switch year := t.UTC().Year(); {
	case year < 1678:
		nanos = math.MinInt64
	case year > 2261:
		nanos = math.MaxInt64
	}
	return uint64(nanos) ^ 1<<63
}

func timeOfStamp(s uint64) time.Time { return time.Unix(0, int64(s^1<<63)).UTC() }

func appendText[S ~string](b []byte, s S) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func plainKey(kind byte, name string) []byte {
	b := make([]byte, 0, 1+len(name))
	return append(append(b, kind), name...)
}

// textPrefix begins the keys of one index for one value.
func textPrefix[S ~string](kind byte, value S) []byte {
	b := make([]byte, 0, 3+len(value)+stampSize+32)
	return appendText(append(b, kind), value)
}

func listKey(prefix []byte, p *payment.Payment) []byte {
	return append(appendStamp(prefix, p.CreatedAt), p.ID...)
}

func eventsKey(last uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kindEvents}, last)
}

func positionOf(eventsKey []byte) uint64 { return binary.BigEndian.Uint64(eventsKey[1:]) }

func referencePrefix(provider, reference string) []byte {
	return appendText(textPrefix(kindReference, provider), reference)
}

func dueKey(due time.Time, id string) []byte {
	b := make([]byte, 0, 1+stampSize+len(id))
	return append(appendStamp(append(b, kindDue), due), id...)
}

// next returns the first key that comes after all keys with this prefix. No prefix here is all 0xff.
func next(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// lastingKeys returns the index keys that a payment keeps from its creation on.
func lastingKeys(p *payment.Payment) [][]byte {
	keys := [][]byte{
		listKey([]byte{kindCreated}, p),
		listKey(textPrefix(kindOperation, p.Operation), p),
	}
	if p.Reference != "" {
		keys = append(keys, listKey(textPrefix(kindOwnReference, p.Reference), p))
	}
	return keys
}

// changingKeys returns the index keys that follow a payment's state.
func changingKeys(p *payment.Payment) [][]byte {
	keys := append(make([][]byte, 0, 3+2*len(p.Attempts)), listKey(textPrefix(kindStatus, p.Status), p))
	if p.Provider != "" {
		keys = append(keys, listKey(textPrefix(kindProvider, p.Provider), p))
	}
	if !p.NextLookupAt.IsZero() {
		keys = append(keys, dueKey(p.NextLookupAt, p.ID))
	}
	for i := range p.Attempts {
		a := &p.Attempts[i]
		keys = append(keys, plainKey(kindAttempt, a.Key))
		if a.Reference != "" {
			keys = append(keys, append(referencePrefix(a.Provider, a.Reference), p.ID...))
		}
	}
	return keys
}
