package engine

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// statisticsWindow is the time that ProviderStatus tells of: the default window of success_rate.
const statisticsWindow = 30 * time.Minute

// recently is the success rate that ProviderStatus tells: counted as the strategy success_rate counts it.
var recently = routing.SuccessRate{Window: statisticsWindow}

// Latency is how long hand-overs took, in milliseconds: so many percent of them took at most as long, to within a tenth.
type Latency struct {
	Calls int     `json:"calls"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
}

// statistics is how the hand-overs to a label ended lately, and how long they took: in a ring of equal parts of
// statisticsWindow. handovers counts since the engine was made.
type statistics struct {
	handovers histogram

	mu    sync.Mutex
	parts [12]statisticsPart
}

type statisticsPart struct {
	part     int64 // counted from the epoch
	outcomes map[string]int64
	calls    [160]int64 // by latencyClass
}

// latencyClass puts a duration into one of eight classes for each doubling, from a tenth of a millisecond on.
func latencyClass(d time.Duration) int {
	const classes = len(statisticsPart{}.calls)
	return min(max(0, int(math.Ceil(8*math.Log2(max(1, float64(d)/float64(100*time.Microsecond)))))), classes-1)
}

// latencyBound is the longest duration of a class, in milliseconds with two decimals.
func latencyBound(class int) float64 {
	return math.Round(100*0.1*math.Exp2(float64(class)/8)) / 100
}

// ended counts a hand-over that ended at a time.
func (s *statistics) ended(at, now time.Time, outcome string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.part(at, now); p != nil {
		p.outcomes[outcome]++
	}
}

// took counts how long a hand-over took that ended at a time.
func (s *statistics) took(at, now time.Time, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.part(at, now); p != nil {
		p.calls[latencyClass(d)]++
	}
}

// part returns where a time is counted; nil where that is past. What a clock that was ahead has counted gives way.
func (s *statistics) part(at, now time.Time) *statisticsPart {
	part := partOf(at, recently)
	p := &s.parts[uint64(part)%uint64(len(s.parts))]
	switch {
	case part < p.part && p.part <= partOf(now, recently):
		return nil
	case part != p.part, p.outcomes == nil:
		*p = statisticsPart{part: part, outcomes: map[string]int64{}}
	}
	return p
}

// recent sums the window up; the latency is nil where there was no call.
func (s *statistics) recent(now time.Time) (counts map[string]int64, _ *Latency) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts = map[string]int64{}
	var calls [len(statisticsPart{}.calls)]int64
	total := int64(0)
	newest := partOf(now, recently)
	for i := range s.parts {
		p := &s.parts[i]
		if age := newest - p.part; age < 0 || age >= int64(len(s.parts)) {
			continue
		}
		for outcome, n := range p.outcomes {
			counts[outcome] += n
		}
		for class, n := range p.calls {
			calls[class] += n
			total += n
		}
	}
	if total == 0 {
		return counts, nil
	}
	quantile := func(percent int64) float64 {
		rank, class := (total*percent+99)/100, 0
		for seen := calls[0]; seen < rank; seen += calls[class] {
			class++
		}
		return latencyBound(class)
	}
	return counts, &Latency{Calls: int(total), P50: quantile(50), P95: quantile(95), P99: quantile(99)}
}

// statisticsByLabel are shared by the processes that a label has had.
type statisticsByLabel struct{ byLabel sync.Map }

func (s *statisticsByLabel) of(label string) *statistics {
	one, ok := s.byLabel.Load(label)
	if !ok { // each is 15 kB
		one, _ = s.byLabel.LoadOrStore(label, &statistics{})
	}
	return one.(*statistics)
}

// handoverOutcome is how a hand-over ended: the provider's code where there is one, else where it left the attempt.
func handoverOutcome(status payment.AttemptStatus, code string) string {
	if code == codeAbsent || code == codeHeld || slices.Contains(provider.Codes(), provider.Code(code)) {
		return code
	}
	return string(status)
}

// tally counts what an event of a payment says about a provider's reliability: for its statistics, and for the success
// rates that are asked for.
func (e *Engine) tally(rates []routing.SuccessRate, providerName string, req *payment.Request, ev payment.Event) {
	switch ev.Type {
	case payment.EventAttemptEnded:
		if isProvidersFailure(req, ev.Data) {
			e.outcomes.add(rates, providerName, req, ev.At, e.now(), false)
		}
	case payment.EventFailed:
		if ev.Data.Provider != "" { // its provider had taken it; else the end of the attempt tells
			e.outcomes.add(rates, providerName, req, ev.At, e.now(), false)
		}
	case payment.EventSucceeded, payment.EventLateSuccess:
		e.outcomes.add(rates, providerName, req, ev.At, e.now(), true)
	}
}

// successRate is the share of a provider's attempts that succeeded lately; nil where there was none.
func (e *Engine) successRate(providerName string, now time.Time) *float64 {
	successes, failures := e.outcomes.count(providerName, recently, &payment.Request{}, now)
	if successes+failures == 0 {
		return nil
	}
	rate := math.Round(10_000*float64(successes)/float64(successes+failures)) / 10_000
	return &rate
}

// isOurStop reports whether an attempt's end was written by recovery: it says nothing about the provider.
func isOurStop(data payment.EventData) bool {
	return data.AttemptStatus == payment.AttemptInDoubt && data.Message == routerStopped
}

// isProvidersFailure reports whether an attempt ended by the provider's own fault; doubt is one.
func isProvidersFailure(req *payment.Request, data payment.EventData) bool {
	err := &provider.Error{Code: provider.Code(data.Code), Message: data.Message, Field: data.Field}
	failed := data.AttemptStatus == payment.AttemptFailed || data.AttemptStatus == payment.AttemptInDoubt
	return failed && !isOurStop(data) && data.Code != codeHeld && err.Code != provider.CodeInvalid && err.Code != provider.CodeDeclined && !bankIsDown(req, err)
}
