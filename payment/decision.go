package payment

import (
	"encoding/json"
	"time"
)

// Decision is the answer of the rules for one payment: the route that matched and its candidates in the order
// in which they would be tried, each with why it may or may not be used. It is a value: a pure function of the
// payment, the rules, the providers' facts and the recorded snapshot.
type Decision struct {
	Route    Nullable `json:"route"`    // null where no route matched
	Reject   Nullable `json:"reject"`   // the route's reject text, else null
	Strategy string   `json:"strategy"` // "priority", or "" where the route has no candidates
	Rules    string   `json:"rules"`    // content hash of the rules
	// Providers are the eligible candidates in the order in which they would be tried.
	Providers []string `json:"providers"`
	// Candidates are all of the route's providers, eligible or not, in written order.
	Candidates []Candidate `json:"candidates"`
	// Faults are the routes that were passed over because their condition could not be computed, each with why.
	Faults map[string]string `json:"faults,omitempty"`
	// Failover is the route's failover policy, kept here so that a payment finishes under the rules it began with.
	Failover Failover `json:"failover,omitzero"`
	// DecidedAt is the time that the rules saw as now.
	DecidedAt time.Time `json:"decided_at"`
	// Snapshot is each candidate's health as it was seen, by provider.
	Snapshot map[string]Health `json:"snapshot,omitempty"`
}

// Candidate is one provider of the matched route.
type Candidate struct {
	Provider string `json:"provider"`
	Eligible bool   `json:"eligible"`
	Reason   string `json:"reason"`
}

// Failover says when and how far a payment goes on to the next candidate of its route.
type Failover struct {
	On          []string `json:"on"`           // error codes: invalid, declined, unauthorized, exhausted, unavailable
	MaxAttempts int      `json:"max_attempts"` // at least 1
	Within      Duration `json:"within"`       // since the payment was created; 0 = no limit
}

// Health is what the engine knew of a provider when it decided. The zero value is healthy, and nothing is known of
// its success.
type Health struct {
	Unhealthy   bool   `json:"unhealthy,omitzero"`    // sorted behind the rest
	BreakerOpen bool   `json:"breaker_open,omitzero"` // sorted behind the rest
	AtLimit     bool   `json:"at_limit,omitzero"`     // sorted behind the rest
	Paused      bool   `json:"paused,omitzero"`       // left out
	Reason      string `json:"reason,omitzero"`       // of the first of these that is so, in this order; may be empty
	// Successes and Failures count the attempts that ended in the window of the route's success_rate, of payments
	// with the same values of its `by` fields.
	Successes int `json:"successes,omitzero"`
	Failures  int `json:"failures,omitzero"`
}

// Nullable is text whose empty value is null in JSON.
type Nullable string

// MarshalJSON writes null for the empty text.
func (n Nullable) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(n))
}

// UnmarshalJSON reads text or null.
func (n *Nullable) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*n = ""
	if s != nil {
		*n = Nullable(*s)
	}
	return nil
}
