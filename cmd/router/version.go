package main

import (
	"context"
	"flag"
	"fmt"
	"runtime/debug"
)

func newVersionCmd() command {
	return command{
		name: "version", summary: "print the version of this binary", example: "  router version",
		setup: func(*flag.FlagSet) action {
			return func(_ context.Context, s streams, _ []string) error {
				fmt.Fprintln(s.out, "router", version())
				return nil
			}
		},
	}
}

// version is what the Go toolchain wrote into the binary.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	text := build.Main.Version + ", " + build.GoVersion
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			text += ", commit " + setting.Value
		}
	}
	return text
}
