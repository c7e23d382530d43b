package routing

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// Rules are a checked and compiled set of rules. They do not change, and may be used concurrently.
type Rules struct {
	hash       string
	files      []string
	sources    []*source // of files
	inClear    []string  // secrets that are written out
	server     Server
	store      Store
	apiKeys    []APIKey
	webhooks   []Webhook
	tests      []Test
	providers  []Provider
	routes     []*route
	names      []string // of routes, beside each other: Match reads no more of a route
	index      index
	references map[string]*reference // what conditions may read
	domains    domains
	evaluators sync.Pool // of *evaluator
}

// route is one compiled route block.
type route struct {
	name        string
	label       span         // where the name is written
	conditions  []*condition // all must hold; none = every payment matches
	boxes       []box        // what the index searches for: the normal form of as many of them as it can
	residue     []*condition // the others
	reject      string       // else candidates
	strategy    *strategy
	candidates  []candidate  // in written order
	successRate *SuccessRate // with that strategy
	failover    payment.Failover
}

// normalize divides the conditions between the index, which gets most boxes, and what is evaluated one by one. One after
// a condition that may fail is left where it is: a condition that does not hold keeps those behind it from being
// computed, and from failing.
func (r *route) normalize(most int) {
	r.boxes = truth(true)
	mayFail := false
	for _, c := range r.conditions {
		if c.program == nil && !mayFail {
			if boxes, ok := allOf(r.boxes, c.boxes); ok && len(boxes) <= most {
				r.boxes = boxes
				continue
			}
		}
		r.residue = append(r.residue, c)
		mayFail = mayFail || c.mayFail
	}
}

// Server says where the daemon listens. Of it the engine uses the shadow only.
type Server struct {
	Listen    string // host:port; default 127.0.0.1:8080
	Shadow    string // path of rules that decide every payment too, with no effect; "" = none
	PublicURL string // where providers reach our webhooks, without a trailing slash; "" = nowhere
}

// Store says where payments are kept.
type Store struct {
	Kind string // "pebble"
	Path string // its directory; default "data" beside the rules
}

// APIKey lets a caller in.
type APIKey struct {
	Name   string
	SHA256 string   // of the key, in lower-case hex
	Scopes []string // payments, read, admin
}

// Format prints the rules' hash, whatever the verb: what they hold is partly secret.
func (r *Rules) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "rules "+r.hash) }

// Hash returns the content hash of the files, which every decision names: the first 16 hexadecimal digits of a
// SHA-256. It covers what is written in the files, not what env() and file() read.
func (r *Rules) Hash() string { return r.hash }

// Files returns the paths of the files, in the order in which they were read.
func (r *Rules) Files() []string { return slices.Clone(r.files) }

// Server returns the server block.
func (r *Rules) Server() Server { return r.server }

// Store returns the store block.
func (r *Rules) Store() Store { return r.store }

// APIKeys returns the api_key blocks in file order.
func (r *Rules) APIKeys() []APIKey {
	keys := slices.Clone(r.apiKeys)
	for i := range keys {
		keys[i].Scopes = slices.Clone(keys[i].Scopes)
	}
	return keys
}

// Providers returns the provider blocks in file order.
func (r *Rules) Providers() []Provider { return slices.Clone(r.providers) }

// Routes returns the names of the routes in the order in which they are looked at.
func (r *Rules) Routes() []string {
	names := make([]string, len(r.routes))
	for i, route := range r.routes {
		names[i] = route.name
	}
	return names
}

// Facts are what a decision depends on besides the payment and the rules.
type Facts struct {
	Now       time.Time                // what the rules see as now
	PaymentID string                   // what split and the exploring of success_rate draw by
	Providers map[string]ProviderFacts // by name; a provider that is missing is not running
	// Outcomes counts a provider's attempts for a route with strategy = "success_rate"; nil = the counts are those
	// in the providers' Health. A decision records them, and so is made again from its snapshot.
	Outcomes func(provider string, s SuccessRate, req *payment.Request) (successes, failures int) `json:"-"`
}

// ProviderFacts are what is known of one provider.
type ProviderFacts struct {
	Capabilities []payment.Capability
	// Banks is the provider's own list of PSE codes by method; nil for a method = the list is not known.
	Banks  map[payment.Method]map[string]bool
	Health payment.Health
}
