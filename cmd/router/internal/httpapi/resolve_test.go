package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func TestResolvePayment(t *testing.T) {
	t.Parallel()
	w := start(t, nil, nil)
	doubtful := func(key string) string {
		w.acme.Script(providertest.LoseBefore())
		p := w.pay(key)
		if p.Status != payment.InDoubt {
			t.Fatalf("the payment is %s", p.Status)
		}
		return "/v1/payments/" + p.ID
	}
	path := doubtful("order-1")

	for _, test := range []struct{ name, body, code, field string }{
		{"no status", `{"note":"seen"}`, "invalid_request", "status"},
		{"not the end of anything", `{"status":"pending","note":"seen"}`, "invalid_request", "status"},
		{"a status that only the provider gives", `{"status":"expired","note":"seen"}`, "invalid_request", "status"},
		{"no note", `{"status":"failed"}`, "invalid_request", "note"},
		{"an empty note", `{"status":"failed","note":" \n"}`, "invalid_request", "note"},
		{"too long a note", `{"status":"failed","note":"` + strings.Repeat("ñ", maxNote+1) + `"}`, "invalid_request", "note"},
		{"a slip", `{"status":"failed","note":"seen","staus":"succeeded"}`, "invalid_request", "staus"},
		{"a status twice", `{"status":"failed","status":"succeeded","note":"seen"}`, "invalid_request", "status"},
		{"a list", `[]`, "invalid_json", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := w.do("POST", path+"/resolve", test.body).problem(t)
			if p.Code != test.code || test.field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != test.field) {
				t.Errorf("%+v", p)
			}
		})
	}
	if p := w.do("GET", path, "").payment(t); p.Status != payment.InDoubt {
		t.Fatalf("a refused resolution left it %s", p.Status)
	}

	for status, key := range map[payment.Status]string{payment.Succeeded: "order-2", payment.Rejected: "order-3", payment.Failed: "order-4"} {
		t.Run(string(status), func(t *testing.T) {
			path := doubtful(key)
			note := strings.Repeat("ñ", maxNote)
			body := `{"status":"` + string(status) + `","note":"` + note + `"}`
			if a := w.do("POST", path+"/resolve", body); a.Status != http.StatusOK || a.payment(t).Status != status {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			kept := w.do("GET", path+"?events=true", "").payment(t)
			last := kept.Events[len(kept.Events)-1]
			if kept.Status != status || last.Type != payment.EventResolved || last.Data.Note != note {
				t.Errorf("it is %s, its last event is %+v", kept.Status, last)
			}
			if a := w.do("POST", path+"/resolve", body); a.Status != http.StatusUnprocessableEntity || a.problem(t).Code != "not_resolvable" {
				t.Errorf("a second time: %d %s", a.Status, a.Body)
			}
		})
	}

	t.Run("one that is not there", func(t *testing.T) {
		a := w.do("POST", "/v1/payments/pay_00000000000000000000000000/resolve", `{"status":"failed","note":"seen"}`)
		if a.Status != http.StatusNotFound {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}
