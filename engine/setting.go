package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cauce-pay/cauce/engine/store"
)

// errForm is that the store gave back a setting which is not in the form that this version writes. It comes with
// store.ErrCorrupt.
var errForm = errors.New("it is not in the form that this version writes")

// readSetting reads a setting that holds JSON, and reports whether there is one. With errForm v is undefined.
func readSetting(ctx context.Context, s store.Store, name string, v any) (known bool, err error) {
	value, err := s.Setting(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	if err := json.Unmarshal(value, v); err != nil {
		return true, fmt.Errorf("%w: setting %s: %w: %w", store.ErrCorrupt, name, errForm, err)
	}
	return true, nil
}

// putSetting makes v durable as JSON.
func (e *Engine) putSetting(ctx context.Context, name string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	err = e.store.PutSetting(ctx, name, value)
	e.checkStore(err)
	return err
}
