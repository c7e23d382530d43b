package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// Books are the provider's memory, as one call sees them: nothing else happens meanwhile. Transactions and Books
// must not be kept beyond the call.
type Books[T any] struct {
	// Now is the time on the sandbox's clock, in UTC.
	Now time.Time

	s       *Sandbox[T]
	about   *Transaction[T] // the last transaction that the call added or found
	notices []notice[T]
}

type notice[T any] struct {
	about *Transaction[T]
	claim Status
}

// Add records a transaction. A zero CreatedAt becomes Now. The ID must be new.
func (b *Books[T]) Add(t Transaction[T]) *Transaction[T] {
	if t.CreatedAt.IsZero() {
		t.CreatedAt = b.Now
	}
	added := &t
	b.s.ledger.put(added)
	b.Save(added)
	b.about = added
	return added
}

// ByID returns the transaction with the provider's id, or nil.
func (b *Books[T]) ByID(id string) *Transaction[T] { return b.found(b.s.ledger.byID[id]) }

// ByKey returns the transaction with the caller's key, or nil; the last one where the provider allows several.
func (b *Books[T]) ByKey(key string) *Transaction[T] { return b.found(b.s.ledger.byKey[key]) }

func (b *Books[T]) found(t *Transaction[T]) *Transaction[T] {
	if t != nil {
		b.about = t
	}
	return t
}

// Transactions lists every transaction in the order of creation, refused ones included. The list is read-only.
func (b *Books[T]) Transactions() []*Transaction[T] { return b.s.ledger.list }

// Save keeps changes of t that were not made by Add or Settle.
func (b *Books[T]) Save(t *Transaction[T]) { b.s.journal.write(record[T]{Transaction: t}) }

// Settle moves t to status and sends the webhooks, as Options.Settle says.
func (b *Books[T]) Settle(t *Transaction[T], status Status) {
	t.Status = status
	if b.s.options.Settle != nil {
		b.s.options.Settle(b, t)
	} else {
		b.Notify(t, status)
	}
	b.Save(t)
}

// Notify queues one webhook about t that claims status. It is sent once the call has been answered.
func (b *Books[T]) Notify(t *Transaction[T], claim Status) {
	b.notices = append(b.notices, notice[T]{t, claim})
}

// messages writes the queued webhooks; none where nobody listens.
func (b *Books[T]) messages() []Message {
	if b.s.options.Webhook == nil {
		return nil
	}
	var out []Message
	for _, n := range b.notices {
		m := b.s.options.Webhook(b, n.about, n.claim)
		if m.URL == "" {
			m.URL = b.s.settings.WebhookURL
		}
		forged := n.claim == Approved && n.about.Status != Approved
		if m.URL == "" || n.about.Webhooks == WebhookNever && !forged {
			continue
		}
		m.sentAt = b.Now
		out = append(out, m)
		if n.about.Webhooks == WebhookTwice {
			out = append(out, m)
		}
	}
	return out
}

// Mode returns the value of one of Options.Modes.
func (b *Books[T]) Mode(name string) string { return b.s.mode(name) }

// Call is one request to an endpoint.
type Call[T any] struct {
	*Books[T]
	Request *http.Request // its body is in Body
	Body    []byte
}

// BaseURL is the sandbox's own address as the caller wrote it: "http://127.0.0.1:4020".
func (c *Call[T]) BaseURL() string {
	if c.Request.TLS != nil {
		return "https://" + c.Request.Host
	}
	return "http://" + c.Request.Host
}

// PageURL is the address of the bank's page about the transaction with that id. A query may be added to it.
func (c *Call[T]) PageURL(id string) string { return c.BaseURL() + pagePath + id }

// Authorized reports whether the call bears a token of IssueToken that is still good: Authorization: Bearer X.
func (c *Call[T]) Authorized() bool {
	scheme, value, _ := strings.Cut(c.Request.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && c.TokenGood(value)
}

// RandomHex returns n random hexadecimal digits.
func RandomHex(n int) string {
	b := make([]byte, (n+1)/2)
	rand.Read(b) // never fails: see crypto/rand
	return hex.EncodeToString(b)[:n]
}
