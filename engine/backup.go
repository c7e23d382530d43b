package engine

import (
	"context"
	"errors"
	"fmt"
)

// Backup writes a copy of the store to dir, which must not exist, while payments go on: everything that was
// acknowledged before the call is in it. It is errors.ErrUnsupported where the store has backups of its own (a database
// server).
func (e *Engine) Backup(ctx context.Context, dir string) error {
	s, ok := e.store.(interface {
		Backup(ctx context.Context, dir string) error
	})
	if !ok {
		return fmt.Errorf("engine: backup: %w by this store: use what its database offers", errors.ErrUnsupported)
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	return s.Backup(ctx, dir)
}
