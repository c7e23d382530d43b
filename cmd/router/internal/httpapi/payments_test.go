package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func TestCreatePayment(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)

	t.Run("a payment has its URL, its place and its attempt", func(t *testing.T) {
		a := w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-1")
		p := a.payment(t)
		if a.Status != http.StatusCreated || a.Header.Get("Location") != "/v1/payments/"+p.ID || a.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%d %v", a.Status, a.Header)
		}
		if p.Status != payment.Pending || p.Action == nil || p.Route != "pse" || len(p.Attempts) != 1 || p.ReturnURL != "https://shop.example/return?a=1&b=2" {
			t.Errorf("%s", a.Body)
		}
		if strings.Contains(a.Body, `\u0026`) {
			t.Errorf("a URL cannot be copied from %s", a.Body)
		}
	})
	t.Run("the same key is the same payment, however it is written", func(t *testing.T) {
		first := w.pay("order-2")
		respelt := strings.ReplaceAll(strings.Replace(good, `"20000.00"`, `20000.0`, 1), "\n", "  ")
		respelt = strings.Replace(respelt, `"payer"`, `"metadata":{},"bill":null,"currency":"COP","payer"`, 1)
		for _, key := range []string{"order-2", `"order-2"`} {
			a := w.do("POST", "/v1/payments", respelt, "Idempotency-Key", key)
			if a.Status != http.StatusOK || a.Header.Get("Idempotent-Replayed") != "true" || a.payment(t).ID != first.ID {
				t.Errorf("key %s: %d %v %s", key, a.Status, a.Header, a.Body)
			}
			if a.Header.Get("Location") != "/v1/payments/"+first.ID {
				t.Errorf("Location is %q", a.Header.Get("Location"))
			}
		}
	})
	t.Run("the same key with another request is refused", func(t *testing.T) {
		w.pay("order-3")
		a := w.do("POST", "/v1/payments", strings.Replace(good, "20000.00", "20000.01", 1), "Idempotency-Key", "order-3")
		if p := a.problem(t); a.Status != http.StatusUnprocessableEntity || p.Code != "idempotency_key_reused" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("a rule's no is a payment", func(t *testing.T) {
		a := w.do("POST", "/v1/payments", strings.Replace(good, "20000.00", "999", 1), "Idempotency-Key", "order-4")
		if p := a.payment(t); a.Status != http.StatusCreated || p.Status != payment.Rejected || p.Failure.Code != "rule" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("no route is a payment", func(t *testing.T) {
		a := w.do("POST", "/v1/payments", strings.Replace(good, `"pse"`, `"efecty"`, 1), "Idempotency-Key", "order-5")
		if p := a.payment(t); a.Status != http.StatusCreated || p.Status != payment.Failed || p.Failure.Code != "no_route" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

// Fifty callers with one key get one payment; one of them made it.
func TestCreatePaymentConcurrently(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	var all sync.WaitGroup
	answers := make([]answer, 50)
	for i := range answers {
		all.Go(func() { answers[i] = w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-1") })
	}
	all.Wait()
	created := 0
	for _, a := range answers {
		if a.Status == http.StatusCreated {
			created++
		}
		if p := a.payment(t); p.ID != answers[0].payment(t).ID || p.Status != payment.Pending {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if n := len(w.acme.Submits()); created != 1 || n != 1 {
		t.Errorf("%d were created, %d handed over", created, n)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	for _, test := range []struct {
		name, code string
		header     []string
	}{
		{"none", "idempotency_key_missing", nil},
		{"an empty one", "idempotency_key_missing", []string{"Idempotency-Key", " "}},
		{"two", "idempotency_key_missing", []string{"Idempotency-Key", "a", "Idempotency-Key", "a"}},
		{"an empty quoted one", "idempotency_key_invalid", []string{"Idempotency-Key", `""`}},
		{"too long", "idempotency_key_invalid", []string{"Idempotency-Key", strings.Repeat("k", 256)}},
		{"a tab", "idempotency_key_invalid", []string{"Idempotency-Key", "a\tb"}},
		{"not ASCII", "idempotency_key_invalid", []string{"Idempotency-Key", "pedido-ñ"}},
		{"a quote that is not closed", "idempotency_key_invalid", []string{"Idempotency-Key", `"order`}},
		{"a quote too many", "idempotency_key_invalid", []string{"Idempotency-Key", `"a"b"`}},
		{"a quoted string that ends in an escape", "idempotency_key_invalid", []string{"Idempotency-Key", `"a\"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := w.do("POST", "/v1/payments", good, test.header...)
			if p := a.problem(t); a.Status != http.StatusBadRequest || p.Code != test.code {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	t.Run("escapes are undone", func(t *testing.T) {
		p := w.pay(`"say \"hi\" \\ "`)
		if p.IdempotencyKey != `say "hi" \ ` {
			t.Errorf("the key is %q", p.IdempotencyKey)
		}
	})
	t.Run("255 characters", func(t *testing.T) { w.pay(strings.Repeat("k", 255)) })
	if n := len(w.acme.Submits()); n != 2 {
		t.Errorf("%d payments were handed over, want 2", n)
	}
}

func TestPreferWait(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		prefer []string
		want   time.Duration
	}{
		{nil, 30 * time.Second},
		{[]string{"wait=0"}, 0},
		{[]string{"wait=10"}, 10 * time.Second},
		{[]string{"respond-async, Wait = 5"}, 5 * time.Second},
		{[]string{"handling=lenient", "wait=7"}, 7 * time.Second},
		{[]string{"wait=3600"}, time.Minute},
		{[]string{"wait=-1"}, 30 * time.Second},
		{[]string{"wait=soon"}, 30 * time.Second},
		{[]string{"wait=99999999999999999999"}, 30 * time.Second},
	} {
		r := &http.Request{Header: http.Header{"Prefer": test.prefer}}
		if got := preferredWait(r); got != test.want {
			t.Errorf("Prefer: %q: %s, want %s", test.prefer, got, test.want)
		}
	}

	t.Run("who does not wait sees it processing", func(t *testing.T) {
		t.Parallel()
		w := start(t, nil, nil)
		release := make(chan struct{})
		w.acme.Script(providertest.Step{Execute: true, Status: provider.Pending, Before: func(provider.Attempt) { <-release }})
		a := w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-1", "Prefer", "wait=0")
		p := a.payment(t)
		if a.Status != http.StatusCreated || p.Status != payment.Processing {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		close(release)
		eventually(t, "the payment is pending", func() bool {
			return w.do("GET", "/v1/payments/"+p.ID, "").payment(t).Status == payment.Pending
		})
	})
	t.Run("waiting may take longer than arriving", func(t *testing.T) {
		t.Parallel()
		w := start(t, nil, func(s *http.Server) { s.ReadTimeout = time.Second })
		w.acme.Script(providertest.Step{Execute: true, Status: provider.Pending, Before: func(provider.Attempt) { <-time.After(1200 * time.Millisecond) }})
		if p := w.pay("order-1"); p.Status != payment.Pending {
			t.Errorf("the payment is %s", p.Status)
		}
	})
	t.Run("who leaves does not stop the hand-over", func(t *testing.T) {
		t.Parallel()
		w := start(t, nil, nil)
		release, handed := make(chan struct{}), make(chan struct{})
		w.acme.Script(providertest.Step{Execute: true, Status: provider.Succeeded, Before: func(provider.Attempt) { close(handed); <-release }})
		ctx, leave := contextOf(t)
		req, _ := http.NewRequestWithContext(ctx, "POST", w.url+"/v1/payments", strings.NewReader(good))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", "order-1")
		left := make(chan struct{})
		go func() {
			defer close(left)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
				t.Errorf("status %d for one who had left", resp.StatusCode)
			}
		}()
		<-handed
		leave()
		<-left
		close(release)
		eventually(t, "the payment succeeds", func() bool {
			return w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-1").payment(t).Status == payment.Succeeded
		})
	})
}

func TestGetPayment(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	p := w.pay("order-1")
	path := "/v1/payments/" + p.ID

	t.Run("bare", func(t *testing.T) {
		if got := w.do("GET", path, "").payment(t); got.ID != p.ID || got.Events != nil || got.Decision != nil {
			t.Errorf("%+v", got)
		}
	})
	t.Run("with its history and decision", func(t *testing.T) {
		got := w.do("GET", path+"?events=true&decision=true", "").payment(t)
		var types []string
		for i, e := range got.Events {
			types = append(types, string(e.Type))
			if e.Seq != int64(i+1) {
				t.Errorf("event %d has number %d", i+1, e.Seq)
			}
		}
		want := []string{"created", "decided", "attempt_started", "attempt_ended", "pending"}
		if !slices.Equal(types, want) {
			t.Errorf("events %v, want %v", types, want)
		}
		if got.Decision == nil || got.Decision.Route != "pse" {
			t.Errorf("decision %+v", got.Decision)
		}
	})
	t.Run("a history of several pages", func(t *testing.T) {
		for size := 1; size <= 6; size++ { // it has 5 events
			events, err := w.server.Handler.(*api).history(t.Context(), p.ID, size)
			if err != nil || len(events) != 5 || events[4].Seq != 5 {
				t.Errorf("in pages of %d: %v, %v", size, events, err)
			}
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		for _, id := range []string{"pay_00000000000000000000000000", "pay_1", "..%2f" + p.ID, strings.ToUpper(p.ID), p.ID + "0", "%00", "' or 1=1"} {
			a := w.do("GET", "/v1/payments/"+strings.ReplaceAll(id, " ", "%20"), "")
			if a.Status != http.StatusNotFound || a.problem(t).Code != "not_found" {
				t.Errorf("%s: %d %s", id, a.Status, a.Body)
			}
		}
	})
	t.Run("a misspelt parameter", func(t *testing.T) {
		a := w.do("GET", path+"?event=true&decision=yes", "")
		if p := a.problem(t); a.Status != http.StatusUnprocessableEntity || len(p.Errors) != 2 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

func TestRefreshPayment(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	p := w.pay("order-1")
	w.acme.Settle(p.Attempts[0].Key, provider.Succeeded)
	if got := w.do("POST", "/v1/payments/"+p.ID+"/refresh", "").payment(t); got.Status != payment.Succeeded {
		t.Errorf("the payment is %s", got.Status)
	}
	if a := w.do("POST", "/v1/payments/pay_00000000000000000000000000/refresh", ""); a.Status != http.StatusNotFound {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestListPayments(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	if a := w.do("GET", "/v1/payments", ""); strings.TrimSpace(a.Body) != `{"payments":[],"next_cursor":null}` {
		t.Errorf("an empty list is %s", a.Body)
	}
	var ids []string
	for i := range 5 {
		ids = append([]string{w.pay(fmt.Sprint("order-", i)).ID}, ids...)
	}
	rejected := w.do("POST", "/v1/payments", strings.Replace(good, "20000.00", "999", 1), "Idempotency-Key", "small").payment(t).ID

	list := func(query string) (got []string, next *string) {
		t.Helper()
		a := w.do("GET", "/v1/payments?"+query, "")
		var page struct {
			Payments   []payment.Payment
			NextCursor *string `json:"next_cursor"`
		}
		a.decode(t, &page)
		for _, p := range page.Payments {
			got = append(got, p.ID)
		}
		return got, page.NextCursor
	}
	for _, test := range []struct {
		query string
		want  []string
	}{
		{"", append([]string{rejected}, ids...)},
		{"status=pending", ids},
		{"status=rejected", []string{rejected}},
		{"provider=acme", ids},
		{"reference=ORDER-1001&operation=payin", append([]string{rejected}, ids...)},
		{"reference=nobody", nil},
		{"operation=payout", nil},
		{"created_after=2999-01-01T00:00:00Z", nil},
		{"created_before=2999-01-01T00:00:00-05:00&limit=500&status=rejected", []string{rejected}},
	} {
		if got, next := list(test.query); !slices.Equal(got, test.want) || next != nil {
			t.Errorf("%s: %v and next %v, want %v", test.query, got, next, test.want)
		}
	}
	t.Run("pages", func(t *testing.T) {
		var got []string
		cursor := ""
		for range 3 {
			page, next := list("status=pending&limit=2&cursor=" + cursor)
			got = append(got, page...)
			if next == nil {
				break
			}
			cursor = *next
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%v, want %v", got, ids)
		}
	})
	for _, query := range []string{
		"limit=0", "limit=501", "limit=many", "status=done", "operation=refund", "created_after=yesterday", "created_before=1",
		"cursor=made-up", "state=pending", "status=pending&status=failed",
	} {
		a := w.do("GET", "/v1/payments?"+query, "")
		if p := a.problem(t); a.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || !strings.HasPrefix(query, p.Errors[0].Field+"=") {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
	if a := w.do("GET", "/v1/payments?status=%zz", ""); a.Status != http.StatusBadRequest || a.problem(t).Code != "invalid_query" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestDirectories(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	t.Run("decisions", func(t *testing.T) {
		var d payment.Decision
		w.do("POST", "/v1/decisions", good).decode(t, &d)
		if d.Route != "pse" || !slices.Equal(d.Providers, []string{"acme"}) || !d.Candidates[0].Eligible {
			t.Errorf("%+v", d)
		}
		a := w.do("POST", "/v1/decisions", `{"method":"card","amount":"5000"}`)
		if !strings.Contains(a.Body, `"route":null`) || !strings.Contains(a.Body, `"providers":[]`) {
			t.Errorf("no route: %s", a.Body)
		}
		if a := w.do("POST", "/v1/decisions", `{"method":1}`); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if n := len(w.acme.Submits()); n != 0 {
			t.Errorf("%d were handed over", n)
		}
	})
	t.Run("banks", func(t *testing.T) {
		want := `{"banks":[{"code":"1022","name":"Banco Union","methods":["pse"],"providers":["acme"]}]}`
		eventually(t, want, func() bool { return strings.TrimSpace(w.do("GET", "/v1/banks?method=pse", "").Body) == want })
		if a := w.do("GET", "/v1/banks?method=efecty", ""); strings.TrimSpace(a.Body) != `{"banks":[]}` {
			t.Errorf("%s", a.Body)
		}
		if a := w.do("GET", "/v1/banks?method=cheque", ""); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("providers", func(t *testing.T) {
		if a := w.do("GET", "/v1/providers", ""); !strings.Contains(a.Body, `"name":"acme"`) || !strings.Contains(a.Body, `"healthy":true`) {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("rules", func(t *testing.T) {
		a := w.do("GET", "/v1/rules", "")
		if !strings.Contains(a.Body, w.engine.Rules().Hash()) || !strings.Contains(a.Body, w.engine.RulesLoadedAt().Format(time.RFC3339Nano)) {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("health", func(t *testing.T) {
		for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
			if a := w.do("GET", path, ""); a.Status != http.StatusOK {
				t.Errorf("%s: %d", path, a.Status)
			}
		}
	})
}

func TestStoreThatRefuses(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	p := w.pay("order-1")
	for _, test := range []struct {
		fault       error
		code, after string
	}{
		{store.ErrFull, "store_full", "60"},
		{store.ErrUnavailable, "store_unavailable", "5"},
	} {
		w.store.setFault(test.fault)
		calls := map[string]answer{
			"create": w.do("POST", "/v1/payments", strings.Replace(good, "ORDER", test.code, 1), "Idempotency-Key", test.code),
			"ready":  w.do("GET", "/readyz", ""),
			"notify": w.do("POST", "/v1/notifications/acme/hush-hush", "x"),
		}
		for name, a := range calls {
			if p := a.problem(t); a.Status != http.StatusServiceUnavailable || p.Code != test.code || a.Header.Get("Retry-After") != test.after {
				t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Body)
			}
		}
	}
	if a := w.do("GET", "/healthz", ""); a.Status != http.StatusOK {
		t.Errorf("healthz: %d", a.Status)
	}
	if a := w.do("GET", "/v1/payments/"+p.ID, ""); a.Status != http.StatusOK {
		t.Errorf("get: %d %s", a.Status, a.Body)
	}
}

// A router that stops says so, rather than to lose a payment.
func TestStopping(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	if err := w.engine.Close(); err != nil {
		t.Fatal(err)
	}
	a := w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-1")
	if p := a.problem(t); a.Status != http.StatusServiceUnavailable || p.Code != "stopping" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := w.do("GET", "/readyz", ""); a.Status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", a.Status)
	}
}
