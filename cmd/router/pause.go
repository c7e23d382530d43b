package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/cauce-pay/cauce/engine"
)

func newPauseCmd() command {
	return command{
		name: "pause", args: "NAME", summary: "keep new payments from a provider until it is resumed",
		details: "It lasts over restarts; what is under way goes on. The key needs the scope admin.\n" + clientDetails,
		example: "  router pause -reason 'their database is down, ticket 1234' tpaga-pse",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			reason := flags.String("reason", "", "`why`, for the decisions that leave it out")
			return func(ctx context.Context, s streams, args []string) error {
				return changeProvider(ctx, s, c, "pause", args, map[string]string{"reason": *reason})
			}
		},
	}
}

func newResumeCmd() command {
	return command{
		name: "resume", args: "NAME", summary: "give a paused provider payments again",
		details: "The key needs the scope admin.\n" + clientDetails,
		example: "  router resume tpaga-pse",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			return func(ctx context.Context, s streams, args []string) error {
				return changeProvider(ctx, s, c, "resume", args, nil)
			}
		},
	}
}

func changeProvider(ctx context.Context, s streams, c *client, verb string, args []string, body any) error {
	if len(args) != 1 {
		return usagef("router "+verb+" -h", "%s: the provider's name is missing", verb)
	}
	answer, err := c.call(ctx, http.MethodPost, "/v1/providers/"+url.PathEscape(args[0])+"/"+verb, body)
	if err != nil {
		return err
	}
	return show(s, answer, false, printPaused)
}

func printPaused(w io.Writer, p engine.ProviderStatus) {
	switch {
	case !p.Paused:
		fmt.Fprintf(w, "%s gets payments\n", p.Name)
	case p.Reason == "":
		fmt.Fprintf(w, "%s is paused\n", p.Name)
	default:
		fmt.Fprintf(w, "%s is paused: %s\n", p.Name, p.Reason)
	}
}
