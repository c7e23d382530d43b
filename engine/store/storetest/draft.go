package storetest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

// start is the moment at which the checks' payments begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// draft is a payment and those of its events that are not stored yet, folded lawfully.
type draft struct {
	payment.Payment
	events []payment.Event
	at     time.Time // of the next event
}

// newDraft begins payment number n, created n seconds after start; change may alter its request.
func newDraft(n int, change ...func(*payment.Request)) *draft {
	req := payment.Request{
		Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(10000), Currency: "COP", Country: "CO",
		Reference: fmt.Sprintf("ORDER-%d", n),
	}
	for _, c := range change {
		c(&req)
	}
	d := &draft{at: start.Add(time.Duration(n) * time.Second)}
	d.add(payment.EventCreated, payment.EventData{Payment: paymentID(n), IdempotencyKey: fmt.Sprintf("key-%d", n), Request: &req})
	d.add(payment.EventDecided, payment.EventData{Decision: &payment.Decision{Route: "all", Providers: []string{}, Candidates: []payment.Candidate{}}})
	return d
}

func paymentID(n int) string { return fmt.Sprintf("pay_%026d", n) }

// add folds a further event; an unlawful one is a fault of the check itself.
func (d *draft) add(t payment.EventType, data payment.EventData) {
	e := payment.Event{Seq: d.Seq + 1, Type: t, At: d.at, Data: data}
	if err := d.Apply(e); err != nil {
		panic(err)
	}
	d.events = append(d.events, e)
}

// attempt begins the next attempt, at provider, and the look-up that is due if its answer never comes.
func (d *draft) attempt(provider string) *draft {
	n := len(d.Attempts) + 1
	d.add(payment.EventAttemptStarted, payment.EventData{
		Attempt: n, Provider: provider, Key: fmt.Sprintf("%s-%d", d.ID, n), DeadlineAt: d.at.Add(20 * time.Second),
	})
	d.NextLookupAt = d.at.Add(time.Minute)
	return d
}

// answer ends the last attempt.
func (d *draft) answer(status payment.AttemptStatus, reference string) *draft {
	d.add(payment.EventAttemptEnded, payment.EventData{Attempt: len(d.Attempts), AttemptStatus: status, Reference: reference})
	return d
}

// become moves the payment to a status.
func (d *draft) become(status payment.Status) *draft {
	d.add(payment.EventFor(status), payment.EventData{Attempt: len(d.Attempts)})
	return d
}

// due sets when the payment is looked up next.
func (d *draft) due(next time.Time) *draft {
	d.NextLookupAt = next
	return d
}

// write stores the events drafted so far.
func (d *draft) write(s store.Store) error {
	store := s.Append
	if d.events[0].Seq == 1 {
		store = s.Create
	}
	err := store(background, d.Payment.Clone(), d.events)
	if err == nil {
		d.events = nil
	}
	return err
}

func (d *draft) mustWrite(t T, s store.Store) *draft {
	t.Helper()
	if err := d.write(s); err != nil {
		t.Fatalf("writing payment %s: %v", d.ID, err)
	}
	return d
}

// copy returns a draft that shares nothing with d that is changed.
func (d *draft) copy() *draft {
	return &draft{Payment: *d.Payment.Clone(), events: append([]payment.Event(nil), d.events...), at: d.at}
}

// Fill sets every field that v points to, and all they hold, to values that differ from each other and from
// zero, so that a store that forgets one is found out. Texts are not plain ASCII; times are whole seconds.
func Fill(v any) { new(filler).fill(reflect.ValueOf(v).Elem()) }

type filler struct{ n int64 }

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Interface().(type) {
	case payment.Money:
		v.Set(reflect.ValueOf(payment.MoneyOfMinor(f.n)))
		return
	case time.Time:
		v.Set(reflect.ValueOf(start.Add(time.Duration(f.n) * time.Hour)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("ñandú \"%d\" \\ 漢%%", f.n))
	case reflect.Int, reflect.Int64:
		v.SetInt(f.n)
	case reflect.Uint8:
		v.SetUint(uint64(f.n%255) + 1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key)
			f.fill(value)
			v.SetMapIndex(key, value)
		}
	default:
		panic("storetest: Fill does not know " + v.Type().String())
	}
}
