package conformance

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// Verdict is what a check found.
type Verdict string

// The verdicts.
const (
	Pass        Verdict = "pass"
	Fail        Verdict = "fail"
	NotDeclared Verdict = "not_declared" // the provider does not say that it can do this
	NotJudged   Verdict = "not_judged"   // nothing shows whether it keeps this
)

// Result is a check with its verdict.
type Result struct {
	ID         string  `json:"id"`
	Obligation string  `json:"obligation"`
	Verdict    Verdict `json:"verdict"`
	Detail     string  `json:"detail"` // what was found, a line each, or why it is not judged; secrets hidden
	// Trace are the requests that the sandbox received during a check that failed, the newest 20, secrets hidden.
	Trace []Request `json:"trace,omitempty"`
}

// Report is what the suite found.
type Report struct {
	Plugin  string   `json:"plugin"`
	Version string   `json:"version"`
	SHA256  string   `json:"sha256"` // of the plugin's binary; "" where there is none
	Sandbox string   `json:"sandbox"`
	Live    string   `json:"live,omitzero"` // base_url of the real provider, where one was judged
	Checks  []Result `json:"checks"`
	Passed  int      `json:"passed"`
	Failed  int      `json:"failed"`
}

// Count is how many checks have that verdict.
func (r Report) Count(v Verdict) int {
	n := 0
	for _, c := range r.Checks {
		if c.Verdict == v {
			n++
		}
	}
	return n
}

const (
	maxTrace = 20
	maxBody  = 2 << 10 // of a traced request, in bytes
)

// Report runs the checks whose id matches pattern, nil for all, and tells each result as soon as it is there,
// unless tell is nil. It ends early when ctx does; the rest is then NotJudged.
func (s *Suite) Report(ctx context.Context, pattern *regexp.Regexp, tell func(Result)) Report {
	r := Report{Plugin: s.info.Name, Version: s.info.Version, Sandbox: s.config.Sandbox, Checks: []Result{}}
	if s.config.Live {
		r.Live = s.settings["base_url"]
	}
	for _, c := range s.Checks() {
		if pattern != nil && !pattern.MatchString(c.ID) {
			continue
		}
		result := s.judge(ctx, c)
		switch result.Verdict {
		case Pass:
			r.Passed++
		case Fail:
			r.Failed++
		}
		r.Checks = append(r.Checks, result)
		if tell != nil {
			tell(result)
		}
	}
	return r
}

func (s *Suite) judge(ctx context.Context, c Check) Result {
	result := Result{ID: c.ID, Obligation: c.Obligation, Verdict: c.Verdict, Detail: c.Detail}
	if result.Verdict != "" {
		return result
	}
	if ctx.Err() != nil {
		result.Verdict, result.Detail = NotJudged, "the run was ended before"
		return result
	}
	found := c.findings(ctx)
	i := slices.IndexFunc(c.RestsOn, func(id string) bool { return s.unsound[id] })
	switch s.unsound[c.ID] = len(found) > 0; {
	case len(found) == 0:
		result.Verdict = Pass
	case i >= 0:
		result.Verdict, result.Detail = NotJudged, "it rests on "+c.RestsOn[i]+", which is not kept"
	default:
		result.Verdict, result.Detail, result.Trace = Fail, s.hide(strings.Join(found, "\n")), s.trace(ctx)
	}
	return result
}

// trace is what the sandbox received in the last check, without secrets. It is a help, so it may be missing.
func (s *Suite) trace(ctx context.Context) []Request {
	if s.box.url == "" {
		return nil
	}
	list, err := s.box.requests(ctx)
	if err != nil {
		return nil
	}
	if len(list) > maxTrace {
		list = list[len(list)-maxTrace:]
	}
	for i := range list {
		r := &list[i]
		r.Path, r.Query, r.Body = s.hide(r.Path), s.hide(r.Query), s.hide(r.Body)
		r.Body = r.Body[:min(len(r.Body), maxBody)]
	}
	return list
}
