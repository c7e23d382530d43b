package main

import (
	"os"
	"slices"

	"github.com/cauce-pay/cauce/engine/routing"
)

// loadWithoutSecrets reads rules where their secrets need not be known, to check them or to ask what they would
// do: that a variable of the environment is not set is a warning then, and a stand-in takes its place.
func loadWithoutSecrets(path string) (*routing.Rules, routing.Diagnostics) {
	rules, found := routing.Load(path, nil)
	if rules != nil {
		return rules, found
	}
	rules, remaining := routing.Load(path, &routing.Options{Env: orStandIn})
	for i, d := range found {
		if d.Severity == routing.Error && !slices.Contains(remaining, d) {
			found[i].Severity = routing.Warning
			found[i].Detail += " What depends on it is not checked here."
		}
	}
	if found.HasErrors() {
		rules = nil
	}
	return rules, found
}

// orStandIn answers env() with what can be a text and an absolute URL where a variable is not set.
func orStandIn(name string) (string, bool) {
	if value := os.Getenv(name); value != "" {
		return value, true
	}
	return "https://not-set.example", true
}
