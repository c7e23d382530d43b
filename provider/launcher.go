package provider

import (
	"context"
	"log/slog"
	"time"
)

// Launcher starts providers for the engine. plugin.Dir is the one that starts plugin processes.
type Launcher interface {
	Launch(ctx context.Context, spec Spec) (Provider, error)
}

// Spec says which plugin to start, and how.
type Spec struct {
	// Name is the provider's label in the rules, for logs.
	Name string
	// Plugin is a plugin's name ("tpaga-pse"), looked for in the launcher's directories, or a path, taken as it is.
	Plugin string
	// SHA256 pins the binary, in hex; "" = not pinned.
	SHA256 string
	// Timeout bounds one call where the caller's context does not bound it closer; 0 = 20 seconds.
	Timeout time.Duration
	// Logger gets the plugin's log lines, masked; nil = none.
	Logger *slog.Logger
}
