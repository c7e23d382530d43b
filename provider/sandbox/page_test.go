package sandbox_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

// page creates a charge and returns its id and the path of its page.
func (d driver) page(shown, returnTo string) (id, path string) {
	d.Helper()
	body, _ := json.Marshal(map[string]string{
		"key": shown + returnTo, "amount": "1234567.50", "shown": shown, "return_to": returnTo,
	})
	var out struct{ ID, URL string }
	got := d.send("POST", "/charges", string(body))
	if err := json.Unmarshal([]byte(got.Body), &out); err != nil || !strings.HasPrefix(out.URL, d.url+"/") {
		d.Fatalf("the page is not on the host that was asked: %+v", got)
	}
	return out.ID, strings.TrimPrefix(out.URL, d.url)
}

func (d driver) decide(path, decision string) reply {
	d.Helper()
	return d.send("POST", path, form("decision", decision), "Content-Type", "application/x-www-form-urlencoded")
}

func TestPage(t *testing.T) {
	t.Parallel()
	for decision, want := range map[string]sandbox.Status{"approve": sandbox.Approved, "decline": sandbox.Rejected} {
		t.Run(decision, func(t *testing.T) {
			t.Parallel()
			d := serve(t, toyOptions())
			shop := &listener{}
			d.listen(shop)
			id, path := d.page("Two chairs", "https://shop.example/return?order=1&x=2")
			shown := d.send("GET", path, "")
			for _, text := range []string{"Toy shop", "Toy bank", "Two chairs", "1,234,567.50 COP", `value="approve"`, `value="decline"`, `<html lang="en">`, `name="viewport"`} {
				if !strings.Contains(shown.Body, text) {
					t.Errorf("the page lacks %s:\n%s", text, shown.Body)
				}
			}
			got := d.decide(path+"?enc=xyz", decision)
			if got.Status != http.StatusSeeOther || got.Header.Get("Location") != "https://shop.example/return?order=1&x=2" {
				t.Errorf("the payer is sent to %+v", got)
			}
			if entry := d.ledger()[0]; entry.Status != want {
				t.Errorf("the ledger says %s, want %s", entry.Status, want)
			}
			hook := `{"claim":"` + string(want) + `","id":"` + id + `"}`
			if d.deliveries(); len(shop.received()) != 1 || shop.received()[0] != hook {
				t.Errorf("webhooks %q, want %s", shop.received(), hook)
			}
			// Whatever is pressed now, it stays as it is.
			for _, again := range []string{"approve", "decline"} {
				got := d.decide(path, again)
				if strings.Contains(got.Body, "<form") || !strings.Contains(got.Body, `href="https://shop.example/return?order=1&amp;x=2"`) {
					t.Errorf("%s again: %+v", again, got)
				}
			}
			if entry := d.ledger()[0]; entry.Status != want || len(d.deliveries()) != 1 {
				t.Errorf("a second decision is taken: %+v", entry)
			}
		})
	}
}

func TestPageStates(t *testing.T) {
	t.Parallel()
	d := serve(t, toyOptions())
	for status, says := range map[string]string{
		"approved": "This payment has been approved", "rejected": "This payment has been declined", "expired": "This payment has expired",
	} {
		id, path := d.page(status, "https://shop.example/")
		d.control("POST", "settle", `{"id":"`+id+`","status":"`+status+`"}`, nil)
		if got := d.send("GET", path, ""); got.Status != 200 || !strings.Contains(got.Body, says) || strings.Contains(got.Body, "<form") {
			t.Errorf("%s: %+v", status, got)
		}
	}
	_, path := d.page("in time", "https://shop.example/")
	d.control("POST", "clock", `{"advance_s":1800}`, nil)
	if got := d.decide(path, "approve"); !strings.Contains(got.Body, "This payment has expired") {
		t.Errorf("approved too late: %+v", got)
	}
	if got := d.decide(path, "perhaps"); got.Status != http.StatusBadRequest {
		t.Errorf("an unknown decision: %+v", got)
	}
	var refused struct{ URL string }
	json.Unmarshal([]byte(d.send("POST", "/charges", `{"key":"refused","amount":"10.00","word":"refuse"}`).Body), &refused)
	for _, call := range []string{"GET /bank/nobody", "POST /bank/nobody", "GET " + strings.TrimPrefix(refused.URL, d.url)} {
		method, path, _ := strings.Cut(call, " ")
		got := d.send(method, path, form("decision", "approve"), "Content-Type", "application/x-www-form-urlencoded")
		if got.Status != http.StatusNotFound || !strings.Contains(got.Body, "There is no such payment") {
			t.Errorf("%s, which is no charge to pay: %+v", call, got)
		}
	}
}

func TestPageIsSafe(t *testing.T) {
	t.Parallel()
	d := serve(t, toyOptions())
	id, path := d.page(`<script>alert("x")</script>`, "javascript:alert(1)")
	got := d.send("GET", path, "")
	if strings.Contains(got.Body, "<script") || !strings.Contains(got.Body, "&lt;script&gt;") {
		t.Errorf("the description is not escaped:\n%s", got.Body)
	}
	for header, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Content-Type": "text/html; charset=utf-8",
	} {
		if got.Header.Get(header) != want {
			t.Errorf("%s is %q, want %q", header, got.Header.Get(header), want)
		}
	}
	// Neither a redirect nor a link leads anywhere but to http and https.
	after := d.decide(path, "approve")
	if after.Status != http.StatusOK || strings.Contains(after.Body, "javascript") || strings.Contains(after.Body, "href") {
		t.Errorf("after the decision: %+v", after)
	}
	if d.ledger()[0].ID != id || d.ledger()[0].Status != sandbox.Approved {
		t.Errorf("ledger: %s", pretty(d.ledger()))
	}
}
