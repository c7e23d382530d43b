package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// harmless is a provider that hands over nothing, so that no check of a real one can move money.
type harmless struct{ provider.Provider }

var (
	errHandsOverNothing = provider.Errorf(provider.CodeInvalid, "conformance: nothing is handed over to a real provider")
	errNotDeclared      = provider.Errorf(provider.CodeInvalid, "conformance: the provider does not declare it")
)

func (harmless) Submit(context.Context, provider.Attempt) (provider.Outcome, error) {
	return provider.Outcome{}, errHandsOverNothing
}

func (h harmless) ParseNotification(ctx context.Context, n provider.Notification) ([]provider.Query, error) {
	if p, ok := provider.WithNotifications(h.Provider); ok {
		return p.ParseNotification(ctx, n)
	}
	return nil, errNotDeclared
}

func (h harmless) Banks(ctx context.Context, m payment.Method) ([]provider.Bank, error) {
	if p, ok := provider.WithBanks(h.Provider); ok {
		return p.Banks(ctx, m)
	}
	return nil, errNotDeclared
}

func (h harmless) Billers(ctx context.Context, page string) (provider.BillerPage, error) {
	if p, ok := provider.WithBills(h.Provider); ok {
		return p.Billers(ctx, page)
	}
	return provider.BillerPage{}, errNotDeclared
}

func (h harmless) Bill(ctx context.Context, biller, reference string) (provider.BillDetail, error) {
	if p, ok := provider.WithBills(h.Provider); ok {
		return p.Bill(ctx, biller, reference)
	}
	return provider.BillDetail{}, errNotDeclared
}

func (h harmless) Balance(ctx context.Context) (provider.Balance, error) {
	if p, ok := provider.WithBalance(h.Provider); ok {
		return p.Balance(ctx)
	}
	return provider.Balance{}, errNotDeclared
}

func (h harmless) Statement(ctx context.Context, page string) (provider.StatementPage, error) {
	if p, ok := provider.WithStatement(h.Provider); ok {
		return p.Statement(ctx, page)
	}
	return provider.StatementPage{}, errNotDeclared
}

// newLive opens the provider with exactly the settings that were given.
func newLive(ctx context.Context, c Config) (*Suite, error) {
	s := &Suite{config: c, unsound: map[string]bool{}, settings: c.Settings}
	open := c.Open
	s.config.Open = func(ctx context.Context) (provider.Provider, error) {
		p, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return harmless{p}, nil
	}
	p, err := s.config.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("conformance: the provider cannot be opened: %w", err)
	}
	defer p.Close(context.WithoutCancel(ctx))
	s.raw = p.Info()
	if err := p.Configure(ctx, s.settings); err != nil {
		return nil, s.misconfigured(err)
	}
	if s.settings["base_url"] == "" {
		return nil, errors.New("conformance: the configuration has no base_url: it says which system is meant")
	}
	s.info = p.Info()
	return s, nil
}

// harmlessIDs are the checks of sandboxes that neither count nor move money, and lay no faults. Those that make no
// call at all are harmless too.
var harmlessIDs = []string{
	"lookup/unknown-key", "lookup/empty", "banks/listed", "banks/same-again", "banks/other-method", "billers/listed",
	"billers/unknown-page", "balance/told", "deadlines/close",
}

// liveRules are all rules for a real provider.
func liveRules() []rule {
	list := liveOnlyRules()
	for _, r := range rules() {
		if slices.Contains(harmlessIDs, r.id) {
			r.offline, r.rests = true, []string{"live/check"}
		}
		if r.offline {
			list = append(list, r)
		}
	}
	return append(list, driftRules()...)
}

