package pebblestore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/engine/store/storetest"
	"github.com/cauce-pay/cauce/payment"
)

// TestLikeMemory plays random scripts on this store and on storetest.Memory: every answer is the same, also
// after the store was opened again. CAUCE_SCRIPTS sets how many, CAUCE_SEED repeats a run's choices.
func TestLikeMemory(t *testing.T) {
	t.Parallel()
	seed := envInt(t, "CAUCE_SEED", time.Now().UnixNano())
	scripts := envInt(t, "CAUCE_SCRIPTS", 20/slowness)
	t.Logf("CAUCE_SEED=%d", seed)
	for n := range scripts {
		d := &duel{
			T: t, random: rand.New(rand.NewPCG(uint64(seed), uint64(n))), now: start, disk: vfs.NewMem(), memory: storetest.NewMemory(),
			list: map[string]string{"": ""}, feed: map[string]string{"": ""}, leased: map[string]bool{},
		}
		d.store = open(t, d.disk)
		for range 300 {
			d.step()
		}
		if t.Failed() {
			t.Fatalf("script %d of this seed", n)
		}
	}
}

// duel plays one script. Cursors differ between the stores, so those of one page are kept side by side.
type duel struct {
	*testing.T
	random     *rand.Rand
	now        time.Time
	disk       *vfs.MemFS
	store      *pebblestore.Store
	memory     *storetest.Memory
	payments   []*payment.Payment // as they are stored
	list, feed map[string]string  // the store's cursor -> the memory's
	leased     map[string]bool
}

func (d *duel) step() {
	d.now = d.now.Add(time.Duration(d.random.IntN(3000)) * time.Millisecond)
	switch d.random.IntN(16) {
	case 0, 1, 2:
		d.create()
	case 3, 4, 5, 6:
		d.append()
	case 7:
		d.schedule()
	case 8, 9:
		d.find()
	case 10, 11:
		d.listPage()
	case 12:
		d.feedPage()
	case 13:
		d.claim()
	case 14:
		d.keep()
	case 15:
		d.reopen()
	}
}

// same demands the same answer of both: equal values, or errors of the same kind.
func (d *duel) same(call string, got any, gotErr error, want any, wantErr error) bool {
	d.Helper()
	for _, kind := range []error{store.ErrNotFound, store.ErrKeyTaken, store.ErrConflict, store.ErrBadCursor, nil} {
		if kind == nil && (gotErr == nil) != (wantErr == nil) || errors.Is(gotErr, kind) != errors.Is(wantErr, kind) {
			d.Errorf("%s: error is %v, want %v", call, gotErr, wantErr)
			return false
		}
	}
	none := func(v any) bool { return reflect.ValueOf(v).Kind() == reflect.Slice && reflect.ValueOf(v).Len() == 0 }
	if gotErr == nil && !reflect.DeepEqual(got, want) && !(none(got) && none(want)) {
		d.Errorf("%s:\n got %+v\nwant %+v", call, got, want)
		return false
	}
	return gotErr == nil
}

func (d *duel) create() {
	n := d.random.Int64N(200) // some are taken
	p, events := storetest.Intent(n, d.now)
	if d.random.IntN(3) == 0 {
		p.NextLookupAt = time.Time{}
	}
	if d.same("Create", nil, d.store.Create(background, p, events), nil, d.memory.Create(background, p, events)) {
		d.payments = append(d.payments, p)
	}
}

// some returns a copy of a stored payment, or one that is not stored.
func (d *duel) some() *payment.Payment {
	if len(d.payments) == 0 || d.random.IntN(20) == 0 {
		p, _ := storetest.Intent(1000, d.now)
		return p
	}
	return d.payments[d.random.IntN(len(d.payments))].Clone()
}

