// Package sandbox simulates Acme Pay on the kit of provider/sandbox. It takes every API key but "wrong".
package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/sandbox"
)

// charge is Acme Pay's record of a charge, besides what every ledger has.
type charge struct {
	ReturnURL string `json:"return_url"`
	NotifyURL string `json:"notify_url"`
}

type (
	call        = sandbox.Call[charge]
	books       = sandbox.Books[charge]
	transaction = sandbox.Transaction[charge]
)

// New returns the sandbox. state is the file that keeps its charges over a restart; "" = memory only.
func New(state string) (http.Handler, error) {
	return sandbox.New(sandbox.Options[charge]{
		Name: "acme", State: state,
		Endpoints: []sandbox.Endpoint[charge]{
			{Kind: sandbox.Create, Method: http.MethodPost, Path: "/charges", Handle: guarded(create)},
			{Kind: sandbox.Lookup, Method: http.MethodGet, Path: "/charges", Handle: guarded(lookUp)},
			{Kind: sandbox.Other, Method: http.MethodGet, Path: "/me", Handle: guarded(func(*call) sandbox.Answer {
				return sandbox.JSON(http.StatusOK, map[string]string{"name": "Shop"})
			})},
		},
		Webhook: func(_ *books, t *transaction, _ sandbox.Status) sandbox.Message {
			return sandbox.Message{URL: t.Detail.NotifyURL, Body: fmt.Appendf(nil, `{"charge":%q}`, t.ID)}
		},
		Page: func(_ *books, t *transaction) sandbox.Page {
			return sandbox.Page{Merchant: "Shop", Bank: "Acme Bank", ReturnURL: t.Detail.ReturnURL}
		},
	})
}

func guarded(handle func(*call) sandbox.Answer) func(*call) sandbox.Answer {
	return func(c *call) sandbox.Answer {
		if key := c.Request.Header.Get("Authorization"); key == "" || key == "Bearer wrong" {
			return refuse(http.StatusUnauthorized, "unknown API key")
		}
		return handle(c)
	}
}

func refuse(status int, message string) sandbox.Answer {
	return sandbox.JSON(status, map[string]string{"error": message})
}

func create(c *call) sandbox.Answer {
	var in struct {
		charge
		Key      string        `json:"key"`
		Amount   payment.Money `json:"amount"`
		Currency string        `json:"currency"`
	}
	if err := json.Unmarshal(c.Body, &in); err != nil || in.Key == "" || in.Amount.Minor() <= 0 || in.Currency != "COP" {
		return refuse(http.StatusUnprocessableEntity, "key, amount and currency are required")
	}
	if t := c.ByKey(in.Key); t != nil {
		return show(c, http.StatusOK, t)
	}
	return show(c, http.StatusCreated, c.Add(transaction{
		Entry: sandbox.Entry{
			ID: "ch_" + sandbox.RandomHex(8), Key: in.Key, Operation: payment.PayIn, Amount: in.Amount, Currency: "COP", Status: sandbox.Pending,
		},
		ExpiresAt: c.Now.Add(30 * time.Minute), Detail: in.charge,
	}))
}

func lookUp(c *call) sandbox.Answer {
	query := c.Request.URL.Query()
	t := c.ByKey(query.Get("key"))
	if t == nil {
		t = c.ByID(query.Get("id"))
	}
	if t == nil {
		return refuse(http.StatusNotFound, "no such charge")
	}
	return show(c, http.StatusOK, t)
}

func show(c *call, status int, t *transaction) sandbox.Answer {
	words := map[sandbox.Status]string{
		sandbox.Pending: "waiting", sandbox.Approved: "paid", sandbox.Rejected: "refused", sandbox.Expired: "expired",
	}
	return sandbox.JSON(status, map[string]string{
		"id": t.ID, "key": t.Key, "amount": t.Amount.String(), "currency": t.Currency, "status": words[t.Status], "url": c.PageURL(t.ID),
	})
}
