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
	var p payment.Payment
	storetest.Fill(&p)
	var read payment.Payment
	roundTrip(t, func(c *codec) { c.state(choose(c, &p, &read)) })
	read.ID, read.IdempotencyKey, read.Request = p.ID, p.IdempotencyKey, p.Request // in the first event
	equal(t, read, p)

	var events, readEvents []payment.Event
	storetest.Fill(&events)
	roundTrip(t, func(c *codec) { c.chunk(choose(c, &events, &readEvents)) })
	for i := range readEvents {
		readEvents[i].Seq = events[i].Seq // in the key
	}
	equal(t, readEvents, events)

	var n, readN store.Notification
	storetest.Fill(&n)
	roundTrip(t, func(c *codec) { c.notification(choose(c, &n, &readN)) })
	readN.ID = n.ID // in the key
	equal(t, readN, n)

	at, readAt := place{"pay_1", 3, 2}, place{}
	roundTrip(t, func(c *codec) { c.place(choose(c, &at, &readAt)) })
	equal(t, readAt, at)

	f, readF := format{7, []byte{0, 1}}, format{}
	roundTrip(t, func(c *codec) { c.format(choose(c, &f, &readF)) })
	equal(t, readF, f)
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
		events := []payment.Event{{Data: payment.EventData{Request: &payment.Request{}, Decision: &d, Failure: &payment.Failure{}}}}
		var read []payment.Event
		roundTrip(t, func(c *codec) { c.chunk(choose(c, &events, &read)) })
		equal(t, read, events)
	}
}

func TestNegativeNumbersAndMoney(t *testing.T) {
	t.Parallel()
	p := payment.Payment{Seq: -1 << 63, Attempts: []payment.Attempt{{Number: 1<<63 - 1}}}
	var read payment.Payment
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
	var events []payment.Event
	storetest.Fill(&events)
	record := encode(nil, func(c *codec) { c.chunk(&events) })
	read := func(b []byte) error { return decode(b, func(c *codec) { var e []payment.Event; c.chunk(&e) }) }
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
	var p payment.Payment
	var events []payment.Event
	var n store.Notification
	storetest.Fill(&p)
	storetest.Fill(&events)
	storetest.Fill(&n)
	f.Add(encode(nil, func(c *codec) { c.state(&p) }))
	f.Add(encode(nil, func(c *codec) { c.chunk(&events) }))
	f.Add(encode(nil, func(c *codec) { c.notification(&n) }))
	f.Fuzz(func(t *testing.T, record []byte) {
		again(t, record, (*codec).state)
		again(t, record, (*codec).chunk)
		again(t, record, (*codec).notification)
		again(t, record, (*codec).place)
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
