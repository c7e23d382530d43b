package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/conformance"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// bugs are the checks with a mutant: acme with just that rule broken, which just that check must find. Where a rule
// cannot be broken alone, the ids that fail with it follow.
var bugs = func() map[string][]string {
	all := map[string][]string{
		"ambiguity/no-own-repeat":          {"ambiguity/drop-before", "ambiguity/reference-kept"},
		"amounts/currency":                 {"amounts/lookup-echo", "idempotency/parallel-attempts", "submit/echo"},
		"amounts/exact":                    {"amounts/cents", "amounts/greatest", "amounts/least", "amounts/lookup-echo", "idempotency/parallel-attempts", "submit/echo"},
		"banks/broken-500":                 {"banks/broken-drop", "banks/broken-garble", "banks/broken-html"},
		"billers/listed":                   {"billers/unknown-page"},
		"bills/unknown-biller":             {"bills/other-amount"},
		"idempotency/after-lost-answer":    {"idempotency/after-garbled-answer", "idempotency/after-lost-request"},
		"idempotency/after-restart":        {"idempotency/concurrent-one-charge"},
		"idempotency/same-key-one-charge":  {"idempotency/after-approval", "idempotency/after-garbled-answer", "idempotency/after-lost-answer", "idempotency/after-lost-request", "idempotency/after-restart", "idempotency/concurrent-one-charge", "idempotency/long-after"},
		"idempotency/two-keys-two-charges": {"idempotency/parallel-attempts"},
		"lookup/approved":                  {"lookup/after-restart", "lookup/late-success", "lookup/own-attempt", "lookup/token-expired"},
		"lookup/pending":                   {"lookup/own-attempt"},
		"lookup/rejected":                  {"lookup/late-success"},
		"notifications/names-attempt":      {"notifications/after-restart", "notifications/executes-nothing", "notifications/forged", "notifications/repeated"},
		"submit/echo":                      {"idempotency/parallel-attempts"},
		"submit/key-sent":                  {"amounts/cents", "amounts/exact", "amounts/greatest", "amounts/least", "idempotency/after-approval", "idempotency/after-garbled-answer", "idempotency/after-lost-answer", "idempotency/after-lost-request", "idempotency/after-restart", "idempotency/concurrent-one-charge", "idempotency/long-after", "idempotency/parallel-attempts", "idempotency/same-key-one-charge", "idempotency/two-keys-two-charges", "submit/echo", "submit/name-parts", "submit/taken"},
		"submit/operation":                 {"submit/redirect"},
		"submit/status":                    {"submit/redirect", "submit/true-status"},
		"tokens/html":                      {"tokens/garbled"},
		"tokens/one-for-a-burst":           {"tokens/expired-burst"},
		"tokens/refreshed":                 {"tokens/expired", "tokens/expired-burst"},
		"tokens/reused":                    {"tokens/expired-burst", "tokens/one-for-a-burst", "tokens/refreshed"},
	}
	for _, alone := range strings.Fields(`
		ambiguity/empty-200 ambiguity/empty-201 ambiguity/empty-504 ambiguity/garble ambiguity/html-200 ambiguity/html-500
		ambiguity/html-502 ambiguity/list-200 ambiguity/no-content-204 ambiguity/null-200 ambiguity/object-200
		ambiguity/too-many-requests ambiguity/trailing-200 ambiguity/unauthorized ambiguity/unreachable
		amounts/cents amounts/greatest amounts/least amounts/lookup-echo amounts/other-currency
		balance/told
		banks/listed banks/other-method
		billers/unknown-page
		bills/amount bills/other-amount
		check/good
		config/all-faults config/documented config/errors-hide-secrets config/names config/no-call config/secrets-marked
		config/types-checked config/unknown-refused config/values-checked
		contract/abandon-redirects-only contract/abilities contract/assumptions contract/capabilities-once contract/document-types
		contract/info-stable contract/info-valid contract/name contract/recovery contract/undeclared-refused contract/version
		deadlines/close-unconfigured
		documents/declared-taken documents/others-refused
		idempotency/resend-claims-nothing
		lookup/by-key lookup/changes-nothing lookup/empty lookup/empty-200 lookup/expired lookup/garble lookup/html-200 lookup/html-500
		lookup/list-200 lookup/null-200 lookup/unknown-key
		notifications/garbage-empty notifications/garbage-list notifications/garbage-null notifications/garbage-object
		privacy/action privacy/errors-200 privacy/errors-400 privacy/errors-500 privacy/paths privacy/refusals privacy/secrets-in-bodies
		statement/pages statement/same-as-books
		submit/field-lengths submit/field-patterns submit/name-parts submit/no-key submit/one-call submit/redirect
		submit/required-fields submit/true-status submit/undeclared-method
		tokens/dropped tokens/failed tokens/no-loop tokens/not-in-paths tokens/refused
	`) {
		all[alone] = nil
	}
	return all
}()

