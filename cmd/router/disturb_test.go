package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// load pays from 16 callers until that many payments did not fail at once. It returns their number so far and a function
// that waits for the end and returns all payments by their keys.
func (w *world) load(t *testing.T, payments int64) (done *atomic.Int64, wait func() map[string]payment.Payment) {
	t.Helper()
	done = new(atomic.Int64)
	var next atomic.Int64
	var mu sync.Mutex
	var callers sync.WaitGroup
	acknowledged := map[string]payment.Payment{}
	for range 16 {
		callers.Go(func() {
			for done.Load() < payments && !t.Failed() {
				n := next.Add(1)
				key := fmt.Sprintf("order-%d", n)
				p, err := w.payUntilAcknowledged(t.Context(), key, orderBody(key, n))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[key] = p
				mu.Unlock()
				if p.Status == payment.Failed { // at once: the plugin is being started again
					pause(t.Context(), 250*time.Millisecond)
				} else {
					done.Add(1)
				}
			}
		})
	}
	return done, func() map[string]payment.Payment { callers.Wait(); return acknowledged }
}

// The plugin's process is killed before requests leave it, while the provider works on them, and before their answers
// come back. By the ledger nothing is executed twice, and what was executed is found.
func TestPluginKilled(t *testing.T) {
	t.Parallel()
	kills := envInt("CAUCE_KILLS", 3)
	payments := int64(envInt("CAUCE_PAYMENTS", 150))
	w := newWorld(t, "2s")
	w.startRouter(t)
	done, wait := w.load(t, payments)
	for k := range kills {
		share := payments * int64(k) / int64(kills)
		waitUntil(t.Context(), t, func() bool { return done.Load() >= share })
		if verb := []string{"", "delay", "delay_after"}[k%3]; verb != "" {
			before := w.counts(t, "create")
			w.tell(t, "faults", fmt.Sprintf(`{"on":"create","do":%q,"times":8,"delay_ms":300}`, verb))
			waitUntil(t.Context(), t, func() bool { return w.counts(t, "create") > before || done.Load() == payments })
		}
		for _, plugin := range w.router.children(t) {
			_ = syscall.Kill(plugin, syscall.SIGKILL)
		}
	}
	acknowledged := wait()
	for _, p := range acknowledged { // one that is sent again is approved when it is there
		waitUntil(t.Context(), t, func() bool {
			w.approveAll(t.Context(), t)
			status := w.get(t.Context(), t, p.ID).Status
			return status.Final() || status == payment.Pending
		})
	}
	w.approveAll(t.Context(), t)
	executed := map[string]int{}
	entries := w.ledger(t.Context(), t)
	for _, e := range entries {
		executed[e.Key]++
	}
	known, refused := 0, 0
	for key, p := range acknowledged {
		p = w.get(t.Context(), t, p.ID)
		times := 0
		for _, attempt := range keys(p) {
			times += executed[attempt]
		}
		known += times
		switch {
		case times > 1, times == 0 && p.Status == payment.Succeeded:
			t.Errorf("%s was executed %d times, and is %s: %+v", key, times, p.Status, p.Attempts)
		case times == 1:
			waitUntil(t.Context(), t, func() bool { return w.get(t.Context(), t, p.ID).Status == payment.Succeeded })
		case !p.Status.Final() && p.NextLookupAt.IsZero():
			t.Errorf("%s is %s, and nobody looks at it", key, p.Status)
		default:
			refused++
		}
	}
	if known != len(entries) || int64(known) < payments/2 {
		t.Errorf("the ledger holds %d charges, %d of them of the %d payments", len(entries), known, len(acknowledged))
	}
	t.Logf("%d kills, %d payments, %d of them refused while the plugin was started again", kills, len(acknowledged), refused)
}

