package provider

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cauce-pay/cauce/payment"
)

// FieldType is the type of a configuration attribute.
type FieldType string

// The types of configuration attributes.
const (
	String  FieldType = "string"
	Integer FieldType = "integer"
	Boolean FieldType = "boolean"
	Amount  FieldType = "amount" // an exact amount of money
	URL     FieldType = "url"    // absolute http or https URL
)

// ConfigField is one attribute of a provider's config block.
type ConfigField struct {
	Name     string    `json:"name"`
	Type     FieldType `json:"type"`
	Required bool      `json:"required"`
	Secret   bool      `json:"secret"`
	Default  string    `json:"default,omitzero"`
	OneOf    []string  `json:"one_of,omitempty"` // the only values allowed
	Doc      string    `json:"doc"`              // one line
}

// Schema is the configuration that a plugin takes.
type Schema []ConfigField

// Config holds a plugin's configuration by attribute name, each value as text. Resolve it against the schema
// before reading it.
type Config map[string]string

// ConfigFault is one fault of a configuration.
type ConfigFault struct {
	Name    string // the attribute
	Message string // what is wrong; never the value of a secret
}

// ConfigError lists every fault of a configuration at once.
type ConfigError struct {
	Faults []ConfigFault
}

func (e *ConfigError) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = f.Name + ": " + f.Message
	}
	return "provider: config: " + strings.Join(parts, "; ")
}

// Field returns the field with that name.
func (s Schema) Field(name string) (ConfigField, bool) {
	i := slices.IndexFunc(s, func(f ConfigField) bool { return f.Name == name })
	if i < 0 {
		return ConfigField{}, false
	}
	return s[i], true
}

// Names lists the attributes in order.
func (s Schema) Names() []string {
	names := make([]string, len(s))
	for i, f := range s {
		names[i] = f.Name
	}
	return names
}

// Resolve checks c against the schema and returns it with the defaults filled in. It reports every fault at
// once as a *ConfigError.
func (s Schema) Resolve(c Config) (Config, error) {
	out := make(Config, len(s))
	var faults []ConfigFault
	for name := range c {
		if _, ok := s.Field(name); !ok {
			faults = append(faults, ConfigFault{name, "is not known; this plugin takes " + strings.Join(s.Names(), ", ")})
		}
	}
	slices.SortFunc(faults, func(a, b ConfigFault) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range s {
		value, given := c[f.Name]
		if !given || value == "" {
			if f.Required {
				faults = append(faults, ConfigFault{f.Name, "is required: " + f.Doc})
				continue
			}
			value = f.Default
		}
		if err := f.check(value); err != nil {
			faults = append(faults, ConfigFault{f.Name, err.Error()})
			continue
		}
		out[f.Name] = value
	}
	if len(faults) > 0 {
		return nil, &ConfigError{faults}
	}
	return out, nil
}

func (f ConfigField) check(value string) error {
	if value == "" {
		return nil
	}
	shown := strconv.Quote(value)
	if f.Secret {
		shown = "the value"
	}
	if len(f.OneOf) > 0 && !slices.Contains(f.OneOf, value) {
		return fmt.Errorf("%s is none of %s", shown, strings.Join(f.OneOf, ", "))
	}
	switch f.Type {
	case Integer:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("%s is no whole number", shown)
		}
	case Boolean:
		if value != "true" && value != "false" {
			return fmt.Errorf("%s is neither true nor false", shown)
		}
	case Amount:
		if _, err := payment.ParseMoney(value); err != nil {
			return fmt.Errorf("%s is no amount", shown)
		}
	case URL:
		u, err := url.Parse(value)
		if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%s is no absolute http or https URL", shown)
		}
	}
	return nil
}

func (s Schema) validate() error {
	var errs []error
	seen := map[string]bool{}
	for _, f := range s {
		if f.Name == "" || seen[f.Name] {
			errs = append(errs, fmt.Errorf("config attribute %q is empty or named twice", f.Name))
		}
		seen[f.Name] = true
		if !slices.Contains([]FieldType{String, Integer, Boolean, Amount, URL}, f.Type) {
			errs = append(errs, fmt.Errorf("config attribute %q has the unknown type %q", f.Name, f.Type))
		}
		if err := f.check(f.Default); err != nil {
			errs = append(errs, fmt.Errorf("config attribute %q: default %w", f.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Secrets returns the values of the secret attributes of c, for masking.
func (s Schema) Secrets(c Config) []string {
	var out []string
	for _, f := range s {
		if v := c[f.Name]; f.Secret && v != "" {
			out = append(out, v)
		}
	}
	return out
}

// Int returns a resolved integer attribute; 0 where it is empty.
func (c Config) Int(name string) int64 { n, _ := strconv.ParseInt(c[name], 10, 64); return n }

// Bool returns a resolved boolean attribute; false where it is empty.
func (c Config) Bool(name string) bool { return c[name] == "true" }

// Money returns a resolved amount attribute; zero where it is empty.
func (c Config) Money(name string) payment.Money { m, _ := payment.ParseMoney(c[name]); return m }
