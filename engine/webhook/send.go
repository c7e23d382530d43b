package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// sendTimeout bounds one try; maxAnswer how much of its answer is read, which tells nothing but its status.
const (
	sendTimeout = 15 * time.Second
	maxAnswer   = 64 << 10
)

// errGone: the receiver wants nothing any more.
var errGone = errors.New("410 Gone")

// body returns what is sent: the payment as it stood after the event, so that every try says the same.
func (t *target) body(ctx context.Context, m *message) ([]byte, error) {
	events, err := t.Engine.History(ctx, m.Payment, 0, int(m.Seq))
	if err != nil {
		return nil, err
	}
	var p payment.Payment
	for _, e := range events {
		if err := p.Apply(e); err != nil {
			return nil, err
		}
	}
	if p.Seq != m.Seq {
		return nil, fmt.Errorf("it has no event %d", m.Seq)
	}
	last := events[len(events)-1]
	return json.Marshal(struct {
		Type      string           `json:"type"`
		Timestamp time.Time        `json:"timestamp"`
		Seq       int64            `json:"seq"`
		Data      *payment.Payment `json:"data"`
	}{"payment." + string(last.Type), last.At, last.Seq, &p})
}

// send returns nil once the receiver has accepted the message: it answered with a status of 200 to 299.
func (t *target) send(ctx context.Context, id string, body []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer t.Clock.AfterFunc(sendTimeout, func() { cancel(fmt.Errorf("no answer within %s", sendTimeout)) })()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.block.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(t.Clock.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "cauce-webhook")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", timestamp)
	req.Header.Set("Webhook-Signature", sign(t.block.Key(), id, timestamp, body))
	resp, err := t.client.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err // a URL may hold a secret, and errors are logged
		}
		return errors.Join(err, context.Cause(ctx))
	}
	defer resp.Body.Close()
	// Read so that the connection can be used again. The status has decided: a broken answer changes nothing.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode == http.StatusGone:
		return errGone
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return fmt.Errorf("it answered %d, not 200 to 299", resp.StatusCode)
	}
	return nil
}

// sign returns the webhook-signature (Standard Webhooks 1.0, "Signature scheme").
func sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
