package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

// refusing takes a URL and a code, and refuses both.
type refusing struct {
	provider.Provider
	err error
}

func (r refusing) Info() provider.Info {
	return provider.Info{Config: provider.Schema{
		{Name: "base_url", Type: provider.URL, Doc: "where it is"}, {Name: "code", Type: provider.String, Doc: "a code"},
	}}
}

func (r refusing) Configure(context.Context, provider.Config) error { return r.err }

// Whatever is wrong with a value from env() or file(), and whoever says so, the value is not shown.
func TestConfigureShowsNoSecret(t *testing.T) {
	t.Parallel()
	fault := func(name, message string) error {
		return &provider.ConfigError{Faults: []provider.ConfigFault{{Name: name, Message: message}}}
	}
	const url = `https://acme.example/pa"ss`
	for name, c := range map[string]struct {
		baseURL, code string
		refusal       error
		want          string
	}{
		"refused by its schema": {"acme-s3cret", "x", nil, "provider: config: base_url: the value is no absolute http or https URL"},
		"as it is":              {url, "x", fault("base_url", url+" is not ours"), "provider: config: base_url: the value is not ours"},
		"quoted":                {url, "x", fault("base_url", `"https://acme.example/pa\"ss" is not ours`), "provider: config: base_url: the value is not ours"},
		"quoted otherwise":      {url, "x", fault("base_url", `'https://acme.example/pa\"ss' is not ours`), "provider: config: base_url: 'the value' is not ours"},
		"at another attribute":  {url, "s3cret", fault("base_url", "s3cret is not of it"), "provider: config: base_url: the value is not of it"},
		"as an attribute":       {url, "s3cret", fault("s3cret", "is not known"), "provider: config: the value: is not known"},
		"one in another":        {url + "/s3cret", "s3cret", fault("base_url", url+"/s3cret is not ours"), "provider: config: base_url: the value is not ours"},
		"cut":                   {url, "x", fault("base_url", "https://acme.ex… is not ours"), "provider: config: base_url: " + withheld},
		"short":                 {url, "abc", fault("code", "abc is taken"), "provider: config: code: the value is taken"},
		"very short":            {url, "7", fault("code", "7 is taken"), "provider: config: code: " + withheld},
		"very short, quoted":    {url, "ñ", fault("code", `"ñ" is taken`), "provider: config: code: " + withheld},
		"part of a word":        {url, "is", fault("code", "this was taken"), "provider: config: code: this was taken"},
		"empty":                 {url, "", fault("code", "must be given"), "provider: config: code: must be given"},
		"in another error":      {url, "s3cret", errors.New("no s3cret"), "no the value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			block := routing.Provider{Name: "acme", Config: map[string]routing.Value{
				"base_url": {Text: c.baseURL, Secret: true}, "code": {Text: c.code, Secret: true},
			}}
			_, err := Configure(t.Context(), refusing{err: c.refusal}, block, configOf(block))
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	t.Run("no secret", func(t *testing.T) {
		t.Parallel()
		block := routing.Provider{Name: "acme", Config: map[string]routing.Value{"base_url": {Text: "acme"}}}
		_, err := Configure(t.Context(), refusing{}, block, configOf(block))
		if want := `provider: config: base_url: "acme" is no absolute http or https URL`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("the cause is kept", func(t *testing.T) {
		t.Parallel()
		block := routing.Provider{Name: "acme", Config: map[string]routing.Value{"code": {Text: "deadline", Secret: true}}}
		_, err := Configure(t.Context(), refusing{err: context.DeadlineExceeded}, block, configOf(block))
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "context the value exceeded" {
			t.Errorf("got %v", err)
		}
	})
}
