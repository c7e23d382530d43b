package conformance_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/conformance"
)

func TestWithoutSandboxMoneyIsNotJudged(t *testing.T) {
	t.Parallel()
	r := report(t, "", "", "^(submit|config|idempotency)/")
	for _, c := range r.Checks {
		offline := strings.HasPrefix(c.ID, "config/") && c.ID != "config/no-call"
		if want := map[bool]conformance.Verdict{true: conformance.Pass, false: conformance.NotJudged}[offline]; c.Verdict != want {
			t.Errorf("%s: %s, want %s: %s", c.ID, c.Verdict, want, c.Detail)
		}
	}
	if r.Failed != 0 || r.Passed == 0 || r.Count(conformance.NotJudged) == 0 {
		t.Errorf("passed %d, failed %d, not judged %d", r.Passed, r.Failed, r.Count(conformance.NotJudged))
	}
}

func TestTraceOfAFailureHidesSecrets(t *testing.T) {
	t.Parallel()
	r := report(t, "privacy/secrets-in-bodies", newSandbox(t), "^privacy/secrets-in-bodies$")
	if len(r.Checks) != 1 || r.Checks[0].Verdict != conformance.Fail || len(r.Checks[0].Trace) == 0 {
		t.Fatalf("%+v", r.Checks)
	}
	hidden := false
	for _, q := range r.Checks[0].Trace {
		hidden = hidden || strings.Contains(q.Body, `"secret":"(secret)"`)
		if strings.Contains(q.Path+q.Body+q.Query, "conformance-client_secret") {
			t.Errorf("%s %s tells the secret: %s", q.Method, q.Path, q.Body)
		}
	}
	if !hidden {
		t.Errorf("no body shows where the secret was: %+v", r.Checks[0].Trace)
	}
}

func TestIDsAreStableWords(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+(/[a-z0-9]+(-[a-z0-9]+)*)$`)
	seen := map[string]bool{}
	for _, c := range newSuite(t, "", "").Checks() {
		if !form.MatchString(c.ID) || seen[c.ID] || !strings.HasSuffix(c.Obligation, ".") {
			t.Errorf("the check %q: %q", c.ID, c.Obligation)
		}
		for _, id := range c.RestsOn {
			if !seen[id] {
				t.Errorf("%s rests on %s, which does not come before it", c.ID, id)
			}
		}
		seen[c.ID] = true
	}
}
