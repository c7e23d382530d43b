package main

import (
	"context"
	"flag"
	"path/filepath"

	"github.com/cauce-pay/cauce/cmd/router/internal/lsp"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

func newLSPCmd() command {
	return command{
		name: "lsp", args: "[FILE]", summary: "help an editor with rules: a language server on standard input and output",
		details: "It checks as validate does, unsaved text included, and offers completion, hover, definitions, symbols, formatting and\n" +
			"quick fixes, over the Language Server Protocol. FILE are the rules, a file or a directory of *.hcl files; without it\n" +
			"all *.hcl files of a directory are one set of rules. An editor starts it: see docs/editor.md.",
		example: "  router lsp",
		setup: func(*flag.FlagSet) action {
			return func(ctx context.Context, s streams, args []string) error {
				rules := ""
				if len(args) > 0 {
					var err error
					if rules, err = filepath.Abs(args[0]); err != nil {
						return err
					}
				}
				known := descriptions{}
				return lsp.Serve(ctx, s.in, s.out, lsp.Config{
					Rules: rules, Version: version(),
					Check: func(ctx context.Context, path string, unsaved map[string][]byte) lsp.Findings {
						return checkRules(ctx, path, unsaved, known.describe)
					},
				})
			}
		},
	}
}

// descriptions remember what plugins said of themselves, by provider.
type descriptions map[string]description

type description struct {
	of   routing.Provider
	info provider.Info
	err  error
}

// describe starts a plugin only where its provider's block has changed, or it could not be started.
func (d descriptions) describe(ctx context.Context, p routing.Provider) (provider.Info, error) {
	last, ok := d[p.Name]
	if !ok || last.info.Name == "" || !last.of.SameProcess(p) {
		last = description{of: p}
		last.info, last.err = infoOf(ctx, p)
		d[p.Name] = last
	}
	return last.info, last.err
}
