package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// codec writes a record, or reads it: each field is named once, in one function that serves both ways, so
// that the two cannot differ. A field is its number (one byte) and its value; empty fields are left out, the
// numbers of a struct rise, and 0 ends it. New fields get new numbers at the end: older records then read as
// if the field were empty. A record begins with its version.
type codec struct {
	writing bool
	out     []byte // written so far
	in      string // left to read; texts are parts of it
	err     error
}

const recordVersion = 1

var (
	errShort   = errors.New("it ends early")
	errUnknown = errors.New("it has a field that this program does not know: damaged, or written by a newer program")
)

// encode returns the record that fields describes, appended to b.
func encode(b []byte, fields func(*codec)) []byte {
	c := &codec{writing: true, out: append(b, recordVersion)}
	fields(c)
	return append(c.out, 0)
}

// decode reads the record that fields describes.
func decode(record []byte, fields func(*codec)) error {
	if len(record) == 0 || record[0] != recordVersion {
		return errUnknown
	}
	c := &codec{in: string(record[1:])}
	fields(c)
	c.end()
	if c.err == nil && c.in != "" {
		c.fail(errUnknown)
	}
	return c.err
}

func (c *codec) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.in = ""
}

// at begins field n. Writing, it puts down the number unless the value is empty; reading, it tells whether
// the field is there. Either way its value comes next when at returns true.
func (c *codec) at(n byte, empty bool) bool {
	if c.writing {
		if !empty {
			c.out = append(c.out, n)
		}
		return !empty
	}
	if c.in == "" || c.in[0] != n {
		return false
	}
	c.in = c.in[1:]
	return true
}

// end reads the end of a struct.
func (c *codec) end() {
	switch {
	case c.err != nil:
	case c.in == "":
		c.fail(errShort)
	case c.in[0] != 0:
		c.fail(errUnknown)
	default:
		c.in = c.in[1:]
	}
}

// number writes or reads a number without a field's number before it.
func (c *codec) number(v *uint64) {
	if c.writing {
		c.out = binary.AppendUvarint(c.out, *v)
		return
	}
	*v = 0
	for i := range len(c.in) {
		b := c.in[i]
		if i == binary.MaxVarintLen64-1 && b > 1 {
			break
		}
		*v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			c.in = c.in[i+1:]
			return
		}
	}
	c.fail(errShort)
}

// fixed is number in eight bytes, whatever its value.
func (c *codec) fixed(v *uint64) {
	switch {
	case c.writing:
		c.out = binary.BigEndian.AppendUint64(c.out, *v)
	case len(c.in) < 8:
		c.fail(errShort)
	default:
		*v, c.in = binary.BigEndian.Uint64([]byte(c.in[:8])), c.in[8:]
	}
}

// signed is number for values that may be negative.
func (c *codec) signed(v *int64) {
	n := uint64(*v)<<1 ^ uint64(*v>>63)
	c.number(&n)
	*v = int64(n>>1) ^ -int64(n&1)
}

// bare writes or reads a text without a field's number before it.
func bare[S ~string](c *codec, v *S) {
	n := uint64(len(*v))
	c.number(&n)
	if c.writing {
		c.out = append(c.out, *v...)
		return
	}
	if n > uint64(len(c.in)) {
		c.fail(errShort)
		return
	}
	*v, c.in = S(c.in[:n]), c.in[n:]
}

func text[S ~string](c *codec, n byte, v *S) {
	if c.at(n, *v == "") {
		bare(c, v)
	}
}

func data(c *codec, n byte, v *[]byte) {
	if c.at(n, *v == nil) {
		s := string(*v)
		bare(c, &s)
		if !c.writing {
			*v = []byte(s)
		}
	}
}

func (c *codec) flag(n byte, v *bool) {
	if c.at(n, !*v) {
		*v = true
	}
}

func integer[I ~int | ~int64](c *codec, n byte, v *I) {
	if c.at(n, *v == 0) {
		wide := int64(*v)
		c.signed(&wide)
		*v = I(wide)
	}
}

// maxMinor is the most that payment.Money holds.
const maxMinor = 99_999_999_999_999_999

func (c *codec) money(n byte, v *payment.Money) {
	if c.at(n, v.IsZero()) {
		minor := v.Minor()
		c.signed(&minor)
		if minor > maxMinor || minor < -maxMinor {
			c.fail(fmt.Errorf("%d hundredths are more than an amount holds", minor))
			return
		}
		*v = payment.MoneyOfMinor(minor)
	}
}

// time keeps the instant to the nanosecond; it is read in UTC.
func (c *codec) time(n byte, v *time.Time) {
	if !c.at(n, v.IsZero()) {
		return
	}
	seconds, nanos := v.Unix(), uint64(v.Nanosecond())
	c.signed(&seconds)
	c.number(&nanos)
	if nanos >= 1e9 {
		c.fail(errors.New("it has a second of more than 1e9 nanoseconds"))
		return
	}
	*v = time.Unix(seconds, int64(nanos)).UTC()
}

// group is a struct within a struct; it is left out when all of it is empty.
func (c *codec) group(n byte, fields func()) {
	begin := len(c.out)
	if !c.at(n, false) {
		return
	}
	fields()
	switch {
	case !c.writing:
		c.end()
	case len(c.out) == begin+1:
		c.out = c.out[:begin]
	default:
		c.out = append(c.out, 0)
	}
}

// pointer is a struct behind a pointer, which is nil when it is left out.
func pointer[T any](c *codec, n byte, v **T, fields func(*T)) {
	if !c.at(n, *v == nil) {
		return
	}
	if c.writing {
		fields(*v)
		c.out = append(c.out, 0)
		return
	}
	*v = new(T)
	fields(*v)
	c.end()
}

// maxReserve bounds what a damaged count can make a reader reserve.
const maxReserve = 64

// list is a slice, which is nil when it is left out; fields is called for each element, which ends it itself.
func list[T any](c *codec, n byte, v *[]T, element func(*T)) {
	if !c.at(n, *v == nil) {
		return
	}
	count := c.count(len(*v))
	if !c.writing {
		*v = make([]T, 0, min(count, maxReserve))
	}
	for i := 0; i < count && c.err == nil; i++ {
		if !c.writing {
			*v = append(*v, *new(T))
		}
		element(&(*v)[i])
	}
}

// table is a map by text, which is nil when it is left out.
func table[T any](c *codec, n byte, v *map[string]T, element func(*T)) {
	if !c.at(n, *v == nil) {
		return
	}
	count := c.count(len(*v))
	if c.writing {
		for _, key := range slices.Sorted(maps.Keys(*v)) {
			value := (*v)[key]
			bare(c, &key)
			element(&value)
		}
		return
	}
	*v = make(map[string]T, min(count, maxReserve))
	for i := 0; i < count && c.err == nil; i++ {
		var key string
		var value T
		bare(c, &key)
		element(&value)
		(*v)[key] = value
	}
}

// count writes or reads how many elements follow, each at least a byte long.
func (c *codec) count(n int) int {
	wide := uint64(n)
	c.number(&wide)
	if !c.writing && wide > uint64(len(c.in)) {
		c.fail(errShort)
		return 0
	}
	return int(wide)
}

// element is a struct in a list or table.
func (c *codec) element(fields func()) {
	fields()
	if c.writing {
		c.out = append(c.out, 0)
	} else {
		c.end()
	}
}
