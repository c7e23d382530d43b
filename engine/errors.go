package engine

import (
	"errors"

	"github.com/cauce-pay/cauce/engine/store"
)

// Conditions that callers act on.
var (
	// ErrKey: the idempotency key is not 1 to 255 printable characters.
	ErrKey = errors.New("engine: an idempotency key is 1 to 255 printable ASCII characters")
	// ErrKeyReused: the idempotency key belongs to another request. Nothing happened.
	ErrKeyReused = errors.New("engine: this idempotency key was used with a different request")
	// ErrClosed: the engine was closed, or is closing.
	ErrClosed = errors.New("engine: closed")
	// ErrNotFound: there is no such payment, provider or webhook path.
	ErrNotFound = store.ErrNotFound
	// ErrRulesChanged: the rules in force are not those that ReloadFrom was told of. Nothing happened.
	ErrRulesChanged = errors.New("engine: other rules are in force")
	// ErrNotResolvable: the payment is not in doubt, or the status asked for is none it can be resolved to.
	ErrNotResolvable = errors.New("engine: this payment cannot be resolved by hand")
	// ErrStatement: there is no statement to reconcile with, or it cannot be read. Nothing happened.
	ErrStatement = errors.New("engine: the statement cannot be used")
)
