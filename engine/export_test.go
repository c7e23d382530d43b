package engine

import "context"

// AwaitTurn waits until nobody hands the payment over or looks it up.
func (e *Engine) AwaitTurn(ctx context.Context, id string) error {
	if err := e.busy.wait(ctx, id); err != nil {
		return err
	}
	e.done(id)
	return nil
}
