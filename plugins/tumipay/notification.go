package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

const signatureHeader = "x-trx-signature"

// ParseNotification reads which pay-in a webhook is about. Its signature covers ticket and reference only, not status
// and amount, and can be replayed (TM-07): it keeps strangers out, and what it says is never believed.
func (p *tumipay) ParseNotification(_ context.Context, n provider.Notification) ([]provider.Query, error) {
	var body struct {
		Ticket    string `json:"top_ticket"`
		Reference string `json:"top_reference"`
	}
	if json.Unmarshal(n.Body, &body) != nil || !isKey(body.Reference) || body.Ticket == "" {
		return nil, provider.Errorf(provider.CodeInvalid, "TumiPay: a notification of %d bytes holds no top_ticket and top_reference", len(n.Body))
	}
	if !p.config.signed(headerOf(n.Header, signatureHeader), body.Ticket, body.Reference) {
		return nil, provider.Errorf(provider.CodeInvalid, "TumiPay: a notification's %s is missing or wrong", signatureHeader)
	}
	return []provider.Query{{Key: body.Reference, Operation: payment.PayIn}}, nil
}

// signed compares a signature in constant time. The text that it is the SHA-256 of is a JSON object, whose writer may
// be one that escapes slashes, as PHP's does, or not (TM-08).
func (c config) signed(signature, ticket, reference string) bool {
	text := signatureText(c.tokenTop, ticket, reference)
	got := []byte(strings.ToLower(signature))
	plain := subtle.ConstantTimeCompare(got, digest(text))
	escaped := subtle.ConstantTimeCompare(got, digest(strings.ReplaceAll(text, "/", `\/`)))
	return c.tokenTop != "" && plain|escaped == 1
}

func signatureText(token, ticket, reference string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(struct { // three texts always can be
		Token     string `json:"token"`
		Ticket    string `json:"ticket"`
		Reference string `json:"reference"`
	}{token, ticket, reference})
	return strings.TrimSuffix(b.String(), "\n")
}

func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return hex.AppendEncode(nil, sum[:])
}

// headerOf returns a header's first value, whatever case its name arrived in (TM-09).
func headerOf(header map[string][]string, name string) string {
	for key, values := range header {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}
