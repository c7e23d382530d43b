// Package storetest is the suite that every store passes: one check for each promise of store.Store.
//
// A store's own test calls Run. A promise is added here first, with a mutant in this package's test that breaks
// just that promise and fails just that check.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/cauce-pay/cauce/engine/store"
)

// Subject is the store under test.
type Subject struct {
	// Open returns a new, empty store. The check closes it.
	Open func() (store.Store, error)
	// Reopen closes a store and opens it again with what it holds; nil = that cannot be done, and what must
	// survive it is not judged.
	Reopen func(store.Store) (store.Store, error)
}

// T is what a check needs of a *testing.T.
type T interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skip(args ...any)
}

// Check is one promise.
type Check struct {
	ID         string // stable: "create/key-race"
	Obligation string // one sentence
	Run        func(t T, s Subject)
}

// Checks returns all checks.
func Checks() []Check {
	var all []Check
	for _, topic := range [][]Check{writeChecks, readChecks, listChecks, feedChecks, claimChecks, keptChecks} {
		all = append(all, topic...)
	}
	return all
}

// Run runs all checks as subtests.
func Run(t *testing.T, s Subject) {
	for _, c := range Checks() {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			c.Run(t, s)
			if t.Failed() {
				t.Log("broken promise:", c.Obligation)
			}
		})
	}
}

func open(t T, s Subject) store.Store {
	t.Helper()
	st, err := s.Open()
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

var background = context.Background()

func must(t T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// wantError demands an error that wraps want, from the call that is named.
func wantError(t T, call string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error is %v, want %v", call, err, want)
	}
}

// same demands equal values.
func same(t T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}
