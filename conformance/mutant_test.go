package conformance_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
	"github.com/cauce-pay/cauce/provider"
)

// newSuite judges acme with a bug.
func newSuite(t *testing.T, bug, sandbox string) *conformance.Suite {
	t.Helper()
	w := newWorld()
	suite, err := conformance.New(t.Context(), conformance.Config{
		Open:    func(context.Context) (provider.Provider, error) { return w.open(bug), nil },
		Sandbox: sandbox, Settings: provider.Config{"unit": "peso"}, Logs: w.logs.String,
	})
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

func report(t *testing.T, bug, sandbox, pattern string) conformance.Report {
	t.Helper()
	return newSuite(t, bug, sandbox).Report(t.Context(), regexp.MustCompile(pattern), nil)
}

func TestAcmeKeepsEveryRule(t *testing.T) {
	t.Parallel()
	for _, c := range report(t, "", newSandbox(t), "").Checks {
		if c.Verdict != conformance.Pass {
			t.Errorf("%s: %s\n%s", c.ID, c.Verdict, c.Detail)
		}
	}
}

// everyCheck is asked for by the long run.
var everyCheck = os.Getenv("CAUCE_MUTANTS") == "all"

// judges is the pattern of the checks that run for a mutant: its own, those of its topic, and those that count money,
// but for others that wait for a deadline or make 1,000 calls. With CAUCE_MUTANTS=all every check runs.
func judges(id string) string {
	if everyCheck {
		return ""
	}
	pattern := "^" + id + "$|^(submit|amounts)/"
	switch topic, _, _ := strings.Cut(id, "/"); topic {
	case "deadlines", "hostile", "load":
	case "idempotency", "lookup", "ambiguity":
		pattern += "|^idempotency/|^(lookup|ambiguity)/([^d]|dr)"
	default:
		pattern += "|^" + topic + "/"
	}
	return pattern
}

// noLeak counts the goroutines of the whole process, so that nothing else may run beside it.
const noLeak = "load/no-leak"

// TestMutants breaks each rule alone: acme with the bug of that name must fail exactly the check of that name.
func TestMutants(t *testing.T) {
	slots := make(chan struct{}, 12) // mutants that are judged at a time: most of them wait
	if everyCheck {
		slots = make(chan struct{}, 4) // some work hard, and deadlines are measured
	}
	var alone, together []conformance.Check
	for _, c := range newSuite(t, "", newSandbox(t)).Checks() {
		if c.ID == noLeak {
			alone = append(alone, c)
		} else {
			together = append(together, c)
		}
	}
	judge := func(t *testing.T, c conformance.Check) {
		t.Helper()
		caught := false
		var others []string
		for _, r := range report(t, c.ID, newSandbox(t), judges(c.ID)).Checks {
			switch {
			case r.Verdict != conformance.Fail, r.ID == noLeak && c.ID != noLeak:
			case r.ID == c.ID:
				caught = true
			default:
				others = append(others, fmt.Sprintf("%s fails too: %s", r.ID, r.Detail))
			}
		}
		if !caught {
			t.Errorf("%s (%s) is not caught, or has no mutant", c.ID, c.Obligation)
		}
		for _, other := range others {
			t.Error(other)
		}
	}
	for _, c := range alone {
		t.Run(c.ID, func(t *testing.T) { judge(t, c) })
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range together {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			t.Run(c.ID, func(t *testing.T) { judge(t, c) })
		})
	}
}
