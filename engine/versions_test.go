package engine_test

import (
	"errors"
	"github.com/cauce-pay/cauce/provider/providertest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/engine"
)

func TestRulesHistory(t *testing.T) {
	t.Parallel()
	b, _, path := launched(t, one)
	first := b.Rules().Hash()
	b.clock.Advance(time.Minute)
	rewrite(t, path, two)
	if err := b.Reload(engine.WithActor(t.Context(), "Ana")); err != nil {
		t.Fatal(err)
	}
	second := b.Rules().Hash()
	rewrite(t, path, `provider "acme" {`)
	if b.Reload(t.Context()) == nil {
		t.Error("faulty rules are taken")
	}
	rewrite(t, path, two)
	b = b.crash(t).start(t)
	b.clock.Advance(time.Minute)
	rewrite(t, path, one)
	b.reload(t)

	history, err := b.RulesHistory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var hashes, by []string
	for _, v := range history {
		hashes, by = append(hashes, v.Hash), append(by, v.By)
	}
	if !slices.Equal(hashes, []string{first, second, first}) || !slices.Equal(by, []string{"", "Ana", ""}) || history[0].At.Sub(history[2].At) != 2*time.Minute {
		t.Errorf("got %+v, want %s, %s and %s again", history, first, second, first)
	}
	text, err := b.RulesText(t.Context(), second)
	if err != nil || text.Masked || len(text.Files) != 1 || text.Files[0].Name != "routing.hcl" || text.Files[0].Content != two {
		t.Errorf("%+v, %v", text, err)
	}
	if _, err := b.RulesText(t.Context(), "0123456789abcdef"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("unknown rules: %v", err)
	}
}

func TestRulesTextHoldsNoSecret(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, secret string
		kept         bool
	}{
		{"in clear", `"hook-Secret-1"`, true},
		{"by a local", `local.hook`, true},
		{"put together", `"${local.hook}-and-more"`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, _, _ := launched(t, "locals { hook = \"hook-Secret-1\" }\n"+
				strings.Replace(one, `provider "acme" {}`, `provider "acme" { notification_secret = `+tc.secret+" }", 1))
			text, err := b.RulesText(t.Context(), b.Rules().Hash())
			if err != nil || !text.Masked || strings.Contains(asJSON(t, text), "hook-Secret-1") || (len(text.Files) == 1) != tc.kept {
				t.Errorf("%+v, %v", text, err)
			}
			if tc.kept && !strings.Contains(text.Files[0].Content, `"(hidden)"`) {
				t.Error(text.Files[0].Content)
			}
		})
	}
}

// A reload that the audit log cannot tell of did not happen, and nothing says that it did.
func TestReloadThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"rules_versions"} {
		path := writeRules(t, one)
		b, refuse := setup(t, one), false
		b.configure = func(c *engine.Config) {
			c.Rules = path
			c.Plugins, c.Providers = &launcher{started: map[string][]*providertest.Provider{}}, nil
			c.Store = &refusing{c.Store, func(name string) bool { return refuse && name == setting }}
		}
		b.start(t)
		hash := b.Rules().Hash()
		rewrite(t, path, strings.Replace(one, `provider "acme" {}`, `provider "acme" { plugin = "other" }`, 1))
		refuse = true
		if b.Reload(t.Context()) == nil || b.Rules().Hash() != hash {
			t.Errorf("%s: it was reloaded", setting)
		}
		refuse = false
		history, err := b.RulesHistory(t.Context())
		if err != nil || len(history) != 1 || history[0].Hash != hash {
			t.Errorf("%s: %+v, %v", setting, history, err)
		}
		if acts, err := b.Audit(t.Context(), 0, 10); err != nil || len(acts) != 2 || acts[1].Failed == "" {
			t.Errorf("%s: %+v, %v", setting, acts, err)
		}
		if text := b.metrics(t); !strings.Contains(text, "\ncauce_rules_last_reload_successful 0\n") {
			t.Error(text)
		}
	}
}
