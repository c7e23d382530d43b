package engine

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// account tells which account at which payment company a provider's label stands for. An attempt that was handed over to
// another one stands in that one's books: that this one does not know it proves nothing, and it must not be sent to it.
type account struct {
	Salt  []byte    `json:"salt"`
	Sum   []byte    `json:"sum"`   // of plugin and configuration
	Since time.Time `json:"since"` // when it took the label over from another one; zero = it is the first
}

// id is what attempts are told apart by.
func (a account) id() string { return hex.EncodeToString(a.Sum[:8]) }

func accountSetting(label string) string { return "account/" + label }

// identify compares a provider's plugin and configuration with what its label stood for until now, and reports whether
// it is another account. A new secret counts as one, too: it may belong to one.
func (e *Engine) identify(ctx context.Context, block routing.Provider, config provider.Config) (now account, other bool, err error) {
	var before account
	known, err := readSetting(ctx, e.store, accountSetting(block.Name), &before)
	switch {
	case errors.Is(err, errForm): // written by another version
		known, other, before = false, true, account{}
	case err != nil:
		return account{}, false, fmt.Errorf("engine: provider %q: what it was until now could not be read: %w", block.Name, err)
	}
	now.Salt = before.Salt
	if !known {
		now.Salt = make([]byte, 16)
		e.read(now.Salt)
		if err := e.putSetting(ctx, accountSetting(block.Name), account{Salt: now.Salt}); err != nil { // before an id is made with it
			return account{}, false, fmt.Errorf("engine: provider %q: what it is told apart by could not be kept: %w", block.Name, err)
		}
	}
	sum := hmac.New(sha256.New, now.Salt)
	if err := json.NewEncoder(sum).Encode([]any{filepath.Base(block.Plugin), config}); err != nil {
		return account{}, false, err
	}
	now.Sum = sum.Sum(nil)
	if known && bytes.Equal(now.Sum, before.Sum) {
		return before, false, nil
	}
	return now, known || other, nil
}

// inForce notes that the provider is in force from now on.
func (r *running) inForce(now time.Time) {
	if r.otherAccount {
		r.account.Since = now
	}
	r.secrets.inForce(now)
}

// keepIdentity writes down what a provider that is in force is told apart by.
func (e *Engine) keepIdentity(ctx context.Context, r *running) {
	if err := e.keepAccount(ctx, r); err != nil {
		e.log.Warn("what a provider's label stands for could not be kept", "provider", r.name, "error", err)
	}
	e.keepSecrets(ctx, r)
}

// keepAccount writes down what a label stands for.
func (e *Engine) keepAccount(ctx context.Context, r *running) error {
	var kept account
	if _, err := readSetting(ctx, e.store, accountSetting(r.name), &kept); err == nil && bytes.Equal(kept.Sum, r.account.Sum) && kept.Since.Equal(r.account.Since) {
		return nil
	}
	return e.putSetting(ctx, accountSetting(r.name), r.account)
}

// knows reports whether an attempt was handed over to the account that its provider's label stands for now.
func (r *running) knows(a *payment.Attempt) bool {
	return r != nil && a.Account == r.account.id()
}

// holder returns the provider that an attempt which is about to be handed over was meant for: after a reload that may be
// one that was replaced, and is closed once the hand-overs to it have ended.
func (e *Engine) holder(a *payment.Attempt) *running {
	s := e.state.Load()
	if r := s.providers[a.Provider]; r.knows(a) {
		return r
	}
	for _, r := range s.replaced {
		if r.name == a.Provider && r.knows(a) {
			return r
		}
	}
	return nil
}

// handedElsewhere reports that it was not.
func (e *Engine) handedElsewhere(a *payment.Attempt) bool { return !e.provider(a.Provider).knows(a) }

// errElsewhere is what an answer of another account amounts to.
var errElsewhere = provider.Errorf(provider.CodeUnknown,
	"the provider's configuration or plugin was changed after the hand-over: what it does not know now proves nothing")
