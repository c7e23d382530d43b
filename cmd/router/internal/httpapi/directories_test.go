package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func TestBillers(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	if a := w.do("GET", "/v1/billers", ""); strings.TrimSpace(a.Body) != `{"billers":[],"next_cursor":null}` {
		t.Errorf("without billers: %s", a.Body)
	}
	w.acme.SetBills([]provider.Biller{
		{ID: "etb", Name: "ETB", Queryable: true}, {ID: "claro", Name: "Claro", AmountEditable: true}, {ID: "vanti", Name: "Vanti"},
	})
	for path, want := range map[string]string{
		"?limit=1":              `{"billers":[{"id":"claro","name":"Claro","amount_editable":true,"queryable":false,"providers":["acme"]}],"next_cursor":"claro"}`,
		"?limit=1&cursor=claro": `{"billers":[{"id":"etb","name":"ETB","amount_editable":false,"queryable":true,"providers":["acme"]}],"next_cursor":"etb"}`,
		"?cursor=etb":           `{"billers":[{"id":"vanti","name":"Vanti","amount_editable":false,"queryable":false,"providers":["acme"]}],"next_cursor":null}`,
		"?cursor=zzz":           `{"billers":[],"next_cursor":null}`,
	} {
		if a := w.do("GET", "/v1/billers"+path, ""); a.Status != http.StatusOK || strings.TrimSpace(a.Body) != want {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=501", "?page=2"} {
		if a := w.do("GET", "/v1/billers"+query, ""); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
}

func TestBill(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	w.acme.SetBills([]provider.Biller{{ID: "etb", Name: "ETB"}, {ID: "agua/luz", Name: "Agua y luz"}},
		provider.BillDetail{Biller: "etb", Reference: "111100005555", Amount: payment.Pesos(12_300)},
		provider.BillDetail{Biller: "agua/luz", Reference: "1 2", Amount: payment.Pesos(1), AmountEditable: true})
	for path, want := range map[string]string{
		"etb/bills/111100005555": `{"biller":"etb","reference":"111100005555","amount":"12300.00","amount_editable":false,"provider":"acme"}`,
		"agua%2Fluz/bills/1%202": `{"biller":"agua/luz","reference":"1 2","amount":"1.00","amount_editable":true,"provider":"acme"}`,
	} {
		if a := w.do("GET", "/v1/billers/"+path, ""); a.Status != http.StatusOK || strings.TrimSpace(a.Body) != want {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	if a := w.do("GET", "/v1/billers/nobody/bills/1", ""); a.Status != http.StatusNotFound {
		t.Errorf("a biller that nobody has: %d %s", a.Status, a.Body)
	}
	for _, c := range []struct {
		err    error
		status int
		code   string
		field  string
	}{
		{nil, http.StatusUnprocessableEntity, "invalid_request", "reference"}, // there is no such bill
		{provider.Errorf(provider.CodeDeclined, "it is paid"), http.StatusUnprocessableEntity, "bill_declined", ""},
		{provider.Errorf(provider.CodeUnavailable, "hush"), http.StatusServiceUnavailable, "bill_unavailable", ""},
		{provider.Errorf(provider.CodeUnauthorized, "hush"), http.StatusServiceUnavailable, "bill_unavailable", ""},
	} {
		w.acme.FailReads(c.err)
		a := w.do("GET", "/v1/billers/etb/bills/2", "")
		p := a.problem(t)
		if a.Status != c.status || p.Code != c.code || strings.Contains(a.Body, "hush") {
			t.Errorf("%v: %d %s", c.err, a.Status, a.Body)
		}
		if c.field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != c.field) {
			t.Errorf("%v: %+v", c.err, p.Errors)
		}
	}
}

func TestProviderBalance(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	w.acme.SetBalance(provider.Balance{Available: payment.Pesos(900_000), Currency: "COP"})
	want := `"balance":{"available":"900000.00","overdraft":"0.00","currency":"COP","read_at":"`
	if a := w.do("GET", "/v1/providers", ""); !strings.Contains(a.Body, want) {
		t.Errorf("got %s", a.Body)
	}
}
