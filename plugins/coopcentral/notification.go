package main

import (
	"context"
	"encoding/json"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// ParseNotification reads which transfer a webhook is about. What it calls transaction_token is the idempotency
// token, our key (CC-05). Tpaga signs nothing and says nothing else in it.
func (p *coopcentral) ParseNotification(_ context.Context, n provider.Notification) ([]provider.Query, error) {
	var body struct {
		Token string `json:"transaction_token"`
	}
	if json.Unmarshal(n.Body, &body) != nil || !payment.ValidKey(body.Token) {
		return nil, provider.Errorf(provider.CodeInvalid, "Coopcentral: a notification of %d bytes holds no transaction_token", len(n.Body))
	}
	return []provider.Query{{Key: body.Token, Operation: payment.PayOut, Method: payment.BankTransfer}}, nil
}
