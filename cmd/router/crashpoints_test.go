package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/internal/failpoint"
	"github.com/cauce-pay/cauce/payment"
)

// crash is a point at which the router dies.
type crash struct {
	point  failpoint.Point
	action string // "" = crash
	fault  string // members of a fault that the provider's hand-overs suffer until then
	// do says that the router fails at an entry and makes it pass there; nil = payments are asked for.
	do func(*testing.T, *frail, *lane, string)
}

func (c crash) entry(n int) string {
	if c.action == "" {
		c.action = "crash"
	}
	return fmt.Sprintf("%s=%s@%d", c.point, c.action, n)
}

// everywhere are the points that payments of every operation pass.
var everywhere = []crash{
	{point: failpoint.RequestRead},
	{point: failpoint.IntentDecided},
	{point: failpoint.LogWritten},
	{point: failpoint.IntentStored},
	{point: failpoint.DoubtStored, do: wait}, // about the one before
	{point: failpoint.AttemptSent, action: "crash:150ms", fault: `"do":"delay","delay_ms":400`},
	{point: failpoint.AttemptSent, action: "crash:150ms", fault: `"do":"delay_after","delay_ms":400`},
	{point: failpoint.AnswerRead},
	{point: failpoint.ResendStored, fault: `"do":"drop_before"`},
	{point: failpoint.AnswerStored},
	{point: failpoint.Acknowledging},
	{point: failpoint.LookupSent, do: refresh},
	{point: failpoint.LookupAnswered, do: refresh},
}

// somewhere are those of pay-ins with a second candidate, webhooks, and of administration.
var somewhere = []crash{
	{point: failpoint.NextStored, fault: `"do":"answer","status":429,"body":""`},
	{point: failpoint.NextStored, fault: `"do":"drop_after"`},
	{point: failpoint.NotificationRead, do: settle},
	{point: failpoint.NotificationStored, do: settle},
	{point: failpoint.NotificationApplied, do: settle},
	{point: failpoint.WebhookSent, do: settle},
	{point: failpoint.RulesSwapped, do: reload},
	{point: failpoint.BackupBegun, do: backup},
}

// wait leaves it to what the router does by itself about the payments of before.
func wait(t *testing.T, f *frail, _ *lane, entry string) { f.failing(t, entry) }

func refresh(t *testing.T, f *frail, l *lane, entry string) {
	p := f.ask(t, l).wait(t)
	f.failing(t, entry)
	_, _ = f.post(t.Context(), "/v1/payments/"+p.ID+"/refresh", "")
}

// settle has the payer pay, of which the router and then the merchant get a webhook.
func settle(t *testing.T, f *frail, l *lane, entry string) {
	p := f.ask(t, l).wait(t)
	f.failing(t, entry)
	if p.Action == nil {
		t.Fatalf("its payer cannot pay: %+v", p)
	}
	l.decide(t, p.Action.URL, "approve")
}

func reload(t *testing.T, f *frail, _ *lane, entry string) {
	path := filepath.Join(f.api.dir, "routing.hcl")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.failing(t, entry)
	after := strings.ReplaceAll(string(before), `timeout = "1s"`, `timeout = "1001ms"`) // the plugins are started anew
	if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _ = f.post(t.Context(), "/v1/reload", "")
}

func backup(t *testing.T, f *frail, _ *lane, entry string) {
	f.failing(t, entry)
	dir := filepath.Join(t.TempDir(), "backup")
	_, _ = f.post(t.Context(), "/v1/backup", fmt.Sprintf(`{"dir":%q}`, dir))
	if err := pebblestore.Restore(dir, filepath.Join(t.TempDir(), "restored"), nil); err == nil {
		t.Error("half a backup is taken for one")
	}
}

// TestCrashPoints kills the router at every named point, starts it again, and goes on. By the sandboxes' ledgers every
// payment was executed once.
//
// CAUCE_CRASHES sets how many rounds over the points are made. From the second on it is the second or third passage that
// is fatal, with as many payments at once.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	rounds := envInt("CAUCE_CRASHES", 1)
	t.Run("payin", func(t *testing.T) {
		t.Parallel()
		shop := newShop(t)
		f := newFrail(t, shop.block(), "tpaga-pse")
		f.crashAll(t, rounds, everywhere, somewhere)
		f.judge(t)
		shop.judge(t, f)
	})
	t.Run("payout and bill", func(t *testing.T) {
		t.Parallel()
		f := newFrail(t, "", "coopcentral", "tpaga-bills")
		f.crashAll(t, rounds, everywhere)
		f.judge(t)
	})
}

// crashAll has the router die at each of the points, on each lane in turn.
func (f *frail) crashAll(t *testing.T, rounds int, tables ...[]crash) {
	t.Helper()
	f.failing(t, string(failpoint.FormatWritten)+"=crash")
	f.startDying(t)
	f.died(t, failpoint.FormatWritten)
	f.failing(t, "")
	f.start(t)
	turn := 0
	for round := range rounds {
		for _, table := range tables {
			for _, c := range table {
				f.crash(t, c, f.lanes[turn%len(f.lanes)], 1+round%3)
				turn++
			}
		}
		turn++ // so that each lane meets each point
	}
}

// crash has the router die at a point and starts it again. Callers whose requests it has dropped ask again.
func (f *frail) crash(t *testing.T, c crash, l *lane, passage int) {
	t.Helper()
	if c.fault != "" {
		l.tell(t, "faults", `{"on":"create","times":1000,`+c.fault+`}`)
	}
	if c.do != nil {
		c.do(t, f, l, c.entry(1))
	} else {
		f.failing(t, c.entry(passage))
		for range passage {
			f.ask(t, l)
		}
	}
	f.died(t, c.point)
	f.failing(t, "")
	l.clear(t)
	f.start(t)
}

// shop is a merchant that gets webhooks.
type shop struct {
	*httptest.Server
	mu  sync.Mutex
	ids map[string]map[string]bool // of the webhooks about a payment's success, by payment
}

func newShop(t *testing.T) *shop {
	s := &shop{ids: map[string]map[string]bool{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Data payment.Payment }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Error(err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ids[message.Data.ID] == nil {
			s.ids[message.Data.ID] = map[string]bool{}
		}
		s.ids[message.Data.ID][r.Header.Get("Webhook-Id")] = true
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) block() string {
	return fmt.Sprintf("webhook \"shop\" {\n  url = %q\n  secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n  events = [\"payment.succeeded\"]\n}\n", s.URL)
}

// judge demands that each payment's success was told, under one webhook-id however often.
func (s *shop) judge(t *testing.T, f *frail) {
	t.Helper()
	for _, a := range f.asked {
		told := func() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.ids[a.payment.ID]) }
		waitUntil(t.Context(), t, func() bool { return told() > 0 })
		if n := told(); n != 1 {
			t.Errorf("the success of %s was told as %d events", a.key, n)
		}
	}
}
