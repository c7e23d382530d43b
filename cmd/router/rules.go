package main

import (
	"slices"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

// loadWithoutSecrets reads rules where their secrets need not be known, to check them or to ask what they would
// do: that a variable of the environment is not set is a warning then, and a stand-in takes its place.
func loadWithoutSecrets(path string) (*routing.Rules, routing.Diagnostics) {
	return loadWith(path, routing.Options{})
}

// loadWithTests is loadWithoutSecrets with the *_test.hcl files.
func loadWithTests(path string) (*routing.Rules, routing.Diagnostics) {
	return loadWith(path, routing.Options{Tests: true})
}

func loadWith(path string, o routing.Options) (*routing.Rules, routing.Diagnostics) {
	rules, found := routing.Load(path, &o)
	if rules != nil {
		return rules, found
	}
	o.Unset = standIn
	rules, remaining := routing.Load(path, &o)
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

// standIn stands for a variable of the environment that is not set: it can be a text and an absolute URL.
func standIn(string) string { return "https://" + notSet }

const notSet = "not-set.example"

// standInAs makes the stand-in fit an attribute: not every text is a URL, and some must be one of a few words.
func standInAs(f provider.ConfigField) string {
	switch {
	case len(f.OneOf) > 0:
		return f.OneOf[0]
	case f.Type == provider.String:
		return "not-set"
	case f.Type == provider.URL:
		return standIn("")
	}
	return f.Default
}
