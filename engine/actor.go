package engine

import "context"

type actorKey struct{}

// WithActor names who asks for an administrative act, for the records that tell of it: "api key shop", "SIGHUP".
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// actorOf returns who acts; "" where nobody said.
func actorOf(ctx context.Context) string {
	actor, _ := ctx.Value(actorKey{}).(string)
	return actor
}
