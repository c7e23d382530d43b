package routing

import (
	"encoding/base64"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/cauce-pay/cauce/payment"
)

// Webhook is where a merchant hears of payments.
type Webhook struct {
	Name   string
	URL    string
	Secret string `json:"-"` // signs the messages, as Standard Webhooks say; at least 16 bytes of key
	// Events are the types of messages, like "payment.succeeded". Default: everything that ends a payment.
	Events       []string
	AllowPrivate bool // it may resolve to a loopback or private address
}

// Key returns the key that messages are signed with: what follows whsec_ in base64, or the whole secret as it stands.
func (w Webhook) Key() []byte {
	key, _ := signingKey(w.Secret) // was checked when it was read
	return key
}

func signingKey(secret string) ([]byte, error) {
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		return base64.StdEncoding.DecodeString(encoded)
	}
	return []byte(secret), nil
}

// Webhooks returns the webhook blocks in file order.
func (r *Rules) Webhooks() []Webhook { return append([]Webhook(nil), r.webhooks...) }

var webhookSchema = schemaOf("webhook")

// webhookEvents are what a merchant can hear of, the default first.
var webhookEvents = func() (names []string) {
	for _, t := range []payment.EventType{
		payment.EventSucceeded, payment.EventRejected, payment.EventExpired, payment.EventFailed, payment.EventLateSuccess,
		payment.EventResolved, payment.EventPending, payment.EventInDoubt, payment.EventMismatch, payment.EventDoublePayment,
	} {
		names = append(names, "payment."+string(t))
	}
	return names
}()

// endingEvents are those that end a payment, also by a person's hand.
var endingEvents = webhookEvents[:6]

func (l *loader) readWebhook(b *hcl.Block) {
	content := l.blockContent(b, webhookSchema)
	name := l.label(b)
	w := Webhook{Name: name, Events: endingEvents}
	if a := content.Attributes["url"]; a != nil {
		w.URL = l.url(a)
	}
	if a := content.Attributes["secret"]; a != nil {
		text, ok := l.text(a.Name, a.Expr)
		key, err := signingKey(text.Text)
		switch {
		case ok && err != nil:
			l.fault(a.Expr.Range(), "secret is not base64 after whsec_", "Make one with: echo whsec_$(openssl rand -base64 32)")
		case ok && len(key) < 16:
			l.fault(a.Expr.Range(), "secret is too short", "Whoever guesses it can forge messages: take 16 characters or more.")
		}
		if ok {
			l.warnInClear(a, text)
		}
		w.Secret = text.Text
	}
	if a := content.Attributes["events"]; a != nil {
		events, ok := l.choices(a.Name, a.Expr, webhookEvents)
		if ok && len(events) == 0 {
			l.fault(a.Expr.Range(), "events is empty", "Leave it away for "+strings.Join(endingEvents, ", ")+".")
		}
		w.Events = events
	}
	if a := content.Attributes["allow_private"]; a != nil {
		w.AllowPrivate = l.truth(a)
	}
	l.rules.webhooks = append(l.rules.webhooks, w)
}