// Every webhook comes five times, in any order, with forged ones among them. Each payment gets the end that its payer
// chose, once.
func TestNotificationStorm(t *testing.T) {
	t.Parallel()
	const payments = 30
	w := newWorld(t, "20s")
	hooks := make(chan string, 10*payments)
	captured := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		hooks <- string(body)
	}))
	t.Cleanup(captured.Close)
	w.tell(t, "webhook", fmt.Sprintf(`{"url":%q}`, captured.URL))
	w.startRouter(t)
	_, wait := w.load(t, payments)
	want := map[string]payment.Status{}
	var pending []string // their references at the provider
	for _, p := range wait() {
		decision := []payment.Status{payment.Succeeded, payment.Rejected, payment.Pending}[len(want)%3]
		want[p.ID] = decision
		switch decision {
		case payment.Succeeded:
			w.tell(t, "settle", fmt.Sprintf(`{"id":%q,"status":"approved"}`, p.ProviderReference))
		case payment.Rejected:
			w.tell(t, "settle", fmt.Sprintf(`{"id":%q,"status":"rejected"}`, p.ProviderReference))
		default:
			pending = append(pending, p.ProviderReference)
		}
	}
	if status, err := w.call(t.Context(), http.MethodGet, w.sandbox+"/_sandbox/webhooks", "", "", nil); err != nil || status != http.StatusOK {
		t.Fatalf("webhooks: %d, %v", status, err) // it answers once all were delivered
	}
	storm := []string{"no JSON", ""}
	for len(hooks) > 0 {
		storm = append(storm, <-hooks)
	}
	if len(storm) < 2+payments*2/3 {
		t.Fatalf("there are %d webhooks", len(storm)-2)
	}
	genuine, token := storm[2], regexp.MustCompile(`pse-[0-9a-f]+`)
	for _, reference := range append(pending, "pse-nobody") {
		forged := token.ReplaceAllString(genuine, reference)
		if forged == genuine {
			t.Fatalf("the webhook %s has no token", genuine)
		}
		storm = append(storm, forged)
	}
	w.post(t, storm, 5)
	for id, status := range want {
		if status == payment.Pending {
			w.refresh(t, id) // whatever the storm began is over after it
			if p := w.get(t.Context(), t, id); p.Status != status {
				t.Errorf("a forged webhook made it %s", p.Status)
			}
			continue
		}
		waitUntil(t.Context(), t, func() bool { return w.get(t.Context(), t, id).Status.Final() })
		checkHistory(t, w, id, status)
	}
}

// post sends each webhook to the router a number of times, shuffled, from 16 senders, and each once with a wrong secret.
func (w *world) post(t *testing.T, hooks []string, times int) {
	t.Helper()
	var all []string
	for range times {
		all = append(all, hooks...)
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var senders sync.WaitGroup
	var next atomic.Int64
	for range 16 {
		senders.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				for secret, want := range map[string]int{hookSecret: http.StatusOK, "guessed": http.StatusNotFound} {
					status, err := w.call(t.Context(), http.MethodPost, w.url+"/v1/notifications/tpaga-pse/"+secret, "", all[i], nil)
					if err != nil || status != want {
						t.Errorf("%q with the secret %s: %d, %v", all[i], secret, status, err)
					}
				}
			}
		})
	}
	senders.Wait()
}

// Rules are exchanged while payments run, by SIGHUP, faulty ones among them. No payment suffers, and each was decided by
// one set of rules that was good.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	const payments, reloads = 200, 9
	w := newWorld(t, "20s")
	w.startRouter(t)
	path := filepath.Join(w.dir, "routing.hcl")
	original, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]bool{w.rulesHash(t): true}
	done, wait := w.load(t, payments)
	for k := range reloads {
		waitUntil(t.Context(), t, func() bool { return done.Load() >= int64(payments*k/reloads) })
		faulty, before, refusals := k%3 == 2, w.rulesHash(t), strings.Count(w.router.output(), faultyRules)
		next := fmt.Sprintf("%s\nlocals { turn = %d }\n", original, k)
		if faulty {
			next = string(original) + "\nroute \"half\" {"
		}
		if err := os.WriteFile(path+".new", []byte(next), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if err := w.router.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		waitUntil(t.Context(), t, func() bool {
			if faulty {
				return strings.Count(w.router.output(), faultyRules) > refusals
			}
			return w.rulesHash(t) != before
		})
		now := w.rulesHash(t)
		if faulty && now != before {
			t.Errorf("faulty rules became %s", now)
		}
		good[now] = true
	}
	used := map[string]bool{}
	for key, p := range wait() {
		var whole struct {
			payment.Payment
			Decision payment.Decision
		}
		if _, err := w.call(t.Context(), http.MethodGet, w.url+"/v1/payments/"+p.ID+"?decision=true", "", "", &whole); err != nil {
			t.Fatal(err)
		}
		if p.Status != payment.Pending || !good[p.Rules] || whole.Decision.Rules != p.Rules || whole.Rules != p.Rules {
			t.Errorf("%s is %s %+v by the rules %s; its decision names %s", key, p.Status, p.Failure, p.Rules, whole.Decision.Rules)
		}
		used[p.Rules] = true
	}
	if len(used) < 3 {
		t.Errorf("the payments were decided by %d sets of rules only", len(used))
	}
}

// faultyRules is what the router logs instead of taking them up.
const faultyRules = "the rules were not reloaded"

func (w *world) rulesHash(t *testing.T) string {
	t.Helper()
	var rules struct{ Hash string }
	if status, err := w.call(t.Context(), http.MethodGet, w.url+"/v1/rules", "", "", &rules); err != nil || status != http.StatusOK {
		t.Fatalf("rules: %d, %v", status, err)
	}
	return rules.Hash
}
