package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func TestNotifications(t *testing.T) {
	t.Parallel()
	w := start(t, withKeys, nil)
	p := w.do("POST", "/v1/payments", good, "Idempotency-Key", "order-1", "Authorization", "Bearer payments-secret").payment(t)
	w.acme.Settle(p.Attempts[0].Key, provider.Succeeded)

	t.Run("wrong paths are all alike", func(t *testing.T) {
		want := w.do("POST", "/v1/nowhere", "ref-x")
		for _, path := range []string{"acme/hush-hus", "acme/hush-hushh", "nobody/hush-hush", "acme/", "acme", "acme/hush-hush/more", "acme/%00"} {
			a := w.do("POST", "/v1/notifications/"+path, "ref-"+p.Attempts[0].Key)
			if a.Status != http.StatusNotFound || a.Body != want.Body {
				t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
		}
	})
	t.Run("a webhook is looked into", func(t *testing.T) {
		a := w.do("POST", "/v1/notifications/acme/hush-hush", "ref-"+p.Attempts[0].Key, "Content-Type", "text/plain", "Host", "pay.example.com")
		if a.Status != http.StatusOK || a.Body != "" {
			t.Errorf("%d %q", a.Status, a.Body)
		}
		eventually(t, "the payment succeeds", func() bool {
			return w.do("GET", "/v1/payments/"+p.ID, "", "Authorization", "Bearer read-secret").payment(t).Status == payment.Succeeded
		})
	})
	t.Run("nonsense is taken too", func(t *testing.T) {
		if a := w.do("POST", "/v1/notifications/acme/hush-hush", "{", "Content-Type", "", "Content-Encoding", "gzip"); a.Status != http.StatusOK {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("only so much", func(t *testing.T) {
		if a := w.do("POST", "/v1/notifications/acme/hush-hush", strings.Repeat("x", maxNotification)); a.Status != http.StatusOK {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		a := w.do("POST", "/v1/notifications/acme/hush-hush", strings.Repeat("x", maxNotification+1))
		if a.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("the secret is in no log and no answer", func(t *testing.T) {
		if strings.Contains(w.log.String(), "hush") {
			t.Errorf("the log has it:\n%s", w.log)
		}
		if !strings.Contains(w.log.String(), "/v1/notifications/{provider}/{secret}") {
			t.Error("the log does not name the route")
		}
	})
}
