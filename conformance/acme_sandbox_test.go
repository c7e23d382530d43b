package conformance_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

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
		Webhook: func(_ *sandbox.Books[charge], t *sandbox.Transaction[charge], claimed sandbox.Status) sandbox.Message {
			told := shown(t)
			told.Status = string(claimed)
			body, _ := json.Marshal(told)
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
			return sandbox.JSON(http.StatusUnauthorized, map[string]string{"error": "token_expired"})
		}
		return handle(c)
	}
}

func create(c *sandbox.Call[charge]) sandbox.Answer {
	var in charge
	if json.Unmarshal(c.Body, &in) != nil || in.Bank == "9999" {
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
