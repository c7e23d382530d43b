package main

import (
	"context"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// ParseNotification reads which charge a webhook is about. Tpaga signs nothing and says nothing else in it. The
// document's own example is not JSON, so text that merely holds a token will do (TP-04).
func (p *tpaga) ParseNotification(_ context.Context, n provider.Notification) ([]provider.Query, error) {
	token := tokenIn(n.Body, "charge_token")
	if token == "" {
		return nil, provider.Errorf(provider.CodeInvalid, "Tpaga: a notification of %d bytes holds no charge token", len(n.Body))
	}
	return []provider.Query{{Reference: token, Operation: payment.PayIn, Method: payment.PSE}}, nil
}
