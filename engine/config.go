package engine

import (
	"errors"
	"io"
	"log/slog"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/provider"
)

// Config says what an Engine is made of. Rules and Store are required, and Plugins or Providers for every
// provider that the rules name; the zero value of everything else is its default.
type Config struct {
	// Rules is the path of a routing.hcl, or of a directory of *.hcl files. Of their server block the engine uses only
	// shadow, the path of rules that every payment is decided by too, with no effect: Engine.Shadow tells what they would
	// have decided. They are read at New and at each Reload; faults of theirs stop neither.
	Rules string
	// Store keeps the payments. The engine does not close it.
	Store store.Store
	// Plugins starts the rules' providers; plugin.Dir("bin") starts them as processes.
	Plugins provider.Launcher
	// Providers are plain Go values that stand in for plugins, by the label of their provider block. They are
	// configured from the rules like any other, and closed by Close.
	Providers map[string]provider.Provider
	// Env answers env("X") in the rules; nil = the process's environment.
	Env func(name string) (value string, ok bool)
	// PublicURL is where providers reach Notify, without a trailing slash: "https://pay.example.com". The
	// webhooks' URL is made of it: PublicURL + "/v1/notifications/{provider}/{secret}". "" = the providers are
	// given none, and payments are followed by looking up alone.
	PublicURL string
	// Logger gets the engine's log lines; nil = none.
	Logger *slog.Logger
	// Clock tells the time and makes timers; nil = the system's.
	Clock Clock
	// Random is the source of ids and keys; nil = crypto/rand. It is read from several goroutines.
	Random io.Reader
	// Workers bounds how many payments are looked up at once in the background, and how many webhooks are worked
	// through; 0 = 16. One provider has at most three quarters of them, at least one; its first is on top of the bound.
	Workers int
}

func (c Config) validate() error {
	var errs []error
	if c.Rules == "" {
		errs = append(errs, errors.New("Rules is required: the path of a routing.hcl or of a directory of *.hcl files"))
	}
	if c.Store == nil {
		errs = append(errs, errors.New("Store is required, for instance pebblestore.Open(\"data\", nil)"))
	}
	if c.Workers < 0 {
		errs = append(errs, errors.New("Workers is negative"))
	}
	return errors.Join(errs...)
}
