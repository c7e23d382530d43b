package engine

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// secretHistory is which secrets the path of a provider's webhooks has had: a payment that is under way tells of itself
// where it was told to when it was handed over. Only hashes are kept.
type secretHistory struct {
	Salt    []byte          `json:"salt"`
	Sum     []byte          `json:"sum"` // of the one in force
	Earlier []earlierSecret `json:"earlier,omitempty"`
}

// earlierSecret is one that another has replaced.
type earlierSecret struct {
	Sum   []byte    `json:"sum"`
	Until time.Time `json:"until"` // zero until the one that replaces it is in force
}

// maxEarlierSecrets bounds them; beyond it the oldest is forgotten.
const maxEarlierSecrets = 8

func secretsSetting(label string) string { return "notification_secrets/" + label }

// secretsOf returns a provider's secrets until now, with the one that it has from now on.
func (e *Engine) secretsOf(ctx context.Context, label, secret string) (secretHistory, error) {
	var h secretHistory
	_, err := readSetting(ctx, e.store, secretsSetting(label), &h)
	switch {
	case errors.Is(err, errForm):
		e.log.Warn("a provider's earlier webhook secrets cannot be read and are forgotten", "provider", label, "error", err)
		h = secretHistory{}
	case err != nil:
		return h, fmt.Errorf("engine: provider %q: its earlier webhook secrets could not be read: %w", label, err)
	}
	if h.Salt == nil {
		h.Salt = make([]byte, 16)
		e.read(h.Salt)
	}
	sum := h.sum(secret)
	if h.Sum != nil && !bytes.Equal(h.Sum, sum) {
		h.Earlier = append(h.Earlier, earlierSecret{Sum: h.Sum})
	}
	h.Sum = sum
	h.Earlier = slices.DeleteFunc(h.Earlier, func(s earlierSecret) bool { return bytes.Equal(s.Sum, sum) })
	h.Earlier = h.Earlier[max(0, len(h.Earlier)-maxEarlierSecrets):]
	return h, nil
}

func (h *secretHistory) sum(secret string) []byte {
	sum := hmac.New(sha256.New, h.Salt)
	sum.Write([]byte(secret))
	return sum.Sum(nil)
}

// inForce notes when the newest secret replaced the one before it.
func (h *secretHistory) inForce(now time.Time) {
	for i := range h.Earlier {
		if h.Earlier[i].Until.IsZero() {
			h.Earlier[i].Until = now
		}
	}
}

// replaced returns until when an earlier secret was in force; zero where it is none. All are compared, so that the
// time it takes tells nothing.
func (h *secretHistory) replaced(secret string) time.Time {
	var until time.Time
	sum := h.sum(secret)
	for _, s := range h.Earlier {
		if hmac.Equal(s.Sum, sum) {
			until = s.Until
		}
	}
	return until
}

// keepSecrets writes down which secrets a provider has had. Should that fail, a later start knows fewer of them, and its
// payments are looked up by the schedule alone.
func (e *Engine) keepSecrets(ctx context.Context, r *running) {
	if r.secrets.Sum == nil {
		return
	}
	if err := e.putSetting(ctx, secretsSetting(r.name), r.secrets); err != nil {
		e.log.Warn("the hash of a provider's webhook secret could not be kept", "provider", r.name, "error", err)
	}
}

// takesSecret reports whether a webhook's path has the provider's secret: the one in force, or an earlier one while a
// payment that was made under it is not finished.
func (e *Engine) takesSecret(ctx context.Context, r *running, secret string) (bool, error) {
	until := r.secrets.replaced(secret)
	switch {
	case sameSecret(r.notificationSecret, secret):
		return true, nil
	case until.IsZero():
		return false, nil
	}
	return e.hasUnfinished(ctx, r.name, until)
}
