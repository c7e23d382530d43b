package main

import (
	"fmt"
	"log/slog"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
)

// openStore opens the store that the rules name.
func openStore(s routing.Store, log *slog.Logger) (store.Store, error) {
	switch s.Kind {
	case "pebble":
		return pebblestore.Open(s.Path, &pebblestore.Options{FS: disk(), Logger: log})
	}
	return nil, fmt.Errorf("store %q is none that this router knows", s.Kind)
}
