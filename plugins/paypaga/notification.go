package main

import (
	"context"
	"encoding/json"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// ParseNotification reads which pay-in a callback is about. V2's payload is not documented: this is V1's. Nothing
// signs it, so that its status is not read and its transaction_id is followed only where our reference is missing: a
// forged one would lead to another payment.
func (p *paypaga) ParseNotification(_ context.Context, n provider.Notification) ([]provider.Query, error) {
	var body struct {
		ID        string `json:"transaction_id"`
		Reference string `json:"merchant_transaction_reference"`
	}
	q := provider.Query{Operation: payment.PayIn, Method: payment.PSE}
	switch err := json.Unmarshal(n.Body, &body); {
	case err == nil && isKey(body.Reference):
		q.Key = body.Reference
	case err == nil && body.Reference == "" && isID(body.ID):
		q.Reference = body.ID
	default:
		return nil, provider.Errorf(provider.CodeInvalid,
			"PayPaga: a notification of %d bytes holds neither merchant_transaction_reference nor transaction_id", len(n.Body))
	}
	return []provider.Query{q}, nil
}