// newSandbox serves acme's simulator.
func newSandbox(t testing.TB) string {
	t.Helper()
	kit, err := sandbox.New(sandbox.Options[charge]{
		Name: "acme",
		Endpoints: append([]sandbox.Endpoint[charge]{
			{Kind: sandbox.Create, Method: "POST", Path: "/charges", Handle: authorized(create)},
			{Kind: sandbox.Lookup, Method: "GET", Path: "/charges", Handle: authorized(lookUp)},
			{Kind: sandbox.Banks, Method: "GET", Path: "/banks", Handle: authorized(func(*sandbox.Call[charge]) sandbox.Answer {
				return sandbox.JSON(http.StatusOK, []provider.Bank{{Code: "1007", Name: "Bancolombia"}, {Code: "1051", Name: "Davivienda"}})
			})},
			{Kind: sandbox.Billers, Method: "GET", Path: "/billers", Handle: authorized(func(*sandbox.Call[charge]) sandbox.Answer {
				return sandbox.JSON(http.StatusOK, provider.BillerPage{Billers: []provider.Biller{{ID: "etb", Name: "ETB", Queryable: true}}})
			})},
			{Kind: sandbox.Bill, Method: "GET", Path: "/bills/{biller}/{reference}", Handle: authorized(func(c *sandbox.Call[charge]) sandbox.Answer {
				if c.Request.PathValue("biller") != "etb" {
					return sandbox.Answer{Status: http.StatusNotFound}
				}
				return sandbox.JSON(http.StatusOK, provider.BillDetail{Biller: "etb", Reference: c.Request.PathValue("reference"), Amount: payment.Pesos(12_300)})
			})},
			{Kind: sandbox.Balance, Method: "GET", Path: "/balance", Handle: authorized(func(*sandbox.Call[charge]) sandbox.Answer {
				return sandbox.JSON(http.StatusOK, provider.Balance{Available: payment.Pesos(1_000_000), Currency: "COP"})
			})},
			{Kind: sandbox.Statement, Method: "GET", Path: "/statement", Handle: authorized(func(c *sandbox.Call[charge]) sandbox.Answer {
				list := []charge{}
				for _, t := range c.Transactions() {
					list = append(list, shown(t))
				}
				return sandbox.JSON(http.StatusOK, list)
			})},
		}, sandbox.OAuthEndpoints[charge](sandbox.OAuth{TokenPath: "/token", Lifetime: time.Hour, InBody: true})...),
		Webhook: func(_ *sandbox.Books[charge], t *sandbox.Transaction[charge], _ sandbox.Status) sandbox.Message {
			body, _ := json.Marshal(shown(t))
			return sandbox.Message{Body: body}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(kit)
	t.Cleanup(func() {
		if err := kit.Close(); err != nil {
			t.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func authorized(handle func(*sandbox.Call[charge]) sandbox.Answer) func(*sandbox.Call[charge]) sandbox.Answer {
	return func(c *sandbox.Call[charge]) sandbox.Answer {
		if !c.Authorized() {
			return sandbox.Answer{Status: http.StatusUnauthorized}
		}
		return handle(c)
	}
}

func create(c *sandbox.Call[charge]) sandbox.Answer {
	var in charge
	if json.Unmarshal(c.Body, &in) != nil || in.Operation == payment.PayIn && in.Bank == "9999" {
		return sandbox.Answer{Status: http.StatusUnprocessableEntity}
	}
	if t := c.ByKey(in.Key); t != nil {
		return sandbox.JSON(http.StatusConflict, shown(t))
	}
	t := c.Add(sandbox.Transaction[charge]{Detail: charge{URL: c.BaseURL() + "/page"}, Entry: sandbox.Entry{
		ID: "acme-" + sandbox.RandomHex(8), Key: in.Key, Operation: in.Operation, Amount: in.Amount, Currency: in.Currency, Status: sandbox.Pending,
	}})
	return sandbox.JSON(http.StatusCreated, shown(t))
}

func lookUp(c *sandbox.Call[charge]) sandbox.Answer {
	t := c.ByKey(c.Request.URL.Query().Get("key"))
	if t == nil {
		return sandbox.Answer{Status: http.StatusNotFound}
	}
	return sandbox.JSON(http.StatusOK, shown(t))
}

func shown(t *sandbox.Transaction[charge]) charge {
	return charge{
		ID: t.ID, Key: t.Key, Operation: t.Operation, Amount: t.Amount, Currency: t.Currency, Status: string(t.Status), URL: t.Detail.URL,
	}
}

// judged returns the ids of the checks that fail for acme with a bug, and all details.
func judged(t *testing.T, bug string, pattern string) (failed []string, details string) {
	t.Helper()
	suite, err := conformance.New(t.Context(), conformance.Config{
		Open:    func(context.Context) (provider.Provider, error) { return newAcme(bug), nil },
		Sandbox: newSandbox(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	report := suite.Report(t.Context(), regexp.MustCompile(pattern), nil)
	for _, c := range report.Checks {
		if c.Verdict == conformance.Fail {
			failed = append(failed, c.ID)
			details += fmt.Sprintf("%s: %s\n", c.ID, c.Detail)
		}
	}
	return failed, details
}

func TestAcmeKeepsEveryRule(t *testing.T) {
	if failed, details := judged(t, "", ""); len(failed) > 0 {
		t.Errorf("%d checks fail:\n%s", len(failed), details)
	}
}

// judges is the pattern of the checks that run for a mutant: those of its own topic but those that wait for a deadline,
// and those that count money, all of them where the bug is about money.
func judges(bug string) string {
	switch topic, _, _ := strings.Cut(bug, "/"); topic {
	case "submit", "amounts", "idempotency":
		return "^(submit|amounts|idempotency)/"
	case "lookup", "ambiguity":
		return "^(" + topic + "/([^d]|dr)|(submit|amounts|idempotency)/)"
	default:
		return "^(" + topic + "/|submit/taken$|amounts/exact$|idempotency/same-key-one-charge$)"
	}
}

func TestMutants(t *testing.T) {
	for bug, also := range bugs {
		t.Run(bug, func(t *testing.T) {
			t.Parallel()
			failed, details := judged(t, bug, judges(bug))
			want := append([]string{bug}, also...)
			slices.Sort(want)
			slices.Sort(failed)
			if !slices.Equal(failed, want) {
				t.Errorf("%s fail, want %s\n%s", strings.Join(failed, ", "), strings.Join(want, ", "), details)
			}
		})
	}
}
