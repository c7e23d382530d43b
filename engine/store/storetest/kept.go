package storetest

import (
	"fmt"
	"math"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
)

var keptChecks = []Check{
	{"inbox/whole", "A webhook is kept with everything that came with it.", inboxWhole},
	{"inbox/order", "Webhooks are read by id, the oldest first, after an id, at most as many as asked for.", inboxOrder},
	{"inbox/delete", "A deleted webhook is gone; deleting it again is no error.", inboxDelete},
	{"setting/put", "A setting is what was put last.", settingPut},
	{"setting/init", "InitSetting stores a value only where there is none, and returns what is stored.", settingInit},
	{"setting/init-race", "Of many that init a setting at once all get the same value.", settingInitRace},
	{"limit/positive", "A limit below 1 is an error.", limitPositive},
	{"health/well", "Health is nil while new payments can be stored.", healthWell},
	{"closed/all", "After Close every call is ErrClosed.", closedAll},
}

func inboxWhole(t T, subject Subject) {
	s := open(t, subject)
	var n store.Notification
	Fill(&n)
	n.Body = append(n.Body, 0, 255)
	must(t, s.PutNotification(background, n))
	inbox, err := s.Notifications(background, "", 10)
	must(t, err)
	same(t, "inbox", inbox, []store.Notification{n})
}

// inbox returns the ids of the kept webhooks.
func inbox(t T, s store.Store, after string, limit int) []string {
	t.Helper()
	page, err := s.Notifications(background, after, limit)
	must(t, err)
	ids := []string{}
	for _, n := range page {
		ids = append(ids, n.ID)
	}
	return ids
}

func putNotifications(t T, s store.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, s.PutNotification(background, store.Notification{ID: id, ReceivedAt: start}))
	}
}

func inboxOrder(t T, subject Subject) {
	s := open(t, subject)
	same(t, "empty inbox", inbox(t, s, "", 10), []string{})
	putNotifications(t, s, "n3", "n1", "n2", "n10")
	same(t, "inbox", inbox(t, s, "", 10), []string{"n1", "n10", "n2", "n3"})
	same(t, "first two", inbox(t, s, "", 2), []string{"n1", "n10"})
	same(t, "two after n1", inbox(t, s, "n1", 2), []string{"n10", "n2"})
	same(t, "after an id that is not there", inbox(t, s, "n20", 10), []string{"n3"})
	same(t, "after the last", inbox(t, s, "n3", 10), []string{})
}

func inboxDelete(t T, subject Subject) {
	s := open(t, subject)
	putNotifications(t, s, "n1", "n2")
	for range 2 {
		must(t, s.DeleteNotification(background, "n1"))
		same(t, "inbox", inbox(t, s, "", 10), []string{"n2"})
	}
}

func settingPut(t T, subject Subject) {
	s := open(t, subject)
	for _, value := range []string{"one", "two", ""} {
		must(t, s.PutSetting(background, "name", []byte(value)))
		got, err := s.Setting(background, "name")
		must(t, err)
		same(t, "setting", string(got), value)
	}
}

func settingInit(t T, subject Subject) {
	s := open(t, subject)
	for _, value := range []string{"first", "second"} {
		got, err := s.InitSetting(background, "name", []byte(value))
		must(t, err)
		same(t, "setting after InitSetting", string(got), "first")
	}
	got, err := s.Setting(background, "name")
	must(t, err)
	same(t, "setting", string(got), "first")
}

func settingInitRace(t T, subject Subject) {
	s := open(t, subject)
	values := make([]string, 20)
	for _, err := range racers(len(values), func(i int) error {
		got, err := s.InitSetting(background, "raced", fmt.Append(nil, i))
		values[i] = string(got)
		return err
	}) {
		must(t, err)
	}
	got, err := s.Setting(background, "raced")
	must(t, err)
	for _, value := range values {
		same(t, "what a racer got", value, string(got))
	}
}

func limitPositive(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).due(at(1)).mustWrite(t, s)
	for _, limit := range []int{0, -1, math.MinInt} {
		_, events := s.Events(background, d.ID, 0, limit)
		_, list := s.List(background, store.Filter{Limit: limit})
		_, feed := s.Feed(background, "", limit)
		_, claim := s.Claim(background, at(10), time.Minute, limit)
		_, inbox := s.Notifications(background, "", limit)
		for call, err := range map[string]error{"Events": events, "List": list, "Feed": feed, "Claim": claim, "Notifications": inbox} {
			if err == nil {
				t.Errorf("%s with limit %d is no error", call, limit)
			}
		}
	}
	ids, err := s.Claim(background, at(10), time.Minute, 1)
	must(t, err)
	same(t, "claimed afterwards", ids, []string{d.ID})
}

func healthWell(t T, subject Subject) {
	s := open(t, subject)
	must(t, s.Health())
	newDraft(1).mustWrite(t, s)
	must(t, s.Health())
}

func closedAll(t T, subject Subject) {
	s := open(t, subject)
	d := newDraft(1).attempt("tpaga-pse").mustWrite(t, s)
	end, err := s.FeedEnd(background)
	must(t, err)
	must(t, s.Close())
	d.add(payment.EventNotification, payment.EventData{Attempt: 1})
	for call, err := range map[string]error{
		"Create":             newDraft(2).write(s),
		"Append":             d.write(s),
		"Schedule":           s.Schedule(background, d.ID, 3, at(1)),
		"PutNotification":    s.PutNotification(background, store.Notification{ID: "n1"}),
		"DeleteNotification": s.DeleteNotification(background, "n1"),
		"PutSetting":         s.PutSetting(background, "name", nil),
		"Health":             s.Health(),
	} {
		wantError(t, call, err, store.ErrClosed)
	}
	for call, read := range map[string]func() error{
		"Get":           func() error { _, err := s.Get(background, d.ID); return err },
		"ByKey":         func() error { _, err := s.ByKey(background, d.IdempotencyKey); return err },
		"ByAttempt":     func() error { _, err := s.ByAttempt(background, "a"); return err },
		"ByReference":   func() error { _, err := s.ByReference(background, "p", "r"); return err },
		"Events":        func() error { _, err := s.Events(background, d.ID, 0, 1); return err },
		"List":          func() error { _, err := s.List(background, store.Filter{Limit: 1}); return err },
		"Feed":          func() error { _, err := s.Feed(background, end, 1); return err },
		"FeedEnd":       func() error { _, err := s.FeedEnd(background); return err },
		"Claim":         func() error { _, err := s.Claim(background, start, time.Minute, 1); return err },
		"NextDue":       func() error { _, err := s.NextDue(background, start); return err },
		"Notifications": func() error { _, err := s.Notifications(background, "", 1); return err },
		"Setting":       func() error { _, err := s.Setting(background, "name"); return err },
		"InitSetting":   func() error { _, err := s.InitSetting(background, "name", nil); return err },
	} {
		wantError(t, call, read(), store.ErrClosed)
	}
}
