package engine

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
)

// outcomes counts how the providers' attempts ended, for routes with strategy = "success_rate" and for
// ProviderStatus: those that this process has seen, and those that warm has read.
type outcomes struct {
	mu     sync.Mutex
	groups map[string]*outcomeWindow
}

// outcomeWindow is a ring of equal parts of one window.
type outcomeWindow [12]struct {
	part                int64 // counted from the epoch
	successes, failures int
}

// maxOutcomeGroups bounds the memory: beyond it counting begins anew.
const maxOutcomeGroups = 50_000

func outcomeGroup(providerName string, s routing.SuccessRate, req *payment.Request) string {
	return providerName + "\x00" + s.Window.String() + "\x00" + strings.Join(s.By, ",") + "\x00" + s.Group(req)
}

func (o *outcomes) add(rates []routing.SuccessRate, providerName string, req *payment.Request, at, now time.Time, success bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.groups == nil || len(o.groups) >= maxOutcomeGroups {
		o.groups = map[string]*outcomeWindow{}
	}
	for _, s := range rates {
		group := outcomeGroup(providerName, s, req)
		w := o.groups[group]
		if w == nil {
			w = &outcomeWindow{}
			o.groups[group] = w
		}
		part := partOf(at, s)
		p := &w[uint64(part)%uint64(len(w))]
		switch {
		case part < p.part && p.part <= partOf(now, s):
			continue // older than the window
		case part != p.part: // what a clock that was ahead has counted gives way, too
			p.part, p.successes, p.failures = part, 0, 0
		}
		if success {
			p.successes++
		} else {
			p.failures++
		}
	}
}

func (o *outcomes) count(providerName string, s routing.SuccessRate, req *payment.Request, now time.Time) (successes, failures int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.groups[outcomeGroup(providerName, s, req)]
	if w == nil {
		return 0, 0
	}
	newest := partOf(now, s)
	for _, part := range w {
		if age := newest - part.part; age >= 0 && age < int64(len(w)) {
			successes += part.successes
			failures += part.failures
		}
	}
	return successes, failures
}

func partOf(t time.Time, s routing.SuccessRate) int64 {
	return t.UnixNano() / (int64(s.Window) / int64(len(outcomeWindow{})))
}

// successRates returns the settings by which attempts are counted, each once.
func successRates(rules *routing.Rules) []routing.SuccessRate {
	all := []routing.SuccessRate{recently}
	for _, s := range rules.SuccessRates() {
		if !hasRate(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// hasRate reports whether attempts are counted in that way.
func hasRate(rates []routing.SuccessRate, s routing.SuccessRate) bool {
	return slices.ContainsFunc(rates, func(o routing.SuccessRate) bool { return o.Window == s.Window && slices.Equal(o.By, s.By) })
}
