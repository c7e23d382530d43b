package engine

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// account tells which account at which payment company a provider's label stands for, and since when. An attempt that
// was handed over before stands in the books of another one: that this one does not know it proves nothing, and it must
// not be sent to it.
type account struct {
	Salt  []byte    `json:"salt"`
	Sum   []byte    `json:"sum"`   // of plugin and configuration
	Since time.Time `json:"since"` // zero = from the first
}

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

// keepIdentity writes down what a provider that is in force is told apart by. Should that fail, the next start takes the
// account for a new one (see unsettle), which is the safe side.
func (e *Engine) keepIdentity(ctx context.Context, r *running) {
	if err := e.keepAccount(ctx, r); err != nil {
		e.log.Warn("what a provider's label stands for could not be kept", "provider", r.name, "error", err)
	}
	e.keepSecrets(ctx, r)
}

// keepAccount writes down what a label stands for.
func (e *Engine) keepAccount(ctx context.Context, r *running) error {
	value, same, err := e.accountKept(ctx, r)
	if err != nil || same {
		return err
	}
	return e.store.PutSetting(ctx, accountSetting(r.name), value)
}

// accountKept returns what is to be written down of what a label stands for, and whether that is so already.
func (e *Engine) accountKept(ctx context.Context, r *running) (value []byte, same bool, err error) {
	if value, err = json.Marshal(r.account); err != nil {
		return nil, false, err
	}
	stored, err := e.store.Setting(ctx, accountSetting(r.name))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return value, bytes.Equal(stored, value), err
}

// knows reports whether an attempt was handed over to the account that its provider's label stands for now.
func (r *running) knows(a *payment.Attempt) bool {
	return r != nil && !a.StartedAt.Before(r.account.Since)
}

// handedElsewhere reports that it was not.
func (e *Engine) handedElsewhere(a *payment.Attempt) bool { return !e.provider(a.Provider).knows(a) }

// errElsewhere is what an answer of another account amounts to.
var errElsewhere = provider.Errorf(provider.CodeUnknown,
	"the provider's configuration or plugin was changed after the hand-over: what it does not know now proves nothing")

// unsettle makes the store say, before a provider comes into force, that its label stands for an account that nobody
// knows. Were the new one used and then not written down (a failed write, a crash), a way back to the old one would take
// what the old one does not know for proof.
func (e *Engine) unsettle(ctx context.Context, r *running) error {
	_, same, err := e.accountKept(ctx, r)
	if err != nil || same && !r.otherAccount {
		return err
	}
	return e.putSetting(context.WithoutCancel(ctx), accountSetting(r.name), account{Salt: r.account.Salt})
}
