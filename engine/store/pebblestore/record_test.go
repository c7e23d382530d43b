package pebblestore

import (
	"errors"
	"reflect"
	"testing"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/storetest"
	"github.com/cauce-pay/cauce/payment"
)

// TestRecordsKeepEveryField fills every field by reflection, so that one which the codec forgets is found out.
func TestRecordsKeepEveryField(t *testing.T) {
	t.Parallel()
	p := kept{writes: []place{{3, 1 << 40}, {1, 1<<63 + 1}}}
	storetest.Fill(&p.Payment)
	var read kept
	roundTrip(t, func(c *codec) { c.state(choose(c, &p, &read)) })
	read.ID, read.IdempotencyKey, read.Request = p.ID, p.IdempotencyKey, p.Request // in the first event
	equal(t, read, p)

	written, readChunk := filledChunk(), chunk{}
	roundTrip(t, func(c *codec) { c.chunk(choose(c, &written, &readChunk)) })
	equal(t, readChunk, written)

	var n, readN store.Notification
	storetest.Fill(&n)
	roundTrip(t, func(c *codec) { c.notification(choose(c, &n, &readN)) })
	readN.ID = n.ID // in the key
	equal(t, readN, n)

	f, readF := format{7, []byte{0, 1}}, format{}
	roundTrip(t, func(c *codec) { c.format(choose(c, &f, &readF)) })
	equal(t, readF, f)
}

// filledChunk has every field of its events set, and numbers that follow one another.
func filledChunk() chunk {
	k := chunk{payment: "pay_1", first: 7}
	storetest.Fill(&k.events)
	for i := range k.events {
		k.events[i].Seq = k.first + int64(i)
	}
	return k
}

// TestLastPlaceIsSetLast: the position that a write gets last is put into a record that is made already.
func TestLastPlaceIsSetLast(t *testing.T) {
	t.Parallel()
	p := kept{Payment: payment.Payment{Status: payment.Pending}, writes: []place{{3, 17}, {2, 0}}}
	record := encode(nil, func(c *codec) { c.state(&p) })
	setLast(record, 1<<40)
	var read kept
	if err := decode(record, func(c *codec) { c.state(&read) }); err != nil {
		t.Fatal(err)
	}
	p.writes[1].last = 1 << 40
	equal(t, read, p)
}

func choose[T any](c *codec, write, read *T) *T {
	if c.writing {
		return write
	}
	return read
}

func roundTrip(t *testing.T, fields func(*codec)) {
	t.Helper()
	record := encode(nil, fields)
	if err := decode(record, fields); err != nil {
		t.Fatalf("reading what was written: %v", err)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestRecordsTellEmptyFromMissing(t *testing.T) {
	t.Parallel()
	for _, d := range []payment.Decision{
		{},
		{Providers: []string{}, Candidates: []payment.Candidate{}, Snapshot: map[string]payment.Health{}},
		{Providers: []string{""}, Candidates: []payment.Candidate{{}}, Snapshot: map[string]payment.Health{"": {}}},
	} {
		event := payment.Event{Data: payment.EventData{Request: &payment.Request{}, Decision: &d, Failure: &payment.Failure{}}}
		var read payment.Event
		roundTrip(t, func(c *codec) { c.event(choose(c, &event, &read)) })
		equal(t, read, event)
	}
}

func TestNegativeNumbersAndMoney(t *testing.T) {
	t.Parallel()
	p := kept{Payment: payment.Payment{Seq: -1 << 63, Attempts: []payment.Attempt{{Number: 1<<63 - 1}}}}
	var read kept
	roundTrip(t, func(c *codec) { c.state(choose(c, &p, &read)) })
	equal(t, read, p)

	for _, minor := range []int64{maxMinor, -maxMinor, 1, -1} {
		r, read := payment.Request{Amount: payment.MoneyOfMinor(minor)}, payment.Request{}
		roundTrip(t, func(c *codec) { c.request(choose(c, &r, &read)) })
		equal(t, read, r)
	}
	beyond := []byte{recordVersion, 3}
	c := codec{writing: true, out: beyond}
	tooMuch := int64(maxMinor + 1)
	c.signed(&tooMuch)
	if err := decode(append(c.out, 0), func(c *codec) { c.request(&payment.Request{}) }); err == nil {
		t.Error("an amount that Money cannot hold was read")
	}
}

// TestDamagedRecords cuts and alters a record at every byte.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	written := filledChunk()
	record := encode(nil, func(c *codec) { c.chunk(&written) })
	read := func(b []byte) error { return decode(b, func(c *codec) { c.chunk(&chunk{}) }) }
	for i := range record {
		if err := read(record[:i]); err == nil {
			t.Errorf("a record cut after %d of %d bytes was read", i, len(record))
		}
	}
	if err := read(append(record[:len(record):len(record)], 0)); err == nil {
		t.Error("a record with a byte too many was read")
	}
	newer := append(record[:len(record)-1:len(record)-1], 200, 0)
	if err := read(newer); !errors.Is(err, errUnknown) {
		t.Errorf("a record with an unknown field: %v, want errUnknown", err)
	}
	if err := read(append([]byte{recordVersion + 1}, record[1:]...)); !errors.Is(err, errUnknown) {
		t.Errorf("a record of another version: %v, want errUnknown", err)
	}
}

// FuzzRecords reads anything as every kind of record: it must not crash, and what can be read must be written
// and read again to the same.
func FuzzRecords(f *testing.F) {
	p, written, n := kept{writes: []place{{3, 1}, {1, 9}}}, filledChunk(), store.Notification{}
	storetest.Fill(&p.Payment)
	storetest.Fill(&n)
	f.Add(encode(nil, func(c *codec) { c.state(&p) }))
	f.Add(encode(nil, func(c *codec) { c.chunk(&written) }))
	f.Add(encode(nil, func(c *codec) { c.notification(&n) }))
	f.Fuzz(func(t *testing.T, record []byte) {
		again(t, record, (*codec).state)
		again(t, record, (*codec).chunk)
		again(t, record, (*codec).notification)
		again(t, record, (*codec).format)
		_, _ = firstEvent(record)
	})
}

func again[T any](t *testing.T, record []byte, fields func(*codec, *T)) {
	var first, second T
	if decode(record, func(c *codec) { fields(c, &first) }) != nil {
		return
	}
	written := encode(nil, func(c *codec) { fields(c, &first) })
	if err := decode(written, func(c *codec) { fields(c, &second) }); err != nil {
		t.Fatalf("reading what was written: %v", err)
	}
	if !reflect.DeepEqual(first, second) {
		t.Fatalf("%+v became %+v", first, second)
	}
}
