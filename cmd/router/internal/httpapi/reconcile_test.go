package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func TestReconcile(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	w.acme.Always(providertest.Approve())
	p := w.pay("order-1")
	const header = "key,amount,currency,status,created_at\n"
	line := func(amount string) string {
		return fmt.Sprintf("%s,%s,COP,succeeded,%s\n", p.Attempts[0].Key, amount, p.CreatedAt.Format(time.RFC3339Nano))
	}
	for _, c := range []struct {
		name, provider, kind, body string
		status                     int
		want                       string
	}{
		{"matched", "acme", "text/csv", header + line("20000"), http.StatusOK, `"lines":1,"matched":1,"differences":[]`},
		{
			"another amount", "acme", "text/csv; charset=utf-8", header + line("20000.01"), http.StatusOK,
			`"class":"amount_differs","message":"amount: ours 20000.00, theirs 20000.01","payment":"` + p.ID + `","attempt":1`,
		},
		{"a faulty line", "acme", "text/csv", header + line("20.000,00"), http.StatusUnprocessableEntity, "line 2"},
		{"no line", "acme", "text/csv", header, http.StatusOK, `"lines":0,"matched":0,"differences":[{"class":"ours_only"`},
		{"nothing, from a provider that tells nothing", "acme", "", "", http.StatusUnprocessableEntity, `provider \"acme\" tells none`},
		{"JSON", "acme", "application/json", "{}", http.StatusUnsupportedMediaType, "text/csv"},
		{"an unknown provider", "nobody", "text/csv", header + line("20000"), http.StatusNotFound, "not_found"},
		{"too large", "acme", "text/csv", header + strings.Repeat("x", maxStatement), http.StatusRequestEntityTooLarge, "body_too_large"},
	} {
		a := w.do("POST", "/v1/providers/"+c.provider+"/reconcile", c.body, "Content-Type", c.kind)
		if a.Status != c.status || !strings.Contains(a.Body, c.want) {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
		}
	}
	w.acme.SetStatement([]provider.StatementLine{{Key: "0123456789abcdefghij", Amount: payment.Pesos(1), Status: provider.Succeeded}})
	if a := w.do("POST", "/v1/providers/acme/reconcile", ""); a.Status != http.StatusOK || !strings.Contains(a.Body, `"theirs_only"`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	w.acme.FailReads(provider.Errorf(provider.CodeUnavailable, "their night"))
	if a := w.do("POST", "/v1/providers/acme/reconcile", ""); a.Status != http.StatusServiceUnavailable || a.problem(t).Code != "statement_unavailable" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