func (d *duel) append() {
	p := d.some()
	if d.random.IntN(10) == 0 {
		p.Seq-- // the caller has missed an event
	}
	var events []payment.Event
	for range 1 + d.random.IntN(3) {
		e := payment.Event{Seq: p.Seq + 1, Type: d.eventType(), At: d.now, Data: payment.EventData{
			Attempt: 1, AttemptStatus: payment.AttemptPending, Reference: fmt.Sprintf("ref-%d", d.random.IntN(30)),
			Status: payment.Succeeded, Note: "played",
		}}
		if e.Type == payment.EventAttemptStarted {
			e.Data.Attempt, e.Data.Provider, e.Data.Key = len(p.Attempts)+1, "tumipay", fmt.Sprintf("%s-%d", p.ID, len(p.Attempts))
		}
		if p.Apply(e) == nil {
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		return
	}
	p.NextLookupAt = d.some().NextLookupAt
	if d.same("Append", nil, d.store.Append(background, p, events), nil, d.memory.Append(background, p, events)) {
		d.changed(p)
	}
}

func (d *duel) eventType() payment.EventType {
	all := []payment.EventType{
		payment.EventAttemptStarted, payment.EventAttemptEnded, payment.EventLookup, payment.EventNotification, payment.EventPending,
		payment.EventInDoubt, payment.EventAbandoned, payment.EventMismatch, payment.EventSucceeded, payment.EventRejected,
		payment.EventExpired, payment.EventFailed, payment.EventLateSuccess, payment.EventResolved,
	}
	return all[d.random.IntN(len(all))]
}

func (d *duel) changed(p *payment.Payment) {
	for i := range d.payments {
		if d.payments[i].ID == p.ID {
			d.payments[i] = p
		}
	}
	delete(d.leased, p.ID)
}

func (d *duel) schedule() {
	p := d.some()
	next := d.now.Add(time.Duration(d.random.IntN(120)-60) * time.Second)
	if d.random.IntN(4) == 0 {
		next = time.Time{}
	}
	seq := p.Seq - int64(d.random.IntN(8)/7)
	if d.same("Schedule", nil, d.store.Schedule(background, p.ID, seq, next), nil, d.memory.Schedule(background, p.ID, seq, next)) {
		p.NextLookupAt = next
		d.changed(p)
	}
}

func (d *duel) find() {
	p := d.some()
	provider, reference := "tpaga-pse", fmt.Sprintf("ref-%d", d.random.IntN(30))
	attempt := fmt.Sprintf("%s-%d", p.ID, d.random.IntN(3))
	after, limit := d.random.Int64N(6), 1+d.random.IntN(4)
	for call, ask := range map[string]func(store.Store) (any, error){
		"Get":         func(s store.Store) (any, error) { return s.Get(background, p.ID) },
		"ByKey":       func(s store.Store) (any, error) { return s.ByKey(background, p.IdempotencyKey) },
		"ByAttempt":   func(s store.Store) (any, error) { return s.ByAttempt(background, attempt) },
		"ByReference": func(s store.Store) (any, error) { return d.holder(s, provider, reference) },
		"Events":      func(s store.Store) (any, error) { return s.Events(background, p.ID, after, limit) },
		"NextDue":     func(s store.Store) (any, error) { return s.NextDue(background, d.now) },
	} {
		got, gotErr := ask(d.store)
		want, wantErr := ask(d.memory)
		d.same(call, got, gotErr, want, wantErr)
	}
}

// holder tells whether a payment with that reference is found: of several, any.
func (d *duel) holder(s store.Store, provider, reference string) (bool, error) {
	p, err := s.ByReference(background, provider, reference)
	if err != nil {
		return false, err
	}
	for _, a := range p.Attempts {
		if a.Provider == provider && a.Reference == reference {
			return true, nil
		}
	}
	return false, nil
}

// anyKey returns one of the cursors that pages gave out.
func (d *duel) anyKey(of map[string]string) (mine, theirs string) {
	for mine, theirs = range of {
		if d.random.IntN(3) == 0 {
			break
		}
	}
	return mine, theirs
}

func (d *duel) listPage() {
	f := store.Filter{Limit: 1 + d.random.IntN(10)}
	if d.random.IntN(2) == 0 {
		f.Status = payment.Statuses()[d.random.IntN(7)]
	}
	if d.random.IntN(3) == 0 {
		f.Provider = []string{"tpaga-pse", "tumipay", "none"}[d.random.IntN(3)]
	}
	if d.random.IntN(6) == 0 {
		f.Reference = d.some().Reference
	}
	if d.random.IntN(4) == 0 {
		f.Operation = []payment.Operation{payment.PayIn, payment.PayOut}[d.random.IntN(2)]
	}
	if d.random.IntN(3) == 0 {
		f.CreatedAfter = d.some().CreatedAt
	}
	if d.random.IntN(3) == 0 {
		f.CreatedBefore = d.some().CreatedAt
	}
	theirs := f
	f.Cursor, theirs.Cursor = d.anyKey(d.list)
	got, gotErr := d.store.List(background, f)
	want, wantErr := d.memory.List(background, theirs)
	if d.same(fmt.Sprintf("List %+v", f), got.Payments, gotErr, want.Payments, wantErr) && (got.Next == "") != (want.Next == "") {
		d.Errorf("List %+v: next cursor is %q, want %q", f, got.Next, want.Next)
	}
	if got.Next != "" {
		d.list[got.Next] = want.Next
	}
}

func (d *duel) feedPage() {
	limit := 1 + d.random.IntN(20)
	mine, theirs := d.anyKey(d.feed)
	got, gotErr := d.store.Feed(background, mine, limit)
	want, wantErr := d.memory.Feed(background, theirs, limit)
	for i := range min(len(got), len(want)) {
		d.feed[got[i].Cursor] = want[i].Cursor
		got[i].Cursor, want[i].Cursor = "", ""
	}
	d.same("Feed", got, gotErr, want, wantErr)
}

func (d *duel) claim() {
	limit, lease := 1+d.random.IntN(5), time.Duration(d.random.IntN(20))*time.Second
	got, gotErr := d.store.Claim(background, d.now, lease, limit)
	want, wantErr := d.memory.Claim(background, d.now, lease, limit)
	d.same("Claim", got, gotErr, want, wantErr)
	for _, id := range got {
		d.leased[id] = true
	}
}

func (d *duel) keep() {
	id := fmt.Sprintf("n%02d", d.random.IntN(30))
	n := store.Notification{ID: id, ReceivedAt: d.now}
	if inbox, err := d.memory.Notifications(background, "", 100); err == nil && len(inbox) < 10 {
		d.same("DeleteNotification", nil, d.store.DeleteNotification(background, id), nil, d.memory.DeleteNotification(background, id))
		d.same("PutNotification", nil, d.store.PutNotification(background, n), nil, d.memory.PutNotification(background, n))
	} else {
		d.same("DeleteNotification", nil, d.store.DeleteNotification(background, id), nil, d.memory.DeleteNotification(background, id))
	}
	limit := 1 + d.random.IntN(10)
	got, gotErr := d.store.Notifications(background, id, limit)
	want, wantErr := d.memory.Notifications(background, id, limit)
	d.same("Notifications", got, gotErr, want, wantErr)

	name, value := fmt.Sprint(d.random.IntN(5)), fmt.Append(nil, d.random.IntN(100))
	if d.random.IntN(2) == 0 {
		d.same("PutSetting", nil, d.store.PutSetting(background, name, value), nil, d.memory.PutSetting(background, name, value))
	}
	stored, gotErr := d.store.InitSetting(background, name, value)
	wanted, wantErr := d.memory.InitSetting(background, name, value)
	d.same("InitSetting", stored, gotErr, wanted, wantErr)
}

func (d *duel) reopen() {
	for _, p := range d.payments { // opening ends the leases, which the memory cannot know
		if d.leased[p.ID] {
			d.same("Schedule", nil, d.store.Schedule(background, p.ID, p.Seq, p.NextLookupAt), nil, d.memory.Schedule(background, p.ID, p.Seq, p.NextLookupAt))
			delete(d.leased, p.ID)
		}
	}
	if err := d.store.Close(); err != nil {
		d.Fatal(err)
	}
	d.store = open(d, d.disk)
}
