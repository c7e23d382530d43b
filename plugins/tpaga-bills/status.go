package main

import (
	"fmt"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// Tpaga's words for where a payment stands. At its PSE API the first one means something else (TB-02).
const (
	authorized = "AUTHORIZED"  // the bill is paid
	inProgress = "IN_PROGRESS" // not known yet
	rejected   = "REJECTED"    // not paid; a new payment of the bill is safe
	unknown    = "UNKNOWN"     // Tpaga does not know; a new payment of the bill may pay it twice
)

// statuses are the words that say clearly what became of a payment. A rejected one counts as failed, so that
// another provider may be tried.
var statuses = map[string]provider.Status{
	authorized: provider.Succeeded,
	inProgress: provider.Pending,
	rejected:   provider.Failed,
}

// readReply reads the body of an answer, whatever its HTTP status; the zero reply where it is not the JSON that it
// should be.
func readReply(resp *rest.Response) reply {
	var r reply
	if resp.Decode(&r) != nil {
		return reply{}
	}
	return r
}

// outcome says what the payment's status means. What is not clear is CodeUnknown, with Tpaga's token.
func (r reply) outcome() (provider.Outcome, error) {
	o := provider.Outcome{
		Status: statuses[r.Status], Key: r.IdempotencyToken, Reference: r.Token, Amount: r.Amount.Money, Code: r.code(),
	}
	var e *provider.Error
	switch {
	case r.Status == unknown:
		e = unclear("it does not know itself whether the bill is paid; ask Tpaga, and do not pay the bill again before it says")
	case o.Status == "":
		e = unclear("it says that the payment is %.40q, a word that its document does not have", r.Status)
	case r.Status == authorized && (o.Key == "" || o.Amount == payment.Money{}):
		e = unclear("it says that the bill is paid, and lacks the idempotency_token or the amount to compare with")
	case r.Status == rejected && r.ResultCode == succeeded:
		e = unclear("it says that the payment is rejected, with the result code of a success")
	case r.Status == inProgress:
		o.Message = "Tpaga is still paying it"
	case r.Status == rejected:
		o.Message = "Tpaga: the payment was rejected, the bill is not paid by it"
		if result, known := results[r.ResultCode]; known {
			o.Message = "Tpaga: " + result.why
			if result.code == provider.CodeDeclined {
				o.Status = provider.Rejected
			}
		}
	}
	if e != nil {
		e.Reference, e.ProviderCode = r.Token, o.Code
		return provider.Outcome{}, e
	}
	return o, nil
}

// code is the status word, with the result code where it adds something.
func (r reply) code() string {
	text := fmt.Sprintf("%.40s", r.Status)
	if r.ResultCode != "" && r.ResultCode != succeeded && len(r.ResultCode) <= 4 {
		text += " " + r.ResultCode.String()
	}
	return text
}
