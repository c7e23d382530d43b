package conformance

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/provider"
)

var (
	snake      = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	secretWord = regexp.MustCompile(`(^|_)(secret|password|token|api_key|private_key)(_|$)`)
)

func configRules() []rule {
	return []rule{
		{id: "config/names", obligation: "Attributes are lower-case words joined by underscores.", offline: true, run: eachField(func(s *scene, f provider.ConfigField) {
			if !snake.MatchString(f.Name) {
				s.errorf("the attribute %q", f.Name)
			}
		})},
		{id: "config/documented", obligation: "Each attribute says in one line what it is.", offline: true, run: eachField(func(s *scene, f provider.ConfigField) {
			if strings.TrimSpace(f.Doc) == "" || strings.ContainsRune(f.Doc, '\n') {
				s.errorf("%s: its documentation is %q", f.Name, f.Doc)
			}
		})},
		{id: "config/base-url", obligation: "base_url is a required attribute of type url, so that a sandbox can stand in.", offline: true, run: func(s *scene) {
			if f, ok := s.info.Config.Field("base_url"); !ok || f.Type != provider.URL || !f.Required {
				s.errorf("base_url is not a required attribute of type url")
			}
		}},
		{id: "config/secrets-marked", obligation: "Attributes named like a secret are marked secret, and no secret has a default.", offline: true, run: eachField(func(s *scene, f provider.ConfigField) {
			if secretWord.MatchString(f.Name) && f.Type == provider.String && !f.Secret {
				s.errorf("%s is not marked secret", f.Name)
			}
			if f.Secret && f.Default != "" {
				s.errorf("%s is secret and has a default", f.Name)
			}
		})},
		{id: "config/required-only", obligation: "The required attributes are enough to configure it.", offline: true, run: func(s *scene) {
			only := provider.Config{}
			for _, f := range s.info.Config {
				if f.Required {
					only[f.Name] = s.settings[f.Name]
				}
			}
			if err := s.bare().Configure(s.ctx, only); err != nil {
				s.errorf("Configure with the required attributes: %v", err)
			}
		}},
		{id: "config/required-demanded", obligation: "A required attribute that is missing is refused by name.", offline: true, run: eachField(func(s *scene, f provider.ConfigField) {
			if f.Required {
				s.configRefused("without "+f.Name, f.Name, f.Name, "")
			}
		})},
		{id: "config/unknown-refused", obligation: "An unknown attribute is refused by name.", offline: true, run: func(s *scene) {
			s.configRefused("with conformance_unknown", "conformance_unknown", "conformance_unknown", "x")
		}},
		{id: "config/types-checked", obligation: "A value of the wrong type is refused by the attribute's name.", offline: true, run: eachField(func(s *scene, f provider.ConfigField) {
			if f.Type != provider.String {
				s.configRefused(f.Name+" that is no "+string(f.Type), f.Name, f.Name, "not a value")
			}
		})},
		{id: "config/values-checked", obligation: "A value beside the allowed ones is refused by the attribute's name.", offline: true, run: eachField(func(s *scene, f provider.ConfigField) {
			if len(f.OneOf) > 0 {
				s.configRefused(f.Name+" that is none of its values", f.Name, f.Name, "conformance-other")
			}
		})},
		{id: "config/all-faults", obligation: "All faults of a configuration are reported at once.", offline: true, run: allFaults},
		{id: "config/errors-hide-secrets", obligation: "An error about the configuration does not repeat a secret.", offline: true, run: func(s *scene) {
			err := s.bare().Configure(s.ctx, s.with("base_url", "not a URL"))
			for _, secret := range s.secrets() {
				if err != nil && strings.Contains(err.Error(), secret) {
					s.errorf("the error repeats a secret: %v", err)
				}
			}
		}},
		{id: "config/no-call", obligation: "Configure makes no call to the provider.", run: func(s *scene) {
			s.start()
			if list := s.requests(); len(list) > 0 {
				s.errorf("it made %d calls, the first %s %s", len(list), list[0].Method, list[0].Path)
			}
		}},
	}
}

func eachField(f func(*scene, provider.ConfigField)) func(*scene) {
	return func(s *scene) {
		for _, field := range s.info.Config {
			f(s, field)
		}
	}
}

// configRefused demands that the settings with one change are refused, by an error that says word.
func (s *scene) configRefused(what, word, name, value string) {
	err := s.bare().Configure(s.ctx, s.with(name, value))
	var faults *provider.ConfigError
	switch {
	case err == nil:
		s.errorf("%s: it is accepted", what)
	case errors.As(err, &faults):
		for _, f := range faults.Faults {
			if f.Name == word {
				return
			}
		}
		s.errorf("%s: no fault names %s: %v", what, word, err)
	case !strings.Contains(err.Error(), word):
		s.errorf("%s: the error does not name %s: %v", what, word, err)
	}
}

func allFaults(s *scene) {
	var required []string
	for _, f := range s.info.Config {
		if f.Required && s.bare().Configure(s.ctx, s.with(f.Name, "")) != nil { // else config/required-demanded fails
			required = append(required, f.Name)
		}
	}
	err := s.bare().Configure(s.ctx, provider.Config{})
	if err == nil {
		if len(required) > 0 {
			s.errorf("a configuration without any attribute is accepted")
		}
		return
	}
	for _, name := range required {
		if !strings.Contains(err.Error(), name) {
			s.errorf("%s is missing, and not named by: %v", name, err)
		}
	}
}

// secrets are the values of the secret attributes.
func (s *Suite) secrets() []string { return s.raw.Config.Secrets(s.settings) }

// minSecret keeps a nonsensical secret ("1") from blotting out a whole report.
const minSecret = 4

// hide returns text without the secrets.
func (s *Suite) hide(text string) string {
	secrets := s.secrets()
	// A secret that begins with another one must be found first.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			pairs = append(pairs, secret, "(secret)", url.QueryEscape(secret), "(secret)")
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// requests are those that the sandbox received since the check began.
func (s *scene) requests() []Request {
	list, err := s.box.requests(s.ctx)
	s.must(err)
	return list
}
