// Package conformancetest runs the conformance suite inside go test.
package conformancetest

import (
	"testing"

	"github.com/cauce-pay/cauce/conformance"
)

// Run judges a provider: each check is a test of its id, skipped where the provider does not declare what it is about.
func Run(t *testing.T, c conformance.Config) {
	t.Helper()
	suite, err := conformance.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range suite.Checks() {
		t.Run(check.ID, func(t *testing.T) {
			if check.Verdict != "" {
				t.Skip(check.Detail)
			}
			check.Run(t.Context(), t)
		})
	}
}
