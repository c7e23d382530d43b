package conformance

import (
	"context"
	"testing"

	"github.com/cauce-pay/cauce/provider"
)

// counting counts what it is handed.
type counting struct {
	provider.Provider
	handed int
}

func (*counting) Info() provider.Info                              { return provider.Info{Name: "counting"} }
func (*counting) Configure(context.Context, provider.Config) error { return nil }
func (*counting) Close(context.Context) error                      { return nil }

func (p *counting) Submit(context.Context, provider.Attempt) (provider.Outcome, error) {
	p.handed++
	return provider.Outcome{Status: provider.Pending}, nil
}

// Every provider that a check of a live suite can get hands nothing over, even if a check asked it to.
func TestLiveProviderIsHandedNothing(t *testing.T) {
	t.Parallel()
	var inner counting
	suite, err := New(t.Context(), Config{
		Live: true, Settings: provider.Config{"base_url": "https://pay.example"},
		Open: func(context.Context) (provider.Provider, error) { return &inner, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	check := Check{ID: "test/submits", suite: suite, run: func(s *scene) {
		if _, err := s.start().Submit(s.ctx, provider.Attempt{}); provider.CodeOf(err) != provider.CodeInvalid {
			s.errorf("it answers %v", err)
		}
	}}
	check.Run(t.Context(), t)
	if inner.handed != 0 {
		t.Errorf("it was handed %d payments", inner.handed)
	}
}