func liveOnlyRules() []rule {
	return []rule{
		{id: "live/check", obligation: "Check succeeds with the credentials that are given.", offline: true, run: func(s *scene) {
			if err := s.start().Check(s.ctx); err != nil {
				s.errorf("Check: %v", err)
			}
		}},
		{id: "live/wrong-credentials", obligation: "With wrong secrets Check says unauthorized.", offline: true, run: func(s *scene) {
			var wrong []string
			for _, f := range s.info.Config {
				if f.Secret && s.settings[f.Name] != "" {
					wrong = append(wrong, f.Name, "wrong") // which simulators refuse
				}
			}
			if err := s.start(wrong...).Check(s.ctx); provider.CodeOf(err) != provider.CodeUnauthorized {
				s.errorf("Check: %v, not %q", err, provider.CodeUnauthorized)
			}
		}},
		{id: "live/tls-verified", obligation: "The address is https, or on this machine, and a server whose certificate nobody vouches for gets no request.", offline: true, run: func(s *scene) {
			if base, err := url.Parse(s.settings["base_url"]); err != nil || base.Scheme != "https" && !isLoopback(base.Hostname()) {
				s.errorf("base_url is not https")
			}
			var reached atomic.Int64
			p := s.start("base_url", s.serve(true, func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
			if err := p.Check(s.ctx); err == nil || reached.Load() > 0 {
				s.errorf("a server without a good certificate got %d requests, and Check says: %v", reached.Load(), err)
			}
		}},
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// defaultDeadline is how long a call may take where Config.Deadline does not say.
const defaultDeadline = 20 * time.Second

func driftRules() []rule {
	list := []rule{
		{id: "drift/results", obligation: "Each harmless call ends as it does at the simulator.", run: func(s *scene) {
			promised, live := s.surveys()
			for _, call := range sortedKeys(live.results) {
				if was, is := promised.results[call], live.results[call]; was != is {
					s.errorf("%s: %s, promised is %s", call, is, was)
				}
			}
		}},
		{id: "drift/answers", obligation: "Requests, status codes and fields of the answers are those of the simulator.", run: func(s *scene) {
			promised, live := s.surveys()
			for _, difference := range drift(promised, live) {
				s.errorf("%s", difference)
			}
		}},
		{id: "drift/banks", obligation: "The banks are those of the simulator.", when: declares(provider.Banks), run: func(s *scene) {
			promised, live := s.surveys()
			for _, code := range sortedKeys(live.banks) {
				if _, known := promised.banks[code]; !known {
					s.errorf("new: %s %s", code, live.banks[code])
				}
			}
			for _, code := range sortedKeys(promised.banks) {
				if _, still := live.banks[code]; !still {
					s.errorf("gone: %s %s", code, promised.banks[code])
				}
			}
		}},
		{id: "drift/latency", obligation: "Each call is answered within the provider's deadline.", run: func(s *scene) {
			_, live := s.surveys()
			limit := s.config.Deadline
			if limit == 0 {
				limit = defaultDeadline
			}
			for _, call := range sortedKeys(live.took) {
				if took := live.took[call]; took > limit {
					s.errorf("%s took %s, the deadline is %s", call, took.Round(time.Millisecond), limit)
				}
			}
		}},
	}
	return restingOn("live/check")(list)
}

// surveys are what the simulator and the provider answer. They are made once.
func (s *scene) surveys() (promised, live *survey) {
	if s.promised == nil {
		key := s.newKey()
		settings := provider.Config{}
		for _, f := range s.info.Config {
			if value, given := s.settings[f.Name]; given && !f.Secret { // secrets are for the real provider alone
				settings[f.Name] = value
			}
		}
		c := Config{Sandbox: s.config.Sandbox, Settings: settings}
		s.promised = s.surveyOf(settingsFor(s.raw.Config, c), key)
		s.live = s.surveyOf(s.settings, key)
	}
	return s.promised, s.live
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// said is what came of a call, for people.
func said(status string, err error) string {
	if err != nil {
		return "the error " + string(provider.CodeOf(err))
	}
	return strings.TrimSpace("an answer " + status)
}
